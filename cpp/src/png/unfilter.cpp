// Undoes PNG's row filters. Each row depends on the one above and each byte on the
// one to its left, so this is one thread's plain loop.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "nssbg/png.hpp"

namespace nssbg {
namespace {

std::uint8_t paeth(int left, int up, int corner) {
    const int estimate = left + up - corner;
    const int to_left = std::abs(estimate - left);
    const int to_up = std::abs(estimate - up);
    const int to_corner = std::abs(estimate - corner);
    if (to_left <= to_up && to_left <= to_corner) return static_cast<std::uint8_t>(left);
    return static_cast<std::uint8_t>(to_up <= to_corner ? up : corner);
}

void unfilter_row(int filter, const std::uint8_t* in, const std::uint8_t* above, std::uint8_t* out,
                  std::ptrdiff_t count, std::ptrdiff_t step) {
    const auto byte = [](int value) { return static_cast<std::uint8_t>(value); };
    switch (filter) {
        case 0: std::memcpy(out, in, static_cast<std::size_t>(count)); return;
        case 1:
            std::memcpy(out, in, static_cast<std::size_t>(step));
            for (std::ptrdiff_t i = step; i < count; ++i) out[i] = byte(in[i] + out[i - step]);
            return;
        case 2:
            for (std::ptrdiff_t i = 0; i < count; ++i) out[i] = byte(in[i] + above[i]);
            return;
        case 3:
            for (std::ptrdiff_t i = 0; i < step; ++i) out[i] = byte(in[i] + above[i] / 2);
            for (std::ptrdiff_t i = step; i < count; ++i)
                out[i] = byte(in[i] + (out[i - step] + above[i]) / 2);
            return;
        case 4:
            for (std::ptrdiff_t i = 0; i < step; ++i) out[i] = byte(in[i] + above[i]);
            for (std::ptrdiff_t i = step; i < count; ++i)
                out[i] = byte(in[i] + paeth(out[i - step], above[i], above[i - step]));
            return;
        default:
            throw std::invalid_argument("PNG row filter " + std::to_string(filter) +
                                        " does not exist; the file is damaged");
    }
}

}  // namespace

void png_unfilter(const std::uint8_t* filtered, std::ptrdiff_t height, std::ptrdiff_t row_bytes,
                  int pixel_bytes, std::uint8_t* plain) {
    if (height < 1 || row_bytes < pixel_bytes || pixel_bytes < 1 || pixel_bytes > 8)
        throw std::invalid_argument("png_unfilter: rows of " + std::to_string(row_bytes) +
                                    " bytes with " + std::to_string(pixel_bytes) +
                                    " to a pixel; expected whole pixels of 1 to 8 bytes");
    // The row above the first counts as zeros: None, Sub and Paeth then need no row above
    // at all, Up is None, and Average is done by hand.
    const std::uint8_t* above = nullptr;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        const std::uint8_t* in = filtered + y * (1 + row_bytes);
        std::uint8_t* out = plain + y * row_bytes;
        int filter = in[0];
        if (above == nullptr && filter == 2) filter = 0;
        if (above == nullptr && filter == 4) filter = 1;
        if (above == nullptr && filter == 3) {
            for (std::ptrdiff_t i = 0; i < row_bytes; ++i)
                out[i] = static_cast<std::uint8_t>(
                    in[1 + i] + (i < pixel_bytes ? 0 : out[i - pixel_bytes] / 2));
        } else {
            unfilter_row(filter, in + 1, above, out, row_bytes, pixel_bytes);
        }
        above = out;
    }
}

}  // namespace nssbg
