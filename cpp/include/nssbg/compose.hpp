// Composition: a straight cut-out over a colour, a gradient or a picture, over another
// straight layer, or premultiplied. Exact integer arithmetic, 8 and 16 bits.
#pragma once

#include <cstdint>
#include <vector>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"

namespace nssbg {

// A gradient as a table of colours (3 values each) and where each pixel falls in it: linear,
// origin + x * across + y * down; or radial, scale * distance from (center_x, center_y).
// Positions are in units of table entries and clamped to the table.
template <class T>
struct Gradient {
    const T* colors = nullptr;
    std::ptrdiff_t count = 0;
    bool radial = false;
    float origin = 0.0f;
    float across = 0.0f;
    float down = 0.0f;
    float center_x = 0.0f;
    float center_y = 0.0f;
    float scale = 0.0f;
};

// out = round((a c + (full - a) b) / full). background is H x W x 3; its stride_y may be 0
// (one row for all: a plain colour).
template <class T>
void over_image(ImageView<const T> rgba, ImageView<const T> background, ImageView<T> out,
                int threads);
template <class T>
void over_gradient(ImageView<const T> rgba, const Gradient<T>& gradient, ImageView<T> out,
                   int threads);
// Straight over straight, straight result.
template <class T>
void over_layer(ImageView<const T> front, ImageView<const T> back, ImageView<T> out, int threads);
template <class T>
void premultiply(ImageView<const T> rgba, ImageView<T> out, int threads);

// Chroma screen spill: a copy of rgba whose screen channel (0 red, 1 green, 2 blue) exceeds the
// larger of the other two by at most 1 - strength of what it did. Alpha is unchanged.
template <class T>
void suppress_spill(ImageView<const T> rgba, ImageView<T> out, int screen, float strength,
                    int threads);
// The smallest box around all pixels whose alpha is above the threshold; all zero where there
// is none.
template <class T>
Box subject_box(ImageView<const T> rgba, T threshold, int threads);

}  // namespace nssbg
