// Sixteen 32-bit sums and the one step that resampling is made of: sum += a * b + c * d on
// 16-bit pairs (pmaddwd). Compilers do not find this instruction in a plain loop over pairs,
// which is the resize's whole inner loop, so each x86 level has its form
// here; the plain form serves all other processors and is the twin that tests compare with.
// Integers throughout: all forms give the same bytes.
#pragma once

#include <cstdint>
#include <cstring>

#if !defined(NSSBG_PLAIN_LANES) && (defined(__x86_64__) || defined(_M_X64))
#define NSSBG_X86_LANES 1
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the headers' own undefined vectors for mistakes (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif

namespace nssbg::NSSBG_LEVEL {

inline std::int32_t load_pair(const std::int16_t* weights) {
    std::int32_t pair;
    std::memcpy(&pair, weights, sizeof(pair));
    return pair;
}

#if defined(NSSBG_X86_LANES) && defined(__AVX512BW__)

struct I32x16 {
    __m512i sums;
    explicit I32x16(std::int32_t start) : sums(_mm512_set1_epi32(start)) {}
    // units: 16 pairs of int16; weights: one pair for all of them.
    void add(const std::int16_t* units, std::int32_t weights) {
        sums = _mm512_add_epi32(
            sums, _mm512_madd_epi16(_mm512_loadu_si512(units), _mm512_set1_epi32(weights)));
    }
    // units: 16 pairs of bytes.
    void add_bytes(const std::uint8_t* units, std::int32_t weights) {
        const __m512i wide =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(units)));
        sums = _mm512_add_epi32(sums, _mm512_madd_epi16(wide, _mm512_set1_epi32(weights)));
    }
    void shift_up(int bits) { sums = _mm512_sll_epi32(sums, _mm_cvtsi32_si128(bits)); }
    void add_constant(std::int32_t value) {
        sums = _mm512_add_epi32(sums, _mm512_set1_epi32(value));
    }
    // Shifts down, clips to 0 .. 255 and stores 16 bytes.
    void store(std::uint8_t* out, int shift) const {
        const __m512i value = _mm512_max_epi32(_mm512_sra_epi32(sums, _mm_cvtsi32_si128(shift)),
                                               _mm512_setzero_si512());
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtusepi32_epi8(value));
    }
};

// GCC only: clang spells the pragma that the fused form needs differently.
#if defined(__GNUC__) && !defined(__clang__)
#define NSSBG_VNNI_LANES 1
#pragma GCC push_options
#pragma GCC target("avx512vnni")
// Multiply and add in one instruction (vpdpwssd): half the arithmetic.
struct I32x16Fused : I32x16 {
    explicit I32x16Fused(std::int32_t start) : I32x16(start) {}
    void add(const std::int16_t* units, std::int32_t weights) {
        sums = _mm512_dpwssd_epi32(sums, _mm512_loadu_si512(units), _mm512_set1_epi32(weights));
    }
    void add_bytes(const std::uint8_t* units, std::int32_t weights) {
        const __m512i wide =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(units)));
        sums = _mm512_dpwssd_epi32(sums, wide, _mm512_set1_epi32(weights));
    }
};
#pragma GCC pop_options
#endif

#elif defined(NSSBG_X86_LANES) && defined(__AVX2__)

struct I32x16 {
    __m256i low;
    __m256i high;
    explicit I32x16(std::int32_t start)
        : low(_mm256_set1_epi32(start)), high(_mm256_set1_epi32(start)) {}
    void add_wide(__m256i a, __m256i b, std::int32_t weights) {
        const __m256i pair = _mm256_set1_epi32(weights);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(a, pair));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(b, pair));
    }
    void add(const std::int16_t* units, std::int32_t weights) {
        const auto* at = reinterpret_cast<const __m256i*>(units);
        add_wide(_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1), weights);
    }
    void add_bytes(const std::uint8_t* units, std::int32_t weights) {
        const auto* at = reinterpret_cast<const __m128i*>(units);
        add_wide(_mm256_cvtepu8_epi16(_mm_loadu_si128(at)),
                 _mm256_cvtepu8_epi16(_mm_loadu_si128(at + 1)), weights);
    }
    void shift_up(int bits) {
        const __m128i count = _mm_cvtsi32_si128(bits);
        low = _mm256_sll_epi32(low, count);
        high = _mm256_sll_epi32(high, count);
    }
    void add_constant(std::int32_t value) {
        low = _mm256_add_epi32(low, _mm256_set1_epi32(value));
        high = _mm256_add_epi32(high, _mm256_set1_epi32(value));
    }
    void store(std::uint8_t* out, int shift) const {
        const __m128i count = _mm_cvtsi32_si128(shift);
        const __m256i words =
            _mm256_packs_epi32(_mm256_sra_epi32(low, count), _mm256_sra_epi32(high, count));
        const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_packus_epi16(_mm256_castsi256_si128(ordered),
                                          _mm256_extracti128_si256(ordered, 1)));
    }
};

#elif defined(NSSBG_X86_LANES)

struct I32x16 {
    __m128i sums[4];
    explicit I32x16(std::int32_t start) {
        for (auto& sum : sums) sum = _mm_set1_epi32(start);
    }
    void add(const std::int16_t* units, std::int32_t weights) {
        const __m128i pair = _mm_set1_epi32(weights);
        const auto* at = reinterpret_cast<const __m128i*>(units);
        for (int i = 0; i < 4; ++i)
            sums[i] = _mm_add_epi32(sums[i], _mm_madd_epi16(_mm_loadu_si128(at + i), pair));
    }
    void add_bytes(const std::uint8_t* units, std::int32_t weights) {
        const __m128i pair = _mm_set1_epi32(weights);
        const __m128i zero = _mm_setzero_si128();
        const auto* at = reinterpret_cast<const __m128i*>(units);
        for (int i = 0; i < 2; ++i) {
            const __m128i bytes = _mm_loadu_si128(at + i);
            sums[2 * i] =
                _mm_add_epi32(sums[2 * i], _mm_madd_epi16(_mm_unpacklo_epi8(bytes, zero), pair));
            sums[2 * i + 1] = _mm_add_epi32(sums[2 * i + 1],
                                            _mm_madd_epi16(_mm_unpackhi_epi8(bytes, zero), pair));
        }
    }
    void shift_up(int bits) {
        for (auto& sum : sums) sum = _mm_sll_epi32(sum, _mm_cvtsi32_si128(bits));
    }
    void add_constant(std::int32_t value) {
        for (auto& sum : sums) sum = _mm_add_epi32(sum, _mm_set1_epi32(value));
    }
    void store(std::uint8_t* out, int shift) const {
        const __m128i count = _mm_cvtsi32_si128(shift);
        const __m128i low =
            _mm_packs_epi32(_mm_sra_epi32(sums[0], count), _mm_sra_epi32(sums[1], count));
        const __m128i high =
            _mm_packs_epi32(_mm_sra_epi32(sums[2], count), _mm_sra_epi32(sums[3], count));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(low, high));
    }
};

#else

struct I32x16 {
    std::int32_t sums[16];
    explicit I32x16(std::int32_t start) {
        for (auto& sum : sums) sum = start;
    }
    template <class T>
    void add_any(const T* units, std::int32_t weights) {
        std::int16_t pair[2];
        std::memcpy(pair, &weights, sizeof(pair));
        for (int i = 0; i < 16; ++i)
            sums[i] += static_cast<std::int32_t>(units[2 * i]) * pair[0] +
                       static_cast<std::int32_t>(units[2 * i + 1]) * pair[1];
    }
    void add(const std::int16_t* units, std::int32_t weights) { add_any(units, weights); }
    void add_bytes(const std::uint8_t* units, std::int32_t weights) { add_any(units, weights); }
    void shift_up(int bits) {
        for (auto& sum : sums) sum *= std::int32_t{1} << bits;
    }
    void add_constant(std::int32_t value) {
        for (auto& sum : sums) sum += value;
    }
    void store(std::uint8_t* out, int shift) const {
        for (int i = 0; i < 16; ++i) {
            const std::int32_t value = sums[i] >> shift;
            out[i] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
};

#endif

}  // namespace nssbg::NSSBG_LEVEL
