// Deflate's alphabets and its Huffman codes (RFC 1951): from symbol counts to codes and to the
// header of a dynamic block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nssbg {

constexpr int literal_symbols = 286;
constexpr int distance_symbols = 30;
// Four literals and what is left of a byte go into one 64-bit word.
constexpr int literal_code_limit = 13;
constexpr int distance_code_limit = 15;
constexpr int longest_match = 258;
constexpr int shortest_match = 3;

// What a parse produced, counted: symbols, and the extra bits that go with them.
struct SymbolCounts {
    std::uint32_t literals[literal_symbols] = {};
    std::uint32_t distances[distance_symbols] = {};
    std::uint64_t extra_bits = 0;
};

// A block's codes, ready to be written.
struct BlockCodes {
    std::uint32_t literal[256] = {};  // code | its length << 16
    // Match length 3..258: code and extra value together, and their bits.
    std::uint32_t length_bits[longest_match + 1] = {};
    std::uint8_t length_count[longest_match + 1] = {};
    std::uint32_t distance_code[distance_symbols] = {};
    std::uint32_t end_code = 0;
    std::uint8_t literal_lengths[literal_symbols] = {};
    std::uint8_t distance_lengths[distance_symbols] = {};
};

// Length symbol (0..28, without 257) and extra bits of match lengths.
struct LengthTable {
    std::uint8_t symbol[longest_match + 1] = {};
    std::uint8_t extra[29] = {};
    std::uint16_t base[29] = {};
    LengthTable();
};
extern const LengthTable length_table;

// Internal linkage, as for all that kernels use: a copy compiled for one ISA level must never
// be linked into another.
static inline int distance_symbol(std::uint32_t distance) {
    if (distance <= 4) return static_cast<int>(distance) - 1;
    const std::uint32_t value = distance - 1;
    const int top = 31 - __builtin_clz(value);
    return 2 * top + static_cast<int>((value >> (top - 1)) & 1);
}
static inline int distance_extra(int symbol) { return symbol < 4 ? 0 : symbol / 2 - 1; }
static inline std::uint32_t distance_base(int symbol) {
    if (symbol < 4) return static_cast<std::uint32_t>(symbol) + 1;
    return ((2u + (symbol & 1)) << (symbol / 2 - 1)) + 1;
}

// Length-limited Huffman code lengths for counts (0: symbol unused).
void huffman_lengths(const std::uint32_t* counts, int symbols, int limit, std::uint8_t* lengths);

// Codes for a block with these counts (an end symbol is added).
BlockCodes codes_from_counts(SymbolCounts counts);

// Bits of the block's body under these codes, end symbol included, header not.
std::uint64_t body_bits(const SymbolCounts& counts, const BlockCodes& codes);

// A byte-wise writer of least-significant-first bits; the caller sees to the room.
class BitWriter {
public:
    explicit BitWriter(std::uint8_t* out) : out_(out) {}
    void put(std::uint64_t bits, int count);         // at most 32 bits
    void align();                                    // zero bits up to the next byte
    std::uint8_t* position() const { return out_; }  // whole bytes only
    std::uint64_t pending() const { return word_; }
    int pending_count() const { return filled_; }
    void resume(std::uint8_t* out, std::uint64_t word, int filled) {
        out_ = out;
        word_ = word;
        filled_ = filled;
    }

private:
    std::uint8_t* out_;
    std::uint64_t word_ = 0;
    int filled_ = 0;
};

// Writes the header of a dynamic block. Never more than 400 bytes.
void write_dynamic_header(BitWriter& writer, const BlockCodes& codes, bool final);

}  // namespace nssbg
