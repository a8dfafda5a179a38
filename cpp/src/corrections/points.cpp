// Grows points over a grid of colours and alpha, up to the next edge or the nearer contrary point.
#include "corrections/points.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "nssbg/cleanup.hpp"
#include "nssbg/corrections.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// A part is "one of several" where the others make up at least this share of it.
constexpr double others_share = 0.1;
// Length of a step between cells of one colour; an edge adds its height (0..255) above the noise
// and shading that goes from cell to cell. A region of 200 cells is crossed for one faint edge.
constexpr float step = 0.1f;
constexpr float shading = 3.0f;
// The network's own map is an edge too: a faint shadow beside a sure subject.
constexpr float alpha_height = 128.0f;
// Cells around a point that certainly belong to it.
constexpr double disc = 1.5;
// Where nothing of another colour bounds a region it is a disc of this share of the longer side.
constexpr double alone_share = 0.04;
// Of a part, what is of another colour bounds it from this share on.
constexpr double unlike_share = 0.02;
// Pieces of less than this share of what a point takes go with it.
constexpr double island_share = 0.1;
// Colours closer than this cannot be told apart through noise and shading.
constexpr double least_distance = 24.0;
constexpr int rounds = 16;
constexpr int bins = 64;
// Cells around a part whose ways decide about it.
constexpr ptrdiff_t margin = 4;

struct Grid {
    const std::vector<float>& colors;
    ptrdiff_t height, width;
    std::vector<float> across, down;  // lengths of steps to the right and down
};

float median(std::vector<float>* values) {
    std::sort(values->begin(), values->end());
    const std::size_t middle = values->size() / 2;
    if (values->size() % 2 == 1) return (*values)[middle];
    return ((*values)[middle - 1] + (*values)[middle]) / 2.0f;
}

// Otsu's threshold (1979) of the values, as the upper edge of a bin.
double otsu(const std::vector<double>& values) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const double from = *least, wide = *most - from;
    if (!(wide > 0)) return *most;
    std::vector<double> counts(bins);
    for (const double value : values)
        ++counts[std::min<ptrdiff_t>(bins - 1,
                                     static_cast<ptrdiff_t>((value - from) / wide * bins))];
    const auto middle = [&](int i) { return from + wide * (i + 0.5) / bins; };
    const auto total = static_cast<double>(values.size());
    double whole = 0;
    for (int i = 0; i < bins; ++i) whole += counts[i] * middle(i);
    double weight = 0, sum = 0, best = -1;
    int found = 0;
    for (int i = 0; i < bins; ++i) {
        weight += counts[i];
        sum += counts[i] * middle(i);
        if (weight == 0 || weight == total) continue;
        const double apart = whole * weight / total - sum;
        const double between = apart * apart / (weight * (total - weight));
        if (between > best) {
            best = between;
            found = i;
        }
    }
    return from + wide * (found + 1) / bins;
}

// Cells of a part of another colour than the cell.
Cells unlike(const Grid& grid, const Cells& part, Cell cell) {
    float near[3];
    for (int c = 0; c < 3; ++c) {
        std::vector<float> values;
        for (ptrdiff_t y = std::max<ptrdiff_t>(0, cell.y - 1);
             y < std::min(grid.height, cell.y + 2); ++y)
            for (ptrdiff_t x = std::max<ptrdiff_t>(0, cell.x - 1);
                 x < std::min(grid.width, cell.x + 2); ++x)
                values.push_back(grid.colors[3 * (y * grid.width + x) + c]);
        near[c] = median(&values);
    }
    const auto away = [&](ptrdiff_t i) {
        double sum = 0;
        for (int c = 0; c < 3; ++c) {
            const double apart = static_cast<double>(grid.colors[3 * i + c] - near[c]);
            sum += apart * apart;
        }
        return std::sqrt(sum);
    };
    std::vector<double> inside;
    for (ptrdiff_t i = 0; i < grid.height * grid.width; ++i)
        if (part.set[i] != 0) inside.push_back(away(i));
    const double threshold = std::max(otsu(inside), least_distance);
    return cells_where(grid.height, grid.width,
                       [&](ptrdiff_t i) { return part.set[i] != 0 && away(i) > threshold; });
}

// Where `mine` is nearer than `theirs`: ways within the part's own rows and columns are all that
// can decide about it.
Cells nearer(const Grid& grid, const Cells& part, const Cells& mine, const Cells& theirs) {
    ptrdiff_t top = grid.height, bottom = 0, left = grid.width, right = 0;
    for (ptrdiff_t y = 0; y < grid.height; ++y)
        for (ptrdiff_t x = 0; x < grid.width; ++x) {
            if (!part.has({y, x})) continue;
            top = std::min(top, y);
            bottom = std::max(bottom, y + 1);
            left = std::min(left, x);
            right = std::max(right, x + 1);
        }
    top = std::max<ptrdiff_t>(0, top - margin);
    left = std::max<ptrdiff_t>(0, left - margin);
    bottom = std::min(grid.height, bottom + margin);
    right = std::min(grid.width, right + margin);
    const ptrdiff_t height = bottom - top, width = right - left;
    std::vector<float> across, down;
    std::vector<std::uint8_t> own, other;
    for (ptrdiff_t y = top; y < bottom; ++y)
        for (ptrdiff_t x = left; x < right; ++x) {
            own.push_back(mine.set[y * grid.width + x]);
            other.push_back(theirs.set[y * grid.width + x]);
            if (x + 1 < right) across.push_back(grid.across[y * (grid.width - 1) + x]);
            if (y + 1 < bottom) down.push_back(grid.down[y * grid.width + x]);
        }
    const auto one = geodesic(own, across, down, height, width, rounds);
    const auto another = geodesic(other, across, down, height, width, rounds);
    Cells made(grid.height, grid.width);
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x)
            made.at({top + y, left + x}) = one[y * width + x] < another[y * width + x] ? 1 : 0;
    return made;
}

std::vector<Cell> within(const std::vector<Cell>& cells, const Cells& part) {
    std::vector<Cell> found;
    for (const Cell cell : cells)
        if (part.has(cell)) found.push_back(cell);
    return found;
}

// Cells that points take from the side that `value` is high on: alpha for points that drop,
// 1 - alpha for points that keep. `border`: the side is the background, of which what touches the
// border is no part of its own.
Cells grown(const Grid& grid, const std::vector<float>& value, const std::vector<Cell>& cells,
            const std::vector<Cell>& against, bool border) {
    const ptrdiff_t height = grid.height, width = grid.width, all = height * width;
    const auto where = [&](auto&& holds) { return cells_where(height, width, holds); };
    Cells taken(height, width);
    const Cells held = where([&](ptrdiff_t i) { return value[i] > 0.5f; });
    const Cells shown = where([&](ptrdiff_t i) { return value[i] > faint_cell; });
    for (const Cell cell : cells) {
        if (taken.has(cell)) continue;
        const Cells around = discs(height, width, {cell}, disc);
        for (ptrdiff_t i = 0; i < all; ++i) taken.set[i] |= around.set[i];
        if (!shown.has(cell)) continue;  // it is what was asked for already
        const Cells part = reached(held.has(cell) ? held : shown, cell);
        const std::vector<Cell> rivals = within(against, part);
        const Cells apart = where([&](ptrdiff_t i) { return held.set[i] && !part.set[i]; });
        const auto size = static_cast<double>(part.count());
        const bool alone = border ? part.touches_border()
                                  : static_cast<double>(apart.count()) < others_share * size;
        Cells mine = part, theirs = apart;
        if (!rivals.empty() || alone || !held.has(cell)) {
            mine = discs(height, width, within(cells, part), disc);
            theirs = discs(height, width, rivals, disc);
            if (rivals.empty()) {
                const Cells other = unlike(grid, part, cell);
                if (static_cast<double>(other.count()) < unlike_share * size) {
                    const double radius =
                        alone_share * static_cast<double>(std::max(height, width));
                    const Cells near = discs(height, width, {cell}, radius);
                    for (ptrdiff_t i = 0; i < all; ++i) taken.set[i] |= near.set[i] & part.set[i];
                    continue;
                }
                theirs = where([&](ptrdiff_t i) {
                    const ptrdiff_t y = i / width, x = i % width;
                    const bool rim = y == 0 || x == 0 || y == height - 1 || x == width - 1;
                    return !mine.set[i] && (other.set[i] || (border && rim && held.set[i]));
                });
            }
        }
        const Cells close = nearer(grid, part, mine, theirs);
        Cells reachable = reached(
            where([&](ptrdiff_t i) { return (shown.set[i] && close.set[i]) || mine.set[i]; }),
            cell);
        // The soft edge goes with it, to the last faint cell. Highlights and the like that are
        // left of the part, as islands, are not what was meant.
        Cells left =
            where([&](ptrdiff_t i) { return held.set[i] && !reachable.set[i] && !taken.set[i]; });
        std::vector<std::uint8_t> islands(static_cast<std::size_t>(all));
        for (ptrdiff_t i = 0; i < all; ++i) islands[i] = left.set[i] && part.set[i] ? 255 : 0;
        ComponentOptions options;
        options.level = small_component_level;
        options.least_area =
            static_cast<std::int64_t>(island_share * static_cast<double>(reachable.count())) + 1;
        clean_components(packed_view(islands.data(), height, width, 1), options);
        const Cells barred = discs(height, width, rivals, disc);
        for (ptrdiff_t i = 0; i < all; ++i) {
            if (left.set[i] && part.set[i] && islands[i] == 0 && !barred.set[i])
                reachable.set[i] = 1;
            if (reachable.set[i]) left.set[i] = 0;
        }
        const Cells wide = widened(reachable, 3), stays = widened(left, 2);
        for (ptrdiff_t i = 0; i < all; ++i)
            if (reachable.set[i] || (wide.set[i] && !held.set[i] && !stays.set[i]))
                taken.set[i] = 1;
    }
    return taken;
}

}  // namespace

Taken regions_of_points(const std::vector<float>& colors, const std::vector<float>& alpha,
                        const std::vector<Cell>& keep, const std::vector<Cell>& drop,
                        ptrdiff_t height, ptrdiff_t width) {
    Grid grid{colors, height, width, {}, {}};
    const auto length = [&](ptrdiff_t i, ptrdiff_t next) {
        float most = std::fabs(alpha[next] * alpha_height - alpha[i] * alpha_height);
        for (int c = 0; c < 3; ++c)
            most = std::max(most, std::fabs(colors[3 * next + c] - colors[3 * i + c]));
        return step + std::max(most - shading, 0.0f);
    };
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            const ptrdiff_t i = y * width + x;
            if (x + 1 < width) grid.across.push_back(length(i, i + 1));
            if (y + 1 < height) grid.down.push_back(length(i, i + width));
        }
    std::vector<float> background(alpha.size());
    for (std::size_t i = 0; i < alpha.size(); ++i) background[i] = 1.0f - alpha[i];
    Taken taken{grown(grid, background, keep, drop, true), grown(grid, alpha, drop, keep, false)};
    const Cells keep_discs = discs(height, width, keep, disc);
    for (ptrdiff_t i = 0; i < height * width; ++i) {
        if (taken.dropped.set[i] && !keep_discs.set[i]) taken.kept.set[i] = 0;
        if (keep_discs.set[i]) taken.dropped.set[i] = 0;
    }
    return taken;
}

}  // namespace nssbg
