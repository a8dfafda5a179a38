// Cuts discs and polygons into rows, eight lines to a row.
#include "defocus/aperture.hpp"

#include <algorithm>
#include <cmath>

namespace nssbg {
namespace {

constexpr int lines = 8;
constexpr double turn = 6.283185307179586;

// Where a horizontal line at height y enters and leaves; false where it misses.
bool crossed(const Aperture& aperture, double radius, double y, double& left, double& right) {
    if (aperture.blades == 0) {
        if (y * y >= radius * radius) return false;
        right = std::sqrt(radius * radius - y * y);
        left = -right;
        return true;
    }
    left = radius;
    right = -radius;
    for (int i = 0; i < aperture.blades; ++i) {
        const double from = aperture.rotation + turn * i / aperture.blades;
        const double to = aperture.rotation + turn * (i + 1) / aperture.blades;
        const double y0 = radius * std::sin(from), y1 = radius * std::sin(to);
        if ((y0 > y) == (y1 > y)) continue;
        const double x0 = radius * std::cos(from), x1 = radius * std::cos(to);
        const double x = x0 + (y - y0) / (y1 - y0) * (x1 - x0);
        left = std::min(left, x);
        right = std::max(right, x);
    }
    return right > left;
}

}  // namespace

std::vector<Run> runs_of(const Aperture& aperture, double radius) {
    std::vector<Run> runs;
    const auto reach = static_cast<std::ptrdiff_t>(std::ceil(radius + 0.5));
    double area = 0.0;
    for (std::ptrdiff_t row = -reach; row <= reach; ++row) {
        double left = 0.0, right = 0.0;
        int count = 0;
        for (int line = 0; line < lines; ++line) {
            double from = 0.0, to = 0.0;
            const double y = static_cast<double>(row) + (line + 0.5) / lines - 0.5;
            if (!crossed(aperture, radius, y, from, to)) continue;
            left += from;
            right += to;
            ++count;
        }
        if (count == 0 || right <= left) continue;
        // Light goes from a point to where the run covers; who collects it looks the other way.
        runs.push_back({-row, static_cast<float>(-right / count), static_cast<float>(-left / count),
                        static_cast<float>(count) / lines});
        area += (right - left) / lines;
    }
    for (Run& run : runs) run.share = static_cast<float>(run.share / area);
    return runs;
}

}  // namespace nssbg
