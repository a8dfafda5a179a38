// Kernels of the PNG encoder's entropy stage: parse filtered rows into literals and matches,
// and write them under a block's codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"
#include "png/deflate_codes.hpp"

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

// A strip of filtered rows; data has 64 readable bytes after the rows.
struct PngStrip {
    const std::uint8_t* data;
    const PngRow* rows;
    std::ptrdiff_t row_count;
    std::ptrdiff_t row_bytes;
    std::ptrdiff_t step;  // bytes of a pixel
};

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

// A match: 0 or 3 to 258 bytes copied from 1 to 32768 bytes back.
struct PngMatch {
    std::uint16_t length;
    std::uint16_t distance;
};

constexpr int png_plan_hash_bits = 14;
constexpr std::ptrdiff_t png_plan_nodes = 2048;  // pixels planned at once
constexpr std::ptrdiff_t png_estimate_nodes = 1024;
constexpr std::ptrdiff_t png_longest_step = 8;

// What a part of a row takes, in sixteenths of a bit: parsed as a plan has it, and by runs.
struct PngEstimate {
    std::uint32_t planned;
    std::uint32_t runs;
};

// Memory of the planning parse.
struct PngPlan {
    std::uint16_t* pixels;  // 1 << png_plan_hash_bits: low bits of where a pixel stood last
    std::uint16_t* pairs;   // the same of two pixels
    PngMatch* near;         // png_plan_nodes
    PngMatch* far;          // png_plan_nodes
    std::uint64_t* steps;   // png_plan_nodes
    std::uint32_t* costs;   // png_plan_nodes + 1
    std::uint32_t* prefix;  // png_plan_nodes * png_longest_step + 1
};

// Each parse returns the number of sequences, at most a third of the strip's bytes and two.
struct PngDeflateKernels {
    // Takes runs of the pixel before alone.
    std::size_t (*parse_runs)(const PngStrip& strip, const PngSymbolCosts& costs,
                              PngSequence* sequences, SymbolCounts* counts);
    // What a plan of row y would save.
    PngEstimate (*estimate)(const PngStrip& strip, const PngSymbolCosts& costs, const PngPlan& plan,
                            std::ptrdiff_t y);
    // Chooses the cheapest of all ways to combine a few matches for each pixel.
    std::size_t (*parse_planned)(const PngStrip& strip, const PngSymbolCosts& costs,
                                 const PngPlan& plan, PngSequence* sequences, SymbolCounts* counts);
    // Searches hash chains, each match weighed by what its bytes cost as literals.
    std::size_t (*parse_searching)(const PngStrip& strip, const PngSymbolCosts& costs,
                                   const PngEffort& effort, const PngChains& chains,
                                   PngSequence* sequences, SymbolCounts* counts);
    // Writes sequences and the end symbol. word and filled carry bits between calls.
    std::uint8_t* (*write)(const std::uint8_t* data, const PngSequence* sequences,
                           std::size_t sequence_count, const BlockCodes& codes, std::uint8_t* out,
                           std::uint64_t* word, int* filled);
};

NSSBG_DISPATCH(PngDeflateKernels, png_deflate_kernels)

}  // namespace nssbg
