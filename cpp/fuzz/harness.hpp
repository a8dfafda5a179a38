// What every fuzz target shares: an input that is read value by value, pictures laid out as it
// says, and checks that end the program. A target is one file:
//
//     FUZZ_TARGET(name) { const auto height = in.between(1, 90); ...; check(...); }
//
// Under clang's libFuzzer it is guided; elsewhere random_main.cpp feeds it seeded random bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "nssbg/cpu.hpp"
#include "nssbg/image_view.hpp"

namespace fuzz {

using std::ptrdiff_t;

// Stops with a message where a promise is broken; sanitizers and libFuzzer see the abort.
inline void check(bool kept, const char* promise) {
    if (kept) return;
    std::fprintf(stderr, "BROKEN PROMISE: %s\n", promise);
    std::abort();
}

// The fuzzer's bytes, read from the front; past their end all values are the least.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}

    std::uint8_t byte() { return at_ == end_ ? 0 : *at_++; }
    bool flag() { return (byte() & 1) != 0; }
    // One time in `times`.
    bool rarely(int times) { return byte() % times == times - 1; }
    ptrdiff_t between(ptrdiff_t low, ptrdiff_t high) {
        const unsigned value = byte() | static_cast<unsigned>(byte()) << 8;
        return low + static_cast<ptrdiff_t>(value) % (high - low + 1);
    }
    // Mostly within low..high, now and then any float at all: NaN, infinities, denormals.
    float real(float low, float high) {
        if (rarely(32)) {
            std::uint32_t bits = 0;
            for (int i = 0; i < 4; ++i) bits = bits << 8 | byte();
            float any;
            std::memcpy(&any, &bits, sizeof(any));
            return any;
        }
        return low + (high - low) * static_cast<float>(between(0, 65535)) / 65535.0f;
    }
    template <class T>
    T one_of(std::initializer_list<T> choices) {
        return choices.begin()[byte() % choices.size()];
    }
    // Bytes for a picture's contents: what is left of the input, over and over, in one of a few
    // manners, so that few bytes make flat, smooth, sharp and noisy pictures alike.
    void fill(std::uint8_t* out, std::size_t count, std::size_t period) {
        const int manner = byte() % 4;
        const std::size_t left = static_cast<std::size_t>(end_ - at_);
        std::uint32_t noise = 1;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = i / period, column = i % period;
            noise = noise * 1664525u + 1013904223u;
            const std::uint8_t mine =
                left == 0 ? static_cast<std::uint8_t>(37 * row) : at_[i % left];
            switch (manner) {
                case 0: out[i] = mine; break;
                case 1: out[i] = left == 0 ? 0 : at_[(row / 8 * 3 + column / 32) % left]; break;
                case 2:
                    out[i] = static_cast<std::uint8_t>(column * 255 / period + (noise >> 24) % 3 +
                                                       (left == 0 ? 0 : at_[row / 16 % left] / 4));
                    break;
                default: out[i] = static_cast<std::uint8_t>((noise >> 24) ^ mine); break;
            }
        }
    }

private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

// Samples of a type from bytes that cover its range; floats lie in 0..1.
template <class T>
T sample_of(std::uint8_t byte) {
    if constexpr (std::is_same_v<T, float>)
        return static_cast<float>(byte) / 255.0f;
    else if constexpr (sizeof(T) == 2)
        return static_cast<T>(byte * 257u ^ (byte & 3));
    else
        return static_cast<T>(byte);
}

// A picture in memory of exactly its size, so that a sample read past it is seen.
template <class T>
struct Image {
    std::vector<T> memory;
    nssbg::ImageView<T> view;
    nssbg::ImageView<const T> constant() const {
        return {view.data,     view.height,   view.width,   view.channels,
                view.stride_y, view.stride_x, view.stride_c};
    }
};

enum class Layout { packed, padded_rows, any };

// A picture of the size asked for; `any` may have spare samples between pixels, stand upside
// down, run from right to left, or lie in planes.
template <class T>
Image<T> made_image(Input& in, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                    Layout layout = Layout::packed) {
    const int how = layout == Layout::packed ? 0 : in.byte();
    const bool free = layout == Layout::any;
    const ptrdiff_t pixel = free ? channels + (how & 1) : channels;
    const ptrdiff_t row = width * pixel + (how >> 1 & 3);
    Image<T> made;
    // The last row has no spare samples behind it.
    const ptrdiff_t count = (height - 1) * row + (width - 1) * pixel + channels;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    in.fill(bytes.data(), bytes.size(), static_cast<std::size_t>(row));
    made.memory.resize(bytes.size());
    std::transform(bytes.begin(), bytes.end(), made.memory.begin(), sample_of<T>);
    made.view = {made.memory.data(), height, width, channels, row, pixel, 1};
    if (how & 8) {
        made.view.data += (height - 1) * made.view.stride_y;
        made.view.stride_y = -made.view.stride_y;
    }
    if (free && (how & 16)) {
        made.view.data += (width - 1) * made.view.stride_x;
        made.view.stride_x = -made.view.stride_x;
    }
    if (free && (how & 32)) {
        made.view.data += (channels - 1) * made.view.stride_c;
        made.view.stride_c = -made.view.stride_c;
    }
    return made;
}

// An empty, packed picture that a stage writes to; filled with a value that shows.
template <class T>
Image<T> target(ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels) {
    Image<T> made;
    made.memory.assign(static_cast<std::size_t>(height * width * channels), static_cast<T>(77));
    made.view = nssbg::packed_view(made.memory.data(), height, width, channels);
    return made;
}

// Compared as bytes: NaNs are equal to themselves, zeros of different sign are not.
template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Runs `body` for one thread at the highest ISA level, then for three at a level of the input's
// choice, and checks that both gave the same: body(threads) returns what has to be equal. False
// where the arguments were refused, which has to happen both times.
template <class Body>
bool same_for_threads_and_levels(Input& in, const Body& body) {
    const auto levels = nssbg::available_isa_levels();
    const std::string level = nssbg::isa_name(levels[in.byte() % levels.size()]);
    using Result = decltype(body(1));
    Result first{}, second{};
    bool refused_first = false, refused_second = false;
    nssbg::set_isa("auto");
    try {
        first = body(1);
    } catch (const std::invalid_argument&) {
        refused_first = true;
    }
    nssbg::set_isa(level);
    try {
        second = body(3);
    } catch (const std::invalid_argument&) {
        refused_second = true;
    }
    nssbg::set_isa("auto");
    check(refused_first == refused_second, "what is refused does not depend on threads or level");
    if (!refused_first) check(same_bytes(first, second), "same bytes for all threads and levels");
    return !refused_first;
}

}  // namespace fuzz

#define FUZZ_TARGET(name)                                                               \
    static void fuzz_##name(fuzz::Input& in);                                           \
    extern const char* const fuzz_target_name;                                          \
    const char* const fuzz_target_name = #name;                                         \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
        fuzz::Input in(data, size);                                                     \
        fuzz_##name(in);                                                                \
        return 0;                                                                       \
    }                                                                                   \
    static void fuzz_##name(fuzz::Input& in)
