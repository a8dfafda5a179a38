// The PNG encoder's entropy stage. Integer code only; compiled per level for the sake of its
// shifts and bit scans. Matches start at pixels, as residuals repeat by pixel, and are taken
// where they cost less than their bytes would as literals.
#include "png/kernels_deflate.hpp"

#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace nssbg::NSSBG_LEVEL {
namespace {

using Byte = std::uint8_t;

// Beyond this a distance does not fit the format's window.
constexpr std::ptrdiff_t window = 32768;
// A longer match is begun with a piece of the longest length.
constexpr std::ptrdiff_t longest_cut = longest_match + shortest_match - 1;
// A run of this many bytes that repeat the pixel before is worth a match whatever its bytes cost.
constexpr std::ptrdiff_t surely_worth = 10;

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

// 16 * log2(value), to within 1.4 sixteenths, in integers.
inline std::uint32_t log2_sixteenths(std::uint32_t value) {
    const std::uint32_t top = 31u - static_cast<std::uint32_t>(__builtin_clz(value));
    const std::uint64_t fraction = (static_cast<std::uint64_t>(value) << 4 >> top) & 15;
    return 16 * top + static_cast<std::uint32_t>(fraction);
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

// Takes a strip row by row: runs of zeros between the rows' spans become matches, and `body` gets
// each span [begin, end) that holds anything else.
template <class Body>
std::size_t walk(const PngStrip& strip, PngSequence* sequences, SymbolCounts* counts, Body&& body) {
    std::uint32_t literals[4][256] = {};
    const Byte* data = strip.data;
    Sink sink{data, sequences, literals, counts->literals + 257, counts->distances};
    std::ptrdiff_t zeros_from = -1;  // where a run of zeros began that still goes on
    for (std::ptrdiff_t y = 0; y < strip.row_count; ++y) {
        const PngRow& row = strip.rows[y];
        if (data[row.start] != 0) {  // a filter byte
            if (zeros_from >= 0) sink.zeros(zeros_from, row.start);
            zeros_from = -1;
        } else if (zeros_from < 0) {
            zeros_from = row.start;
        }
        const std::ptrdiff_t first = row.start + 1;
        if (zeros_from < 0) zeros_from = first;
        if (row.end == 0) continue;
        const std::ptrdiff_t begin = first + row.begin;
        if (begin > zeros_from) sink.zeros(zeros_from, begin);
        zeros_from = first + row.end;
        body(sink, begin, zeros_from);
    }
    const std::ptrdiff_t stop = strip.rows[strip.row_count - 1].start + 1 + strip.row_bytes;
    return sink.finish(stop, zeros_from, sequences, counts);
}

// Sets bit i of `mask` where data[i] equals the byte a pixel before it; 64 bytes.
inline std::uint64_t repeats_mask(const Byte* data, std::ptrdiff_t step) {
#if defined(__AVX512BW__)
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data), _mm512_loadu_si512(data - step));
#elif defined(__AVX2__)
    std::uint64_t mask = 0;
    for (int k = 0; k < 2; ++k) {
        const __m256i equal = _mm256_cmpeq_epi8(
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data) + k),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data - step) + k));
        mask |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(equal))} << 32 * k;
    }
    return mask;
#elif defined(__SSE2__)
    std::uint64_t mask = 0;
    for (int k = 0; k < 4; ++k) {
        const __m128i equal =
            _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data) + k),
                           _mm_loadu_si128(reinterpret_cast<const __m128i*>(data - step) + k));
        mask |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(equal))} << 16 * k;
    }
    return mask;
#else
    std::uint64_t mask = 0;
    for (int k = 0; k < 8; ++k) {
        // A byte's top bit is set where it is not zero, then the eight bits gathered in the top
        // byte.
        constexpr std::uint64_t low = 0x7F7F7F7F7F7F7F7Full;
        const std::uint64_t differ = load64(data + 8 * k) ^ load64(data + 8 * k - step);
        const std::uint64_t zero = ~(((differ & low) + low) | differ | low);
        mask |= ((zero >> 7) * 0x0102040810204080ull >> 56) << 8 * k;
    }
    return mask;
#endif
}

// Runs that repeat the pixel before, found 64 bytes at a time.
struct RunFinder {
    const Byte* data;
    std::ptrdiff_t step;
    const PngSymbolCosts& costs;

    bool worth(std::ptrdiff_t begin, std::ptrdiff_t length) const {
        if (length >= surely_worth) return true;
        std::uint32_t literals = 0;
        for (std::ptrdiff_t i = begin; i < begin + length; ++i) literals += costs.literal[data[i]];
        return literals > costs.length[length] +
                              costs.distance[distance_symbol(static_cast<std::uint32_t>(step))];
    }

    void operator()(Sink& sink, std::ptrdiff_t begin, std::ptrdiff_t end) const {
        if (begin < step) begin = step;
        std::ptrdiff_t run = -1;  // where one began that goes on into this word
        std::uint64_t mask = begin < end ? word(begin, end) : 0;
        for (std::ptrdiff_t at = begin; at < end; at += 64) {
            const std::uint64_t next = at + 64 < end ? word(at + 64, end) : 0;
            if (run >= 0) {
                if (~mask == 0) {
                    mask = next;
                    continue;
                }
                const int stop = __builtin_ctzll(~mask);
                take(sink, run, at + stop);
                run = -1;
                mask &= ~std::uint64_t{0} << stop;
            }
            // Bits from which on shortest_run bytes repeat.
            const std::uint64_t two = mask & (mask >> 1 | next << 63);
            const std::uint64_t next_two = next & next >> 1;
            std::uint64_t starts = two & (two >> 2 | next_two << 62);
            while (starts != 0) {
                const int start = __builtin_ctzll(starts);
                const std::uint64_t ended = ~mask >> start;
                if (ended == 0) {
                    run = at + start;
                    break;
                }
                const int stop = start + __builtin_ctzll(ended);
                take(sink, at + start, at + stop);
                starts &= ~std::uint64_t{0} << stop;
            }
            mask = next;
        }
        if (run >= 0) take(sink, run, end);
    }

private:
    std::uint64_t word(std::ptrdiff_t at, std::ptrdiff_t end) const {
        const std::uint64_t mask = repeats_mask(data + at, step);
        return end - at >= 64 ? mask : mask & ((std::uint64_t{1} << (end - at)) - 1);
    }
    void take(Sink& sink, std::ptrdiff_t begin, std::ptrdiff_t stop) const {
        if (worth(begin, stop - begin)) sink.match(begin, stop - begin, step);
    }
};

std::size_t parse_runs(const PngStrip& strip, const PngSymbolCosts& costs, PngSequence* sequences,
                       SymbolCounts* counts) {
    return walk(strip, sequences, counts, RunFinder{strip.data, strip.step, costs});
}

#include "png/kernels_plan.inl"

PngEstimate estimate(const PngStrip& strip, const PngSymbolCosts& costs, const PngPlan& plan,
                     std::ptrdiff_t y) {
    const std::ptrdiff_t first = strip.rows[y].start + 1;
    const std::ptrdiff_t begin = first + strip.rows[y].begin;
    const std::ptrdiff_t end = first + strip.rows[y].end;
    return strip.step == 4 ? Planner<4>(strip, costs, plan).estimate(begin, end)
                           : Planner<0>(strip, costs, plan).estimate(begin, end);
}

std::size_t parse_planned(const PngStrip& strip, const PngSymbolCosts& costs, const PngPlan& plan,
                          PngSequence* sequences, SymbolCounts* counts) {
    return strip.step == 4 ? walk(strip, sequences, counts, Planner<4>(strip, costs, plan))
                           : walk(strip, sequences, counts, Planner<0>(strip, costs, plan));
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

std::size_t parse_searching(const PngStrip& strip, const PngSymbolCosts& costs,
                            const PngEffort& effort, const PngChains& chains,
                            PngSequence* sequences, SymbolCounts* counts) {
    const Byte* data = strip.data;
    std::memset(chains.heads, 0, sizeof(std::int32_t) << png_chain_hash_bits);
    std::memset(chains.links, 0, sizeof(std::uint16_t) * png_chain_size);
    std::uint32_t cheapest = costs.distance[2];
    for (int i = 3; i < distance_symbols; ++i)
        if (costs.distance[i] < cheapest) cheapest = costs.distance[i];
    cheapest += costs.length[8] < costs.length[4] ? costs.length[8] : costs.length[4];
    const std::ptrdiff_t stride = effort.every_byte ? 1 : strip.step;
    return walk(strip, sequences, counts, [&](Sink& sink, std::ptrdiff_t at, std::ptrdiff_t end) {
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
    });
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
const PngDeflateKernels png_deflate_kernels{&parse_runs, &estimate, &parse_planned,
                                            &parse_searching, &write};

}  // namespace nssbg::NSSBG_LEVEL
