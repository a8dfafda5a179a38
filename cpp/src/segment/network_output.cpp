// Activation, range and mean of a network's maps.
#include "nssbg/network_output.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "segment/kernels.hpp"

namespace nssbg {

using std::ptrdiff_t;

ptrdiff_t coarse_alpha(float* values, ptrdiff_t count, Activation activation, OutputRange range) {
    ptrdiff_t broken = 0;
    for (ptrdiff_t i = 0; i < count; ++i) broken += !std::isfinite(values[i]);
    if (broken > 0)
        for (ptrdiff_t i = 0; i < count; ++i) {
            if (std::isnan(values[i])) values[i] = 0.0f;
            if (std::isinf(values[i])) values[i] = values[i] > 0 ? 1e30f : -1e30f;
        }
    if (activation == Activation::sigmoid)
        active_segment_kernels().alpha_from_logits(values, count);
    if (range == OutputRange::minmax && count > 0) {
        const auto [low, high] = std::minmax_element(values, values + count);
        const float least = *low, most = *high;
        if (most > least) {
            const auto scale =
                static_cast<float>(1.0 / (static_cast<double>(most) - static_cast<double>(least)));
            for (ptrdiff_t i = 0; i < count; ++i) values[i] = (values[i] - least) * scale;
        }
    }
    for (ptrdiff_t i = 0; i < count; ++i) values[i] = std::min(std::max(values[i], 0.0f), 1.0f);
    return broken;
}

template <class T>
void joined_maps(const ImageView<const float>& alpha, const ImageView<const float>& flipped,
                 const ImageView<T>& out) {
    const auto fits = [&out](const ImageView<const float>& map) {
        return map.channels == 1 && map.height == out.height && map.width == out.width;
    };
    if (out.empty() || out.channels != 1 || !fits(alpha) || (!flipped.empty() && !fits(flipped)))
        throw std::invalid_argument("joined_maps: the maps must be h x w, of one size");
    for (ptrdiff_t y = 0; y < out.height; ++y)
        for (ptrdiff_t x = 0; x < out.width; ++x) {
            float value = alpha.at(y, x);
            if (!flipped.empty()) value = 0.5f * (value + flipped.at(y, x));
            if constexpr (std::is_same_v<T, float>)
                out.at(y, x) = value;
            else  // what is no number compares false and becomes 0
                out.at(y, x) =
                    static_cast<T>((value > 0.0f ? std::min(value, 1.0f) : 0.0f) * 255.0f + 0.5f);
        }
}

template void joined_maps(const ImageView<const float>&, const ImageView<const float>&,
                          const ImageView<std::uint8_t>&);
template void joined_maps(const ImageView<const float>&, const ImageView<const float>&,
                          const ImageView<float>&);

}  // namespace nssbg
