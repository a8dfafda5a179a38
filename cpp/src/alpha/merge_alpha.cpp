// Merges a new alpha with the one that the picture came with.
#include "nssbg/merge_alpha.hpp"

#include <limits>
#include <stdexcept>
#include <type_traits>

namespace nssbg {

template <class A, class E, class Out>
void merge_alpha(const ImageView<const A>& alpha, const ImageView<const E>& existing,
                 const ImageView<Out>& out) {
    const auto fits = [&alpha](const auto& view) {
        return view.height == alpha.height && view.width == alpha.width && view.channels == 1;
    };
    if (alpha.empty() || !fits(alpha) || !fits(existing) || !fits(out))
        throw std::invalid_argument("merge_alpha: the alphas must be H x W of one size");
    constexpr auto full = static_cast<float>(std::numeric_limits<E>::max());
    for (std::ptrdiff_t y = 0; y < alpha.height; ++y)
        for (std::ptrdiff_t x = 0; x < alpha.width; ++x) {
            if constexpr (std::is_same_v<A, float>) {
                out.at(y, x) = alpha.at(y, x) * (static_cast<float>(existing.at(y, x)) / full);
            } else {
                // alpha / 255 * existing, in existing's own range.
                const std::uint32_t product =
                    std::uint32_t{alpha.at(y, x)} * std::uint32_t{existing.at(y, x)};
                out.at(y, x) = static_cast<Out>((product + 127) / 255);
            }
        }
}

template void merge_alpha(const ImageView<const std::uint8_t>&,
                          const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&);
template void merge_alpha(const ImageView<const std::uint8_t>&,
                          const ImageView<const std::uint16_t>&, const ImageView<std::uint16_t>&);
template void merge_alpha(const ImageView<const float>&, const ImageView<const std::uint8_t>&,
                          const ImageView<float>&);
template void merge_alpha(const ImageView<const float>&, const ImageView<const std::uint16_t>&,
                          const ImageView<float>&);

}  // namespace nssbg
