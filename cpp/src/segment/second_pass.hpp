// What the second pass is made of: maps with their memory, plans of boxes, blending.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"
#include "nssbg/second_pass.hpp"

namespace nssbg::second_pass {

using std::ptrdiff_t;
using View = ImageView<float>;
using ConstView = ImageView<const float>;

// A packed map of floats and its memory.
struct Map {
    ptrdiff_t height = 0, width = 0;
    std::vector<float> cells;

    Map() = default;
    Map(ptrdiff_t rows, ptrdiff_t columns)
        : height(rows), width(columns), cells(static_cast<std::size_t>(rows * columns)) {}

    View view() { return packed_view(cells.data(), height, width, 1); }
    ConstView view() const { return packed_view(cells.data(), height, width, 1); }
};

inline ptrdiff_t rows_of(const Box& box) { return box.bottom - box.top; }
inline ptrdiff_t columns_of(const Box& box) { return box.right - box.left; }
inline Box hull(const Box& a, const Box& b) {
    return {std::min(a.top, b.top), std::min(a.left, b.left), std::max(a.bottom, b.bottom),
            std::max(a.right, b.right)};
}

// A picture's size in pixels.
struct Size {
    ptrdiff_t height = 0, width = 0;
};

// The cells of a map of rows x columns that a part of the picture covers.
Box cells_of(const Box& area, ptrdiff_t rows, ptrdiff_t columns, const Size& picture);

template <class T>
ImageView<T> part_of(const ImageView<T>& map, const Box& cells) {
    return {map.data + cells.top * map.stride_y + cells.left * map.stride_x,
            rows_of(cells),
            columns_of(cells),
            1,
            map.stride_y,
            map.stride_x,
            1};
}

// The crops around the subjects, with margin, that gain enough; the largest come first; they do not
// overlap. Subjects are told apart by empty rows and columns between them, margins included. Faint
// blobs beside a larger one are none. Second: whether all subjects lie in the crops.
std::pair<std::vector<Box>, bool> plan_crops(const ConstView& coarse, const Size& picture);

// Overlapping square tiles of `side` pixels inside scope that the outline passes through; those
// with the longest outline come first, so that a budget is spent where it matters.
std::vector<Box> plan_tiles(const ConstView& coarse, const Size& picture, ptrdiff_t side,
                            const Box& scope);

// The area grown to whole cells of a canvas, so that answers land without a sub-cell shift.
Box snapped(const Box& area, ptrdiff_t rows, ptrdiff_t columns, const Size& picture);

// Cubic resampling; what shrinks is averaged by cells first.
Map resized(const ConstView& alpha, ptrdiff_t height, ptrdiff_t width);

// 1 on cells near where alpha crosses one half, falling to 0 within two cells more.
Map outline_weight(const ConstView& alpha);

// Puts the answer for a crop into the map; false (and no change) if it contradicts it.
bool blend_crop(const View& canvas, const Box& area, const ConstView& answer, const Size& picture);

// Adds the detail of tiles' answers along the outline, and not what they say of the whole: a tile
// that sees hair and no head knows less about what belongs to the subject. How many were used.
int blend_tiles(const View& canvas, const Box& scope,
                const std::vector<std::pair<Box, Map>>& answers, const Size& picture);

}  // namespace nssbg::second_pass
