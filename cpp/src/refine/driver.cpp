// The refinement's driver: checks what it is given, cuts the picture into tiles and
// runs the level asked for, over a whole picture or over rows as they come.
#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "nssbg/parallel.hpp"
#include "nssbg/refine.hpp"
#include "refine/internal.hpp"
#include "refine/matting_strip.hpp"

namespace nssbg {

using namespace refine_detail;

namespace {

// Guided tiles over rows [y0, y1) of the picture; alpha's first row is y0.
template <class Pixel, class T>
void run_guided(const GuidedPlan& plan, const Guide<Pixel>& guide, ptrdiff_t y0, ptrdiff_t y1,
                const ImageView<T>& alpha, ptrdiff_t side, int threads,
                std::vector<GuidedScratch>& scratch, RefineReport& report) {
    const ptrdiff_t width = plan.coarse.image_width;
    const ptrdiff_t down = (y1 - y0 + side - 1) / side;
    const ptrdiff_t across = (width + side - 1) / side;
    std::mutex mutex;
    parallel_for(threads, down * across, 1, [&](ptrdiff_t begin, ptrdiff_t end, int slot) {
        for (ptrdiff_t i = begin; i < end; ++i) {
            const ptrdiff_t top = y0 + i / across * side, left = i % across * side;
            const Region tile{top, std::min(top + side, y1), left, std::min(left + side, width)};
            ImageView<T> part = alpha;
            part.data = &alpha.at(top - y0, left);
            part.height = tile.height();
            part.width = tile.width();
            const TileResult done = guided_tile(plan, guide, tile, part, scratch[slot]);
            const std::lock_guard<std::mutex> guard(mutex);
            report.tiles += 1;
            report.tiles_computed += done.computed;
            report.band_pixels += done.band_pixels;
        }
    });
}

void report_matting(const BlockCounts& counts, RefineReport& report) {
    report.matting_pixels = counts.pixels;
    report.blocks_solved = counts.solved;
    report.blocks_refused = counts.refused;
    report.iterations = counts.iterations;
    report.residual = counts.residual;
    report.notes.clear();
    if (counts.refused > 0)
        report.notes.push_back("matting did not converge in " + std::to_string(counts.refused) +
                               " of " + std::to_string(counts.solved + counts.refused) +
                               " blocks; they keep the guided result");
}

// Rows of the picture that are finished once a row of blocks is solved: the next row of
// blocks still adds to the last ones.
Region finished_rows(ptrdiff_t block_y, ptrdiff_t height) {
    const bool last = (block_y + 1) * matting_block >= height;
    return {std::max<ptrdiff_t>(0, block_y * matting_block - matting_overlap),
            last ? height : (block_y + 1) * matting_block - matting_overlap, 0, 0};
}

void check(const RefineOptions& options) {
    if (options.tile < 1) throw std::invalid_argument("refine: a tile has at least one pixel");
    if (options.threads < 1) throw std::invalid_argument("refine: threads must be at least 1");
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
    check(options);
    RefineReport own;
    RefineReport& result = report == nullptr ? own : *report;
    result = RefineReport{};
    if (options.level == RefineLevel::none) {
        upsample_cubic(coarse, 0, alpha.height, alpha, options.threads);
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
    {
        std::vector<GuidedScratch> scratch(static_cast<std::size_t>(options.threads));
        run_guided(plan, guide, 0, alpha.height, alpha, options.tile, options.threads, scratch,
                   result);
    }
    if (options.level == RefineLevel::guided) return;

    const MattingPlan matting = matting_plan(options.level);
    MattingStrip strip(alpha.width);
    std::vector<BlockScratch> scratch(static_cast<std::size_t>(options.threads));
    BlockCounts counts;
    for (ptrdiff_t block_y = 0; block_y * matting_block < alpha.height; ++block_y) {
        strip.solve_row(plan, guide, matting, block_y, options.threads, scratch, counts);
        const Region rows = finished_rows(block_y, alpha.height);
        strip.finish_rows(block_y, rows.y0, rows.y1, alpha, 0);
        strip.advance();
    }
    report_matting(counts, result);
}

template <class Pixel, class T>
struct RefineStream<Pixel, T>::State {
    State(ptrdiff_t height_, ptrdiff_t width_, const ImageView<const T>& coarse_,
          const RefineOptions& options_)
        : height(height_),
          width(width_),
          options(options_),
          coarse(coarse_, height_, width_),
          plan(coarse, {}),
          matting(matting_plan(options_.level)),
          strip(options_.level == RefineLevel::matting || options_.level == RefineLevel::automatic
                    ? width_
                    : 0),
          map(static_cast<std::size_t>(coarse_.height * coarse_.width)),
          map_height(coarse_.height),
          map_width(coarse_.width),
          guided(static_cast<std::size_t>(options_.threads)),
          blocks(static_cast<std::size_t>(options_.threads)) {
        for (ptrdiff_t y = 0; y < map_height; ++y)
            for (ptrdiff_t x = 0; x < map_width; ++x) map[y * map_width + x] = coarse_.at(y, x);
    }

    bool solves() const {
        return options.level == RefineLevel::matting || options.level == RefineLevel::automatic;
    }
    // Photograph rows that a strip needs above and below itself.
    ptrdiff_t reach() const {
        if (options.level == RefineLevel::none) return 0;
        return plan.halo() + (solves() ? matting_overlap : 0);
    }

    // Computes every strip whose photograph rows are all there.
    void drain() {
        while (computed < height) {
            const ptrdiff_t y0 = computed, y1 = std::min(height, y0 + matting_block);
            if (pushed < std::min(height, y1 + reach())) return;
            alpha.resize(static_cast<std::size_t>((y1 - emitted) * width));
            const ImageView<T> part =
                packed_view(alpha.data() + (y0 - emitted) * width, y1 - y0, width, 1);
            if (options.level == RefineLevel::none) {
                upsample_cubic(
                    packed_view(static_cast<const T*>(map.data()), map_height, map_width, 1), y0,
                    height, part, options.threads);
                finished = y1;
            } else {
                const Guide<Pixel> guide{packed_view(static_cast<const Pixel*>(photograph.data()),
                                                     pushed - first_row, width, 3),
                                         first_row, height, width};
                run_guided(plan, guide, y0, y1, part, matting_block, options.threads, guided,
                           report);
                finished = y1;
                if (solves()) {
                    const ptrdiff_t block_y = y0 / matting_block;
                    strip.solve_row(plan, guide, matting, block_y, options.threads, blocks, counts);
                    const Region rows = finished_rows(block_y, height);
                    strip.finish_rows(block_y, rows.y0, rows.y1,
                                      packed_view(alpha.data(), y1 - emitted, width, 1), emitted);
                    strip.advance();
                    finished = rows.y1;
                    report_matting(counts, report);
                }
            }
            computed = y1;
            const ptrdiff_t keep =
                std::min(pushed, std::max<ptrdiff_t>(0, y1 - reach() - matting_overlap));
            if (keep > first_row && !photograph.empty()) {
                photograph.erase(photograph.begin(),
                                 photograph.begin() + (keep - first_row) * width * 3);
                first_row = keep;
            }
        }
    }

    const ptrdiff_t height, width;
    const RefineOptions options;
    const Coarse coarse;
    const GuidedPlan plan;
    const MattingPlan matting;
    MattingStrip strip;
    std::vector<T> map;
    ptrdiff_t map_height, map_width;
    std::vector<GuidedScratch> guided;
    std::vector<BlockScratch> blocks;
    BlockCounts counts;
    RefineReport report;
    std::vector<Pixel> photograph;  // rows [first_row, pushed)
    std::vector<T> alpha;           // rows [emitted, computed), final up to `finished`
    ptrdiff_t first_row = 0, pushed = 0, emitted = 0, finished = 0, computed = 0;
};

template <class Pixel, class T>
RefineStream<Pixel, T>::RefineStream(ptrdiff_t height, ptrdiff_t width,
                                     const ImageView<const T>& coarse,
                                     const RefineOptions& options) {
    check(options);
    if (height < 1 || width < 1 || coarse.empty() || coarse.channels != 1)
        throw std::invalid_argument("refine: the picture and the coarse alpha may not be empty");
    state_ = std::make_unique<State>(height, width, coarse, options);
}

template <class Pixel, class T>
RefineStream<Pixel, T>::~RefineStream() = default;

template <class Pixel, class T>
void RefineStream<Pixel, T>::push(const ImageView<const Pixel>& rows) {
    State& state = *state_;
    if (rows.width != state.width || rows.channels != 3)
        throw std::invalid_argument("refine: rows must be as wide as the picture, x 3");
    if (state.pushed + rows.height > state.height)
        throw std::invalid_argument("refine: more rows than the picture has");
    if (state.options.level != RefineLevel::none) {
        for (ptrdiff_t y = 0; y < rows.height; ++y)
            for (ptrdiff_t x = 0; x < rows.width; ++x)
                for (ptrdiff_t c = 0; c < 3; ++c) state.photograph.push_back(rows.at(y, x, c));
    }
    state.pushed += rows.height;
    state.drain();
}

template <class Pixel, class T>
ptrdiff_t RefineStream<Pixel, T>::ready() const {
    return state_->finished - state_->emitted;
}

template <class Pixel, class T>
void RefineStream<Pixel, T>::take(const ImageView<T>& alpha) {
    State& state = *state_;
    if (alpha.height != ready() || alpha.width != state.width)
        throw std::invalid_argument("refine: take() needs a view of ready() rows");
    for (ptrdiff_t y = 0; y < alpha.height; ++y)
        std::copy_n(state.alpha.data() + y * state.width, state.width, alpha.row(y));
    state.alpha.erase(state.alpha.begin(), state.alpha.begin() + alpha.height * state.width);
    state.emitted = state.finished;
}

template <class Pixel, class T>
const RefineReport& RefineStream<Pixel, T>::report() const {
    return state_->report;
}

#define NSSBG_REFINE(Pixel, T)                                                      \
    template void refine(const ImageView<const Pixel>&, const ImageView<const T>&,  \
                         const ImageView<const std::uint8_t>&, const ImageView<T>&, \
                         const RefineOptions&, RefineReport*);                      \
    template class RefineStream<Pixel, T>;
NSSBG_REFINE(std::uint8_t, std::uint8_t)
NSSBG_REFINE(std::uint8_t, float)
NSSBG_REFINE(std::uint16_t, std::uint8_t)
NSSBG_REFINE(std::uint16_t, float)
#undef NSSBG_REFINE

}  // namespace nssbg
