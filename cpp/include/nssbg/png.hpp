// PNG: rows unfiltered for reading; cut-outs and masks encoded in parallel strips.
// Filters and chunks as the PNG specification has them (W3C, third edition, 2025).
#pragma once

#include <cstddef>
#include <cstdint>

namespace nssbg {

// Undoes PNG's row filters. `filtered` is height rows of 1 + row_bytes bytes, the
// first of each being its filter; `plain` gets height x row_bytes bytes.
// pixel_bytes (1 to 8) is the distance to the pixel on the left.
// Throws std::invalid_argument for an unknown filter or an impossible size.
void png_unfilter(const std::uint8_t* filtered, std::ptrdiff_t height, std::ptrdiff_t row_bytes,
                  int pixel_bytes, std::uint8_t* plain);

}  // namespace nssbg
