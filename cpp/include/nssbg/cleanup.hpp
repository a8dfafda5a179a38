// Small steps on a finished alpha: small components and holes by area (connected components in
// linear time), feathering.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// After refinement: components of alpha above the level with fewer pixels than this share of the
// picture go (24 pixels at 12 MP): a blob of 5 x 5 pixels that hangs on nothing is noise of the
// map, not part of a subject. Two percent of alpha are not visible.
constexpr double small_component_level = 0.02;
constexpr double small_component_share = 2e-6;

struct ComponentOptions {
    // Components: pixels with alpha above `level` that hang together (8 neighbours), set to 0.
    // Holes: pixels with alpha at most `level` (4 neighbours) that do not touch the
    // picture's edge, set to full.
    bool holes = false;
    double level = 0.02;          // 0..1
    std::int64_t least_area = 0;  // components with fewer pixels are changed
    double deepest = 0;           // holes only: those that go below it (0..1) stay
    double of_largest = 0;        // components only: so are those below this share of the largest
    double faint = 0;             // components only, if above 0: with this mean (0..1) they stay
    bool keep_largest = false;    // components only: all but the largest component go
    std::int64_t most_runs = 2000000;  // give up above this: 40 bytes each
};

struct ComponentReport {
    std::int64_t components = 0;
    std::int64_t changed = 0;
    bool gave_up = false;  // more runs than allowed: alpha is as it was
};

// Throws std::invalid_argument for a view that is empty or has more than one channel, and for
// options outside their range.
template <class T>
ComponentReport clean_components(const ImageView<T>& alpha, const ComponentOptions& options);

// Removes what is small by the rule above, in place; nothing where the least area is one pixel.
template <class T>
ComponentReport remove_small_components(const ImageView<T>& alpha);

// Gaussian blur of an alpha, edges repeated; sigma in pixels, 0 < sigma <= 64.
template <class T>
void feather(const ImageView<const T>& alpha, double sigma, int threads, const ImageView<T>& out);

extern template ComponentReport clean_components(const ImageView<std::uint8_t>&,
                                                 const ComponentOptions&);
extern template ComponentReport clean_components(const ImageView<float>&, const ComponentOptions&);
extern template ComponentReport remove_small_components(const ImageView<std::uint8_t>&);
extern template ComponentReport remove_small_components(const ImageView<float>&);
extern template void feather(const ImageView<const std::uint8_t>&, double, int,
                             const ImageView<std::uint8_t>&);
extern template void feather(const ImageView<const float>&, double, int, const ImageView<float>&);

}  // namespace nssbg
