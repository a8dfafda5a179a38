// Row kernels of the refinement: cubic upsampling, the guided filter's moments and
// coefficients, and their application at full resolution.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

// Half the guided filter's window; a window has 9 x 9 cells.
constexpr std::ptrdiff_t guided_radius = 4;
constexpr std::ptrdiff_t guided_window = 2 * guided_radius + 1;
// Sums kept per window: r g b p, rr rg rb gg gb bb, rp gp bp, pp.
constexpr int guided_moments = 14;

struct GuidedParameters {
    float epsilon;    // added to the variances, in squared 8-bit levels
    float gain_most;  // the most a local model's contrast is raised
};

struct RefineKernels {
    // out[x] = the sum of 4 taps of `row` from first[x] on, scaled by 64. Weights: 4 planes
    // of `count`, in 1 / 16384. work: first[count - 1] - first[0] + 1 values.
    void (*cubic_columns_u8)(const std::uint8_t* row, const std::int32_t* first,
                             const std::int16_t* weights, std::ptrdiff_t plane,
                             std::ptrdiff_t count, std::int32_t* work, std::int16_t* out);
    // Four such rows weighted (in 1 / 16384) and rounded to bytes.
    void (*cubic_rows_u8)(const std::int16_t* const* rows, const std::int16_t* weights,
                          std::ptrdiff_t count, std::uint8_t* out);
    // The same in float; the result is clipped to 0..1.
    void (*cubic_columns_f32)(const float* row, const std::int32_t* first, const float* weights,
                              std::ptrdiff_t plane, std::ptrdiff_t count, std::int32_t* work,
                              float* out);
    void (*cubic_rows_f32)(const float* const* rows, const float* weights, std::ptrdiff_t count,
                           float* out);

    void (*planar_from_rgb_u8)(const std::uint8_t* rgb, std::ptrdiff_t count, std::uint8_t* red,
                               std::uint8_t* green, std::uint8_t* blue);
    // out[i] = mean of the 2 x 2 cells at 2 i.
    void (*halve_u8)(const std::uint8_t* upper, const std::uint8_t* lower, std::ptrdiff_t count,
                     std::uint8_t* out);
    // Linear doubling: out[2 i], out[2 i + 1] between near and far (3 : 1) and i - 1, i, i + 1.
    void (*double_u8)(const std::uint8_t* near, const std::uint8_t* far, std::ptrdiff_t count,
                      std::uint8_t* out);

    // Horizontal 9-sums of the 14 products of one row of count + 8 cells; planes are `plane` apart.
    void (*guided_moments_row)(const std::uint8_t* red, const std::uint8_t* green,
                               const std::uint8_t* blue, const std::uint8_t* alpha,
                               std::ptrdiff_t count, float* work, float* out, std::ptrdiff_t plane);
    // Running sums; all are whole numbers below 2^24, so they are exact in any order.
    void (*subtract)(const float* remove, std::ptrdiff_t count, float* total);
    void (*add)(const float* add, std::ptrdiff_t count, float* total);
    // Coefficients (red, green, blue, offset) of count windows.
    void (*guided_solve_row)(const float* sums, std::ptrdiff_t plane, std::ptrdiff_t count,
                             const GuidedParameters* parameters, float* out,
                             std::ptrdiff_t out_plane);
    // Horizontal 9-sums of count + 8 values.
    void (*sum9_columns)(const float* in, std::ptrdiff_t count, float* work, float* out);
    // Mean over 81: nine rows summed, then scaled.
    void (*mean9_rows)(const float* const* rows, std::ptrdiff_t count, float* out);
    // out = clip(round(coefficients . colour)), 0..255.
    void (*guided_apply_u8)(const std::uint8_t* red, const std::uint8_t* green,
                            const std::uint8_t* blue, const float* coefficients,
                            std::ptrdiff_t plane, std::ptrdiff_t count, std::uint8_t* out);
    // out = 0.75 near + 0.25 far.
    void (*mix_rows)(const float* near, const float* far, std::ptrdiff_t count, float* out);
    // Linear doubling of count cells (in[-1] and in[count] are read too).
    void (*double_f32)(const float* in, std::ptrdiff_t count, float* out);
    // out[x] = row[first[x]] + fraction[x] (row[first[x] + 1] - row[first[x]]).
    void (*lerp_columns)(const float* row, const std::int32_t* first, const float* fraction,
                         std::ptrdiff_t count, float* out);
    // out = sum of taps[k] * rows[k], in the order of k.
    void (*weighted_sum)(const float* const* rows, const float* taps, std::ptrdiff_t tap_count,
                         std::ptrdiff_t count, float* out);
    // out = base + weight (clip(coefficients . colour) - base).
    void (*guided_blend_u8)(const std::uint8_t* red, const std::uint8_t* green,
                            const std::uint8_t* blue, const float* coefficients,
                            std::ptrdiff_t plane, const float* weight, std::ptrdiff_t count,
                            std::uint8_t* alpha);
    void (*guided_blend_f32)(const std::uint8_t* red, const std::uint8_t* green,
                             const std::uint8_t* blue, const float* coefficients,
                             std::ptrdiff_t plane, const float* weight, std::ptrdiff_t count,
                             float* alpha);
};

NSSBG_DISPATCH(RefineKernels, refine_kernels)

}  // namespace nssbg
