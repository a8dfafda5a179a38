// Row kernels of the refinement. Each is a plain loop; formulas and NumPy twins are
// in docs/refine.md and tests/reference/test_refine_twin.py.
#include "refine/kernels.hpp"

#include <algorithm>
#include <cmath>

namespace nssbg::NSSBG_LEVEL {
namespace {

using std::int16_t;
using std::int32_t;
using std::ptrdiff_t;
using std::uint8_t;

// Four neighbouring bytes as one word: then a tap group is one gather, which vectorises.
void cubic_columns_u8(const uint8_t* __restrict row, const int32_t* __restrict first,
                      const int16_t* __restrict weights, ptrdiff_t plane, ptrdiff_t count,
                      int32_t* __restrict work, int16_t* __restrict out) {
    const int16_t* __restrict w0 = weights;
    const int16_t* __restrict w1 = weights + plane;
    const int16_t* __restrict w2 = weights + 2 * plane;
    const int16_t* __restrict w3 = weights + 3 * plane;
    const int32_t base = first[0];
    const int32_t groups = first[count - 1] - base + 1;
    const uint8_t* __restrict in = row + base;
    for (int32_t i = 0; i < groups; ++i)
        work[i] = static_cast<int32_t>(in[i] | in[i + 1] << 8 | in[i + 2] << 16 |
                                       static_cast<std::uint32_t>(in[i + 3]) << 24);
    for (ptrdiff_t x = 0; x < count; ++x) {
        const auto taps = static_cast<std::uint32_t>(work[first[x] - base]);
        const int32_t low = w0[x] * static_cast<int32_t>(taps & 255) +
                            w1[x] * static_cast<int32_t>((taps >> 8) & 255);
        const int32_t high = w2[x] * static_cast<int32_t>((taps >> 16) & 255) +
                             w3[x] * static_cast<int32_t>(taps >> 24);
        out[x] = static_cast<int16_t>((low + high + 128) >> 8);
    }
}

// (a b) / 2^15, rounded: one instruction on every level but the first.
inline int32_t scaled(int16_t a, int16_t b) { return (int32_t{a} * b + (1 << 14)) >> 15; }

void cubic_rows_u8(const int16_t* const* rows, const int16_t* weights, ptrdiff_t count,
                   uint8_t* __restrict out) {
    const int16_t* __restrict r0 = rows[0];
    const int16_t* __restrict r1 = rows[1];
    const int16_t* __restrict r2 = rows[2];
    const int16_t* __restrict r3 = rows[3];
    const int16_t w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
    for (ptrdiff_t x = 0; x < count; ++x) {
        // At most 255 * 32 * 1.6 in size: 16 bits hold every partial sum.
        const auto low = static_cast<int16_t>(scaled(r0[x], w0) + scaled(r1[x], w1));
        const auto high = static_cast<int16_t>(scaled(r2[x], w2) + scaled(r3[x], w3));
        auto value = static_cast<int16_t>(static_cast<int16_t>(low + high + 16) >> 5);
        value = value < 0 ? int16_t{0} : value;
        value = value > 255 ? int16_t{255} : value;
        out[x] = static_cast<uint8_t>(value);
    }
}

void cubic_columns_f32(const float* __restrict row, const int32_t* __restrict first,
                       const float* __restrict weights, ptrdiff_t plane, ptrdiff_t count, int32_t*,
                       float* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float* tap = row + first[x];
        out[x] = (weights[x] * tap[0] + weights[plane + x] * tap[1]) +
                 (weights[2 * plane + x] * tap[2] + weights[3 * plane + x] * tap[3]);
    }
}

void cubic_rows_f32(const float* const* rows, const float* weights, ptrdiff_t count,
                    float* __restrict out) {
    const float* __restrict r0 = rows[0];
    const float* __restrict r1 = rows[1];
    const float* __restrict r2 = rows[2];
    const float* __restrict r3 = rows[3];
    const float w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float value = (w0 * r0[x] + w1 * r1[x]) + (w2 * r2[x] + w3 * r3[x]);
        const float low = value > 0.0f ? value : 0.0f;
        out[x] = low < 1.0f ? low : 1.0f;
    }
}

void planar_from_rgb_u8(const uint8_t* __restrict rgb, ptrdiff_t count, uint8_t* __restrict red,
                        uint8_t* __restrict green, uint8_t* __restrict blue) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        red[x] = rgb[3 * x];
        green[x] = rgb[3 * x + 1];
        blue[x] = rgb[3 * x + 2];
    }
}

void halve_u8(const uint8_t* __restrict upper, const uint8_t* __restrict lower, ptrdiff_t count,
              uint8_t* __restrict out) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const int sum = upper[2 * i] + upper[2 * i + 1] + lower[2 * i] + lower[2 * i + 1];
        out[i] = static_cast<uint8_t>((sum + 2) >> 2);
    }
}

void double_u8(const uint8_t* __restrict near, const uint8_t* __restrict far, ptrdiff_t count,
               uint8_t* __restrict out) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const int before = 3 * near[i - 1] + far[i - 1];
        const int here = 3 * near[i] + far[i];
        const int after = 3 * near[i + 1] + far[i + 1];
        out[2 * i] = static_cast<uint8_t>((3 * here + before + 8) >> 4);
        out[2 * i + 1] = static_cast<uint8_t>((3 * here + after + 8) >> 4);
    }
}

// 9-sums by doubling: pairs, fours, eights, and the ninth.
inline void sum9(float* __restrict work, float* __restrict second, ptrdiff_t count,
                 float* __restrict out) {
    for (ptrdiff_t x = 0; x < count + 7; ++x) second[x] = work[x] + work[x + 1];
    for (ptrdiff_t x = 0; x < count; ++x)
        out[x] = ((second[x] + second[x + 2]) + (second[x + 4] + second[x + 6])) + work[x + 8];
}

void guided_moments_row(const uint8_t* red, const uint8_t* green, const uint8_t* blue,
                        const uint8_t* alpha, ptrdiff_t count, float* __restrict work, float* out,
                        ptrdiff_t plane) {
    const ptrdiff_t wide = count + 8;
    float* __restrict second = work + wide;
    const uint8_t* channels[4] = {red, green, blue, alpha};
    for (int c = 0; c < 4; ++c) {
        const uint8_t* __restrict in = channels[c];
        for (ptrdiff_t x = 0; x < wide; ++x) work[x] = static_cast<float>(in[x]);
        sum9(work, second, count, out + c * plane);
    }
    constexpr int pairs[10][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2},
                                  {2, 2}, {0, 3}, {1, 3}, {2, 3}, {3, 3}};
    for (int k = 0; k < 10; ++k) {
        const uint8_t* __restrict a = channels[pairs[k][0]];
        const uint8_t* b = channels[pairs[k][1]];
        for (ptrdiff_t x = 0; x < wide; ++x)
            work[x] = static_cast<float>(static_cast<int32_t>(a[x]) * b[x]);
        sum9(work, second, count, out + (4 + k) * plane);
    }
}

void subtract(const float* __restrict remove, ptrdiff_t count, float* __restrict total) {
    for (ptrdiff_t x = 0; x < count; ++x) total[x] -= remove[x];
}

void add(const float* __restrict add_row, ptrdiff_t count, float* __restrict total) {
    for (ptrdiff_t x = 0; x < count; ++x) total[x] += add_row[x];
}

void guided_solve_row(const float* sums, ptrdiff_t plane, ptrdiff_t count,
                      const GuidedParameters* parameters, float* __restrict out,
                      ptrdiff_t out_plane) {
    const float epsilon = parameters->epsilon;
    const float gain_most = parameters->gain_most;
    const float* __restrict s = sums;
    constexpr float share = 1.0f / 81.0f;
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float r = s[x] * share;
        const float g = s[plane + x] * share;
        const float b = s[2 * plane + x] * share;
        const float p = s[3 * plane + x] * share;
        const float rr = s[4 * plane + x] * share - r * r + epsilon;
        const float rg = s[5 * plane + x] * share - r * g;
        const float rb = s[6 * plane + x] * share - r * b;
        const float gg = s[7 * plane + x] * share - g * g + epsilon;
        const float gb = s[8 * plane + x] * share - g * b;
        const float bb = s[9 * plane + x] * share - b * b + epsilon;
        const float rp = s[10 * plane + x] * share - r * p;
        const float gp = s[11 * plane + x] * share - g * p;
        const float bp = s[12 * plane + x] * share - b * p;
        const float pp = s[13 * plane + x] * share - p * p;
        // LDL' rather than the adjugate: grey pictures make the matrix nearly singular.
        const float inverse_r = 1.0f / rr;
        const float l_gr = rg * inverse_r;
        const float l_br = rb * inverse_r;
        const float inverse_g = 1.0f / (gg - l_gr * rg);
        const float gb_left = gb - l_gr * rb;
        const float l_bg = gb_left * inverse_g;
        const float inverse_b = 1.0f / ((bb - l_br * rb) - l_bg * gb_left);
        const float y_g = gp - l_gr * rp;
        const float y_b = (bp - l_br * rp) - l_bg * y_g;
        const float a_b = y_b * inverse_b;
        const float a_g = y_g * inverse_g - l_bg * a_b;
        const float a_r = (rp * inverse_r - l_gr * a_g) - l_br * a_b;
        // Least squares against a blurred alpha flattens the model. Its contrast is raised by
        // the share of alpha's variance that it explains and by how far alpha is from two-valued.
        const float explained = (a_r * rp + a_g * gp) + a_b * bp;
        const float spread = pp > 0.65f ? pp : 0.65f;
        const float two_valued_raw = p * (255.0f - p);
        const float two_valued = two_valued_raw > 65.0f ? two_valued_raw : 65.0f;
        float fit = explained / spread;
        fit = fit > 1e-3f ? fit : 1e-3f;
        fit = fit < 1.0f ? fit : 1.0f;
        float crisp = spread / two_valued;
        crisp = crisp > 1e-3f ? crisp : 1e-3f;
        crisp = crisp < 1.0f ? crisp : 1.0f;
        const float wanted = 1.0f / std::sqrt(fit * std::sqrt(crisp) * std::sqrt(std::sqrt(crisp)));
        const float gain = wanted < gain_most ? wanted : gain_most;
        out[x] = a_r * gain;
        out[out_plane + x] = a_g * gain;
        out[2 * out_plane + x] = a_b * gain;
        out[3 * out_plane + x] = p - ((a_r * r + a_g * g) + a_b * b) * gain;
    }
}

void sum9_columns(const float* __restrict in, ptrdiff_t count, float* __restrict work,
                  float* __restrict out) {
    for (ptrdiff_t x = 0; x < count + 7; ++x) work[x] = in[x] + in[x + 1];
    for (ptrdiff_t x = 0; x < count; ++x)
        out[x] = ((work[x] + work[x + 2]) + (work[x + 4] + work[x + 6])) + in[x + 8];
}

void mean9_rows(const float* const* rows, ptrdiff_t count, float* __restrict out) {
    const float* __restrict r0 = rows[0];
    const float* __restrict r1 = rows[1];
    const float* __restrict r2 = rows[2];
    const float* __restrict r3 = rows[3];
    const float* __restrict r4 = rows[4];
    const float* __restrict r5 = rows[5];
    const float* __restrict r6 = rows[6];
    const float* __restrict r7 = rows[7];
    const float* __restrict r8 = rows[8];
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float low = (r0[x] + r1[x]) + (r2[x] + r3[x]);
        const float high = (r4[x] + r5[x]) + (r6[x] + r7[x]);
        out[x] = ((low + high) + r8[x]) * (1.0f / 81.0f);
    }
}

inline float clipped(float value) {
    const float low = value > 0.0f ? value : 0.0f;
    return low < 255.0f ? low : 255.0f;
}

inline float modelled(const uint8_t* red, const uint8_t* green, const uint8_t* blue,
                      const float* coefficients, ptrdiff_t plane, ptrdiff_t x) {
    const float value =
        (coefficients[x] * static_cast<float>(red[x]) +
         coefficients[plane + x] * static_cast<float>(green[x])) +
        (coefficients[2 * plane + x] * static_cast<float>(blue[x]) + coefficients[3 * plane + x]);
    return clipped(value);
}

void guided_apply_u8(const uint8_t* __restrict red, const uint8_t* __restrict green,
                     const uint8_t* __restrict blue, const float* __restrict coefficients,
                     ptrdiff_t plane, ptrdiff_t count, uint8_t* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x)
        out[x] = static_cast<uint8_t>(
            static_cast<int32_t>(modelled(red, green, blue, coefficients, plane, x) + 0.5f));
}

void mix_rows(const float* __restrict near, const float* __restrict far, ptrdiff_t count,
              float* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x) out[x] = 0.75f * near[x] + 0.25f * far[x];
}

void double_f32(const float* __restrict in, ptrdiff_t count, float* __restrict out) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const float here = 0.75f * in[i];
        out[2 * i] = here + 0.25f * in[i - 1];
        out[2 * i + 1] = here + 0.25f * in[i + 1];
    }
}

void lerp_columns(const float* __restrict row, const int32_t* __restrict first,
                  const float* __restrict fraction, ptrdiff_t count, float* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float low = row[first[x]];
        out[x] = low + fraction[x] * (row[first[x] + 1] - low);
    }
}

void weighted_sum(const float* const* rows, const float* taps, ptrdiff_t tap_count, ptrdiff_t count,
                  float* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x) out[x] = taps[0] * rows[0][x];
    for (ptrdiff_t k = 1; k < tap_count; ++k) {
        const float* __restrict row = rows[k];
        const float tap = taps[k];
        for (ptrdiff_t x = 0; x < count; ++x) out[x] += tap * row[x];
    }
}

void guided_blend_u8(const uint8_t* __restrict red, const uint8_t* __restrict green,
                     const uint8_t* __restrict blue, const float* __restrict coefficients,
                     ptrdiff_t plane, const float* __restrict weight, ptrdiff_t count,
                     uint8_t* __restrict alpha) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float base = static_cast<float>(alpha[x]);
        const float model = modelled(red, green, blue, coefficients, plane, x);
        alpha[x] =
            static_cast<uint8_t>(static_cast<int32_t>(base + weight[x] * (model - base) + 0.5f));
    }
}

void guided_blend_f32(const uint8_t* __restrict red, const uint8_t* __restrict green,
                      const uint8_t* __restrict blue, const float* __restrict coefficients,
                      ptrdiff_t plane, const float* __restrict weight, ptrdiff_t count,
                      float* __restrict alpha) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float model = modelled(red, green, blue, coefficients, plane, x) * (1.0f / 255.0f);
        const float mixed = alpha[x] + weight[x] * (model - alpha[x]);
        alpha[x] = mixed < 1.0f ? mixed : 1.0f;
    }
}

}  // namespace

extern const RefineKernels refine_kernels;
const RefineKernels refine_kernels{
    &cubic_columns_u8, &cubic_rows_u8, &cubic_columns_f32,  &cubic_rows_f32,  &planar_from_rgb_u8,
    &halve_u8,         &double_u8,     &guided_moments_row, &subtract,        &add,
    &guided_solve_row, &sum9_columns,  &mean9_rows,         &guided_apply_u8, &mix_rows,
    &double_f32,       &lerp_columns,  &weighted_sum,       &guided_blend_u8, &guided_blend_f32,
};

}  // namespace nssbg::NSSBG_LEVEL
