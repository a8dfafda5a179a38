// Where a tile is computed and where it is filled: the sure answer of map or trimap,
// the rectangle that the band touches, and the band's weight along a row.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "refine/levels.hpp"

namespace nssbg::refine_detail {
namespace {

void fill(uint8_t* row, ptrdiff_t count, bool foreground) {
    std::memset(row, foreground ? 255 : 0, static_cast<std::size_t>(count));
}
void fill(float* row, ptrdiff_t count, bool foreground) {
    std::fill_n(row, count, foreground ? 1.0f : 0.0f);
}

}  // namespace

// The sure answer: the nearest cell of the coarse map, or the trimap, as 0 or 1.
template <class T>
void fill_sure(const GuidedPlan& plan, const Region& tile, const ImageView<T>& alpha) {
    const Coarse& coarse = plan.coarse;
    if (plan.trimap.data != nullptr) {
        for (ptrdiff_t y = tile.y0; y < tile.y1; ++y)
            for (ptrdiff_t x = tile.x0; x < tile.x1; ++x)
                fill(alpha.row(y - tile.y0) + x - tile.x0, 1, plan.trimap.at(y, x) >= 128);
        return;
    }
    const auto cell_of = [](const std::vector<ptrdiff_t>& first, ptrdiff_t pixel) {
        return std::upper_bound(first.begin(), first.end(), pixel) - first.begin() - 1;
    };
    const ptrdiff_t column = cell_of(coarse.first_column, tile.x0);
    ptrdiff_t y = tile.y0;
    for (ptrdiff_t i = cell_of(coarse.first_row, y); y < tile.y1; ++i) {
        const ptrdiff_t y_end = std::min(coarse.first_row[i + 1], tile.y1);
        if (y_end <= y) continue;
        T* const row = alpha.row(y - tile.y0);
        ptrdiff_t x = tile.x0;
        for (ptrdiff_t j = column; x < tile.x1;) {
            const bool foreground = coarse.foreground(i, j);
            while (j < coarse.width && coarse.foreground(i, j) == foreground &&
                   coarse.first_column[j] < tile.x1)
                ++j;
            const ptrdiff_t x_end = std::min(coarse.first_column[j], tile.x1);
            fill(row + x - tile.x0, x_end - x, foreground);
            x = x_end;
        }
        for (ptrdiff_t below = y + 1; below < y_end; ++below)
            std::memcpy(alpha.row(below - tile.y0), row,
                        static_cast<std::size_t>(tile.width()) * sizeof(T));
        y = y_end;
    }
}

#define NSSBG_FILL(T) \
    template void fill_sure(const GuidedPlan&, const Region&, const ImageView<T>&);
NSSBG_FILL(std::uint8_t)
NSSBG_FILL(float)
#undef NSSBG_FILL

// The rectangle of the tile outside which the band's weight is zero.
Region active_region(const GuidedPlan& plan, const Region& tile) {
    Region active{tile.y1, tile.y0, tile.x1, tile.x0};
    const auto include = [&](ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t x0, ptrdiff_t x1) {
        active.y0 = std::min(active.y0, y0);
        active.y1 = std::max(active.y1, y1);
        active.x0 = std::min(active.x0, x0);
        active.x1 = std::max(active.x1, x1);
    };
    if (plan.trimap.data != nullptr) {
        for (ptrdiff_t y = tile.y0; y < tile.y1; ++y)
            for (ptrdiff_t x = tile.x0; x < tile.x1; ++x) {
                const uint8_t value = plan.trimap.at(y, x);
                if (value != 0 && value != 255) include(y, y + 1, x, x + 1);
            }
        return active;
    }
    const Coarse& coarse = plan.coarse;
    const auto cell = [](ptrdiff_t pixel, double scale) {
        return static_cast<ptrdiff_t>(std::floor((static_cast<double>(pixel) + 0.5) / scale - 0.5));
    };
    const ptrdiff_t i0 = clamped(cell(tile.y0, coarse.scale_y), 0, coarse.height - 1);
    const ptrdiff_t i1 = clamped(cell(tile.y1 - 1, coarse.scale_y) + 1, 0, coarse.height - 1);
    const ptrdiff_t j0 = clamped(cell(tile.x0, coarse.scale_x), 0, coarse.width - 1);
    const ptrdiff_t j1 = clamped(cell(tile.x1 - 1, coarse.scale_x) + 1, 0, coarse.width - 1);
    // A cell's weight reaches the centres of its neighbours; one pixel more for rounding.
    const auto before = [](ptrdiff_t index, double scale) {
        return static_cast<ptrdiff_t>((static_cast<double>(index) - 0.5) * scale) - 1;
    };
    const auto after = [](ptrdiff_t index, double scale) {
        return static_cast<ptrdiff_t>((static_cast<double>(index) + 1.5) * scale) + 2;
    };
    for (ptrdiff_t i = i0; i <= i1; ++i) {
        const uint8_t* row = coarse.band_row(i) + 1;
        const auto* const first = static_cast<const uint8_t*>(
            std::memchr(row + j0, 1, static_cast<std::size_t>(j1 - j0 + 1)));
        if (first == nullptr) continue;
        ptrdiff_t last = j1;
        while (row[last] == 0) --last;
        // Edge cells hold to the picture's edge.
        include(i == 0 ? 0 : before(i, coarse.scale_y),
                i == coarse.height - 1 ? coarse.image_height : after(i, coarse.scale_y),
                first == row ? 0 : before(first - row, coarse.scale_x),
                last == coarse.width - 1 ? coarse.image_width : after(last, coarse.scale_x));
    }
    return intersected(active, tile);
}

// Weight of the model against the sure answer along one row of pixels, 0..1.
void band_weights(const GuidedPlan& plan, ptrdiff_t y, ptrdiff_t x0, ptrdiff_t count, float* work,
                  float* out, const RefineKernels& kernels) {
    if (plan.trimap.data != nullptr) {
        for (ptrdiff_t x = 0; x < count; ++x) {
            const uint8_t value = plan.trimap.at(y, x0 + x);
            out[x] = value != 0 && value != 255 ? 1.0f : 0.0f;
        }
        return;
    }
    const Coarse& coarse = plan.coarse;
    const double centre = (static_cast<double>(y) + 0.5) / coarse.scale_y - 0.5;
    const double low = std::floor(centre);
    const auto fraction = static_cast<float>(centre - low);
    const uint8_t* upper = coarse.band_row(static_cast<ptrdiff_t>(low));
    const uint8_t* lower = coarse.band_row(static_cast<ptrdiff_t>(low) + 1);
    const ptrdiff_t begin = plan.band_first[x0];
    const ptrdiff_t end = plan.band_first[x0 + count - 1] + 2;
    for (ptrdiff_t j = begin; j < end; ++j) {
        const auto above = static_cast<float>(upper[j]);
        work[j - begin] = above + fraction * (static_cast<float>(lower[j]) - above);
    }
    kernels.lerp_columns(work - begin, plan.band_first.data() + x0, plan.band_fraction.data() + x0,
                         count, out);
}

}  // namespace nssbg::refine_detail
