// One number that says whether the studio method's answer is to be trusted.
#include <algorithm>
#include <cmath>

#include "studio/state.hpp"

namespace nssbg::studio {

// Fitted by bench/studio_calibration.py to drawn studio pictures, drawn clutter and street
// photographs: the probability that the alpha's IoU with the truth is at least 0.9. The
// link is 0.5 + 0.5 z / sqrt(1 + z^2), which needs no exp and so is the same everywhere.
float confidence_of(const StudioReport& report) {
    const float share = report.foreground_share;
    if (share <= 0 || share >= 1) return 0.0f;
    float sides[4];
    std::copy(report.side_share, report.side_share + 4, sides);
    std::sort(sides, sides + 4);
    const float contrast = report.outline_contrast / (report.outline_contrast + 40.0f);
    const struct {
        float weight;
        float value;
    } terms[] = {
        {-3.125f, 1.0f},
        {0.439f, report.border_share},
        {0.885f, sides[1]},  // the worst side may hold a subject cut by the picture
        {-1.797f, std::min(report.residual / 5, 2.0f)},
        {1.089f, std::min(report.noise / 5, 2.0f)},
        {-1.973f, std::min(report.backdrop_texture / 3, 2.0f)},
        {0.850f, report.subject_unity},
        {-0.447f, report.border_touch},
        {4.520f, contrast},
        {0.471f, report.outline_agreement},
        {-1.899f, std::min(report.outline_length / 5, 3.0f)},
        {-0.139f, std::min(report.band_share * 5, 2.0f)},
        {-1.033f, std::max(0.0f, 1.0f - share / 0.02f)},
        {-2.093f, std::max(0.0f, (share - 0.6f) / 0.4f)},
    };
    float z = 0;
    for (const auto& term : terms) z += term.weight * term.value;
    return 0.5f + 0.5f * z / std::sqrt(1.0f + z * z);
}

}  // namespace nssbg::studio
