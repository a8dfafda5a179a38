// Fits a subject's box to a canvas, looks how the drawn subject reaches it, and draws.
#include "nssbg/framing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "nssbg/compose.hpp"
#include "nssbg/pool.hpp"
#include "nssbg/resample.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// top, left, bottom, right, between pixels too; axis y is 0 and x is 1, ends are axis and axis + 2.
using Edges = std::array<double, 4>;

ptrdiff_t rounded(double value) { return static_cast<ptrdiff_t>(std::nearbyint(value)); }
double real(ptrdiff_t value) { return static_cast<double>(value); }

void check(const Canvas& canvas) {
    const auto side = [](ptrdiff_t size) { return size >= 1 && size <= largest_side; };
    const auto share = [](double value) { return value >= 0 && value <= 1; };
    if (!side(canvas.height) || !side(canvas.width))
        throw std::invalid_argument("framing: a canvas's sides are 1 to 65535 pixels");
    if (!(canvas.fill > 0 && canvas.fill <= 1) || !share(canvas.down) || !share(canvas.across))
        throw std::invalid_argument(
            "framing: fill is above 0 and at most 1, align shares of 0 to 1");
    if (!(canvas.scale >= 0) || !std::isfinite(canvas.scale) ||
        !(canvas.baseline >= 0 && canvas.baseline <= real(canvas.height)))
        throw std::invalid_argument("framing: scale or baseline is out of range");
}

bool is_box(const Box& box) { return box.bottom > 0; }

Box joined(const Box& a, const Box& b) {
    return {std::min(a.top, b.top), std::min(a.left, b.left), std::max(a.bottom, b.bottom),
            std::max(a.right, b.right)};
}

// The first pixel of a subject within the margins, which stay free whatever the alignment.
double start(ptrdiff_t side, double fill, double length, double share) {
    const double margin = std::min(real(side) * (1.0 - fill), real(side) - length) / 2;
    return std::nearbyint(margin + share * (real(side) - length - 2 * margin));
}

// The offset, moved as little as keeps first..last on the canvas.
double kept_inside(double offset, ptrdiff_t first, ptrdiff_t last, double scale, ptrdiff_t side) {
    return std::max(std::min(offset, real(side) - real(last) * scale), -real(first) * scale);
}

// The placement that brings the subject's box to the canvas's fill and alignment.
Placement fitted(const Edges& subject, const Box& visible, const Canvas& canvas) {
    const double rows = subject[2] - subject[0], columns = subject[3] - subject[1];
    // Whole pixels, at least the fill: 0.85 of 999 is 850 rows, not 849.15.
    const double wanted_y = std::ceil(canvas.fill * real(canvas.height) - 1e-6);
    const double wanted_x = std::ceil(canvas.fill * real(canvas.width) - 1e-6);
    double scale = std::min(wanted_y / rows, wanted_x / columns);
    if (!canvas.enlarge) scale = std::min(scale, 1.0);
    if (canvas.scale > 0) scale = canvas.scale;
    // What can be seen stays on the canvas.
    scale = std::min({scale, real(canvas.height) / real(visible.bottom - visible.top),
                      real(canvas.width) / real(visible.right - visible.left)});
    double y = start(canvas.height, canvas.fill, rows * scale, canvas.down);
    if (canvas.baseline > 0) y = std::nearbyint(canvas.baseline - rows * scale);
    const double x = start(canvas.width, canvas.fill, columns * scale, canvas.across);
    Placement found;
    found.scale = scale;
    found.top =
        kept_inside(y - subject[0] * scale, visible.top, visible.bottom, scale, canvas.height);
    found.left =
        kept_inside(x - subject[1] * scale, visible.left, visible.right, scale, canvas.width);
    found.drawn = visible;
    return found;
}

// Pixels of the canvas by which the subject, drawn, falls short of its box on each side. One pixel
// too many is let be (-1 counts as 0), so that looking again comes to an end.
template <class T>
std::array<ptrdiff_t, 4> lost(const ImageView<const T>& alpha, const Placement& found,
                              const Edges& edges, const Canvas& canvas, ptrdiff_t look) {
    constexpr T half = std::numeric_limits<T>::max() / 2;
    const ptrdiff_t sides[2] = {canvas.height, canvas.width};
    const double offsets[2] = {found.top, found.left};
    ptrdiff_t first[2], last[2];
    for (int axis = 0; axis < 2; ++axis) {
        first[axis] = rounded(offsets[axis] + edges[axis] * found.scale);
        last[axis] = rounded(offsets[axis] + edges[axis + 2] * found.scale);
    }
    std::array<ptrdiff_t, 4> short_of{};
    for (int axis = 0; axis < 2; ++axis) {
        const ptrdiff_t span = last[axis] - first[axis];
        const ptrdiff_t inside = std::min(look, span / 2);
        for (const int end : {0, 2}) {
            const ptrdiff_t edge = end == 0 ? first[axis] : last[axis];
            const ptrdiff_t begin = end == 0 ? edge - look : edge - inside;
            const ptrdiff_t stop = end == 0 ? edge + inside : edge + look;
            ptrdiff_t box[4] = {std::max<ptrdiff_t>(0, first[0]), std::max<ptrdiff_t>(0, first[1]),
                                std::min(sides[0], last[0]), std::min(sides[1], last[1])};
            box[axis] = std::max<ptrdiff_t>(0, begin);
            box[axis + 2] = std::min(sides[axis], stop);
            if (inside < 1 || box[1] >= box[3] || box[0] >= box[2]) continue;
            const ptrdiff_t rows = box[2] - box[0], columns = box[3] - box[1];
            Scratch<T> memory(static_cast<std::size_t>(rows * columns));
            const auto strip = packed_view(memory.data(), rows, columns, 1);
            resample_window<T>(alpha, found.scale, found.top, found.left,
                               {box[0], box[1], box[2], box[3]}, strip);
            ptrdiff_t held_first = -1, held_last = -1;
            for (ptrdiff_t y = 0; y < rows; ++y)
                for (ptrdiff_t x = 0; x < columns; ++x) {
                    if (strip.at(y, x) <= half) continue;
                    const ptrdiff_t place = axis == 0 ? y : x;
                    if (held_first < 0 || place < held_first) held_first = place;
                    held_last = std::max(held_last, place);
                }
            if (held_first < 0) {
                short_of[axis + end] = inside;
            } else {
                const ptrdiff_t reached = box[axis] + (end == 0 ? held_first : held_last + 1);
                const ptrdiff_t missing = end == 0 ? reached - edge : edge - reached;
                short_of[axis + end] = missing == -1 ? 0 : missing;
            }
        }
    }
    return short_of;
}

// The placement whose subject, as it is drawn, reaches the fill and hardly passes it.
template <class T>
Placement reaching(const ImageView<const T>& alpha, Placement found, const Edges& subject,
                   const Box& visible, const Canvas& canvas) {
    Edges edges = subject;
    std::optional<Placement> best;
    double best_beyond = 0;
    std::array<ptrdiff_t, 4> before{};
    double damped = 1.0;
    for (int look = 0; look < most_looks; ++look) {
        // Wider each time: a long thin tip may be lost for many rows.
        const auto now = lost(alpha, found, edges, canvas, edge_look << (look / 3));
        if (std::all_of(now.begin(), now.end(), [](ptrdiff_t pixels) { return pixels == 0; }))
            return found;
        const auto over = [&](int axis, ptrdiff_t side) {
            return (edges[axis + 2] - edges[axis]) * found.scale - real(now[axis] + now[axis + 2]) -
                   canvas.fill * real(side);
        };
        const double beyond = std::max(over(0, canvas.height), over(1, canvas.width));
        if (beyond > -0.01 && (!best || beyond < best_beyond)) {
            best = found;
            best_beyond = beyond;
        }
        // A tip of less than a pixel comes and goes with where the pixels happen to lie.
        bool swings = false;
        for (std::size_t i = 0; i < now.size(); ++i) swings |= now[i] * before[i] < 0;
        if (swings) damped /= 2;
        before = now;
        for (int i = 0; i < 4; ++i) {
            const double step = real(now[i]) * damped / found.scale;
            edges[i] += i < 2 ? step : -step;
        }
        const Box drawn = found.drawn;
        found = fitted(edges, visible, canvas);
        found.drawn = drawn;
    }
    return best ? *best : found;
}

Edges edges_of(const Box& box) {
    return {real(box.top), real(box.left), real(box.bottom), real(box.right)};
}

}  // namespace

template <class T>
Box box_above(const ImageView<const T>& rgba, double level, int threads) {
    if (!(level >= 0 && level <= 1))
        throw std::invalid_argument("framing: a level of alpha is 0 to 1");
    const auto limit = static_cast<T>(std::floor(level * real(std::numeric_limits<T>::max())));
    return subject_box<T>(rgba, limit, threads);
}

template <class T>
Placement placement(const ImageView<const T>& rgba, const Canvas& canvas, bool trim,
                    const Box& also, int threads) {
    check(canvas);
    if (rgba.empty() || rgba.channels != 4)
        throw std::invalid_argument("framing: a cut-out is H x W x 4, not empty");
    const Box whole = {0, 0, rgba.height, rgba.width};
    Box faint = whole, visible = whole, subject = whole;
    if (trim) {
        const auto above = [&](double level) { return box_above(rgba, level, threads); };
        const Box faint_box = above(faint_alpha), visible_box = above(visible_alpha);
        const Box solid = above(solid_alpha);
        // Where nothing is half opaque (glass, smoke), what there is stands in.
        faint = is_box(faint_box) ? faint_box : whole;
        visible = is_box(visible_box) ? visible_box : faint;
        subject = is_box(solid) ? solid : visible;
        trim = is_box(solid);
    }
    if (is_box(also)) {
        visible = joined(visible, also);
        faint = joined(faint, also);
    }
    Placement found = fitted(edges_of(subject), visible, canvas);
    found.drawn = faint;
    if (!trim) return found;
    const ImageView<const T> alpha = {
        rgba.data + 3 * rgba.stride_c, rgba.height, rgba.width, 1, rgba.stride_y, rgba.stride_x, 1};
    return reaching(alpha, found, edges_of(subject), visible, canvas);
}

template <class T>
void draw(const ImageView<const T>& rgba, const Placement& where, const ImageView<T>& out) {
    if (rgba.empty() || rgba.channels != 4 || out.empty() || out.channels != 4)
        throw std::invalid_argument("framing: cut-out and canvas are H x W x 4, not empty");
    if (!out.packed_rows()) throw std::invalid_argument("framing: a canvas's rows are packed");
    for (ptrdiff_t y = 0; y < out.height; ++y)
        std::fill(out.row(y), out.row(y) + 4 * out.width, T{0});
    const auto first = [&](double offset, ptrdiff_t position) {
        return std::max<ptrdiff_t>(
            0, static_cast<ptrdiff_t>(std::floor(offset + real(position) * where.scale)));
    };
    const auto last = [&](double offset, ptrdiff_t position, ptrdiff_t side) {
        return std::min(
            side, static_cast<ptrdiff_t>(std::ceil(offset + real(position) * where.scale - 1e-6)));
    };
    Box box = {first(where.top, where.drawn.top), first(where.left, where.drawn.left),
               last(where.top, where.drawn.bottom, out.height),
               last(where.left, where.drawn.right, out.width)};
    box.bottom = std::max(box.bottom, box.top + 1);
    box.right = std::max(box.right, box.left + 1);
    if (box.bottom > out.height || box.right > out.width)
        throw std::invalid_argument("framing: the cut-out would lie beside the canvas");
    ImageView<T> part = out;
    part.data += box.top * out.stride_y + box.left * out.stride_x;
    part.height = box.bottom - box.top;
    part.width = box.right - box.left;
    resample_window<T>(rgba, where.scale, where.top, where.left, box, part);
}

Canvas shared_canvas(const std::vector<Box>& boxes, const Canvas& canvas) {
    check(canvas);
    ptrdiff_t tallest = 0, widest = 0;
    for (const Box& box : boxes) {
        if (box.bottom <= box.top) continue;
        tallest = std::max(tallest, box.bottom - box.top);
        widest = std::max(widest, box.right - box.left);
    }
    if (tallest == 0)
        throw std::invalid_argument("framing: no box shows a subject to share a scale with");
    Canvas shared = canvas;
    shared.scale = shared.baseline = 0;
    const Box whole = {0, 0, tallest, widest};
    const Placement found = fitted(edges_of(whole), whole, shared);
    shared.scale = found.scale;
    shared.baseline = found.top + real(tallest) * found.scale;
    return shared;
}

std::pair<ptrdiff_t, ptrdiff_t> size_within(ptrdiff_t height, ptrdiff_t width, ptrdiff_t longest) {
    if (height < 1 || width < 1 || longest < 1)
        throw std::invalid_argument("framing: sides are at least 1 pixel");
    const ptrdiff_t longer = std::max(height, width);
    if (longer <= longest) return {height, width};
    const double scale = real(longest) / real(longer);
    return {std::max<ptrdiff_t>(1, rounded(real(height) * scale)),
            std::max<ptrdiff_t>(1, rounded(real(width) * scale))};
}

template Box box_above(const ImageView<const std::uint8_t>&, double, int);
template Box box_above(const ImageView<const std::uint16_t>&, double, int);
template Placement placement(const ImageView<const std::uint8_t>&, const Canvas&, bool, const Box&,
                             int);
template Placement placement(const ImageView<const std::uint16_t>&, const Canvas&, bool, const Box&,
                             int);
template void draw(const ImageView<const std::uint8_t>&, const Placement&,
                   const ImageView<std::uint8_t>&);
template void draw(const ImageView<const std::uint16_t>&, const Placement&,
                   const ImageView<std::uint16_t>&);

}  // namespace nssbg
