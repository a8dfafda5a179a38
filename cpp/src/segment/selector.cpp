// Features of two alphas of one picture, and the three logistic models over them.
#include "nssbg/selector.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <type_traits>

#include "core/elementary.hpp"
#include "nssbg/confidence.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

template <class T>
float unit(T value) {
    if constexpr (std::is_same_v<T, float>)
        return value;
    else
        return static_cast<float>(value) / 255.0f;
}

double log_odds(double probability) {
    const double bounded = std::min(std::max(probability, 0.005), 0.995);
    return log_of(bounded / (1 - bounded));
}

double logistic(const std::vector<double>& weights, const SelectorFeatures& features) {
    double score = 0;
    for (std::size_t i = 0; i < features.size(); ++i) score += weights[i + 1] * features[i];
    return logistic_of(weights[0] + score);
}

// Where the centre of cell i of `wanted` lies among `count`.
ptrdiff_t nearest(ptrdiff_t i, ptrdiff_t count, ptrdiff_t wanted) {
    return (2 * i + 1) * count / (2 * wanted);
}

}  // namespace

template <class S, class N>
SelectorFeatures selector_features(const ImageView<const S>& studio, double studio_confidence,
                                   const ImageView<const N>& network, double network_overlap) {
    if (studio.empty() || studio.channels != 1 || network.empty() || network.channels != 1)
        throw std::invalid_argument("select: both alphas must be H x W, not empty");
    double shared = 0, either = 0, of_studio = 0, of_network = 0;
    for (ptrdiff_t y = 0; y < network.height; ++y) {
        const ptrdiff_t row = nearest(y, studio.height, network.height);
        for (ptrdiff_t x = 0; x < network.width; ++x) {
            const float one = unit(studio.at(row, nearest(x, studio.width, network.width)));
            const float other = unit(network.at(y, x));
            shared += static_cast<double>(std::min(one, other));
            either += static_cast<double>(std::max(one, other));
            of_studio += static_cast<double>(one);
            of_network += static_cast<double>(other);
        }
    }
    const double floor =
        1e-3 * static_cast<double>(network.height) * static_cast<double>(network.width);
    shared += floor;
    return {log_odds(studio_confidence), log_odds(network_overlap), shared / (either + floor),
            shared / (of_studio + floor), shared / (of_network + floor)};
}

Selection select(const SelectorFeatures& features, const SelectorWeights& weights) {
    for (const auto* fitted :
         {&weights.studio_is_better, &weights.studio_overlap, &weights.network_overlap})
        if (fitted->size() != features.size() + 1)
            throw std::invalid_argument("select: a constant and one weight a feature are needed");
    Selection selection;
    selection.agreement = features[2];
    const bool edges = features[2] >= agreeing && features[0] >= log_odds(trusted_studio);
    selection.studio = logistic(weights.studio_is_better, features) > 0.5 || edges;
    selection.overlap =
        logistic(selection.studio ? weights.studio_overlap : weights.network_overlap, features);
    selection.low = selection.overlap < low_confidence;
    return selection;
}

#define NSSBG_SELECTOR(S, N)                                                       \
    template SelectorFeatures selector_features(const ImageView<const S>&, double, \
                                                const ImageView<const N>&, double);
NSSBG_SELECTOR(std::uint8_t, std::uint8_t)
NSSBG_SELECTOR(std::uint8_t, float)
NSSBG_SELECTOR(float, std::uint8_t)
NSSBG_SELECTOR(float, float)
#undef NSSBG_SELECTOR

}  // namespace nssbg
