// Turns pictures upright, as an EXIF orientation asks.
#pragma once

#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Copies `in` to packed `out`, turned by an EXIF orientation (1 to 8). For 5 to 8 out is
// in.width x in.height pixels, else in.height x in.width. Pixels have 1, 3 or 4 channels.
// Throws std::invalid_argument for other orientations and channels, and for rows that are not
// packed.
void orient(const ImageView<const std::uint8_t>& in, int orientation, int threads,
            std::uint8_t* out);
void orient(const ImageView<const std::uint16_t>& in, int orientation, int threads,
            std::uint16_t* out);

}  // namespace nssbg
