// The second pass blended into the map of the whole picture, without seams. A crop replaces what it
// covers; tiles only add the detail along the outline that the map cannot show.
#include <algorithm>
#include <cmath>

#include "nssbg/cleanup.hpp"
#include "refine/internal.hpp"
#include "segment/second_pass.hpp"

namespace nssbg::second_pass {
namespace {

Map copy_of(const ConstView& map) {
    Map copy(map.height, map.width);
    for (ptrdiff_t y = 0; y < map.height; ++y)
        for (ptrdiff_t x = 0; x < map.width; ++x) copy.cells[y * map.width + x] = map.at(y, x);
    return copy;
}

// Means of two by two cells; an odd row or column at the end is left out.
Map halved(const ConstView& map) {
    Map half(map.height / 2, map.width / 2);
    for (ptrdiff_t y = 0; y < half.height; ++y)
        for (ptrdiff_t x = 0; x < half.width; ++x)
            half.cells[y * half.width + x] =
                ((map.at(2 * y, 2 * x) + map.at(2 * y, 2 * x + 1)) +
                 (map.at(2 * y + 1, 2 * x) + map.at(2 * y + 1, 2 * x + 1))) /
                4.0f;
    return half;
}

Map feathered(const ConstView& map, double sigma) {
    Map out(map.height, map.width);
    feather<float>(map, sigma, 1, out.view());
    return out;
}

// Mean difference on the cells that were sure; 0 where there are none.
double disagreement(const Map& fine, const ConstView& here) {
    double sum = 0;
    ptrdiff_t count = 0;
    for (ptrdiff_t y = 0; y < here.height; ++y)
        for (ptrdiff_t x = 0; x < here.width; ++x) {
            const float before = here.at(y, x);
            if (before > sure_low && before < sure_high) continue;
            sum += static_cast<double>(std::fabs(fine.cells[y * here.width + x] - before));
            ++count;
        }
    return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

// 1 inside, linear to 0 over half of the overlap at ends that are not the picture's.
std::vector<float> fading(ptrdiff_t count, bool fade_begin, bool fade_end) {
    const auto reach =
        static_cast<float>(std::max(1.0, static_cast<double>(count) * tile_overlap / 2));
    std::vector<float> window(static_cast<std::size_t>(count), 1.0f);
    for (ptrdiff_t i = 0; i < count; ++i) {
        const float place = static_cast<float>(i) + 0.5f;
        if (fade_begin) window[i] = std::min(window[i], place / reach);
        if (fade_end) window[i] = std::min(window[i], (static_cast<float>(count) - place) / reach);
    }
    return window;
}

struct Window {
    std::vector<float> down, across;

    Window(const Box& area, ptrdiff_t rows, ptrdiff_t columns, const Size& picture)
        : down(fading(rows, area.top > 0, area.bottom < picture.height)),
          across(fading(columns, area.left > 0, area.right < picture.width)) {}

    float at(ptrdiff_t y, ptrdiff_t x) const { return std::min(down[y], across[x]); }
};

}  // namespace

Map resized(const ConstView& alpha, ptrdiff_t height, ptrdiff_t width) {
    ConstView from = alpha;
    Map smaller;
    while (from.height >= 2 * height && from.width >= 2 * width) {
        smaller = halved(from);
        from = std::as_const(smaller).view();
    }
    if (from.height == height && from.width == width) return copy_of(from);
    Map larger(height, width);
    refine_detail::upsample_cubic<float>(from, 0, height, larger.view(), 1);
    return larger;
}

Map outline_weight(const ConstView& alpha) {
    Map inside(alpha.height, alpha.width);
    for (ptrdiff_t y = 0; y < alpha.height; ++y)
        for (ptrdiff_t x = 0; x < alpha.width; ++x)
            inside.cells[y * alpha.width + x] = alpha.at(y, x) >= 0.5f ? 1.0f : 0.0f;
    Map near = feathered(std::as_const(inside).view(), outline_band);
    for (float& value : near.cells) value = std::min(value * (1.0f - value) * outline_gain, 1.0f);
    return near;
}

bool blend_crop(const View& canvas, const Box& area, const ConstView& answer, const Size& picture) {
    const View here = part_of(canvas, cells_of(area, canvas.height, canvas.width, picture));
    const ConstView before = {here.data,     here.height,   here.width, 1,
                              here.stride_y, here.stride_x, 1};
    const Map fine = resized(answer, here.height, here.width);
    if (disagreement(fine, before) > most_crop_disagreement) return false;
    const Window window(area, here.height, here.width, picture);
    for (ptrdiff_t y = 0; y < here.height; ++y)
        for (ptrdiff_t x = 0; x < here.width; ++x) {
            float& cell = here.at(y, x);
            cell += (fine.cells[y * here.width + x] - cell) * window.at(y, x);
        }
    return true;
}

int blend_tiles(const View& canvas, const Box& scope,
                const std::vector<std::pair<Box, Map>>& answers, const Size& picture) {
    const Box place = cells_of(scope, canvas.height, canvas.width, picture);
    const View part = part_of(canvas, place);
    Map change(part.height, part.width), weights(part.height, part.width);
    int used = 0;
    for (const auto& [area, answer] : answers) {
        const Box cells = cells_of(area, canvas.height, canvas.width, picture);
        const View view = part_of(canvas, cells);
        const Map here =
            copy_of({view.data, view.height, view.width, 1, view.stride_y, view.stride_x, 1});
        const Map fine = resized(answer.view(), here.height, here.width);
        if (disagreement(fine, here.view()) > most_tile_disagreement) continue;
        used += 1;
        const Window window(area, here.height, here.width, picture);
        const Map fine_coarse = feathered(fine.view(), detail);
        const Map here_coarse = feathered(here.view(), detail);
        // A tile is cut from the scope, but grown to whole cells it may begin before it.
        const ptrdiff_t down = cells.top - place.top, across = cells.left - place.left;
        for (ptrdiff_t y = std::max<ptrdiff_t>(0, -down);
             y < std::min(here.height, part.height - down); ++y)
            for (ptrdiff_t x = std::max<ptrdiff_t>(0, -across);
                 x < std::min(here.width, part.width - across); ++x) {
                const std::size_t from = y * here.width + x;
                const std::size_t to = (y + down) * part.width + x + across;
                const float gained = fine.cells[from] - fine_coarse.cells[from] - here.cells[from] +
                                     here_coarse.cells[from];
                change.cells[to] += gained * window.at(y, x);
                weights.cells[to] += window.at(y, x);
            }
    }
    const Map band =
        outline_weight({part.data, part.height, part.width, 1, part.stride_y, part.stride_x, 1});
    // Where the windows add up to less than one, the map keeps the rest.
    for (ptrdiff_t y = 0; y < part.height; ++y)
        for (ptrdiff_t x = 0; x < part.width; ++x) {
            const std::size_t i = y * part.width + x;
            const float share = change.cells[i] / std::max(weights.cells[i], 1.0f) * band.cells[i];
            part.at(y, x) = std::min(std::max(part.at(y, x) + share, 0.0f), 1.0f);
        }
    return used;
}

}  // namespace nssbg::second_pass
