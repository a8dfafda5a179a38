// Colour decontamination: the true foreground colour of pixels that mix foreground and
// background. An H x W x 3 picture and its H x W alpha go in, straight H x W x 4 comes out.
#pragma once

#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

enum class ForegroundMethod { off, multilevel, blur_fusion };

struct DecontaminateOptions {
    ForegroundMethod method = ForegroundMethod::multilevel;
    // 0 keeps the photograph's colour, 1 takes the estimate; between, a straight mix.
    float strength = 1.0f;
    // Where alpha is 0: the nearest foreground's colour instead of zeros.
    bool extend = false;
    // Weight of alpha's gradient and the constant part of the smoothness term
    // (docs/decisions/0601-multilevel-foreground.md).
    float gradient_weight = 0.2f;
    float regularization = 1e-5f;
    int threads = 1;
};

// Writes straight RGBA. T is uint8_t or uint16_t; A is uint8_t, uint16_t or float (0 to 1).
// Pixels of alpha 1 keep their colour exactly; alpha is unchanged (where A is not T, rounded
// to the nearest value of T). `background`, where not empty, is H x W x 3 and receives the
// estimate of the background's colour in every pixel whose alpha is neither 0 nor 1 (the
// photograph's own colour elsewhere).
// Throws std::invalid_argument for shapes that do not fit, options out of range, and for a
// float alpha that is NaN or outside 0..1.
template <class T, class A>
void decontaminate(ImageView<const T> image, ImageView<const A> alpha, ImageView<T> rgba,
                   ImageView<T> background, const DecontaminateOptions& options);

}  // namespace nssbg
