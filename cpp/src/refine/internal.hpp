// What the parts of the refinement share: resampling tables, the coarse map made
// ready for the tiles, and the tile engine's entry points.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "nssbg/image_view.hpp"
#include "nssbg/pool.hpp"
#include "nssbg/refine.hpp"
#include "refine/kernels.hpp"

namespace nssbg::refine_detail {

using std::ptrdiff_t;
using std::uint8_t;

inline ptrdiff_t clamped(ptrdiff_t value, ptrdiff_t low, ptrdiff_t high) {
    return value < low ? low : value > high ? high : value;
}

// Half-open rectangle of pixels or cells; may reach past the picture's edge.
struct Region {
    ptrdiff_t y0, y1, x0, x1;
    ptrdiff_t height() const { return y1 - y0; }
    ptrdiff_t width() const { return x1 - x0; }
    bool empty() const { return y1 <= y0 || x1 <= x0; }
    Region grown(ptrdiff_t by) const { return {y0 - by, y1 + by, x0 - by, x1 + by}; }
};

// Cubic (Catmull-Rom) taps along one axis: output i reads 4 source values from first[i]
// on, where index 0 means source - 2: sources are padded by `cubic_padding` on both sides.
constexpr ptrdiff_t cubic_padding = 2;
struct CubicTable {
    ptrdiff_t count = 0;
    std::vector<std::int32_t> first;
    std::vector<std::int16_t> weights;  // 4 planes of count, in 1 / 16384; sums are exact
    std::vector<float> float_weights;   // the same in float

    // Output i has its centre at source position (i + begin + 0.5) * scale - 0.5.
    CubicTable(ptrdiff_t begin, ptrdiff_t count, double scale, ptrdiff_t source_count);
};

// The coarse map as bytes, with the band where the outline may run.
class Coarse {
public:
    template <class T>
    Coarse(const ImageView<const T>& map, ptrdiff_t image_height, ptrdiff_t image_width);

    ptrdiff_t height, width;              // of the map
    ptrdiff_t image_height, image_width;  // of the picture
    double scale_y, scale_x;              // pixels a cell
    ptrdiff_t padded_width;
    Scratch<uint8_t> padded;  // replicated by cubic_padding at the left and right
    Scratch<uint8_t> band;    // 1 where the outline may run, with a border of 1 cell
    std::vector<ptrdiff_t> first_row, first_column;  // first pixel of every cell, and the end

    const uint8_t* padded_row(ptrdiff_t y) const {
        return padded.data() + clamped(y, 0, height - 1) * padded_width;
    }
    const uint8_t* band_row(ptrdiff_t y) const {
        return band.data() + (clamped(y, 0, height - 1) + 1) * (width + 2);
    }
    bool foreground(ptrdiff_t y, ptrdiff_t x) const {
        return padded_row(y)[cubic_padding + x] >= 128;
    }
};

// Photograph rows [first_row, first_row + view.height) of a picture that may be larger.
template <class Pixel>
struct Guide {
    ImageView<const Pixel> view;
    ptrdiff_t first_row = 0;
    ptrdiff_t image_height = 0;
    ptrdiff_t image_width = 0;

    // Colours of pixels [x0, x0 + count) of row y as 8-bit planes; both are clamped.
    void planes(ptrdiff_t y, ptrdiff_t x0, ptrdiff_t count, uint8_t* red, uint8_t* green,
                uint8_t* blue, const RefineKernels& kernels) const;
};

// Everything that tiles share; constant while they run.
class GuidedPlan {
public:
    GuidedPlan(const Coarse& coarse, ImageView<const uint8_t> trimap);

    const Coarse& coarse;
    ImageView<const uint8_t> trimap;  // data == nullptr where there is none
    GuidedParameters parameters;
    std::vector<int> steps;                // pixels a cell of the levels, coarse to fine: 4, 2
    CubicTable columns, rows;              // coarse map -> cells of the coarsest level
    std::vector<std::int32_t> band_first;  // per picture column, into a band row
    std::vector<float> band_fraction;
    // Rows of the photograph that a tile needs above and below itself.
    ptrdiff_t halo() const;
};

// Scratch of one thread, kept between tiles.
struct GuidedScratch {
    struct Level {
        Region inputs, needed, outputs;
        Scratch<uint8_t> guide[3];    // over needed
        Scratch<uint8_t> alpha;       // over inputs: what the model is fitted to
        Scratch<uint8_t> refined;     // over outputs: what the model answers
        Scratch<float> coefficients;  // 4 planes over outputs
    };
    std::vector<Level> levels;
    Scratch<uint8_t> bytes;
    Scratch<float> floats;
    Scratch<std::int16_t> shorts;
    Scratch<std::int32_t> words;
};

struct TileResult {
    bool computed = false;
    std::int64_t band_pixels = 0;
};

// Fills `alpha` (the whole tile and nothing else) for picture rectangle `tile`.
template <class Pixel, class T>
TileResult guided_tile(const GuidedPlan& plan, const Guide<Pixel>& guide, const Region& tile,
                       const ImageView<T>& alpha, GuidedScratch& scratch);

// The part of a rectangle of pixels outside which the band's weight is zero.
Region active_region(const GuidedPlan& plan, const Region& tile);

// Weight of the models against the sure answer along one row of pixels, 0..1. `work` has
// room for a row of the coarse map and 4 more.
void band_weights(const GuidedPlan& plan, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t count, float* work,
                  float* out, const RefineKernels& kernels);

// Plain cubic upsampling: fills alpha with the rows of the picture from first_row on.
template <class T>
void upsample_cubic(const ImageView<const T>& coarse, ptrdiff_t first_row, ptrdiff_t image_height,
                    const ImageView<T>& alpha, int threads);

// Grows a scratch block where it is too small; contents are lost then.
template <class T>
T* at_least(Scratch<T>& scratch, ptrdiff_t count) {
    if (static_cast<ptrdiff_t>(scratch.size()) < count)
        scratch = Scratch<T>(static_cast<std::size_t>(count));
    return scratch.data();
}

}  // namespace nssbg::refine_detail
