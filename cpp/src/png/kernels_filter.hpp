// Row kernels of the PNG encoder's filter pass.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

// Filters by their number in the file.
enum PngFilter { png_none = 0, png_sub = 1, png_up = 2, png_average = 3, png_paeth = 4 };

struct PngFilterKernels {
    // Where the first byte that is not zero stands (count if none), and one past the last (0).
    void (*nonzero_range)(const std::uint8_t* row, std::ptrdiff_t count, std::ptrdiff_t* first,
                          std::ptrdiff_t* last);
    // Sum over [begin, end) of the bit lengths of the residuals' magnitudes, but for runs that
    // repeat the pixel before, for the four filters Sub to Paeth (costs[1..4]) and for None
    // (costs[0]). `step` is the pixel's size in bytes; of long rows every sampling-th part counts.
    void (*filter_costs)(const std::uint8_t* row, const std::uint8_t* above, std::ptrdiff_t begin,
                         std::ptrdiff_t end, std::ptrdiff_t step, std::ptrdiff_t sampling,
                         std::uint32_t costs[5]);
    // Writes out[begin, end) with the filter's residuals.
    void (*filter_row)(int filter, const std::uint8_t* row, const std::uint8_t* above,
                       std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t step,
                       std::uint8_t* out);
    // Adler-32's two sums, carried on over count bytes; both stay below 65521.
    void (*adler)(const std::uint8_t* data, std::ptrdiff_t count, std::uint32_t* low,
                  std::uint32_t* high);
    // 16-bit samples as PNG has them: most significant byte first.
    void (*big_endian)(const std::uint16_t* samples, std::ptrdiff_t count, std::uint8_t* out);
};

NSSBG_DISPATCH(PngFilterKernels, png_filter_kernels)

}  // namespace nssbg
