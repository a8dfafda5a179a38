// Cut-outs and alphas at another size: Lanczos on premultiplied values, so that colours of
// transparent pixels never bleed in, because they count for nothing. Pillow's arithmetic: 8 bits by
// the prepare kernels, 16 bits in float32 with sums in double.
#pragma once

#include <cstdint>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"
#include "nssbg/prepare.hpp"

namespace nssbg {

// A part of a cut-out (H x W x 4, straight), a picture (H x W x 3) or an alpha (H x W) at out's
// size, straight again.
// Pixels around the part count where the filter reaches them. T is uint8_t or uint16_t. Throws
// std::invalid_argument for empty views, other channels, and parts that are empty or lie outside.
template <class T>
void resample(const ImageView<const T>& pixels, const Part& part, const ImageView<T>& out);

// How a picture of another size becomes a background: it fills all and is cropped in the middle, or
// all of it is shown, its mean colour on the bars.
enum class Fit { cover, contain };

// A picture, H x W x 3, as a background of out's size.
template <class T>
void resample_to_fit(const ImageView<const T>& image, Fit fit, const ImageView<T>& out);

// Part of a canvas on which such pixels lie scaled and moved: the box (on the canvas) that out is
// as large as. `scale` is pixels of the canvas for one of the picture, `top` and `left` are where
// its upper and left edge lie. Transparent where the picture does not reach; at scale 1 and whole
// offsets the picture's own bytes.
template <class T>
void resample_window(const ImageView<const T>& pixels, double scale, double top, double left,
                     const Box& box, const ImageView<T>& out);

extern template void resample(const ImageView<const std::uint8_t>&, const Part&,
                              const ImageView<std::uint8_t>&);
extern template void resample(const ImageView<const std::uint16_t>&, const Part&,
                              const ImageView<std::uint16_t>&);
extern template void resample_to_fit(const ImageView<const std::uint8_t>&, Fit,
                                     const ImageView<std::uint8_t>&);
extern template void resample_to_fit(const ImageView<const std::uint16_t>&, Fit,
                                     const ImageView<std::uint16_t>&);
extern template void resample_window(const ImageView<const std::uint8_t>&, double, double, double,
                                     const Box&, const ImageView<std::uint8_t>&);
extern template void resample_window(const ImageView<const std::uint16_t>&, double, double, double,
                                     const Box&, const ImageView<std::uint16_t>&);

}  // namespace nssbg
