// Row loops of defocus: light from colours, runs of an aperture's rows, layers over one another.
#include "defocus/kernels.hpp"

#include <cmath>
#include <limits>

namespace nssbg::NSSBG_LEVEL {
namespace {

template <class T>
constexpr std::int32_t full = std::numeric_limits<T>::max();

template <class T>
void light_from_rgb(const T* __restrict rgb, const T* __restrict rgba,
                    const float* __restrict to_linear, float* __restrict light,
                    std::ptrdiff_t width) {
    constexpr float share = 1.0f / static_cast<float>(full<T>);
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const std::int32_t alpha = rgba[4 * x + 3];
        float* const to = light + 4 * x;
        if (alpha == 0) {
            to[0] = to_linear[rgb[3 * x]];
            to[1] = to_linear[rgb[3 * x + 1]];
            to[2] = to_linear[rgb[3 * x + 2]];
            to[3] = 1.0f;
        } else if (alpha == full<T>) {
            to[0] = to[1] = to[2] = to[3] = 0.0f;
        } else {
            // What is seen is a F + (1 - a) B, in the picture's own encoding.
            const std::int32_t rest = full<T> - alpha;
            const float weight = static_cast<float>(rest) * share;
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const std::int64_t own = static_cast<std::int64_t>(rgb[3 * x + c]) * full<T> -
                                         static_cast<std::int64_t>(rgba[4 * x + c]) * alpha;
                std::int64_t value = own <= 0 ? 0 : (own + rest / 2) / rest;
                value = value < full<T> ? value : full<T>;
                to[c] = to_linear[value] * weight;
            }
            to[3] = weight;
        }
    }
}

template <class T>
void rgb_from_sums(const float* __restrict sums, const float* __restrict behind, float least,
                   const T* __restrict from_root, std::int32_t last_root, const T* __restrict rgba,
                   T* __restrict rgb, std::ptrdiff_t width) {
    const auto top = static_cast<float>(last_root);
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        if (rgba[4 * x + 3] == full<T>) {
            rgb[3 * x] = rgb[3 * x + 1] = rgb[3 * x + 2] = 0;
            continue;
        }
        float weight = sums[4 * x + 3];
        const float lacking = weight < least ? least - weight : 0.0f;
        weight = 1.0f / (weight + lacking);
        for (std::ptrdiff_t c = 0; c < 3; ++c) {
            float value = (sums[4 * x + c] + lacking * behind[4 * x + c]) * weight;
            value = value > 0.0f ? value : 0.0f;
            value = value < 1.0f ? value : 1.0f;
            rgb[3 * x + c] = from_root[static_cast<std::int32_t>(std::sqrt(value) * top + 0.5f)];
        }
    }
}

void add_cells(const float* __restrict light, float* __restrict cells, std::ptrdiff_t count,
               std::ptrdiff_t factor) {
    const float share = 1.0f / static_cast<float>(factor * factor);
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float* from = light + 4 * factor * i;
        float sum[4] = {from[0], from[1], from[2], from[3]};
        for (std::ptrdiff_t p = 1; p < factor; ++p)
            for (std::ptrdiff_t c = 0; c < 4; ++c) sum[c] += from[4 * p + c];
        for (std::ptrdiff_t c = 0; c < 4; ++c) cells[4 * i + c] += sum[c] * share;
    }
}

void layer_from_cells(const float* __restrict cells, const float* __restrict radii,
                      float* __restrict layer, std::ptrdiff_t count, float low, float middle,
                      float high) {
    const float rise = 1.0f / (middle - low);
    const float fall = 1.0f / (high - middle);
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float radius = radii[i];
        float weight = radius < middle ? (radius - low) * rise : (high - radius) * fall;
        weight = weight > 0.0f ? weight : 0.0f;
        weight = weight < 1.0f ? weight : 1.0f;
        for (std::ptrdiff_t c = 0; c < 4; ++c) layer[4 * i + c] = cells[4 * i + c] * weight;
    }
}

void prefix_from_cells(const float* __restrict cells, float* __restrict prefix,
                       std::ptrdiff_t count) {
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (std::ptrdiff_t c = 0; c < 4; ++c) prefix[c] = 0.0f;
    for (std::ptrdiff_t i = 0; i < count; ++i)
        for (std::ptrdiff_t c = 0; c < 4; ++c) {
            sum[c] += cells[4 * i + c];
            prefix[4 * i + 4 + c] = sum[c];
        }
}

void add_run(const float* __restrict left, float left_share, const float* __restrict right,
             float right_share, float weight, float* __restrict out, std::ptrdiff_t floats) {
    const float l1 = left_share * weight, l0 = weight - l1;
    const float r1 = right_share * weight, r0 = weight - r1;
    for (std::ptrdiff_t i = 0; i < floats; ++i)
        out[i] += (r0 * right[i] + r1 * right[i + 4]) - (l0 * left[i] + l1 * left[i + 4]);
}

void enlarged_row(const float* __restrict upper, const float* __restrict lower, float down,
                  const float* __restrict shares, std::ptrdiff_t factor, float* __restrict mixed,
                  std::ptrdiff_t cells, float* __restrict out) {
    const float up = 1.0f - down;
    for (std::ptrdiff_t i = 0; i < 4 * cells; ++i) mixed[i] = up * upper[i] + down * lower[i];
    // From the middle of a cell to the middle of the next, `factor` pixels.
    for (std::ptrdiff_t i = 0; i + 1 < cells; ++i) {
        const float* from = mixed + 4 * i;
        float* to = out + 4 * factor * i;
        for (std::ptrdiff_t p = 0; p < factor; ++p)
            for (std::ptrdiff_t c = 0; c < 4; ++c)
                to[4 * p + c] = from[c] + shares[p] * (from[4 + c] - from[c]);
    }
}

void add_layer(const float* __restrict layer, float* __restrict sums, float* __restrict covered,
               float* __restrict last, std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        float seen = 1.0f - covered[x];
        seen = seen > 0.0f ? seen : 0.0f;
        for (std::ptrdiff_t c = 0; c < 4; ++c) sums[4 * x + c] += seen * layer[4 * x + c];
        covered[x] += last[x];
        last[x] = layer[4 * x + 3];
    }
}

template <class T>
constexpr DefocusRows<T> rows{&light_from_rgb<T>, &rgb_from_sums<T>};

}  // namespace

extern const DefocusKernels defocus_kernels;
const DefocusKernels defocus_kernels{&add_cells,         &layer_from_cells,  &prefix_from_cells,
                                     &add_run,           &enlarged_row,      &add_layer,
                                     rows<std::uint8_t>, rows<std::uint16_t>};

}  // namespace nssbg::NSSBG_LEVEL
