// Drives tiles: checks the shapes, folds what lies beyond the picture back into it, runs rows over
// the threads.
#include <atomic>
#include <stdexcept>
#include <string>

#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"
#include "nssbg/tiles.hpp"
#include "tiles/kernels.hpp"

namespace nssbg {
namespace {

constexpr std::ptrdiff_t rows_per_piece = 16;
// Beyond any picture, and far from where sums of two could overflow.
constexpr std::int64_t farthest = std::int64_t{1} << 40;

// The pixel that is seen at `place` where a line of `count` is mirrored at both ends, the ends
// themselves once: NumPy's mode="reflect".
std::ptrdiff_t folded(std::int64_t place, std::ptrdiff_t count) {
    if (count == 1) return 0;
    const std::int64_t period = 2 * (static_cast<std::int64_t>(count) - 1);
    std::int64_t at = place % period;
    if (at < 0) at += period;
    return static_cast<std::ptrdiff_t>(at < count ? at : period - at);
}

void check_planes(const TilePlanes& planes, const TileOrigins& origins) {
    if (planes.channels < 3 || planes.height < 1 || planes.width < 1)
        throw std::invalid_argument("tiles must be N x C x h x w with C at least 3, not empty");
    if (origins.count != planes.count)
        throw std::invalid_argument("tiles: " + std::to_string(planes.count) + " tiles and " +
                                    std::to_string(origins.count) + " origins");
    for (std::ptrdiff_t i = 0; i < 2 * origins.count; ++i)
        if (origins.data[i] < -farthest || origins.data[i] > farthest)
            throw std::invalid_argument("tiles: an origin lies too far away");
}

// Rises from 0 to 1 over `width` places, never quite reaching either.
float risen(std::ptrdiff_t at, std::ptrdiff_t width) {
    if (at >= width) return 1.0f;
    return (static_cast<float>(at) + 0.5f) / static_cast<float>(width);
}

}  // namespace

template <class T>
void cut_tiles(ImageView<const T> image, TileOrigins origins, const float scale[3],
               const float shift[3], TilePlanes planes, int threads) {
    if (image.empty() || image.channels != 3)
        throw std::invalid_argument("tiles: the image must be H x W x 3, not empty");
    check_planes(planes, origins);
    const auto& kernels = tile_rows<T>(active_tile_kernels());
    const std::ptrdiff_t plane = planes.height * planes.width;
    const std::ptrdiff_t rows = planes.count * planes.height;
    parallel_for(threads, rows, rows_per_piece, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
        Scratch<T> gathered(3 * planes.width);
        for (std::ptrdiff_t row = begin; row < end; ++row) {
            const std::ptrdiff_t n = row / planes.height;
            const std::ptrdiff_t y = row % planes.height;
            const std::int64_t left = origins.data[2 * n + 1];
            const T* line = image.row(folded(origins.data[2 * n] + y, image.height));
            const bool within = left >= 0 && left + planes.width <= image.width;
            const T* rgb = gathered.data();
            if (within && image.packed_rows()) {
                rgb = line + 3 * left;
            } else {
                for (std::ptrdiff_t x = 0; x < planes.width; ++x) {
                    const T* pixel = line + folded(left + x, image.width) * image.stride_x;
                    for (std::ptrdiff_t c = 0; c < 3; ++c)
                        gathered[3 * x + c] = pixel[c * image.stride_c];
                }
            }
            float* const red = planes.data + n * planes.channels * plane + y * planes.width;
            kernels.planes_from_rgb(rgb, red, red + plane, red + 2 * plane, planes.width, scale,
                                    shift);
        }
    });
}

template <class T>
bool put_tile(ImageView<const float> tile, ImageView<T> out, TileFade fade, int threads) {
    if (out.empty() || out.channels != 3 || !out.packed_rows())
        throw std::invalid_argument("tiles: out must be H x W x 3 with packed rows, not empty");
    if (tile.height != out.height || tile.width != out.width || tile.channels != 3)
        throw std::invalid_argument("tiles: a tile must have the size of the part it is put over");
    if (tile.stride_x != 1 && tile.width > 1)
        throw std::invalid_argument("tiles: a tile must be in planes whose rows are packed");
    if (fade.left < 0 || fade.top < 0 || fade.right < 0 || fade.left + fade.right > out.width ||
        fade.top > out.height)
        throw std::invalid_argument("tiles: fades must be 0 or more and fit into the tile");
    const auto& kernels = tile_rows<T>(active_tile_kernels());
    std::atomic<bool> finite{true};
    parallel_for(
        threads, out.height, rows_per_piece, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
            Scratch<float> weight(out.width);
            for (std::ptrdiff_t y = begin; y < end; ++y) {
                const float* red = tile.row(y);
                const float* green = red + tile.stride_c;
                const float* blue = green + tile.stride_c;
                bool good;
                if (fade.left == 0 && y >= fade.top) {
                    good = kernels.rgb_from_planes(red, green, blue, out.row(y), out.width);
                } else {
                    // With the share of the tiles before, of this and of the next one,
                    // what this one adds to the sum of those that were put so far.
                    const float down = risen(y, fade.top);
                    for (std::ptrdiff_t x = 0; x < out.width; ++x) {
                        const std::ptrdiff_t last = x - (out.width - fade.right);
                        const float next = last < 0 ? 0.0f : risen(last, fade.right);
                        weight[x] =
                            risen(x, fade.left) * down * (1.0f - next) / (1.0f - next * down);
                    }
                    good = kernels.rgb_from_faded(red, green, blue, weight.data(), out.row(y),
                                                  out.width);
                }
                if (!good) finite.store(false, std::memory_order_relaxed);
            }
        });
    return finite.load();
}

#define NSSBG_INSTANTIATE(T)                                                                \
    template void cut_tiles<T>(ImageView<const T>, TileOrigins, const float*, const float*, \
                               TilePlanes, int);                                            \
    template bool put_tile<T>(ImageView<const float>, ImageView<T>, TileFade, int);
NSSBG_INSTANTIATE(std::uint8_t)
NSSBG_INSTANTIATE(std::uint16_t)

}  // namespace nssbg
