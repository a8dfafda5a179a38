// Row kernels of the four-neighbour resize, in torch's order of operations.
#include "prepare/kernels_neighbours.hpp"

#include "core/half.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

float eight_bits(std::uint8_t value) { return static_cast<float>(value); }
// Not rounded to 8 bits: this resize keeps fractions.
float eight_bits(std::uint16_t value) { return static_cast<float>(value) / 257.0f; }

template <class T>
void row_from_rows(const RowPair<T>& rows, const std::int32_t* __restrict first,
                   const std::int32_t* __restrict second, const float* __restrict second_weight,
                   std::ptrdiff_t count, float* __restrict out) {
    const float lower = rows.lower_weight;
    const float upper = 1.0f - lower;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const std::ptrdiff_t a = first[i] * rows.stride_x;
        const std::ptrdiff_t b = second[i] * rows.stride_x;
        const float right = second_weight[i];
        const float left = 1.0f - right;
        out[i] = upper * (left * eight_bits(rows.upper[a]) + right * eight_bits(rows.upper[b])) +
                 lower * (left * eight_bits(rows.lower[a]) + right * eight_bits(rows.lower[b]));
    }
}

void f32_from_f32(const float* __restrict values, std::ptrdiff_t count, float scale, float bias,
                  float* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i) out[i] = values[i] * scale + bias;
}

void half_from_f32(const float* __restrict values, std::ptrdiff_t count, float scale, float bias,
                   Half* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i)
        out[i].bits = half_bits_from_float(values[i] * scale + bias);
}

void u8_from_f32(const float* __restrict values, std::ptrdiff_t count,
                 std::uint8_t* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const std::int32_t value = static_cast<std::int32_t>(values[i] + 0.5f);
        out[i] = static_cast<std::uint8_t>(value > 255 ? 255 : value);
    }
}

}  // namespace

extern const NeighbourKernels neighbour_kernels;
const NeighbourKernels neighbour_kernels{&row_from_rows<std::uint8_t>,
                                         &row_from_rows<std::uint16_t>, &f32_from_f32,
                                         &half_from_f32, &u8_from_f32};

}  // namespace nssbg::NSSBG_LEVEL
