// A rectangle of whole pixels, as all stages have it. Axes in the order y, x
// (docs/decisions/0101-order-of-axes.md).
#pragma once

#include <cstddef>

namespace nssbg {

// Half-open: bottom and right are the first row and column that no longer belong to it.
struct Box {
    std::ptrdiff_t top = 0;
    std::ptrdiff_t left = 0;
    std::ptrdiff_t bottom = 0;
    std::ptrdiff_t right = 0;
};

}  // namespace nssbg
