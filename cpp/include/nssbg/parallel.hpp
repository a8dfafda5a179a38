// The project's one thread pool: lazy, shared, the caller takes part, workers
// block when idle. threads = 1 runs inline and creates nothing. What a caller
// computes must not depend on how the range is cut: output is the same for any
// thread count. Safe to call from several threads at once and after fork().
#pragma once

#include <cstddef>
#include <functional>

namespace nssbg {

// Called with a half-open range and the slot (0 .. threads - 1) that runs it;
// at any moment a slot runs in one thread only, so it can index scratch memory.
using RangeBody = std::function<void(std::ptrdiff_t begin, std::ptrdiff_t end, int slot)>;

// Runs body over [0, count) in pieces of at most `grain` items on up to `threads`
// threads. The first exception of a body is rethrown here after all pieces stop.
// Throws std::invalid_argument for threads < 1 or grain < 1.
void parallel_for(int threads, std::ptrdiff_t count, std::ptrdiff_t grain, const RangeBody& body);

// Cores this process may use: affinity mask and cgroup quota, at least 1.
int usable_cores();

// Resolves a thread count as users give it: 0 means usable_cores().
int resolve_threads(int threads);

}  // namespace nssbg
