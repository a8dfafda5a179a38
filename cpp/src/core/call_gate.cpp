// One counter behind a mutex that is never held for long; see the header for what it is for.
#include "nssbg/call_gate.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace nssbg {
namespace {

struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    int inside = 0;
    int waiting = 0;  // between Entry::must_wait and the next gate_enter
    int holds = 0;
    bool closed = false;
};

// Never destroyed: daemon threads may come here during static destruction.
Gate* gate = new Gate;

// This thread's nested calls, whether it is to enter again, and whether it closed the gate.
thread_local int depth = 0;
thread_local bool comes_back = false;
thread_local bool closer = false;

// In a forked child only the forking thread is left; the old gate's locks are in an unknown state.
void forget_gate_after_fork() {
    gate = new Gate;
    gate->inside = depth > 0 ? 1 : 0;
    comes_back = false;
}
#if !defined(_WIN32)
const int fork_handler_registered = pthread_atfork(nullptr, nullptr, &forget_gate_after_fork);
#endif

}  // namespace

Entry gate_enter() {
    if (depth > 0) {
        ++depth;
        return Entry::inside;
    }
    std::lock_guard<std::mutex> guard(gate->mutex);
    if (comes_back) {
        comes_back = false;
        --gate->waiting;
        gate->changed.notify_all();
    }
    if (gate->closed && !closer) return Entry::closed;
    if (gate->holds > 0) {
        comes_back = true;
        ++gate->waiting;
        return Entry::must_wait;
    }
    ++depth;
    ++gate->inside;
    return Entry::inside;
}

void gate_wait() {
    std::unique_lock<std::mutex> lock(gate->mutex);
    gate->changed.wait(lock, [] { return gate->holds == 0 || gate->closed; });
}

void gate_leave() noexcept {
    if (--depth > 0) return;
    std::lock_guard<std::mutex> guard(gate->mutex);
    --gate->inside;
    if (gate->holds > 0 || gate->closed) gate->changed.notify_all();
}

bool gate_hold(int milliseconds) {
    std::unique_lock<std::mutex> lock(gate->mutex);
    ++gate->holds;
    const int own = depth > 0 ? 1 : 0;
    return gate->changed.wait_for(lock, std::chrono::milliseconds(milliseconds),
                                  [own] { return gate->inside <= own; });
}

void gate_release() noexcept {
    std::lock_guard<std::mutex> guard(gate->mutex);
    --gate->holds;
    gate->changed.notify_all();
}

bool gate_close(int milliseconds) {
    std::unique_lock<std::mutex> lock(gate->mutex);
    closer = true;
    gate->closed = true;
    gate->changed.notify_all();
    const int own = depth > 0 ? 1 : 0;
    return gate->changed.wait_for(lock, std::chrono::milliseconds(milliseconds),
                                  [own] { return gate->inside <= own && gate->waiting == 0; });
}

}  // namespace nssbg
