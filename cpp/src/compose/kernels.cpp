// Row loops of composition: over a background, over a layer, premultiplied, gradients.
#include "compose/kernels.hpp"

#include <cmath>
#include <limits>

#include "core/pixel_shuffle.hpp"

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

#ifdef NSSBG_BYTE_SHUFFLE
// round((front * weight + back * (full - weight)) / full) in every lane.
template <class T, class Narrow>
inline Narrow mixed_lanes(Narrow front, Narrow back, Narrow weight) {
    using Wide = typename Lanes<T>::Wide;
    const Wide sum = __builtin_convertvector(front, Wide) * __builtin_convertvector(weight, Wide) +
                     __builtin_convertvector(back, Wide) *
                         __builtin_convertvector(static_cast<Narrow>(~weight), Wide) +
                     static_cast<typename Lanes<T>::Word>(full<T> / 2 + 1);
    return __builtin_convertvector((sum + (sum >> bits<T>)) >> bits<T>, Narrow);
}

// Four vectors of pixels at once, so that the many all opaque or all clear ones cost a copy.
template <class T>
struct FourVectors {
    using L = Lanes<T>;
    using Narrow = typename L::Narrow;
    static constexpr std::ptrdiff_t pixels = 4 * L::pixels;
    Narrow part[4];

    explicit FourVectors(const T* rgba) {
        for (int k = 0; k < 4; ++k) part[k] = load<Narrow>(rgba + 4 * L::pixels * k);
    }
    bool opaque() const {
        return all_set((part[0] & part[1]) & (part[2] & part[3]), L::alpha_bits);
    }
    bool clear() const {
        return none_set((part[0] | part[1]) | (part[2] | part[3]), L::alpha_bits);
    }
};
#endif

template <class T>
void rgb_from_over(const T* __restrict rgba, const T* __restrict background, T* __restrict out,
                   std::ptrdiff_t width) {
    std::ptrdiff_t x = 0;
#ifdef NSSBG_BYTE_SHUFFLE
    using L = Lanes<T>;
    for (; x + FourVectors<T>::pixels + L::overrun <= width; x += FourVectors<T>::pixels) {
        const FourVectors<T> front(rgba + 4 * x);
        T* to = out + 3 * x;
        if (front.opaque()) {
            for (int k = 0; k < 4; ++k) three_from_four(front.part[k], to + 3 * L::pixels * k);
        } else if (front.clear()) {
            std::memcpy(to, background + 3 * x, 3 * sizeof(T) * FourVectors<T>::pixels);
        } else {
            for (int k = 0; k < 4; ++k) {
                const auto back = four_from_three(background + 3 * x + 3 * L::pixels * k);
                three_from_four(mixed_lanes<T>(front.part[k], back, alpha_of_four(front.part[k])),
                                to + 3 * L::pixels * k);
            }
        }
    }
#endif
    for (; x < width; ++x)
        for (std::ptrdiff_t c = 0; c < 3; ++c)
            out[3 * x + c] = mixed<T>(rgba[4 * x + c], background[3 * x + c], rgba[4 * x + 3]);
}

template <class T>
void premultiplied(const T* __restrict rgba, T* __restrict out, std::ptrdiff_t width) {
    std::ptrdiff_t x = 0;
#ifdef NSSBG_BYTE_SHUFFLE
    using L = Lanes<T>;
    using Narrow = typename L::Narrow;
    Narrow alpha_lanes{};
    for (std::ptrdiff_t p = 0; p < L::pixels; ++p) alpha_lanes[4 * p + 3] = full<T>;
    for (; x + FourVectors<T>::pixels <= width; x += FourVectors<T>::pixels) {
        const FourVectors<T> front(rgba + 4 * x);
        const bool opaque = front.opaque();
        for (int k = 0; k < 4; ++k) {
            // Alpha itself is weighted fully, and so stays.
            const Narrow weight = alpha_of_four(front.part[k]) | alpha_lanes;
            store(out + 4 * x + 4 * L::pixels * k,
                  opaque ? front.part[k] : mixed_lanes<T>(front.part[k], Narrow{}, weight));
        }
    }
#endif
    for (; x < width; ++x) {
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

// Colours of a piece of a row from their places in the table.
constexpr std::ptrdiff_t piece = 64;
template <class T>
void look_up(const T* __restrict colors, const std::int32_t* __restrict index, T* __restrict out,
             std::ptrdiff_t count) {
    // Four values are moved where three count; the last pixel of a piece moves three. The table
    // has a value to spare.
    for (std::ptrdiff_t i = 0; i + 1 < count; ++i)
        std::memcpy(out + 3 * i, colors + 3 * index[i], 4 * sizeof(T));
    if (count > 0) std::memcpy(out + 3 * (count - 1), colors + 3 * index[count - 1], 3 * sizeof(T));
}

inline std::int32_t place(float position, float last) {
    position = position > 0.0f ? position : 0.0f;
    position = position < last ? position : last;
    return static_cast<std::int32_t>(position + 0.5f);
}

template <class T>
void linear_gradient(const T* __restrict colors, std::ptrdiff_t count, float from, float step,
                     T* __restrict out, std::ptrdiff_t width) {
    const auto last = static_cast<float>(count - 1);
    if (step == 0.0f) {
        // One colour: a few pixels, then copies of what is there already.
        const T* color = colors + 3 * place(from, last);
        std::ptrdiff_t done = width < 8 ? width : 8;
        for (std::ptrdiff_t x = 0; x < done; ++x) std::memcpy(out + 3 * x, color, 3 * sizeof(T));
        while (done < width) {
            const std::ptrdiff_t more = done < width - done ? done : width - done;
            std::memcpy(out + 3 * done, out, 3 * more * sizeof(T));
            done += more;
        }
        return;
    }
    for (std::ptrdiff_t begin = 0; begin < width; begin += piece) {
        std::int32_t index[piece];
        for (std::int32_t i = 0; i < piece; ++i)
            index[i] =
                place(from + static_cast<float>(static_cast<std::int32_t>(begin) + i) * step, last);
        look_up(colors, index, out + 3 * begin, width - begin < piece ? width - begin : piece);
    }
}

template <class T>
void radial_gradient(const T* __restrict colors, std::ptrdiff_t count, float x0, float dy2,
                     float scale, T* __restrict out, std::ptrdiff_t width) {
    const auto last = static_cast<float>(count - 1);
    for (std::ptrdiff_t begin = 0; begin < width; begin += piece) {
        std::int32_t index[piece];
        for (std::int32_t i = 0; i < piece; ++i) {
            const float dx = static_cast<float>(static_cast<std::int32_t>(begin) + i) - x0;
            // sqrt is correctly rounded on every level.
            index[i] = place(scale * std::sqrt(dx * dx + dy2), last);
        }
        look_up(colors, index, out + 3 * begin, width - begin < piece ? width - begin : piece);
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
