// What both foreground estimators read and write: the picture and its alpha by regions, and
// the rows of results.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "foreground/kernels.hpp"
#include "foreground/pyramid.hpp"
#include "nssbg/decontaminate.hpp"

namespace nssbg {

template <class T>
constexpr T opaque = std::numeric_limits<T>::max();

// A row of the picture and its alpha at a level, clamped at the borders.
template <class T>
class Source {
public:
    Source(ImageView<const T> image, ImageView<const T> alpha) : image_(image), alpha_(alpha) {}

    const T* rgb(std::ptrdiff_t y, std::ptrdiff_t x) const { return image_.row(y) + 3 * x; }
    T alpha(std::ptrdiff_t y, std::ptrdiff_t x) const { return alpha_.row(y)[x]; }
    const T* alphas(std::ptrdiff_t y, std::ptrdiff_t x) const { return alpha_.row(y) + x; }

    // Row y of level `shift`, columns x0 .. x0 + columns, into row `to` of the tile.
    void load(const DecontaminateKernels& kernels, int shift, const PyramidLevel& level,
              std::ptrdiff_t y, std::ptrdiff_t x0, std::ptrdiff_t columns, float* tile,
              std::ptrdiff_t to) const {
        const std::ptrdiff_t row = std::clamp<std::ptrdiff_t>(y, 0, level.height - 1) << shift;
        if (x0 >= 0 && x0 + columns <= level.width) {
            split(kernels, rgb(row, x0 << shift), std::ptrdiff_t{3} << shift,
                  alphas(row, x0 << shift), std::ptrdiff_t{1} << shift, tile, to, columns);
            return;
        }
        T colors[3 * region_columns];
        T alphas[region_columns];
        for (std::ptrdiff_t i = 0; i < columns; ++i) {
            const std::ptrdiff_t x = std::clamp<std::ptrdiff_t>(x0 + i, 0, level.width - 1)
                                     << shift;
            std::memcpy(colors + 3 * i, rgb(row, x), 3 * sizeof(T));
            alphas[i] = alpha(row, x);
        }
        split(kernels, colors, 3, alphas, 1, tile, to, columns);
    }

private:
    static void split(const DecontaminateKernels& kernels, const std::uint8_t* rgb,
                      std::ptrdiff_t rgb_step, const std::uint8_t* alpha, std::ptrdiff_t alpha_step,
                      float* tile, std::ptrdiff_t y, std::ptrdiff_t columns) {
        kernels.halves_from_rgb_u8(rgb, rgb_step, alpha, alpha_step, tile, y, columns);
    }
    static void split(const DecontaminateKernels& kernels, const std::uint16_t* rgb,
                      std::ptrdiff_t rgb_step, const std::uint16_t* alpha,
                      std::ptrdiff_t alpha_step, float* tile, std::ptrdiff_t y,
                      std::ptrdiff_t columns) {
        kernels.halves_from_rgb_u16(rgb, rgb_step, alpha, alpha_step, tile, y, columns);
    }

    ImageView<const T> image_;
    ImageView<const T> alpha_;
};

inline void write_row(const DecontaminateKernels& kernels, const float* const* from,
                      const std::uint8_t* rgb, const std::uint8_t* alpha, std::uint8_t* rgba,
                      std::ptrdiff_t pixels, float strength, bool extend) {
    kernels.rgba_from_halves_u8(from, rgb, alpha, rgba, pixels, strength, extend);
}
inline void write_row(const DecontaminateKernels& kernels, const float* const* from,
                      const std::uint16_t* rgb, const std::uint16_t* alpha, std::uint16_t* rgba,
                      std::ptrdiff_t pixels, float strength, bool extend) {
    kernels.rgba_from_halves_u16(from, rgb, alpha, rgba, pixels, strength, extend);
}

// Row y of a run's results: from holds even and odd half rows of foreground, then background.
template <class T>
void write_results(const DecontaminateKernels& kernels, const Source<T>& source,
                   const float* const* from, std::ptrdiff_t row, std::ptrdiff_t column,
                   std::ptrdiff_t pixels, ImageView<T> rgba, ImageView<T> background,
                   const DecontaminateOptions& options) {
    T* out = rgba.row(row) + 4 * column;
    write_row(kernels, from, source.rgb(row, column), source.alphas(row, column), out, pixels,
              options.strength, options.extend);
    if (background.empty()) return;
    for (std::ptrdiff_t x = 0; x < pixels; ++x) {
        if (out[4 * x + 3] == 0 || out[4 * x + 3] == opaque<T>) continue;
        for (int c = 0; c < 3; ++c)
            background.at(row, column + x, c) =
                static_cast<T>(from[6 + 2 * c + (x & 1)][x >> 1] * opaque<T> + 0.5f);
    }
}

// Blur-fusion, twice, in the active blocks of the level (blur_fusion.cpp).
template <class T>
void solve_blur_fusion(const Source<T>& source, PyramidLevel level, ImageView<T> rgba,
                       ImageView<T> background, const DecontaminateOptions& options);

}  // namespace nssbg
