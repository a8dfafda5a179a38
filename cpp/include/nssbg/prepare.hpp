// The prepare stage: a picture becomes a network's input in one pass. Resize with
// antialiasing, normalise, interleaved to planar; nothing else is ever materialised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"

namespace nssbg {

// box, bilinear, bicubic and lanczos antialias: their support grows with the scale, as
// Pillow's does. torch_bilinear does not: four neighbours, align_corners = False.
enum class Filter { box, bilinear, bicubic, lanczos, torch_bilinear };

// IEEE 754 binary16 by its bits; C++17 has no type for it.
struct Half {
    std::uint16_t bits;
};

// A part of the picture, in its pixels, fractions included.
struct Part {
    double left = 0.0;
    double top = 0.0;
    double right = 0.0;
    double bottom = 0.0;
};

struct PrepareOptions {
    Filter filter = Filter::lanczos;
    // Where the picture lands in the target; the rest is filled with `fill`.
    Box content;
    // What of the picture is shown there; empty: all of it. Not for torch_bilinear. Pixels around
    // it count where the filter reaches them.
    Part part;
    std::array<std::uint8_t, 3> fill{0, 0, 0};
    // float and Half targets get (value / 255 - mean) / std; uint8 targets the values themselves.
    std::array<double, 3> mean{0.0, 0.0, 0.0};
    std::array<double, 3> std{1.0, 1.0, 1.0};
    int threads = 1;  // 0: all usable cores
};

// Fills `target` (H x W x 3 with any strides, usually planar; rows of a channel contiguous) from
// `source` (H x W x 1, 3 or 4; a fourth channel is not read; any strides). 16-bit pictures are
// rounded to 8 bits as they are read. The bytes written do not depend on threads or ISA level.
// Throws std::invalid_argument for sizes, strides or options outside this, std::bad_alloc.
template <class In, class Out>
void prepare(const ImageView<const In>& source, const ImageView<Out>& target,
             const PrepareOptions& options);

extern template void prepare(const ImageView<const std::uint8_t>&, const ImageView<float>&,
                             const PrepareOptions&);
extern template void prepare(const ImageView<const std::uint8_t>&, const ImageView<Half>&,
                             const PrepareOptions&);
extern template void prepare(const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&,
                             const PrepareOptions&);
extern template void prepare(const ImageView<const std::uint16_t>&, const ImageView<float>&,
                             const PrepareOptions&);
extern template void prepare(const ImageView<const std::uint16_t>&, const ImageView<Half>&,
                             const PrepareOptions&);
extern template void prepare(const ImageView<const std::uint16_t>&, const ImageView<std::uint8_t>&,
                             const PrepareOptions&);

}  // namespace nssbg
