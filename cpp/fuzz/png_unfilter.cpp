// Fuzzes the undoing of PNG's row filters, which reads bytes straight from files: what comes out,
// filtered again by the specification's formulas, has to be what went in.
#include "harness.hpp"
#include "nssbg/png.hpp"

namespace {

int paeth(int left, int up, int corner) {
    const int estimate = left + up - corner;
    const int a = std::abs(estimate - left), b = std::abs(estimate - up);
    const int c = std::abs(estimate - corner);
    return a <= b && a <= c ? left : b <= c ? up : corner;
}

}  // namespace

FUZZ_TARGET(png_unfilter) {
    const std::ptrdiff_t height = in.between(0, 40), row_bytes = in.between(0, 300);
    const int pixel_bytes = static_cast<int>(in.between(0, 10));
    const std::ptrdiff_t stride = 1 + row_bytes;
    std::vector<std::uint8_t> filtered(static_cast<std::size_t>(height * stride));
    if (!filtered.empty())
        in.fill(filtered.data(), filtered.size(), static_cast<std::size_t>(stride));
    const bool any_filter = in.rarely(8);
    for (std::ptrdiff_t y = 0; y < height && !any_filter; ++y) filtered[y * stride] %= 5;
    std::vector<std::uint8_t> plain(static_cast<std::size_t>(height * row_bytes), 77);
    try {
        nssbg::png_unfilter(filtered.data(), height, row_bytes, pixel_bytes, plain.data());
    } catch (const std::invalid_argument&) {
        return;
    }
    fuzz::check(pixel_bytes >= 1 && pixel_bytes <= 8 && row_bytes >= pixel_bytes && height >= 1,
                "png_unfilter refuses rows without whole pixels");
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t i = 0; i < row_bytes; ++i) {
            const auto at = [&](std::ptrdiff_t up, std::ptrdiff_t back) -> int {
                return y < up || i < back ? 0 : plain[(y - up) * row_bytes + i - back];
            };
            const int left = at(0, pixel_bytes), up = at(1, 0), corner = at(1, pixel_bytes);
            const int predicted[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
            const int filter = filtered[y * stride];
            fuzz::check(filter < 5, "png_unfilter refuses unknown filters");
            fuzz::check(((at(0, 0) - predicted[filter]) & 255) == filtered[y * stride + 1 + i],
                        "png_unfilter is the inverse of the filter");
        }
}
