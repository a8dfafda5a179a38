// The cells that keep and drop points take.
#pragma once

#include <vector>

#include "corrections/cells.hpp"

namespace nssbg {

// Alpha of what belongs to a part in any way, for regions to take its soft edge with them.
constexpr float faint_cell = 0.02f;

struct Taken {
    Cells kept, dropped;
};

// colors: height x width x 3, 0..255; alpha: height x width, 0..1.
Taken regions_of_points(const std::vector<float>& colors, const std::vector<float>& alpha,
                        const std::vector<Cell>& keep, const std::vector<Cell>& drop,
                        std::ptrdiff_t height, std::ptrdiff_t width);

}  // namespace nssbg
