// Row loops of the studio method: box reduction, gradients, backdrop evidence, 3 x 3
// morphology, and the affine alpha of the soft band. Contracts are in studio.hpp.
#include "studio/kernels.hpp"

#include <cmath>

namespace nssbg::NSSBG_LEVEL {
namespace {

void add_row_u8(const std::uint8_t* __restrict row, std::uint16_t* __restrict sums,
                std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i)
        sums[i] = static_cast<std::uint16_t>(sums[i] + row[i]);
}

void add_row_u16(const std::uint16_t* __restrict row, std::uint32_t* __restrict sums,
                 std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) sums[i] += row[i];
}

template <class Sum>
void planes_from_sums(const Sum* __restrict sums, std::ptrdiff_t width, int factor, int rows,
                      double unit, float* __restrict red, float* __restrict green,
                      float* __restrict blue) {
    const std::ptrdiff_t whole = width / factor;
    const double scale = 1.0 / (unit * factor * rows);
    for (std::ptrdiff_t x = 0; x < whole; ++x) {
        const Sum* block = sums + x * factor * 3;
        std::uint32_t total[3] = {0, 0, 0};
        for (int i = 0; i < factor; ++i)
            for (int c = 0; c < 3; ++c) total[c] += block[i * 3 + c];
        red[x] = static_cast<float>(total[0] * scale);
        green[x] = static_cast<float>(total[1] * scale);
        blue[x] = static_cast<float>(total[2] * scale);
    }
    const int rest = static_cast<int>(width - whole * factor);
    if (rest == 0) return;
    const double rest_scale = 1.0 / (unit * rest * rows);
    std::uint32_t total[3] = {0, 0, 0};
    for (int i = 0; i < rest; ++i)
        for (int c = 0; c < 3; ++c) total[c] += sums[(whole * factor + i) * 3 + c];
    red[whole] = static_cast<float>(total[0] * rest_scale);
    green[whole] = static_cast<float>(total[1] * rest_scale);
    blue[whole] = static_cast<float>(total[2] * rest_scale);
}

void planes_from_sums_u8(const std::uint16_t* sums, std::ptrdiff_t width, int factor, int rows,
                         float* red, float* green, float* blue) {
    planes_from_sums(sums, width, factor, rows, 1.0, red, green, blue);
}

void planes_from_sums_u16(const std::uint32_t* sums, std::ptrdiff_t width, int factor, int rows,
                          float* red, float* green, float* blue) {
    planes_from_sums(sums, width, factor, rows, 257.0, red, green, blue);
}

inline float binomial_column(const float* above, const float* here, const float* below,
                             std::ptrdiff_t x) {
    return (above[x] + below[x]) + 2.0f * here[x];
}

void binomial_row(const float* __restrict above, const float* __restrict here,
                  const float* __restrict below, float* __restrict out, std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 1; x < width - 1; ++x)
        out[x] = ((binomial_column(above, here, below, x - 1) +
                   binomial_column(above, here, below, x + 1)) +
                  2.0f * binomial_column(above, here, below, x)) *
                 0.0625f;
    for (const std::ptrdiff_t x : {std::ptrdiff_t{0}, width - 1}) {
        const std::ptrdiff_t left = x > 0 ? x - 1 : x;
        const std::ptrdiff_t right = x < width - 1 ? x + 1 : x;
        out[x] = ((binomial_column(above, here, below, left) +
                   binomial_column(above, here, below, right)) +
                  2.0f * binomial_column(above, here, below, x)) *
                 0.0625f;
    }
}

void gradient_row(const float* const above[3], const float* const here[3],
                  const float* const below[3], float* __restrict out, std::ptrdiff_t width) {
    const float* __restrict a0 = above[0];
    const float* __restrict a1 = above[1];
    const float* __restrict a2 = above[2];
    const float* __restrict h0 = here[0];
    const float* __restrict h1 = here[1];
    const float* __restrict h2 = here[2];
    const float* __restrict b0 = below[0];
    const float* __restrict b1 = below[1];
    const float* __restrict b2 = below[2];
    const auto value = [&](std::ptrdiff_t x, std::ptrdiff_t left, std::ptrdiff_t right) {
        const float x0 = h0[right] - h0[left];
        const float x1 = h1[right] - h1[left];
        const float x2 = h2[right] - h2[left];
        const float y0 = b0[x] - a0[x];
        const float y1 = b1[x] - a1[x];
        const float y2 = b2[x] - a2[x];
        return 0.5f * std::sqrt(((x0 * x0 + y0 * y0) + (x1 * x1 + y1 * y1)) + (x2 * x2 + y2 * y2));
    };
    for (std::ptrdiff_t x = 1; x < width - 1; ++x) out[x] = value(x, x - 1, x + 1);
    out[0] = value(0, 0, width > 1 ? 1 : 0);
    if (width > 1) out[width - 1] = value(width - 1, width - 2, width - 1);
}

void mean9_row(const float* __restrict column_sums, float* __restrict out, std::ptrdiff_t width) {
    const auto clamped = [&](std::ptrdiff_t x) {
        return column_sums[x < 0 ? 0 : (x >= width ? width - 1 : x)];
    };
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        if (x == 4 && width > 8) {
            for (; x < width - 4; ++x) {
                const float* s = column_sums + x;
                out[x] =
                    (((s[-4] + s[4]) + (s[-3] + s[3])) + ((s[-2] + s[2]) + (s[-1] + s[1])) + s[0]) *
                    (1.0f / 81.0f);
            }
        }
        out[x] =
            (((clamped(x - 4) + clamped(x + 4)) + (clamped(x - 3) + clamped(x + 3))) +
             ((clamped(x - 2) + clamped(x + 2)) + (clamped(x - 1) + clamped(x + 1))) + clamped(x)) *
            (1.0f / 81.0f);
    }
}

void backdrop_row(const float coefficients[4], float step, const float* __restrict cells,
                  const std::int32_t* __restrict cell_index, const float* __restrict cell_weight,
                  float* __restrict out, std::ptrdiff_t width) {
    const float c0 = coefficients[0];
    const float c1 = coefficients[1];
    const float c2 = coefficients[2];
    const float c3 = coefficients[3];
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const float u = static_cast<float>(static_cast<std::int32_t>(x)) * step - 1.0f;
        const float left = cells[cell_index[x]];
        const float right = cells[cell_index[x] + 1];
        const float value = c0 + u * (c1 + u * (c2 + u * c3));
        out[x] = value + (left + (right - left) * cell_weight[x]);
    }
}

void evidence_row(const float* const color[3], const float* const backdrop[3],
                  const float* __restrict gradient, const float* __restrict surroundings,
                  const BackdropLimits& limits, std::uint8_t* __restrict out,
                  std::ptrdiff_t width) {
    const BackdropLimits l = limits;
    const float* __restrict p0 = color[0];
    const float* __restrict p1 = color[1];
    const float* __restrict p2 = color[2];
    const float* __restrict b0 = backdrop[0];
    const float* __restrict b1 = backdrop[1];
    const float* __restrict b2 = backdrop[2];
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        // The direction along which light changes the backdrop; the offset keeps it
        // defined (grey) on a black backdrop.
        const float u0 = b0[x] + 16.0f;
        const float u1 = b1[x] + 16.0f;
        const float u2 = b2[x] + 16.0f;
        const float length2 = u0 * u0 + u1 * u1 + u2 * u2;
        const float d0 = p0[x] - b0[x];
        const float d1 = p1[x] - b1[x];
        const float d2 = p2[x] - b2[x];
        const float length = std::sqrt(length2);
        const float light = (d0 * u0 + d1 * u1 + d2 * u2) / length;
        const float size2 = d0 * d0 + d1 * d1 + d2 * d2;
        const float across2 = size2 - light * light;
        const float magnitude = light < 0.0f ? -light : light;
        const float limit = l.chroma + l.chroma_per_light * magnitude;
        const bool no_edge = gradient[x] - 1.5f * surroundings[x] < l.edge;
        const bool loose = (across2 < limit * limit) & (light < l.light_up) &
                           (light > -l.light_down * length) & (gradient[x] < l.slope) & no_edge;
        const bool tight = (across2 < l.tight_chroma * l.tight_chroma) &
                           (magnitude < l.tight_light) & (gradient[x] < l.slope) & no_edge;
        out[x] = static_cast<std::uint8_t>((loose ? 1 : 0) + ((loose & tight) ? 1 : 0));
    }
}

void screen_evidence_row(const float* __restrict key, const float* __restrict rival0,
                         const float* __restrict rival1, const float* __restrict backdrop_key,
                         const float* __restrict backdrop_rival0,
                         const float* __restrict backdrop_rival1, std::uint8_t* __restrict out,
                         std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const float rival = rival0[x] > rival1[x] ? rival0[x] : rival1[x];
        const float backdrop_rival =
            backdrop_rival0[x] > backdrop_rival1[x] ? backdrop_rival0[x] : backdrop_rival1[x];
        const float difference = key[x] - rival;
        const float backdrop_difference = backdrop_key[x] - backdrop_rival;
        // Saturation survives a shadow; the difference itself must not fall too far, or
        // dark subjects with a green cast would count as screen.
        const float saturation = difference * backdrop_key[x];
        const float backdrop_saturation = backdrop_difference * key[x];
        const bool loose =
            (saturation > 0.72f * backdrop_saturation) & (difference > 0.40f * backdrop_difference);
        const bool tight =
            (saturation > 0.85f * backdrop_saturation) & (difference > 0.85f * backdrop_difference);
        out[x] = static_cast<std::uint8_t>((loose ? 1 : 0) + ((loose & tight) ? 1 : 0));
    }
}

void minimum3_row(const std::uint8_t* __restrict above, const std::uint8_t* __restrict here,
                  const std::uint8_t* __restrict below, std::uint8_t* __restrict out,
                  std::ptrdiff_t width) {
    const auto column = [&](std::ptrdiff_t x) {
        const std::uint8_t a = above[x] < below[x] ? above[x] : below[x];
        return here[x] < a ? here[x] : a;
    };
    const auto lesser = [](std::uint8_t a, std::uint8_t b) { return a < b ? a : b; };
    for (std::ptrdiff_t x = 1; x < width - 1; ++x)
        out[x] = lesser(lesser(column(x - 1), column(x + 1)), column(x));
    for (const std::ptrdiff_t x : {std::ptrdiff_t{0}, width - 1})
        out[x] =
            lesser(lesser(column(x > 0 ? x - 1 : x), column(x < width - 1 ? x + 1 : x)), column(x));
}

void maximum3_row(const std::uint8_t* __restrict above, const std::uint8_t* __restrict here,
                  const std::uint8_t* __restrict below, std::uint8_t* __restrict out,
                  std::ptrdiff_t width) {
    const auto column = [&](std::ptrdiff_t x) {
        const std::uint8_t a = above[x] > below[x] ? above[x] : below[x];
        return here[x] > a ? here[x] : a;
    };
    const auto greater = [](std::uint8_t a, std::uint8_t b) { return a > b ? a : b; };
    for (std::ptrdiff_t x = 1; x < width - 1; ++x)
        out[x] = greater(greater(column(x - 1), column(x + 1)), column(x));
    for (const std::ptrdiff_t x : {std::ptrdiff_t{0}, width - 1})
        out[x] = greater(greater(column(x > 0 ? x - 1 : x), column(x < width - 1 ? x + 1 : x)),
                         column(x));
}

void lerp_row(const float* __restrict above, const float* __restrict below, float weight,
              float* __restrict out, std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 0; x < width; ++x) out[x] = above[x] + (below[x] - above[x]) * weight;
}

inline float between(const float* row, std::int32_t i, float weight) {
    return row[i] + (row[i + 1] - row[i]) * weight;
}

inline std::uint8_t byte_of(float value) {
    const float scaled = value * 255.0f + 0.5f;
    const float bounded = scaled < 0.0f ? 0.0f : (scaled > 255.0f ? 255.0f : scaled);
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(bounded));
}

template <class T>
void alpha_row(const T* __restrict rgb, const AlphaModelRows& model,
               const std::int32_t* __restrict index, const float* __restrict weight, int key,
               std::ptrdiff_t begin, std::ptrdiff_t end, float scale,
               std::uint8_t* __restrict alpha) {
    const float* __restrict v0 = model.plane[0];
    const float* __restrict v1 = model.plane[1];
    const float* __restrict v2 = model.plane[2];
    const float* __restrict v3 = model.plane[3];
    const float* __restrict k = model.plane[4];
    if (key < 0) {
        for (std::ptrdiff_t x = begin; x < end; ++x) {
            const std::int32_t i = index[x];
            const float t = weight[x];
            const float red = static_cast<float>(rgb[3 * x]) * scale;
            const float green = static_cast<float>(rgb[3 * x + 1]) * scale;
            const float blue = static_cast<float>(rgb[3 * x + 2]) * scale;
            alpha[x] = byte_of(red * between(v0, i, t) + green * between(v1, i, t) +
                               blue * between(v2, i, t) + between(k, i, t));
        }
        return;
    }
    const int first = key == 0 ? 1 : 0;
    const int second = key == 2 ? 1 : 2;
    for (std::ptrdiff_t x = begin; x < end; ++x) {
        const std::int32_t i = index[x];
        const float t = weight[x];
        const float rival0 = static_cast<float>(rgb[3 * x + first]);
        const float rival1 = static_cast<float>(rgb[3 * x + second]);
        const float rival = rival0 > rival1 ? rival0 : rival1;
        const float difference = (static_cast<float>(rgb[3 * x + key]) - rival) * scale;
        alpha[x] = byte_of(difference * between(v3, i, t) + between(k, i, t));
    }
}

void alpha_row_u8(const std::uint8_t* rgb, const AlphaModelRows& model, const std::int32_t* index,
                  const float* weight, int key, std::ptrdiff_t begin, std::ptrdiff_t end,
                  std::uint8_t* alpha) {
    alpha_row(rgb, model, index, weight, key, begin, end, 1.0f, alpha);
}

void alpha_row_u16(const std::uint16_t* rgb, const AlphaModelRows& model, const std::int32_t* index,
                   const float* weight, int key, std::ptrdiff_t begin, std::ptrdiff_t end,
                   std::uint8_t* alpha) {
    alpha_row(rgb, model, index, weight, key, begin, end, 1.0f / 257.0f, alpha);
}

void bytes_row(const float* __restrict plane, const std::int32_t* __restrict index,
               const float* __restrict weight, std::uint8_t* __restrict out, std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 0; x < width; ++x)
        out[x] = byte_of(between(plane, index[x], weight[x]));
}

}  // namespace

extern const StudioKernels studio_kernels;
const StudioKernels studio_kernels{
    &add_row_u8,   &add_row_u16,         &planes_from_sums_u8, &planes_from_sums_u16,
    &binomial_row, &gradient_row,        &mean9_row,           &backdrop_row,
    &evidence_row, &screen_evidence_row, &minimum3_row,        &maximum3_row,
    &lerp_row,     &alpha_row_u8,        &alpha_row_u16,       &bytes_row};

}  // namespace nssbg::NSSBG_LEVEL
