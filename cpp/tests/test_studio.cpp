// The studio method without Python: known shapes, odd sizes, strides, levels, threads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/studio.hpp"
#include "studio/kernels.hpp"

using namespace nssbg;

namespace {

// A dark disc on a light, slightly graded backdrop with a little noise.
std::vector<std::uint8_t> disc(std::ptrdiff_t height, std::ptrdiff_t width, double radius) {
    std::vector<std::uint8_t> rgb(static_cast<std::size_t>(height * width * 3));
    std::uint32_t seed = 1;
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const double dy = static_cast<double>(y) - static_cast<double>(height) / 2;
            const double dx = static_cast<double>(x) - static_cast<double>(width) / 2;
            const bool inside = dy * dy + dx * dx < radius * radius;
            for (int c = 0; c < 3; ++c) {
                seed = seed * 1664525u + 1013904223u;
                const int noise = static_cast<int>(seed >> 30);
                const int level = inside ? 60 + 30 * c : 225 - static_cast<int>(20 * x / width);
                rgb[static_cast<std::size_t>((y * width + x) * 3 + c)] =
                    static_cast<std::uint8_t>(level + noise);
            }
        }
    return rgb;
}

StudioReport run(const std::vector<std::uint8_t>& rgb, std::ptrdiff_t height, std::ptrdiff_t width,
                 std::vector<std::uint8_t>& alpha, int threads = 1,
                 ChromaScreen chroma = ChromaScreen::automatic,
                 std::vector<std::uint8_t>* shadow = nullptr) {
    alpha.assign(static_cast<std::size_t>(height * width), 77);
    StudioOptions options;
    options.threads = threads;
    options.chroma = chroma;
    ImageView<std::uint8_t> shadow_view;
    if (shadow != nullptr) {
        shadow->assign(alpha.size(), 77);
        shadow_view = packed_view(shadow->data(), height, width, 1);
    }
    return studio_alpha<std::uint8_t>(packed_view(rgb.data(), height, width, 3),
                                      packed_view(alpha.data(), height, width, 1), shadow_view,
                                      options);
}

}  // namespace

TEST(studio_finds_a_disc) {
    const std::ptrdiff_t height = 301;
    const std::ptrdiff_t width = 407;
    const auto rgb = disc(height, width, 80);
    std::vector<std::uint8_t> alpha;
    const StudioReport report = run(rgb, height, width, alpha);
    double both = 0;
    double either = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const double dy = static_cast<double>(y) - static_cast<double>(height) / 2;
            const double dx = static_cast<double>(x) - static_cast<double>(width) / 2;
            const bool truth = dy * dy + dx * dx < 80 * 80;
            const bool found = alpha[static_cast<std::size_t>(y * width + x)] > 127;
            both += truth && found ? 1 : 0;
            either += truth || found ? 1 : 0;
        }
    CHECK(both / either > 0.985);
    CHECK(report.confidence > 0.8f);
    CHECK(alpha.front() == 0);
    CHECK(alpha[static_cast<std::size_t>((height / 2) * width + width / 2)] == 255);
}

TEST(studio_is_the_same_at_every_level_and_thread_count) {
    for (const auto& [height, width] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{233, 317},
                                        std::pair<std::ptrdiff_t, std::ptrdiff_t>{1511, 1103}}) {
        const auto rgb = disc(height, width, static_cast<double>(height) / 3.5);
        std::vector<std::uint8_t> first;
        std::vector<std::uint8_t> first_shadow;
        set_isa("v1");
        const StudioReport report =
            run(rgb, height, width, first, 1, ChromaScreen::automatic, &first_shadow);
        for (const Isa level : available_isa_levels())
            for (const int threads : {1, 2, 5}) {
                set_isa(isa_name(level));
                std::vector<std::uint8_t> alpha;
                std::vector<std::uint8_t> shadow;
                const StudioReport other =
                    run(rgb, height, width, alpha, threads, ChromaScreen::automatic, &shadow);
                CHECK(alpha == first);
                CHECK(shadow == first_shadow);
                CHECK(other.confidence == report.confidence);
            }
        set_isa("auto");
    }
}

TEST(studio_survives_every_tiny_size_and_noise) {
    std::uint32_t seed = 7;
    for (std::ptrdiff_t height = 1; height <= 13; ++height)
        for (std::ptrdiff_t width = 1; width <= 13; ++width)
            for (const ChromaScreen chroma :
                 {ChromaScreen::automatic, ChromaScreen::green, ChromaScreen::blue}) {
                std::vector<std::uint8_t> rgb(static_cast<std::size_t>(height * width * 3));
                for (auto& value : rgb) {
                    seed = seed * 1664525u + 1013904223u;
                    value = static_cast<std::uint8_t>(seed >> 24);
                }
                std::vector<std::uint8_t> alpha;
                std::vector<std::uint8_t> shadow;
                const StudioReport report = run(rgb, height, width, alpha, 1, chroma, &shadow);
                CHECK(report.confidence >= 0 && report.confidence <= 1);
            }
}

TEST(studio_survives_extreme_shapes) {
    for (const auto& [height, width] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{1, 5000},
                                        std::pair<std::ptrdiff_t, std::ptrdiff_t>{5000, 1},
                                        std::pair<std::ptrdiff_t, std::ptrdiff_t>{3, 2049}}) {
        const auto rgb = disc(height, width, 40);
        std::vector<std::uint8_t> alpha;
        std::vector<std::uint8_t> shadow;
        run(rgb, height, width, alpha, 2, ChromaScreen::automatic, &shadow);
    }
}

TEST(studio_says_that_a_constant_picture_has_no_subject) {
    const std::vector<std::uint8_t> rgb(64 * 64 * 3, 200);
    std::vector<std::uint8_t> alpha;
    const StudioReport report = run(rgb, 64, 64, alpha);
    for (const std::uint8_t a : alpha) CHECK(a == 0);
    CHECK(report.foreground_share == 0);
    CHECK(report.confidence < 0.3f);
}

TEST(studio_reads_strides_and_16_bits) {
    const std::ptrdiff_t height = 211;
    const std::ptrdiff_t width = 199;
    const auto rgb = disc(height, width, 60);
    std::vector<std::uint8_t> expected;
    run(rgb, height, width, expected);
    // Planar, bottom-up memory.
    std::vector<std::uint8_t> planar(rgb.size());
    std::vector<std::uint16_t> wide(rgb.size());
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x)
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const auto value = rgb[static_cast<std::size_t>((y * width + x) * 3 + c)];
                planar[static_cast<std::size_t>((c * height + (height - 1 - y)) * width + x)] =
                    value;
                wide[static_cast<std::size_t>((y * width + x) * 3 + c)] =
                    static_cast<std::uint16_t>(value * 257);
            }
    ImageView<const std::uint8_t> view{
        planar.data() + (height - 1) * width, height, width, 3, -width, 1, height * width};
    std::vector<std::uint8_t> alpha(expected.size());
    studio_alpha<std::uint8_t>(view, packed_view(alpha.data(), height, width, 1), {}, {});
    CHECK(alpha == expected);
    studio_alpha<std::uint16_t>(
        packed_view(static_cast<const std::uint16_t*>(wide.data()), height, width, 3),
        packed_view(alpha.data(), height, width, 1), {}, {});
    int largest = 0;
    for (std::size_t i = 0; i < alpha.size(); ++i)
        largest = std::max(largest, std::abs(alpha[i] - expected[i]));
    CHECK(largest <= 1);
}

// Whatever the width, also in the first and the last column, whose missing neighbours are
// themselves.
TEST(studio_smoothing_is_the_binomial_up_to_both_borders) {
    for (const Isa level : available_isa_levels())
        for (std::ptrdiff_t width = 1; width <= 40; ++width) {
            set_isa(isa_name(level));
            std::vector<float> rows(static_cast<std::size_t>(3 * width));
            std::uint32_t seed = 7;
            for (float& value : rows) {
                seed = seed * 1664525u + 1013904223u;
                value = static_cast<float>(seed >> 24);
            }
            std::vector<float> out(static_cast<std::size_t>(width), -1.0f);
            active_studio_kernels().binomial_row(rows.data(), rows.data() + width,
                                                 rows.data() + 2 * width, out.data(), width);
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                double expected = 0;
                for (std::ptrdiff_t dy = -1; dy <= 1; ++dy)
                    for (std::ptrdiff_t dx = -1; dx <= 1; ++dx) {
                        const std::ptrdiff_t column =
                            std::min(std::max<std::ptrdiff_t>(x + dx, 0), width - 1);
                        expected += (dx == 0 ? 2.0 : 1.0) * (dy == 0 ? 2.0 : 1.0) / 16.0 *
                                    static_cast<double>(
                                        rows[static_cast<std::size_t>((dy + 1) * width + column)]);
                    }
                CHECK(std::abs(static_cast<double>(out[static_cast<std::size_t>(x)]) - expected) <
                      1e-3);
            }
        }
    set_isa("auto");
}

TEST(studio_refuses_mismatched_views) {
    std::vector<std::uint8_t> rgb(300);
    std::vector<std::uint8_t> alpha(100);
    const auto good = packed_view(static_cast<const std::uint8_t*>(rgb.data()), 10, 10, 3);
    CHECK_THROWS(studio_alpha<std::uint8_t>(good, packed_view(alpha.data(), 10, 9, 1), {}, {}),
                 std::invalid_argument);
    CHECK_THROWS(studio_alpha<std::uint8_t>(
                     packed_view(static_cast<const std::uint8_t*>(rgb.data()), 10, 10, 1),
                     packed_view(alpha.data(), 10, 10, 1), {}, {}),
                 std::invalid_argument);
    CHECK_THROWS(studio_alpha<std::uint8_t>({}, {}, {}, {}), std::invalid_argument);
}
