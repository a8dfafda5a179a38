// Fuzzes defocus: any photograph, cut-out, radii and aperture give the same for all threads and
// levels, and no colour outside of what the background has.
#include "nssbg/defocus.hpp"

#include <limits>

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
void run(fuzz::Input& in) {
    const std::ptrdiff_t height = in.between(1, 70), width = in.between(1, 90);
    const auto image = fuzz::made_image<T>(
        in, height, width, 3, in.rarely(8) ? fuzz::Layout::any : fuzz::Layout::padded_rows);
    const auto rgba = fuzz::made_image<T>(in, height, width, 4, fuzz::Layout::padded_rows);
    const std::ptrdiff_t rows = in.between(1, 9), columns = in.between(1, 9);
    std::vector<float> radii(static_cast<std::size_t>(rows * columns));
    const float most = in.real(0, 60);
    for (auto& radius : radii) radius = in.real(-most, most);
    const Aperture aperture{static_cast<int>(in.between(0, 18)), in.real(-7, 7)};
    auto out = fuzz::target<T>(height, width, 3);
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            defocus<T>(image.constant(), rgba.constant(),
                       packed_view<const float>(radii.data(), rows, columns, 1), aperture, out.view,
                       threads);
            return out.memory;
        }))
        return;
    bool clear = true;
    std::int64_t least = std::numeric_limits<T>::max(), largest = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const std::int64_t alpha = rgba.view.at(y, x, 3);
            clear = clear && alpha == 0;
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                least = std::min<std::int64_t>(least, image.view.at(y, x, c));
                largest = std::max<std::int64_t>(largest, image.view.at(y, x, c));
                if (alpha == std::numeric_limits<T>::max())
                    fuzz::check(out.view.at(y, x, c) == 0, "under the subject it is black");
            }
        }
    if (!clear) return;
    // Two steps of the table of roots, in 16 bits; half a step in 8.
    const std::int64_t slack = sizeof(T) == 1 ? 1 : 80;
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x)
            for (std::ptrdiff_t c = 0; c < 3; ++c)
                fuzz::check(out.view.at(y, x, c) >= least - slack &&
                                out.view.at(y, x, c) <= largest + slack,
                            "a mean lies between what it is of");
}

}  // namespace

FUZZ_TARGET(defocus) { in.flag() ? run<std::uint16_t>(in) : run<std::uint8_t>(in); }
