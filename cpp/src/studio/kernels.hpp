// Row kernels of the studio method, one table per ISA level. Rows are packed; `width`
// counts pixels. All arithmetic is integer or float in a fixed order (no contraction,
// no libm but sqrt, which IEEE 754 rounds exactly), so every level gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

// Limits within which a pixel counts as backdrop; levels of an 8-bit picture.
struct BackdropLimits {
    float chroma;            // colour residual across the backdrop's own direction
    float chroma_per_light;  // more residual allowed per level of light difference
    float light_up;          // brighter than the model, loosely
    float light_down;        // darker than the model (soft shadow), share of the backdrop
    float tight_light;       // light difference of an unshadowed match
    float tight_chroma;      // colour residual of an unshadowed match
    float slope;             // gradient of a soft shadow, levels per step
    float edge;              // gradient that stands out of its surroundings
};

// Four or five planes of the local model alpha = r*v0 + g*v1 + b*v2 + key*v3 + k.
struct AlphaModelRows {
    const float* plane[5];  // v0, v1, v2, v3 (key), k; one row each
};

struct StudioKernels {
    // sums[i] += row[i], i < count: the vertical half of a box reduction.
    void (*add_row_u8)(const std::uint8_t* row, std::uint16_t* sums, std::ptrdiff_t count);
    void (*add_row_u16)(const std::uint16_t* row, std::uint32_t* sums, std::ptrdiff_t count);
    // Horizontal half: three planes of means of `factor` columns x `rows` rows, as 8-bit
    // levels (16-bit sums are divided by 257).
    void (*planes_from_sums_u8)(const std::uint16_t* sums, std::ptrdiff_t width, int factor,
                                int rows, float* red, float* green, float* blue);
    void (*planes_from_sums_u16)(const std::uint32_t* sums, std::ptrdiff_t width, int factor,
                                 int rows, float* red, float* green, float* blue);
    // out = binomial 3 x 3 of three rows (edges replicated): (1 2 1) x (1 2 1) / 16.
    void (*binomial_row)(const float* above, const float* here, const float* below, float* out,
                         std::ptrdiff_t width);
    // out = sqrt(sum over channels of dx^2 + dy^2) from central differences, halved.
    void (*gradient_row)(const float* const above[3], const float* const here[3],
                         const float* const below[3], float* out, std::ptrdiff_t width);
    // out = sum over x-4..x+4 of column sums over 9 rows, / 81 (edges replicated).
    void (*mean9_row)(const float* column_sums, float* out, std::ptrdiff_t width);
    // out[x] = c0 + c1 u + c2 u^2 + c3 u^3 + residual lerp; u = x * step - 1.
    void (*backdrop_row)(const float coefficients[4], float step, const float* cells,
                         const std::int32_t* cell_index, const float* cell_weight, float* out,
                         std::ptrdiff_t width);
    // 0: not backdrop, 1: backdrop in soft shadow or off the model, 2: a close match.
    void (*evidence_row)(const float* const color[3], const float* const backdrop[3],
                         const float* gradient, const float* surroundings,
                         const BackdropLimits& limits, std::uint8_t* out, std::ptrdiff_t width);
    // The same for a chroma screen: key is the screen's channel, the others its rivals.
    void (*screen_evidence_row)(const float* key, const float* rival0, const float* rival1,
                                const float* backdrop_key, const float* backdrop_rival0,
                                const float* backdrop_rival1, std::uint8_t* out,
                                std::ptrdiff_t width);
    // out = minimum (or maximum) over the 3 x 3 neighbourhood; rows outside: pass `here`.
    void (*minimum3_row)(const std::uint8_t* above, const std::uint8_t* here,
                         const std::uint8_t* below, std::uint8_t* out, std::ptrdiff_t width);
    void (*maximum3_row)(const std::uint8_t* above, const std::uint8_t* here,
                         const std::uint8_t* below, std::uint8_t* out, std::ptrdiff_t width);
    // out = above + (below - above) * weight.
    void (*lerp_row)(const float* above, const float* below, float weight, float* out,
                     std::ptrdiff_t width);
    // Full-size alpha of pixels begin..end-1 from the local model; index[x] is the reduced
    // column left of pixel x and weight[x] how far towards the next one it lies. `key` is
    // the screen's channel or -1. `rgb` is the whole row.
    void (*alpha_row_u8)(const std::uint8_t* rgb, const AlphaModelRows& model,
                         const std::int32_t* index, const float* weight, int key,
                         std::ptrdiff_t begin, std::ptrdiff_t end, std::uint8_t* alpha);
    void (*alpha_row_u16)(const std::uint16_t* rgb, const AlphaModelRows& model,
                          const std::int32_t* index, const float* weight, int key,
                          std::ptrdiff_t begin, std::ptrdiff_t end, std::uint8_t* alpha);
    // One interpolated plane of 0..1 as bytes: the shadow layer.
    void (*bytes_row)(const float* plane, const std::int32_t* index, const float* weight,
                      std::uint8_t* out, std::ptrdiff_t width);
};

NSSBG_DISPATCH(StudioKernels, studio_kernels)

}  // namespace nssbg
