// Pooled memory for scratch and results. Touching fresh memory costs ten times
// more than copying warm memory (page faults), so blocks go back to a pool and
// are handed out again, for the next picture of about the same size.
#pragma once

#include <cstddef>
#include <new>

namespace nssbg {

// Takes a 64-byte aligned block of at least `bytes` bytes (contents undefined).
// Throws std::bad_alloc.
void* pool_acquire(std::size_t bytes);
// The same for `count` items of `size` bytes, whose product may be more than memory can hold.
inline void* pool_take_items(std::size_t count, std::size_t size) {
    if (size != 0 && count > static_cast<std::size_t>(-1) / size) throw std::bad_alloc();
    return pool_acquire(count * size);
}
// Gives a block back; nullptr is allowed.
void pool_release(void* block) noexcept;
// Frees blocks that nobody holds.
void pool_trim() noexcept;

struct PoolStatistics {
    std::size_t held_bytes;  // in blocks that somebody holds
    std::size_t idle_bytes;  // in blocks kept for reuse
    std::size_t idle_limit;  // idle bytes above this are freed
};
PoolStatistics pool_statistics() noexcept;
// Sets how many idle bytes are kept (default 512 MB); frees what is above it.
void pool_set_idle_limit(std::size_t bytes) noexcept;

// A typed block that gives itself back.
template <class T>
class Scratch {
public:
    explicit Scratch(std::size_t count = 0)
        : data_(count == 0 ? nullptr : static_cast<T*>(pool_take_items(count, sizeof(T)))),
          count_(count) {}
    ~Scratch() { pool_release(data_); }
    Scratch(Scratch&& other) noexcept : data_(other.data_), count_(other.count_) {
        other.data_ = nullptr;
        other.count_ = 0;
    }
    Scratch& operator=(Scratch&& other) noexcept {
        if (this != &other) {
            pool_release(data_);
            data_ = other.data_;
            count_ = other.count_;
            other.data_ = nullptr;
            other.count_ = 0;
        }
        return *this;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // The block without its owner: whoever takes it gives it back.
    T* release() {
        T* const data = data_;
        data_ = nullptr;
        count_ = 0;
        return data;
    }

    T* data() const { return data_; }
    std::size_t size() const { return count_; }
    T& operator[](std::ptrdiff_t i) const { return data_[i]; }

private:
    T* data_;
    std::size_t count_;
};

}  // namespace nssbg
