// The sparse pyramid of the multi-level foreground estimate: which blocks of each level are
// computed, where their colours are stored, and in which runs they are worked off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nssbg/pool.hpp"

namespace nssbg {

// Adjacent active blocks of one block row, worked off in one piece.
struct BlockRun {
    std::ptrdiff_t block_y;
    std::ptrdiff_t block_x;
    std::ptrdiff_t blocks;
};

// One level: level k samples the picture at every 2^k-th column and row.
struct PyramidLevel {
    std::ptrdiff_t height = 0;
    std::ptrdiff_t width = 0;
    std::ptrdiff_t blocks_y = 0;
    std::ptrdiff_t blocks_x = 0;
    std::vector<std::uint8_t> active;  // per block
    std::vector<std::int32_t> slot;    // per block: its place in colors, or -1
    std::vector<BlockRun> runs;
    // Per active block six planes (foreground, background) of 16 x 16 fixed-point values.
    Scratch<std::uint16_t> colors;

    static constexpr std::ptrdiff_t block_values = 16 * 16;
    static constexpr std::ptrdiff_t slot_values = 6 * block_values;

    std::uint16_t* block(std::ptrdiff_t block_y, std::ptrdiff_t block_x) const {
        const std::int32_t place = slot[block_y * blocks_x + block_x];
        return place < 0 ? nullptr : colors.data() + place * slot_values;
    }
};

PyramidLevel make_level(std::ptrdiff_t height, std::ptrdiff_t width);

// The next coarser level, active where the given level's active blocks will read it.
PyramidLevel coarser_level(const PyramidLevel& fine);

// Gives active blocks their slots (and memory, if store) and cuts them into runs.
void plan_level(PyramidLevel& level, bool store);

}  // namespace nssbg
