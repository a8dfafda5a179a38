// Loops over a network's map, with exp and log by polynomials of their own: the same bytes at every
// level and in the browser.
#include "segment/kernels.hpp"

#include <cstdint>
#include <cstring>

namespace nssbg::NSSBG_LEVEL {
namespace {

inline std::int32_t bits_of(float value) {
    std::int32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}
inline float float_of(std::int32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}
inline float within(float value, float low, float high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}

// x normal and above 0: 2 artanh((m - 1) / (m + 1)) of a mantissa m from sqrt(1/2) to sqrt(2).
inline float log2_of(float x) {
    constexpr std::int32_t root_half = 0x3f3504f3;
    const std::int32_t power = (bits_of(x) - root_half) >> 23;
    const float mantissa = float_of(bits_of(x) - power * (1 << 23));
    const float t = (mantissa - 1.0f) / (mantissa + 1.0f), square = t * t;
    // 2 / (i ln 2) for i = 1, 3, 5, 7, 9.
    float sum = 0.32059889f;
    sum = sum * square + 0.41219858f;
    sum = sum * square + 0.57707801f;
    sum = sum * square + 0.96179669f;
    sum = sum * square + 2.88539008f;
    return static_cast<float>(power) + t * sum;
}

void bits_from_alpha(const float* __restrict alpha, float* __restrict bits, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float a = within(alpha[i], 1e-4f, 1.0f - 1e-4f), b = 1.0f - a;
        bits[i] = -(a * log2_of(a) + b * log2_of(b));
    }
}

// |x| <= 60. The nearest power of two comes from adding and taking off 1.5 * 2^23.
inline float exp_of(float x) {
    constexpr float round = 12582912.0f;
    const float power = (x * 1.44269504f + round) - round;
    const float r = (x - power * 0.693359375f) + power * 2.12194440e-4f;
    float sum = 1.0f / 5040;
    sum = sum * r + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;
    return sum * float_of((static_cast<std::int32_t>(power) + 127) * (1 << 23));
}

void alpha_from_logits(float* __restrict values, std::ptrdiff_t count) {
    // A logit of 60 is 1 - 9e-27 and so the same float.
    for (std::ptrdiff_t i = 0; i < count; ++i)
        values[i] = 1.0f / (1.0f + exp_of(-within(values[i], -60.0f, 60.0f)));
}

}  // namespace

extern const SegmentKernels segment_kernels;
const SegmentKernels segment_kernels{&bits_from_alpha, &alpha_from_logits};

}  // namespace nssbg::NSSBG_LEVEL
