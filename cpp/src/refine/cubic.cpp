// Cubic upsampling of a coarse map: separable, the horizontal pass once per coarse
// row, constant stretches filled rather than computed.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "nssbg/parallel.hpp"
#include "refine/internal.hpp"

namespace nssbg::refine_detail {
namespace {

// Catmull-Rom (a = -0.5): the cubic kernel that reproduces straight ramps and rings least
// among the interpolating ones; OpenCV's a = -0.75 overshoots more.
void catmull_rom(double t, double weights[4]) {
    constexpr double a = -0.5;
    const double u = t + 1, v = 1 - t;
    weights[0] = ((a * u - 5 * a) * u + 8 * a) * u - 4 * a;
    weights[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    weights[2] = ((a + 2) * v - (a + 3)) * v * v + 1;
    weights[3] = 1 - weights[0] - weights[1] - weights[2];
}

// Output columns that are filled or computed together.
constexpr ptrdiff_t stretch = 256;
// Output rows per piece of parallel work: enough to share horizontally filtered rows.
constexpr ptrdiff_t rows_per_piece = 128;

template <class T>
struct Kind;
template <>
struct Kind<uint8_t> {
    using Row = std::int16_t;
    static const std::int16_t* weights(const CubicTable& table) { return table.weights.data(); }
    static constexpr auto columns = &RefineKernels::cubic_columns_u8;
    static constexpr auto rows = &RefineKernels::cubic_rows_u8;
};
template <>
struct Kind<float> {
    using Row = float;
    static const float* weights(const CubicTable& table) { return table.float_weights.data(); }
    static constexpr auto columns = &RefineKernels::cubic_columns_f32;
    static constexpr auto rows = &RefineKernels::cubic_rows_f32;
};

float clipped_unit(float value) { return std::min(1.0f, std::max(0.0f, value)); }
uint8_t clipped_unit(uint8_t value) { return value; }

}  // namespace

CubicTable::CubicTable(ptrdiff_t begin, ptrdiff_t count_, double scale, ptrdiff_t source_count)
    : count(count_), first(count_), weights(4 * count_), float_weights(4 * count_) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const double centre = (static_cast<double>(i + begin) + 0.5) * scale - 0.5;
        // Past the edge the map continues with its last value, so positions may be clamped
        // to where all taps lie in the padding.
        const double inside = std::min(std::max(centre, -1.0), static_cast<double>(source_count));
        auto base = static_cast<ptrdiff_t>(std::floor(inside));
        double t = inside - static_cast<double>(base);
        if (base > source_count - 1) {
            base = source_count - 1;
            t = 1;
        }
        double exact[4];
        catmull_rom(t, exact);
        int sum = 0;
        int fixed[4];
        for (int k = 0; k < 4; ++k) {
            fixed[k] = static_cast<int>(std::lround(exact[k] * 16384));
            sum += fixed[k];
        }
        fixed[t < 0.5 ? 1 : 2] += 16384 - sum;
        for (int k = 0; k < 4; ++k) {
            weights[k * count + i] = static_cast<std::int16_t>(fixed[k]);
            float_weights[k * count + i] = static_cast<float>(fixed[k]) / 16384.0f;
        }
        first[i] = static_cast<std::int32_t>(base - 1 + cubic_padding);
    }
}

template <class T>
void upsample_cubic(const ImageView<const T>& coarse, ptrdiff_t first_row, ptrdiff_t image_height,
                    const ImageView<T>& alpha, int threads) {
    using Row = typename Kind<T>::Row;
    const RefineKernels& kernels = active_refine_kernels();
    const auto columns_pass = kernels.*Kind<T>::columns;
    const auto rows_pass = kernels.*Kind<T>::rows;
    const ptrdiff_t height = coarse.height, width = coarse.width;
    const CubicTable rows(first_row, alpha.height,
                          static_cast<double>(height) / static_cast<double>(image_height), height);
    const CubicTable columns(0, alpha.width,
                             static_cast<double>(width) / static_cast<double>(alpha.width), width);

    // The map with its edges repeated, and for every stretch of output columns and every
    // row the one value that all its taps have, or none.
    const ptrdiff_t wide = width + 2 * cubic_padding + 1;
    Scratch<T> padded(static_cast<std::size_t>(height * wide));
    const ptrdiff_t stretches = (alpha.width + stretch - 1) / stretch;
    Scratch<T> constant(static_cast<std::size_t>(height * stretches));
    Scratch<uint8_t> is_constant(static_cast<std::size_t>(height * stretches));
    for (ptrdiff_t y = 0; y < height; ++y) {
        T* row = padded.data() + y * wide;
        for (ptrdiff_t x = 0; x < wide; ++x)
            row[x] = clipped_unit(coarse.at(y, clamped(x - cubic_padding, 0, width - 1)));
        for (ptrdiff_t s = 0; s < stretches; ++s) {
            const ptrdiff_t last = std::min(alpha.width, (s + 1) * stretch) - 1;
            const T* begin = row + columns.first[s * stretch];
            const T* end = row + columns.first[last] + 4;
            const T value = *begin;
            is_constant[y * stretches + s] =
                std::all_of(begin, end, [value](T other) { return other == value; });
            constant[y * stretches + s] = value;
        }
    }
    const auto source_row = [&](ptrdiff_t index) {
        return clamped(index - cubic_padding, 0, height - 1);
    };

    const ptrdiff_t pieces = (alpha.height + rows_per_piece - 1) / rows_per_piece;
    Scratch<Row> cache(static_cast<std::size_t>(threads * 4 * stretch));
    Scratch<std::int32_t> groups(static_cast<std::size_t>(threads * wide));
    Scratch<uint8_t> flat(static_cast<std::size_t>(threads * stretches));
    parallel_for(threads, pieces, 1, [&](ptrdiff_t begin, ptrdiff_t end, int slot) {
        Row* const slots = cache.data() + slot * 4 * stretch;
        uint8_t* const same = flat.data() + slot * stretches;
        const auto value = [&](ptrdiff_t y, ptrdiff_t s) {
            return constant[source_row(rows.first[y]) * stretches + s];
        };
        // Whether all four taps of a stretch have one value.
        const auto flat_stretch = [&](ptrdiff_t y, ptrdiff_t s) {
            uint8_t flat_so_far = 1;
            for (int k = 0; k < 4; ++k) {
                const ptrdiff_t at = source_row(rows.first[y] + k) * stretches + s;
                flat_so_far &=
                    static_cast<uint8_t>(is_constant[at] & (constant[at] == value(y, s)));
            }
            return flat_so_far;
        };
        for (ptrdiff_t piece = begin; piece < end; ++piece) {
            const ptrdiff_t y0 = piece * rows_per_piece;
            const ptrdiff_t y_end = std::min(alpha.height, y0 + rows_per_piece);
            // Row by row first: where all taps of neighbouring stretches have one value, they are
            // filled together, because long writes run at the memory's speed and short ones do not.
            for (ptrdiff_t y = y0; y < y_end; ++y) {
                if (y == y0 || rows.first[y] != rows.first[y - 1])
                    for (ptrdiff_t s = 0; s < stretches; ++s) same[s] = flat_stretch(y, s);
                for (ptrdiff_t s = 0; s < stretches;) {
                    if (same[s] == 0) {
                        ++s;
                        continue;
                    }
                    const ptrdiff_t from = s;
                    const T filling = value(y, s);
                    while (s < stretches && same[s] != 0 && value(y, s) == filling) ++s;
                    std::fill(alpha.row(y) + from * stretch,
                              alpha.row(y) + std::min(alpha.width, s * stretch), filling);
                }
            }
            // The rest column stretch by column stretch: four filtered rows stay in the first
            // cache.
            for (ptrdiff_t s = 0; s < stretches; ++s) {
                const ptrdiff_t x0 = s * stretch;
                const ptrdiff_t count = std::min(stretch, alpha.width - x0);
                ptrdiff_t held[4] = {-1, -1, -1, -1};
                bool filled = false;
                for (ptrdiff_t y = y0; y < y_end; ++y) {
                    if (y == y0 || rows.first[y] != rows.first[y - 1])
                        filled = flat_stretch(y, s) != 0;
                    if (filled) continue;
                    ptrdiff_t taps[4];
                    for (int k = 0; k < 4; ++k) taps[k] = source_row(rows.first[y] + k);
                    const Row* filtered[4];
                    for (int k = 0; k < 4; ++k) {
                        // Consecutive rows fall into different slots.
                        const ptrdiff_t place = taps[k] & 3;
                        Row* const row = slots + place * stretch;
                        if (held[place] != taps[k]) {
                            columns_pass(padded.data() + taps[k] * wide, columns.first.data() + x0,
                                         Kind<T>::weights(columns) + x0, columns.count, count,
                                         groups.data() + slot * wide, row);
                            held[place] = taps[k];
                        }
                        filtered[k] = row;
                    }
                    typename std::remove_cv<
                        std::remove_pointer_t<decltype(Kind<T>::weights(rows))>>::type vertical[4];
                    for (int k = 0; k < 4; ++k)
                        vertical[k] = Kind<T>::weights(rows)[k * rows.count + y];
                    rows_pass(filtered, vertical, count, alpha.row(y) + x0);
                }
            }
        }
    });
}

template void upsample_cubic(const ImageView<const uint8_t>&, ptrdiff_t, ptrdiff_t,
                             const ImageView<uint8_t>&, int);
template void upsample_cubic(const ImageView<const float>&, ptrdiff_t, ptrdiff_t,
                             const ImageView<float>&, int);

}  // namespace nssbg::refine_detail
