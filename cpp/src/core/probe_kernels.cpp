// Tells which ISA level this translation unit was compiled for, from the
// compiler's own macros, so a wrong flag in the build cannot go unseen.
#include "core/probe_kernels.hpp"

namespace nssbg::NSSBG_LEVEL {

static int compiled_level() {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    return 4;
#elif defined(__AVX2__)
    return 3;
#elif defined(__SSE4_2__)
    return 2;
#else
    return 1;
#endif
}

extern const ProbeKernels probe_kernels;
const ProbeKernels probe_kernels{&compiled_level};

}  // namespace nssbg::NSSBG_LEVEL
