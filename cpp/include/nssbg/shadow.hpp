// Soft shadows as layers of their own: a drop shadow, or one where the subject stands. A layer is
// straight RGBA of one colour and goes under the cut-out by over_layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"

namespace nssbg {

// Standard deviations after which a blurred edge is under a thousandth.
constexpr double shadow_tail = 3.0;

struct ShadowOptions {
    // A pool on the ground under the subject's lowest parts; else its outline, shifted and blurred,
    // as on a wall behind it.
    bool contact = false;
    double opacity = 0.35;  // 0..1, at the darkest
    // Lengths are shares of the subject's longer side.
    double softness = 0.02;  // standard deviation of the blur
    double right = 0.015;    // offset of a drop shadow
    double down = 0.03;
};

// A shadow of the subject as a layer of the same size: out is H x W x 4, `color` what its three
// channels have. What falls outside is lost: leave room around the subject. Throws
// std::invalid_argument for views that do not fit and options out of range.
template <class T>
void shadow_layer(const ImageView<const T>& alpha, const ShadowOptions& options,
                  const std::array<T, 3>& color, const ImageView<T>& out);

// A layer of one colour from a map of how strong it is, 0..1.
template <class T>
void layer_from_strength(const ImageView<const float>& strength, const std::array<T, 3>& color,
                         const ImageView<T>& out);

struct Room {
    std::ptrdiff_t top = 0, right = 0, bottom = 0, left = 0;
};

// How far a shadow reaches beyond a subject's box, in a photograph of so many rows and columns. On
// a side where the photograph's edge cuts the subject there is no room: the cut would show. `tail`:
// standard deviations of the blur that count.
Room shadow_room(const Box& subject, std::ptrdiff_t height, std::ptrdiff_t width,
                 const ShadowOptions& options, double tail);

extern template void shadow_layer(const ImageView<const std::uint8_t>&, const ShadowOptions&,
                                  const std::array<std::uint8_t, 3>&,
                                  const ImageView<std::uint8_t>&);
extern template void shadow_layer(const ImageView<const std::uint16_t>&, const ShadowOptions&,
                                  const std::array<std::uint16_t, 3>&,
                                  const ImageView<std::uint16_t>&);
extern template void layer_from_strength(const ImageView<const float>&,
                                         const std::array<std::uint8_t, 3>&,
                                         const ImageView<std::uint8_t>&);
extern template void layer_from_strength(const ImageView<const float>&,
                                         const std::array<std::uint16_t, 3>&,
                                         const ImageView<std::uint16_t>&);

}  // namespace nssbg
