// Row kernels of composition. All are exact: the result is the nearest integer to the real
// value of the formula (halves up), for 8 and 16 bits alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

template <class T>
struct ComposeRows {
    // out = round((a c + (full - a) b) / full), three channels.
    void (*rgb_from_over)(const T* rgba, const T* background, T* out, std::ptrdiff_t width);
    // Straight to premultiplied: round(a c / full).
    void (*premultiplied)(const T* rgba, T* out, std::ptrdiff_t width);
    // Straight front over straight back, straight result (the Porter-Duff "over").
    void (*rgba_from_over)(const T* front, const T* back, T* out, std::ptrdiff_t width);
    // columns[x] |= (alpha of x > threshold); whether any was.
    bool (*mark_columns)(const T* rgba, std::ptrdiff_t width, T threshold, std::uint8_t* columns);
    // Takes the screen's channel down to the larger of the other two, by share / 256 of the
    // excess, in place. screen: 0 red, 1 green, 2 blue.
    void (*without_spill)(T* rgba, std::ptrdiff_t width, int screen, std::uint32_t share);
    // colors has a value to spare behind its last. A gradient's row: out[x] = colors[clamp(int(from
    // + x * step))], three channels.
    void (*linear_gradient)(const T* colors, std::ptrdiff_t count, float from, float step, T* out,
                            std::ptrdiff_t width);
    // The same by distance from a centre: position = scale * sqrt((x - x0)^2 + dy2).
    void (*radial_gradient)(const T* colors, std::ptrdiff_t count, float x0, float dy2, float scale,
                            T* out, std::ptrdiff_t width);
};

struct ComposeKernels {
    ComposeRows<std::uint8_t> u8;
    ComposeRows<std::uint16_t> u16;
};

NSSBG_DISPATCH(ComposeKernels, compose_kernels)

template <class T>
const ComposeRows<T>& compose_rows(const ComposeKernels& kernels);
template <>
inline const ComposeRows<std::uint8_t>& compose_rows(const ComposeKernels& kernels) {
    return kernels.u8;
}
template <>
inline const ComposeRows<std::uint16_t>& compose_rows(const ComposeKernels& kernels) {
    return kernels.u16;
}

}  // namespace nssbg
