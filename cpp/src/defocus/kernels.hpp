// Row kernels of defocus. Light is linear, premultiplied by what is background, four floats a
// pixel or cell: red, green, blue, weight.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

template <class T>
struct DefocusRows {
    // light = background's light and weight 1 - alpha; to_linear has an entry for every T.
    void (*light_from_rgb)(const T* rgb, const T* rgba, const float* to_linear, float* light,
                           std::ptrdiff_t width);
    // rgb = encoded(sums / weight); of a weight below `least`, the rest of it is from behind
    // (four floats a pixel too).
    // Pixels that the subject hides become black.
    void (*rgb_from_sums)(const float* sums, const float* behind, float least, const T* from_root,
                          std::int32_t last_root, const T* rgba, T* rgb, std::ptrdiff_t width);
};

struct DefocusKernels {
    // cells += the means of `factor` pixels (of one of factor rows) each.
    void (*add_cells)(const float* light, float* cells, std::ptrdiff_t count,
                      std::ptrdiff_t factor);
    // layer = cells, as far as their radius lies in it: 1 at middle, 0 from low and high on.
    void (*layer_from_cells)(const float* cells, const float* radii, float* layer,
                             std::ptrdiff_t count, float low, float middle, float high);
    // prefix[i] = the sum of the cells before i; count + 1 of them.
    void (*prefix_from_cells)(const float* cells, float* prefix, std::ptrdiff_t count);
    // out[i] += weight * (integral up to right - up to left), both between two prefixes.
    void (*add_run)(const float* left, float left_share, const float* right, float right_share,
                    float weight, float* out, std::ptrdiff_t floats);
    // Rows of cells to a row of pixels, bilinear between cells' centres; first is the phase.
    void (*enlarged_row)(const float* upper, const float* lower, float down, const float* shares,
                         std::ptrdiff_t factor, float* mixed, std::ptrdiff_t cells, float* out);
    // A layer farther than those before: seen as far as what lies two or more layers in front
    // leaves it. covered and last are what lies there, and the layer before.
    void (*add_layer)(const float* layer, float* sums, float* covered, float* last,
                      std::ptrdiff_t width);
    DefocusRows<std::uint8_t> u8;
    DefocusRows<std::uint16_t> u16;
};

NSSBG_DISPATCH(DefocusKernels, defocus_kernels)

template <class T>
const DefocusRows<T>& defocus_rows(const DefocusKernels& kernels);
template <>
inline const DefocusRows<std::uint8_t>& defocus_rows(const DefocusKernels& kernels) {
    return kernels.u8;
}
template <>
inline const DefocusRows<std::uint16_t>& defocus_rows(const DefocusKernels& kernels) {
    return kernels.u16;
}

}  // namespace nssbg
