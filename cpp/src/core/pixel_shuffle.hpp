// Three channels to four and back, a 16-byte vector at a time, with the compilers' portable
// vectors. Plain loops of stride 3 run at a third of memory speed (measured); where the
// compiler or the ISA level has no byte shuffle, callers fall back to those loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && __has_builtin(__builtin_convertvector) && \
    (defined(__SSSE3__) || defined(__ARM_NEON))
#define NSSBG_BYTE_SHUFFLE 1
#endif
#endif

#ifdef NSSBG_BYTE_SHUFFLE
namespace nssbg::NSSBG_LEVEL {

typedef std::uint8_t Bytes16 __attribute__((vector_size(16)));
typedef std::uint16_t Words16 __attribute__((vector_size(32)));
typedef std::uint16_t Words8 __attribute__((vector_size(16)));
typedef std::uint32_t Longs8 __attribute__((vector_size(32)));

template <class V>
inline V load(const void* from) {
    V value;
    std::memcpy(&value, from, sizeof(V));
    return value;
}
template <class V>
inline void store(void* to, V value) {
    std::memcpy(to, &value, sizeof(V));
}

// Four pixels of three bytes (16 are read) to four bytes each, the fourth zero.
inline Bytes16 four_from_three(const std::uint8_t* rgb) {
    return __builtin_shufflevector(load<Bytes16>(rgb), Bytes16{}, 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8,
                                   16, 9, 10, 11, 16);
}
// Four pixels of four bytes to three each; 12 bytes are the result, 16 are written.
inline void three_from_four(Bytes16 rgba, std::uint8_t* rgb) {
    store(rgb, __builtin_shufflevector(rgba, Bytes16{}, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16,
                                       16, 16, 16));
}
// Each pixel's alpha in all its four bytes.
inline Bytes16 alpha_of_four(Bytes16 rgba) {
    return __builtin_shufflevector(rgba, rgba, 3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15,
                                   15);
}
// Four alphas, each as the fourth byte of its pixel, and each in all four bytes.
inline Bytes16 four_alphas(const std::uint8_t* alpha) {
    std::uint32_t packed;
    std::memcpy(&packed, alpha, 4);
    typedef std::uint32_t Longs4 __attribute__((vector_size(16)));
    const Longs4 longs = {packed, 0, 0, 0};
    Bytes16 bytes;
    std::memcpy(&bytes, &longs, 16);
    return __builtin_shufflevector(bytes, bytes, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}

// The same for two pixels of 16-bit channels.
inline Words8 four_from_three(const std::uint16_t* rgb) {
    return __builtin_shufflevector(load<Words8>(rgb), Words8{}, 0, 1, 2, 8, 3, 4, 5, 8);
}
inline void three_from_four(Words8 rgba, std::uint16_t* rgb) {
    store(rgb, __builtin_shufflevector(rgba, Words8{}, 0, 1, 2, 4, 5, 6, 8, 8));
}
inline Words8 alpha_of_four(Words8 rgba) {
    return __builtin_shufflevector(rgba, rgba, 3, 3, 3, 3, 7, 7, 7, 7);
}
inline Words8 four_alphas(const std::uint16_t* alpha) {
    const Words8 words = {alpha[0], alpha[1], 0, 0, 0, 0, 0, 0};
    return __builtin_shufflevector(words, words, 0, 0, 0, 0, 1, 1, 1, 1);
}

// One vector of pixels and its widened twin, by channel type.
template <class T>
struct Lanes;
template <>
struct Lanes<std::uint8_t> {
    using Narrow = Bytes16;
    using Wide = Words16;
    using Word = std::uint16_t;
    static constexpr std::ptrdiff_t pixels = 4;
    // Pixels that a load or store of three channels touches beyond its own.
    static constexpr std::ptrdiff_t overrun = 2;
    // The alphas among the bits of eight bytes of RGBA.
    static constexpr std::uint64_t alpha_bits = 0xff000000ff000000u;
};
template <>
struct Lanes<std::uint16_t> {
    using Narrow = Words8;
    using Wide = Longs8;
    using Word = std::uint32_t;
    static constexpr std::ptrdiff_t pixels = 2;
    static constexpr std::ptrdiff_t overrun = 1;
    static constexpr std::uint64_t alpha_bits = 0xffff000000000000u;
};

// Whether every bit of the mask is set in a 16-byte vector, or none.
template <class V>
inline bool all_set(V value, std::uint64_t mask) {
    std::uint64_t words[2];
    std::memcpy(words, &value, 16);
    return (words[0] & words[1] & mask) == mask;
}
template <class V>
inline bool none_set(V value, std::uint64_t mask) {
    std::uint64_t words[2];
    std::memcpy(words, &value, 16);
    return ((words[0] | words[1]) & mask) == 0;
}

}  // namespace nssbg::NSSBG_LEVEL
#endif
