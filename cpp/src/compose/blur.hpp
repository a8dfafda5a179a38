// Gaussian blurs of any radius at nearly the same cost: a wide Gaussian leaves nothing that a
// coarse grid could not hold, so planes are averaged down until the blur is a few cells wide,
// blurred there, and brought back by bicubic interpolation.
#pragma once

#include "core/plane_resize.hpp"

namespace nssbg {

// Outside the plane is 0; sigma in pixels, 0 leaves it as it is.
FloatPlane blurred_plane(const FloatPlane& plane, double sigma);

}  // namespace nssbg
