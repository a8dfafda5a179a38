// The block pool: a best-fit list of idle blocks behind one mutex; what has lain idle longest goes
// first. Blocks are large, few, and taken a few times per picture, so neither the lock nor a look
// over all of them matters.
#include "nssbg/pool.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#if !defined(_WIN32)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nssbg {
namespace {

constexpr std::size_t alignment = 64;
// The header keeps the block's capacity in front of the aligned data.
constexpr std::size_t header_bytes = alignment;
constexpr std::size_t default_idle_limit = std::size_t{512} << 20;
// A block up to this many times as large as asked is still a fit: with less, a run of mixed
// pictures keeps a block of each size and holds a quarter more.
constexpr std::size_t largest_fit = 2;
constexpr std::size_t spare_divisor = 4;

struct Idle {
    void* block;
    std::uint64_t given;  // counts up with each block given back
};

struct State {
    std::mutex mutex;
    std::multimap<std::size_t, Idle> idle;  // by capacity
    std::uint64_t given = 0;
    std::size_t idle_bytes = 0;
    std::size_t held_bytes = 0;
    std::size_t most_held = 0;  // ever, in bytes
    std::size_t idle_limit = default_idle_limit;
};

// Never destroyed: NumPy arrays may give blocks back during interpreter shutdown.
State* state = new State;

// A fork while another thread holds the mutex would leave it locked for ever in
// the child: take it around the fork.
void before_fork() { state->mutex.lock(); }
void after_fork() { state->mutex.unlock(); }
#if !defined(_WIN32)
const int fork_handlers_registered = pthread_atfork(&before_fork, &after_fork, &after_fork);
#endif

#if defined(__linux__)
// Blocks from this size on are mapped by themselves, in huge pages where the system grants them
// on request: their first touch then costs a tenth (measured: 21 against 2.3 GB/s), and freeing
// them gives the memory back at once.
constexpr std::size_t mapped_from = std::size_t{4} << 20;
constexpr std::size_t huge_page = std::size_t{2} << 20;
#endif

std::size_t& capacity_of(void* block) { return *static_cast<std::size_t*>(block); }

std::size_t rounded(std::size_t bytes) {
    // Steps of an eighth of the size keep blocks reusable among similar pictures.
    std::size_t step = 4096;
    while (step * 16 < bytes) step *= 2;
    const std::size_t whole = (bytes + step - 1) / step * step;
#if defined(__linux__)
    if (whole >= mapped_from)
        return (whole + header_bytes + huge_page - 1) / huge_page * huge_page - header_bytes;
#endif
    return whole;
}

// A block for `capacity` bytes (as `rounded` gives it) and the header; nullptr if there is none.
void* new_block(std::size_t capacity) noexcept {
    const std::size_t size = capacity + header_bytes;
#if defined(_WIN32)
    void* block = _aligned_malloc(size, alignment);
#else
    void* block = nullptr;
#if defined(__linux__)
    if (capacity >= mapped_from) {
        // A huge page more than needed, so that what is kept can begin at a huge page.
        void* mapped = mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) return nullptr;
        char* start = static_cast<char*>(mapped);
        const std::size_t head =
            (huge_page - reinterpret_cast<std::uintptr_t>(start) % huge_page) % huge_page;
        if (head > 0) munmap(start, head);
        munmap(start + head + size, huge_page - head);
        block = start + head;
        madvise(block, size, MADV_HUGEPAGE);  // a wish: without huge pages all goes on as before
    }
#endif
    if (block == nullptr) block = std::aligned_alloc(alignment, size);
#endif
    if (block != nullptr) capacity_of(block) = capacity;
    return block;
}

void free_block(void* block) noexcept {
#if defined(_WIN32)
    _aligned_free(block);
#else
#if defined(__linux__)
    if (capacity_of(block) >= mapped_from) {
        munmap(block, capacity_of(block) + header_bytes);
        return;
    }
#endif
    std::free(block);
#endif
}

// Frees what was given back longest ago until `limit` holds. Needs the mutex.
void shrink_to(std::size_t limit) {
    while (state->idle_bytes > limit && !state->idle.empty()) {
        const auto oldest = std::min_element(
            state->idle.begin(), state->idle.end(),
            [](const auto& a, const auto& b) { return a.second.given < b.second.given; });
        state->idle_bytes -= oldest->first;
        free_block(oldest->second.block);
        state->idle.erase(oldest);
    }
}

}  // namespace

void* pool_acquire(std::size_t bytes) {
    if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
    const std::size_t wanted = rounded(bytes == 0 ? 1 : bytes);
    {
        std::lock_guard<std::mutex> guard(state->mutex);
        auto found = state->idle.lower_bound(wanted);
        if (found != state->idle.end() && found->first <= wanted * largest_fit) {
            void* block = found->second.block;
            state->idle_bytes -= found->first;
            state->held_bytes += found->first;
            state->idle.erase(found);
            state->most_held = std::max(state->most_held, state->held_bytes);
            return static_cast<char*>(block) + header_bytes;
        }
        // Before memory is added, idle blocks make room: with them the pool takes at most a quarter
        // more than was ever in use, however the sizes mix.
        const std::size_t in_use = state->held_bytes + wanted;
        state->most_held = std::max(state->most_held, in_use);
        const std::size_t most = state->most_held + state->most_held / spare_divisor;
        shrink_to(most - in_use);
    }
    void* block = new_block(wanted);
    if (block == nullptr) {
        pool_trim();
        throw std::bad_alloc();
    }
    std::lock_guard<std::mutex> guard(state->mutex);
    state->held_bytes += wanted;
    return static_cast<char*>(block) + header_bytes;
}

void pool_release(void* data) noexcept {
    if (data == nullptr) return;
    void* block = static_cast<char*>(data) - header_bytes;
    const std::size_t capacity = capacity_of(block);
    std::lock_guard<std::mutex> guard(state->mutex);
    state->held_bytes -= capacity;
    try {
        state->idle.emplace(capacity, Idle{block, state->given++});
        state->idle_bytes += capacity;
        shrink_to(state->idle_limit);
    } catch (...) {
        free_block(block);  // no memory for the list's node: simply free the block
    }
}

void pool_trim() noexcept {
    std::lock_guard<std::mutex> guard(state->mutex);
    shrink_to(0);
}

PoolStatistics pool_statistics() noexcept {
    std::lock_guard<std::mutex> guard(state->mutex);
    return {state->held_bytes, state->idle_bytes, state->idle_limit};
}

void pool_set_idle_limit(std::size_t bytes) noexcept {
    std::lock_guard<std::mutex> guard(state->mutex);
    state->idle_limit = bytes;
    shrink_to(bytes);
}

}  // namespace nssbg
