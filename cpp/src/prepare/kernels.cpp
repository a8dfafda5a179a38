// Row kernels of the antialiased resize. A group of sixteen rows is turned so that the rows lie
// along the vector, which makes the filter along x the same shape as the one along y: one
// weight, many samples, no horizontal sums.
#include "prepare/kernels.hpp"

#include "prepare/i32x16.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

std::int16_t eight_bits(std::uint8_t value) { return value; }
// round(value / 257), exactly.
std::int16_t eight_bits(std::uint16_t value) {
    return static_cast<std::int16_t>((std::uint32_t{value} * 255u + 32895u) >> 16);
}

// Any strides, any picture: the twin of the fast form below.
template <class T>
void pairs_from_any_rows(const RowGroup<T>& group, std::ptrdiff_t begin, std::ptrdiff_t end,
                         std::int16_t* units) {
    for (std::ptrdiff_t pair = begin; pair < end; ++pair)
        for (std::ptrdiff_t c = 0; c < group.channels; ++c)
            for (std::ptrdiff_t r = 0; r < group_rows; ++r)
                for (std::ptrdiff_t side = 0; side < 2; ++side) {
                    const std::ptrdiff_t x = 2 * pair + side;
                    *units++ =
                        x < group.width
                            ? eight_bits(group.rows[r][x * group.stride_x + c * group.stride_c])
                            : std::int16_t{0};
                }
}

#if defined(NSSBG_X86_LANES) && defined(__SSSE3__)

// 16 bytes of each of 16 rows, shuffled within the row by `mask` into four 32-bit units, then
// turned: unit k holds its 32 bits of rows 0 .. 15 in order.
#if defined(__AVX512BW__)

struct Turned {
    __m512i unit[4];
};

inline Turned turn(const std::uint8_t* const* rows, std::ptrdiff_t offset, __m128i mask) {
    const auto load = [&](int r) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + offset));
    };
    const __m512i wide_mask = _mm512_broadcast_i32x4(mask);
    __m512i row[4];  // lane i holds row 4i + r
    for (int r = 0; r < 4; ++r) {
        __m512i lanes = _mm512_castsi128_si512(load(r));
        lanes = _mm512_inserti32x4(lanes, load(4 + r), 1);
        lanes = _mm512_inserti32x4(lanes, load(8 + r), 2);
        lanes = _mm512_inserti32x4(lanes, load(12 + r), 3);
        row[r] = _mm512_shuffle_epi8(lanes, wide_mask);
    }
    const __m512i a = _mm512_unpacklo_epi32(row[0], row[1]);
    const __m512i b = _mm512_unpacklo_epi32(row[2], row[3]);
    const __m512i c = _mm512_unpackhi_epi32(row[0], row[1]);
    const __m512i d = _mm512_unpackhi_epi32(row[2], row[3]);
    return {{_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), _mm512_unpacklo_epi64(c, d),
             _mm512_unpackhi_epi64(c, d)}};
}

// A unit's bytes are (x0, x2, x1, x3): even bytes are the first pair, odd ones the second.
inline void store_unit(const Turned& turned, int k, std::int16_t* first, std::int16_t* second) {
    const __m512i unit = turned.unit[k];
    _mm512_storeu_si512(first, _mm512_and_si512(unit, _mm512_set1_epi16(0x00FF)));
    _mm512_storeu_si512(second, _mm512_srli_epi16(unit, 8));
}

#else

struct Turned {
    __m128i unit[4][4];  // [k][rows 4i .. 4i + 3]
};

inline Turned turn(const std::uint8_t* const* rows, std::ptrdiff_t offset, __m128i mask) {
    Turned turned;
    for (int i = 0; i < 4; ++i) {
        __m128i row[4];
        for (int r = 0; r < 4; ++r)
            row[r] = _mm_shuffle_epi8(
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[4 * i + r] + offset)), mask);
        const __m128i a = _mm_unpacklo_epi32(row[0], row[1]);
        const __m128i b = _mm_unpacklo_epi32(row[2], row[3]);
        const __m128i c = _mm_unpackhi_epi32(row[0], row[1]);
        const __m128i d = _mm_unpackhi_epi32(row[2], row[3]);
        turned.unit[0][i] = _mm_unpacklo_epi64(a, b);
        turned.unit[1][i] = _mm_unpackhi_epi64(a, b);
        turned.unit[2][i] = _mm_unpacklo_epi64(c, d);
        turned.unit[3][i] = _mm_unpackhi_epi64(c, d);
    }
    return turned;
}

inline void store_unit(const Turned& turned, int k, std::int16_t* first, std::int16_t* second) {
    const __m128i even = _mm_set1_epi16(0x00FF);
    for (int i = 0; i < 4; ++i) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(first) + i,
                         _mm_and_si128(turned.unit[k][i], even));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(second) + i,
                         _mm_srli_epi16(turned.unit[k][i], 8));
    }
}

#endif

// Byte positions of samples (x0, x2, x1, x3) of channel k at `step` bytes a pixel.
inline __m128i colour_mask(int step, bool reversed) {
    alignas(16) std::int8_t mask[16];
    const int order[4] = {0, 2, 1, 3};
    for (int k = 0; k < 4; ++k)
        for (int i = 0; i < 4; ++i)
            mask[4 * k + i] =
                static_cast<std::int8_t>(k < 3 ? order[i] * step + (reversed ? 2 - k : k) : -1);
    return _mm_load_si128(reinterpret_cast<const __m128i*>(mask));
}

void pairs_from_rows_u8(const RowGroup<std::uint8_t>& group, std::ptrdiff_t begin,
                        std::ptrdiff_t end, std::int16_t* units) {
    constexpr std::ptrdiff_t unit_values = 2 * group_rows;
    const bool forward = group.stride_c == 1;
    const bool reversed = group.stride_c == -1;
    std::ptrdiff_t done = begin;
    if (group.channels == 3 && (forward || reversed) &&
        (group.stride_x == 3 || group.stride_x == 4)) {
        const std::ptrdiff_t step = group.stride_x;
        // The lowest byte of a pixel; of four bytes with the channels reversed, the fourth is at
        // either end and is not read past, because the last quads take the other way.
        const std::uint8_t* rows[group_rows];
        for (int r = 0; r < group_rows; ++r) rows[r] = group.rows[r] - (reversed ? 2 : 0);
        const __m128i mask = colour_mask(static_cast<int>(step), reversed);
        // Four pixels a step, and 16 bytes from the first of them stay inside the row.
        for (; done + 2 <= end && 2 * done * step + 16 <= (group.width - 1) * step + 3;
             done += 2, units += 6 * unit_values) {
            const Turned turned = turn(rows, 2 * done * step, mask);
            for (int c = 0; c < 3; ++c)
                store_unit(turned, c, units + c * unit_values, units + (3 + c) * unit_values);
        }
    } else if (group.channels == 1 && group.stride_x == 1) {
        const __m128i mask = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
        for (; done + 8 <= end && 2 * done + 16 <= group.width;
             done += 8, units += 8 * unit_values) {
            const Turned turned = turn(group.rows, 2 * done, mask);
            for (int k = 0; k < 4; ++k)
                store_unit(turned, k, units + 2 * k * unit_values,
                           units + (2 * k + 1) * unit_values);
        }
    }
    pairs_from_any_rows(group, done, end, units);
}

#else

void pairs_from_rows_u8(const RowGroup<std::uint8_t>& group, std::ptrdiff_t begin,
                        std::ptrdiff_t end, std::int16_t* units) {
    pairs_from_any_rows(group, begin, end, units);
}

#endif

void pairs_from_rows_u16(const RowGroup<std::uint16_t>& group, std::ptrdiff_t begin,
                         std::ptrdiff_t end, std::int16_t* units) {
    pairs_from_any_rows(group, begin, end, units);
}

// Eight columns of 16 rows become eight rows of byte pairs by eight columns.
void turn_byte_pairs(const std::uint8_t* columns, std::ptrdiff_t pitch, std::uint8_t* out) {
#if defined(NSSBG_X86_LANES)
    const auto* in = reinterpret_cast<const __m128i*>(columns);
    __m128i a[8];
    __m128i b[8];
    for (int i = 0; i < 8; ++i) a[i] = _mm_load_si128(in + i);
    for (int i = 0; i < 4; ++i) {
        b[2 * i] = _mm_unpacklo_epi16(a[i], a[i + 4]);
        b[2 * i + 1] = _mm_unpackhi_epi16(a[i], a[i + 4]);
    }
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm_unpacklo_epi16(b[i], b[i + 4]);
        a[2 * i + 1] = _mm_unpackhi_epi16(b[i], b[i + 4]);
    }
    for (int i = 0; i < 4; ++i) {
        b[2 * i] = _mm_unpacklo_epi16(a[i], a[i + 4]);
        b[2 * i + 1] = _mm_unpackhi_epi16(a[i], a[i + 4]);
    }
    for (int i = 0; i < 8; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * pitch), b[i]);
#else
    for (int pair = 0; pair < 8; ++pair)
        for (int k = 0; k < 8; ++k)
            std::memcpy(out + pair * pitch + 2 * k, columns + k * 16 + pair * 2, 2);
#endif
}

#define NSSBG_SUMS I32x16
#include "prepare/kernels_filters.inl"
#undef NSSBG_SUMS

#if defined(NSSBG_VNNI_LANES)
// The same filters with the fused instruction, for processors of level v4 that have it. Chosen at
// run time, since v4 itself does not promise it; the bytes are the same.
#pragma GCC push_options
#pragma GCC target("avx512vnni")
namespace vnni {
#define NSSBG_SUMS I32x16Fused
#include "prepare/kernels_filters.inl"
#undef NSSBG_SUMS
}  // namespace vnni
#pragma GCC pop_options

const bool fused = __builtin_cpu_supports("avx512vnni");
#endif

void byte_pairs_from_pairs(const std::int16_t* units, std::ptrdiff_t units_first,
                           std::ptrdiff_t channels, const Weights& weights, std::ptrdiff_t begin,
                           std::ptrdiff_t end, std::ptrdiff_t plane, std::ptrdiff_t pitch,
                           std::uint8_t* out) {
    auto filter = channels == 3 ? &filter_columns<3> : &filter_columns<1>;
#if defined(NSSBG_VNNI_LANES)
    if (fused) filter = channels == 3 ? &vnni::filter_columns<3> : &vnni::filter_columns<1>;
#endif
    filter(units, units_first, weights, begin, end, plane, pitch, out);
}

void row_from_byte_pairs(const std::uint8_t* const* rows, const Weights& weights,
                         std::ptrdiff_t output, std::ptrdiff_t count, std::uint8_t* out) {
#if defined(NSSBG_VNNI_LANES)
    if (fused) return vnni::filter_rows(rows, weights, output, count, out);
#endif
    filter_rows(rows, weights, output, count, out);
}

void f32_from_u8(const std::uint8_t* __restrict values, std::ptrdiff_t count, float scale,
                 float bias, float* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i)
        out[i] = static_cast<float>(values[i]) * scale + bias;
}

void half_from_u8(const std::uint8_t* __restrict values, std::ptrdiff_t count,
                  const std::uint16_t* __restrict table, Half* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i) out[i].bits = table[values[i]];
}

}  // namespace

extern const PrepareKernels prepare_kernels;
const PrepareKernels prepare_kernels{&pairs_from_rows_u8,    &pairs_from_rows_u16,
                                     &byte_pairs_from_pairs, &row_from_byte_pairs,
                                     &f32_from_u8,           &half_from_u8};

}  // namespace nssbg::NSSBG_LEVEL
