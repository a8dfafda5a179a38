// The map of circles of confusion as the driver reads it: bounds over a part, and rows of cells.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

class Radii {
public:
    Radii(ImageView<const float> map, std::ptrdiff_t height, std::ptrdiff_t width)
        : map_(map),
          down_(static_cast<float>(map.height) / static_cast<float>(height)),
          across_(static_cast<float>(map.width) / static_cast<float>(width)) {}

    // Least and largest radius that pixels of [top, bottom) x [left, right) can have.
    void bounds(std::ptrdiff_t top, std::ptrdiff_t left, std::ptrdiff_t bottom,
                std::ptrdiff_t right, float& least, float& largest) const {
        const auto y0 = cell(static_cast<float>(top) * down_ - 1.0f, map_.height);
        const auto y1 = cell(static_cast<float>(bottom) * down_ + 1.0f, map_.height);
        const auto x0 = cell(static_cast<float>(left) * across_ - 1.0f, map_.width);
        const auto x1 = cell(static_cast<float>(right) * across_ + 1.0f, map_.width);
        least = largest = map_.at(y0, x0);
        for (auto y = y0; y <= y1; ++y)
            for (auto x = x0; x <= x1; ++x) {
                least = std::min(least, map_.at(y, x));
                largest = std::max(largest, map_.at(y, x));
            }
    }

    // The radii at the middles of `count` cells of `factor` pixels, from pixel `left` on, in the
    // row of cells whose middle is at height y (in pixels).
    void row(float y, std::ptrdiff_t left, std::ptrdiff_t factor, std::ptrdiff_t count,
             std::vector<float>& line, float* out) const {
        const float place = inside(y * down_ - 0.5f, map_.height);
        const auto upper = static_cast<std::ptrdiff_t>(place);
        const auto lower = std::min(upper + 1, map_.height - 1);
        const float share = place - static_cast<float>(upper);
        line.resize(static_cast<std::size_t>(map_.width) + 1);
        const auto first = cell(static_cast<float>(left) * across_ - 2.0f, map_.width);
        const auto last =
            cell(static_cast<float>(left + count * factor) * across_ + 2.0f, map_.width);
        for (auto x = first; x <= last; ++x) {
            const float above = map_.at(upper, x);
            line[static_cast<std::size_t>(x)] = above + share * (map_.at(lower, x) - above);
        }
        line[static_cast<std::size_t>(last) + 1] = line[static_cast<std::size_t>(last)];
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            const float x =
                static_cast<float>(left + i * factor) + 0.5f * static_cast<float>(factor);
            const float at = inside(x * across_ - 0.5f, map_.width);
            const auto index = static_cast<std::size_t>(at);
            out[i] =
                line[index] + (at - static_cast<float>(index)) * (line[index + 1] - line[index]);
        }
    }

private:
    static float inside(float place, std::ptrdiff_t count) {
        return std::min(std::max(place, 0.0f), static_cast<float>(count - 1));
    }
    static std::ptrdiff_t cell(float place, std::ptrdiff_t count) {
        return static_cast<std::ptrdiff_t>(inside(place, count));
    }

    ImageView<const float> map_;
    float down_, across_;
};

}  // namespace nssbg
