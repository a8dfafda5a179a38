// One number that says whether the studio method's answer is to be trusted.
#include <algorithm>
#include <cmath>

#include "studio/working.hpp"

namespace nssbg::studio {

float confidence_of(const StudioReport& report) {
    if (report.foreground_share <= 0 || report.foreground_share >= 1) return 0.0f;
    const auto ramp = [](float x, float low, float high) {
        return std::clamp((x - low) / (high - low), 0.0f, 1.0f);
    };
    return ramp(report.border_share, 0.4f, 0.8f);
}

}  // namespace nssbg::studio
