// Framing as plain C functions for the browser: trimming, placement on a canvas, drawing, scaling.
#include <cstdint>

#include "../vocabulary.hpp"
#include "abi.hpp"
#include "nssbg/framing.hpp"
#include "nssbg/resample.hpp"

namespace nssbg::bindings {
namespace {

void put(const Box& box, std::int32_t* corners) {
    corners[0] = static_cast<std::int32_t>(box.top);
    corners[1] = static_cast<std::int32_t>(box.left);
    corners[2] = static_cast<std::int32_t>(box.bottom);
    corners[3] = static_cast<std::int32_t>(box.right);
}

}  // namespace

// shares: above the subject, left of it.
NSSBG_EXPORT Status nssbg_align_shares(const char* align, double* shares) {
    return guarded([&] {
        const auto [down, across] = align_named(align);
        shares[0] = down;
        shares[1] = across;
    });
}

// size: height and width, changed to what fits.
NSSBG_EXPORT Status nssbg_size_within(std::int32_t* size, std::int32_t longest) {
    return guarded([&] {
        const auto [height, width] = size_within(size[0], size[1], longest);
        size[0] = static_cast<std::int32_t>(height);
        size[1] = static_cast<std::int32_t>(width);
    });
}

// What trimming keeps: top, left, bottom, right; all zero where there is no subject.
NSSBG_EXPORT Status nssbg_trim_box(const Array* rgba, int threads, std::int32_t* corners) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            put(box_above(view_of<const decltype(value)>(rgba), faint_alpha, threads), corners);
        });
    });
}

// canvas: height, width, fill, down, across, 1 to enlarge, scale, baseline (0: none). placed:
// scale, top, left; drawn: top, left, bottom, right.
NSSBG_EXPORT Status nssbg_placement(const Array* rgba, const double* canvas, int threads,
                                    double* placed, std::int32_t* drawn) {
    return guarded([&] {
        Canvas board;
        // Whole numbers by what JavaScript has; a size beyond what a canvas may have stays one.
        const auto side = [](double value) {
            return value >= 0 && value <= 1e9 ? static_cast<std::ptrdiff_t>(value) : -1;
        };
        board.height = side(canvas[0]);
        board.width = side(canvas[1]);
        board.fill = canvas[2];
        board.down = canvas[3];
        board.across = canvas[4];
        board.enlarge = canvas[5] != 0;
        board.scale = canvas[6];
        board.baseline = canvas[7];
        with_integers(rgba, "the cut-out", [&](auto value) {
            const Placement found =
                placement(view_of<const decltype(value)>(rgba), board, true, {}, threads);
            placed[0] = found.scale;
            placed[1] = found.top;
            placed[2] = found.left;
            put(found.drawn, drawn);
        });
    });
}

// out is the canvas.
NSSBG_EXPORT Status nssbg_draw(const Array* rgba, const double* placed, const std::int32_t* drawn,
                               const Array* out) {
    return guarded([&] {
        const Placement where{
            placed[0], placed[1], placed[2], {drawn[0], drawn[1], drawn[2], drawn[3]}};
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            draw(view_of<const T>(rgba), where, view_of<T>(out));
        });
    });
}

// All of a cut-out (or an alpha) at out's size.
NSSBG_EXPORT Status nssbg_scaled(const Array* pixels, const Array* out) {
    return guarded([&] {
        with_integers(pixels, "the pixels", [&](auto value) {
            using T = decltype(value);
            const auto view = view_of<const T>(pixels);
            resample(view,
                     {0, 0, static_cast<double>(view.width), static_cast<double>(view.height)},
                     view_of<T>(out));
        });
    });
}

}  // namespace nssbg::bindings
