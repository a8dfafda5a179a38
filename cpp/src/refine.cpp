// The refinement's driver: checks what it is given, cuts the picture into tiles and
// runs the level asked for.
#include "nssbg/refine.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "nssbg/parallel.hpp"
#include "refine_blocks.hpp"
#include "refine_internal.hpp"

namespace nssbg {

using namespace refine_detail;

namespace {

template <class Pixel, class T>
void run_matting(const GuidedPlan& plan, const Guide<Pixel>& guide, const ImageView<T>& alpha,
                 const RefineOptions& options, RefineReport& report) {
    const MattingPlan matting = matting_plan(options.level);
    MattingStrip strip(alpha.width, alpha.height);
    std::vector<BlockScratch> scratch(static_cast<std::size_t>(options.threads));
    BlockCounts counts;
    const ptrdiff_t block_rows = (alpha.height + matting_block - 1) / matting_block;
    for (ptrdiff_t block_y = 0; block_y < block_rows; ++block_y) {
        strip.solve_row(plan, guide, matting, block_y, options.threads, scratch, counts);
        // The next row of blocks still adds to the last rows of this one.
        const ptrdiff_t y0 = std::max<ptrdiff_t>(0, block_y * matting_block - matting_overlap);
        const ptrdiff_t y1 = block_y + 1 == block_rows
                                 ? alpha.height
                                 : (block_y + 1) * matting_block - matting_overlap;
        strip.finish_rows(block_y, y0, y1, alpha, 0);
        strip.carry();
    }
    report.matting_pixels = counts.pixels;
    report.blocks_solved = counts.solved;
    report.blocks_refused = counts.refused;
    report.iterations = counts.iterations;
    report.residual = counts.residual;
    if (counts.refused > 0)
        report.notes.push_back("matting did not converge in " + std::to_string(counts.refused) +
                               " of " + std::to_string(counts.solved + counts.refused) +
                               " blocks; they keep the guided result");
}

}  // namespace

template <class Pixel, class T>
void refine(const ImageView<const Pixel>& image, const ImageView<const T>& coarse,
            const ImageView<const std::uint8_t>& trimap, const ImageView<T>& alpha,
            const RefineOptions& options, RefineReport* report) {
    if (coarse.empty() || alpha.empty())
        throw std::invalid_argument("refine: the coarse alpha and the result may not be empty");
    if (alpha.channels != 1 || coarse.channels != 1)
        throw std::invalid_argument("refine: alphas have one channel");
    if (alpha.stride_x != 1 && alpha.width > 1)
        throw std::invalid_argument("refine: the result needs packed rows");
    if (options.tile < 1) throw std::invalid_argument("refine: a tile has at least one pixel");
    if (options.threads < 1) throw std::invalid_argument("refine: threads must be at least 1");
    RefineReport own;
    RefineReport& result = report == nullptr ? own : *report;
    result = RefineReport{};
    if (options.level == RefineLevel::none) {
        upsample_cubic(coarse, alpha, options.threads);
        return;
    }
    if (image.channels != 3 || image.height != alpha.height || image.width != alpha.width)
        throw std::invalid_argument("refine: the image must be H x W x 3, as large as the result");
    if (trimap.data != nullptr &&
        (trimap.height != alpha.height || trimap.width != alpha.width || trimap.channels != 1))
        throw std::invalid_argument("refine: the trimap must be H x W, as large as the image");

    const Coarse map(coarse, alpha.height, alpha.width);
    const GuidedPlan plan(map, trimap);
    const Guide<Pixel> guide{image, 0, image.height, image.width};
    const ptrdiff_t side = options.tile;
    const ptrdiff_t down = (alpha.height + side - 1) / side;
    const ptrdiff_t across = (alpha.width + side - 1) / side;
    std::vector<GuidedScratch> scratch(static_cast<std::size_t>(options.threads));
    std::mutex mutex;
    parallel_for(options.threads, down * across, 1,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
                     for (std::ptrdiff_t i = begin; i < end; ++i) {
                         const ptrdiff_t y0 = i / across * side, x0 = i % across * side;
                         const Region tile{y0, std::min(y0 + side, alpha.height), x0,
                                           std::min(x0 + side, alpha.width)};
                         ImageView<T> part = alpha;
                         part.data = &alpha.at(y0, x0);
                         part.height = tile.height();
                         part.width = tile.width();
                         const TileResult done =
                             guided_tile(plan, guide, tile, part, scratch[slot]);
                         const std::lock_guard<std::mutex> guard(mutex);
                         result.tiles += 1;
                         result.tiles_computed += done.computed;
                         result.band_pixels += done.band_pixels;
                     }
                 });
    if (options.level != RefineLevel::guided) run_matting(plan, guide, alpha, options, result);
}

#define NSSBG_REFINE(Pixel, T)                                                                 \
    template void refine(const ImageView<const Pixel>&, const ImageView<const T>&,             \
                         const ImageView<const std::uint8_t>&, const ImageView<T>&,            \
                         const RefineOptions&, RefineReport*);
NSSBG_REFINE(std::uint8_t, std::uint8_t)
NSSBG_REFINE(std::uint8_t, float)
NSSBG_REFINE(std::uint16_t, std::uint8_t)
NSSBG_REFINE(std::uint16_t, float)
#undef NSSBG_REFINE

}  // namespace nssbg
