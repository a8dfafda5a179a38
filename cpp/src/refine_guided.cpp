// The guided tier: local linear models of alpha over colour, fitted on ever finer
// grids inside a tile and its halo, applied at full resolution in the band. Every
// value depends on picture coordinates only, so tiles of any size agree byte for byte.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "refine_internal.hpp"

namespace nssbg::refine_detail {
namespace {

// Below / above these the coarse map is taken at its word (0.02 of full scale).
constexpr int surely_background = 5;
constexpr int surely_foreground = 250;
// The band reaches this many pixels past the cells in doubt, at least one cell and at most
// four: thin strands leave the outline where a map of the model's size cannot show them.
constexpr double band_reach = 6;
constexpr ptrdiff_t most_band_cells = 4;
// Cells that a level computes past what is asked of it: two windows.
constexpr ptrdiff_t level_halo = 2 * guided_radius;
// Level cells past the picture's edge never exceed this (halos halve from level to level).
constexpr ptrdiff_t table_margin = 64;

// Cells of the next coarser level that linear doubling reads for cells [begin, end).
Region halved(const Region& fine) {
    return {(fine.y0 >> 1) - 1, ((fine.y1 - 1) >> 1) + 2, (fine.x0 >> 1) - 1,
            ((fine.x1 - 1) >> 1) + 2};
}

// To even bounds, outwards.
Region even(const Region& r) {
    return {r.y0 & ~ptrdiff_t{1}, (r.y1 + 1) & ~ptrdiff_t{1}, r.x0 & ~ptrdiff_t{1},
            (r.x1 + 1) & ~ptrdiff_t{1}};
}

ptrdiff_t cells(ptrdiff_t pixels, int step) { return (pixels + step - 1) / step; }

// Repeats the edge of the part of a plane over [inside) into the rest of `region`.
void replicate(uint8_t* plane, const Region& region, const Region& inside) {
    const ptrdiff_t width = region.width();
    for (ptrdiff_t y = inside.y0; y < inside.y1; ++y) {
        uint8_t* row = plane + (y - region.y0) * width;
        const ptrdiff_t left = inside.x0 - region.x0, right = inside.x1 - region.x0;
        if (left > 0) std::memset(row, row[left], static_cast<std::size_t>(left));
        if (right < width)
            std::memset(row + right, row[right - 1], static_cast<std::size_t>(width - right));
    }
    for (ptrdiff_t y = region.y0; y < region.y1; ++y) {
        const ptrdiff_t from = clamped(y, inside.y0, inside.y1 - 1);
        if (from != y)
            std::memcpy(plane + (y - region.y0) * width, plane + (from - region.y0) * width,
                        static_cast<std::size_t>(width));
    }
}

Region intersected(const Region& a, const Region& b) {
    return {std::max(a.y0, b.y0), std::min(a.y1, b.y1), std::max(a.x0, b.x0), std::min(a.x1, b.x1)};
}

// Guide planes of all levels over what they need, the finest from the photograph.
template <class Pixel>
void build_guides(const GuidedPlan& plan, const Guide<Pixel>& guide, GuidedScratch& scratch,
                  const RefineKernels& kernels) {
    auto& levels = scratch.levels;
    for (ptrdiff_t k = static_cast<ptrdiff_t>(levels.size()) - 1; k >= 0; --k) {
        auto& level = levels[k];
        const int step = plan.steps[k];
        const Region picture{0, cells(plan.coarse.picture_height, step), 0,
                             cells(plan.coarse.picture_width, step)};
        const Region inside = intersected(level.needed, picture);
        const ptrdiff_t width = level.needed.width();
        uint8_t* planes[3];
        for (int c = 0; c < 3; ++c)
            planes[c] = at_least(level.guide[c], level.needed.height() * width);
        const bool finest = k + 1 == static_cast<ptrdiff_t>(levels.size());
        const ptrdiff_t source_width = 2 * inside.width();
        uint8_t* rows = finest ? at_least(scratch.bytes, 6 * source_width) : nullptr;
        for (ptrdiff_t y = inside.y0; y < inside.y1; ++y) {
            const uint8_t* upper[3];
            const uint8_t* lower[3];
            if (finest) {
                for (ptrdiff_t i = 0; i < 2; ++i) {
                    uint8_t* row = rows + i * 3 * source_width;
                    guide.planes(2 * y + i, 2 * inside.x0, source_width, row, row + source_width,
                                 row + 2 * source_width, kernels);
                }
                for (int c = 0; c < 3; ++c) {
                    upper[c] = rows + c * source_width;
                    lower[c] = upper[c] + 3 * source_width;
                }
            } else {
                const auto& finer = levels[k + 1];
                const ptrdiff_t offset = (2 * y - finer.needed.y0) * finer.needed.width() +
                                         2 * inside.x0 - finer.needed.x0;
                for (int c = 0; c < 3; ++c) {
                    upper[c] = finer.guide[c].data() + offset;
                    lower[c] = upper[c] + finer.needed.width();
                }
            }
            const ptrdiff_t out = (y - level.needed.y0) * width + inside.x0 - level.needed.x0;
            for (int c = 0; c < 3; ++c)
                kernels.halve_u8(upper[c], lower[c], inside.width(), planes[c] + out);
        }
        for (int c = 0; c < 3; ++c) replicate(planes[c], level.needed, inside);
    }
}

// Alpha on the coarsest level: the coarse map, cubically resampled.
void sample_coarse(const GuidedPlan& plan, GuidedScratch& scratch, const RefineKernels& kernels) {
    auto& level = scratch.levels.front();
    const Region& inputs = level.inputs;
    const ptrdiff_t width = inputs.width();
    uint8_t* out = at_least(level.alpha, inputs.height() * width);
    std::int16_t* cache = at_least(scratch.shorts, 4 * width);
    std::int32_t* groups = at_least(scratch.words, plan.coarse.padded_width);
    ptrdiff_t held[4] = {-1, -1, -1, -1};
    for (ptrdiff_t y = inputs.y0; y < inputs.y1; ++y) {
        const ptrdiff_t at = y + table_margin;
        const std::int16_t* rows[4];
        std::int16_t weights[4];
        for (int k = 0; k < 4; ++k) {
            const ptrdiff_t source =
                clamped(plan.rows.first[at] + k - cubic_padding, 0, plan.coarse.height - 1);
            std::int16_t* row = cache + (source & 3) * width;
            if (held[source & 3] != source) {
                const ptrdiff_t x = inputs.x0 + table_margin;
                kernels.cubic_columns_u8(
                    plan.coarse.padded_row(source), plan.columns.first.data() + x,
                    plan.columns.weights.data() + x, plan.columns.count, width, groups, row);
                held[source & 3] = source;
            }
            rows[k] = row;
            weights[k] = plan.rows.weights[k * plan.rows.count + at];
        }
        kernels.cubic_rows_u8(rows, weights, width, out + (y - inputs.y0) * width);
    }
}

// Alpha on a finer level: the coarser level's answer, linearly doubled.
void double_alpha(const GuidedScratch::Level& coarser, GuidedScratch::Level& level,
                  const RefineKernels& kernels) {
    const Region& inputs = level.inputs;  // even bounds
    const ptrdiff_t width = inputs.width();
    uint8_t* out = at_least(level.alpha, inputs.height() * width);
    const auto row_of = [&](ptrdiff_t y) {
        return coarser.refined.data() + (y - coarser.outputs.y0) * coarser.outputs.width() +
               (inputs.x0 / 2 - coarser.outputs.x0);
    };
    for (ptrdiff_t y = inputs.y0; y < inputs.y1; ++y) {
        const ptrdiff_t near = y >> 1;
        const ptrdiff_t far = (y & 1) != 0 ? near + 1 : near - 1;
        kernels.double_u8(row_of(near), row_of(far), width / 2, out + (y - inputs.y0) * width);
    }
}

// Where the user's trimap is sure over a whole cell, alpha is what it says.
void constrain(const GuidedPlan& plan, GuidedScratch::Level& level, int step) {
    if (plan.trimap.data == nullptr) return;
    const ptrdiff_t last_y = plan.trimap.height - 1, last_x = plan.trimap.width - 1;
    for (ptrdiff_t y = level.inputs.y0; y < level.inputs.y1; ++y) {
        uint8_t* row = level.alpha.data() + (y - level.inputs.y0) * level.inputs.width();
        const ptrdiff_t top = clamped(y * step, 0, last_y);
        const ptrdiff_t bottom = clamped(y * step + step - 1, 0, last_y);
        for (ptrdiff_t x = level.inputs.x0; x < level.inputs.x1; ++x) {
            const ptrdiff_t left = clamped(x * step, 0, last_x);
            const ptrdiff_t right = clamped(x * step + step - 1, 0, last_x);
            const uint8_t value = plan.trimap.at(top, left);
            // Corners suffice: trimaps have no detail finer than a cell.
            if ((value == 0 || value == 255) && plan.trimap.at(top, right) == value &&
                plan.trimap.at(bottom, left) == value && plan.trimap.at(bottom, right) == value)
                row[x - level.inputs.x0] = value;
        }
    }
}

// Fits and averages the local models of one level.
void fit(const GuidedPlan& plan, GuidedScratch& scratch, GuidedScratch::Level& level,
         const RefineKernels& kernels) {
    const ptrdiff_t width = level.inputs.width();
    const ptrdiff_t windows = width - 8;  // models a row
    const ptrdiff_t outputs = width - 16;
    // 16 spare floats a row: kernels may not read past a plane, but sum9 works on count + 8.
    const ptrdiff_t moment_row = guided_moments * windows;
    const ptrdiff_t model_row = 4 * windows;
    const ptrdiff_t mean_row = 4 * outputs;
    float* ring = at_least(scratch.floats, guided_window * moment_row + moment_row + model_row +
                                               guided_window * mean_row + 2 * (width + 16));
    float* total = ring + guided_window * moment_row;
    float* model = total + moment_row;
    float* means = model + model_row;
    float* work = means + guided_window * mean_row;
    float* coefficients = at_least(level.coefficients, 4 * outputs * (level.inputs.height() - 16));
    const ptrdiff_t plane = outputs * (level.inputs.height() - 16);
    std::fill_n(total, moment_row, 0.0f);

    for (ptrdiff_t y = 0; y < level.inputs.height(); ++y) {
        const ptrdiff_t guide_row = (y + level.inputs.y0 - level.needed.y0) * level.needed.width() +
                                    (level.inputs.x0 - level.needed.x0);
        float* row = ring + (y % guided_window) * moment_row;
        // The oldest row leaves before its place is taken.
        if (y >= guided_window) kernels.subtract(row, moment_row, total);
        kernels.guided_moments_row(level.guide[0].data() + guide_row,
                                   level.guide[1].data() + guide_row,
                                   level.guide[2].data() + guide_row,
                                   level.alpha.data() + y * width, windows, work, row, windows);
        kernels.add(row, moment_row, total);
        if (y + 1 < guided_window) continue;
        const ptrdiff_t model_y = y + 1 - guided_window;
        kernels.guided_solve_row(total, windows, windows, &plan.parameters, model, windows);
        float* mean = means + (model_y % guided_window) * mean_row;
        for (int c = 0; c < 4; ++c)
            kernels.sum9_columns(model + c * windows, outputs, work, mean + c * outputs);
        if (model_y + 1 < guided_window) continue;
        const ptrdiff_t out_y = model_y + 1 - guided_window;
        for (int c = 0; c < 4; ++c) {
            // Top to bottom, so that the sum's order does not depend on where the tile began.
            const float* rows[guided_window];
            for (ptrdiff_t k = 0; k < guided_window; ++k)
                rows[k] = means + ((out_y + k) % guided_window) * mean_row + c * outputs;
            kernels.mean9_rows(rows, outputs, coefficients + c * plane + out_y * outputs);
        }
    }
}

// What a level's models answer, for the next finer level to start from.
void answer(GuidedScratch::Level& level, const RefineKernels& kernels) {
    const Region& outputs = level.outputs;
    const ptrdiff_t width = outputs.width();
    const ptrdiff_t plane = width * outputs.height();
    uint8_t* out = at_least(level.refined, plane);
    for (ptrdiff_t y = outputs.y0; y < outputs.y1; ++y) {
        const ptrdiff_t guide_row =
            (y - level.needed.y0) * level.needed.width() + outputs.x0 - level.needed.x0;
        const ptrdiff_t at = (y - outputs.y0) * width;
        kernels.guided_apply_u8(level.guide[0].data() + guide_row,
                                level.guide[1].data() + guide_row,
                                level.guide[2].data() + guide_row, level.coefficients.data() + at,
                                plane, width, out + at);
    }
}

void fill(uint8_t* row, ptrdiff_t count, bool foreground) {
    std::memset(row, foreground ? 255 : 0, static_cast<std::size_t>(count));
}
void fill(float* row, ptrdiff_t count, bool foreground) {
    std::fill_n(row, count, foreground ? 1.0f : 0.0f);
}

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

}  // namespace

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
                i == coarse.height - 1 ? coarse.picture_height : after(i, coarse.scale_y),
                first == row ? 0 : before(first - row, coarse.scale_x),
                last == coarse.width - 1 ? coarse.picture_width : after(last, coarse.scale_x));
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

template <class T>
Coarse::Coarse(const ImageView<const T>& map, ptrdiff_t picture_height_, ptrdiff_t picture_width_)
    : height(map.height),
      width(map.width),
      picture_height(picture_height_),
      picture_width(picture_width_),
      scale_y(static_cast<double>(picture_height_) / static_cast<double>(map.height)),
      scale_x(static_cast<double>(picture_width_) / static_cast<double>(map.width)),
      padded_width(map.width + 2 * cubic_padding + 1),
      padded(static_cast<std::size_t>(map.height * padded_width)),
      band(static_cast<std::size_t>((map.height + 2) * (map.width + 2))) {
    const auto as_byte = [](T value) {
        if constexpr (sizeof(T) == 1) {
            return value;
        } else {
            const float clipped = value > 0 ? (value < 1 ? value : 1.0f) : 0.0f;  // NaN: 0
            return static_cast<uint8_t>(clipped * 255.0f + 0.5f);
        }
    };
    for (ptrdiff_t y = 0; y < height; ++y) {
        uint8_t* row = padded.data() + y * padded_width;
        for (ptrdiff_t x = 0; x < padded_width; ++x)
            row[x] = as_byte(map.at(y, clamped(x - cubic_padding, 0, width - 1)));
    }
    // In doubt: neither sure, or next to a cell on the other side of one half.
    Scratch<uint8_t> doubt(static_cast<std::size_t>(height * width));
    for (ptrdiff_t y = 0; y < height; ++y) {
        const uint8_t* rows[3] = {padded_row(y - 1), padded_row(y), padded_row(y + 1)};
        for (ptrdiff_t x = 0; x < width; ++x) {
            const uint8_t here = rows[1][x + cubic_padding];
            int low = 255, high = 0;
            for (const uint8_t* row : rows)
                for (ptrdiff_t k = -1; k <= 1; ++k) {
                    low = std::min<int>(low, row[x + k + cubic_padding]);
                    high = std::max<int>(high, row[x + k + cubic_padding]);
                }
            doubt[y * width + x] = (here > surely_background && here < surely_foreground) ||
                                   (low < 128 && high >= 128);
        }
    }
    // Grown by the reach: columns, then rows.
    const double cell = std::sqrt(scale_y * scale_x);
    const ptrdiff_t reach =
        clamped(static_cast<ptrdiff_t>(std::ceil(band_reach / cell)), 1, most_band_cells);
    Scratch<uint8_t> wide(static_cast<std::size_t>(height * width));
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            uint8_t any = 0;
            for (ptrdiff_t k = std::max<ptrdiff_t>(0, x - reach);
                 k <= std::min(width - 1, x + reach); ++k)
                any |= doubt[y * width + k];
            wide[y * width + x] = any;
        }
    for (ptrdiff_t y = -1; y <= height; ++y)
        for (ptrdiff_t x = -1; x <= width; ++x) {
            uint8_t any = 0;
            const ptrdiff_t row = clamped(y, 0, height - 1), column = clamped(x, 0, width - 1);
            for (ptrdiff_t k = std::max<ptrdiff_t>(0, row - reach);
                 k <= std::min(height - 1, row + reach); ++k)
                any |= wide[k * width + column];
            band[(y + 1) * (width + 2) + x + 1] = any;
        }
    const auto boundaries = [](ptrdiff_t count, ptrdiff_t pixels) {
        std::vector<ptrdiff_t> first(static_cast<std::size_t>(count + 1));
        // Pixel x belongs to cell floor((x + 0.5) count / pixels).
        for (ptrdiff_t i = 0; i <= count; ++i) {
            const ptrdiff_t above = 2 * i * pixels - count;
            first[i] = above <= 0 ? 0 : (above + 2 * count - 1) / (2 * count);
        }
        first[count] = pixels;
        return first;
    };
    first_row = boundaries(height, picture_height);
    first_column = boundaries(width, picture_width);
}

template Coarse::Coarse(const ImageView<const uint8_t>&, ptrdiff_t, ptrdiff_t);
template Coarse::Coarse(const ImageView<const float>&, ptrdiff_t, ptrdiff_t);

template <class Pixel>
void Guide<Pixel>::planes(ptrdiff_t y, ptrdiff_t x0, ptrdiff_t count, uint8_t* red, uint8_t* green,
                          uint8_t* blue, const RefineKernels& kernels) const {
    const ptrdiff_t row =
        clamped(clamped(y, 0, picture_height - 1) - first_row, 0, view.height - 1);
    const ptrdiff_t inside = std::min(count, picture_width - x0);
    if constexpr (sizeof(Pixel) == 1) {
        if (view.packed_rows()) {
            kernels.planar_from_rgb_u8(view.row(row) + 3 * x0, inside, red, green, blue);
        } else {
            for (ptrdiff_t x = 0; x < inside; ++x) {
                red[x] = view.at(row, x0 + x, 0);
                green[x] = view.at(row, x0 + x, 1);
                blue[x] = view.at(row, x0 + x, 2);
            }
        }
    } else {
        for (ptrdiff_t x = 0; x < inside; ++x) {
            red[x] = static_cast<uint8_t>(view.at(row, x0 + x, 0) >> 8);
            green[x] = static_cast<uint8_t>(view.at(row, x0 + x, 1) >> 8);
            blue[x] = static_cast<uint8_t>(view.at(row, x0 + x, 2) >> 8);
        }
    }
    for (ptrdiff_t x = inside; x < count; ++x) {
        red[x] = red[inside - 1];
        green[x] = green[inside - 1];
        blue[x] = blue[inside - 1];
    }
}

namespace {

std::vector<int> steps_for(double cell) {
    // The coarsest grid is a little finer than the map: its windows then span the map's blur.
    int step = 4;
    while (step * 2 <= 0.75 * cell && step < 64) step *= 2;
    std::vector<int> steps;
    for (; step >= 2; step /= 2) steps.push_back(step);
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
      steps(steps_for(std::sqrt(coarse_.scale_y * coarse_.scale_x))),
      columns(level_table(coarse_.picture_width, coarse_.width, steps.front())),
      rows(level_table(coarse_.picture_height, coarse_.height, steps.front())),
      band_first(static_cast<std::size_t>(coarse_.picture_width)),
      band_fraction(static_cast<std::size_t>(coarse_.picture_width)) {
    for (ptrdiff_t x = 0; x < coarse.picture_width; ++x) {
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
        levels[k].outputs = even(halved(wanted));
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
        if (k < finest) answer(levels[k], kernels);
    }

    // Full resolution: coefficients interpolated, applied, blended over the sure answer.
    const auto& level = levels[finest];
    const ptrdiff_t cells_wide = level.outputs.width();
    const ptrdiff_t plane = cells_wide * level.outputs.height();
    const ptrdiff_t x0 = active.x0 & ~ptrdiff_t{1};
    const ptrdiff_t half = (active.x1 - x0 + 1) / 2;
    const ptrdiff_t count = active.x1 - active.x0;
    const ptrdiff_t offset = x0 / 2 - level.outputs.x0;  // at least 1
    float* mixed =
        at_least(scratch.floats, cells_wide + 8 * half + count + 2 * (plan.coarse.width + 4));
    float* wide = mixed + cells_wide;
    float* weights = wide + 8 * half;
    float* work = weights + count;
    uint8_t* colours = at_least(scratch.bytes, 3 * count);
    for (ptrdiff_t y = active.y0; y < active.y1; ++y) {
        const ptrdiff_t near = (y >> 1) - level.outputs.y0;
        const ptrdiff_t far = (y & 1) != 0 ? near + 1 : near - 1;
        for (int c = 0; c < 4; ++c) {
            const float* coefficients = level.coefficients.data() + c * plane;
            kernels.mix_rows(coefficients + near * cells_wide, coefficients + far * cells_wide,
                             cells_wide, mixed);
            kernels.double_f32(mixed + offset, half, wide + c * 2 * half);
        }
        band_weights(plan, y, active.x0, count, work, weights, kernels);
        guide.planes(y, active.x0, count, colours, colours + count, colours + 2 * count, kernels);
        T* out = alpha.row(y - tile.y0) + (active.x0 - tile.x0);
        const float* first = wide + (active.x0 - x0);
        if constexpr (sizeof(T) == 1)
            kernels.guided_blend_u8(colours, colours + count, colours + 2 * count, first, 2 * half,
                                    weights, count, out);
        else
            kernels.guided_blend_f32(colours, colours + count, colours + 2 * count, first, 2 * half,
                                     weights, count, out);
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
template struct Guide<std::uint8_t>;
template struct Guide<std::uint16_t>;

}  // namespace nssbg::refine_detail
