// Row kernels of colour decontamination. The solver's tiles keep each plane's even and odd
// columns apart ("halves"), so that a red-black sweep runs over contiguous memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

// Blocks are the unit of sparsity: work and storage exist only for blocks that hold soft
// pixels, or that such blocks' estimates depend on.
constexpr std::ptrdiff_t block_side = 16;
// Two red-black iterations carry values over four pixels.
constexpr std::ptrdiff_t halo = 4;
constexpr std::ptrdiff_t most_blocks_in_run = 7;
// Half rows are computed in whole groups of this many pixels: no vector tails.
constexpr std::ptrdiff_t column_group = 16;
constexpr std::ptrdiff_t region_rows = block_side + 2 * halo;
constexpr std::ptrdiff_t region_columns = most_blocks_in_run * block_side + 2 * halo;
// 64 columns of a half row, with room for the neighbours left and right.
constexpr std::ptrdiff_t half_stride = 64 + 2 * column_group;
constexpr std::ptrdiff_t plane_size = region_rows * 2 * half_stride;

// Planes of a tile, each region_rows x 2 halves x half_stride floats.
enum Plane : int { plane_alpha, plane_image, plane_fore = 4, plane_back = 7, plane_count = 10 };

// Start of a half row: parity 0 holds columns 0, 2, 4, ..., parity 1 columns 1, 3, 5, ...
inline float* half_row(float* tile, int plane, std::ptrdiff_t y, std::ptrdiff_t parity) {
    return tile + plane * plane_size + (y * 2 + parity) * half_stride + column_group;
}

struct DecontaminateKernels {
    // rgba = rgb with alpha, zeros where alpha is 0 if clear. soft[b] is set where block b of
    // the row holds a pixel whose alpha is neither 0 nor full; open[b] where one is not full.
    void (*rgba_from_rgb_u8)(const std::uint8_t* rgb, const std::uint8_t* alpha, std::uint8_t* rgba,
                             std::ptrdiff_t width, bool clear, std::uint8_t* soft,
                             std::uint8_t* open);
    void (*rgba_from_rgb_u16)(const std::uint16_t* rgb, const std::uint16_t* alpha,
                              std::uint16_t* rgba, std::ptrdiff_t width, bool clear,
                              std::uint8_t* soft, std::uint8_t* open);
    // Splits a row of interleaved RGB and alpha into half rows of floats in 0..1.
    void (*halves_from_rgb_u8)(const std::uint8_t* rgb, std::ptrdiff_t rgb_step,
                               const std::uint8_t* alpha, std::ptrdiff_t alpha_step, float* tile,
                               std::ptrdiff_t y, std::ptrdiff_t columns);
    void (*halves_from_rgb_u16)(const std::uint16_t* rgb, std::ptrdiff_t rgb_step,
                                const std::uint16_t* alpha, std::ptrdiff_t alpha_step, float* tile,
                                std::ptrdiff_t y, std::ptrdiff_t columns);
    // One half of row y of the region: foreground and background from the four neighbours.
    void (*update_half_row)(float* tile, std::ptrdiff_t y, std::ptrdiff_t parity,
                            std::ptrdiff_t columns, float gradient_weight, float regularization);
    // Floats in 0..1 to and from 16-bit fixed point (0..65535).
    // out: each word an even value and, above it, the odd one. Back: every value four times,
    // into both halves of two rows (the next level is twice as large).
    void (*fixed_from_halves)(const float* even, const float* odd, std::uint32_t* out,
                              std::ptrdiff_t count);
    void (*halves_from_fixed)(const std::uint16_t* in, float* even, float* odd, float* next_even,
                              float* next_odd, std::ptrdiff_t count);
    // Writes the estimate's colour into a row of RGBA wherever its alpha is soft, or, if
    // extend, wherever it is not full. from: even and odd half rows of three planes.
    void (*rgba_from_halves_u8)(const float* const* from, const std::uint8_t* rgb,
                                const std::uint8_t* alpha, std::uint8_t* rgba,
                                std::ptrdiff_t pixels, float strength, bool extend);
    void (*rgba_from_halves_u16)(const float* const* from, const std::uint16_t* rgb,
                                 const std::uint16_t* alpha, std::uint16_t* rgba,
                                 std::ptrdiff_t pixels, float strength, bool extend);
};

NSSBG_DISPATCH(DecontaminateKernels, decontaminate_kernels)

}  // namespace nssbg
