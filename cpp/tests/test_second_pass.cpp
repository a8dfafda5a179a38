// The second pass: where it looks, what it believes, what it costs.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"
#include "nssbg/second_pass.hpp"
#include "segment/second_pass.hpp"

using namespace nssbg;
using second_pass::Map;

namespace {

// A disc in a picture of height x width, as a network of `cells` cells a side sees a part of it.
struct Disc {
    std::ptrdiff_t height, width;
    double y, x, radius;

    Map seen(const Box& box, std::ptrdiff_t cells) const {
        Map map(cells, cells);
        const double scale_y =
            static_cast<double>(box.bottom - box.top) / static_cast<double>(cells);
        const double scale_x =
            static_cast<double>(box.right - box.left) / static_cast<double>(cells);
        for (std::ptrdiff_t row = 0; row < cells; ++row)
            for (std::ptrdiff_t column = 0; column < cells; ++column) {
                const double dy =
                    static_cast<double>(box.top) + (static_cast<double>(row) + 0.5) * scale_y - y;
                const double dx = static_cast<double>(box.left) +
                                  (static_cast<double>(column) + 0.5) * scale_x - x;
                const double inside = (radius - std::hypot(dy, dx)) / std::max(scale_y, scale_x);
                map.cells[row * cells + column] =
                    static_cast<float>(std::min(1.0, std::max(0.0, inside + 0.5)));
            }
        return map;
    }
    Box whole() const { return {0, 0, height, width}; }
};

SecondPassReport run(const Disc& disc, Effort effort, bool may_run = true,
                     std::ptrdiff_t input_pixels = most_input_pixels) {
    const Map first = disc.seen(disc.whole(), 64);
    SecondPassOptions options;
    options.effort = effort;
    options.input_pixels = input_pixels;
    SecondPass pass(first.view(), disc.height, disc.width, options);
    while (const auto box = pass.next(may_run)) {
        CHECK(box->top >= 0 && box->left >= 0);
        CHECK(box->bottom <= disc.height && box->right <= disc.width);
        CHECK(box->top < box->bottom && box->left < box->right);
        const Map answer = disc.seen(*box, 64);
        pass.answer(answer.view());
    }
    CHECK(!pass.next().has_value());
    return pass.report();
}

}  // namespace

TEST(a_small_subject_gets_a_crop_and_a_large_one_tiles) {
    const Disc small{600, 800, 200, 500, 50}, large{600, 600, 300, 300, 280};
    const SecondPassReport cropped = run(small, Effort::balanced);
    CHECK(cropped.runs == 2);
    CHECK(cropped.crops.size() == 1);
    CHECK(cropped.crops[0].top <= 140 && cropped.crops[0].bottom >= 260);
    CHECK(cropped.gain > 3);
    CHECK(cropped.changed > 0);
    CHECK(run(large, Effort::balanced).runs == 1);
    const SecondPassReport tiled = run(large, Effort::best);
    CHECK(tiled.tiles > 4 && tiled.tiles <= most_runs_at_best);
    CHECK(tiled.runs == tiled.tiles + 1);
    CHECK(run(small, Effort::fast).runs == 1);
}

TEST(budgets_end_it_and_are_named) {
    const Disc large{600, 600, 300, 300, 280};
    const SecondPassReport bound = run(large, Effort::best, true, 3 * 64 * 64);
    CHECK(bound.runs == 4);
    CHECK(bound.notes.size() == 1 && bound.notes[0].rfind("budget: ", 0) == 0);
    const SecondPassReport stopped = run(large, Effort::best, false);
    CHECK(stopped.runs == 1 && stopped.tiles == 0);
    CHECK(stopped.notes.size() == 1);
}

TEST(tiles_cover_the_scope_and_overlap) {
    Map doubtful(50, 50);
    std::fill(doubtful.cells.begin(), doubtful.cells.end(), 0.5f);
    const Box scope{10, 0, 500, 333};
    const auto tiles =
        second_pass::plan_tiles(std::as_const(doubtful).view(), {500, 400}, 128, scope);
    std::vector<int> covered(500 * 400, 0);
    for (const Box& tile : tiles)
        for (std::ptrdiff_t y = tile.top; y < tile.bottom; ++y)
            for (std::ptrdiff_t x = tile.left; x < tile.right; ++x) covered[y * 400 + x] += 1;
    for (std::ptrdiff_t y = 0; y < 500; ++y)
        for (std::ptrdiff_t x = 0; x < 400; ++x)
            CHECK((covered[y * 400 + x] > 0) == (y >= 10 && x < 333));
    CHECK(*std::max_element(covered.begin(), covered.end()) >= 2);
}

TEST(an_empty_map_plans_nothing) {
    const Map nothing(20, 20);
    const auto [crops, complete] = second_pass::plan_crops(nothing.view(), {100, 100});
    CHECK(crops.empty() && !complete);
}

TEST(answers_and_questions_take_turns) {
    const Disc small{600, 800, 200, 500, 50};
    const Map first = small.seen(small.whole(), 64);
    SecondPass pass(first.view(), 600, 800, {});
    CHECK_THROWS(pass.answer(first.view()), std::logic_error);
    CHECK(pass.next().has_value());
    CHECK_THROWS(pass.next(), std::logic_error);
    CHECK_THROWS(pass.answer(ImageView<const float>{}), std::invalid_argument);
    CHECK_THROWS(SecondPass(first.view(), 0, 5, {}), std::invalid_argument);
}
