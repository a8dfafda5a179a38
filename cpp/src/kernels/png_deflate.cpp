// The PNG encoder's entropy stage. Integer code only; compiled per level for the sake of its
// shifts and bit scans. Matches start at pixels, as residuals repeat by pixel, and are taken
// where they cost less than their bytes would as literals.
#include "kernels/png_deflate.hpp"

#include <cstring>

namespace nssbg::NSSBG_LEVEL {
namespace {

using Byte = std::uint8_t;

// Beyond this a distance does not fit the format's window.
constexpr std::ptrdiff_t window = 32768;
// A longer match is begun with a piece of the longest length.
constexpr std::ptrdiff_t longest_cut = longest_match + shortest_match - 1;
// Sixteenths of a bit: a match's length and distance codes, and the margin that leaves those
// codes to the matches worth most (found by trial on photographs with and without grain).
constexpr std::uint32_t match_cost = 9 * 16 + 8;
constexpr std::uint32_t zero_run_cost = 10 * 16;
// Each so many pixels without a match, one more is passed over without a search.
constexpr std::ptrdiff_t patience_bits = 5;
constexpr std::ptrdiff_t longest_skip = 16;

inline std::uint32_t load32(const Byte* at) {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}
inline std::uint64_t load64(const Byte* at) {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

inline std::uint32_t bits_of_distance(std::ptrdiff_t distance) {
    return distance <= 4 ? 0
                         : 16u * static_cast<std::uint32_t>(
                                     31 - __builtin_clz(static_cast<std::uint32_t>(distance)));
}

// Bytes from `at` on, before `end`, that equal those from `candidate` on.
inline std::ptrdiff_t match_length(const Byte* at, const Byte* candidate, const Byte* end) {
    const Byte* start = at;
    while (end - at >= 8) {
        const std::uint64_t differ = load64(at) ^ load64(candidate);
        if (differ != 0) return at - start + __builtin_ctzll(differ) / 8;
        at += 8;
        candidate += 8;
    }
    while (at < end && *at == *candidate) {
        ++at;
        ++candidate;
    }
    return at - start;
}

inline std::ptrdiff_t zero_run(const Byte* at, const Byte* end) {
    const Byte* start = at;
    while (end - at >= 8) {
        const std::uint64_t word = load64(at);
        if (word != 0) return at - start + __builtin_ctzll(word) / 8;
        at += 8;
    }
    while (at < end && *at == 0) ++at;
    return at - start;
}

// Collects sequences and counts what they hold.
struct Sink {
    const Byte* data;
    PngSequence* out;
    std::uint32_t (*literals)[256];
    std::uint32_t* lengths;    // by length symbol
    std::uint32_t* distances;  // by distance symbol
    std::uint64_t extra_bits = 0;
    std::ptrdiff_t literal_start = 0;

    void count_literals(std::ptrdiff_t begin, std::ptrdiff_t end) const {
        std::ptrdiff_t i = begin;
        // Four tables, so that equal neighbours do not wait for each other.
        for (; i + 4 <= end; i += 4) {
            ++literals[0][data[i]];
            ++literals[1][data[i + 1]];
            ++literals[2][data[i + 2]];
            ++literals[3][data[i + 3]];
        }
        for (; i < end; ++i) ++literals[0][data[i]];
    }

    void match(std::ptrdiff_t at, std::ptrdiff_t length, std::ptrdiff_t distance) {
        count_literals(literal_start, at);
        *out++ = {static_cast<std::uint32_t>(at - literal_start),
                  static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(distance)};
        literal_start = at + length;
        const int distance_code = distance_symbol(static_cast<std::uint32_t>(distance));
        // As write() cuts long matches: the last piece has to keep three bytes.
        std::uint32_t pieces = 1;
        if (length > longest_cut) {
            const std::ptrdiff_t whole = (length - longest_cut + longest_match - 1) / longest_match;
            length -= whole * longest_match;
            lengths[28] += static_cast<std::uint32_t>(whole);
            pieces += static_cast<std::uint32_t>(whole);
        }
        if (length > longest_match) {
            count_length(length - shortest_match);
            length = shortest_match;
            ++pieces;
        }
        count_length(length);
        distances[distance_code] += pieces;
        extra_bits += static_cast<std::uint64_t>(pieces) *
                      static_cast<std::uint64_t>(distance_extra(distance_code));
    }

    void count_length(std::ptrdiff_t length) {
        const int code = length_table.symbol[length];
        ++lengths[code];
        extra_bits += length_table.extra[code];
    }

    // Zeros in [begin, end): copies of the byte before, where that is a zero too.
    void zeros(std::ptrdiff_t begin, std::ptrdiff_t end) {
        if (begin > 0 && data[begin - 1] != 0) ++begin;
        if (begin == 0) ++begin;
        if (end - begin >= shortest_match) match(begin, end - begin, 1);
    }

    // Closes the strip, which ends at `stop`; returns the number of sequences.
    std::size_t finish(std::ptrdiff_t stop, std::ptrdiff_t zeros_from, PngSequence* sequences,
                       SymbolCounts* counts) {
        if (zeros_from >= 0 && zeros_from < stop) zeros(zeros_from, stop);
        if (literal_start < stop) {
            count_literals(literal_start, stop);
            *out++ = {static_cast<std::uint32_t>(stop - literal_start), 0, 0};
        }
        for (int i = 0; i < 256; ++i)
            counts->literals[i] +=
                literals[0][i] + literals[1][i] + literals[2][i] + literals[3][i];
        counts->extra_bits += extra_bits;
        return static_cast<std::size_t>(out - sequences);
    }
};

std::size_t parse(const Byte* data, const PngRow* rows, std::ptrdiff_t row_count,
                  std::ptrdiff_t row_bytes, std::ptrdiff_t step, const PngLiteralCosts& costs,
                  std::int32_t* table, PngSequence* sequences, SymbolCounts* counts) {
    std::uint32_t literals[4][256] = {};
    Sink sink{data, sequences, literals, counts->literals + 257, counts->distances};
    std::memset(table, 0, sizeof(std::int32_t) << png_hash_bits);
    std::ptrdiff_t zeros_from = -1;  // where a run of zeros began that still goes on
    for (std::ptrdiff_t y = 0; y < row_count; ++y) {
        const PngRow& row = rows[y];
        if (data[row.start] != 0) {  // a filter byte
            if (zeros_from >= 0) sink.zeros(zeros_from, row.start);
            zeros_from = -1;
        } else if (zeros_from < 0) {
            zeros_from = row.start;
        }
        const std::ptrdiff_t first = row.start + 1;
        if (row.end == 0) {
            if (zeros_from < 0) zeros_from = first;
            continue;
        }
        std::ptrdiff_t at = first + row.begin;
        const std::ptrdiff_t end = first + row.end;
        if (zeros_from < 0) zeros_from = first;
        if (at > zeros_from) sink.zeros(zeros_from, at);
        std::ptrdiff_t misses = 0;
        while (at + 8 <= end) {
            const std::uint64_t value = load64(data + at);
            std::ptrdiff_t length = 0;
            std::ptrdiff_t distance = 0;
            std::ptrdiff_t from = at;
            if (value == 0) {
                length = 8 + zero_run(data + at + 8, data + end);
                if (data[at - 1] != 0) {
                    ++from;
                    --length;
                }
                distance = 1;
                if (static_cast<std::uint32_t>(length) * costs.zero <= zero_run_cost) length = 0;
            } else {
                const std::uint64_t hash = (value * 0x9E3779B97F4A7C15ull) >> (64 - png_hash_bits);
                const std::ptrdiff_t candidate = table[hash];
                table[hash] = static_cast<std::int32_t>(at);
                distance = at - candidate;
                if (candidate > 0 && distance <= window && load64(data + candidate) == value) {
                    length = 8 + match_length(data + at + 8, data + candidate + 8, data + end);
                    if (static_cast<std::uint32_t>(length) * costs.average <=
                        match_cost + bits_of_distance(distance))
                        length = 0;
                }
            }
            if (length >= shortest_match) {
                const std::ptrdiff_t stop = from + length;
                // Bytes before, alpha's zeros above all, often match too.
                while (from > sink.literal_start && from > distance &&
                       data[from - 1] == data[from - 1 - distance])
                    --from;
                sink.match(from, stop - from, distance);
                misses = 0;
                do at += step;
                while (at < stop);
            } else {
                const std::ptrdiff_t skip = misses >> patience_bits;
                at += step * (1 + (skip < longest_skip ? skip : longest_skip));
                ++misses;
            }
        }
        zeros_from = end;
    }
    return sink.finish(rows[row_count - 1].start + 1 + row_bytes, zeros_from, sequences, counts);
}

// A match and what it saves over its bytes as literals, in sixteenths of a bit.
struct Found {
    std::ptrdiff_t length = 0;
    std::ptrdiff_t distance = 0;
    std::int64_t saving = 0;
};

struct Searcher {
    const Byte* data;
    const PngSymbolCosts& costs;
    const PngEffort& effort;
    const PngChains& chains;
    const std::uint32_t* prefix;  // of the row: cost of its bytes before
    std::ptrdiff_t row;           // where prefix begins
    std::ptrdiff_t end;
    std::uint32_t cheapest_match;  // but for runs

    std::int64_t saving(std::ptrdiff_t at, std::ptrdiff_t length, std::ptrdiff_t distance) const {
        const std::int64_t literals = prefix[at + length - row] - prefix[at - row];
        const std::ptrdiff_t priced = length < longest_match ? length : longest_match;
        return literals - costs.length[priced] -
               costs.distance[distance_symbol(static_cast<std::uint32_t>(distance))];
    }

    static std::uint32_t hash(std::uint32_t value) {
        return (value * 2654435761u) >> (32 - png_chain_hash_bits);
    }

    void insert(std::ptrdiff_t at) const {
        const std::uint32_t value = load32(data + at);
        if (value == 0) return;  // zeros are runs
        std::int32_t& head = chains.heads[hash(value)];
        const std::ptrdiff_t back = at - head;
        if (back == 0) return;  // looked at before
        chains.links[at & (png_chain_size - 1)] =
            static_cast<std::uint16_t>(head > 0 && back < window ? back : 0);
        head = static_cast<std::int32_t>(at);
    }

    // The match at `at` that saves most; at is inserted.
    Found find(std::ptrdiff_t at) const {
        Found best;
        const std::uint32_t value = load32(data + at);
        if (value == 0) {
            if (data[at - 1] != 0) return best;
            best.length = 4 + zero_run(data + at + 4, data + end);
            best.distance = 1;
            best.saving = saving(at, best.length, 1);
            return best;
        }
        insert(at);
        // Where eight literals cost no more than the cheapest match, shorter ones need no look.
        const bool long_only =
            end - at >= 8 && prefix[at + 8 - row] - prefix[at - row] <= cheapest_match;
        const std::uint64_t eight = long_only ? load64(data + at) : 0;
        std::ptrdiff_t candidate = at;
        for (int left = effort.candidates; left > 0; --left) {
            const std::ptrdiff_t back = chains.links[candidate & (png_chain_size - 1)];
            candidate -= back;
            const std::ptrdiff_t distance = at - candidate;
            if (back == 0 || distance > window) break;
            if (best.length >= 4 && at + best.length < end &&
                data[candidate + best.length] != data[at + best.length])
                continue;
            if (long_only ? load64(data + candidate) != eight : load32(data + candidate) != value)
                continue;
            const std::ptrdiff_t length =
                4 + match_length(data + at + 4, data + candidate + 4, data + end);
            const std::int64_t saved = saving(at, length, distance);
            if (saved > best.saving) best = {length, distance, saved};
            if (length >= effort.enough) break;
        }
        return best;
    }
};

std::size_t parse_searching(const Byte* data, const PngRow* rows, std::ptrdiff_t row_count,
                            std::ptrdiff_t row_bytes, std::ptrdiff_t step,
                            const PngSymbolCosts& costs, const PngEffort& effort,
                            const PngChains& chains, PngSequence* sequences, SymbolCounts* counts) {
    std::uint32_t literals[4][256] = {};
    Sink sink{data, sequences, literals, counts->literals + 257, counts->distances};
    std::memset(chains.heads, 0, sizeof(std::int32_t) << png_chain_hash_bits);
    std::memset(chains.links, 0, sizeof(std::uint16_t) * png_chain_size);
    std::uint32_t cheapest = costs.distance[2];
    for (int i = 3; i < distance_symbols; ++i)
        if (costs.distance[i] < cheapest) cheapest = costs.distance[i];
    cheapest += costs.length[8] < costs.length[4] ? costs.length[8] : costs.length[4];
    const std::ptrdiff_t stride = effort.every_byte ? 1 : step;
    std::ptrdiff_t zeros_from = -1;
    for (std::ptrdiff_t y = 0; y < row_count; ++y) {
        const PngRow& row = rows[y];
        if (data[row.start] != 0) {
            if (zeros_from >= 0) sink.zeros(zeros_from, row.start);
            zeros_from = -1;
        } else if (zeros_from < 0) {
            zeros_from = row.start;
        }
        const std::ptrdiff_t first = row.start + 1;
        if (row.end == 0) {
            if (zeros_from < 0) zeros_from = first;
            continue;
        }
        std::ptrdiff_t at = first + row.begin;
        const std::ptrdiff_t end = first + row.end;
        if (zeros_from < 0) zeros_from = first;
        if (at > zeros_from) sink.zeros(zeros_from, at);
        // Costs of the row's bytes, summed up; matches are priced by two look-ups.
        std::uint32_t sum = 0;
        chains.prefix[0] = 0;
        for (std::ptrdiff_t i = at; i < end; ++i)
            chains.prefix[i - at + 1] = sum += costs.literal[data[i]];
        const Searcher search{data, costs, effort, chains, chains.prefix, at, end, cheapest};
        Found found;
        bool searched = false;
        while (at + 4 <= end) {
            if (!searched) found = search.find(at);
            searched = false;
            if (found.saving <= 0) {
                at += stride;
                continue;
            }
            if (found.length < effort.enough && at + stride + 4 <= end) {
                const Found next = search.find(at + stride);
                if (next.saving > found.saving) {
                    found = next;
                    at += stride;
                    searched = true;
                    continue;
                }
            }
            std::ptrdiff_t from = at;
            const std::ptrdiff_t stop = at + found.length;
            while (from > sink.literal_start && from > found.distance &&
                   data[from - 1] == data[from - 1 - found.distance])
                --from;
            sink.match(from, stop - from, found.distance);
            at += 2 * stride;  // the next position was inserted when it was looked at
            if (found.distance != 1)
                for (; at < stop; at += stride) {
                    if (at + 4 <= end) search.insert(at);
                }
            else if (at < stop)
                at += (stop - at + stride - 1) / stride * stride;
            if (at > stop && at - stride >= stop) at -= stride;
        }
        zeros_from = end;
    }
    return sink.finish(rows[row_count - 1].start + 1 + row_bytes, zeros_from, sequences, counts);
}

Byte* write(const Byte* data, const PngSequence* sequences, std::size_t sequence_count,
            const BlockCodes& codes, Byte* out, std::uint64_t* carried_word, int* carried_filled) {
    std::uint64_t word = *carried_word;
    unsigned filled = static_cast<unsigned>(*carried_filled);
    const auto flush = [&] {
        std::memcpy(out, &word, sizeof(word));
        out += filled >> 3;
        word >>= filled & ~7u;
        filled &= 7;
    };
    for (std::size_t k = 0; k < sequence_count; ++k) {
        const PngSequence sequence = sequences[k];
        const Byte* end = data + sequence.literals;
        for (; end - data >= 4; data += 4) {
            // At most 7 + 4 * 13 bits.
            const std::uint32_t a = codes.literal[data[0]];
            const std::uint32_t b = codes.literal[data[1]];
            const std::uint32_t c = codes.literal[data[2]];
            const std::uint32_t d = codes.literal[data[3]];
            const unsigned ab = (a >> 16) + (b >> 16);
            const std::uint64_t low = (a & 0xFFFF) | static_cast<std::uint64_t>(b & 0xFFFF)
                                                         << (a >> 16);
            const std::uint64_t high = (c & 0xFFFF) | static_cast<std::uint64_t>(d & 0xFFFF)
                                                          << (c >> 16);
            word |= (low | high << ab) << filled;
            filled += ab + (c >> 16) + (d >> 16);
            flush();
        }
        for (; data < end; ++data) {
            const std::uint32_t code = codes.literal[*data];
            word |= static_cast<std::uint64_t>(code & 0xFFFF) << filled;
            filled += code >> 16;
        }
        flush();  // 7 + 3 * 13 bits
        if (sequence.length == 0) continue;
        data += sequence.length;
        const int symbol = distance_symbol(sequence.distance);
        const unsigned distance_length = codes.distance_lengths[symbol];
        const std::uint64_t distance_bits =
            codes.distance_code[symbol] |
            static_cast<std::uint64_t>(sequence.distance - distance_base(symbol))
                << distance_length;
        const unsigned distance_count =
            distance_length + static_cast<unsigned>(distance_extra(symbol));
        std::uint32_t left = sequence.length;
        while (left > 0) {
            // The last piece has to keep three bytes.
            std::uint32_t piece = left;
            if (left > longest_match) piece = longest_match;
            if (left - piece > 0 && left - piece < shortest_match) piece = left - shortest_match;
            left -= piece;
            word |= static_cast<std::uint64_t>(codes.length_bits[piece]) << filled;
            filled += codes.length_count[piece];
            word |= distance_bits << filled;
            filled += distance_count;
            flush();
        }
    }
    word |= static_cast<std::uint64_t>(codes.end_code) << filled;
    filled += codes.literal_lengths[256];
    flush();
    *carried_word = word;
    *carried_filled = static_cast<int>(filled);
    return out;
}

}  // namespace

extern const PngDeflateKernels png_deflate_kernels;
const PngDeflateKernels png_deflate_kernels{&parse, &parse_searching, &write};

}  // namespace nssbg::NSSBG_LEVEL
