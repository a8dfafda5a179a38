// Driver of the prepare stage. The target's rows are cut into bands; each band walks down its
// part of the source in groups of sixteen rows, filters them along x into a ring of rows just
// tall enough for the filter along y, and writes finished, normalised rows. Every output row is
// computed from the source alone, so bands and threads leave no trace in it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "core/half.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"
#include "nssbg/prepare.hpp"
#include "prepare/kernels.hpp"
#include "prepare/kernels_neighbours.hpp"
#include "prepare/resample_table.hpp"

namespace nssbg {
namespace {

// Longer sides are refused: pair indices are 32 bits and nothing real comes near.
constexpr std::ptrdiff_t longest_side = 1 << 20;
// Gathered pairs kept at once: 256 pairs x 3 channels x 64 bytes are 48 KB. Measured from 48 to
// 400: more than half of a first-level cache, since shorter tiles move more of their overlap.
constexpr std::ptrdiff_t tile_pairs = 256;
constexpr std::ptrdiff_t cache_line = 64;
// Bands a thread: enough to even out a busy machine; each costs one window of extra rows.
constexpr std::ptrdiff_t bands_per_thread = 4;
constexpr std::ptrdiff_t group_pairs = group_rows / 2;

std::ptrdiff_t rounded_up(std::ptrdiff_t value, std::ptrdiff_t step) {
    return (value + step - 1) / step * step;
}

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

std::string size_text(std::ptrdiff_t height, std::ptrdiff_t width) {
    return std::to_string(width) + " x " + std::to_string(height);
}

// What turns one channel's 0 .. 255 into the target's values.
struct Normalisation {
    float scale[3];
    float bias[3];
    std::vector<std::uint16_t> half_table[3];
};

Normalisation normalisation_of(const PrepareOptions& options, bool with_half_table) {
    Normalisation result;
    for (int c = 0; c < 3; ++c) {
        const double scale = 1.0 / (255.0 * options.std[c]);
        const double bias = -options.mean[c] / options.std[c];
        result.scale[c] = static_cast<float>(scale);
        result.bias[c] = static_cast<float>(bias);
        if (!std::isfinite(result.scale[c]) || !std::isfinite(result.bias[c]) || scale == 0.0)
            refuse("mean must be finite and std finite and not zero, got mean " +
                   std::to_string(options.mean[c]) + " and std " + std::to_string(options.std[c]) +
                   " for channel " + std::to_string(c));
        if (!with_half_table) continue;
        result.half_table[c].resize(256);
        for (int value = 0; value < 256; ++value)
            result.half_table[c][value] =
                half_bits_from_float(static_cast<float>(value) * result.scale[c] + result.bias[c]);
    }
    return result;
}

template <class Out>
void write_row(const std::uint8_t* values, std::ptrdiff_t count, const Normalisation& norm, int c,
               Out* out) {
    if constexpr (std::is_same_v<Out, float>)
        active_prepare_kernels().f32_from_u8(values, count, norm.scale[c], norm.bias[c], out);
    else if constexpr (std::is_same_v<Out, Half>)
        active_prepare_kernels().half_from_u8(values, count, norm.half_table[c].data(), out);
    else
        std::memcpy(out, values, static_cast<std::size_t>(count));
}

template <class Out>
void write_row(const float* values, std::ptrdiff_t count, const Normalisation& norm, int c,
               Out* out) {
    const NeighbourKernels& kernels = active_neighbour_kernels();
    if constexpr (std::is_same_v<Out, float>)
        kernels.f32_from_f32(values, count, norm.scale[c], norm.bias[c], out);
    else if constexpr (std::is_same_v<Out, Half>)
        kernels.half_from_f32(values, count, norm.scale[c], norm.bias[c], out);
    else
        kernels.u8_from_f32(values, count, out);
}

template <class Out>
void fill_bars(const ImageView<Out>& target, const Box& content, const PrepareOptions& options,
               const Normalisation& norm) {
    for (int c = 0; c < 3; ++c) {
        Out value;
        write_row(&options.fill[c], 1, norm, c, &value);
        for (std::ptrdiff_t y = 0; y < target.height; ++y) {
            Out* row = &target.at(y, 0, c);
            const bool beside = y >= content.top && y < content.bottom;
            std::fill(row, row + (beside ? content.left : target.width), value);
            if (beside) std::fill(row + content.right, row + target.width, value);
        }
    }
}

std::ptrdiff_t band_rows(std::ptrdiff_t rows, int threads) {
    if (threads == 1) return rows;
    const std::ptrdiff_t bands = threads * bands_per_thread;
    return (rows + bands - 1) / bands;
}

// Outputs along x that share one filling of the pair buffer.
struct Tile {
    std::ptrdiff_t begin;
    std::ptrdiff_t end;
    std::ptrdiff_t pair_begin;
    std::ptrdiff_t pair_end;
};

std::vector<Tile> tiles_of(const ResampleTable& table) {
    std::vector<Tile> tiles;
    for (std::ptrdiff_t begin = 0; begin < table.outputs(); begin += column_block) {
        const std::ptrdiff_t end = std::min(begin + column_block, table.outputs());
        // The fast gather takes four or sixteen samples at a time, from an even pair on.
        const std::ptrdiff_t pair_begin = table.first[begin] / 2 * 2;
        const std::ptrdiff_t pair_end = table.first[end - 1] + table.pairs;
        if (!tiles.empty() && pair_end - tiles.back().pair_begin <= tile_pairs) {
            tiles.back().end = end;
            tiles.back().pair_end = pair_end;
        } else {
            tiles.push_back({begin, end, pair_begin, pair_end});
        }
    }
    return tiles;
}

// Pictures often come in one size: each thread keeps the tables of the last few axes that it
// made, as long as they are small.
std::shared_ptr<const ResampleTable> kept_table(Filter filter, std::ptrdiff_t source,
                                                std::ptrdiff_t outputs, double begin, double end) {
    struct Kept {
        Filter filter;
        std::ptrdiff_t source;
        std::ptrdiff_t outputs;
        double begin;
        double end;
        std::shared_ptr<const ResampleTable> table;
    };
    constexpr std::size_t most_kept = 4;
    constexpr std::size_t most_weights = std::size_t{1} << 18;  // half a megabyte
    thread_local std::array<Kept, most_kept> kept;
    thread_local std::size_t oldest = 0;
    for (const Kept& entry : kept)
        if (entry.table && entry.filter == filter && entry.source == source &&
            entry.outputs == outputs && entry.begin == begin && entry.end == end)
            return entry.table;
    auto table =
        std::make_shared<const ResampleTable>(resample_table(filter, source, outputs, begin, end));
    if (table->weights.size() <= most_weights) {
        kept[oldest] = {filter, source, outputs, begin, end, table};
        oldest = (oldest + 1) % most_kept;
    }
    return table;
}

// Filters groups of sixteen source rows along x; one per thread.
template <class In>
class GroupFilter {
public:
    GroupFilter(const ImageView<const In>& source, std::ptrdiff_t channels,
                const ResampleTable& table, const std::vector<Tile>& tiles, std::ptrdiff_t plane)
        : source_(source), channels_(channels), table_(table), tiles_(tiles), plane_(plane) {
        std::ptrdiff_t most = 0;
        for (const Tile& tile : tiles) most = std::max(most, tile.pair_end - tile.pair_begin);
        units_ = Scratch<std::int16_t>(most * unit_size());
    }

    // Rows 16 * group and on, into eight rows of byte pairs at `out`. Past the last row the
    // last one stands in; its weights are zero there.
    void run(std::ptrdiff_t group, std::uint8_t* out) const {
        RowGroup<In> rows;
        for (std::ptrdiff_t r = 0; r < group_rows; ++r)
            rows.rows[r] = source_.row(std::min(group * group_rows + r, source_.height - 1));
        rows.width = source_.width;
        rows.stride_x = source_.stride_x;
        rows.stride_c = source_.stride_c;
        rows.channels = channels_;
        const PrepareKernels& kernels = active_prepare_kernels();
        std::ptrdiff_t held_begin = 0;
        std::ptrdiff_t held_end = 0;
        for (std::size_t t = 0; t < tiles_.size(); ++t) {
            const Tile& tile = tiles_[t];
            // What the last tile gathered and this one needs as well moves to the front.
            const std::ptrdiff_t kept = std::max<std::ptrdiff_t>(held_end - tile.pair_begin, 0);
            if (kept > 0)
                std::memmove(units_.data(),
                             units_.data() + (tile.pair_begin - held_begin) * unit_size(),
                             kept * unit_size() * sizeof(std::int16_t));
            std::int16_t* fresh = units_.data() + kept * unit_size();
            if constexpr (std::is_same_v<In, std::uint8_t>)
                kernels.pairs_from_rows_u8(rows, tile.pair_begin + kept, tile.pair_end, fresh);
            else
                kernels.pairs_from_rows_u16(rows, tile.pair_begin + kept, tile.pair_end, fresh);
            held_begin = tile.pair_begin;
            held_end = tile.pair_end;
            // Sixteen rows are more streams than processors follow by themselves, and the filter
            // below leaves the memory idle: the next samples are fetched behind it.
            if (t + 1 < tiles_.size())
                fetch(group, held_end, tiles_[t + 1].pair_end);
            else
                fetch(group + 1, tiles_[0].pair_begin, tiles_[0].pair_end);
            kernels.byte_pairs_from_pairs(units_.data(), tile.pair_begin, channels_, table_.view(),
                                          tile.begin, tile.end, plane_, 2 * channels_ * plane_,
                                          out);
        }
    }

private:
    // Asks for the samples of pairs [begin, end) of a group's rows, where these lie side by side.
    void fetch(std::ptrdiff_t group, std::ptrdiff_t begin, std::ptrdiff_t end) const {
        const std::ptrdiff_t pixel = source_.stride_x * static_cast<std::ptrdiff_t>(sizeof(In));
        if (pixel < 1 || pixel > 8) return;
        const std::ptrdiff_t from = 2 * begin * pixel;
        const std::ptrdiff_t to = std::min(2 * end, source_.width) * pixel;
        for (std::ptrdiff_t r = 0; r < group_rows; ++r) {
            const std::ptrdiff_t y = group * group_rows + r;
            if (y >= source_.height) return;
            const char* row = reinterpret_cast<const char*>(source_.row(y));
            for (std::ptrdiff_t at = from; at < to; at += cache_line) prefetch(row + at);
        }
    }

    static void prefetch([[maybe_unused]] const char* address) {
#if defined(__GNUC__) || defined(__clang__)
        __builtin_prefetch(address);
#endif
    }

    std::ptrdiff_t unit_size() const { return 2 * group_rows * channels_; }

    const ImageView<const In>& source_;
    std::ptrdiff_t channels_;
    const ResampleTable& table_;
    const std::vector<Tile>& tiles_;
    std::ptrdiff_t plane_;
    Scratch<std::int16_t> units_;
};

template <class In, class Out>
void resample(const ImageView<const In>& source, const ImageView<Out>& target, const Box& content,
              const Part& part, Filter filter, const Normalisation& norm, int threads) {
    const std::ptrdiff_t width = content.right - content.left;
    const std::ptrdiff_t height = content.bottom - content.top;
    const std::ptrdiff_t channels = source.channels == 1 ? 1 : 3;
    const std::shared_ptr<const ResampleTable> table_x =
        kept_table(filter, source.width, width, part.left, part.right);
    const std::shared_ptr<const ResampleTable> table_y =
        kept_table(filter, source.height, height, part.top, part.bottom);
    const ResampleTable& along_x = *table_x;
    const ResampleTable& along_y = *table_y;
    const std::vector<Tile> tiles = tiles_of(along_x);
    const std::ptrdiff_t plane = rounded_up(width, plane_block);
    const std::ptrdiff_t pitch = 2 * channels * plane;
    // A window may begin and end in the middle of a group.
    const std::ptrdiff_t ring_groups = std::min((along_y.pairs + group_pairs - 2) / group_pairs + 1,
                                                (source.height + group_rows - 1) / group_rows);
    const std::ptrdiff_t ring_pairs = ring_groups * group_pairs;

    parallel_for(threads, height, band_rows(height, threads),
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     const GroupFilter<In> groups(source, channels, along_x, tiles, plane);
                     const Scratch<std::uint8_t> ring(ring_pairs * pitch);
                     const Scratch<std::uint8_t> values(channels * plane);
                     std::vector<const std::uint8_t*> rows(along_y.pairs);
                     // Columns between width and plane are never written by the filter along x.
                     std::memset(ring.data(), 0, ring_pairs * pitch);
                     const PrepareKernels& kernels = active_prepare_kernels();
                     std::ptrdiff_t next_group = along_y.first[begin] / group_pairs;
                     for (std::ptrdiff_t i = begin; i < end; ++i) {
                         const std::ptrdiff_t first = along_y.first[i];
                         const std::ptrdiff_t last_group =
                             (first + along_y.pairs - 1) / group_pairs;
                         next_group = std::max(next_group, first / group_pairs);
                         for (; next_group <= last_group; ++next_group)
                             groups.run(next_group, ring.data() + next_group % ring_groups *
                                                                      group_pairs * pitch);
                         for (std::ptrdiff_t p = 0; p < along_y.pairs; ++p)
                             rows[p] = ring.data() + (first + p) % ring_pairs * pitch;
                         kernels.row_from_byte_pairs(rows.data(), along_y.view(), i,
                                                     channels * plane, values.data());
                         for (int c = 0; c < 3; ++c)
                             write_row(values.data() + (channels == 1 ? 0 : c * plane), width, norm,
                                       c, &target.at(content.top + i, content.left, c));
                     }
                 });
}

template <class In, class Out>
void interpolate(const ImageView<const In>& source, const ImageView<Out>& target,
                 const Box& content, const Normalisation& norm, int threads) {
    const std::ptrdiff_t width = content.right - content.left;
    const std::ptrdiff_t height = content.bottom - content.top;
    const NeighbourTable along_x = neighbour_table(source.width, width);
    const NeighbourTable along_y = neighbour_table(source.height, height);
    const NeighbourKernels& kernels = active_neighbour_kernels();
    parallel_for(threads, height, band_rows(height, threads),
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     const Scratch<float> values(width);
                     for (std::ptrdiff_t i = begin; i < end; ++i)
                         for (int c = 0; c < 3; ++c) {
                             const int from = source.channels == 1 ? 0 : c;
                             const RowPair<In> rows{&source.at(along_y.first[i], 0, from),
                                                    &source.at(along_y.second[i], 0, from),
                                                    source.stride_x, along_y.second_weight[i]};
                             const auto kernel = [&] {
                                 if constexpr (std::is_same_v<In, std::uint8_t>)
                                     return kernels.row_from_rows_u8;
                                 else
                                     return kernels.row_from_rows_u16;
                             }();
                             kernel(rows, along_x.first.data(), along_x.second.data(),
                                    along_x.second_weight.data(), width, values.data());
                             write_row(values.data(), width, norm, c,
                                       &target.at(content.top + i, content.left, c));
                         }
                 });
}

template <class View>
void check_sides(const View& view, const char* name) {
    if (view.empty()) refuse(std::string(name) + " is empty");
    if (view.height > longest_side || view.width > longest_side)
        refuse(std::string(name) + " of " + size_text(view.height, view.width) +
               " is too large: sides may have " + std::to_string(longest_side) + " pixels");
}

}  // namespace

template <class In, class Out>
void prepare(const ImageView<const In>& source, const ImageView<Out>& target,
             const PrepareOptions& options) {
    check_sides(source, "the picture");
    check_sides(target, "the target");
    if (source.channels != 1 && source.channels != 3 && source.channels != 4)
        refuse("the picture must have 1, 3 or 4 channels, got " + std::to_string(source.channels));
    if (target.channels != 3 || (target.stride_x != 1 && target.width > 1))
        refuse("the target must have 3 channels with contiguous rows");
    const Box& box = options.content;
    if (box.left < 0 || box.top < 0 || box.right > target.width || box.bottom > target.height ||
        box.left >= box.right || box.top >= box.bottom)
        refuse("the content box must lie inside the target of " +
               size_text(target.height, target.width) + " and hold at least one pixel");
    Part part = options.part;
    if (part.left == 0.0 && part.top == 0.0 && part.right == 0.0 && part.bottom == 0.0)
        part = {0.0, 0.0, static_cast<double>(source.width), static_cast<double>(source.height)};
    else if (options.filter == Filter::torch_bilinear)
        refuse("torch-bilinear shows the whole picture; give no part");
    // Written so that a NaN is refused.
    if (!(part.left >= 0.0 && part.top >= 0.0 && part.right <= static_cast<double>(source.width) &&
          part.bottom <= static_cast<double>(source.height) && part.left < part.right &&
          part.top < part.bottom))
        refuse("the part must lie inside the picture of " + size_text(source.height, source.width) +
               " and hold something");
    const int threads = resolve_threads(options.threads);
    const Normalisation norm = normalisation_of(options, std::is_same_v<Out, Half>);
    if (options.filter == Filter::torch_bilinear)
        interpolate(source, target, box, norm, threads);
    else
        resample(source, target, box, part, options.filter, norm, threads);
    fill_bars(target, box, options, norm);
}

template void prepare(const ImageView<const std::uint8_t>&, const ImageView<float>&,
                      const PrepareOptions&);
template void prepare(const ImageView<const std::uint8_t>&, const ImageView<Half>&,
                      const PrepareOptions&);
template void prepare(const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&,
                      const PrepareOptions&);
template void prepare(const ImageView<const std::uint16_t>&, const ImageView<float>&,
                      const PrepareOptions&);
template void prepare(const ImageView<const std::uint16_t>&, const ImageView<Half>&,
                      const PrepareOptions&);
template void prepare(const ImageView<const std::uint16_t>&, const ImageView<std::uint8_t>&,
                      const PrepareOptions&);

}  // namespace nssbg
