// Plans the sparse pyramid of the multi-level foreground estimate.
#include "foreground/pyramid.hpp"

#include <algorithm>

#include "foreground/kernels.hpp"

namespace nssbg {

PyramidLevel make_level(std::ptrdiff_t height, std::ptrdiff_t width) {
    PyramidLevel level;
    level.height = height;
    level.width = width;
    level.blocks_y = (height + block_side - 1) / block_side;
    level.blocks_x = (width + block_side - 1) / block_side;
    level.active.assign(level.blocks_y * level.blocks_x, 0);
    return level;
}

PyramidLevel coarser_level(const PyramidLevel& fine) {
    PyramidLevel coarse = make_level((fine.height + 1) / 2, (fine.width + 1) / 2);
    // First and last coarse block that a fine block with its halo reads.
    const auto first = [](std::ptrdiff_t block) {
        return std::max<std::ptrdiff_t>(0, (block * block_side - halo) / 2 / block_side);
    };
    const auto last = [](std::ptrdiff_t block, std::ptrdiff_t blocks) {
        return std::min((block * block_side + block_side + halo - 1) / 2 / block_side, blocks - 1);
    };
    for (std::ptrdiff_t y = 0; y < fine.blocks_y; ++y)
        for (std::ptrdiff_t x = 0; x < fine.blocks_x; ++x) {
            if (fine.active[y * fine.blocks_x + x] == 0) continue;
            for (std::ptrdiff_t v = first(y); v <= last(y, coarse.blocks_y); ++v)
                for (std::ptrdiff_t u = first(x); u <= last(x, coarse.blocks_x); ++u)
                    coarse.active[v * coarse.blocks_x + u] = 1;
        }
    return coarse;
}

void plan_level(PyramidLevel& level, bool store) {
    level.slot.assign(level.active.size(), -1);
    level.runs.clear();
    std::int32_t slots = 0;
    for (std::ptrdiff_t y = 0; y < level.blocks_y; ++y) {
        std::ptrdiff_t x = 0;
        while (x < level.blocks_x) {
            std::ptrdiff_t end = x;
            while (end < level.blocks_x && level.active[y * level.blocks_x + end] != 0)
                level.slot[y * level.blocks_x + end++] = slots++;
            // Even parts: a run of eight as four and four, not seven and one.
            std::ptrdiff_t parts = (end - x + most_blocks_in_run - 1) / most_blocks_in_run;
            for (; parts > 0; --parts) {
                const std::ptrdiff_t blocks = (end - x + parts - 1) / parts;
                level.runs.push_back({y, x, blocks});
                x += blocks;
            }
            ++x;
        }
    }
    if (store) level.colors = Scratch<std::uint16_t>(slots * PyramidLevel::slot_values);
}

}  // namespace nssbg
