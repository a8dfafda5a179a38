// Drives blur-fusion (Forte 2021), twice: a wide blur of 90 pixels, then one of 6. The wide one
// is taken over a grid of 16-pixel cells and interpolated between their centres, so that its
// cost does not depend on its width; the narrow one is exact.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "foreground/kernels_blur_fusion.hpp"
#include "foreground/source.hpp"
#include "nssbg/parallel.hpp"

namespace nssbg {
namespace {

// Cells to each side in the wide blur: five cells of 16 pixels and the ramps between centres
// come closest to the published 90 pixels.
constexpr std::ptrdiff_t reach = 2;
constexpr float epsilon = 1e-5f;
constexpr std::ptrdiff_t runs_per_piece = 8;
constexpr int sum_count = 7;

// Blocks within `distance` blocks of an active one.
std::vector<std::uint8_t> dilated(const std::vector<std::uint8_t>& active, std::ptrdiff_t height,
                                  std::ptrdiff_t width, std::ptrdiff_t distance) {
    std::vector<std::uint8_t> across(active.size(), 0);
    std::vector<std::uint8_t> result(active.size(), 0);
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            if (active[y * width + x] == 0) continue;
            const std::ptrdiff_t end = std::min(x + distance, width - 1);
            for (std::ptrdiff_t u = std::max<std::ptrdiff_t>(x - distance, 0); u <= end; ++u)
                across[y * width + u] = 1;
        }
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t v = std::max<std::ptrdiff_t>(y - distance, 0);
             v <= std::min(y + distance, height - 1); ++v)
            for (std::ptrdiff_t x = 0; x < width; ++x)
                result[v * width + x] |= across[y * width + x];
    return result;
}

void add_cell(const BlurFusionKernels& kernels, const std::uint8_t* rgb, const std::uint8_t* alpha,
              std::ptrdiff_t pixels, std::uint64_t* sums) {
    kernels.add_cell_u8(rgb, alpha, pixels, sums);
}
void add_cell(const BlurFusionKernels& kernels, const std::uint16_t* rgb,
              const std::uint16_t* alpha, std::ptrdiff_t pixels, std::uint64_t* sums) {
    kernels.add_cell_u16(rgb, alpha, pixels, sums);
}

// Blurred foreground and background colour of every cell that active blocks interpolate from.
template <class T>
Scratch<float> wide_blur(const Source<T>& source, const PyramidLevel& level, int threads) {
    const BlurFusionKernels& kernels = active_blur_fusion_kernels();
    const std::ptrdiff_t rows = level.blocks_y;
    const std::ptrdiff_t columns = level.blocks_x;
    const auto blurred = dilated(level.active, rows, columns, 1);
    const auto summed = dilated(level.active, rows, columns, 1 + reach);
    Scratch<std::uint64_t> sums(rows * columns * sum_count);
    parallel_for(threads, rows, 1, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
        for (std::ptrdiff_t v = begin; v < end; ++v)
            for (std::ptrdiff_t u = 0; u < columns; ++u) {
                std::uint64_t* cell = sums.data() + (v * columns + u) * sum_count;
                std::fill_n(cell, sum_count, std::uint64_t{0});
                if (summed[v * columns + u] == 0) continue;
                const std::ptrdiff_t bottom = std::min((v + 1) * block_side, level.height);
                const std::ptrdiff_t pixels = std::min(block_side, level.width - u * block_side);
                for (std::ptrdiff_t y = v * block_side; y < bottom; ++y)
                    add_cell(kernels, source.rgb(y, u * block_side),
                             source.alphas(y, u * block_side), pixels, cell);
            }
    });
    Scratch<float> result(rows * columns * 6);
    constexpr double top = opaque<T>;
    for (std::ptrdiff_t v = 0; v < rows; ++v)
        for (std::ptrdiff_t u = 0; u < columns; ++u) {
            if (blurred[v * columns + u] == 0) continue;
            std::uint64_t window[sum_count] = {};
            const std::ptrdiff_t y0 = std::max<std::ptrdiff_t>(v - reach, 0);
            const std::ptrdiff_t y1 = std::min(v + reach + 1, rows);
            const std::ptrdiff_t x0 = std::max<std::ptrdiff_t>(u - reach, 0);
            const std::ptrdiff_t x1 = std::min(u + reach + 1, columns);
            for (std::ptrdiff_t y = y0; y < y1; ++y)
                for (std::ptrdiff_t x = x0; x < x1; ++x)
                    for (int k = 0; k < sum_count; ++k)
                        window[k] += sums[(y * columns + x) * sum_count + k];
            const double pixels =
                static_cast<double>((std::min(y1 * block_side, level.height) - y0 * block_side) *
                                    (std::min(x1 * block_side, level.width) - x0 * block_side));
            const double alpha = static_cast<double>(window[0]) / (top * pixels);
            for (int c = 0; c < 3; ++c) {
                const double fore = static_cast<double>(window[1 + c]) / (top * top * pixels);
                const double all = static_cast<double>(window[4 + c]) / (top * pixels);
                float* cell = result.data() + (v * columns + u) * 6;
                cell[c] = static_cast<float>(fore / (alpha + epsilon));
                cell[3 + c] = static_cast<float>((all - fore) / (1.0 - alpha + epsilon));
            }
        }
    return result;
}

// Where the columns of a region fall between cell centres, in cells from the one before the
// run's first: even columns, then odd ones. The same for every region.
struct Ramp {
    std::int32_t index[2][region_columns / 2];
    float share[2][region_columns / 2];

    Ramp() {
        for (std::ptrdiff_t x = 0; x < region_columns; ++x) {
            // Centres lie at 7.5 within a cell; the region starts `halo` before the block.
            const double place = (static_cast<double>(x - halo) - 7.5) / block_side + 1.0;
            index[x & 1][x >> 1] = static_cast<std::int32_t>(std::floor(place));
            share[x & 1][x >> 1] = static_cast<float>(place - std::floor(place));
        }
    }
};

}  // namespace

template <class T>
void solve_blur_fusion(const Source<T>& source, PyramidLevel level, ImageView<T> rgba,
                       ImageView<T> background, const DecontaminateOptions& options) {
    const DecontaminateKernels& kernels = active_decontaminate_kernels();
    const BlurFusionKernels& fusion = active_blur_fusion_kernels();
    const Scratch<float> cells = wide_blur(source, level, options.threads);
    plan_level(level, false);
    static const Ramp ramp;
    constexpr std::ptrdiff_t scratch_rows = 16 + 12;
    std::vector<Scratch<float>> tiles;
    for (int slot = 0; slot < options.threads; ++slot) {
        tiles.emplace_back(plane_count * plane_size + scratch_rows * half_stride);
        std::fill_n(tiles.back().data(), tiles.back().size(), 0.0f);
    }
    const auto count = static_cast<std::ptrdiff_t>(level.runs.size());
    parallel_for(
        options.threads, count, runs_per_piece,
        [&](std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
            float* tile = tiles[slot].data();
            float* scratch = tile + plane_count * plane_size;
            float* out[12];
            for (int k = 0; k < 12; ++k) out[k] = scratch + (16 + k) * half_stride;
            for (std::ptrdiff_t r = begin; r < end; ++r) {
                const BlockRun& run = level.runs[r];
                const std::ptrdiff_t columns = run.blocks * block_side + 2 * halo;
                const std::ptrdiff_t y0 = run.block_y * block_side - halo;
                const std::ptrdiff_t x0 = run.block_x * block_side - halo;
                for (std::ptrdiff_t y = 0; y < region_rows; ++y) {
                    source.load(kernels, 0, level, y0 + y, x0, columns, tile, y);
                    const float place = (static_cast<float>(y - halo) - 7.5f) / block_side;
                    const float below = std::floor(place);
                    const float share = place - below;
                    const auto cell_row = [&](std::ptrdiff_t v) {
                        return std::clamp<std::ptrdiff_t>(run.block_y + v, 0, level.blocks_y - 1) *
                               level.blocks_x;
                    };
                    const std::ptrdiff_t upper = cell_row(static_cast<std::ptrdiff_t>(below));
                    const std::ptrdiff_t lower = cell_row(static_cast<std::ptrdiff_t>(below) + 1);
                    for (int plane = 0; plane < 6; ++plane) {
                        float line[most_blocks_in_run + 2];
                        for (std::ptrdiff_t u = 0; u < run.blocks + 2; ++u) {
                            const std::ptrdiff_t x = std::clamp<std::ptrdiff_t>(
                                run.block_x - 1 + u, 0, level.blocks_x - 1);
                            const float high = cells[(upper + x) * 6 + plane];
                            const float low = cells[(lower + x) * 6 + plane];
                            line[u] = high + (low - high) * share;
                        }
                        for (int parity = 0; parity < 2; ++parity)
                            fusion.interpolate_cells(line, ramp.index[parity], ramp.share[parity],
                                                     half_row(tile, plane_fore + plane, y, parity),
                                                     columns / 2);
                    }
                    fusion.fuse_first(tile, y, columns);
                }
                for (std::ptrdiff_t y = 0; y < block_side; ++y) {
                    const std::ptrdiff_t row = run.block_y * block_side + y;
                    if (row >= level.height) break;
                    fusion.fuse_second(tile, y + halo, columns, scratch, out);
                    const std::ptrdiff_t column = run.block_x * block_side;
                    write_results(kernels, source, out, row, column,
                                  std::min(run.blocks * block_side, level.width - column), rgba,
                                  background, options);
                }
            }
        });
}

template void solve_blur_fusion<std::uint8_t>(const Source<std::uint8_t>&, PyramidLevel,
                                              ImageView<std::uint8_t>, ImageView<std::uint8_t>,
                                              const DecontaminateOptions&);
template void solve_blur_fusion<std::uint16_t>(const Source<std::uint16_t>&, PyramidLevel,
                                               ImageView<std::uint16_t>, ImageView<std::uint16_t>,
                                               const DecontaminateOptions&);

}  // namespace nssbg
