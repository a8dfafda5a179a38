// What a person says about a picture as plain C functions for the browser: painting, the box's
// part, the corrected map and alpha. Points are x, y, x, y, ...
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "../vocabulary.hpp"
#include "abi.hpp"
#include "nssbg/corrections.hpp"
#include "nssbg/edge.hpp"

namespace nssbg::bindings {
namespace {

std::vector<Point> points_of(const double* values, int count) {
    std::vector<Point> points;
    for (int i = 0; i < count; ++i) points.push_back({values[2 * i], values[2 * i + 1]});
    return points;
}

void put(const Box& box, std::int32_t* corners) {
    corners[0] = static_cast<std::int32_t>(box.top);
    corners[1] = static_cast<std::int32_t>(box.left);
    corners[2] = static_cast<std::int32_t>(box.bottom);
    corners[3] = static_cast<std::int32_t>(box.right);
}

}  // namespace

// box: left, top, right, bottom. regions: top, left, bottom, right of the part, then of the box
// within it.
NSSBG_EXPORT Status nssbg_region_of_box(const double* box, std::int32_t height, std::int32_t width,
                                        std::int32_t* regions) {
    return guarded([&] {
        const Region region = region_of_box(box[0], box[1], box[2], box[3], height, width);
        put(region.part, regions);
        put(region.inner, regions + 4);
    });
}

// strokes: `count` of 1 to keep, radius, number of points, points. place: origin's x and y, scale
// in x and y.
NSSBG_EXPORT Status nssbg_paint(const double* strokes, int count, const double* place,
                                const Array* mask) {
    return guarded([&] {
        std::vector<Stroke> read;
        for (int i = 0; i < count; ++i) {
            const int points = static_cast<int>(strokes[2]);
            read.push_back({strokes[0] != 0, strokes[1], points_of(strokes + 3, points)});
            strokes += 3 + 2 * points;
        }
        paint(read, {place[0], place[1]}, place[2], place[3], view_of<std::uint8_t>(mask));
    });
}

// *grid goes back by nssbg_correction_grid_end. size: height, width of the corrected map.
NSSBG_EXPORT Status nssbg_correction_grid_begin(const Array* image, const Array* alpha,
                                                int full_size, int threads, CorrectionGrid** grid,
                                                std::int32_t* size) {
    return guarded([&] {
        with_integers(image, "the image", [&](auto pixel) {
            with_map(alpha, "the alpha", [&](auto value) {
                *grid = new CorrectionGrid(view_of<const decltype(pixel)>(image),
                                           view_of<const decltype(value)>(alpha), full_size != 0,
                                           threads);
            });
        });
        size[0] = static_cast<std::int32_t>((*grid)->height());
        size[1] = static_cast<std::int32_t>((*grid)->width());
    });
}

NSSBG_EXPORT Status nssbg_correction_grid_apply(const CorrectionGrid* grid, const double* keep,
                                                int keeps, const double* drop, int drops,
                                                const Array* mask, const Array* coarse,
                                                const Array* changed) {
    return guarded([&] {
        const Corrections said{points_of(keep, keeps), points_of(drop, drops),
                               view_of<const std::uint8_t>(mask)};
        with_map(coarse, "the corrected map", [&](auto value) {
            grid->apply<decltype(value)>(said, view_of<decltype(value)>(coarse),
                                         view_of<float>(changed));
        });
    });
}

NSSBG_EXPORT void nssbg_correction_grid_end(CorrectionGrid* grid) { delete grid; }

// changed may be none. The text is the refinement's report.
NSSBG_EXPORT Status nssbg_corrected_alpha(const Array* image, const Array* before, int full_size,
                                          const Array* coarse, const Array* changed,
                                          const double* keep, int keeps, const double* drop,
                                          int drops, const Array* mask, const char* level,
                                          int threads, const Array* alpha) {
    return guarded([&] {
        RefineOptions options;
        options.level = level_named(level);
        options.threads = threads;
        const Corrections said{points_of(keep, keeps), points_of(drop, drops),
                               view_of<const std::uint8_t>(mask)};
        RefineReport report;
        with_integers(image, "the image", [&](auto pixel) {
            with_map(before, "the alpha", [&](auto value) {
                using Pixel = decltype(pixel);
                using T = decltype(value);
                corrected_alpha<Pixel, T>(view_of<const Pixel>(image), view_of<const T>(before),
                                          full_size != 0, view_of<const T>(coarse),
                                          view_of<const float>(changed), said, options,
                                          view_of<T>(alpha), &report);
            });
        });
        tell(report);
    });
}

// edge: choke and softness as shares of the most that is offered, changed to pixels.
NSSBG_EXPORT Status nssbg_edge_pixels(double* edge, std::int32_t height, std::int32_t width) {
    return guarded([&] {
        const EdgePixels pixels = edge_pixels(edge[0], edge[1], height, width);
        edge[0] = pixels.choke;
        edge[1] = pixels.softness;
    });
}

NSSBG_EXPORT Status nssbg_choke(const Array* alpha, const Array* out, double pixels, int threads) {
    return guarded([&] {
        with_map(alpha, "the alpha", [&](auto value) {
            using T = decltype(value);
            choke<T>(view_of<const T>(alpha), pixels, threads, view_of<T>(out));
        });
    });
}

}  // namespace nssbg::bindings
