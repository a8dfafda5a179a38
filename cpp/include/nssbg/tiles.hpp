// Tiles of a picture for an image-to-image network: cut out with reflection at the picture's edges
// as planes of floats, and put back rounded, faded into what is there already.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Where the top left corners of tiles lie in the picture, in pixels: rows and columns in turn.
// They may lie outside; beyond its edges the picture is mirrored, the edge's pixels once.
struct TileOrigins {
    const std::int64_t* data = nullptr;
    std::ptrdiff_t count = 0;
};

// Planes of floats as a network takes them, N x channels x height x width, packed.
struct TilePlanes {
    float* data = nullptr;
    std::ptrdiff_t count = 0;
    std::ptrdiff_t channels = 0;
    std::ptrdiff_t height = 0;
    std::ptrdiff_t width = 0;
};

// planes[n][c] = image * scale[c] + shift[c] for the three colours of image (H x W x 3, any
// strides); further channels are left as they are.
template <class T>
void cut_tiles(ImageView<const T> image, TileOrigins origins, const float scale[3],
               const float shift[3], TilePlanes planes, int threads);

// How wide, in pixels, a tile fades in over what lies there (left, top), and how wide the next
// tile will fade in over it (right): the weights of all tiles then sum to one everywhere.
struct TileFade {
    std::ptrdiff_t left = 0;
    std::ptrdiff_t top = 0;
    std::ptrdiff_t right = 0;
};

// Puts the part of a tile (height x width x 3 floats 0..1, in three planes: any strides whose
// stride_x is 1) over out, the nearest integers of T. Returns false where a float was no finite
// number; such a one counts as 0. out is the same part of the picture, with packed rows.
template <class T>
bool put_tile(ImageView<const float> tile, ImageView<T> out, TileFade fade, int threads);

}  // namespace nssbg
