// Rules on a network's maps: numbers that come out alike everywhere, confidence, selector, output.
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "core/elementary.hpp"
#include "nssbg/confidence.hpp"
#include "nssbg/network_output.hpp"
#include "nssbg/selector.hpp"

using namespace nssbg;

namespace {

constexpr std::ptrdiff_t side = 40;

std::vector<float> square(std::ptrdiff_t from, std::ptrdiff_t to, float inside, float outside) {
    std::vector<float> cells(side * side, outside);
    for (std::ptrdiff_t y = from; y < to; ++y)
        for (std::ptrdiff_t x = from; x < to; ++x) cells[y * side + x] = inside;
    return cells;
}

ImageView<const float> view(const std::vector<float>& cells) {
    return packed_view(cells.data(), side, side, 1);
}

}  // namespace

TEST(exp_and_log_are_within_two_units_in_the_last_place) {
    for (int i = -4000; i <= 4000; ++i) {
        const double x = i * 0.017;
        CHECK(std::fabs(exp_of(x) / std::exp(x) - 1) < 5e-16);
        const double y = std::exp(x);
        if (i != 0) CHECK(std::fabs(log_of(y) / std::log(y) - 1) < 5e-16);
    }
    CHECK(log_of(1.0) == 0);
    CHECK(exp_of(0.0) == 1);
    CHECK(exp_of(1e9) > 1e300);
    CHECK(exp_of(-1e9) > 0);
}

TEST(a_sure_map_has_more_confidence_than_a_doubtful_one) {
    const ConfidenceWeights weights{{3.6, -3.0, 0.04, 0.2}, {3.7, -2.4, 0.1, 0.3, -0.9}};
    const auto sure = square(10, 30, 1.0f, 0.0f), doubtful = square(10, 30, 0.6f, 0.3f);
    const double high = confidence(view(sure), {}, weights).overlap;
    const double low = confidence(view(doubtful), {}, weights).overlap;
    CHECK(high > 0.9);
    CHECK(low < low_confidence);
    CHECK(confidence(view(doubtful), {}, weights).low);
    CHECK(map_confidence(view(sure), {}) > map_confidence(view(doubtful), {}));
    const double alike = confidence(view(sure), view(sure), weights).overlap;
    const auto elsewhere = square(0, 12, 1.0f, 0.0f);
    CHECK(confidence(view(sure), view(elsewhere), weights).overlap < alike);
    CHECK(!confidence(view(sure), {}, {}).known);
    const auto nothing = square(0, 0, 0.0f, 0.0f);
    CHECK(confidence(view(nothing), {}, weights).overlap == 0);
    CHECK(confidence(view(nothing), {}, weights).low);
    CHECK_THROWS(confidence_features({}, {}), std::invalid_argument);
    CHECK_THROWS(confidence(view(sure), {}, {{1.0}, {}}), std::invalid_argument);
}

TEST(maps_that_agree_give_the_studio_methods_edges) {
    const auto small = square(10, 30, 1.0f, 0.0f);
    std::vector<std::uint8_t> large(4 * side * side);
    for (std::ptrdiff_t i = 0; i < 4 * side * side; ++i)
        large[i] = small[(i / (2 * side) / 2) * side + i % (2 * side) / 2] > 0 ? 255 : 0;
    const auto studio =
        packed_view(static_cast<const std::uint8_t*>(large.data()), 2 * side, 2 * side, 1);
    const SelectorWeights weights{{-9, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 0}, {-2, 0, 0, 0, 0, 0}};
    const auto taken = [&](double sure, const std::vector<float>& network) {
        return select(selector_features(studio, sure, view(network), 0.8), weights);
    };
    CHECK(taken(0.8, small).studio);
    CHECK(taken(0.8, small).agreement == 1);
    CHECK(!taken(0.8, small).low);
    CHECK(!taken(0.6, small).studio);  // not trusted
    CHECK(taken(0.6, small).low);
    CHECK(!taken(0.8, square(10, 26, 1.0f, 0.0f)).studio);  // they do not agree
    CHECK_THROWS(select({}, {{}, {}, {}}), std::invalid_argument);
}

TEST(a_networks_output_becomes_an_alpha) {
    const float bad = std::numeric_limits<float>::quiet_NaN();
    const float large = std::numeric_limits<float>::infinity();
    std::vector<float> values = {bad, large, -large, -0.5f, 0.25f, 2.0f};
    CHECK(coarse_alpha(values.data(), 6, Activation::none, OutputRange::unit) == 3);
    CHECK((values == std::vector<float>{0, 1, 0, 0, 0.25f, 1}));
    values = {0.0f, 100.0f, -100.0f};
    CHECK(coarse_alpha(values.data(), 3, Activation::sigmoid, OutputRange::unit) == 0);
    CHECK(values[0] == 0.5f);
    CHECK(values[1] == 1.0f);
    CHECK(values[2] > 0 && values[2] < 1e-25f);
    values = {2, 4, 3};
    coarse_alpha(values.data(), 3, Activation::none, OutputRange::minmax);
    CHECK((values == std::vector<float>{0, 1, 0.5f}));
    values = {7, 7};  // no spread
    coarse_alpha(values.data(), 2, Activation::none, OutputRange::minmax);
    CHECK((values == std::vector<float>{1, 1}));
}

TEST(two_maps_are_joined_as_fine_as_wanted) {
    const auto one = square(10, 30, 1.0f, 0.0f), other = square(10, 30, 0.5f, 0.25f);
    std::vector<std::uint8_t> bytes(side * side);
    joined_maps(view(one), view(other), packed_view(bytes.data(), side, side, 1));
    CHECK(bytes[0] == 32);  // 0.125 * 255, halves up
    CHECK(bytes[20 * side + 20] == 191);
    std::vector<float> floats(side * side);
    joined_maps(view(one), {}, packed_view(floats.data(), side, side, 1));
    CHECK(floats == one);
    CHECK_THROWS(joined_maps(view(one), {}, packed_view(floats.data(), side, side - 1, 1)),
                 std::invalid_argument);
}
