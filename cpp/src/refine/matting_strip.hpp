// The fixed grid of blocks that the matting tier solves, and the strip of rows in
// which the solutions of one row of blocks meet.
#pragma once

#include <vector>

#include "refine/matting.hpp"

namespace nssbg::refine_detail {

// Side of a block and how far it reaches into its neighbours, in pixels. Fixed, so that the
// result does not depend on the tile a caller asks for.
constexpr ptrdiff_t matting_block = 256;
constexpr ptrdiff_t matting_overlap = 32;

struct MattingPlan {
    MattingOptions options;
    bool selective;  // only blocks whose band is hair-like
};

// What the tiers of the driver solve with.
MattingPlan matting_plan(RefineLevel level);

struct BlockScratch {
    GuidedScratch guided;
    MattingGrid grid;
    Scratch<float> guided_alpha, floats;
    Scratch<uint8_t> bytes;
};

struct BlockCounts {
    std::int64_t pixels = 0, solved = 0, refused = 0, iterations = 0;
    double residual = 0;
};

// Adds one block's weighted corrections of the guided result to the strip, whose first row
// is picture row strip_y0.
template <class Pixel>
void solve_block(const GuidedPlan& plan, const Guide<Pixel>& guide, const MattingPlan& matting,
                 ptrdiff_t block_y, ptrdiff_t block_x, ptrdiff_t strip_y0, float* strip,
                 BlockScratch& scratch, BlockCounts& counts);

class MattingStrip {
public:
    explicit MattingStrip(ptrdiff_t width);
    template <class Pixel>
    void solve_row(const GuidedPlan& plan, const Guide<Pixel>& guide, const MattingPlan& matting,
                   ptrdiff_t block_y, int threads, std::vector<BlockScratch>& scratch,
                   BlockCounts& counts);
    // Adds the corrections of picture rows [y0, y1) to alpha, whose first row is alpha_y0.
    template <class T>
    void finish_rows(ptrdiff_t block_y, ptrdiff_t y0, ptrdiff_t y1, const ImageView<T>& alpha,
                     ptrdiff_t alpha_y0);
    // Moves on to the next row of blocks.
    void advance();

private:
    ptrdiff_t width_;
    Scratch<float> rows_;
};

}  // namespace nssbg::refine_detail
