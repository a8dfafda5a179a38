// The second pass: more of a network's pixels for small subjects (crops) and along the outline
// (tiles). The core runs no network: it says where to run it next and takes the answer, until
// nothing is left that would pay.
//
//     SecondPass pass(first, height, width, options);
//     while (const auto box = pass.next()) pass.answer(map of the network for that part);
//     pass.map(), pass.report()
//
// docs/decisions/0504-effort.md has what the numbers were measured on. Lengths are cells of a map,
// shares are of what is named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nssbg/box.hpp"
#include "nssbg/confidence.hpp"
#include "nssbg/image_view.hpp"

namespace nssbg {

enum class Effort : int { fast = 0, balanced = 1, best = 2 };

// How much is run.
// Forward passes on crops around subjects.
constexpr int most_crops = 4;
// Forward passes after the first at effort "best", crops included.
constexpr int most_runs_at_best = 16;
// Input pixels that all of them may have together. A budget of pixels, not of seconds: the same
// picture gives the same bytes on a slow machine.
constexpr std::ptrdiff_t most_input_pixels = 8 << 20;
// Longest side of the map that is made: in float32 it takes 11 MB at 3:2.
constexpr std::ptrdiff_t longest_map = 2048;

// Where.
// Certainty of a first answer whose place for the subject is believed: likelier right than wrong.
constexpr double least_map_confidence = 0.5;
// Room left around the subject, as a share of its box: models need to see some backdrop.
constexpr double crop_margin = 0.15;
// A second run pays when the subject gets at least this many times more pixels a side.
constexpr double least_gain = 1.25;
// Tiles overlap by this share of their side; blending happens there.
constexpr double tile_overlap = 0.25;
// Alpha above which a cell belongs to the subject's box; below / above these it is sure.
constexpr float crop_subject = 0.25f;
constexpr float sure_low = 0.02f, sure_high = 0.98f;
// Subjects smaller than this share of the first map are taken for noise.
constexpr double least_subject = 2e-4;
// Subjects are apart from this share of the map's longer side on; a crop's margin asks for more.
constexpr double least_gap = 0.02;
// Of a crowd so many are told apart, the largest; the others keep the first answer.
constexpr std::size_t most_subjects = 12;

// What is believed of the answers.
// An answer that differs by more than this on average from cells that were sure is not used: a
// crop sees the whole subject and may correct much, a tile may not.
constexpr double most_crop_disagreement = 0.2, most_tile_disagreement = 0.05;
// Gaussian (in canvas cells) below whose reach a tile's answer counts: coarser than that, the map
// of the whole subject is believed. A cell of the map before is two canvas cells.
constexpr double detail = 6.0;
// Gaussian (canvas cells) that the band along the outline is made with, and the gain that makes it
// 1 up to two of them and 0 beyond three.
constexpr double outline_band = 2.0;
constexpr float outline_gain = 45.0f;

struct SecondPassOptions {
    Effort effort = Effort::balanced;
    ConfidenceWeights weights;  // fitted to the network, to tell its surer answers
    std::ptrdiff_t input_pixels = most_input_pixels;
};

struct SecondPassReport {
    int runs = 1;            // forward passes, the first included
    std::vector<Box> crops;  // that were run again and used, in pixels of the picture
    int tiles = 0;           // along the outline that were used
    double gain = 1;         // linear resolution of the finest run used, over the first run's
    double changed = 0;      // mean absolute change of alpha along the outline, 0..1
    std::vector<std::string> notes;  // what was left out or rejected, and why
};

class SecondPass {
public:
    // `first` is the network's map of the whole height x width picture, h x w of any size, uint8_t
    // or float 0..1 (what is no number counts as 0). Throws std::invalid_argument for empty maps
    // and pictures.
    SecondPass(const ImageView<const std::uint8_t>& first, std::ptrdiff_t height,
               std::ptrdiff_t width, const SecondPassOptions& options);
    SecondPass(const ImageView<const float>& first, std::ptrdiff_t height, std::ptrdiff_t width,
               const SecondPassOptions& options);
    ~SecondPass();
    SecondPass(SecondPass&&) noexcept;
    SecondPass& operator=(SecondPass&&) noexcept;

    // The part of the picture that the network is to be run on next; none: nothing is left to do.
    // may_run = false: a budget of the caller's own is spent; what is left out is noted. Throws
    // std::logic_error where the last part was not answered.
    std::optional<Box> next(bool may_run = true);
    // The network's map of that part, as `first`. Throws std::logic_error where none was asked for.
    void answer(const ImageView<const std::uint8_t>& map);
    void answer(const ImageView<const float>& map);

    // The map of the whole picture so far, packed; lives until the next call.
    ImageView<const float> map() const;
    SecondPassReport report() const;

private:
    struct State;
    explicit SecondPass(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace nssbg
