// Where a network is to look again: crops around the subjects, tiles along their outlines.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <tuple>

#include "nssbg/cleanup.hpp"
#include "nssbg/post_process.hpp"
#include "segment/second_pass.hpp"

namespace nssbg::second_pass {
namespace {

ptrdiff_t rounded(double value) { return static_cast<ptrdiff_t>(std::nearbyint(value)); }
ptrdiff_t lower(double value) { return static_cast<ptrdiff_t>(std::floor(value)); }
ptrdiff_t upper(double value) { return static_cast<ptrdiff_t>(std::ceil(value)); }
double ratio(ptrdiff_t one, ptrdiff_t other) {
    return static_cast<double>(one) / static_cast<double>(other);
}

using Stretch = std::pair<ptrdiff_t, ptrdiff_t>;  // half open

// Where anything is set, told apart where more than `gap` lies between.
std::vector<Stretch> stretches(const std::vector<std::uint8_t>& any, ptrdiff_t gap) {
    std::vector<Stretch> found;
    for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(any.size()); ++i) {
        if (any[i] == 0) continue;
        if (!found.empty() && i - (found.back().second - 1) <= gap)
            found.back().second = i + 1;
        else
            found.push_back({i, i + 1});
    }
    return found;
}

// Tight boxes of what wide empty rows and columns leave apart.
std::vector<Box> separate(const ConstView& map) {
    const ptrdiff_t gap = std::max<ptrdiff_t>(
        2, upper(least_gap * static_cast<double>(std::max(map.height, map.width))));
    std::vector<Box> found, waiting = {{0, 0, map.height, map.width}};
    while (!waiting.empty()) {
        const Box box = waiting.back();
        waiting.pop_back();
        std::vector<std::uint8_t> in_row(static_cast<std::size_t>(rows_of(box)), 0);
        std::vector<std::uint8_t> in_column(static_cast<std::size_t>(columns_of(box)), 0);
        for (ptrdiff_t y = box.top; y < box.bottom; ++y)
            for (ptrdiff_t x = box.left; x < box.right; ++x)
                if (map.at(y, x) > crop_subject) in_row[y - box.top] = in_column[x - box.left] = 1;
        const auto rows = stretches(in_row, gap), columns = stretches(in_column, gap);
        const bool whole = rows.size() == 1 && columns.size() == 1 &&
                           rows[0] == Stretch{0, rows_of(box)} &&
                           columns[0] == Stretch{0, columns_of(box)};
        if (whole) {
            found.push_back(box);
            continue;
        }
        for (const auto& [top, bottom] : rows)
            for (const auto& [left, right] : columns)
                waiting.push_back(
                    {box.top + top, box.left + left, box.top + bottom, box.left + right});
    }
    return found;
}

template <class Counts>
ptrdiff_t count_in(const ConstView& map, const Box& box, Counts&& counts) {
    ptrdiff_t count = 0;
    for (ptrdiff_t y = std::max<ptrdiff_t>(0, box.top); y < std::min(map.height, box.bottom); ++y)
        for (ptrdiff_t x = std::max<ptrdiff_t>(0, box.left); x < std::min(map.width, box.right);
             ++x)
            count += counts(map.at(y, x)) ? 1 : 0;
    return count;
}

bool overlap(const Box& a, const Box& b) {
    return a.top < b.bottom && b.top < a.bottom && a.left < b.right && b.left < a.right;
}

// Boxes that overlap, as one, until none do.
std::vector<Box> merged(const std::vector<Box>& boxes) {
    std::vector<Box> apart;
    for (Box box : boxes) {
        for (;;) {
            const auto touched = std::find_if(apart.begin(), apart.end(),
                                              [&](const Box& one) { return overlap(one, box); });
            if (touched == apart.end()) break;
            box = hull(box, *touched);
            apart.erase(touched);
        }
        apart.push_back(box);
    }
    return apart;
}

// First pixels of tiles of `side` that cover [begin, end), evenly overlapped.
std::vector<ptrdiff_t> starts(ptrdiff_t begin, ptrdiff_t end, ptrdiff_t side) {
    const ptrdiff_t length = end - begin;
    if (length <= side) return {begin};
    const ptrdiff_t count = upper(static_cast<double>(length - side) /
                                  (static_cast<double>(side) * (1 - tile_overlap))) +
                            1;
    std::vector<ptrdiff_t> found;
    for (ptrdiff_t i = 0; i < count; ++i)
        found.push_back(begin + rounded(ratio(i * (length - side), count - 1)));
    return found;
}

// Low and high in pixels, grown to whole cells.
Stretch grown(ptrdiff_t low, ptrdiff_t high, ptrdiff_t cells, ptrdiff_t pixels) {
    const double scale = ratio(pixels, cells);
    const double first = std::floor(static_cast<double>(low) / scale);
    const double last = std::ceil(static_cast<double>(high) / scale);
    return {rounded(first * scale), std::min(pixels, rounded(last * scale))};
}

}  // namespace

Box cells_of(const Box& area, ptrdiff_t rows, ptrdiff_t columns, const Size& picture) {
    const double scale_y = ratio(rows, picture.height), scale_x = ratio(columns, picture.width);
    const auto at = [](ptrdiff_t pixel, double scale) {
        return rounded(static_cast<double>(pixel) * scale);
    };
    // At least one cell, also of a map with fewer cells than the picture has such parts.
    const auto least_one = [](ptrdiff_t begin, ptrdiff_t end, ptrdiff_t count) -> Stretch {
        const ptrdiff_t last = std::min(count, std::max<ptrdiff_t>(1, end));
        return {std::min(begin, last - 1), last};
    };
    const auto [top, bottom] = least_one(at(area.top, scale_y), at(area.bottom, scale_y), rows);
    const auto [left, right] = least_one(at(area.left, scale_x), at(area.right, scale_x), columns);
    return {top, left, bottom, right};
}

std::pair<std::vector<Box>, bool> plan_crops(const ConstView& coarse, const Size& picture) {
    Map clean(coarse.height, coarse.width);
    for (ptrdiff_t y = 0; y < coarse.height; ++y)
        for (ptrdiff_t x = 0; x < coarse.width; ++x)
            clean.cells[y * coarse.width + x] = coarse.at(y, x);
    ComponentOptions noise;
    noise.level = static_cast<double>(crop_subject);
    noise.least_area =
        std::max<std::int64_t>(2, rounded(least_subject * static_cast<double>(clean.cells.size())));
    clean_components(clean.view(), noise);
    ComponentOptions faint;
    faint.level = component_level;
    faint.of_largest = of_largest;
    faint.faint = faint_mean;
    clean_components(clean.view(), faint);

    const ConstView map = std::as_const(clean).view();
    const auto sized = [](const Box& box, ptrdiff_t cells) {
        return std::make_tuple(-cells, box.top, box.bottom, box.left, box.right);
    };
    std::vector<decltype(sized({}, 0))> boxes;
    for (const Box& box : separate(map))
        boxes.push_back(
            sized(box, count_in(map, box, [](float alpha) { return alpha > crop_subject; })));
    std::sort(boxes.begin(), boxes.end());
    const double scale_y = ratio(picture.height, coarse.height);
    const double scale_x = ratio(picture.width, coarse.width);
    std::vector<Box> found;
    for (std::size_t i = 0; i < std::min(boxes.size(), most_subjects); ++i) {
        const auto& [cells, y0, y1, x0, x1] = boxes[i];
        const double top = static_cast<double>(y0) * scale_y;
        const double bottom = static_cast<double>(y1) * scale_y;
        const double left = static_cast<double>(x0) * scale_x;
        const double right = static_cast<double>(x1) * scale_x;
        const double margin = crop_margin * std::max(bottom - top, right - left);
        found.push_back({std::max<ptrdiff_t>(0, lower(top - margin)),
                         std::max<ptrdiff_t>(0, lower(left - margin)),
                         std::min(picture.height, upper(bottom + margin)),
                         std::min(picture.width, upper(right + margin))});
    }
    const std::vector<Box> apart = merged(found);
    const ptrdiff_t longest = std::max(picture.height, picture.width);
    std::vector<Box> crops;
    for (const Box& box : apart)
        if (ratio(longest, std::max(rows_of(box), columns_of(box))) >= least_gain)
            crops.push_back(box);
    std::stable_sort(crops.begin(), crops.end(), [](const Box& a, const Box& b) {
        return std::make_tuple(-rows_of(a) * columns_of(a), a.top, a.left) <
               std::make_tuple(-rows_of(b) * columns_of(b), b.top, b.left);
    });
    const bool complete =
        !crops.empty() && crops.size() == apart.size() && boxes.size() <= most_subjects;
    return {crops, complete};
}

std::vector<Box> plan_tiles(const ConstView& coarse, const Size& picture, ptrdiff_t side,
                            const Box& scope) {
    const double scale_y = ratio(coarse.height, picture.height);
    const double scale_x = ratio(coarse.width, picture.width);
    std::vector<std::tuple<ptrdiff_t, ptrdiff_t, ptrdiff_t, Box>> found;
    for (const ptrdiff_t y : starts(scope.top, scope.bottom, side))
        for (const ptrdiff_t x : starts(scope.left, scope.right, side)) {
            const Box tile = {y, x, std::min(y + side, scope.bottom),
                              std::min(x + side, scope.right)};
            const Box cells = {lower(static_cast<double>(tile.top) * scale_y),
                               lower(static_cast<double>(tile.left) * scale_x),
                               upper(static_cast<double>(tile.bottom) * scale_y),
                               upper(static_cast<double>(tile.right) * scale_x)};
            const ptrdiff_t doubtful = count_in(
                coarse, cells, [](float alpha) { return alpha > sure_low && alpha < sure_high; });
            if (doubtful > 0) found.emplace_back(-doubtful, tile.top, tile.left, tile);
        }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a)) <
               std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b));
    });
    std::vector<Box> tiles;
    for (const auto& entry : found) tiles.push_back(std::get<3>(entry));
    return tiles;
}

Box snapped(const Box& area, ptrdiff_t rows, ptrdiff_t columns, const Size& picture) {
    const auto [top, bottom] = grown(area.top, area.bottom, rows, picture.height);
    const auto [left, right] = grown(area.left, area.right, columns, picture.width);
    return {top, left, bottom, right};
}

}  // namespace nssbg::second_pass
