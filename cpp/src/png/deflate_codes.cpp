// Huffman codes for deflate blocks. Code lengths by Moffat and Katajainen's in-place method
// ("In-place calculation of minimum-redundancy codes", 1995), limited by moving leaves.
#include "png/deflate_codes.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace nssbg {
namespace {

constexpr std::uint16_t length_bases[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                            15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                            67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::uint8_t length_extras[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                            2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

std::uint32_t reversed(std::uint32_t code, int length) {
    std::uint32_t out = 0;
    for (int i = 0; i < length; ++i) out |= ((code >> i) & 1) << (length - 1 - i);
    return out;
}

// Canonical codes, bits reversed as deflate writes them.
void canonical(const std::uint8_t* lengths, int symbols, std::uint32_t* codes) {
    std::uint32_t next[17] = {};
    std::uint32_t counts[17] = {};
    for (int i = 0; i < symbols; ++i) ++counts[lengths[i]];
    counts[0] = 0;
    std::uint32_t code = 0;
    for (int length = 1; length <= 16; ++length) {
        code = (code + counts[length - 1]) << 1;
        next[length] = code;
    }
    for (int i = 0; i < symbols; ++i)
        codes[i] = lengths[i] == 0 ? 0 : reversed(next[lengths[i]]++, lengths[i]);
}

}  // namespace

LengthTable::LengthTable() {
    for (int i = 0; i < 29; ++i) {
        base[i] = length_bases[i];
        extra[i] = length_extras[i];
    }
    int at = 0;
    for (int length = shortest_match; length <= longest_match; ++length) {
        while (at < 28 && length_bases[at + 1] <= length) ++at;
        symbol[length] = static_cast<std::uint8_t>(at);
    }
}
const LengthTable length_table;

void huffman_lengths(const std::uint32_t* counts, int symbols, int limit, std::uint8_t* lengths) {
    std::memset(lengths, 0, static_cast<std::size_t>(symbols));
    // Sorted by count, then symbol, in one number.
    std::uint64_t order[literal_symbols + 2];
    int used = 0;
    for (int i = 0; i < symbols; ++i)
        if (counts[i] != 0)
            order[used++] = static_cast<std::uint64_t>(counts[i]) << 16 | static_cast<unsigned>(i);
    if (used == 0) return;
    if (used == 1) {
        lengths[order[0] & 0xFFFF] = 1;
        return;
    }
    std::sort(order, order + used);
    std::uint64_t a[literal_symbols + 2];
    for (int i = 0; i < used; ++i) a[i] = order[i] >> 16;
    // Moffat and Katajainen: parents, then depths of internal nodes, then of leaves.
    const int n = used;
    a[0] += a[1];
    int root = 0;
    int leaf = 2;
    for (int next = 1; next < n - 1; ++next) {
        if (leaf >= n || a[root] < a[leaf]) {
            a[next] = a[root];
            a[root++] = static_cast<std::uint64_t>(next);
        } else {
            a[next] = a[leaf++];
        }
        if (leaf >= n || (root < next && a[root] < a[leaf])) {
            a[next] += a[root];
            a[root++] = static_cast<std::uint64_t>(next);
        } else {
            a[next] += a[leaf++];
        }
    }
    a[n - 2] = 0;
    for (int next = n - 3; next >= 0; --next) a[next] = a[a[next]] + 1;
    int per_length[64] = {};
    int available = 1;
    int depth = 0;
    int internal = n - 2;
    while (available > 0) {
        int here = 0;
        while (internal >= 0 && a[internal] == static_cast<std::uint64_t>(depth)) {
            ++here;
            --internal;
        }
        per_length[std::min(depth, limit)] += available - here;
        available = 2 * here;
        ++depth;
    }
    // Codes cut to the limit overfill the tree; lengthen the deepest that can be until they fit.
    std::uint64_t kraft = 0;
    for (int length = 1; length <= limit; ++length)
        kraft += static_cast<std::uint64_t>(per_length[length]) << (limit - length);
    while (kraft > (std::uint64_t{1} << limit)) {
        --per_length[limit];
        for (int length = limit - 1; length > 0; --length)
            if (per_length[length] > 0) {
                --per_length[length];
                per_length[length + 1] += 2;
                break;
            }
        --kraft;
    }
    int at = 0;  // rarest symbols first get the longest codes
    for (int length = limit; length >= 1; --length)
        for (int k = 0; k < per_length[length]; ++k)
            lengths[order[at++] & 0xFFFF] = static_cast<std::uint8_t>(length);
}

BlockCodes codes_from_counts(SymbolCounts counts) {
    BlockCodes codes;
    ++counts.literals[256];
    huffman_lengths(counts.literals, literal_symbols, literal_code_limit, codes.literal_lengths);
    huffman_lengths(counts.distances, distance_symbols, distance_code_limit,
                    codes.distance_lengths);
    std::uint32_t literal_codes[literal_symbols];
    canonical(codes.literal_lengths, literal_symbols, literal_codes);
    canonical(codes.distance_lengths, distance_symbols, codes.distance_code);
    for (int i = 0; i < 256; ++i)
        codes.literal[i] = literal_codes[i] | static_cast<std::uint32_t>(codes.literal_lengths[i])
                                                  << 16;
    for (int length = shortest_match; length <= longest_match; ++length) {
        const int symbol = length_table.symbol[length];
        const int code_length = codes.literal_lengths[257 + symbol];
        const std::uint32_t extra = static_cast<std::uint32_t>(length) - length_table.base[symbol];
        codes.length_bits[length] = literal_codes[257 + symbol] | extra << code_length;
        codes.length_count[length] =
            static_cast<std::uint8_t>(code_length + length_table.extra[symbol]);
    }
    codes.end_code = literal_codes[256];
    return codes;
}

std::uint64_t body_bits(const SymbolCounts& counts, const BlockCodes& codes) {
    std::uint64_t bits = counts.extra_bits + codes.literal_lengths[256];
    for (int i = 0; i < literal_symbols; ++i)
        bits += static_cast<std::uint64_t>(counts.literals[i]) * codes.literal_lengths[i];
    for (int i = 0; i < distance_symbols; ++i)
        bits += static_cast<std::uint64_t>(counts.distances[i]) * codes.distance_lengths[i];
    return bits;
}

void BitWriter::put(std::uint64_t bits, int count) {
    word_ |= bits << filled_;
    filled_ += count;
    while (filled_ >= 8) {
        *out_++ = static_cast<std::uint8_t>(word_);
        word_ >>= 8;
        filled_ -= 8;
    }
}

void BitWriter::align() {
    if (filled_ > 0) put(0, 8 - filled_);
}

void write_dynamic_header(BitWriter& writer, const BlockCodes& codes, bool final) {
    int literals = literal_symbols;
    while (literals > 257 && codes.literal_lengths[literals - 1] == 0) --literals;
    int distances = distance_symbols;
    while (distances > 1 && codes.distance_lengths[distances - 1] == 0) --distances;
    std::uint8_t all[literal_symbols + distance_symbols];
    std::memcpy(all, codes.literal_lengths, static_cast<std::size_t>(literals));
    std::memcpy(all + literals, codes.distance_lengths, static_cast<std::size_t>(distances));
    const int total = literals + distances;
    // Run lengths of code lengths: symbol | extra << 8 | extra bits << 16.
    std::vector<std::uint32_t> runs;
    std::uint32_t counts[19] = {};
    const auto add = [&](std::uint32_t symbol, std::uint32_t extra, std::uint32_t bits) {
        runs.push_back(symbol | extra << 8 | bits << 16);
        ++counts[symbol];
    };
    for (int i = 0; i < total;) {
        int run = 1;
        while (i + run < total && all[i + run] == all[i]) ++run;
        int left = run;
        if (all[i] == 0) {
            while (left >= 11) {
                const int n = std::min(left, 138);
                add(18, static_cast<std::uint32_t>(n - 11), 7);
                left -= n;
            }
            if (left >= 3) {
                add(17, static_cast<std::uint32_t>(left - 3), 3);
                left = 0;
            }
        } else if (left >= 4) {
            add(all[i], 0, 0);
            --left;
            while (left >= 3) {
                const int n = std::min(left, 6);
                add(16, static_cast<std::uint32_t>(n - 3), 2);
                left -= n;
            }
        }
        for (; left > 0; --left) add(all[i], 0, 0);
        i += run;
    }
    std::uint8_t lengths[19];
    huffman_lengths(counts, 19, 7, lengths);
    std::uint32_t length_codes[19];
    canonical(lengths, 19, length_codes);
    constexpr int order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    int kept = 19;
    while (kept > 4 && lengths[order[kept - 1]] == 0) --kept;
    writer.put(final ? 1 : 0, 1);
    writer.put(2, 2);
    writer.put(static_cast<std::uint64_t>(literals - 257), 5);
    writer.put(static_cast<std::uint64_t>(distances - 1), 5);
    writer.put(static_cast<std::uint64_t>(kept - 4), 4);
    for (int i = 0; i < kept; ++i) writer.put(lengths[order[i]], 3);
    for (const std::uint32_t run : runs) {
        const std::uint32_t symbol = run & 255;
        writer.put(length_codes[symbol], lengths[symbol]);
        writer.put((run >> 8) & 255, static_cast<int>(run >> 16));
    }
}

}  // namespace nssbg
