// Post-processing of a network's map, where the model's subjects are opaque: faint components and
// stray alpha removed, small holes filled. The rules stand here, for every caller alike: Python and
// the browser call post_process and know none of its numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// A stranger's arm, a bin in the background: a blob of alpha above component_level whose mean is
// below faint_mean and which has less than of_largest of the largest blob's pixels goes
// (docs/decisions/0405-component-filtering.md).
constexpr double component_level = 0.1;
constexpr double faint_mean = 0.65;
constexpr double of_largest = 0.25;
// Alpha farther than this share of the longer side from all that is above component_level goes.
constexpr double stray_reach = 0.03;
// Cells a side that stray alpha is looked for on; larger maps are taken by blocks.
constexpr std::ptrdiff_t stray_grid = 192;
// An eye, a button, print on a box: a dip is filled where alpha is at most sure_subject but nowhere
// below still_subject, over at most largest_dip of the subject: docs/decisions/0403 has what that
// mends and what it costs. From opaque on, little more than a step of 8 bits below 1, nothing shows
// through.
constexpr double opaque = 0.995;
constexpr double sure_subject = 0.9;
constexpr double still_subject = 0.5;
constexpr double largest_dip = 0.01;

// Sets to 0, in place, what lies farther than `reach` (a share of the longer side, along rows and
// columns) from every pixel above `level`. T is uint8_t (0..255) or float (0..1); level and reach
// are 0..1. Throws std::invalid_argument for an empty view, one of more channels, and options
// outside their range.
template <class T>
void remove_stray_alpha(const ImageView<T>& alpha, double level, double reach);

// All of it, in place.
template <class T>
void post_process(const ImageView<T>& alpha);

extern template void remove_stray_alpha(const ImageView<std::uint8_t>&, double, double);
extern template void remove_stray_alpha(const ImageView<float>&, double, double);
extern template void post_process(const ImageView<std::uint8_t>&);
extern template void post_process(const ImageView<float>&);

}  // namespace nssbg
