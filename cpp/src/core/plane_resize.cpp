// Weights of a resize along one axis in double, and their sums.
#include "core/plane_resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "nssbg/pool.hpp"
#include "prepare/resample_table.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

constexpr double pi = 3.14159265358979323846;

// Which samples every result sees and how much of each, along one axis.
struct Windows {
    std::vector<ptrdiff_t> begin, count;
    std::vector<double> weights;
    ptrdiff_t size = 0;  // weights set aside for each
};

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * pi) / (x * pi); }

// Lanczos by both sines, as Pillow has it for floats.
double weight_of(Filter filter, double x) {
    if (filter != Filter::lanczos) return filter_weight(filter, x);
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

Windows windows_of(Filter filter, ptrdiff_t source, double from, double to, ptrdiff_t outputs) {
    // Pillow holds the part in floats.
    const auto first = static_cast<float>(from), last = static_cast<float>(to);
    const double scale = static_cast<double>(last - first) / static_cast<double>(outputs);
    const double stretch = std::max(scale, 1.0), support = filter_support(filter) * stretch;
    Windows windows;
    windows.size = 2 * static_cast<ptrdiff_t>(std::ceil(support)) + 1;
    windows.weights.resize(static_cast<std::size_t>(windows.size * outputs));
    for (ptrdiff_t i = 0; i < outputs; ++i) {
        const double center = static_cast<double>(first) + (static_cast<double>(i) + 0.5) * scale;
        const auto begin = std::max<ptrdiff_t>(0, static_cast<ptrdiff_t>(center - support + 0.5));
        const auto end = std::min(source, static_cast<ptrdiff_t>(center + support + 0.5));
        double* const weights = windows.weights.data() + i * windows.size;
        double sum = 0;
        for (ptrdiff_t x = begin; x < end; ++x) {
            weights[x - begin] =
                weight_of(filter, (static_cast<double>(x) - center + 0.5) * (1.0 / stretch));
            sum += weights[x - begin];
        }
        if (sum != 0.0)
            for (ptrdiff_t x = begin; x < end; ++x) weights[x - begin] /= sum;
        windows.begin.push_back(begin);
        windows.count.push_back(end - begin);
    }
    return windows;
}

bool whole(double from, double to, ptrdiff_t size, ptrdiff_t wanted) {
    return from == 0.0 && to == static_cast<double>(size) && size == wanted;
}

Filter filter_for(ptrdiff_t from_height, ptrdiff_t from_width, ptrdiff_t height, ptrdiff_t width) {
    return height < from_height || width < from_width ? Filter::box : Filter::bilinear;
}

}  // namespace

FloatPlane resized(const FloatPlane& plane, Filter filter, const Part& part, ptrdiff_t height,
                   ptrdiff_t width, ptrdiff_t first, ptrdiff_t last) {
    if (last < 0) last = height;
    FloatPlane wide;
    const FloatPlane* rows = &plane;
    if (!whole(part.left, part.right, plane.width, width)) {
        const Windows windows = windows_of(filter, plane.width, part.left, part.right, width);
        wide = FloatPlane(plane.height, width);
        for (ptrdiff_t y = 0; y < plane.height; ++y) {
            const float* row = plane.row(y);
            for (ptrdiff_t x = 0; x < width; ++x) {
                const double* weights = windows.weights.data() + x * windows.size;
                double sum = 0;
                for (ptrdiff_t k = 0; k < windows.count[x]; ++k)
                    sum += static_cast<double>(row[windows.begin[x] + k]) * weights[k];
                wide.row(y)[x] = static_cast<float>(sum);
            }
        }
        rows = &wide;
    }
    FloatPlane out(last - first, width);
    if (whole(part.top, part.bottom, plane.height, height)) {
        std::copy(rows->row(first), rows->row(first) + (last - first) * width, out.cells.data());
        return out;
    }
    const Windows windows = windows_of(filter, plane.height, part.top, part.bottom, height);
    std::vector<double> sums(static_cast<std::size_t>(width));
    for (ptrdiff_t y = first; y < last; ++y) {
        std::fill(sums.begin(), sums.end(), 0.0);
        const double* weights = windows.weights.data() + y * windows.size;
        for (ptrdiff_t k = 0; k < windows.count[y]; ++k) {
            const float* row = rows->row(windows.begin[y] + k);
            for (ptrdiff_t x = 0; x < width; ++x)
                sums[x] += static_cast<double>(row[x]) * weights[k];
        }
        for (ptrdiff_t x = 0; x < width; ++x) out.row(y - first)[x] = static_cast<float>(sums[x]);
    }
    return out;
}

FloatPlane resized_map(const FloatPlane& plane, ptrdiff_t height, ptrdiff_t width, ptrdiff_t first,
                       ptrdiff_t last) {
    const Part all{0, 0, static_cast<double>(plane.width), static_cast<double>(plane.height)};
    return resized(plane, filter_for(plane.height, plane.width, height, width), all, height, width,
                   first, last);
}

template <class T>
void resize_map(const ImageView<const T>& map, const ImageView<T>& out) {
    if (map.empty() || out.empty() || map.channels != 1 || out.channels != 1)
        throw std::invalid_argument("a map is H x W, and so is what it is resized to");
    const ptrdiff_t height = out.height, width = out.width;
    if (map.height == height && map.width == width) {
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) out.at(y, x) = map.at(y, x);
        return;
    }
    if constexpr (std::is_same_v<T, float>) {
        FloatPlane plane(map.height, map.width);
        for (ptrdiff_t y = 0; y < map.height; ++y)
            for (ptrdiff_t x = 0; x < map.width; ++x) plane.row(y)[x] = map.at(y, x);
        const FloatPlane made = resized_map(plane, height, width);
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) out.at(y, x) = made.row(y)[x];
    } else {
        // Of one channel the kernels make three, which are equal.
        Scratch<T> planes(static_cast<std::size_t>(3 * height * width));
        PrepareOptions options;
        options.filter = filter_for(map.height, map.width, height, width);
        options.content = {0, 0, height, width};
        prepare<T, T>(map, {planes.data(), height, width, 3, width, 1, height * width}, options);
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) out.at(y, x) = planes[y * width + x];
    }
}

template void resize_map(const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&);
template void resize_map(const ImageView<const float>&, const ImageView<float>&);

}  // namespace nssbg
