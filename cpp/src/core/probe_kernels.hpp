// The smallest kernel table: lets tests see that dispatch reaches the level asked for.
#pragma once

#include "core/dispatch.hpp"

namespace nssbg {

struct ProbeKernels {
    int (*compiled_level)();
};

NSSBG_DISPATCH(ProbeKernels, probe_kernels)

}  // namespace nssbg
