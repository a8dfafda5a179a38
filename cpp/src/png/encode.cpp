// Encodes PNG files in strips of whole rows. Each strip is filtered, parsed and coded on its own,
// by any thread, and ends on a whole byte, so that the strips' bytes one after the other are one
// zlib stream; its cuts depend on the picture alone (docs/decisions/0700-png.md).
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "nssbg/parallel.hpp"
#include "nssbg/png.hpp"
#include "nssbg/pool.hpp"
#include "png/checksums.hpp"
#include "png/deflate_codes.hpp"
#include "png/kernels_deflate.hpp"
#include "png/kernels_filter.hpp"

namespace nssbg {

struct PngFile::Pieces {
    std::vector<Scratch<std::uint8_t>> memory;
    std::vector<std::size_t> sizes;
};

PngFile::PngFile() : pieces_(new Pieces) {}
PngFile::~PngFile() = default;
PngFile::PngFile(PngFile&&) noexcept = default;
PngFile& PngFile::operator=(PngFile&&) noexcept = default;

std::size_t PngFile::size() const {
    std::size_t total = 0;
    for (const std::size_t size : pieces_->sizes) total += size;
    return total;
}

void PngFile::copy_to(std::uint8_t* out) const {
    for (std::size_t i = 0; i < pieces_->sizes.size(); ++i) {
        std::memcpy(out, pieces_->memory[i].data(), pieces_->sizes[i]);
        out += pieces_->sizes[i];
    }
}

struct PngFileBuilder {
    static void resize(PngFile& file, std::size_t count) {
        file.pieces_->memory.resize(count);
        file.pieces_->sizes.assign(count, 0);
    }
    static void set(PngFile& file, std::size_t index, const std::uint8_t* data, std::size_t size) {
        Scratch<std::uint8_t> memory(size);
        std::memcpy(memory.data(), data, size);
        file.pieces_->memory[index] = std::move(memory);
        file.pieces_->sizes[index] = size;
    }
};

namespace {

using Byte = std::uint8_t;

// Filtered bytes of a strip and what it takes to code them stay within a core's L2 cache; a strip
// costs about 100 bytes of tables in the file.
constexpr std::ptrdiff_t strip_bytes = 384 << 10;
// Reads and writes of whole words may run over the end by this much.
constexpr std::size_t slack = 64;
constexpr std::size_t largest_header = 512;
constexpr std::ptrdiff_t largest_stored = 65535;
// A chunk's length has 31 bits.
constexpr std::ptrdiff_t largest_side = 0x7FFFFFFF;

// A plan takes three to five times the time of runs alone; grain, where it saves nothing, is spared
// it.
constexpr std::uint32_t least_saving = 16;
constexpr PngEffort best_efforts[] = {
    {8, 64, false}, {256, 258, false}, {256, 258, true}, {256, 258, true}};

void put_big_endian(Byte* out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out[i] = static_cast<Byte>(value >> (24 - 8 * i));
}

// Fills in the length before a chunk's type and appends its checksum; returns its whole size.
std::size_t finish_chunk(Byte* chunk, std::size_t body) {
    put_big_endian(chunk, static_cast<std::uint32_t>(body));
    put_big_endian(chunk + 8 + body, crc32(0, chunk + 4, body + 4));
    return body + 12;
}

// A picture's layout as PNG sees it.
struct Layout {
    std::ptrdiff_t height, width, row_bytes, step, strip_rows, strips;
    int bits, color_type;
};

Layout layout_of(std::ptrdiff_t height, std::ptrdiff_t width, std::ptrdiff_t channels, int bits) {
    if (height < 1 || width < 1 || height > largest_side || width > largest_side)
        throw std::invalid_argument("png_encode: " + std::to_string(width) + " x " +
                                    std::to_string(height) + " pixels; expected 1 to 2^31 - 1");
    if (channels != 1 && channels != 3 && channels != 4)
        throw std::invalid_argument("png_encode: " + std::to_string(channels) +
                                    " channels; expected 1 (grey), 3 (RGB) or 4 (RGBA)");
    Layout layout{};
    layout.height = height;
    layout.width = width;
    layout.bits = bits;
    layout.color_type = channels == 1 ? 0 : channels == 3 ? 2 : 6;
    layout.step = channels * bits / 8;
    if (width > (largest_side - 1024) / layout.step)
        throw std::invalid_argument("png_encode: rows of " + std::to_string(width) +
                                    " pixels are longer than 2 GB");
    layout.row_bytes = width * layout.step;
    layout.strip_rows = std::max<std::ptrdiff_t>(1, strip_bytes / (1 + layout.row_bytes));
    layout.strips = (height + layout.strip_rows - 1) / layout.strip_rows;
    return layout;
}

// Rows of the picture as PNG's bytes: in place where they stand so, else copied.
template <class T>
class RowSource {
public:
    RowSource(const ImageView<const T>& pixels, const Layout& layout)
        : pixels_(pixels),
          in_place_(std::is_same_v<T, std::uint8_t> && pixels.packed_rows()),
          row_bytes_(layout.row_bytes),
          copies_(in_place_ ? 0 : static_cast<std::size_t>(2 * layout.row_bytes)),
          samples_(in_place_ || pixels.packed_rows()
                       ? 0
                       : static_cast<std::size_t>(pixels.width * pixels.channels)) {}

    // Stays valid until the row after the next is asked for.
    const Byte* row(std::ptrdiff_t y) {
        if (in_place_) return reinterpret_cast<const Byte*>(pixels_.row(y));
        Byte* copy = copies_.data() + (y & 1) * row_bytes_;
        const T* samples = pixels_.row(y);
        if (!pixels_.packed_rows()) {
            T* packed = samples_.data();
            for (std::ptrdiff_t x = 0; x < pixels_.width; ++x)
                for (std::ptrdiff_t c = 0; c < pixels_.channels; ++c)
                    *packed++ = samples[x * pixels_.stride_x + c * pixels_.stride_c];
            samples = samples_.data();
        }
        if constexpr (std::is_same_v<T, std::uint8_t>)
            std::memcpy(copy, samples, static_cast<std::size_t>(row_bytes_));
        else
            active_png_filter_kernels().big_endian(samples, row_bytes_ / 2, copy);
        return copy;
    }

private:
    ImageView<const T> pixels_;
    bool in_place_;
    std::ptrdiff_t row_bytes_;
    Scratch<Byte> copies_;
    Scratch<T> samples_;
};

// Whether strips are planned: fast only takes runs, and needs none of the plans' tables.
constexpr bool plans(PngCompression compression) { return compression != PngCompression::fast; }

// What one thread needs for one strip at a time.
struct Workspace {
    Scratch<Byte> filtered;
    Scratch<Byte> zeros;  // the row above the first
    Scratch<PngRow> rows;
    Scratch<PngSequence> sequences;
    Scratch<PngSequence> kept;
    Scratch<Byte> out;
    // For plans.
    Scratch<std::uint16_t> pixels;
    Scratch<std::uint16_t> pairs;
    Scratch<PngMatch> near;
    Scratch<PngMatch> far;
    Scratch<std::uint64_t> steps;
    Scratch<std::uint32_t> costs;
    Scratch<std::uint32_t> plan_prefix;
    // For searches.
    Scratch<std::int32_t> heads;
    Scratch<std::uint16_t> links;
    Scratch<std::uint32_t> prefix;

    Workspace(const Layout& layout, PngCompression compression)
        : filtered(strip_size(layout) + slack),
          zeros(static_cast<std::size_t>(layout.row_bytes) + slack),
          rows(static_cast<std::size_t>(layout.strip_rows)),
          sequences(strip_size(layout) / 3 + 4),
          kept(compression == PngCompression::best ? sequences.size() : 0),
          out(strip_size(layout) + strip_size(layout) / largest_stored * 5 + largest_header +
              slack),
          pixels(plans(compression) ? std::size_t{1} << png_plan_hash_bits : 0),
          pairs(plans(compression) ? std::size_t{1} << png_plan_hash_bits : 0),
          near(plans(compression) ? png_plan_nodes : 0),
          far(plans(compression) ? png_plan_nodes : 0),
          steps(plans(compression) ? png_plan_nodes : 0),
          costs(plans(compression) ? png_plan_nodes + 1 : 0),
          plan_prefix(
              plans(compression) ? static_cast<std::size_t>(png_plan_nodes * layout.step + 1) : 0),
          heads(compression == PngCompression::best ? std::size_t{1} << png_chain_hash_bits : 0),
          links(compression == PngCompression::best ? png_chain_size : 0),
          prefix(compression == PngCompression::best
                     ? static_cast<std::size_t>(layout.row_bytes) + 1
                     : 0) {
        std::memset(zeros.data(), 0, zeros.size());
    }
    static std::size_t strip_size(const Layout& layout) {
        return static_cast<std::size_t>(layout.strip_rows * (1 + layout.row_bytes));
    }
};

// A filtered strip: its bytes lie in the workspace.
struct Filtered {
    std::ptrdiff_t row_count;
    std::ptrdiff_t size;
    std::uint32_t adler;
    PngSymbolCosts costs;  // as a sample of the rows has them
};

// 16 * log2(value), to within 1.4 sixteenths, in integers.
std::uint32_t log2_sixteenths(std::uint32_t value) {
    const std::uint32_t top = 31u - static_cast<std::uint32_t>(__builtin_clz(value));
    const std::uint64_t fraction = (static_cast<std::uint64_t>(value) << 4 >> top) & 15;
    return 16 * top + static_cast<std::uint32_t>(fraction);
}

// What symbols are likely to cost, before any are chosen: literals from every eighth block of 64
// in every fourth row; lengths and distances as they come out where matches are many (by trial).
PngSymbolCosts guessed_costs(const Byte* data, const PngRow* rows, std::ptrdiff_t row_count) {
    std::uint32_t counts[256] = {};
    std::uint32_t total = 0;
    for (std::ptrdiff_t y = row_count < 8 ? 0 : 1; y < row_count; y += row_count < 8 ? 1 : 4) {
        const Byte* row = data + rows[y].start + 1;
        for (std::ptrdiff_t i = rows[y].begin + (y & 7) * 64; i + 64 <= rows[y].end; i += 512) {
            for (std::ptrdiff_t k = 0; k < 64; ++k) ++counts[row[i + k]];
            total += 64;
        }
    }
    PngSymbolCosts costs{};
    constexpr std::uint32_t bit = 16;
    const std::uint32_t whole = total == 0 ? 0 : log2_sixteenths(total);
    for (int i = 0; i < 256; ++i) {
        const std::uint32_t rare = 11 * bit;
        costs.literal[i] = counts[i] == 0
                               ? rare
                               : std::min(rare, std::max(bit, whole - log2_sixteenths(counts[i])));
    }
    for (int length = shortest_match; length <= longest_match; ++length) {
        const std::uint32_t kind = length > 10 ? 5 : length > 6 ? 4 : 3;
        costs.length[length] = bit * (kind + length_table.extra[length_table.symbol[length]]);
    }
    for (int i = 0; i < distance_symbols; ++i)
        costs.distance[i] = bit * (i < 4 ? 3 : 4 + static_cast<std::uint32_t>(distance_extra(i)));
    return costs;
}

template <class T>
Filtered filter_strip(RowSource<T>& source, const Layout& layout, std::ptrdiff_t strip,
                      PngCompression compression, Workspace& work) {
    const PngFilterKernels& kernels = active_png_filter_kernels();
    // An eighth of a row chooses all but the same filters as the whole: 0.1 to 0.7 % more bytes.
    const std::ptrdiff_t sampling = compression == PngCompression::fast       ? 8
                                    : compression == PngCompression::standard ? 4
                                                                              : 1;
    const std::ptrdiff_t n = layout.row_bytes;
    const std::ptrdiff_t first_row = strip * layout.strip_rows;
    Filtered result{};
    result.row_count = std::min(layout.strip_rows, layout.height - first_row);
    result.size = result.row_count * (1 + n);
    std::uint32_t low = 1;
    std::uint32_t high = 0;
    const Byte* above = first_row == 0 ? work.zeros.data() : source.row(first_row - 1);
    std::ptrdiff_t above_begin = 0;
    std::ptrdiff_t above_end = 0;
    if (first_row > 0) kernels.nonzero_range(above, n, &above_begin, &above_end);
    for (std::ptrdiff_t y = 0; y < result.row_count; ++y) {
        const Byte* row = source.row(first_row + y);
        const std::ptrdiff_t start = y * (1 + n);
        Byte* out = work.filtered.data() + start + 1;
        std::ptrdiff_t begin = 0;
        std::ptrdiff_t end = 0;
        kernels.nonzero_range(row, n, &begin, &end);
        const std::ptrdiff_t own_begin = begin;
        const std::ptrdiff_t own_end = end;
        int filter = png_none;
        if (end > 0) {
            // Residuals are zero where this row and the one above are, but for the pixel after.
            if (above_end > 0) {
                begin = std::min(begin, above_begin);
                end = std::max(end, above_end);
            }
            begin = begin / layout.step * layout.step;
            end = std::min(n, (end + 2 * layout.step - 1) / layout.step * layout.step);
            std::uint32_t costs[5];
            kernels.filter_costs(row, above, begin, end, layout.step, sampling, costs);
            for (int k = 1; k < 5; ++k)
                if (costs[k] < costs[filter]) filter = k;
            kernels.filter_row(filter, row, above, begin, end, layout.step, out);
        }
        std::memset(out, 0, static_cast<std::size_t>(begin < end ? begin : n));
        if (begin < end) std::memset(out + end, 0, static_cast<std::size_t>(n - end));
        out[-1] = static_cast<Byte>(filter);
        low += static_cast<std::uint32_t>(filter);
        if (low >= 65521) low -= 65521;
        high = (high + low) % 65521;
        if (begin < end) {
            adler32_skip_zeros(low, &high, static_cast<std::uint64_t>(begin));
            kernels.adler(out + begin, end - begin, &low, &high);
            adler32_skip_zeros(low, &high, static_cast<std::uint64_t>(n - end));
        } else {
            adler32_skip_zeros(low, &high, static_cast<std::uint64_t>(n));
            begin = end = 0;
        }
        work.rows[y] = {start, begin, end};
        above = row;
        above_begin = own_begin;
        above_end = own_end;
    }
    std::memset(work.filtered.data() + result.size, 0, slack);
    result.adler = high << 16 | low;
    result.costs = guessed_costs(work.filtered.data(), work.rows.data(), result.row_count);
    return result;
}

// What symbols cost under a block's codes; symbols that it lacks cost a little more than any.
PngSymbolCosts costs_from_codes(const BlockCodes& codes) {
    constexpr std::uint32_t unit = 16;
    constexpr int missing_literal = literal_code_limit;
    constexpr int missing_distance = 9;
    PngSymbolCosts costs{};
    const auto priced = [](int length, int missing) {
        return unit * static_cast<std::uint32_t>(length == 0 ? missing : length);
    };
    for (int i = 0; i < 256; ++i)
        costs.literal[i] = priced(codes.literal_lengths[i], missing_literal);
    for (int length = shortest_match; length <= longest_match; ++length) {
        const int symbol = length_table.symbol[length];
        costs.length[length] = priced(codes.literal_lengths[257 + symbol], missing_literal) +
                               unit * length_table.extra[symbol];
    }
    for (int i = 0; i < distance_symbols; ++i)
        costs.distance[i] = priced(codes.distance_lengths[i], missing_distance) +
                            unit * static_cast<std::uint32_t>(distance_extra(i));
    return costs;
}

// A parse of a strip and what its block takes.
struct Attempt {
    std::uint64_t bits = ~std::uint64_t{0};
    std::size_t sequences = 0;
    SymbolCounts counts;
    BlockCodes codes;
};

// Writes the strip as one block, ended on a whole byte; returns one past its end.
Byte* code_strip(const Filtered& strip, const Layout& layout, PngCompression compression,
                 bool final, Workspace& work, Byte* out) {
    const PngDeflateKernels& kernels = active_png_deflate_kernels();
    const PngStrip rows{work.filtered.data(), work.rows.data(), strip.row_count, layout.row_bytes,
                        layout.step};
    const PngPlan plan{work.pixels.data(),     work.pairs.data(), work.near.data(),
                       work.far.data(),        work.steps.data(), work.costs.data(),
                       work.plan_prefix.data()};
    SymbolCounts counts;
    std::size_t sequences = 0;
    BlockCodes codes;
    const auto by_runs = [&] {
        counts = SymbolCounts();
        sequences = kernels.parse_runs(rows, strip.costs, work.sequences.data(), &counts);
        codes = codes_from_counts(counts);
    };
    const auto by_plan = [&](const PngSymbolCosts& costs) {
        counts = SymbolCounts();
        sequences = kernels.parse_planned(rows, costs, plan, work.sequences.data(), &counts);
        codes = codes_from_counts(counts);
    };
    if (compression == PngCompression::fast) {
        by_runs();
    } else if (compression == PngCompression::standard) {
        const PngEstimate estimate = kernels.estimate(rows, strip.costs, plan, strip.row_count / 2);
        if (estimate.planned < estimate.runs - estimate.runs / least_saving)
            by_plan(strip.costs);
        else
            by_runs();
    } else {
        // Greedy parses may lose to simpler ones, so the smallest of several is kept.
        Attempt kept;
        const auto keep_smaller = [&] {
            const std::uint64_t bits = body_bits(counts, codes);
            if (bits >= kept.bits) return;
            kept = {bits, sequences, counts, codes};
            std::swap(work.sequences, work.kept);
        };
        by_runs();
        keep_smaller();
        by_plan(strip.costs);
        keep_smaller();
        const PngChains chains{work.heads.data(), work.links.data(), work.prefix.data()};
        for (const PngEffort& effort : best_efforts) {
            const PngSymbolCosts costs = costs_from_codes(codes);
            counts = SymbolCounts();
            sequences = kernels.parse_searching(rows, costs, effort, chains, work.sequences.data(),
                                                &counts);
            codes = codes_from_counts(counts);
            keep_smaller();
        }
        std::swap(work.sequences, work.kept);
        sequences = kept.sequences;
        counts = kept.counts;
        codes = kept.codes;
    }
    const std::uint64_t stored_pieces =
        static_cast<std::uint64_t>((strip.size + largest_stored - 1) / largest_stored);
    const std::uint64_t stored_bits =
        8 * (static_cast<std::uint64_t>(strip.size) + 5 * stored_pieces);
    if (body_bits(counts, codes) + 8 * 64 >= stored_bits) {
        const Byte* data = work.filtered.data();
        for (std::ptrdiff_t left = strip.size; left > 0;) {
            const std::ptrdiff_t count = std::min(left, largest_stored);
            left -= count;
            *out++ = final && left == 0 ? 1 : 0;
            *out++ = static_cast<Byte>(count & 255);
            *out++ = static_cast<Byte>(count >> 8);
            *out++ = static_cast<Byte>(~count & 255);
            *out++ = static_cast<Byte>((~count >> 8) & 255);
            std::memcpy(out, data, static_cast<std::size_t>(count));
            data += count;
            out += count;
        }
        return out;
    }
    BitWriter writer(out);
    write_dynamic_header(writer, codes, final);
    std::uint64_t word = writer.pending();
    int filled = writer.pending_count();
    Byte* at = kernels.write(work.filtered.data(), work.sequences.data(), sequences, codes,
                             writer.position(), &word, &filled);
    writer.resume(at, word, filled);
    if (!final) {  // an empty stored block takes the stream to a whole byte
        writer.put(0, 3);
        writer.align();
        writer.put(0xFFFF0000u, 32);
    }
    writer.align();
    return writer.position();
}

template <class T>
PngFile encode(const ImageView<const T>& pixels, const PngOptions& options) {
    if (options.threads < 1) throw std::invalid_argument("png_encode: threads must be at least 1");
    const Layout layout = layout_of(pixels.height, pixels.width, pixels.channels, 8 * sizeof(T));
    const std::size_t strips = static_cast<std::size_t>(layout.strips);
    PngFile file;
    PngFileBuilder::resize(file, strips + 2);

    std::vector<Byte> head = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    Byte header[12 + 13] = {0, 0, 0, 0, 'I', 'H', 'D', 'R'};
    put_big_endian(header + 8, static_cast<std::uint32_t>(layout.width));
    put_big_endian(header + 12, static_cast<std::uint32_t>(layout.height));
    header[16] = static_cast<Byte>(layout.bits);
    header[17] = static_cast<Byte>(layout.color_type);
    finish_chunk(header, 13);
    head.insert(head.end(), header, header + sizeof(header));
    if (options.chunk_bytes > 0)
        head.insert(head.end(), options.chunks, options.chunks + options.chunk_bytes);
    PngFileBuilder::set(file, 0, head.data(), head.size());

    std::vector<std::uint32_t> adlers(strips);
    const int threads = static_cast<int>(std::min<std::ptrdiff_t>(options.threads, layout.strips));
    std::vector<std::unique_ptr<Workspace>> workspaces(static_cast<std::size_t>(threads));
    parallel_for(threads, layout.strips, 1,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
                     auto& work = workspaces[static_cast<std::size_t>(slot)];
                     if (!work) work = std::make_unique<Workspace>(layout, options.compression);
                     RowSource<T> source(pixels, layout);
                     for (std::ptrdiff_t strip = begin; strip < end; ++strip) {
                         const Filtered filtered =
                             filter_strip(source, layout, strip, options.compression, *work);
                         Byte* chunk = work->out.data();
                         std::memcpy(chunk + 4, "IDAT", 4);
                         Byte* out = chunk + 8;
                         if (strip == 0) {  // zlib: deflate, 32 KB window, no dictionary
                             *out++ = 0x78;
                             *out++ = 0x01;
                         }
                         out = code_strip(filtered, layout, options.compression,
                                          strip == layout.strips - 1, *work, out);
                         const std::size_t size =
                             finish_chunk(chunk, static_cast<std::size_t>(out - chunk - 8));
                         const std::size_t index = static_cast<std::size_t>(strip);
                         PngFileBuilder::set(file, index + 1, chunk, size);
                         adlers[index] = filtered.adler;
                     }
                 });

    // The stream's own checksum, in a chunk of its own, and the end.
    std::uint32_t adler = 1;
    for (std::size_t i = 0; i < strips; ++i) {
        const std::ptrdiff_t rows = std::min(
            layout.strip_rows, layout.height - static_cast<std::ptrdiff_t>(i) * layout.strip_rows);
        adler = adler32_combine(adler, adlers[i],
                                static_cast<std::uint64_t>(rows * (1 + layout.row_bytes)));
    }
    Byte tail[16 + 12] = {0, 0, 0, 0, 'I', 'D', 'A', 'T'};
    put_big_endian(tail + 8, adler);
    finish_chunk(tail, 4);
    std::memcpy(tail + 16 + 4, "IEND", 4);
    finish_chunk(tail + 16, 0);
    PngFileBuilder::set(file, strips + 1, tail, sizeof(tail));
    return file;
}

}  // namespace

PngFile png_encode(const ImageView<const std::uint8_t>& pixels, const PngOptions& options) {
    return encode(pixels, options);
}
PngFile png_encode(const ImageView<const std::uint16_t>& pixels, const PngOptions& options) {
    return encode(pixels, options);
}

}  // namespace nssbg
