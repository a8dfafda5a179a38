// Where a cut-out comes to lie on a canvas, and drawing it there. The subject is framed by what is
// at least half opaque, as guides and their checkers measure it; what is fainter (soft edges, hair)
// hangs into the margins and is never cut off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"

namespace nssbg {

// A side of a canvas above this is a mistake, not a picture.
constexpr std::ptrdiff_t largest_side = 65535;
// Half opaque: what counts as subject when its fill is measured.
constexpr double solid_alpha = 0.5;
// Opaque enough that cutting it off at the canvas's edge would show. Fainter remnants, of a shadow
// or of stray alpha, shall not make the subject smaller.
constexpr double visible_alpha = 0.1;
// What is drawn, and what trimming keeps.
constexpr double faint_alpha = 0.02;
// Rows of the canvas on both sides of the subject's box that are looked at for its edge, and how
// often: thin tips (a stem, a strap) fall below half opaque when they are scaled.
constexpr std::ptrdiff_t edge_look = 6;
constexpr int most_looks = 12;

struct Canvas {
    std::ptrdiff_t height = 0, width = 0;
    double fill = 0.85;  // of the canvas in the direction that limits the subject, 0..1
    double down = 0.5;   // shares of the free space above the subject and left of it, 0..1
    double across = 0.5;
    bool enlarge = true;  // a subject smaller than that is scaled up
    double scale = 0;     // above 0: pixels of the canvas for one of the picture, in place of fill
    double baseline = 0;  // above 0: row that the subject's lower edge stands on, in place of down
};

// Every edge comes to lie at offset + scale * position.
struct Placement {
    double scale = 1;  // pixels of the canvas for one of the picture
    double top = 0;    // where the picture's own upper edge comes to lie; may be negative
    double left = 0;
    Box drawn;  // in the picture: what there is to draw
};

// The box of alpha above `level` (0..1) in H x W x 4; all zero where there is none.
template <class T>
Box box_above(const ImageView<const T>& rgba, double level, int threads);

// So that the subject reaches its fill. trim = false: what is given counts as the subject. `also`
// is what is drawn besides (a shadow): it is kept on the canvas, but is not what is framed; empty:
// nothing. Rows of rgba must be packed. Throws std::invalid_argument for what is out of range.
template <class T>
Placement placement(const ImageView<const T>& rgba, const Canvas& canvas, bool trim,
                    const Box& also, int threads);

// Draws a cut-out on a transparent canvas, which out is.
template <class T>
void draw(const ImageView<const T>& rgba, const Placement& where, const ImageView<T>& out);

// One scale and one baseline for several pictures of one product: the largest subject reaches the
// fill, all stand on one line. Boxes are the subjects'; empty ones are left out. Throws
// std::invalid_argument where none is left.
Canvas shared_canvas(const std::vector<Box>& boxes, const Canvas& canvas);

// Rows and columns of a picture whose longer side is at most `longest`, in its proportions; its own
// where it is smaller already.
std::pair<std::ptrdiff_t, std::ptrdiff_t> size_within(std::ptrdiff_t height, std::ptrdiff_t width,
                                                      std::ptrdiff_t longest);

extern template Box box_above(const ImageView<const std::uint8_t>&, double, int);
extern template Box box_above(const ImageView<const std::uint16_t>&, double, int);
extern template Placement placement(const ImageView<const std::uint8_t>&, const Canvas&, bool,
                                    const Box&, int);
extern template Placement placement(const ImageView<const std::uint16_t>&, const Canvas&, bool,
                                    const Box&, int);
extern template void draw(const ImageView<const std::uint8_t>&, const Placement&,
                          const ImageView<std::uint8_t>&);
extern template void draw(const ImageView<const std::uint16_t>&, const Placement&,
                          const ImageView<std::uint16_t>&);

}  // namespace nssbg
