// Framing: the fill that is reached, what stays on the canvas, pixels that keep their bytes.
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "nssbg/framing.hpp"
#include "nssbg/resample.hpp"

using namespace nssbg;

namespace {

template <class T>
struct Picture {
    std::ptrdiff_t height, width;
    std::vector<T> samples = std::vector<T>(height * width * 4, 0);

    ImageView<T> view() { return packed_view(samples.data(), height, width, 4); }
    ImageView<const T> constant() const { return packed_view(samples.data(), height, width, 4); }
    void fill(const Box& box, double alpha) {
        for (std::ptrdiff_t y = box.top; y < box.bottom; ++y)
            for (std::ptrdiff_t x = box.left; x < box.right; ++x)
                for (std::ptrdiff_t c = 0; c < 4; ++c)
                    view().at(y, x, c) =
                        static_cast<T>((c < 3 ? 0.5 : alpha) * std::numeric_limits<T>::max());
    }
};

template <class T>
void check_fill() {
    Picture<T> picture{90, 120};
    picture.fill({20, 30, 60, 90}, 1.0);
    Canvas canvas{200, 100, 0.8, 1.0, 0.5};
    const Placement where = placement(picture.constant(), canvas, true, {}, 1);
    Picture<T> board{200, 100};
    draw(picture.constant(), where, board.view());
    const Box box = box_above(board.constant(), solid_alpha, 1);
    CHECK(box.right - box.left == 80);
    CHECK(box.left == 10 && box.bottom == 180);  // margins of a tenth, at the lower end
    canvas.enlarge = false;
    CHECK(placement(picture.constant(), canvas, true, {}, 1).scale == 1.0);
    // What is visible and not solid hangs into the margins and is not cut off.
    picture.fill({20, 90, 60, 119}, 0.3);
    const Placement soft = placement(picture.constant(), canvas, true, {}, 1);
    CHECK(soft.left + soft.scale * 119 <= 100.0 + 1e-9);
}

}  // namespace

TEST(a_subject_reaches_its_fill_within_the_margins) {
    check_fill<std::uint8_t>();
    check_fill<std::uint16_t>();
}

TEST(pixels_that_are_only_moved_keep_their_bytes) {
    Picture<std::uint16_t> picture{20, 20};
    for (std::size_t i = 0; i < picture.samples.size(); ++i)
        picture.samples[i] = static_cast<std::uint16_t>(977 * i);
    Picture<std::uint16_t> board{40, 40};
    draw(picture.constant(), {1.0, 7.0, 9.0, {0, 0, 20, 20}}, board.view());
    for (std::ptrdiff_t y = 0; y < 40; ++y)
        for (std::ptrdiff_t x = 0; x < 40; ++x)
            for (std::ptrdiff_t c = 0; c < 4; ++c) {
                const bool inside = y >= 7 && y < 27 && x >= 9 && x < 29;
                const auto wanted = inside ? picture.view().at(y - 7, x - 9, c) : 0;
                CHECK(board.view().at(y, x, c) == wanted);
            }
}

TEST(pictures_of_a_set_share_scale_and_baseline) {
    const Canvas canvas{1000, 1000, 0.8, 1.0, 0.5};
    const Canvas shared =
        shared_canvas({{0, 0, 400, 100}, {0, 0, 0, 0}, {10, 10, 60, 210}}, canvas);
    CHECK(shared.scale == 2.0);
    CHECK(shared.baseline == 900.0);
    CHECK_THROWS(shared_canvas({{0, 0, 0, 0}}, canvas), std::invalid_argument);
}

TEST(a_longest_side_keeps_the_proportions) {
    CHECK((size_within(300, 400, 200) == std::pair<std::ptrdiff_t, std::ptrdiff_t>{150, 200}));
    CHECK((size_within(300, 400, 500) == std::pair<std::ptrdiff_t, std::ptrdiff_t>{300, 400}));
    CHECK((size_within(1, 4000, 10) == std::pair<std::ptrdiff_t, std::ptrdiff_t>{1, 10}));
}

TEST(canvases_and_parts_out_of_range_are_refused) {
    Picture<std::uint8_t> picture{20, 20};
    const auto refused = [&](const Canvas& canvas) {
        CHECK_THROWS(placement(picture.constant(), canvas, true, {}, 1), std::invalid_argument);
    };
    refused({0, 10});
    refused({10, 70000});
    refused({10, 10, 0.0});
    refused({10, 10, 0.8, 1.5});
    refused({10, 10, 0.8, 0.5, 0.5, true, -1.0});
    refused({10, 10, 0.8, 0.5, 0.5, true, 0.0, 11.0});
    Picture<std::uint8_t> board{5, 5};
    CHECK_THROWS(resample(picture.constant(), {0, 0, 21, 20}, board.view()), std::invalid_argument);
    CHECK_THROWS(resample(picture.constant(), {5, 5, 5, 9}, board.view()), std::invalid_argument);
    CHECK_THROWS(draw(picture.constant(), {1.0, 50.0, 0.0, {0, 0, 20, 20}}, board.view()),
                 std::invalid_argument);
}
