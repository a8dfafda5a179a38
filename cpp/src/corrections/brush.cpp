// Paints brush strokes, row by row: what of a row lies in a capsule is one span.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "nssbg/corrections.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

constexpr std::uint8_t keep = 255, nothing = 128, drop = 0;
// Half a pixel's diagonal: the middle nearest to a point is no farther.
constexpr double least_radius = 0.70710678118654757;
// Pixels from a mask's corner: squares of what lies within are exact enough to paint by.
constexpr double farthest_point = 1e9;

struct Span {
    double from = HUGE_VAL, to = -HUGE_VAL;
    void add(double first, double last) {
        from = std::min(from, first);
        to = std::max(to, last);
    }
};

void add_disc(Span* span, Point middle, double radius, double y) {
    const double rest = radius * radius - (y - middle.y) * (y - middle.y);
    if (rest < 0) return;
    const double half = std::sqrt(rest);
    span->add(middle.x - half, middle.x + half);
}

// The straight part between two discs: where the row meets both the strip along the way and the
// one across it.
void add_strip(Span* span, Point a, Point b, double radius, double y) {
    const double dx = b.x - a.x, dy = b.y - a.y, length = std::sqrt(dx * dx + dy * dy);
    if (length == 0) return;
    double from = -HUGE_VAL, to = HUGE_VAL;
    // step * x + rest within low..high.
    const auto cut = [&](double step, double rest, double low, double high) {
        if (step == 0) {
            if (rest < low || rest > high) to = -HUGE_VAL;
            return;
        }
        const double one = (low - rest) / step, other = (high - rest) / step;
        from = std::max(from, std::min(one, other));
        to = std::min(to, std::max(one, other));
    };
    const double ux = dx / length, uy = dy / length;
    cut(ux, (y - a.y) * uy - a.x * ux, 0, length);
    cut(uy, -(y - a.y) * ux - a.x * uy, -radius, radius);
    if (from <= to) span->add(from, to);
}

// Without points that lie closer together than shows: mice report hundreds a second.
std::vector<Point> thinned(const std::vector<Point>& way, double radius) {
    const double least = std::max(0.25, 0.05 * radius);
    std::vector<Point> kept(way.begin(), way.begin() + 1);
    for (std::size_t i = 1; i + 1 < way.size(); ++i) {
        const double dx = way[i].x - kept.back().x, dy = way[i].y - kept.back().y;
        if (std::sqrt(dx * dx + dy * dy) >= least) kept.push_back(way[i]);
    }
    if (way.size() > 1) kept.push_back(way.back());
    return kept;
}

}  // namespace

void paint(const std::vector<Stroke>& strokes, Point origin, double scale_x, double scale_y,
           const ImageView<std::uint8_t>& mask) {
    if (mask.empty() || mask.channels != 1)
        throw std::invalid_argument("a painted mask is H x W, at least one pixel");
    if (!(scale_x > 0 && scale_y > 0) || !std::isfinite(scale_x) || !std::isfinite(scale_y))
        throw std::invalid_argument("a painted mask's scale is above 0");
    for (ptrdiff_t y = 0; y < mask.height; ++y)
        for (ptrdiff_t x = 0; x < mask.width; ++x) mask.at(y, x) = nothing;
    for (const Stroke& stroke : strokes) {
        if (!(stroke.radius >= 0 && stroke.radius <= farthest_point))
            throw std::invalid_argument("a stroke's radius is a number from 0 to 1e9");
        const double radius = std::max(least_radius, stroke.radius * std::sqrt(scale_x * scale_y));
        std::vector<Point> way;
        for (const Point& point : stroke.points) {
            // Of a pixel's area, the middle counts: at x = 10.5 a point lies in the middle of
            // pixel 10.
            way.push_back(
                {(point.x - origin.x) * scale_x - 0.5, (point.y - origin.y) * scale_y - 0.5});
            if (!(std::fabs(way.back().x) <= farthest_point &&
                  std::fabs(way.back().y) <= farthest_point))
                throw std::invalid_argument(
                    "a stroke's points lie within 1e9 pixels of the mask's corner");
        }
        if (way.empty()) throw std::invalid_argument("a stroke has at least one point");
        way = thinned(way, radius);
        const std::uint8_t value = stroke.keep ? keep : drop;
        for (std::size_t i = 0; i < way.size(); ++i) {
            const Point a = way[i], b = way[std::min(i + 1, way.size() - 1)];
            // Rows in doubles: what lies far outside has no whole number.
            const double above = std::ceil(std::min(a.y, b.y) - radius);
            const double below = std::floor(std::max(a.y, b.y) + radius);
            const auto last = static_cast<ptrdiff_t>(
                std::min(static_cast<double>(mask.height - 1), std::max(-1.0, below)));
            for (auto y = static_cast<ptrdiff_t>(
                     std::min(static_cast<double>(mask.height), std::max(0.0, above)));
                 y <= last; ++y) {
                Span span;
                const auto row = static_cast<double>(y);
                add_disc(&span, a, radius, row);
                add_disc(&span, b, radius, row);
                add_strip(&span, a, b, radius, row);
                const double from = std::max(0.0, std::ceil(span.from));
                const double to =
                    std::min(static_cast<double>(mask.width - 1), std::floor(span.to));
                for (double x = from; x <= to; ++x) mask.at(y, static_cast<ptrdiff_t>(x)) = value;
            }
        }
    }
}

}  // namespace nssbg
