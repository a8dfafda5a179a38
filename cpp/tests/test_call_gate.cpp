// The call gate: who is let in, who waits for whom; and what a forked child finds.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "check.hpp"
#include "nssbg/call_gate.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace nssbg;

namespace {

constexpr int long_enough = 10000;

// Enters as a binding does, but for the interpreter's lock.
bool enter() {
    for (;;) {
        const Entry entry = gate_enter();
        if (entry != Entry::must_wait) return entry == Entry::inside;
        gate_wait();
    }
}

#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__)
// What a child's body returns is its exit code; a child that hangs is ended by its alarm.
template <class Body>
int code_of_child(const Body& body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(10);
        _exit(body());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
#endif

}  // namespace

TEST(a_held_gate_waits_for_those_inside_and_keeps_others_out) {
    CHECK(enter());
    CHECK(enter());  // nested
    gate_leave();
    CHECK(gate_hold(0));  // its own call is no reason to wait
    std::atomic<bool> in{false};
    std::thread other([&] {
        CHECK(enter());
        in = true;
        gate_leave();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    CHECK(!in);
    CHECK(enter());  // nested ones always get in: else they would wait for themselves
    gate_leave();
    gate_release();
    other.join();
    CHECK(in);
    gate_leave();
}

TEST(a_hold_says_where_it_gave_up_waiting) {
    std::atomic<bool> in{false}, go_on{false};
    std::thread other([&] {
        CHECK(enter());
        in = true;
        while (!go_on) std::this_thread::yield();
        gate_leave();
    });
    while (!in) std::this_thread::yield();
    CHECK(!gate_hold(20));
    gate_release();
    std::thread holder([&] {
        CHECK(gate_hold(long_enough));
        gate_release();
    });
    go_on = true;
    holder.join();
    other.join();
}

TEST(many_threads_and_many_holds_never_meet) {
    std::atomic<int> inside{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            while (!stop) {
                CHECK(enter());
                ++inside;
                std::this_thread::yield();
                --inside;
                gate_leave();
            }
        });
    for (int i = 0; i < 200; ++i) {
        CHECK(gate_hold(long_enough));
        CHECK(inside == 0);
        gate_release();
    }
    stop = true;
    for (auto& caller : callers) caller.join();
}

#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__)
TEST(a_closed_gate_lets_only_its_closer_in) {
    // In a child, since it is for good.
    CHECK(code_of_child([] {
              std::atomic<bool> in{false}, go_on{false};
              std::atomic<int> refused{0};
              std::thread inside([&] {
                  enter();
                  in = true;
                  while (!go_on) std::this_thread::yield();
                  gate_leave();
                  if (gate_enter() == Entry::closed) ++refused;
              });
              while (!in) std::this_thread::yield();
              gate_hold(0);
              std::thread waiting([&] {
                  if (!enter()) ++refused;  // woken by the closing, though the hold goes on
              });
              if (gate_close(20)) return 1;
              go_on = true;
              if (!gate_close(long_enough)) return 2;
              inside.join();
              waiting.join();
              gate_release();
              return refused == 2 && enter() ? 0 : 3;
          }) == 0);
}

TEST(a_child_forked_amid_calls_has_a_gate_a_pool_and_memory_of_its_own) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 3; ++i)
        busy.emplace_back([&] {
            while (!stop) {
                enter();
                parallel_for(3, 64, 1, [](std::ptrdiff_t, std::ptrdiff_t, int) {
                    pool_release(pool_acquire(100000));
                });
                gate_leave();
            }
        });
    for (int i = 0; i < 50; ++i) {
        CHECK(code_of_child([] {
                  std::atomic<int> done{0};
                  if (!enter()) return 1;
                  parallel_for(4, 100, 1, [&](std::ptrdiff_t, std::ptrdiff_t, int) {
                      pool_release(pool_acquire(1000));
                      ++done;
                  });
                  gate_leave();
                  return done == 100 && gate_hold(0) ? 0 : 2;
              }) == 0);
    }
    stop = true;
    for (auto& thread : busy) thread.join();
}
#endif
