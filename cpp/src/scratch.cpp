// The block pool: a best-fit list of idle blocks behind one mutex; what has lain idle longest goes
// first. Blocks are large, few, and taken a few times per picture, so neither the lock nor a look
// over all of them matters.
#include "nssbg/scratch.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace nssbg {
namespace {

constexpr std::size_t alignment = 64;
// The header keeps the block's capacity in front of the aligned data.
constexpr std::size_t header_bytes = alignment;
constexpr std::size_t default_idle_limit = std::size_t{512} << 20;
// A block up to this much larger than asked is still a fit.
constexpr std::size_t slack_divisor = 4;

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

std::size_t rounded(std::size_t bytes) {
    // Steps of an eighth of the size keep blocks reusable among similar pictures.
    std::size_t step = 4096;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
}

void free_block(void* block) noexcept {
#if defined(_WIN32)
    _aligned_free(block);
#else
    std::free(block);
#endif
}

std::size_t& capacity_of(void* block) { return *static_cast<std::size_t*>(block); }

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

void* pool_take(std::size_t bytes) {
    if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
    const std::size_t wanted = rounded(bytes == 0 ? 1 : bytes);
    {
        std::lock_guard<std::mutex> guard(state->mutex);
        auto found = state->idle.lower_bound(wanted);
        if (found != state->idle.end() && found->first <= wanted + wanted / slack_divisor) {
            void* block = found->second.block;
            state->idle_bytes -= found->first;
            state->held_bytes += found->first;
            state->idle.erase(found);
            return static_cast<char*>(block) + header_bytes;
        }
    }
#if defined(_WIN32)
    void* block = _aligned_malloc(wanted + header_bytes, alignment);
#else
    void* block = std::aligned_alloc(alignment, wanted + header_bytes);
#endif
    if (block == nullptr) {
        pool_trim();
        throw std::bad_alloc();
    }
    capacity_of(block) = wanted;
    std::lock_guard<std::mutex> guard(state->mutex);
    state->held_bytes += wanted;
    return static_cast<char*>(block) + header_bytes;
}

void pool_give(void* data) noexcept {
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
