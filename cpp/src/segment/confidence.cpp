// Features of maps, and the logistic models over them.
#include "nssbg/confidence.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>

#include "core/elementary.hpp"
#include "nssbg/pool.hpp"
#include "segment/kernels.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;
using Map = ImageView<const float>;

// Keeps quotients of small or empty subjects finite: a thousandth of the map.
constexpr double floor_share = 1e-3;
// Doubt beyond which a map is no more doubtful.
constexpr double most_doubt = 2.0;

double cells_of(const Map& map) {
    return static_cast<double>(map.height) * static_cast<double>(map.width);
}

void check(const Map& alpha, const Map& flipped) {
    if (alpha.empty() || alpha.channels != 1)
        throw std::invalid_argument("confidence: the map must be h x w, not empty");
    if (!flipped.empty() && (flipped.height != alpha.height || flipped.width != alpha.width))
        throw std::invalid_argument("confidence: both maps must have one size");
}

double sum_of(const Map& map) {
    double sum = 0;
    for (ptrdiff_t y = 0; y < map.height; ++y)
        for (ptrdiff_t x = 0; x < map.width; ++x) sum += static_cast<double>(map.at(y, x));
    return sum;
}

double entropy_of(const Map& map) {
    const SegmentKernels& kernels = active_segment_kernels();
    Scratch<float> row(static_cast<std::size_t>(map.width));
    Scratch<float> bits(static_cast<std::size_t>(map.width));
    double sum = 0;
    for (ptrdiff_t y = 0; y < map.height; ++y) {
        const float* cells = map.row(y);
        if (map.stride_x != 1) {
            for (ptrdiff_t x = 0; x < map.width; ++x) row[x] = map.at(y, x);
            cells = row.data();
        }
        kernels.bits_from_alpha(cells, bits.data(), map.width);
        for (ptrdiff_t x = 0; x < map.width; ++x) sum += static_cast<double>(bits[x]);
    }
    return sum;
}

double border_mean(const Map& map) {
    const ptrdiff_t last_y = map.height - 1, last_x = map.width - 1;
    double sum = 0;
    for (ptrdiff_t x = 0; x <= last_x; ++x)
        sum += static_cast<double>(map.at(0, x)) + static_cast<double>(map.at(last_y, x));
    for (ptrdiff_t y = 0; y <= last_y; ++y)
        sum += static_cast<double>(map.at(y, 0)) + static_cast<double>(map.at(y, last_x));
    return sum / static_cast<double>(2 * (map.height + map.width));
}

double disagreement(const Map& one, const Map& other) {
    double low = 0, high = 0;
    for (ptrdiff_t y = 0; y < one.height; ++y)
        for (ptrdiff_t x = 0; x < one.width; ++x) {
            low += static_cast<double>(std::min(one.at(y, x), other.at(y, x)));
            high += static_cast<double>(std::max(one.at(y, x), other.at(y, x)));
        }
    const double floor = floor_share * cells_of(one);
    return 1.0 - (low + floor) / (high + floor);
}

bool has_outline(const Map& map) {
    double sum = 0;
    ptrdiff_t above = 0;
    for (ptrdiff_t y = 0; y < map.height; ++y)
        for (ptrdiff_t x = 0; x < map.width; ++x) {
            above += map.at(y, x) > 0.5f;
            sum += static_cast<double>(map.at(y, x));
        }
    const double subject = static_cast<double>(above) / cells_of(map);
    return above > 0 && subject < 1.0 - least_ground && std::isfinite(sum);
}

}  // namespace

std::vector<double> confidence_features(const Map& alpha, const Map& flipped) {
    check(alpha, flipped);
    const double cells = cells_of(alpha);
    const double area = sum_of(alpha) + floor_share * cells;
    std::vector<double> features = {std::min(most_doubt, entropy_of(alpha) / area),
                                    log_of(area / cells), border_mean(alpha)};
    if (!flipped.empty()) features.push_back(disagreement(alpha, flipped));
    return features;
}

Confidence confidence(const Map& alpha, const Map& flipped, const ConfidenceWeights& weights) {
    check(alpha, flipped);
    if (!has_outline(alpha)) return {true, 0.0, true};
    const std::vector<double>& fitted = flipped.empty() ? weights.single : weights.flip_tta;
    if (fitted.empty()) return {};
    const std::vector<double> features = confidence_features(alpha, flipped);
    if (fitted.size() != features.size() + 1)
        throw std::invalid_argument("confidence: a constant and one weight a feature are needed");
    double score = 0;
    for (std::size_t i = 0; i < features.size(); ++i) score += fitted[i + 1] * features[i];
    const double overlap = logistic_of(fitted[0] + score);
    return {true, overlap, overlap < low_confidence};
}

double map_confidence(const Map& alpha, const ConfidenceWeights& weights) {
    const Confidence expected = confidence(alpha, {}, weights);
    if (expected.known) return expected.overlap;
    return std::max(0.0, 1.0 - confidence_features(alpha, {})[0] / (2 * even_doubt));
}

}  // namespace nssbg
