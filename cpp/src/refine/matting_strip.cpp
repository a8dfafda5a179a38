// The matting tier over a whole picture: overlapping blocks of a fixed grid, each
// solved by itself between guided values, blended; one row of blocks at a time.
#include "refine/matting_strip.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "nssbg/parallel.hpp"

namespace nssbg::refine_detail {
namespace {

// The outer cells of a block that are held at the guided result: a window's reach.
constexpr ptrdiff_t held_ring = 2;

// Above these a block's band counts as hair-like: crossings of one half per side of the block,
// and the share of soft pixels.
constexpr std::int64_t hair_crossings = 5;
constexpr double hair_softness = 0.3;

// Weight of a block at a pixel along one axis: 1 inside, down to 0 over the overlap.
float ramp(ptrdiff_t pixel, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t count) {
    float weight = 1;
    if (begin > 0)
        weight = std::min(weight, (static_cast<float>(pixel - (begin - matting_overlap)) + 0.5f) /
                                      static_cast<float>(2 * matting_overlap));
    if (end < count)
        weight = std::min(weight, (static_cast<float>(end + matting_overlap - pixel) - 0.5f) /
                                      static_cast<float>(2 * matting_overlap));
    return std::max(weight, 0.0f);
}

// Hair, fur, nets and glass against a clean outline: alpha crosses one half many times, or much
// of the band is soft. A clean outline crosses a block once, in at most two pixels a row.
bool hair_like(MattingGrid& grid, std::int64_t unknown) {
    std::int64_t crossings = 0, soft = 0;
    for (ptrdiff_t y = 1; y < grid.height(); ++y) {
        const float* mask = grid.unknown(y);
        const float* here = grid.alpha(y);
        const float* above = grid.alpha(y - 1);
        for (ptrdiff_t x = 1; x < grid.width(); ++x) {
            if (mask[x] == 0) continue;
            crossings += (here[x] >= 0.5f) != (here[x - 1] >= 0.5f);
            crossings += (here[x] >= 0.5f) != (above[x] >= 0.5f);
            soft += here[x] > 0.1f && here[x] < 0.9f;
        }
    }
    return crossings > hair_crossings * (grid.height() + grid.width()) / 2 ||
           static_cast<double>(soft) > hair_softness * static_cast<double>(unknown);
}

}  // namespace

MattingPlan matting_plan(RefineLevel level) {
    // Measured on the bench (docs/decisions/0502-matting-solver.md): a smaller prior follows the
    // photograph further and loses more where subject and backdrop share colours. Where colour is
    // flat, an edge of a tenth of alpha a pixel is held by one and a half windows' weight more.
    return {{1e-6f, 1e-2f, 150.0f, 3e-3, 400}, level == RefineLevel::automatic};
}

template <class Pixel>
void solve_block(const GuidedPlan& plan, const Guide<Pixel>& guide, const MattingPlan& matting,
                 ptrdiff_t block_y, ptrdiff_t block_x, ptrdiff_t strip_y0, float* strip,
                 BlockScratch& scratch, BlockCounts& counts) {
    const ptrdiff_t height = plan.coarse.image_height, width = plan.coarse.image_width;
    const ptrdiff_t y0 = block_y * matting_block, y1 = std::min(height, y0 + matting_block);
    const ptrdiff_t x0 = block_x * matting_block, x1 = std::min(width, x0 + matting_block);
    const Region area{
        std::max<ptrdiff_t>(0, y0 - matting_overlap), std::min(height, y1 + matting_overlap),
        std::max<ptrdiff_t>(0, x0 - matting_overlap), std::min(width, x1 + matting_overlap)};
    if (active_region(plan, area).empty()) return;
    const RefineKernels& kernels = active_refine_kernels();
    const ptrdiff_t columns = area.width();
    // The guided result here, computed again: its bytes do not depend on the tile.
    float* guided = at_least(scratch.guided_alpha, area.height() * columns);
    guided_tile(plan, guide, area, packed_view(guided, area.height(), columns, 1), scratch.guided);
    MattingGrid& grid = scratch.grid;
    grid.reset(area.height(), columns);
    uint8_t* colours = at_least(scratch.bytes, 3 * columns);
    float* floats = at_least(scratch.floats, columns + plan.coarse.width + 4);
    std::int64_t unknown = 0;
    for (ptrdiff_t y = area.y0; y < area.y1; ++y) {
        const ptrdiff_t row = y - area.y0;
        guide.planes(y, area.x0, columns, colours, colours + columns, colours + 2 * columns,
                     kernels);
        for (int c = 0; c < 3; ++c) {
            float* out = grid.colour(c, row);
            // About mid grey: half the size, one more bit where models cancel.
            for (ptrdiff_t x = 0; x < columns; ++x)
                out[x] = (static_cast<float>(colours[c * columns + x]) - 127.5f) * (1.0f / 255.0f);
        }
        std::copy_n(guided + row * columns, columns, grid.alpha(row));
        band_weights(plan, y, area.x0, columns, floats + columns, floats, kernels);
        const bool held_row = (y < area.y0 + held_ring && area.y0 > 0) ||
                              (y >= area.y1 - held_ring && area.y1 < height);
        float* mask = grid.unknown(row);
        for (ptrdiff_t x = 0; x < columns; ++x) {
            const bool held = held_row || (x < held_ring && area.x0 > 0) ||
                              (x >= columns - held_ring && area.x1 < width);
            mask[x] = floats[x] > 0 && !held ? 1.0f : 0.0f;
            unknown += mask[x] != 0;
        }
    }
    if (unknown == 0) return;
    if (matting.selective && !hair_like(grid, unknown)) return;
    const MattingResult result = grid.solve(matting.options);
    counts.iterations = std::max<std::int64_t>(counts.iterations, result.iterations);
    if (!result.solved) {
        counts.refused += 1;
        return;
    }
    counts.solved += 1;
    counts.residual = std::max(counts.residual, result.residual);
    for (ptrdiff_t y = area.y0; y < area.y1; ++y) {
        const ptrdiff_t row = y - area.y0;
        const float* mask = grid.unknown(row);
        const float* solved = grid.alpha(row);
        const float* before = guided + row * columns;
        float* out = strip + (y - strip_y0) * width + area.x0;
        const float down = ramp(y, y0, y1, height);
        for (ptrdiff_t x = 0; x < columns; ++x) {
            if (mask[x] == 0) continue;
            const float value = std::min(1.0f, std::max(0.0f, solved[x]));
            out[x] += down * ramp(area.x0 + x, x0, x1, width) * (value - before[x]);
            counts.pixels +=
                area.y0 + row >= y0 && area.y0 + row < y1 && area.x0 + x >= x0 && area.x0 + x < x1;
        }
    }
}

template void solve_block(const GuidedPlan&, const Guide<std::uint8_t>&, const MattingPlan&,
                          ptrdiff_t, ptrdiff_t, ptrdiff_t, float*, BlockScratch&, BlockCounts&);
template void solve_block(const GuidedPlan&, const Guide<std::uint16_t>&, const MattingPlan&,
                          ptrdiff_t, ptrdiff_t, ptrdiff_t, float*, BlockScratch&, BlockCounts&);

MattingStrip::MattingStrip(ptrdiff_t width)
    : width_(width),
      rows_(static_cast<std::size_t>((matting_block + 2 * matting_overlap) * width)) {
    std::fill_n(rows_.data(), rows_.size(), 0.0f);
}

template <class Pixel>
void MattingStrip::solve_row(const GuidedPlan& plan, const Guide<Pixel>& guide,
                             const MattingPlan& matting, ptrdiff_t block_y, int threads,
                             std::vector<BlockScratch>& scratch, BlockCounts& counts) {
    const ptrdiff_t blocks = (width_ + matting_block - 1) / matting_block;
    const ptrdiff_t top = block_y * matting_block - matting_overlap;
    std::vector<BlockCounts> each(static_cast<std::size_t>(blocks));
    // Blocks two apart do not overlap: first the even ones, then the odd ones, so that every
    // pixel's sum is formed in one order.
    for (const ptrdiff_t parity : {0, 1})
        parallel_for(threads, (blocks - parity + 1) / 2, 1,
                     [&](ptrdiff_t begin, ptrdiff_t end, int slot) {
                         for (ptrdiff_t i = begin; i < end; ++i) {
                             const ptrdiff_t block_x = 2 * i + parity;
                             solve_block(plan, guide, matting, block_y, block_x, top, rows_.data(),
                                         scratch[slot], each[block_x]);
                         }
                     });
    for (const BlockCounts& one : each) {
        counts.pixels += one.pixels;
        counts.solved += one.solved;
        counts.refused += one.refused;
        counts.iterations = std::max(counts.iterations, one.iterations);
        counts.residual = std::max(counts.residual, one.residual);
    }
}

template void MattingStrip::solve_row(const GuidedPlan&, const Guide<std::uint8_t>&,
                                      const MattingPlan&, ptrdiff_t, int,
                                      std::vector<BlockScratch>&, BlockCounts&);
template void MattingStrip::solve_row(const GuidedPlan&, const Guide<std::uint16_t>&,
                                      const MattingPlan&, ptrdiff_t, int,
                                      std::vector<BlockScratch>&, BlockCounts&);

template <class T>
void MattingStrip::finish_rows(ptrdiff_t block_y, ptrdiff_t y0, ptrdiff_t y1,
                               const ImageView<T>& alpha, ptrdiff_t alpha_y0) {
    const ptrdiff_t top = block_y * matting_block - matting_overlap;
    for (ptrdiff_t y = y0; y < y1; ++y) {
        const float* correction = rows_.data() + (y - top) * width_;
        T* out = alpha.row(y - alpha_y0);
        for (ptrdiff_t x = 0; x < width_; ++x) {
            if (correction[x] == 0) continue;
            if constexpr (sizeof(T) == 1) {
                const float value = static_cast<float>(out[x]) + 255.0f * correction[x];
                out[x] = static_cast<T>(std::min(255.0f, std::max(0.0f, value)) + 0.5f);
            } else {
                out[x] = std::min(1.0f, std::max(0.0f, out[x] + correction[x]));
            }
        }
    }
}

template void MattingStrip::finish_rows(ptrdiff_t, ptrdiff_t, ptrdiff_t,
                                        const ImageView<std::uint8_t>&, ptrdiff_t);
template void MattingStrip::finish_rows(ptrdiff_t, ptrdiff_t, ptrdiff_t, const ImageView<float>&,
                                        ptrdiff_t);

void MattingStrip::advance() {
    // The last rows are the next block row's first.
    float* rows = rows_.data();
    std::copy_n(rows + matting_block * width_, 2 * matting_overlap * width_, rows);
    std::fill_n(rows + 2 * matting_overlap * width_, matting_block * width_, 0.0f);
}

}  // namespace nssbg::refine_detail
