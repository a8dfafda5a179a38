// Kernels of the PNG encoder's entropy stage: parse filtered rows into literals and matches,
// and write them under a block's codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "deflate_codes.hpp"
#include "dispatch.hpp"

namespace nssbg {

// A filtered row within a strip: its filter byte stands at `start`; of the row_bytes after it
// all outside [begin, end) are zero. end = 0: all are.
struct PngRow {
    std::ptrdiff_t start;
    std::ptrdiff_t begin;
    std::ptrdiff_t end;
};

// `literals` bytes as they are, then `length` bytes (0: none, any number from 3) copied from
// `distance` bytes back.
struct PngSequence {
    std::uint32_t literals;
    std::uint32_t length;
    std::uint32_t distance;
};

// What a literal costs on average and what a zero costs, in sixteenths of a bit.
struct PngLiteralCosts {
    std::uint32_t average;
    std::uint32_t zero;
};

constexpr int png_hash_bits = 12;

// What symbols cost with their extra bits, in sixteenths of a bit.
struct PngSymbolCosts {
    std::uint32_t literal[256];
    std::uint32_t length[longest_match + 1];
    std::uint32_t distance[distance_symbols];
};

// How hard the searching parse searches.
struct PngEffort {
    int candidates;   // looked at for each pixel
    int enough;       // bytes of a match that end the search
    bool every_byte;  // begin matches at any byte rather than at pixels
};

constexpr int png_chain_hash_bits = 13;
constexpr std::size_t png_chain_size = 32768;

// Memory of the searching parse.
struct PngChains {
    std::int32_t* heads;    // 1 << png_chain_hash_bits
    std::uint16_t* links;   // png_chain_size
    std::uint32_t* prefix;  // row_bytes + 1
};

struct PngDeflateKernels {
    // Parses a strip greedily; data has 8 readable bytes after it; table has 1 << png_hash_bits
    // entries. Returns the number of sequences, at most data / 3 + 2.
    std::size_t (*parse)(const std::uint8_t* data, const PngRow* rows, std::ptrdiff_t row_count,
                         std::ptrdiff_t row_bytes, std::ptrdiff_t step,
                         const PngLiteralCosts& costs, std::int32_t* table, PngSequence* sequences,
                         SymbolCounts* counts);
    // Parses a strip with hash chains, each match weighed by what its bytes cost as literals.
    std::size_t (*parse_searching)(const std::uint8_t* data, const PngRow* rows,
                                   std::ptrdiff_t row_count, std::ptrdiff_t row_bytes,
                                   std::ptrdiff_t step, const PngSymbolCosts& costs,
                                   const PngEffort& effort, const PngChains& chains,
                                   PngSequence* sequences, SymbolCounts* counts);
    // Writes sequences and the end symbol. word and filled carry bits between calls.
    std::uint8_t* (*write)(const std::uint8_t* data, const PngSequence* sequences,
                           std::size_t sequence_count, const BlockCodes& codes, std::uint8_t* out,
                           std::uint64_t* word, int* filled);
};

NSSBG_DISPATCH(PngDeflateKernels, png_deflate_kernels)

}  // namespace nssbg
