// The order of the second pass: crops around the subjects, then tiles along the outline.
#include "nssbg/second_pass.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "segment/second_pass.hpp"

namespace nssbg {

using namespace second_pass;

namespace {

ptrdiff_t longest_of(ptrdiff_t a, ptrdiff_t b) { return std::max(a, b); }

// What is no number compares false and becomes 0.
float unit(float alpha) { return alpha > 0 ? std::min(alpha, 1.0f) : 0.0f; }
float unit(std::uint8_t alpha) { return static_cast<float>(alpha) / 255.0f; }

template <class T>
Map unit_map(const ImageView<const T>& map) {
    if (map.empty() || map.channels != 1)
        throw std::invalid_argument("second pass: a map must be h x w, not empty");
    Map copy(map.height, map.width);
    for (ptrdiff_t y = 0; y < map.height; ++y)
        for (ptrdiff_t x = 0; x < map.width; ++x)
            copy.cells[y * map.width + x] = unit(map.at(y, x));
    return copy;
}

int runs_of(Effort effort) {
    if (effort == Effort::fast) return 0;
    return effort == Effort::balanced ? most_crops : most_runs_at_best;
}

}  // namespace

struct SecondPass::State {
    enum class Step { begin, crops, tiles, done };

    SecondPassOptions options;
    Map first, canvas;  // the network's own map, and with what was added to it
    Size picture;
    std::ptrdiff_t runs_left = 0;
    Box scope;              // where tiles may lie
    double first_cell = 1;  // pixels a cell along its longer side, of the first map
    double cell = 1;        // the same of what all subjects in the scope are known at
    SecondPassReport told;

    Step step = Step::begin;
    bool asked = false;  // a part was given out and not answered yet
    Box area;            // that part
    std::vector<Box> wanted;
    std::size_t at = 0;
    bool complete = false;     // the crops hold all subjects
    std::vector<double> used;  // cells of the crops that were used
    Map larger;                // the canvas for the run that is out, or for all tiles
    double larger_cell = 1;
    std::vector<std::pair<Box, Map>> answers;

    ConstView map() const { return canvas.view(); }
    bool may_run(bool caller_may) const { return caller_may && runs_left > 0; }

    // The map so far with cells of about that many pixels: the finest run fits one to one.
    Map enlarged(double wanted_cell) const {
        const ptrdiff_t longest = longest_of(picture.height, picture.width);
        const double scale =
            std::min({1 / wanted_cell,
                      static_cast<double>(longest_map) / static_cast<double>(longest), 1.0});
        const auto side = [scale](ptrdiff_t pixels, ptrdiff_t cells) {
            const double exact = static_cast<double>(pixels) * scale;
            return std::max({ptrdiff_t{1}, static_cast<ptrdiff_t>(std::nearbyint(exact)), cells});
        };
        return resized(canvas.view(), side(picture.height, canvas.height),
                       side(picture.width, canvas.width));
    }

    std::optional<Box> next(bool caller_may) {
        if (step == Step::begin) begin_crops(caller_may);
        if (step == Step::crops) {
            if (at < wanted.size() && may_run(caller_may)) return ask_crop();
            end_crops(caller_may);
        }
        if (step == Step::tiles) {
            if (at < wanted.size() && may_run(caller_may)) {
                area = snapped(wanted[at], larger.height, larger.width, picture);
                return ask();
            }
            end_tiles();
        }
        return std::nullopt;
    }

    std::optional<Box> ask() {
        asked = true;
        return area;
    }

    void begin_crops(bool caller_may) {
        step = Step::crops;
        if (!may_run(caller_may)) return;
        auto [crops, all] = plan_crops(std::as_const(first).view(), picture);
        if (!crops.empty() &&
            map_confidence(std::as_const(first).view(), options.weights) < least_map_confidence) {
            told.notes.emplace_back("the first run is too unsure of where the subject is: no crop");
            return;
        }
        complete = all && crops.size() <= static_cast<std::size_t>(most_crops);
        if (crops.size() > static_cast<std::size_t>(most_crops)) crops.resize(most_crops);
        wanted = std::move(crops);
    }

    std::optional<Box> ask_crop() {
        const Box& crop = wanted[at];
        larger_cell = static_cast<double>(longest_of(rows_of(crop), columns_of(crop))) /
                      static_cast<double>(longest_of(first.height, first.width));
        larger = enlarged(larger_cell);
        area = snapped(crop, larger.height, larger.width, picture);
        return ask();
    }

    void take_crop(const Map& answer) {
        const ConstView before = part_of(std::as_const(first).view(),
                                         cells_of(area, first.height, first.width, picture));
        if (map_confidence(answer.view(), options.weights) <
            map_confidence(before, options.weights)) {
            told.notes.emplace_back("a crop around a subject was less certain: not used");
        } else if (!blend_crop(larger.view(), area, answer.view(), picture)) {
            told.notes.emplace_back(
                "a crop around a subject disagreed with the first run: not used");
        } else {
            canvas = std::move(larger);
            told.crops.push_back(area);
            used.push_back(larger_cell);
        }
    }

    void end_crops(bool caller_may) {
        if (!used.empty()) told.gain = first_cell / *std::min_element(used.begin(), used.end());
        if (complete && used.size() == wanted.size()) {
            // Every subject is known better than at first: tiles have only these to improve on.
            scope = told.crops.front();
            for (const Box& crop : told.crops) scope = hull(scope, crop);
            cell = *std::max_element(used.begin(), used.end());
        }
        step = Step::done;
        // No tiles where the picture has no more detail than the map.
        if (options.effort != Effort::best || cell <= least_gain) return;
        larger_cell = std::max(1.0, cell / 2);
        const auto side = static_cast<ptrdiff_t>(
            std::ceil(static_cast<double>(longest_of(first.height, first.width)) * larger_cell));
        larger = enlarged(larger_cell);
        wanted = plan_tiles(std::as_const(larger).view(), picture, side, scope);
        at = 0;
        step = Step::tiles;
        if (wanted.empty() || !may_run(caller_may)) end_tiles();
    }

    void end_tiles() {
        step = Step::done;
        const auto count = [](std::size_t number) { return std::to_string(number); };
        if (at < wanted.size())
            told.notes.push_back("budget: " + count(wanted.size() - at) + " of " +
                                 count(wanted.size()) + " tiles along the outline not run");
        const Box whole = snapped(scope, larger.height, larger.width, picture);
        if (!answers.empty()) told.tiles = blend_tiles(larger.view(), whole, answers, picture);
        const auto tiles = static_cast<std::size_t>(told.tiles);
        if (tiles < answers.size())
            told.notes.push_back(count(answers.size() - tiles) + " of " + count(answers.size()) +
                                 " tiles along the outline disagreed with sure parts: not used");
        if (told.tiles > 0) {
            canvas = std::move(larger);
            told.gain = std::max(told.gain, first_cell / larger_cell);
        }
        answers.clear();
    }

    void answer(Map map) {
        if (!asked) throw std::logic_error("second pass: nothing was asked that could be answered");
        asked = false;
        told.runs += 1;
        runs_left -= 1;
        if (step == Step::crops)
            take_crop(map);
        else
            answers.emplace_back(area, std::move(map));
        at += 1;
    }

    // Mean absolute change along the outline of what the map is now.
    double changed() const {
        if (told.crops.empty() && told.tiles == 0) return 0;
        const Box place = cells_of(scope, canvas.height, canvas.width, picture);
        const ConstView now = part_of(canvas.view(), place);
        const Map weight = outline_weight(now);
        const Map before = resized(first.view(), canvas.height, canvas.width);
        const ConstView then = part_of(before.view(), place);
        double sum = 0, total = 0;
        for (ptrdiff_t y = 0; y < now.height; ++y)
            for (ptrdiff_t x = 0; x < now.width; ++x) {
                const auto share = static_cast<double>(weight.cells[y * now.width + x]);
                total += share;
                sum += static_cast<double>(std::fabs(now.at(y, x) - then.at(y, x))) * share;
            }
        return total > 0 ? sum / total : 0.0;
    }
};

namespace {

template <class State>
std::unique_ptr<State> begun(Map first, ptrdiff_t height, ptrdiff_t width,
                             const SecondPassOptions& options) {
    if (height < 1 || width < 1)
        throw std::invalid_argument("second pass: the picture has no pixels");
    auto state = std::make_unique<State>();
    state->options = options;
    state->picture = {height, width};
    state->scope = {0, 0, height, width};
    const auto cells = static_cast<ptrdiff_t>(first.cells.size());
    state->runs_left = std::min<ptrdiff_t>(runs_of(options.effort),
                                           std::max<ptrdiff_t>(1, options.input_pixels / cells));
    state->first_cell = static_cast<double>(longest_of(height, width)) /
                        static_cast<double>(longest_of(first.height, first.width));
    state->cell = state->first_cell;
    if (options.effort == Effort::fast) state->step = State::Step::done;
    state->canvas = first;
    state->first = std::move(first);
    return state;
}

}  // namespace

SecondPass::SecondPass(std::unique_ptr<State> state) : state_(std::move(state)) {}
SecondPass::SecondPass(const ImageView<const std::uint8_t>& first, ptrdiff_t height,
                       ptrdiff_t width, const SecondPassOptions& options)
    : SecondPass(begun<State>(unit_map(first), height, width, options)) {}
SecondPass::SecondPass(const ImageView<const float>& first, ptrdiff_t height, ptrdiff_t width,
                       const SecondPassOptions& options)
    : SecondPass(begun<State>(unit_map(first), height, width, options)) {}
SecondPass::~SecondPass() = default;
SecondPass::SecondPass(SecondPass&&) noexcept = default;
SecondPass& SecondPass::operator=(SecondPass&&) noexcept = default;

std::optional<Box> SecondPass::next(bool may_run) {
    if (state_->asked) throw std::logic_error("second pass: the last part was not answered");
    return state_->next(may_run);
}

void SecondPass::answer(const ImageView<const std::uint8_t>& map) { state_->answer(unit_map(map)); }
void SecondPass::answer(const ImageView<const float>& map) { state_->answer(unit_map(map)); }

ImageView<const float> SecondPass::map() const { return state_->map(); }

SecondPassReport SecondPass::report() const {
    SecondPassReport told = state_->told;
    told.changed = state_->changed();
    return told;
}

}  // namespace nssbg
