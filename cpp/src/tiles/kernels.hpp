// Row kernels of tiles: interleaved colours to planes of floats and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

template <class T>
struct TileRows {
    // One row of three colours to three rows of floats: out[c] = in[c] * scale[c] + shift[c].
    void (*planes_from_rgb)(const T* rgb, float* red, float* green, float* blue,
                            std::ptrdiff_t width, const float* scale, const float* shift);
    // Three rows of floats 0..1 to one row of colours, halves up, what lies outside at the ends of
    // the range; false where one was not finite.
    bool (*rgb_from_planes)(const float* red, const float* green, const float* blue, T* rgb,
                            std::ptrdiff_t width);
    // The same, faded into what is there: out = round(out + weight * (in * full - out)).
    bool (*rgb_from_faded)(const float* red, const float* green, const float* blue,
                           const float* weight, T* rgb, std::ptrdiff_t width);
};

struct TileKernels {
    TileRows<std::uint8_t> u8;
    TileRows<std::uint16_t> u16;
};

NSSBG_DISPATCH(TileKernels, tile_kernels)

template <class T>
const TileRows<T>& tile_rows(const TileKernels& kernels);
template <>
inline const TileRows<std::uint8_t>& tile_rows(const TileKernels& kernels) {
    return kernels.u8;
}
template <>
inline const TileRows<std::uint16_t>& tile_rows(const TileKernels& kernels) {
    return kernels.u16;
}

}  // namespace nssbg
