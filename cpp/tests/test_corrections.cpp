// What a person says about a picture: painting, the box's part, ways through a grid, moved edges.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "nssbg/corrections.hpp"
#include "nssbg/edge.hpp"

using namespace nssbg;

namespace {

std::uint32_t state = 7;
float noise(float least, float most) {
    state = state * 1664525u + 1013904223u;
    return least + (most - least) * static_cast<float>(state >> 8) / 16777216.0f;
}

}  // namespace

TEST(geodesic_lengths_are_those_of_relaxing_every_step) {
    constexpr std::ptrdiff_t height = 23, width = 31;
    std::vector<float> across(height * (width - 1)), down((height - 1) * width);
    for (float& step : across) step = noise(0.1f, 9.0f);
    for (float& step : down) step = noise(0.1f, 9.0f);
    std::vector<std::uint8_t> seeds(height * width);
    seeds[4 * width + 5] = seeds[20 * width + 2] = 1;
    std::vector<double> best(seeds.size(), 1e9);
    for (std::size_t i = 0; i < seeds.size(); ++i)
        if (seeds[i] != 0) best[i] = 0;
    for (bool shorter = true; shorter;) {
        shorter = false;
        const auto relax = [&](std::ptrdiff_t i, std::ptrdiff_t j, float step) {
            for (const auto [from, to] : {std::pair{i, j}, std::pair{j, i}})
                if (best[from] + static_cast<double>(step) < best[to]) {
                    best[to] = best[from] + static_cast<double>(step);
                    shorter = true;
                }
        };
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                if (x + 1 < width)
                    relax(y * width + x, y * width + x + 1, across[y * (width - 1) + x]);
                if (y + 1 < height) relax(y * width + x, (y + 1) * width + x, down[y * width + x]);
            }
    }
    const auto found = geodesic(seeds, across, down, height, width, 200);
    for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(std::fabs(static_cast<double>(found[i]) - best[i]) < 1.0);
        CHECK((found[i] == 0) == (seeds[i] != 0));
    }
}

TEST(a_stroke_paints_the_pixels_whose_middles_are_near) {
    constexpr std::ptrdiff_t height = 60, width = 80;
    std::vector<std::uint8_t> mask(height * width);
    const Point a{12.3, 40.7}, b{61.8, 11.2};
    const double radius = 6.4;
    paint({{true, radius, {a, b}}}, {0, 0}, 1, 1, packed_view(mask.data(), height, width, 1));
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const double px = static_cast<double>(x) + 0.5, py = static_cast<double>(y) + 0.5;
            const double dx = b.x - a.x, dy = b.y - a.y;
            const double along = std::min(
                1.0, std::max(0.0, ((px - a.x) * dx + (py - a.y) * dy) / (dx * dx + dy * dy)));
            const double away = std::hypot(px - a.x - along * dx, py - a.y - along * dy);
            if (std::fabs(away - radius) > 1e-9)
                CHECK(mask[y * width + x] == (away < radius ? 255 : 128));
        }
    // However small, a touch shows; far outside nothing does.
    paint({{false, 0.01, {{7.99, 3.01}}}, {true, 9, {{8e8, -9e8}, {-1e8, -9e8}}}}, {0, 0}, 1, 1,
          packed_view(mask.data(), height, width, 1));
    CHECK(std::count(mask.begin(), mask.end(), 0) == 1 && mask[3 * width + 7] == 0);
    CHECK_THROWS(
        paint({{true, NAN, {a}}}, {0, 0}, 1, 1, packed_view(mask.data(), height, width, 1)),
        std::invalid_argument);
    CHECK_THROWS(
        paint({{true, 1, {{1e300, 3}}}}, {0, 0}, 1, 1, packed_view(mask.data(), height, width, 1)),
        std::invalid_argument);
    CHECK_THROWS(paint({{true, 1, {}}}, {0, 0}, 1, 1, packed_view(mask.data(), height, width, 1)),
                 std::invalid_argument);
}

TEST(the_part_of_a_box_holds_the_box) {
    const double boxes[][4] = {{10, 20, 50, 90},
                               {-1e300, -5, 30, 1e300},
                               {99.6, 79.7, 300, 300},
                               {10.6, 10.6, 10.7, 10.7},
                               {0, 0, 0.2, 0.2}};
    for (const auto& box : boxes) {
        const Region found = region_of_box(box[0], box[1], box[2], box[3], 80, 100);
        const Box part = found.part, inner = found.inner;
        CHECK(part.top >= 0 && part.left >= 0 && part.bottom <= 80 && part.right <= 100);
        CHECK(inner.top >= 0 && inner.top < inner.bottom && inner.bottom <= part.bottom - part.top);
        CHECK(inner.left >= 0 && inner.left < inner.right && inner.right <= part.right - part.left);
    }
    CHECK_THROWS(region_of_box(5, 5, 5, 9, 80, 100), std::invalid_argument);
    CHECK_THROWS(region_of_box(100, 5, 120, 9, 80, 100), std::invalid_argument);
    CHECK_THROWS(region_of_box(NAN, 5, 120, 9, 80, 100), std::invalid_argument);
}

TEST(an_edge_moves_by_the_disc_whatever_the_tiles) {
    // Across the border of two tiles, held to every pixel's own disc.
    constexpr std::ptrdiff_t height = 150, width = 140;
    std::vector<std::uint8_t> alpha(height * width, 0), out(alpha.size());
    for (std::ptrdiff_t y = 100; y < 140; ++y)
        for (std::ptrdiff_t x = 110; x < 135; ++x)
            alpha[y * width + x] = static_cast<std::uint8_t>(noise(0, 255));
    for (const double pixels : {3.0, -5.0}) {
        for (const int threads : {1, 3})
            choke(packed_view(static_cast<const std::uint8_t*>(alpha.data()), height, width, 1),
                  pixels, threads, packed_view(out.data(), height, width, 1));
        const auto radius = static_cast<std::ptrdiff_t>(std::fabs(pixels));
        const double reach = (std::fabs(pixels) + 0.5) * (std::fabs(pixels) + 0.5);
        std::ptrdiff_t wrong = 0;
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                int wanted = alpha[y * width + x];
                for (std::ptrdiff_t dy = -radius; dy <= radius; ++dy)
                    for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx) {
                        if (static_cast<double>(dy * dy + dx * dx) > reach) continue;
                        const auto j = std::min(height - 1, std::max<std::ptrdiff_t>(0, y + dy));
                        const auto i = std::min(width - 1, std::max<std::ptrdiff_t>(0, x + dx));
                        const int value = alpha[j * width + i];
                        wanted = pixels > 0 ? std::min(wanted, value) : std::max(wanted, value);
                    }
                wrong += out[y * width + x] != wanted;
            }
        CHECK(wrong == 0);
    }
    CHECK_THROWS(
        choke(packed_view(static_cast<const std::uint8_t*>(alpha.data()), height, width, 1), 64.5,
              1, packed_view(out.data(), height, width, 1)),
        std::invalid_argument);
}
