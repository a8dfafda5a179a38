// Row kernels of the matting tier: the matting Laplacian of 3 x 3 windows applied
// without ever being stored, its diagonal, and the vector steps of the solver.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

// What a window keeps: mean colour (3) and the lower triangle M (row by row) for which M' M
// is the inverse of its regularised covariance, each a plane.
constexpr int matting_window_planes = 9;
// What an application leaves per window: slope (3) and mean.
constexpr int matting_model_planes = 4;

struct MattingKernels {
    // Window planes for `count` windows centred on row 1 of the three rows of each colour;
    // rows start one pixel left of the first centre. planes are `plane` apart.
    void (*windows)(const float* const* red, const float* const* green, const float* const* blue,
                    std::ptrdiff_t count, float epsilon, float* out, std::ptrdiff_t plane);
    // The least-squares model of `value` over colour in each window: slope and mean.
    void (*models)(const float* const* value, const float* const* red, const float* const* green,
                   const float* const* blue, const float* windows, std::ptrdiff_t plane,
                   std::ptrdiff_t count, float* out, std::ptrdiff_t out_plane);
    // weight * value less what the nine models over a pixel say, where mask is not 0, else 0.
    // `models` and `windows` point at the window left of and above the first pixel; rows are
    // `stride` apart. weight: windows over the pixel plus the prior.
    void (*gather)(const float* models, std::ptrdiff_t model_plane, const float* windows,
                   std::ptrdiff_t window_plane, std::ptrdiff_t stride, const float* value,
                   const float* red, const float* green, const float* blue, const float* weight,
                   const float* mask, std::ptrdiff_t count, float* out);
    // Adds each window's share of the Laplacian's diagonal, for one of the 9 windows over each
    // pixel: 1 - (1 + d' C d) / 9.
    void (*add_diagonal)(const float* windows, std::ptrdiff_t plane, const float* red,
                         const float* green, const float* blue, std::ptrdiff_t count, float* total);
    // Sums in 16 lanes, then over the lanes: the same order at every level.
    float (*dot)(const float* a, const float* b, std::ptrdiff_t count);
    // x += step p, r -= step q.
    void (*advance)(float step, const float* p, const float* q, std::ptrdiff_t count, float* x,
                    float* r);
    // z = r * inverse_diagonal.
    void (*scale)(const float* r, const float* inverse_diagonal, std::ptrdiff_t count, float* z);
    // p = z + factor p.
    void (*direction)(const float* z, float factor, std::ptrdiff_t count, float* p);
};

NSSBG_DISPATCH(MattingKernels, matting_kernels)

}  // namespace nssbg
