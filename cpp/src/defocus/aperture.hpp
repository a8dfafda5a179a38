// An aperture as runs of cells, one a row: what a circle of confusion of a radius covers.
#pragma once

#include <vector>

#include "nssbg/defocus.hpp"

namespace nssbg {

// A pixel collects the light of row `row` below it from left to right (cells, from its middle), of
// which `share` counts: the aperture turned by half a turn.
struct Run {
    std::ptrdiff_t row;
    float left, right, share;
};

// The runs of an aperture of that radius in cells (a polygon's: its corners'); their areas sum
// to one in `share` and length.
std::vector<Run> runs_of(const Aperture& aperture, double radius);

}  // namespace nssbg
