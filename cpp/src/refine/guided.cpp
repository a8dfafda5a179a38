// The guided tier: local linear models of alpha over colour, fitted on ever finer
// grids inside a tile and its halo, applied at full resolution in the band. Every
// value depends on picture coordinates only, so tiles of any size agree byte for byte.
#include <algorithm>
#include <cmath>

#include "refine/levels.hpp"

namespace nssbg::refine_detail {
namespace {

// Windows of nine cells on the coarsest grid span the blur of the map, and no more of the picture
// than a fortieth of its side or ten cells of the map: wider ones mix parts of a small subject that
// one line of colour cannot tell apart (docs/decisions/0503-windows-follow-the-picture.md).
std::vector<int> steps_for(double cell, double side) {
    int step = 4;
    while (step * 2 <= 0.75 * cell && step < 64) step *= 2;
    while (step > 1 && step > std::max(0.0029 * side, 0.93 * cell)) step /= 2;
    std::vector<int> steps;
    const int finest = step >= 4 ? 2 : 1;
    for (; step >= finest; step /= 2) steps.push_back(step);
    return steps;
}

CubicTable level_table(ptrdiff_t pixels, ptrdiff_t source, int step) {
    return CubicTable(-table_margin, cells(pixels, step) + 2 * table_margin,
                      static_cast<double>(source) * step / static_cast<double>(pixels), source);
}

}  // namespace

GuidedPlan::GuidedPlan(const Coarse& coarse_, ImageView<const uint8_t> trimap_)
    : coarse(coarse_),
      trimap(trimap_),
      parameters{6.5f, 4.0f},
      steps(steps_for(std::sqrt(coarse_.scale_y * coarse_.scale_x),
                      std::sqrt(static_cast<double>(coarse_.image_height) *
                                static_cast<double>(coarse_.image_width)))),
      columns(level_table(coarse_.image_width, coarse_.width, steps.front())),
      rows(level_table(coarse_.image_height, coarse_.height, steps.front())),
      band_first(static_cast<std::size_t>(coarse_.image_width)),
      band_fraction(static_cast<std::size_t>(coarse_.image_width)) {
    for (ptrdiff_t x = 0; x < coarse.image_width; ++x) {
        const double centre = (static_cast<double>(x) + 0.5) / coarse.scale_x - 0.5;
        const double low = std::floor(centre);
        band_first[x] = static_cast<std::int32_t>(low) + 1;  // a band row starts at cell -1
        band_fraction[x] = static_cast<float>(centre - low);
    }
}

ptrdiff_t GuidedPlan::halo() const {
    ptrdiff_t pixels = 0;
    for (const int step : steps) pixels += (level_halo + 4) * step;
    return pixels;
}

template <class Pixel, class T>
TileResult guided_tile(const GuidedPlan& plan, const Guide<Pixel>& guide, const Region& tile,
                       const ImageView<T>& alpha, GuidedScratch& scratch) {
    const RefineKernels& kernels = active_refine_kernels();
    TileResult result;
    fill_sure(plan, tile, alpha);
    const Region active = active_region(plan, tile);
    if (active.empty()) return result;
    result.computed = true;

    // What every level computes, fine to coarse, and the guide cells it needs for that.
    auto& levels = scratch.levels;
    levels.resize(plan.steps.size());
    const ptrdiff_t finest = static_cast<ptrdiff_t>(levels.size()) - 1;
    Region wanted = even(active);
    for (ptrdiff_t k = finest; k >= 0; --k) {
        // At full resolution the models are those of the pixels themselves.
        levels[k].outputs = plan.steps[k] == 1 ? wanted : even(halved(wanted));
        levels[k].inputs = levels[k].outputs.grown(level_halo);
        wanted = levels[k].inputs;
    }
    levels[0].needed = levels[0].inputs;
    for (ptrdiff_t k = 1; k <= finest; ++k) {
        const Region& coarser = levels[k - 1].needed;
        const Region doubled{2 * coarser.y0, 2 * coarser.y1, 2 * coarser.x0, 2 * coarser.x1};
        const Region& own = levels[k].inputs;
        levels[k].needed = {std::min(doubled.y0, own.y0), std::max(doubled.y1, own.y1),
                            std::min(doubled.x0, own.x0), std::max(doubled.x1, own.x1)};
    }
    build_guides(plan, guide, scratch, kernels);
    for (ptrdiff_t k = 0; k <= finest; ++k) {
        if (k == 0)
            sample_coarse(plan, scratch, kernels);
        else
            double_alpha(levels[k - 1], levels[k], kernels);
        constrain(plan, levels[k], plan.steps[k]);
        fit(plan, scratch, levels[k], kernels);
        if (k < finest) evaluate(levels[k], kernels);
    }

    // Full resolution: coefficients interpolated, applied, blended over the sure answer.
    const auto& level = levels[finest];
    const ptrdiff_t cells_wide = level.outputs.width();
    const ptrdiff_t plane = cells_wide * level.outputs.height();
    const ptrdiff_t x0 = active.x0 & ~ptrdiff_t{1};
    const ptrdiff_t half = (active.x1 - x0 + 1) / 2;
    const ptrdiff_t count = active.x1 - active.x0;
    const bool full = plan.steps[finest] == 1;
    const ptrdiff_t offset = (full ? active.x0 : x0 / 2) - level.outputs.x0;
    float* mixed =
        at_least(scratch.floats, cells_wide + 8 * half + count + 2 * (plan.coarse.width + 4));
    float* wide = mixed + cells_wide;
    float* weights = wide + 8 * half;
    float* work = weights + count;
    uint8_t* colours = at_least(scratch.bytes, 3 * count);
    for (ptrdiff_t y = active.y0; y < active.y1; ++y) {
        const ptrdiff_t near = (y >> 1) - level.outputs.y0;
        const ptrdiff_t far = (y & 1) != 0 ? near + 1 : near - 1;
        for (int c = 0; c < 4 && !full; ++c) {
            const float* coefficients = level.coefficients.data() + c * plane;
            kernels.mix_rows(coefficients + near * cells_wide, coefficients + far * cells_wide,
                             cells_wide, mixed);
            kernels.double_f32(mixed + offset, half, wide + c * 2 * half);
        }
        band_weights(plan, y, active.x0, count, work, weights, kernels);
        guide.planes(y, active.x0, count, colours, colours + count, colours + 2 * count, kernels);
        T* out = alpha.row(y - tile.y0) + (active.x0 - tile.x0);
        const float* first =
            full ? level.coefficients.data() + (y - level.outputs.y0) * cells_wide + offset
                 : wide + (active.x0 - x0);
        const ptrdiff_t first_plane = full ? plane : 2 * half;
        if constexpr (sizeof(T) == 1)
            kernels.guided_blend_u8(colours, colours + count, colours + 2 * count, first,
                                    first_plane, weights, count, out);
        else
            kernels.guided_blend_f32(colours, colours + count, colours + 2 * count, first,
                                     first_plane, weights, count, out);
        for (ptrdiff_t x = 0; x < count; ++x) result.band_pixels += weights[x] > 0.0f;
    }
    return result;
}

#define NSSBG_GUIDED(Pixel, T)                                                             \
    template TileResult guided_tile(const GuidedPlan&, const Guide<Pixel>&, const Region&, \
                                    const ImageView<T>&, GuidedScratch&);
NSSBG_GUIDED(std::uint8_t, std::uint8_t)
NSSBG_GUIDED(std::uint8_t, float)
NSSBG_GUIDED(std::uint16_t, std::uint8_t)
NSSBG_GUIDED(std::uint16_t, float)
#undef NSSBG_GUIDED

}  // namespace nssbg::refine_detail
