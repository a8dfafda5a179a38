// Row loops of tiles: to planes of floats, and back with rounding and fading.
#include "tiles/kernels.hpp"

#include <cmath>
#include <limits>

namespace nssbg::NSSBG_LEVEL {
namespace {

template <class T>
constexpr float full = static_cast<float>(std::numeric_limits<T>::max());

template <class T>
void planes_from_rgb(const T* __restrict rgb, float* __restrict red, float* __restrict green,
                     float* __restrict blue, std::ptrdiff_t width, const float* __restrict scale,
                     const float* __restrict shift) {
    const float s0 = scale[0], s1 = scale[1], s2 = scale[2];
    const float b0 = shift[0], b1 = shift[1], b2 = shift[2];
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        red[x] = static_cast<float>(rgb[3 * x]) * s0 + b0;
        green[x] = static_cast<float>(rgb[3 * x + 1]) * s1 + b1;
        blue[x] = static_cast<float>(rgb[3 * x + 2]) * s2 + b2;
    }
}

// What is no number compares false and becomes 0.
inline float inside(float value, float top) {
    value = value > 0.0f ? value : 0.0f;
    return value < top ? value : top;
}

inline bool finite(float value) { return std::fabs(value) <= std::numeric_limits<float>::max(); }

template <class T>
inline T rounded(float value) {
    return static_cast<T>(static_cast<std::int32_t>(inside(value, full<T>) + 0.5f));
}

template <class T>
bool rgb_from_planes(const float* __restrict red, const float* __restrict green,
                     const float* __restrict blue, T* __restrict rgb, std::ptrdiff_t width) {
    std::int32_t broken = 0;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        rgb[3 * x] = rounded<T>(red[x] * full<T>);
        rgb[3 * x + 1] = rounded<T>(green[x] * full<T>);
        rgb[3 * x + 2] = rounded<T>(blue[x] * full<T>);
        broken |= static_cast<std::int32_t>(!finite(red[x])) |
                  static_cast<std::int32_t>(!finite(green[x])) |
                  static_cast<std::int32_t>(!finite(blue[x]));
    }
    return broken == 0;
}

template <class T>
inline T faded(float value, float weight, T there) {
    const float before = static_cast<float>(there);
    const float after = inside(value * full<T>, full<T>);
    return rounded<T>(before + weight * (after - before));
}

template <class T>
bool rgb_from_faded(const float* __restrict red, const float* __restrict green,
                    const float* __restrict blue, const float* __restrict weight, T* __restrict rgb,
                    std::ptrdiff_t width) {
    std::int32_t broken = 0;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        rgb[3 * x] = faded<T>(red[x], weight[x], rgb[3 * x]);
        rgb[3 * x + 1] = faded<T>(green[x], weight[x], rgb[3 * x + 1]);
        rgb[3 * x + 2] = faded<T>(blue[x], weight[x], rgb[3 * x + 2]);
        broken |= static_cast<std::int32_t>(!finite(red[x])) |
                  static_cast<std::int32_t>(!finite(green[x])) |
                  static_cast<std::int32_t>(!finite(blue[x]));
    }
    return broken == 0;
}

template <class T>
constexpr TileRows<T> rows{&planes_from_rgb<T>, &rgb_from_planes<T>, &rgb_from_faded<T>};

}  // namespace

extern const TileKernels tile_kernels;
const TileKernels tile_kernels{rows<std::uint8_t>, rows<std::uint16_t>};

}  // namespace nssbg::NSSBG_LEVEL
