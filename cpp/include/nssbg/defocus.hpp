// Defocus: a photograph's background as a lens with a wide aperture would show it, in linear
// light, in layers of equal circles of confusion, without the subject.
#pragma once

#include <cstdint>
#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

// An aperture: a disc, or a regular polygon with that many corners.
struct Aperture {
    int blades = 0;         // 0: a disc; else 3 to 16
    float rotation = 0.0f;  // of the polygon, in radians
};

// out = the background of image, blurred.
//   image  H x W x 3 with packed rows, sRGB-encoded: the photograph
//   rgba   H x W x 4 with packed rows, straight: the subject, whose light is taken out of soft
//          pixels: they show (image - a F) / (1 - a)
//   radii  h x w of any size, over the whole picture: radius of the circle of confusion in pixels
//          of the picture, negative in front of the plane in focus; interpolated bilinearly
// Radii are limited to -400..400. What the subject hides is not known: it is what lies around.
// The result is the same for any number of threads.
template <class T>
void defocus(ImageView<const T> image, ImageView<const T> rgba, ImageView<const float> radii,
             Aperture aperture, ImageView<T> out, int threads);

// Radii for a ground that the subject stands on, without a depth map, from the picture's first row
// to its last: the inverse depth of a plane is linear in the rows, 0 at the horizon, which seen
// from the height of the subject's upper edge is there. One alone where the subject is cut off
// below, or is none: everything is equally far.
template <class T>
std::vector<float> radii_of_plane(ImageView<const T> alpha, double radius);

}  // namespace nssbg
