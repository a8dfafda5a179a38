// CRC-32 eight bytes at a time ("slicing by 8", Kounavis and Berry, 2005), or 64 at a time by
// carry-less products where the processor has them (Gopal and others, "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009).
#include "png/checksums.hpp"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define NSSBG_CRC_PRODUCTS
#include <immintrin.h>
#endif

namespace nssbg {
namespace {

constexpr std::uint32_t adler_modulus = 65521;

struct CrcTables {
    std::uint32_t at[8][256];
    CrcTables() {
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
            at[0][i] = value;
        }
        for (int k = 1; k < 8; ++k)
            for (int i = 0; i < 256; ++i)
                at[k][i] = (at[k - 1][i] >> 8) ^ at[0][at[k - 1][i] & 255];
    }
};

std::uint32_t crc_by_table(std::uint32_t crc, const std::uint8_t* data, std::size_t count) {
    static const CrcTables tables;
    const auto& t = tables.at;
    for (; count >= 8; count -= 8, data += 8) {
        const std::uint32_t low =
            crc ^
            (static_cast<std::uint32_t>(data[0]) | static_cast<std::uint32_t>(data[1]) << 8 |
             static_cast<std::uint32_t>(data[2]) << 16 | static_cast<std::uint32_t>(data[3]) << 24);
        crc = t[7][low & 255] ^ t[6][(low >> 8) & 255] ^ t[5][(low >> 16) & 255] ^ t[4][low >> 24] ^
              t[3][data[4]] ^ t[2][data[5]] ^ t[1][data[6]] ^ t[0][data[7]];
    }
    for (; count > 0; --count, ++data) crc = (crc >> 8) ^ t[0][(crc ^ *data) & 255];
    return crc;
}

#ifdef NSSBG_CRC_PRODUCTS
// Not part of the ISA levels: x86-64-v3 and v4 do not promise these products.
#define NSSBG_WITH_PRODUCTS __attribute__((target("pclmul,sse4.1")))

NSSBG_WITH_PRODUCTS __m128i folded(__m128i sum, __m128i factors, __m128i data) {
    return _mm_xor_si128(data, _mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x00),
                                             _mm_clmulepi64_si128(sum, factors, 0x11)));
}

// count: a multiple of 16, at least 64.
NSSBG_WITH_PRODUCTS std::uint32_t crc_by_products(std::uint32_t crc, const std::uint8_t* data,
                                                  std::size_t count) {
    const auto* in = reinterpret_cast<const __m128i*>(data);
    // x^(512 + 64), x^512, then x^(128 + 64), x^128 and so on, modulo the polynomial, bits
    // reversed.
    const __m128i by_four = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
    const __m128i by_one = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);
    __m128i a = _mm_xor_si128(_mm_loadu_si128(in), _mm_cvtsi32_si128(static_cast<int>(crc)));
    __m128i b = _mm_loadu_si128(in + 1);
    __m128i c = _mm_loadu_si128(in + 2);
    __m128i d = _mm_loadu_si128(in + 3);
    for (in += 4, count -= 64; count >= 64; in += 4, count -= 64) {
        a = folded(a, by_four, _mm_loadu_si128(in));
        b = folded(b, by_four, _mm_loadu_si128(in + 1));
        c = folded(c, by_four, _mm_loadu_si128(in + 2));
        d = folded(d, by_four, _mm_loadu_si128(in + 3));
    }
    a = folded(folded(folded(a, by_one, b), by_one, c), by_one, d);
    for (; count >= 16; ++in, count -= 16) a = folded(a, by_one, _mm_loadu_si128(in));
    // What is left are 16 bytes whose CRC, begun at 0, is the whole's.
    alignas(16) std::uint8_t rest[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(rest), a);
    return crc_by_table(0, rest, sizeof(rest));
}

bool has_products() {
    static const bool has = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
    return has;
}
#endif

}  // namespace

std::uint32_t crc32(std::uint32_t before, const std::uint8_t* data, std::size_t count) {
    std::uint32_t crc = ~before;
#ifdef NSSBG_CRC_PRODUCTS
    if (count >= 64 && has_products()) {
        const std::size_t whole = count / 16 * 16;
        crc = crc_by_products(crc, data, whole);
        data += whole;
        count -= whole;
    }
#endif
    return ~crc_by_table(crc, data, count);
}

std::uint32_t adler32_combine(std::uint32_t first, std::uint32_t second,
                              std::uint64_t second_size) {
    const std::uint64_t size = second_size % adler_modulus;
    const std::uint64_t low = first & 0xFFFF;
    // The second run's sums began at 1, where the first's end is what they should have begun at.
    const std::uint64_t joined = (low + (second & 0xFFFF) + adler_modulus - 1) % adler_modulus;
    const std::uint64_t high =
        ((first >> 16) + (second >> 16) + size * (low + adler_modulus - 1)) % adler_modulus;
    return static_cast<std::uint32_t>(high << 16 | joined);
}

void adler32_skip_zeros(std::uint32_t low, std::uint32_t* high, std::uint64_t zeros) {
    *high = static_cast<std::uint32_t>((*high + zeros % adler_modulus * low) % adler_modulus);
}

}  // namespace nssbg
