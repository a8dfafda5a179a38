// What all stages stand on: dispatch, the thread pool, the memory pool.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "core/probe_kernels.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"

using namespace nssbg;

TEST(every_available_level_runs_kernels_compiled_for_it) {
    for (const Isa level : available_isa_levels()) {
        set_isa(isa_name(level));
        CHECK(active_isa() == level);
#ifdef NSSBG_HAVE_LEVEL_V4
        CHECK(active_probe_kernels().compiled_level() == static_cast<int>(level));
#endif
    }
    set_isa("auto");
}

TEST(unknown_level_is_refused_and_leaves_the_old_one) {
    const Isa before = active_isa();
    CHECK_THROWS(set_isa("v9"), std::invalid_argument);
    CHECK(active_isa() == before);
}

TEST(parallel_for_visits_every_item_once) {
    for (const int threads : {1, 2, 3, 7}) {
        for (const std::ptrdiff_t grain : {1, 3, 64, 5000}) {
            std::vector<std::atomic<int>> visits(1009);
            parallel_for(threads, 1009, grain, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                CHECK(begin < end);
                for (std::ptrdiff_t i = begin; i < end; ++i) ++visits[i];
            });
            bool once = true;
            for (const auto& count : visits) once = once && count == 1;
            CHECK(once);
        }
    }
}

TEST(a_slot_runs_in_one_thread_at_a_time) {
    std::vector<std::atomic<int>> inside(4);
    std::atomic<bool> clash{false};
    parallel_for(4, 400, 1, [&](std::ptrdiff_t, std::ptrdiff_t, int slot) {
        if (slot < 0 || slot >= 4 || ++inside[slot] != 1) clash = true;
        std::this_thread::yield();
        --inside[slot];
    });
    CHECK(!clash);
}

TEST(an_exception_in_a_piece_reaches_the_caller) {
    for (const int threads : {1, 4}) {
        CHECK_THROWS(parallel_for(threads, 100, 1,
                                  [](std::ptrdiff_t begin, std::ptrdiff_t, int) {
                                      if (begin == 37) throw std::runtime_error("piece 37");
                                  }),
                     std::runtime_error);
    }
}

TEST(parallel_for_may_be_nested_and_called_from_many_threads) {
    std::atomic<int> total{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            parallel_for(3, 10, 1, [&](std::ptrdiff_t, std::ptrdiff_t, int) {
                parallel_for(2, 10, 3, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                    total += static_cast<int>(end - begin);
                });
            });
        });
    for (auto& caller : callers) caller.join();
    CHECK(total == 400);
}

TEST(parallel_for_refuses_bad_arguments) {
    const auto nothing = [](std::ptrdiff_t, std::ptrdiff_t, int) {};
    CHECK_THROWS(parallel_for(0, 1, 1, nothing), std::invalid_argument);
    CHECK_THROWS(parallel_for(1, 1, 0, nothing), std::invalid_argument);
    CHECK_THROWS(resolve_threads(-1), std::invalid_argument);
    CHECK(resolve_threads(0) == usable_cores());
}

TEST(pool_blocks_are_aligned_writable_and_reused) {
    pool_trim();
    void* first = pool_acquire(1000000);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    std::memset(first, 7, 1000000);
    pool_release(first);
    CHECK(pool_statistics().idle_bytes >= 1000000);
    void* second = pool_acquire(990000);
    CHECK(second == first);
    CHECK(pool_statistics().idle_bytes == 0);
    pool_release(second);
    pool_trim();
    CHECK(pool_statistics().idle_bytes == 0);
}

TEST(pool_keeps_its_idle_limit) {
    const std::size_t before = pool_statistics().idle_limit;
    pool_trim();
    pool_set_idle_limit(1 << 20);
    void* blocks[4];
    for (auto& block : blocks) block = pool_acquire(500000);
    for (auto& block : blocks) pool_release(block);
    CHECK(pool_statistics().idle_bytes <= (1 << 20));
    pool_set_idle_limit(before);
    pool_trim();
}

TEST(pool_lets_go_of_what_has_lain_idle_longest) {
    const std::size_t before = pool_statistics().idle_limit;
    pool_trim();
    constexpr std::size_t unit = 256 << 10;
    void* small = pool_acquire(unit);
    void* large = pool_acquire(4 * unit);
    void* middle = pool_acquire(2 * unit);
    pool_release(small);
    pool_release(large);
    pool_release(middle);
    pool_set_idle_limit(6 * unit);
    // The small one went, though the large one alone would have made as much room.
    CHECK(pool_statistics().idle_bytes == 6 * unit);
    void* again = pool_acquire(4 * unit);
    CHECK(again == large);
    pool_release(again);  // now the middle one is the oldest
    pool_set_idle_limit(5 * unit);
    CHECK(pool_statistics().idle_bytes == 4 * unit);
    pool_set_idle_limit(before);
    pool_trim();
}

TEST(pool_frees_idle_blocks_that_do_not_fit_before_it_grows) {
    pool_trim();
    // The most ever in use here, whatever other tests took.
    constexpr std::size_t most = std::size_t{64} << 20;
    pool_release(pool_acquire(most));
    const std::size_t held = pool_statistics().held_bytes;
    for (std::size_t bytes = 1 << 20; bytes < most; bytes = bytes * 5 / 2) {
        pool_release(pool_acquire(bytes));
        CHECK(pool_statistics().idle_bytes <= most * 4 / 3);
    }
    CHECK(pool_statistics().held_bytes == held);
    pool_trim();
}

TEST(large_pool_blocks_are_aligned_and_writable_to_their_end) {
    pool_trim();
    // Around the sizes where blocks begin to be mapped by themselves.
    for (const std::size_t bytes : {(std::size_t{4} << 20) - 4096, std::size_t{4} << 20,
                                    (std::size_t{6} << 20) + 1, std::size_t{36000000}}) {
        auto* block = static_cast<unsigned char*>(pool_acquire(bytes));
        CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
        std::memset(block, 9, bytes);
        CHECK(block[bytes - 1] == 9);
        pool_release(block);
        void* again = pool_acquire(bytes - bytes / 50);
        CHECK(again == block);
        pool_release(again);
        pool_trim();
        CHECK(pool_statistics().idle_bytes == 0);
    }
}

TEST(pool_refuses_an_impossible_size) {
    CHECK_THROWS(pool_acquire(SIZE_MAX - 8), std::bad_alloc);
    // Products that wrap around to something small.
    CHECK_THROWS(pool_take_items(SIZE_MAX / 4 + 2, 4), std::bad_alloc);
    CHECK_THROWS(Scratch<double>(SIZE_MAX / 8 + 2), std::bad_alloc);
}
