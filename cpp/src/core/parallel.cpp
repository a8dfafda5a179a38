// A small blocking pool. Jobs stand in a list; idle workers take the next piece
// of the first job that still has pieces and a free slot.
#include "nssbg/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace nssbg {
namespace {

// Above this a thread count is a mistake, not a machine.
constexpr int most_threads = 1024;

struct Job {
    const RangeBody* body;
    std::ptrdiff_t count;
    std::ptrdiff_t grain;
    int slots;  // threads allowed, the caller included
    std::atomic<std::ptrdiff_t> next{0};
    int slots_taken = 1;       // slot 0 is the caller's; guarded by the pool's mutex
    int running = 0;           // workers inside; guarded by the pool's mutex
    std::exception_ptr error;  // first one; guarded by the pool's mutex

    bool has_pieces() const { return next.load(std::memory_order_relaxed) < count; }
};

class Pool {
public:
    void run(Job& job) {
        std::unique_lock<std::mutex> lock(mutex_);
        while (static_cast<int>(workers_.size()) < job.slots - 1)
            workers_.emplace_back([this] { work(); });
        jobs_.push_back(&job);
        lock.unlock();
        wake_.notify_all();
        run_pieces(job, 0);
        lock.lock();
        jobs_.remove(&job);
        done_.wait(lock, [&] { return job.running == 0; });
        if (job.error) std::rethrow_exception(job.error);
    }

private:
    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            Job* job = nullptr;
            wake_.wait(lock, [&] { return (job = open_job()) != nullptr; });
            const int slot = job->slots_taken++;
            ++job->running;
            lock.unlock();
            run_pieces(*job, slot);
            lock.lock();
            if (--job->running == 0) done_.notify_all();
        }
    }

    // A job that another thread may join, or nullptr. Needs the mutex.
    Job* open_job() {
        for (Job* job : jobs_)
            if (job->slots_taken < job->slots && job->has_pieces()) return job;
        return nullptr;
    }

    void run_pieces(Job& job, int slot) {
        for (;;) {
            const std::ptrdiff_t begin = job.next.fetch_add(job.grain, std::memory_order_relaxed);
            if (begin >= job.count) return;
            try {
                (*job.body)(begin, std::min(begin + job.grain, job.count), slot);
            } catch (...) {
                std::lock_guard<std::mutex> guard(mutex_);
                if (!job.error) job.error = std::current_exception();
                job.next.store(job.count, std::memory_order_relaxed);
            }
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::list<Job*> jobs_;
    std::vector<std::thread> workers_;
};

// Never destroyed: worker threads may outlive static destruction. After fork()
// the child has none of the workers, so it starts with a new pool; the old one's
// memory is left as it is, its locks being in an unknown state.
std::atomic<Pool*> pool{nullptr};
std::mutex* pool_mutex = new std::mutex;

void reset_pool_after_fork() {
    pool.store(nullptr);
    pool_mutex = new std::mutex;
}
#if !defined(_WIN32)
// At load, not with the first pool: a fork while another thread makes that one would leave the
// mutex locked in the child.
const int fork_handler_registered = pthread_atfork(nullptr, nullptr, &reset_pool_after_fork);
#endif

Pool& the_pool() {
    if (Pool* existing = pool.load(std::memory_order_acquire)) return *existing;
    std::lock_guard<std::mutex> guard(*pool_mutex);
    if (pool.load() == nullptr) pool.store(new Pool, std::memory_order_release);
    return *pool.load();
}

// Cores granted by a cgroup quota (v2, then v1), or 0 where there is none.
double cgroup_cores() {
    double quota = 0;
    double period = 0;
    if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
        const int read = std::fscanf(file, "%lf %lf", &quota, &period);
        std::fclose(file);
        return read == 2 && period > 0 ? quota / period : 0;
    }
    if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
        const int read = std::fscanf(file, "%lf", &quota);
        std::fclose(file);
        if (read != 1 || quota <= 0) return 0;
        if (std::FILE* other = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
            const int got = std::fscanf(other, "%lf", &period);
            std::fclose(other);
            return got == 1 && period > 0 ? quota / period : 0;
        }
    }
    return 0;
}

}  // namespace

int usable_cores() {
    int cores = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
#endif
    const double granted = cgroup_cores();
    // Half a core of quota still runs one thread; 1.5 cores keep two threads busy.
    if (granted > 0) cores = std::min(cores, static_cast<int>(granted + 0.999));
    return std::max(cores, 1);
}

int resolve_threads(int threads) {
    if (threads < 0 || threads > most_threads)
        throw std::invalid_argument("threads must be 0 (all usable cores) to " +
                                    std::to_string(most_threads) + ", got " +
                                    std::to_string(threads));
    return threads == 0 ? usable_cores() : threads;
}

void parallel_for(int threads, std::ptrdiff_t count, std::ptrdiff_t grain, const RangeBody& body) {
    if (threads < 1 || threads > most_threads)
        throw std::invalid_argument("threads must be 1 to " + std::to_string(most_threads) +
                                    ", got " + std::to_string(threads));
    if (grain < 1)
        throw std::invalid_argument("grain must be at least 1, got " + std::to_string(grain));
    if (count <= 0) return;
    const std::ptrdiff_t pieces = (count + grain - 1) / grain;
    const int slots = static_cast<int>(std::min<std::ptrdiff_t>(threads, pieces));
    if (slots == 1) {
        // The same pieces as with threads, so that a body sees the same ranges.
        for (std::ptrdiff_t begin = 0; begin < count; begin += grain)
            body(begin, std::min(begin + grain, count), 0);
        return;
    }
    Job job;
    job.body = &body;
    job.count = count;
    job.grain = grain;
    job.slots = slots;
    the_pool().run(job);
}

}  // namespace nssbg
