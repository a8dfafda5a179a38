// Row kernels of a network's maps: activation, and the doubt of each cell.
#pragma once

#include <cstddef>

#include "core/dispatch.hpp"

namespace nssbg {

struct SegmentKernels {
    // Binary entropy in bits, alpha held within 1e-4 of 0 and 1.
    void (*bits_from_alpha)(const float* alpha, float* bits, std::ptrdiff_t count);
    // In place: 1 / (1 + e^-x), x held within -60..60.
    void (*alpha_from_logits)(float* values, std::ptrdiff_t count);
};

NSSBG_DISPATCH(SegmentKernels, segment_kernels)

}  // namespace nssbg
