// How far a network's map may be trusted, from the map itself and from that of the mirrored
// picture. The weights are fitted to one network and come with its description; what is counted
// with them, and below what a result is announced as doubtful, stands here.
#pragma once

#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Expected overlap below which a person should look, and a larger model is worth its time.
constexpr double low_confidence = 0.75;
// Share of a map on either side of one half, below which it has no outline: it found nothing, or
// took everything. No fit has seen such maps (the bundled network's says 0.98 of them).
constexpr double least_ground = 1e-3;
// Doubt (bits a pixel of the subject) at which a map's place for its subject is as likely wrong as
// right: where the bundled network's expected overlap is one half. For networks without weights.
constexpr double even_doubt = 1.2;

// Weights of the logistic model that expects a map's overlap (IoU) with the truth, the constant
// first. Empty where none were fitted.
struct ConfidenceWeights {
    std::vector<double> single;    // 4: for the map of the picture alone
    std::vector<double> flip_tta;  // 5: for that and the mirrored picture's
};

struct Confidence {
    bool known = false;  // else no weights were fitted for this number of maps
    double overlap = 0;  // expected IoU with the truth, 0..1
    bool low = false;    // below low_confidence
};

// Doubt (binary entropy, in bits, summed and divided by the subject's area), the logarithm of the
// subject's share of the picture, the share of the frame's border that the subject covers and,
// where `flipped` is not empty, the soft disagreement of both maps (one minus their IoU). Maps are
// h x w, 0..1, strides may be anything; flipped is mirrored back. Throws std::invalid_argument for
// an empty map and for maps of different sizes.
std::vector<double> confidence_features(const ImageView<const float>& alpha,
                                        const ImageView<const float>& flipped);

// 0 and low, for any network, for a map without an outline: one that found nothing, took
// everything, or is not all finite. Throws as confidence_features, and for weights of another
// number.
Confidence confidence(const ImageView<const float>& alpha, const ImageView<const float>& flipped,
                      const ConfidenceWeights& weights);

// Orders the maps of one network, 0..1, the surer ones first: by the expected overlap, or without
// weights by how little doubt there is in the map. One half is as good as a guess.
double map_confidence(const ImageView<const float>& alpha, const ConfidenceWeights& weights);

}  // namespace nssbg
