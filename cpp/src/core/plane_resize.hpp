// One plane of floats at another size, in Pillow's arithmetic: sums in double, rows first, floats
// between. For maps and for 16-bit pictures; whole 8-bit pictures go through the prepare kernels.
#pragma once

#include <cstddef>
#include <vector>

#include "nssbg/image_view.hpp"
#include "nssbg/prepare.hpp"

namespace nssbg {

struct FloatPlane {
    std::ptrdiff_t height = 0, width = 0;
    std::vector<float> cells;
    FloatPlane() = default;
    FloatPlane(std::ptrdiff_t rows, std::ptrdiff_t columns)
        : height(rows), width(columns), cells(static_cast<std::size_t>(rows * columns)) {}
    float* row(std::ptrdiff_t y) { return cells.data() + y * width; }
    const float* row(std::ptrdiff_t y) const { return cells.data() + y * width; }
};

// A part of the plane at a size; an axis that stays as it is is left alone. Of the result only the
// rows first to last (half open) are made; by default all. Not for torch_bilinear.
FloatPlane resized(const FloatPlane& plane, Filter filter, const Part& part, std::ptrdiff_t height,
                   std::ptrdiff_t width, std::ptrdiff_t first = 0, std::ptrdiff_t last = -1);

// All of it: means of boxes where a side gets smaller, bilinear where none does.
FloatPlane resized_map(const FloatPlane& plane, std::ptrdiff_t height, std::ptrdiff_t width,
                       std::ptrdiff_t first = 0, std::ptrdiff_t last = -1);

// The same for a map of H x W where it lies, rows packed; uint8_t stays uint8_t.
template <class T>
void resize_map(const ImageView<const T>& map, const ImageView<T>& out);

}  // namespace nssbg
