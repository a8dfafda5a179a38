// Row loops of composition: over a background, over a layer, premultiplied, gradients.
#include "kernels/compose.hpp"

#include <cmath>
#include <limits>

#include "kernels/pixel_shuffle.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

template <class T>
constexpr std::uint32_t full = std::numeric_limits<T>::max();
template <class T>
constexpr int bits = 8 * sizeof(T);

// round(value / full) for value up to full^2, without a division: exact, and for 16 bits the
// sums stay below 2^32.
template <class T, class Wide>
inline Wide divided(Wide value) {
    const Wide shifted = value + static_cast<std::uint32_t>(full<T> / 2 + 1);
    return (shifted + (shifted >> bits<T>)) >> bits<T>;
}

template <class T>
inline T mixed(std::uint32_t front, std::uint32_t back, std::uint32_t alpha) {
    return static_cast<T>(divided<T>(front * alpha + back * (full<T> - alpha)));
}

template <class T>
void rgb_from_over(const T* __restrict rgba, const T* __restrict background, T* __restrict out,
                   std::ptrdiff_t width) {
    std::ptrdiff_t x = 0;
#ifdef NSSBG_BYTE_SHUFFLE
    using L = Lanes<T>;
    using Wide = typename L::Wide;
    using Narrow = typename L::Narrow;
    for (; x + L::pixels + L::overrun <= width; x += L::pixels) {
        const Narrow front = load<Narrow>(rgba + 4 * x);
        const Narrow back = four_from_three(background + 3 * x);
        const Narrow alpha = alpha_of_four(front);
        const Wide weight = __builtin_convertvector(alpha, Wide);
        const Wide rest = __builtin_convertvector(static_cast<Narrow>(~alpha), Wide);
        const Wide sum = __builtin_convertvector(front, Wide) * weight +
                         __builtin_convertvector(back, Wide) * rest +
                         static_cast<typename L::Word>(full<T> / 2 + 1);
        const Wide result = (sum + (sum >> bits<T>)) >> bits<T>;
        three_from_four(__builtin_convertvector(result, Narrow), out + 3 * x);
    }
#endif
    for (; x < width; ++x)
        for (std::ptrdiff_t c = 0; c < 3; ++c)
            out[3 * x + c] = mixed<T>(rgba[4 * x + c], background[3 * x + c], rgba[4 * x + 3]);
}

template <class T>
void premultiplied(const T* __restrict rgba, T* __restrict out, std::ptrdiff_t width) {
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const std::uint32_t alpha = rgba[4 * x + 3];
        out[4 * x] = static_cast<T>(divided<T>(rgba[4 * x] * alpha));
        out[4 * x + 1] = static_cast<T>(divided<T>(rgba[4 * x + 1] * alpha));
        out[4 * x + 2] = static_cast<T>(divided<T>(rgba[4 * x + 2] * alpha));
        out[4 * x + 3] = static_cast<T>(alpha);
    }
}

template <class T>
void rgba_from_over(const T* __restrict front, const T* __restrict back, T* __restrict out,
                    std::ptrdiff_t width) {
    constexpr std::uint64_t top = full<T>;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const std::uint64_t alpha = front[4 * x + 3];
        const std::uint64_t under = back[4 * x + 3];
        if (alpha == top || under == 0) {
            std::memcpy(out + 4 * x, front + 4 * x, 4 * sizeof(T));
            continue;
        }
        // Weights in units of full^2: exact integers up to the one division per channel.
        const std::uint64_t front_weight = alpha * top;
        const std::uint64_t back_weight = under * (top - alpha);
        const std::uint64_t weight = front_weight + back_weight;
        for (std::ptrdiff_t c = 0; c < 3; ++c)
            out[4 * x + c] = static_cast<T>(
                (front[4 * x + c] * front_weight + back[4 * x + c] * back_weight + weight / 2) /
                weight);
        out[4 * x + 3] = static_cast<T>((weight + top / 2) / top);
    }
}

template <class T>
bool mark_columns(const T* __restrict rgba, std::ptrdiff_t width, T threshold,
                  std::uint8_t* __restrict columns) {
    unsigned any = 0;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const bool over = rgba[4 * x + 3] > threshold;
        columns[x] = static_cast<std::uint8_t>(columns[x] | over);
        any |= over;
    }
    return any != 0;
}

template <class T>
void without_spill(T* __restrict rgba, std::ptrdiff_t width, int screen, std::uint32_t share) {
    const int first = screen == 0 ? 1 : 0;
    const int second = screen == 2 ? 1 : 2;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const std::uint32_t one = rgba[4 * x + first];
        const std::uint32_t other = rgba[4 * x + second];
        const std::uint32_t limit = one > other ? one : other;
        const std::uint32_t value = rgba[4 * x + screen];
        const std::uint32_t excess = value > limit ? value - limit : 0;
        rgba[4 * x + screen] = static_cast<T>(value - ((excess * share + 128) >> 8));
    }
}

template <class T>
void linear_gradient(const T* __restrict colors, std::ptrdiff_t count, float from, float step,
                     T* __restrict out, std::ptrdiff_t width) {
    const auto last = static_cast<float>(count - 1);
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        float position = from + static_cast<float>(x) * step;
        position = position > 0.0f ? position : 0.0f;
        position = position < last ? position : last;
        std::memcpy(out + 3 * x, colors + 3 * static_cast<int>(position + 0.5f), 3 * sizeof(T));
    }
}

template <class T>
void radial_gradient(const T* __restrict colors, std::ptrdiff_t count, float x0, float dy2,
                     float scale, T* __restrict out, std::ptrdiff_t width) {
    const auto last = static_cast<float>(count - 1);
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        const float dx = static_cast<float>(x) - x0;
        // sqrt is correctly rounded on every level.
        float position = scale * std::sqrt(dx * dx + dy2);
        position = position < last ? position : last;
        std::memcpy(out + 3 * x, colors + 3 * static_cast<int>(position + 0.5f), 3 * sizeof(T));
    }
}

template <class T>
constexpr ComposeRows<T> rows{&rgb_from_over<T>,  &premultiplied<T>, &rgba_from_over<T>,
                              &mark_columns<T>,   &without_spill<T>, &linear_gradient<T>,
                              &radial_gradient<T>};

}  // namespace

extern const ComposeKernels compose_kernels;
const ComposeKernels compose_kernels{rows<std::uint8_t>, rows<std::uint16_t>};

}  // namespace nssbg::NSSBG_LEVEL
