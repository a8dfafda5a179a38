// The refinement's drivers: what they refuse, what they keep constant, streaming,
// and the matting solver against a residual computed by its own definition.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "nssbg/cleanup.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/refine.hpp"
#include "refine/matting.hpp"

using namespace nssbg;

namespace {

constexpr std::ptrdiff_t height = 300, width = 211, map_height = 30, map_width = 21;

struct Scene {
    std::vector<std::uint8_t> image, coarse;
    Scene() : image(height * width * 3), coarse(map_height * map_width) {
        std::uint32_t state = 7;
        for (std::ptrdiff_t i = 0; i < height * width; ++i) {
            state = state * 1664525u + 1013904223u;
            const bool inside = i % width > 60 && i % width < 150;
            for (int c = 0; c < 3; ++c)
                image[3 * i + c] = static_cast<std::uint8_t>((inside ? 160 : 70) + 20 * c +
                                                             (state >> (24 + c)) % 24);
        }
        for (std::ptrdiff_t i = 0; i < map_height * map_width; ++i)
            coarse[i] = i % map_width > 6 && i % map_width < 15     ? 255
                        : i % map_width == 6 || i % map_width == 15 ? 140
                                                                    : 0;
    }
    ImageView<const std::uint8_t> view() const {
        return packed_view(image.data(), height, width, 3);
    }
    ImageView<const std::uint8_t> map() const {
        return packed_view(coarse.data(), map_height, map_width, 1);
    }
};

std::vector<std::uint8_t> refined(const Scene& scene, const RefineOptions& options,
                                  RefineReport* report = nullptr) {
    std::vector<std::uint8_t> alpha(height * width, 77);
    refine<std::uint8_t, std::uint8_t>(scene.view(), scene.map(), {},
                                       packed_view(alpha.data(), height, width, 1), options,
                                       report);
    return alpha;
}

}  // namespace

TEST(refine_gives_the_same_bytes_at_every_level_tile_and_thread_count) {
    const Scene scene;
    for (const RefineLevel level :
         {RefineLevel::none, RefineLevel::guided, RefineLevel::matting, RefineLevel::automatic}) {
        RefineOptions options;
        options.level = level;
        options.tile = 10000;
        set_isa("v1");
        const auto expected = refined(scene, options);
        for (const Isa isa : available_isa_levels()) {
            set_isa(isa_name(isa));
            for (const std::ptrdiff_t tile : {33, 128}) {
                options.tile = tile;
                options.threads = tile == 33 ? 3 : 1;
                CHECK(refined(scene, options) == expected);
            }
        }
        set_isa("auto");
    }
}

TEST(refine_computes_only_tiles_on_the_band) {
    const Scene scene;
    RefineOptions options;
    options.tile = 16;
    RefineReport report;
    const auto alpha = refined(scene, options, &report);
    CHECK(report.tiles == 19 * 14);
    CHECK(report.tiles_computed > 0 && report.tiles_computed < report.tiles);
    CHECK(report.band_pixels > 0 && report.band_pixels < height * width);
    CHECK(alpha[0] == 0 && alpha[150 * width + 105] == 255);
}

TEST(refine_refuses_views_that_do_not_fit) {
    const Scene scene;
    std::vector<std::uint8_t> alpha(height * width);
    const auto out = packed_view(alpha.data(), height, width, 1);
    const auto narrow = packed_view(alpha.data(), height, width - 1, 1);
    const auto run = [&](const ImageView<std::uint8_t>& result, const RefineOptions& options,
                         const ImageView<const std::uint8_t>& map) {
        refine<std::uint8_t, std::uint8_t>(scene.view(), map, {}, result, options, nullptr);
    };
    RefineOptions options;
    CHECK_THROWS(run(narrow, options, scene.map()), std::invalid_argument);
    CHECK_THROWS(run(out, options, {}), std::invalid_argument);
    options.tile = 0;
    CHECK_THROWS(run(out, options, scene.map()), std::invalid_argument);
    options.tile = 64;
    options.threads = 0;
    CHECK_THROWS(run(out, options, scene.map()), std::invalid_argument);
}

TEST(refine_stream_gives_the_rows_of_the_whole) {
    const Scene scene;
    for (const RefineLevel level : {RefineLevel::none, RefineLevel::guided, RefineLevel::matting}) {
        RefineOptions options;
        options.level = level;
        const auto expected = refined(scene, options);
        RefineStream<std::uint8_t, std::uint8_t> stream(height, width, scene.map(), options);
        std::vector<std::uint8_t> rows;
        for (std::ptrdiff_t y = 0; y < height; y += 47) {
            const std::ptrdiff_t count = y + 47 > height ? height - y : 47;
            stream.push(packed_view(scene.image.data() + y * width * 3, count, width, 3));
            const std::size_t before = rows.size();
            const std::ptrdiff_t ready = stream.ready();
            rows.resize(before + static_cast<std::size_t>(ready * width));
            stream.take(packed_view(rows.data() + before, ready, width, 1));
        }
        CHECK(rows == expected);
        CHECK_THROWS(stream.push(scene.view()), std::invalid_argument);
    }
}

TEST(matting_solver_meets_its_residual_and_keeps_what_is_given) {
    refine_detail::MattingGrid grid;
    grid.reset(40, 50);
    for (std::ptrdiff_t y = 0; y < 40; ++y)
        for (std::ptrdiff_t x = 0; x < 50; ++x) {
            // Two colours mixed by a soft edge: its alpha is an exact solution.
            const float truth = x < 20 ? 0.0f : x > 30 ? 1.0f : static_cast<float>(x - 20) / 10.0f;
            grid.colour(0, y)[x] = 0.4f * truth - 0.2f;
            grid.colour(1, y)[x] = -0.3f * truth + 0.1f;
            grid.colour(2, y)[x] = 0.1f * truth;
            const bool open = x > 15 && x < 35;
            grid.unknown(y)[x] = open ? 1.0f : 0.0f;
            grid.alpha(y)[x] = open ? 0.5f : truth;
        }
    const auto result = grid.solve({1e-7f, 1e-6f, 0.0f, 1e-5, 2000});
    CHECK(result.solved);
    CHECK(result.residual <= 1e-5);
    CHECK(result.unknown == 40 * 19);
    float worst = 0;
    for (std::ptrdiff_t x = 0; x < 50; ++x) {
        const float truth = x < 20 ? 0.0f : x > 30 ? 1.0f : static_cast<float>(x - 20) / 10.0f;
        worst = std::max(worst, std::abs(grid.alpha(20)[x] - truth));
    }
    CHECK(worst < 0.02f);
}

TEST(matting_solver_says_when_it_did_not_converge) {
    refine_detail::MattingGrid grid;
    grid.reset(64, 64);
    std::uint32_t state = 1;
    for (std::ptrdiff_t y = 0; y < 64; ++y)
        for (std::ptrdiff_t x = 0; x < 64; ++x) {
            for (int c = 0; c < 3; ++c) {
                state = state * 1664525u + 1013904223u;
                grid.colour(c, y)[x] = static_cast<float>(state >> 24) / 255.0f - 0.5f;
            }
            const bool open = x > 4 && x < 60;
            grid.unknown(y)[x] = open ? 1.0f : 0.0f;
            grid.alpha(y)[x] = x >= 60 ? 1.0f : 0.0f;
        }
    const auto result = grid.solve({1e-7f, 1e-6f, 0.0f, 1e-6, 2});
    CHECK(!result.solved);
    CHECK(result.iterations == 2);
    CHECK(result.residual > 1e-6);
}

TEST(too_fragmented_an_alpha_is_left_as_it_was) {
    std::vector<std::uint8_t> alpha(64 * 64);
    for (std::size_t i = 0; i < alpha.size(); ++i) alpha[i] = i % 2 == 0 ? 255 : 0;
    const auto before = alpha;
    ComponentOptions options;
    options.least_area = 100000;
    options.most_runs = 100;
    const auto report = clean_components(packed_view(alpha.data(), 64, 64, 1), options);
    CHECK(report.gave_up);
    CHECK(alpha == before);
}

template <class T>
void check_faint_blobs(T full) {
    constexpr std::ptrdiff_t width = 40, height = 12;
    std::vector<T> alpha(width * height);
    const auto bar = [&](std::ptrdiff_t y, std::ptrdiff_t x0, std::ptrdiff_t x1, double value) {
        for (std::ptrdiff_t x = x0; x < x1; ++x)
            alpha[y * width + x] = static_cast<T>(value * static_cast<double>(full));
    };
    bar(1, 2, 32, 1.0);  // the largest: 30
    bar(4, 2, 4, 0.8);   // one blob of 12, two towers on a base: 0.47 on average
    bar(4, 8, 10, 0.8);
    bar(5, 2, 10, 0.3);
    bar(7, 2, 6, 1.0);    // small and solid
    bar(9, 2, 22, 0.5);   // faint and large: 20
    bar(11, 2, 10, 0.7);  // small, and not that faint
    const auto cleaned = [&](double of_largest, double faint, std::int64_t expected) {
        auto copy = alpha;
        ComponentOptions options;
        options.level = 0.1;
        options.of_largest = of_largest;
        options.faint = faint;
        const auto report = clean_components(packed_view(copy.data(), height, width, 1), options);
        CHECK(report.components == 5);
        CHECK(report.changed == expected);
        return copy;
    };
    auto expected = alpha;
    CHECK(cleaned(0.5, 0.45, 0) == expected);
    std::fill(expected.begin() + 4 * width, expected.begin() + 6 * width, T{0});
    CHECK(cleaned(0.5, 0.65, 1) == expected);
    std::fill(expected.begin() + 9 * width, expected.begin() + 10 * width, T{0});
    CHECK(cleaned(0.7, 0.65, 2) == expected);
    std::fill(expected.begin() + 3 * width, expected.end(), T{0});
    CHECK(cleaned(0.7, 0.0, 4) == expected);  // how faint is not asked
}

TEST(faint_blobs_beside_a_larger_one_go) {
    check_faint_blobs<float>(1.0f);
    check_faint_blobs<std::uint8_t>(255);
}

TEST(a_stream_keeps_nothing_that_its_caller_may_free) {
    const Scene scene;
    RefineOptions options;
    for (const RefineLevel level :
         {RefineLevel::none, RefineLevel::guided, RefineLevel::matting, RefineLevel::automatic}) {
        options.level = level;
        std::vector<std::uint8_t> whole(height * width);
        refine<std::uint8_t, std::uint8_t>(scene.view(), scene.map(), {},
                                           packed_view(whole.data(), height, width, 1), options,
                                           nullptr);
        // Freed, and overwritten first, as soon as the call that it was for is over.
        auto map = std::make_unique<std::vector<std::uint8_t>>(scene.coarse);
        RefineStream<std::uint8_t, std::uint8_t> stream(
            height, width, packed_view<const std::uint8_t>(map->data(), map_height, map_width, 1),
            options);
        std::fill(map->begin(), map->end(), std::uint8_t{99});
        map.reset();
        std::vector<std::uint8_t> alpha;
        for (std::ptrdiff_t y = 0; y < height; y += 50) {
            auto rows = std::make_unique<std::vector<std::uint8_t>>(
                scene.image.begin() + y * width * 3, scene.image.begin() + (y + 50) * width * 3);
            stream.push(packed_view<const std::uint8_t>(rows->data(), 50, width, 3));
            std::fill(rows->begin(), rows->end(), std::uint8_t{99});
            rows.reset();
            std::vector<std::uint8_t> part(stream.ready() * width);
            stream.take(packed_view(part.data(), stream.ready(), width, 1));
            alpha.insert(alpha.end(), part.begin(), part.end());
        }
        CHECK(alpha == whole);
    }
}

TEST(cleanup_refuses_options_outside_their_range) {
    std::vector<std::uint8_t> alpha(16, 200), out(16);
    const auto view = packed_view(alpha.data(), 4, 4, 1);
    for (const double wrong : {-0.1, 1.1, std::nan("")}) {
        for (double ComponentOptions::* field :
             {&ComponentOptions::level, &ComponentOptions::deepest, &ComponentOptions::of_largest,
              &ComponentOptions::faint}) {
            ComponentOptions options;
            options.*field = wrong;
            CHECK_THROWS(clean_components(view, options), std::invalid_argument);
        }
    }
    const auto from = packed_view<const std::uint8_t>(alpha.data(), 4, 4, 1);
    const auto to = packed_view(out.data(), 4, 4, 1);
    for (const double sigma : {0.0, -1.0, 65.0, std::nan("")})
        CHECK_THROWS(feather(from, sigma, 1, to), std::invalid_argument);
    for (const int threads : {0, -1})
        CHECK_THROWS(feather(from, 2.0, threads, to), std::invalid_argument);
}
