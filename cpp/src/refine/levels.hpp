// The steps that one tile of the guided tier is made of, coarse to fine.
#pragma once

#include <algorithm>

#include "refine/internal.hpp"

namespace nssbg::refine_detail {

// Cells that a level computes past what is asked of it: two windows.
constexpr ptrdiff_t level_halo = 2 * guided_radius;
// Level cells past the picture's edge never exceed this (halos halve from level to level).
constexpr ptrdiff_t table_margin = 64;

// Cells of the next coarser level that linear doubling reads for cells [begin, end).
inline Region halved(const Region& fine) {
    return {(fine.y0 >> 1) - 1, ((fine.y1 - 1) >> 1) + 2, (fine.x0 >> 1) - 1,
            ((fine.x1 - 1) >> 1) + 2};
}

// To even bounds, outwards.
inline Region even(const Region& r) {
    return {r.y0 & ~ptrdiff_t{1}, (r.y1 + 1) & ~ptrdiff_t{1}, r.x0 & ~ptrdiff_t{1},
            (r.x1 + 1) & ~ptrdiff_t{1}};
}

inline Region intersected(const Region& a, const Region& b) {
    return {std::max(a.y0, b.y0), std::min(a.y1, b.y1), std::max(a.x0, b.x0), std::min(a.x1, b.x1)};
}

// Cells of `step` pixels that a length takes.
inline ptrdiff_t cells(ptrdiff_t pixels, int step) { return (pixels + step - 1) / step; }

// Guide planes of all levels over what they need, the finest from the photograph.
template <class Pixel>
void build_guides(const GuidedPlan& plan, const Guide<Pixel>& guide, GuidedScratch& scratch,
                  const RefineKernels& kernels);

// Alpha on the coarsest level: the coarse map, cubically resampled.
void sample_coarse(const GuidedPlan& plan, GuidedScratch& scratch, const RefineKernels& kernels);

// Alpha on a finer level: the coarser level's answer, linearly doubled.
void double_alpha(const GuidedScratch::Level& coarser, GuidedScratch::Level& level,
                  const RefineKernels& kernels);

// Where the user's trimap is sure over a whole cell, alpha is what it says.
void constrain(const GuidedPlan& plan, GuidedScratch::Level& level, int step);

// Fits and averages the local models of one level.
void fit(const GuidedPlan& plan, GuidedScratch& scratch, GuidedScratch::Level& level,
         const RefineKernels& kernels);

// What a level's models answer, for the next finer level to start from.
void evaluate(GuidedScratch::Level& level, const RefineKernels& kernels);

// The sure answer over a whole tile: the nearest cell of the map, or the trimap, as 0 or 1.
template <class T>
void fill_sure(const GuidedPlan& plan, const Region& tile, const ImageView<T>& alpha);

}  // namespace nssbg::refine_detail
