// Gaussian blurs by way of smaller planes.
#include "compose/blur.hpp"

#include <algorithm>
#include <cmath>

#include "core/elementary.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// Standard deviation, in cells of the coarse grid, down to which planes are averaged: a point is
// then off by at most half a cell, an eighth of the blur.
constexpr double cell_sigma = 4.0;
// And of the taps that count.
constexpr double reach_of_sigma = 3.5;

// Means over factor x factor cells; those at the border repeat the last row and column.
FloatPlane averaged(const FloatPlane& plane, ptrdiff_t factor) {
    if (factor == 1) return plane;
    FloatPlane cells((plane.height + factor - 1) / factor, (plane.width + factor - 1) / factor);
    std::vector<double> sums(static_cast<std::size_t>(cells.width));
    for (ptrdiff_t y = 0; y < cells.height; ++y) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (ptrdiff_t k = 0; k < factor; ++k) {
            const float* row = plane.row(std::min(plane.height - 1, y * factor + k));
            for (ptrdiff_t x = 0; x < cells.width * factor; ++x)
                sums[x / factor] += static_cast<double>(row[std::min(plane.width - 1, x)]);
        }
        for (ptrdiff_t x = 0; x < cells.width; ++x)
            cells.row(y)[x] = static_cast<float>(sums[x] / static_cast<double>(factor * factor));
    }
    return cells;
}

FloatPlane gaussian(const FloatPlane& plane, double sigma) {
    const auto reach =
        std::max<ptrdiff_t>(1, static_cast<ptrdiff_t>(std::ceil(reach_of_sigma * sigma)));
    std::vector<double> taps;
    double total = 0;
    for (ptrdiff_t i = -reach; i <= reach; ++i) {
        const double away = static_cast<double>(i) / sigma;
        taps.push_back(exp_of(-0.5 * away * away));
        total += taps.back();
    }
    const ptrdiff_t height = plane.height, width = plane.width;
    FloatPlane down(height, width), out(height, width);
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t i = -reach; i <= reach; ++i) {
            if (y + i < 0 || y + i >= height) continue;
            const auto weight = static_cast<float>(taps[i + reach] / total);
            const float* row = plane.row(y + i);
            float* sum = down.row(y);
            for (ptrdiff_t x = 0; x < width; ++x) sum[x] += weight * row[x];
        }
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t i = -reach; i <= reach; ++i) {
            const auto weight = static_cast<float>(taps[i + reach] / total);
            const float* row = down.row(y);
            float* sum = out.row(y);
            const ptrdiff_t last = std::min(width, width - i);
            for (ptrdiff_t x = std::max<ptrdiff_t>(0, -i); x < last; ++x)
                sum[x] += weight * row[x + i];
        }
    return out;
}

}  // namespace

FloatPlane blurred_plane(const FloatPlane& plane, double sigma) {
    if (!(sigma > 0)) return plane;
    const auto factor = std::max<ptrdiff_t>(1, static_cast<ptrdiff_t>(sigma / cell_sigma));
    const FloatPlane cells = gaussian(averaged(plane, factor), sigma / static_cast<double>(factor));
    if (factor == 1) return cells;
    const Part seen{0, 0, static_cast<double>(plane.width) / static_cast<double>(factor),
                    static_cast<double>(plane.height) / static_cast<double>(factor)};
    return resized(cells, Filter::bicubic, seen, plane.height, plane.width);
}

}  // namespace nssbg
