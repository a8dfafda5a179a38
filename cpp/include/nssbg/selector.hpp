// Whether the weights-free studio method's alpha or a network's is the better one: what
// model="auto" decides by. The two confidences mean different things (a probability that the IoU is
// at least 0.9; an expected IoU), so they are weighed by logistic models, together with how far the
// maps agree, rather than compared. Their weights are fitted to one network and come with its
// description.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Share of the border that is one backdrop, below which the studio method is not asked any further:
// on 256 such pictures kept aside it was the better one in four (training/choose.py).
constexpr double least_border = 0.5;
// Confidence of the studio method from which on its answer is taken without the network's: on the
// measured pictures that lost 0.001 of IoU on average (training/choose.py prints the table).
constexpr double sure_studio = 0.95;
// Where the maps agree this well (soft IoU) and the studio method trusts itself this far, their
// overlaps with the truth are alike (0.001 apart on the pictures fitted on) and its full-size edges
// are taken.
constexpr double agreeing = 0.97;
constexpr double trusted_studio = 0.7;

// The constant, then one weight a feature.
struct SelectorWeights {
    std::vector<double> studio_is_better;  // of the probability that the studio alpha is better
    std::vector<double> studio_overlap;    // of the overlap to be expected of it
    std::vector<double> network_overlap;   // of the overlap to be expected of the network's
};

struct Selection {
    bool studio = false;   // whether the studio method's alpha is taken
    double overlap = 0;    // IoU with the truth to be expected of what is taken
    bool low = false;      // below low_confidence
    double agreement = 0;  // soft IoU of the two maps
};

// The log-odds of both confidences, the soft IoU of the two maps, and the shares of each map's
// subject that the other one has too.
using SelectorFeatures = std::array<double, 5>;

// S, N are uint8_t (0..255) or float (0..1). The studio alpha may have any size: it is sampled on
// the network's grid by its nearest pixels, which is enough to compare whole regions. Throws
// std::invalid_argument for views that are empty or have more than one channel.
template <class S, class N>
SelectorFeatures selector_features(const ImageView<const S>& studio, double studio_confidence,
                                   const ImageView<const N>& network, double network_overlap);

// Throws std::invalid_argument where one of the models has not six weights.
Selection select(const SelectorFeatures& features, const SelectorWeights& weights);

#define NSSBG_SELECTOR(S, N)                                                              \
    extern template SelectorFeatures selector_features(const ImageView<const S>&, double, \
                                                       const ImageView<const N>&, double);
NSSBG_SELECTOR(std::uint8_t, std::uint8_t)
NSSBG_SELECTOR(std::uint8_t, float)
NSSBG_SELECTOR(float, std::uint8_t)
NSSBG_SELECTOR(float, float)
#undef NSSBG_SELECTOR

}  // namespace nssbg
