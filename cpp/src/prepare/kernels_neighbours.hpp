// Kernels of the resize that does not antialias: four neighbours, torch's weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"
#include "nssbg/prepare.hpp"

namespace nssbg {

// Two rows of one channel and how to mix them; strides in elements.
template <class T>
struct RowPair {
    const T* upper;
    const T* lower;
    std::ptrdiff_t stride_x;
    float lower_weight;
};

struct NeighbourKernels {
    // `count` outputs in 0 .. 255, not rounded: neighbours first[i] and second[i] along x.
    void (*row_from_rows_u8)(const RowPair<std::uint8_t>& rows, const std::int32_t* first,
                             const std::int32_t* second, const float* second_weight,
                             std::ptrdiff_t count, float* out);
    void (*row_from_rows_u16)(const RowPair<std::uint16_t>& rows, const std::int32_t* first,
                              const std::int32_t* second, const float* second_weight,
                              std::ptrdiff_t count, float* out);
    // out = value * scale + bias.
    void (*f32_from_f32)(const float* values, std::ptrdiff_t count, float scale, float bias,
                         float* out);
    // The same, rounded to nearest even in half precision.
    void (*half_from_f32)(const float* values, std::ptrdiff_t count, float scale, float bias,
                          Half* out);
    // Rounded to nearest, values being within 0 .. 255.
    void (*u8_from_f32)(const float* values, std::ptrdiff_t count, std::uint8_t* out);
};

NSSBG_DISPATCH(NeighbourKernels, neighbour_kernels)

}  // namespace nssbg
