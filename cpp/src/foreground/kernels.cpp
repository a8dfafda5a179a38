// Row loops of colour decontamination: the merge to RGBA, the split into half rows, the
// red-black update of the multi-level solver, and the way back to pixels.
#include "foreground/kernels.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/pixel_shuffle.hpp"

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
    constexpr std::ptrdiff_t vectors = block_side / L::pixels;
    for (; x + block_side + L::overrun <= width; x += block_side) {
        // A block is nearly always all opaque or all clear.
        std::uint64_t words[block_side * sizeof(T) / 8];
        std::memcpy(words, alpha + x, sizeof(words));
        std::uint64_t all = words[0];
        std::uint64_t any = words[0];
        for (const std::uint64_t word : words) {
            all &= word;
            any |= word;
        }
        T* to = rgba + 4 * x;
        if (all == ~std::uint64_t{0}) {
            for (std::ptrdiff_t k = 0; k < vectors; ++k)
                store(to + 4 * L::pixels * k,
                      four_from_three(rgb + 3 * (x + k * L::pixels)) | fourth);
            continue;
        }
        if (any == 0 && clear) {
            for (std::ptrdiff_t k = 0; k < vectors; ++k) store(to + 4 * L::pixels * k, Narrow{});
            open[x / block_side] = 1;
            continue;
        }
        for (std::ptrdiff_t k = 0; k < vectors; ++k) {
            const Narrow color = four_from_three(rgb + 3 * (x + k * L::pixels));
            const Narrow alphas = four_alphas(alpha + x + k * L::pixels);
            const Narrow kept = reinterpret_cast<Narrow>(alphas != 0) | always;
            store(to + 4 * L::pixels * k, (color & kept) | (alphas & fourth));
        }
        flag_blocks(alpha + x, block_side, soft + x / block_side, open + x / block_side);
    }
#endif
    const std::ptrdiff_t flagged = x;
    const T kept = clear ? 0 : 1;
    for (; x < width; ++x) {
        // All ones where the colour stays, zeros where it is cleared.
        const auto mask = static_cast<T>(-((alpha[x] != 0) | kept));
        rgba[4 * x] = rgb[3 * x] & mask;
        rgba[4 * x + 1] = rgb[3 * x + 1] & mask;
        rgba[4 * x + 2] = rgb[3 * x + 2] & mask;
        rgba[4 * x + 3] = alpha[x];
    }
    flag_blocks(alpha + flagged, width - flagged, soft + flagged / block_side,
                open + flagged / block_side);
}

void rgba_from_rgb_u8(const std::uint8_t* rgb, const std::uint8_t* alpha, std::uint8_t* rgba,
                      std::ptrdiff_t width, bool clear, std::uint8_t* soft, std::uint8_t* open) {
    rgba_from_rgb(rgb, alpha, rgba, width, clear, soft, open);
}
void rgba_from_rgb_u16(const std::uint16_t* rgb, const std::uint16_t* alpha, std::uint16_t* rgba,
                       std::ptrdiff_t width, bool clear, std::uint8_t* soft, std::uint8_t* open) {
    rgba_from_rgb(rgb, alpha, rgba, width, clear, soft, open);
}

// A row of packed values as its even and odd columns.
template <class T>
void halves_from_packed(const T* __restrict in, float* __restrict even, float* __restrict odd,
                        std::ptrdiff_t count) {
    constexpr float scale = 1.0f / full<T>;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        even[i] = static_cast<float>(in[2 * i]) * scale;
        odd[i] = static_cast<float>(in[2 * i + 1]) * scale;
    }
}

template <class T>
void halves_from_strided(const T* __restrict in, std::ptrdiff_t step, float* __restrict even,
                         float* __restrict odd, std::ptrdiff_t count) {
    constexpr float scale = 1.0f / full<T>;
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        even[i] = static_cast<float>(in[2 * i * step]) * scale;
        odd[i] = static_cast<float>(in[(2 * i + 1) * step]) * scale;
    }
}

#ifdef NSSBG_BYTE_SHUFFLE
typedef float Floats8 __attribute__((vector_size(32)));
typedef std::int32_t Ints8 __attribute__((vector_size(32)));

template <class Narrow>
inline void store_unit_floats(Narrow values, float scale, float* out) {
    store(out, __builtin_convertvector(__builtin_convertvector(values, Ints8), Floats8) * scale);
}

// Sixteen packed pixels of three bytes: each vector of four gives pairs (0, 2) and (1, 3) of a
// channel as 16-bit words, two rounds of interleaving words then gather each channel's halves.
inline void split_sixteen(const std::uint8_t* rgb, float* const* even, float* const* odd,
                          std::ptrdiff_t at) {
    typedef std::uint8_t Bytes8 __attribute__((vector_size(8)));
    constexpr float scale = 1.0f / 255.0f;
    Words8 pairs[4];
    for (int q = 0; q < 4; ++q) {
        // The last vector is loaded four bytes early: nothing beyond the 48 is read.
        const Bytes16 raw =
            q < 3 ? load<Bytes16>(rgb + 12 * q)
                  : __builtin_shufflevector(load<Bytes16>(rgb + 32), Bytes16{}, 4, 5, 6, 7, 8, 9,
                                            10, 11, 12, 13, 14, 15, 16, 16, 16, 16);
        const Bytes16 paired =
            __builtin_shufflevector(raw, raw, 0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11, 0, 0, 0, 0);
        std::memcpy(&pairs[q], &paired, 16);
    }
    const Words8 low01 = __builtin_shufflevector(pairs[0], pairs[1], 0, 8, 1, 9, 2, 10, 3, 11);
    const Words8 low23 = __builtin_shufflevector(pairs[2], pairs[3], 0, 8, 1, 9, 2, 10, 3, 11);
    const Words8 high01 = __builtin_shufflevector(pairs[0], pairs[1], 4, 12, 5, 13, 6, 14, 7, 15);
    const Words8 high23 = __builtin_shufflevector(pairs[2], pairs[3], 4, 12, 5, 13, 6, 14, 7, 15);
    const Words8 red = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 2, 3, 10, 11);
    const Words8 green = __builtin_shufflevector(low01, low23, 4, 5, 12, 13, 6, 7, 14, 15);
    const Words8 blue = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 2, 3, 10, 11);
    const Words8 channels[3] = {red, green, blue};
    for (int c = 0; c < 3; ++c) {
        Bytes8 halves[2];
        std::memcpy(halves, &channels[c], 16);
        store_unit_floats(halves[0], scale, even[c] + at);
        store_unit_floats(halves[1], scale, odd[c] + at);
    }
}
#endif

template <class T>
void halves_from_rgb(const T* __restrict rgb, std::ptrdiff_t rgb_step, const T* __restrict alpha,
                     std::ptrdiff_t alpha_step, float* __restrict tile, std::ptrdiff_t y,
                     std::ptrdiff_t columns) {
    const std::ptrdiff_t count = columns / 2;
    float* even_alpha = half_row(tile, plane_alpha, y, 0);
    float* odd_alpha = half_row(tile, plane_alpha, y, 1);
    if (alpha_step == 1)
        halves_from_packed(alpha, even_alpha, odd_alpha, count);
    else
        halves_from_strided(alpha, alpha_step, even_alpha, odd_alpha, count);
    float* even[3];
    float* odd[3];
    for (int c = 0; c < 3; ++c) {
        even[c] = half_row(tile, plane_image + c, y, 0);
        odd[c] = half_row(tile, plane_image + c, y, 1);
    }
    std::ptrdiff_t done = 0;
#ifdef NSSBG_BYTE_SHUFFLE
    if constexpr (sizeof(T) == 1) {
        if (rgb_step == 3)
            for (; done + 8 <= count; done += 8) split_sixteen(rgb + 6 * done, even, odd, done);
    }
#endif
    for (int c = 0; c < 3; ++c)
        halves_from_strided(rgb + 2 * done * rgb_step + c, rgb_step, even[c] + done, odd[c] + done,
                            count - done);
}

// Clamps to 0..1 by the bits: as integers, floats of one sign are ordered like their values
// and negative ones lie below zero. Written with comparisons of floats, GCC makes six masked
// operations of it where the integers take two. The value is no NaN.
inline float unit(float value) {
    std::int32_t word;
    std::memcpy(&word, &value, sizeof(word));
    word = word > 0 ? word : 0;
    word = word < 0x3f800000 ? word : 0x3f800000;
    std::memcpy(&value, &word, sizeof(word));
    return value;
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
    solve_pixels(
        half_row(tile, plane_alpha, y, parity), half_row(tile, plane_alpha, y, other) + to_left,
        half_row(tile, plane_alpha, y - 1, parity), half_row(tile, plane_alpha, y + 1, parity),
        half_row(tile, plane_image, y, parity), half_row(tile, plane_fore, y, parity),
        half_row(tile, plane_fore, y, other) + to_left, half_row(tile, plane_fore, y - 1, parity),
        half_row(tile, plane_fore, y + 1, parity), half_row(tile, plane_back, y, parity),
        half_row(tile, plane_back, y, other) + to_left, half_row(tile, plane_back, y - 1, parity),
        half_row(tile, plane_back, y + 1, parity), groups, gradient_weight, regularization);
}

// Even and odd values side by side in one word twice as wide: packed values in order (the
// levels are little-endian), by a loop without shuffles.
template <class Word, int shift>
void packed_from_halves(const float* __restrict even, const float* __restrict odd,
                        Word* __restrict out, std::ptrdiff_t count) {
    constexpr auto scale = static_cast<float>((1 << shift) - 1);
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const int low = static_cast<int>(even[i] * scale + 0.5f);
        const int high = static_cast<int>(odd[i] * scale + 0.5f);
        out[i] =
            static_cast<Word>(static_cast<unsigned>(low) | (static_cast<unsigned>(high) << shift));
    }
}

void fixed_from_halves(const float* even, const float* odd, std::uint32_t* out,
                       std::ptrdiff_t count) {
    packed_from_halves<std::uint32_t, 16>(even, odd, out, count);
}

void halves_from_fixed(const std::uint16_t* __restrict in, float* __restrict even,
                       float* __restrict odd, float* __restrict next_even,
                       float* __restrict next_odd, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float value = static_cast<float>(in[i]) * (1.0f / 65535.0f);
        even[i] = value;
        odd[i] = value;
        next_even[i] = value;
        next_odd[i] = value;
    }
}

// A pixel of four channels as one word: 32 bits for u8, 64 for u16.
template <class T, class Pixel>
void replaced(const T* __restrict red, const T* __restrict green, const T* __restrict blue,
              const T* __restrict alpha, Pixel* __restrict rgba, std::ptrdiff_t pixels,
              bool extend) {
    constexpr int bits = 8 * sizeof(T);
    constexpr T top = std::numeric_limits<T>::max();
    const T shift_zero = extend ? 0 : 1;
    for (std::ptrdiff_t x = 0; x < pixels; ++x) {
        const T a = alpha[x];
        const Pixel color = static_cast<Pixel>(red[x]) | static_cast<Pixel>(green[x]) << bits |
                            static_cast<Pixel>(blue[x]) << (2 * bits) |
                            static_cast<Pixel>(a) << (3 * bits);
        // Soft (or, if extend, not full): a - 1 wraps 0 to the top.
        const bool taken = static_cast<T>(a - shift_zero) < static_cast<T>(top - shift_zero);
        rgba[x] = taken ? color : rgba[x];
    }
}

template <class T, class Word, class Pixel>
void rgba_from_halves(const float* const* from, const T* __restrict rgb, const T* alpha, T* rgba,
                      std::ptrdiff_t pixels, float strength, bool extend) {
    constexpr T opaque = std::numeric_limits<T>::max();
    Word words[3][region_columns / 2];
    T* const planes[3] = {reinterpret_cast<T*>(words[0]), reinterpret_cast<T*>(words[1]),
                          reinterpret_cast<T*>(words[2])};
    for (int c = 0; c < 3; ++c)
        packed_from_halves<Word, 8 * sizeof(T)>(from[2 * c], from[2 * c + 1], words[c],
                                                (pixels + 1) / 2);
    if (strength < 1.0f) {
        const float estimate_part = strength * static_cast<float>(opaque);
        const float photo_part = 1.0f - strength;
        for (std::ptrdiff_t x = 0; x < pixels; ++x)
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const float estimate = from[2 * c + (x & 1)][x >> 1];
                const float photo = static_cast<float>(rgb[3 * x + c]);
                planes[c][x] = static_cast<T>(
                    static_cast<int>(estimate * estimate_part + photo * photo_part + 0.5f));
            }
    }
    // rgba comes from whole arrays of pixels, so it is aligned for them.
    replaced(planes[0], planes[1], planes[2], alpha, reinterpret_cast<Pixel*>(rgba), pixels,
             extend);
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
void rgba_from_halves_u8(const float* const* from, const std::uint8_t* rgb,
                         const std::uint8_t* alpha, std::uint8_t* rgba, std::ptrdiff_t pixels,
                         float strength, bool extend) {
    rgba_from_halves<std::uint8_t, std::uint16_t, std::uint32_t>(from, rgb, alpha, rgba, pixels,
                                                                 strength, extend);
}
void rgba_from_halves_u16(const float* const* from, const std::uint16_t* rgb,
                          const std::uint16_t* alpha, std::uint16_t* rgba, std::ptrdiff_t pixels,
                          float strength, bool extend) {
    rgba_from_halves<std::uint16_t, std::uint32_t, std::uint64_t>(from, rgb, alpha, rgba, pixels,
                                                                  strength, extend);
}

}  // namespace

extern const DecontaminateKernels decontaminate_kernels;
const DecontaminateKernels decontaminate_kernels{
    &rgba_from_rgb_u8,    &rgba_from_rgb_u16,   &halves_from_rgb_u8,
    &halves_from_rgb_u16, &update_half_row,     &fixed_from_halves,
    &halves_from_fixed,   &rgba_from_halves_u8, &rgba_from_halves_u16};

}  // namespace nssbg::NSSBG_LEVEL
