// Moves whole pixels in tiles small enough that the rows read and the rows written both stay in
// the first-level cache; a plain transposition misses it once for each pixel.
#include "nssbg/orient.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "nssbg/parallel.hpp"

namespace nssbg {
namespace {

constexpr std::ptrdiff_t tile = 32;

// Where output pixel (0, 0) lies in the input, and the steps, in elements, to the pixels that
// come below it and right of it in the output.
struct Walk {
    std::ptrdiff_t start, down, right;
};

template <class T>
Walk walk_of(const ImageView<const T>& in, int orientation) {
    const std::ptrdiff_t y = in.stride_y;
    const std::ptrdiff_t x = in.channels;
    const std::ptrdiff_t bottom = (in.height - 1) * y;
    const std::ptrdiff_t end = (in.width - 1) * x;
    switch (orientation) {
        case 1: return {0, y, x};
        case 2: return {end, y, -x};
        case 3: return {bottom + end, -y, -x};
        case 4: return {bottom, -y, x};
        case 5: return {0, x, y};
        case 6: return {bottom, x, -y};
        case 7: return {bottom + end, -x, -y};
        case 8: return {end, -x, y};
        default:
            throw std::invalid_argument("orient: orientation " + std::to_string(orientation) +
                                        "; expected 1 to 8");
    }
}

template <int channels, class T>
void turned(const T* in, const Walk& walk, std::ptrdiff_t height, std::ptrdiff_t width, int threads,
            T* out) {
    const std::ptrdiff_t bands = (height + tile - 1) / tile;
    parallel_for(threads, bands, 1, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
        for (std::ptrdiff_t top = begin * tile; top < std::min(end * tile, height); top += tile)
            for (std::ptrdiff_t left = 0; left < width; left += tile) {
                const std::ptrdiff_t right = std::min(left + tile, width);
                for (std::ptrdiff_t y = top; y < std::min(top + tile, height); ++y) {
                    const T* from = in + walk.start + y * walk.down + left * walk.right;
                    T* to = out + (y * width + left) * channels;
                    for (std::ptrdiff_t x = left; x < right; ++x) {
                        std::memcpy(to, from, channels * sizeof(T));
                        to += channels;
                        from += walk.right;
                    }
                }
            }
    });
}

template <class T>
void orient_any(const ImageView<const T>& in, int orientation, int threads, T* out) {
    if (in.empty() || !in.packed_rows())
        throw std::invalid_argument("orient: expected a picture with packed rows, not empty");
    const Walk walk = walk_of(in, orientation);
    const std::ptrdiff_t height = orientation < 5 ? in.height : in.width;
    const std::ptrdiff_t width = orientation < 5 ? in.width : in.height;
    switch (in.channels) {
        case 1: return turned<1>(in.data, walk, height, width, threads, out);
        case 3: return turned<3>(in.data, walk, height, width, threads, out);
        case 4: return turned<4>(in.data, walk, height, width, threads, out);
        default:
            throw std::invalid_argument("orient: " + std::to_string(in.channels) +
                                        " channels; expected 1, 3 or 4");
    }
}

}  // namespace

void orient(const ImageView<const std::uint8_t>& in, int orientation, int threads,
            std::uint8_t* out) {
    orient_any(in, orientation, threads, out);
}
void orient(const ImageView<const std::uint16_t>& in, int orientation, int threads,
            std::uint16_t* out) {
    orient_any(in, orientation, threads, out);
}

}  // namespace nssbg
