// Row kernels of blur-fusion over the same tiles of half rows as the multi-level solver
// (kernels.hpp): foreground and background planes first hold blurred colours.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dispatch.hpp"

namespace nssbg {

struct BlurFusionKernels {
    // Adds up a cell's row: sums[0] alpha, [1..3] alpha * colour, [4..6] colour.
    void (*add_cell_u8)(const std::uint8_t* rgb, const std::uint8_t* alpha, std::ptrdiff_t pixels,
                        std::uint64_t* sums);
    void (*add_cell_u16)(const std::uint16_t* rgb, const std::uint16_t* alpha,
                         std::ptrdiff_t pixels, std::uint64_t* sums);
    // out[i] = between cells[index[i]] and the next, share[i] of the way.
    void (*interpolate_cells)(const float* cells, const std::int32_t* index, const float* share,
                              float* out, std::ptrdiff_t count);
    // Row y of the tile: F from the blurred colours, then F * alpha and B * (1 - alpha) in place.
    void (*fuse_first)(float* tile, std::ptrdiff_t y, std::ptrdiff_t columns);
    // Row y: the 6 x 6 means around it, normalised, fused once more. out: even and odd halves of
    // foreground and background colours, 12 rows. scratch: 14 half rows of half_stride.
    void (*fuse_second)(const float* tile, std::ptrdiff_t y, std::ptrdiff_t columns, float* scratch,
                        float* const* out);
};

NSSBG_DISPATCH(BlurFusionKernels, blur_fusion_kernels)

}  // namespace nssbg
