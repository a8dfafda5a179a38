// Moves the edge of a finished alpha.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Farthest that edges may be moved, in pixels.
constexpr double farthest_edge = 64.0;

// The widest choke and softening that a person is offered, as shares of the picture's longer side:
// 8 and 4 pixels of a 12-megapixel photograph; and at least these, which show in small pictures.
constexpr double choke_share = 1.0 / 500, least_choke = 2.0;
constexpr double softness_share = 1.0 / 1000, least_softness = 1.0;

// A choke of -1 to 1 and a softness of 0 to 1 of the most that is offered, in pixels of a picture.
struct EdgePixels {
    double choke = 0, softness = 0;
};
EdgePixels edge_pixels(double choke, double softness, std::ptrdiff_t height, std::ptrdiff_t width);

// Moves the edge inwards by so many pixels (negative: outwards), fractions included: a grey-scale
// erosion (or dilation) by a disc; between whole radii the two nearest are mixed, which moves an
// antialiased edge by the fraction. Beyond the picture its edge continues. Only tiles that an edge
// runs through are worked on. out may not be alpha itself. Throws std::invalid_argument for views
// that are empty or do not fit, and for more than farthest_edge pixels.
template <class T>
void choke(const ImageView<const T>& alpha, double pixels, int threads, const ImageView<T>& out);

extern template void choke(const ImageView<const std::uint8_t>&, double, int,
                           const ImageView<std::uint8_t>&);
extern template void choke(const ImageView<const float>&, double, int, const ImageView<float>&);

}  // namespace nssbg
