// Lanczos of cut-outs: eight bits through the prepare kernels, sixteen in floats.
#include "nssbg/resample.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "core/plane_resize.hpp"
#include "nssbg/compose.hpp"
#include "nssbg/pool.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// Source pixels (or, scaled down, result pixels) that Lanczos of three lobes reaches.
constexpr double lobes = 3.0;

template <class T>
ImageView<const T> channel_of(const ImageView<const T>& pixels, ptrdiff_t c) {
    return {pixels.data + c * pixels.stride_c,
            pixels.height,
            pixels.width,
            1,
            pixels.stride_y,
            pixels.stride_x,
            1};
}

template <class T>
void check(const ImageView<const T>& pixels, const ImageView<T>& out) {
    if (pixels.empty() || out.empty() ||
        (pixels.channels != 1 && pixels.channels != 3 && pixels.channels != 4) ||
        pixels.channels != out.channels)
        throw std::invalid_argument(
            "resample: pixels and result are H x W x 4, H x W x 3 or H x W");
}

template <class T>
void clear(const ImageView<T>& out) {
    for (ptrdiff_t y = 0; y < out.height; ++y) {
        if (out.packed_rows()) {
            std::fill(out.row(y), out.row(y) + out.width * out.channels, T{0});
            continue;
        }
        for (ptrdiff_t x = 0; x < out.width; ++x)
            for (ptrdiff_t c = 0; c < out.channels; ++c) out.at(y, x, c) = 0;
    }
}

// Of one size.
template <class T>
void copy(const ImageView<const T>& from, const ImageView<T>& out) {
    for (ptrdiff_t y = 0; y < out.height; ++y) {
        if (from.packed_rows() && out.packed_rows()) {
            std::copy(from.row(y), from.row(y) + from.width * from.channels, out.row(y));
            continue;
        }
        for (ptrdiff_t x = 0; x < out.width; ++x)
            for (ptrdiff_t c = 0; c < out.channels; ++c) out.at(y, x, c) = from.at(y, x, c);
    }
}

template <class View>
View box_of(View view, ptrdiff_t top, ptrdiff_t left, ptrdiff_t height, ptrdiff_t width) {
    view.data += top * view.stride_y + left * view.stride_x;
    view.height = height;
    view.width = width;
    return view;
}

// ---- 8 bits ----

// The first three channels (or one, thrice): 3 x height x width.
Scratch<std::uint8_t> planes_of(const ImageView<const std::uint8_t>& pixels, const Part& part,
                                ptrdiff_t height, ptrdiff_t width) {
    Scratch<std::uint8_t> planes(static_cast<std::size_t>(3 * height * width));
    PrepareOptions options;
    options.content = {0, 0, height, width};
    options.part = part;
    prepare<std::uint8_t, std::uint8_t>(
        pixels, {planes.data(), height, width, 3, width, 1, height * width}, options);
    return planes;
}

// Straight again; where ripples left colour above alpha, it is cut to what alpha allows.
std::uint8_t straight(int color, int alpha) {
    if (alpha == 0 || alpha == 255) return static_cast<std::uint8_t>(color);
    return static_cast<std::uint8_t>(std::min(255, 255 * color / alpha));
}

void resample_any(const ImageView<const std::uint8_t>& pixels, const Part& part,
                  const ImageView<std::uint8_t>& out) {
    const ptrdiff_t height = out.height, width = out.width;
    if (pixels.channels == 1) {
        const auto planes = planes_of(pixels, part, height, width);
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) out.at(y, x) = planes[y * width + x];
        return;
    }
    if (pixels.channels == 3) {
        const auto planes = planes_of(pixels, part, height, width);
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x)
                for (ptrdiff_t c = 0; c < 3; ++c)
                    out.at(y, x, c) = planes[(c * height + y) * width + x];
        return;
    }
    const auto cells = static_cast<std::size_t>(4 * pixels.height * pixels.width);
    Scratch<std::uint8_t> packed(pixels.packed_rows() ? 0 : cells), own(cells);
    ImageView<const std::uint8_t> rows = pixels;
    if (!pixels.packed_rows()) {
        const auto into = packed_view(packed.data(), pixels.height, pixels.width, 4);
        copy(pixels, into);
        rows = packed_view(static_cast<const std::uint8_t*>(packed.data()), pixels.height,
                           pixels.width, 4);
    }
    premultiply<std::uint8_t>(rows, packed_view(own.data(), pixels.height, pixels.width, 4), 1);
    const auto colors = planes_of(
        packed_view(static_cast<const std::uint8_t*>(own.data()), pixels.height, pixels.width, 4),
        part, height, width);
    const auto alphas = planes_of(channel_of(pixels, 3), part, height, width);
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            const ptrdiff_t i = y * width + x;
            for (ptrdiff_t c = 0; c < 3; ++c)
                out.at(y, x, c) = straight(colors[c * height * width + i], alphas[i]);
            out.at(y, x, 3) = alphas[i];
        }
}

// ---- 16 bits ----

std::uint16_t rounded(float value) { return static_cast<std::uint16_t>(std::floor(value + 0.5f)); }
float within(float value, float top) { return std::min(std::max(value, 0.0f), top); }

void resample_any(const ImageView<const std::uint16_t>& pixels, const Part& part,
                  const ImageView<std::uint16_t>& out) {
    constexpr float full = 65535.0f;
    const ptrdiff_t height = out.height, width = out.width;
    const auto plane = [&pixels](auto&& value) {
        FloatPlane cells(pixels.height, pixels.width);
        for (ptrdiff_t y = 0; y < pixels.height; ++y)
            for (ptrdiff_t x = 0; x < pixels.width; ++x)
                cells.cells[y * pixels.width + x] = value(y, x);
        return cells;
    };
    const auto sample = [&pixels](ptrdiff_t y, ptrdiff_t x, ptrdiff_t c) {
        return static_cast<float>(pixels.at(y, x, c));
    };
    const auto at_size = [&](auto&& value) {
        return resized(plane(value), Filter::lanczos, part, height, width);
    };
    if (pixels.channels != 4) {
        for (ptrdiff_t c = 0; c < pixels.channels; ++c) {
            const FloatPlane alone =
                at_size([&](ptrdiff_t y, ptrdiff_t x) { return sample(y, x, c); });
            for (ptrdiff_t y = 0; y < height; ++y)
                for (ptrdiff_t x = 0; x < width; ++x)
                    out.at(y, x, c) = rounded(within(alone.row(y)[x], full));
        }
        return;
    }
    const FloatPlane cover =
        at_size([&](ptrdiff_t y, ptrdiff_t x) { return sample(y, x, 3) / full; });
    for (ptrdiff_t c = 0; c < 3; ++c) {
        const FloatPlane colors = at_size(
            [&](ptrdiff_t y, ptrdiff_t x) { return sample(y, x, c) * (sample(y, x, 3) / full); });
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) {
                const ptrdiff_t i = y * width + x;
                const float share = std::max(within(cover.cells[i], 1.0f), 1e-6f);
                out.at(y, x, c) = rounded(within(colors.cells[i] / share, full));
            }
    }
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            out.at(y, x, 3) = rounded(within(cover.cells[y * width + x], 1.0f) * full);
            if (out.at(y, x, 3) == 0)
                for (ptrdiff_t c = 0; c < 3; ++c) out.at(y, x, c) = 0;
        }
}

// What a window shows of one axis of the picture.
struct Span {
    double from = 0, to = 0;          // of the window, counted in what is kept and its margins
    ptrdiff_t begin = 0, end = 0;     // of the picture that is kept
    ptrdiff_t before = 0, after = 0;  // margins of nothing
    ptrdiff_t size() const { return before + end - begin + after; }
};

// Pixels of the picture that a window may reach over, and bytes that it may take: a picture of
// which next to nothing is left on the canvas needs margins without end.
constexpr double farthest = 1e9;
constexpr double most_bytes = sizeof(void*) == 4 ? 0x1p31 - 1 : 0x1p33;

[[noreturn]] void too_small() {
    throw std::invalid_argument(
        "the picture would be too small on this canvas; give a larger scale or fill");
}

Span span_of(ptrdiff_t low, ptrdiff_t high, double offset, double scale, ptrdiff_t size) {
    const double first = (static_cast<double>(low) - offset) / scale;
    const double last = (static_cast<double>(high) - offset) / scale;
    const double reach = std::ceil(lobes * std::max(1.0, 1.0 / scale)) + 1;
    Span span;
    if (!(std::fabs(first) < farthest && std::fabs(last) < farthest)) too_small();
    // Beyond the picture's edges is nothing: only where the box goes there is it put in.
    span.before = static_cast<ptrdiff_t>(std::max(0.0, std::ceil(-first - 1e-6)));
    span.after =
        static_cast<ptrdiff_t>(std::max(0.0, std::ceil(last - static_cast<double>(size) - 1e-6)));
    span.begin = static_cast<ptrdiff_t>(std::max(0.0, std::floor(first) - reach));
    span.end = static_cast<ptrdiff_t>(std::min(static_cast<double>(size), std::ceil(last) + reach));
    span.from = first - static_cast<double>(span.begin) + static_cast<double>(span.before);
    span.to = last - static_cast<double>(span.begin) + static_cast<double>(span.before);
    return span;
}

}  // namespace

template <class T>
void resample(const ImageView<const T>& pixels, const Part& part, const ImageView<T>& out) {
    check(pixels, out);
    if (!(part.left >= 0 && part.top >= 0 && part.left < part.right && part.top < part.bottom &&
          part.right <= static_cast<double>(pixels.width) &&
          part.bottom <= static_cast<double>(pixels.height)))
        throw std::invalid_argument("resample: the part must lie inside the picture, not empty");
    resample_any(pixels, part, out);
}

template <class T>
void resample_to_fit(const ImageView<const T>& image, Fit fit, const ImageView<T>& out) {
    check(image, out);
    if (image.channels != 3)
        throw std::invalid_argument("resample_to_fit: a background picture is H x W x 3");
    const auto rows = static_cast<double>(image.height), columns = static_cast<double>(image.width);
    const auto height = static_cast<double>(out.height), width = static_cast<double>(out.width);
    if (image.height == out.height && image.width == out.width) return copy(image, out);
    if (fit == Fit::cover) {
        const double scale = std::max(height / rows, width / columns);
        const double seen_h = height / scale, seen_w = width / scale;
        const double top = std::max(0.0, (rows - seen_h) / 2);
        const double left = std::max(0.0, (columns - seen_w) / 2);
        return resample_any(
            image, {left, top, std::min(columns, left + seen_w), std::min(rows, top + seen_h)},
            out);
    }
    const double scale = std::min(height / rows, width / columns);
    const auto side = [scale](double length, ptrdiff_t most) {
        const auto scaled = static_cast<ptrdiff_t>(std::nearbyint(length * scale));
        return std::min(most, std::max<ptrdiff_t>(1, scaled));
    };
    const ptrdiff_t inner_h = side(rows, out.height), inner_w = side(columns, out.width);
    std::uint64_t sums[3] = {0, 0, 0};
    for (ptrdiff_t y = 0; y < image.height; ++y)
        for (ptrdiff_t x = 0; x < image.width; ++x)
            for (ptrdiff_t c = 0; c < 3; ++c) sums[c] += image.at(y, x, c);
    for (ptrdiff_t c = 0; c < 3; ++c) {
        const auto mean =
            static_cast<T>(std::floor(static_cast<double>(sums[c]) / (rows * columns) + 0.5));
        for (ptrdiff_t y = 0; y < out.height; ++y)
            for (ptrdiff_t x = 0; x < out.width; ++x) out.at(y, x, c) = mean;
    }
    resample_any(
        image, {0, 0, columns, rows},
        box_of(out, (out.height - inner_h) / 2, (out.width - inner_w) / 2, inner_h, inner_w));
}

template <class T>
void resample_window(const ImageView<const T>& pixels, double scale, double top, double left,
                     const Box& box, const ImageView<T>& out) {
    check(pixels, out);
    if (!(scale > 0) || !std::isfinite(scale) || !std::isfinite(top) || !std::isfinite(left))
        throw std::invalid_argument("resample: scale must be above 0, offsets finite");
    if (box.bottom - box.top != out.height || box.right - box.left != out.width)
        throw std::invalid_argument("resample: the result must be as large as the box");
    const Span down = span_of(box.top, box.bottom, top, scale, pixels.height);
    const Span across = span_of(box.left, box.right, left, scale, pixels.width);
    if (down.begin >= down.end || across.begin >= across.end) return clear(out);
    ImageView<const T> part =
        box_of(pixels, down.begin, across.begin, down.end - down.begin, across.end - across.begin);
    const auto bytes = static_cast<double>(down.size()) * static_cast<double>(across.size()) *
                       static_cast<double>(pixels.channels * static_cast<ptrdiff_t>(sizeof(T)));
    if (bytes > most_bytes) too_small();
    Scratch<T> padded;
    if (down.before > 0 || down.after > 0 || across.before > 0 || across.after > 0) {
        padded =
            Scratch<T>(static_cast<std::size_t>(down.size() * across.size() * pixels.channels));
        const auto into = packed_view(padded.data(), down.size(), across.size(), pixels.channels);
        clear(into);
        copy(part, box_of(into, down.before, across.before, part.height, part.width));
        part = {into.data,     into.height,   into.width,   into.channels,
                into.stride_y, into.stride_x, into.stride_c};
    }
    if (scale == 1.0 && std::floor(down.from) == down.from &&
        std::floor(across.from) == across.from) {
        const auto y0 = static_cast<ptrdiff_t>(down.from);
        const auto x0 = static_cast<ptrdiff_t>(across.from);
        return copy(box_of(part, y0, x0, out.height, out.width), out);
    }
    resample_any(part,
                 {std::max(0.0, across.from), std::max(0.0, down.from),
                  std::min(static_cast<double>(part.width), across.to),
                  std::min(static_cast<double>(part.height), down.to)},
                 out);
}

template void resample(const ImageView<const std::uint8_t>&, const Part&,
                       const ImageView<std::uint8_t>&);
template void resample(const ImageView<const std::uint16_t>&, const Part&,
                       const ImageView<std::uint16_t>&);
template void resample_to_fit(const ImageView<const std::uint8_t>&, Fit,
                              const ImageView<std::uint8_t>&);
template void resample_to_fit(const ImageView<const std::uint16_t>&, Fit,
                              const ImageView<std::uint16_t>&);
template void resample_window(const ImageView<const std::uint8_t>&, double, double, double,
                              const Box&, const ImageView<std::uint8_t>&);
template void resample_window(const ImageView<const std::uint16_t>&, double, double, double,
                              const Box&, const ImageView<std::uint16_t>&);

}  // namespace nssbg
