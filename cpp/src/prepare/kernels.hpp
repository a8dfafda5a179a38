// The prepare stage's kernels: gather sixteen rows as pairs, filter along x, filter along
// y, normalise. README.md gives formulas, costs and error budgets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"
#include "nssbg/prepare.hpp"

namespace nssbg {

// Rows that are gathered and filtered along x together: one 512-bit vector of int32.
constexpr std::ptrdiff_t group_rows = 16;
// Outputs along x are made eight at a time, columns along y 64 at a time.
constexpr std::ptrdiff_t column_block = 8;
constexpr std::ptrdiff_t plane_block = 64;

// Sixteen rows of a picture; strides in elements.
template <class T>
struct RowGroup {
    const T* rows[group_rows];
    std::ptrdiff_t width;
    std::ptrdiff_t stride_x;
    std::ptrdiff_t stride_c;
    std::ptrdiff_t channels;  // 1 or 3
};

// One axis of a resize as the kernels read it. Weights of one window: `pairs` pairs, scaled by
// 1 << shift. With split_bits > 0 there follow as many pairs again: the first set holds the
// upper bits of each weight, in steps of 1 << split_bits, the second the rest.
struct Weights {
    const std::int32_t* first;
    const std::int16_t* values;
    std::ptrdiff_t pairs;
    int shift;
    int split_bits;

    std::ptrdiff_t window_size() const { return pairs * (split_bits > 0 ? 4 : 2); }
    const std::int16_t* window(std::ptrdiff_t output) const {
        return values + output * window_size();
    }
};

struct PrepareKernels {
    // Writes units[pair][channel][row][2] as int16 for pairs [begin, end); samples beyond the
    // width are 0.
    void (*pairs_from_rows_u8)(const RowGroup<std::uint8_t>& group, std::ptrdiff_t begin,
                               std::ptrdiff_t end, std::int16_t* units);
    void (*pairs_from_rows_u16)(const RowGroup<std::uint16_t>& group, std::ptrdiff_t begin,
                                std::ptrdiff_t end, std::int16_t* units);
    // Filters along x: outputs [begin, end) of every channel and row, from units whose first
    // pair is `units_first`. Writes 8 rows of byte pairs (row 2k, row 2k + 1), `pitch` bytes
    // apart, channel planes of `plane` pairs.
    void (*byte_pairs_from_pairs)(const std::int16_t* units, std::ptrdiff_t units_first,
                                  std::ptrdiff_t channels, const Weights& weights,
                                  std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t plane,
                                  std::ptrdiff_t pitch, std::uint8_t* out);
    // Filters along y: `count` columns (a multiple of 64) of one output row from its window of
    // rows of byte pairs.
    void (*row_from_byte_pairs)(const std::uint8_t* const* rows, const Weights& weights,
                                std::ptrdiff_t output, std::ptrdiff_t count, std::uint8_t* out);
    // out = value * scale + bias.
    void (*f32_from_u8)(const std::uint8_t* values, std::ptrdiff_t count, float scale, float bias,
                        float* out);
    // out = table[value].
    void (*half_from_u8)(const std::uint8_t* values, std::ptrdiff_t count,
                         const std::uint16_t* table, Half* out);
};

NSSBG_DISPATCH(PrepareKernels, prepare_kernels)

}  // namespace nssbg
