// Row loops of colour decontamination: the merge to RGBA, the split into half rows, the
// red-black update of the multi-level solver, and the way back to pixels.
#include "kernels/decontaminate.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/pixel_shuffle.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

template <class T>
constexpr float full = static_cast<float>(std::numeric_limits<T>::max());

template <class T>
void flag_blocks(const T* alpha, std::ptrdiff_t width, std::uint8_t* soft, std::uint8_t* open) {
    constexpr T opaque = std::numeric_limits<T>::max();
    const std::ptrdiff_t blocks = width / block_side;
    for (std::ptrdiff_t b = 0; b < blocks; ++b) {
        const T* a = alpha + b * block_side;
        unsigned any_soft = 0;
        unsigned any_open = 0;
        for (std::ptrdiff_t i = 0; i < block_side; ++i) {
            // Soft: a - 1 wraps 0 to the top, so one comparison tells 1 .. full - 1.
            any_soft |= static_cast<T>(a[i] - 1) < static_cast<T>(opaque - 1);
            any_open |= a[i] != opaque;
        }
        soft[b] |= static_cast<std::uint8_t>(any_soft);
        open[b] |= static_cast<std::uint8_t>(any_open);
    }
    for (std::ptrdiff_t x = blocks * block_side; x < width; ++x) {
        soft[blocks] |= static_cast<T>(alpha[x] - 1) < static_cast<T>(opaque - 1);
        open[blocks] |= alpha[x] != opaque;
    }
}

template <class T>
void rgba_from_rgb(const T* __restrict rgb, const T* __restrict alpha, T* __restrict rgba,
                   std::ptrdiff_t width, bool clear, std::uint8_t* __restrict soft,
                   std::uint8_t* __restrict open) {
    std::ptrdiff_t x = 0;
#ifdef NSSBG_BYTE_SHUFFLE
    using L = Lanes<T>;
    using Narrow = typename L::Narrow;
    constexpr T top = std::numeric_limits<T>::max();
    Narrow fourth{};
    for (std::ptrdiff_t p = 0; p < L::pixels; ++p) fourth[4 * p + 3] = top;
    const Narrow always = clear ? Narrow{} : ~Narrow{};
    for (; x + L::pixels + L::overrun <= width; x += L::pixels) {
        const Narrow color = four_from_three(rgb + 3 * x);
        const Narrow alphas = four_alphas(alpha + x);
        const Narrow kept = reinterpret_cast<Narrow>(alphas != 0) | always;
        store(rgba + 4 * x, (color & kept) | (alphas & fourth));
    }
#endif
    const T kept = clear ? 0 : 1;
    for (; x < width; ++x) {
        // All ones where the colour stays, zeros where it is cleared.
        const auto mask = static_cast<T>(-((alpha[x] != 0) | kept));
        rgba[4 * x] = rgb[3 * x] & mask;
        rgba[4 * x + 1] = rgb[3 * x + 1] & mask;
        rgba[4 * x + 2] = rgb[3 * x + 2] & mask;
        rgba[4 * x + 3] = alpha[x];
    }
    flag_blocks(alpha, width, soft, open);
}

void rgba_from_rgb_u8(const std::uint8_t* rgb, const std::uint8_t* alpha, std::uint8_t* rgba,
                      std::ptrdiff_t width, bool clear, std::uint8_t* soft, std::uint8_t* open) {
    rgba_from_rgb(rgb, alpha, rgba, width, clear, soft, open);
}
void rgba_from_rgb_u16(const std::uint16_t* rgb, const std::uint16_t* alpha, std::uint16_t* rgba,
                       std::ptrdiff_t width, bool clear, std::uint8_t* soft, std::uint8_t* open) {
    rgba_from_rgb(rgb, alpha, rgba, width, clear, soft, open);
}

template <class T>
void halves_from_rgb(const T* __restrict rgb, std::ptrdiff_t rgb_step, const T* __restrict alpha,
                     std::ptrdiff_t alpha_step, float* __restrict tile, std::ptrdiff_t y,
                     std::ptrdiff_t columns) {
    constexpr float scale = 1.0f / full<T>;
    for (std::ptrdiff_t parity = 0; parity < 2; ++parity) {
        float* __restrict a = half_row(tile, plane_alpha, y, parity);
        float* __restrict c0 = half_row(tile, plane_image, y, parity);
        float* __restrict c1 = half_row(tile, plane_image + 1, y, parity);
        float* __restrict c2 = half_row(tile, plane_image + 2, y, parity);
        const T* from = rgb + parity * rgb_step;
        const T* from_alpha = alpha + parity * alpha_step;
        for (std::ptrdiff_t i = 0; i < columns / 2; ++i) {
            a[i] = static_cast<float>(from_alpha[2 * i * alpha_step]) * scale;
            c0[i] = static_cast<float>(from[2 * i * rgb_step]) * scale;
            c1[i] = static_cast<float>(from[2 * i * rgb_step + 1]) * scale;
            c2[i] = static_cast<float>(from[2 * i * rgb_step + 2]) * scale;
        }
    }
}

inline float unit(float value) {
    value = value > 0.0f ? value : 0.0f;
    return value < 1.0f ? value : 1.0f;
}

// What a half row reads of one quantity: its own values, the other half's (element i is the
// left neighbour, i + 1 the right), and the same columns of the rows above and below.
// Solves, for every pixel, the two linear equations of the published method: the colour
// equation a F + (1 - a) B = I, and the neighbours' F and B weighted by regularization +
// gradient_weight * |difference of alpha|. A function of its own, so that the compiler takes
// each pointer's word for not overlapping the others.
void solve_pixels(const float* __restrict alpha, const float* __restrict alpha_side,
                  const float* __restrict alpha_up, const float* __restrict alpha_down,
                  const float* __restrict image, float* __restrict fore,
                  const float* __restrict fore_side, const float* __restrict fore_up,
                  const float* __restrict fore_down, float* __restrict back,
                  const float* __restrict back_side, const float* __restrict back_up,
                  const float* __restrict back_down, std::ptrdiff_t groups, float gradient_weight,
                  float regularization) {
    for (std::ptrdiff_t i = 0; i < groups * column_group; ++i) {
        const float a = alpha[i];
        const float b = 1.0f - a;
        const float left = regularization + gradient_weight * std::fabs(a - alpha_side[i]);
        const float right = regularization + gradient_weight * std::fabs(a - alpha_side[i + 1]);
        const float up = regularization + gradient_weight * std::fabs(a - alpha_up[i]);
        const float down = regularization + gradient_weight * std::fabs(a - alpha_down[i]);
        const float sum = (left + right) + (up + down);
        const float aa = a * a + sum;
        const float ab = a * b;
        const float bb = b * b + sum;
        const float inverse = 1.0f / (aa * bb - ab * ab);
        const float m_ff = inverse * bb;
        const float m_fb = inverse * ab;
        const float m_bb = inverse * aa;
        for (std::ptrdiff_t k = i; k < i + 3 * plane_size; k += plane_size) {
            const float color = image[k];
            const float f = a * color + ((left * fore_side[k] + right * fore_side[k + 1]) +
                                         (up * fore_up[k] + down * fore_down[k]));
            const float g = b * color + ((left * back_side[k] + right * back_side[k + 1]) +
                                         (up * back_up[k] + down * back_down[k]));
            fore[k] = unit(m_ff * f - m_fb * g);
            back[k] = unit(m_bb * g - m_fb * f);
        }
    }
}

void update_half_row(float* tile, std::ptrdiff_t y, std::ptrdiff_t parity, std::ptrdiff_t columns,
                     float gradient_weight, float regularization) {
    const std::ptrdiff_t other = 1 - parity;
    // Column 2i + parity has neighbours 2i + parity -+ 1 in the other half.
    const std::ptrdiff_t to_left = parity == 0 ? -1 : 0;
    const std::ptrdiff_t groups = (columns / 2 + column_group - 1) / column_group;
    solve_pixels(half_row(tile, plane_alpha, y, parity),
                 half_row(tile, plane_alpha, y, other) + to_left,
                 half_row(tile, plane_alpha, y - 1, parity),
                 half_row(tile, plane_alpha, y + 1, parity),
                 half_row(tile, plane_image, y, parity), half_row(tile, plane_fore, y, parity),
                 half_row(tile, plane_fore, y, other) + to_left,
                 half_row(tile, plane_fore, y - 1, parity),
                 half_row(tile, plane_fore, y + 1, parity), half_row(tile, plane_back, y, parity),
                 half_row(tile, plane_back, y, other) + to_left,
                 half_row(tile, plane_back, y - 1, parity),
                 half_row(tile, plane_back, y + 1, parity), groups, gradient_weight,
                 regularization);
}

void fixed_from_halves(const float* __restrict even, const float* __restrict odd,
                       std::uint16_t* __restrict out, std::ptrdiff_t pixels) {
    for (std::ptrdiff_t i = 0; i < pixels / 2; ++i) {
        out[2 * i] = static_cast<std::uint16_t>(static_cast<int>(even[i] * 65535.0f + 0.5f));
        out[2 * i + 1] = static_cast<std::uint16_t>(static_cast<int>(odd[i] * 65535.0f + 0.5f));
    }
}

void halves_from_fixed(const std::uint16_t* __restrict in, float* __restrict even,
                       float* __restrict odd, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float value = static_cast<float>(in[i]) * (1.0f / 65535.0f);
        even[i] = value;
        odd[i] = value;
    }
}

template <class T>
void rgba_from_halves(const float* const* from, const T* __restrict rgb, T* __restrict rgba,
                      std::ptrdiff_t pixels, float strength, bool extend) {
    constexpr T opaque = std::numeric_limits<T>::max();
    const float estimate_part = strength * full<T>;
    const float photo_part = 1.0f - strength;
    const T lowest = extend ? 0 : 1;
    for (std::ptrdiff_t x = 0; x < pixels; ++x) {
        const T alpha = rgba[4 * x + 3];
        if (alpha < lowest || alpha == opaque) continue;
        for (std::ptrdiff_t c = 0; c < 3; ++c) {
            const float estimate = from[2 * c + (x & 1)][x >> 1];
            const float photo = static_cast<float>(rgb[3 * x + c]);
            rgba[4 * x + c] =
                static_cast<T>(static_cast<int>(estimate * estimate_part + photo * photo_part + 0.5f));
        }
    }
}

void halves_from_rgb_u8(const std::uint8_t* rgb, std::ptrdiff_t rgb_step, const std::uint8_t* alpha,
                        std::ptrdiff_t alpha_step, float* tile, std::ptrdiff_t y,
                        std::ptrdiff_t columns) {
    halves_from_rgb(rgb, rgb_step, alpha, alpha_step, tile, y, columns);
}
void halves_from_rgb_u16(const std::uint16_t* rgb, std::ptrdiff_t rgb_step,
                         const std::uint16_t* alpha, std::ptrdiff_t alpha_step, float* tile,
                         std::ptrdiff_t y, std::ptrdiff_t columns) {
    halves_from_rgb(rgb, rgb_step, alpha, alpha_step, tile, y, columns);
}
void rgba_from_halves_u8(const float* const* from, const std::uint8_t* rgb, std::uint8_t* rgba,
                         std::ptrdiff_t pixels, float strength, bool extend) {
    rgba_from_halves(from, rgb, rgba, pixels, strength, extend);
}
void rgba_from_halves_u16(const float* const* from, const std::uint16_t* rgb, std::uint16_t* rgba,
                          std::ptrdiff_t pixels, float strength, bool extend) {
    rgba_from_halves(from, rgb, rgba, pixels, strength, extend);
}

}  // namespace

extern const DecontaminateKernels decontaminate_kernels;
const DecontaminateKernels decontaminate_kernels{
    &rgba_from_rgb_u8,   &rgba_from_rgb_u16, &halves_from_rgb_u8,  &halves_from_rgb_u16,
    &update_half_row,    &fixed_from_halves, &halves_from_fixed,   &rgba_from_halves_u8,
    &rgba_from_halves_u16};

}  // namespace nssbg::NSSBG_LEVEL
