// From what a network gives to a coarse alpha: its activation, then its range, then the mean of
// both forward passes, as fine as the result will be.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

enum class Activation : int { none = 0, sigmoid = 1 };
enum class OutputRange : int { unit = 0, minmax = 1 };

// `count` values of one map, in place, to 0..1. Values that are not numbers count as 0, infinities
// as very large ones. The min-max stretch (U-2-Net's and IS-Net's published post-processing)
// divides by the map's own spread; a map that is constant has none and is only clipped, where the
// published code divides by zero. Returns how many values were not finite.
std::ptrdiff_t coarse_alpha(float* values, std::ptrdiff_t count, Activation activation,
                            OutputRange range);

// One map, or where `flipped` is not empty the mean of both, as T: float, or bytes (to the nearest,
// halves up). Strides of the maps may be anything. Throws std::invalid_argument for views that are
// empty or differ in size.
template <class T>
void joined_maps(const ImageView<const float>& alpha, const ImageView<const float>& flipped,
                 const ImageView<T>& out);

extern template void joined_maps(const ImageView<const float>&, const ImageView<const float>&,
                                 const ImageView<std::uint8_t>&);
extern template void joined_maps(const ImageView<const float>&, const ImageView<const float>&,
                                 const ImageView<float>&);

}  // namespace nssbg
