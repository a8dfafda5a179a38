// The soft band along the outline: which working pixels are in it, the local colours of
// subject and backdrop on either side, and from these an affine model of alpha per pixel,
// a = colour . v + k, which is drawn at full size.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "studio/state.hpp"

namespace nssbg::studio {
namespace {

constexpr int deepest_climb = 14;
constexpr std::uint8_t backdrop_state = 0;
constexpr std::uint8_t subject_state = 1;
constexpr std::uint8_t band_state = 2;

template <class Visit>
void for_neighbours(const State& w, Index i, const Visit& visit) {
    // In 32 bits: a division of 64 takes several times as long.
    const auto pixel = static_cast<std::uint32_t>(i);
    const auto width = static_cast<std::uint32_t>(w.width);
    const Index y = pixel / width;
    const Index x = pixel % width;
    for (Index ny = std::max<Index>(0, y - 1); ny <= std::min(w.height - 1, y + 1); ++ny)
        for (Index nx = std::max<Index>(0, x - 1); nx <= std::min(w.width - 1, x + 1); ++nx)
            if (ny != y || nx != x) visit(ny * w.width + nx);
}

float distance2(const float* a, const float* b) {
    const float d0 = a[0] - b[0];
    const float d1 = a[1] - b[1];
    const float d2 = a[2] - b[2];
    return d0 * d0 + d1 * d1 + d2 * d2;
}

// Colours carried from where they are sure into the band, ring by ring: each new ring is
// the mean of the known pixels around it, then two sweeps smooth what was carried.
struct Propagated {
    std::vector<float> color;  // 3 per band pixel
    std::vector<std::uint8_t> known;
};

Propagated propagate(const State& w, const std::vector<std::int32_t>& band,
                     const Scratch<std::int32_t>& slot, const std::uint8_t* state,
                     std::uint8_t source, int reach) {
    Propagated out;
    const std::size_t count = band.size();
    out.color.assign(3 * count, 0.0f);
    out.known.assign(count, 0);
    std::vector<std::int32_t> waiting(count);
    for (std::size_t k = 0; k < count; ++k) waiting[k] = static_cast<std::int32_t>(k);
    std::vector<std::int32_t> still;
    std::vector<std::int32_t> found;
    const float* const smooth[3] = {w.smooth[0], w.smooth[1], w.smooth[2]};
    const auto mean_around = [&](std::size_t k, float* mean) {
        float total = 0;
        float sum[3] = {};
        for_neighbours(w, band[k], [&](Index j) {
            if (state[j] == source) {
                for (int c = 0; c < 3; ++c) sum[c] += smooth[c][j];
                total += 1;
            } else if (state[j] == band_state) {
                const auto s = static_cast<std::size_t>(slot[j]);
                if (out.known[s] == 0) return;
                for (int c = 0; c < 3; ++c)
                    sum[c] += out.color[3 * s + static_cast<std::size_t>(c)];
                total += 1;
            }
        });
        if (total == 0) return false;
        for (int c = 0; c < 3; ++c) mean[c] = sum[c] / total;
        return true;
    };
    for (int round = 0; round < reach && !waiting.empty(); ++round) {
        still.clear();
        found.clear();
        for (const std::int32_t k : waiting) {
            float mean[3];
            if (mean_around(static_cast<std::size_t>(k), mean)) {
                for (std::size_t c = 0; c < 3; ++c)
                    out.color[3 * static_cast<std::size_t>(k) + c] = mean[c];
                found.push_back(k);
            } else {
                still.push_back(k);
            }
        }
        for (const std::int32_t k : found) out.known[static_cast<std::size_t>(k)] = 1;
        if (found.empty()) break;
        waiting.swap(still);
    }
    std::vector<float> next;
    for (int sweep = 0; sweep < 2; ++sweep) {
        next = out.color;
        for (std::size_t k = 0; k < count; ++k) {
            float mean[3];
            if (out.known[k] == 0 || !mean_around(k, mean)) continue;
            for (std::size_t c = 0; c < 3; ++c)
                next[3 * k + c] = 0.5f * (out.color[3 * k + c] + mean[c]);
        }
        out.color.swap(next);
    }
    return out;
}

}  // namespace

AlphaModel model_outline(State& w) {
    AlphaModel model;
    const Index count = w.count();
    model.pitch = w.width + 1;
    model.state = Scratch<std::uint8_t>(static_cast<std::size_t>(count));
    std::uint8_t* state = model.state.data();
    const std::uint8_t* region = w.region.data();
    for (Index i = 0; i < count; ++i) state[i] = region[i] != 0 ? backdrop_state : subject_state;

    const auto deviation = [&](Index i) {
        const float p[3] = {w.smooth[0][i], w.smooth[1][i], w.smooth[2][i]};
        const float b[3] = {w.backdrop[0][i], w.backdrop[1][i], w.backdrop[2][i]};
        return std::sqrt(distance2(p, b));
    };

    // Outline pixels on both sides, then two rings outwards, and inwards at least two and
    // as far as the colour still climbs away from the backdrop (defocus, hair).
    std::vector<std::int32_t> inner;
    std::vector<std::int32_t> outer;
    const Index width = w.width;
    const auto flat = [&](Index i) {
        const std::uint64_t here = eight(region + i);
        return here == eight(region + i - 1) && here == eight(region + i + 1) &&
               here == eight(region + i - width) && here == eight(region + i + width);
    };
    for (Index y = 0; y < w.height; ++y)
        for (Index x = 0; x < width; ++x) {
            const Index i = y * width + x;
            if (x > 0 && x + 9 <= width && y > 0 && y < w.height - 1 && flat(i)) {
                x += 7;
                continue;
            }
            const std::uint8_t here = region[i];
            bool boundary = false;
            if (x > 0) boundary |= region[i - 1] != here;
            if (x < w.width - 1) boundary |= region[i + 1] != here;
            if (y > 0) boundary |= region[i - w.width] != here;
            if (y < w.height - 1) boundary |= region[i + w.width] != here;
            if (!boundary) continue;
            (here != 0 ? outer : inner).push_back(static_cast<std::int32_t>(i));
        }
    const float outline = static_cast<float>(inner.size());
    std::vector<std::int32_t> ring = outer;
    std::vector<std::int32_t> next_ring;
    for (int round = 0; round < 2; ++round) {
        next_ring.clear();
        for (const std::int32_t i : ring) {
            if (state[i] == band_state) continue;
            state[i] = band_state;
            for_neighbours(w, i, [&](Index j) {
                if (region[j] != 0 && state[j] == backdrop_state)
                    next_ring.push_back(static_cast<std::int32_t>(j));
            });
        }
        ring.swap(next_ring);
    }
    ring = inner;
    for (const std::int32_t i : ring) state[i] = band_state;
    const float least_climb = std::max(3.0f, 3.0f * w.working_noise);
    for (int round = 1; round < deepest_climb && !ring.empty(); ++round) {
        next_ring.clear();
        for (const std::int32_t i : ring) {
            const float here = deviation(i);
            for_neighbours(w, i, [&](Index j) {
                if (state[j] != subject_state) return;
                if (round > 1 && deviation(j) < here * 1.08f + least_climb) return;
                state[j] = band_state;
                next_ring.push_back(static_cast<std::int32_t>(j));
            });
        }
        ring.swap(next_ring);
    }
    if (w.key >= 0) {
        // Strands over a screen: whatever is partly screen is in the band.
        const int first = w.key == 1 ? 0 : 1;
        const int second = w.key == 1 ? 2 : 0;
        const float strand = 3.0f + 4.0f * w.working_noise;
        for (Index i = 0; i < count; ++i) {
            if (state[i] != backdrop_state || w.evidence[i] == 2) continue;
            // A fold or a shadow is smooth; a strand is not.
            if (w.gradient[i] < strand && 1.5f * w.surroundings[i] < strand) continue;
            state[i] = band_state;
            for_neighbours(w, i, [&](Index j) {
                if (state[j] == backdrop_state) state[j] = band_state;
            });
        }
        for (Index i = 0; i < count; ++i) {
            if (state[i] != subject_state) continue;
            const float key = w.color[w.key][i] - std::max(w.color[first][i], w.color[second][i]);
            const float full =
                w.backdrop[w.key][i] - std::max(w.backdrop[first][i], w.backdrop[second][i]);
            if (key > 0.12f * full) state[i] = band_state;
        }
    }

    std::vector<std::int32_t> band;
    Scratch<std::int32_t> slot(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i)
        if (state[i] == band_state) {
            slot[i] = static_cast<std::int32_t>(band.size());
            band.push_back(static_cast<std::int32_t>(i));
        }
    model.band_count = static_cast<Index>(band.size());

    const Propagated back = propagate(w, band, slot, state, backdrop_state, 3 * deepest_climb);
    const Propagated front = propagate(w, band, slot, state, subject_state, deepest_climb + 4);

    for (auto& plane : model.plane)
        plane = Scratch<float>(static_cast<std::size_t>(model.pitch * w.height));
    for (Index y = 0; y < w.height; ++y) {
        for (int v = 0; v < 4; ++v)
            std::memset(model.plane[v].data() + y * model.pitch, 0,
                        static_cast<std::size_t>(model.pitch) * sizeof(float));
        float* k = model.plane[4].data() + y * model.pitch;
        for (Index x = 0; x < w.width; ++x)
            k[x] = state[y * w.width + x] == subject_state ? 1.0f : 0.0f;
        k[w.width] = k[w.width - 1];
    }

    const int first = w.key == 1 ? 0 : 1;
    const int second = w.key == 1 ? 2 : 0;
    const float floor2 = (2.0f + 2.0f * w.noise) * (2.0f + 2.0f * w.noise);
    double contrast_sum = 0;
    double contrast_count = 0;
    double on_edge = 0;
    for (std::size_t slot_index = 0; slot_index < band.size(); ++slot_index) {
        const Index i = band[slot_index];
        const Index at = (i / w.width) * model.pitch + i % w.width;
        float b[3];
        for (std::size_t c = 0; c < 3; ++c)
            b[c] = back.known[slot_index] != 0 ? back.color[3 * slot_index + c]
                                               : w.backdrop[static_cast<int>(c)][i];
        // The most unlike subject pixel around: full cover of a thin wire or strand.
        float own[3] = {w.color[0][i], w.color[1][i], w.color[2][i]};
        float own2 = -1;
        const Index x0 = i % w.width;
        const Index y0 = i / w.width;
        for (Index ny = std::max<Index>(0, y0 - 2); ny <= std::min(w.height - 1, y0 + 2); ++ny)
            for (Index nx = std::max<Index>(0, x0 - 2); nx <= std::min(w.width - 1, x0 + 2); ++nx) {
                const Index j = ny * w.width + nx;
                if (region[j] != 0) continue;
                const float p[3] = {w.color[0][j], w.color[1][j], w.color[2][j]};
                const float d2 = distance2(p, b);
                if (d2 > own2) {
                    own2 = d2;
                    for (int c = 0; c < 3; ++c) own[c] = p[c];
                }
            }
        float f[3] = {own[0], own[1], own[2]};
        if (front.known[slot_index] != 0) {
            float carried[3];
            float dot = 0;
            for (std::size_t c = 0; c < 3; ++c) {
                carried[c] = front.color[3 * slot_index + c];
                dot += (carried[c] - b[c]) * (own[c] - b[c]);
            }
            const float carried2 = distance2(carried, b);
            // Same material (aligned, and not much more unlike than what was carried):
            // partly covered hair keeps its soft alpha. Else the pixel's own colours.
            const bool aligned = dot > 0 && dot * dot > 0.8f * carried2 * own2;
            if (own2 <= 0 || (aligned && own2 < 1.7f * carried2))
                for (int c = 0; c < 3; ++c) f[c] = carried[c];
        }
        // How much of the neighbourhood is subject: stands in where colours are alike.
        float inside = region[i] == 0 ? 2.0f : 0.0f;
        float around = 2.0f;
        for_neighbours(w, i, [&](Index j) {
            inside += region[j] == 0 ? 1.0f : 0.0f;
            around += 1.0f;
        });
        const float prior = std::clamp(1.5f * inside / around - 0.25f, 0.0f, 1.0f);
        const float d2 = distance2(f, b);
        const float distance = std::sqrt(d2);
        if (w.key >= 0) {
            const float full = std::max(8.0f, b[w.key] - std::max(b[first], b[second]));
            const float low = std::min(0.15f, 0.04f + 2.0f * w.noise / full);
            const float high = 0.08f;
            const float stretch = 1.0f / (1.0f - low - high);
            model.plane[3][at] = -stretch / full;
            model.plane[4][at] = (1.0f - low) * stretch;
        } else {
            const float sure = d2 / (d2 + floor2);
            const float low = std::min(0.14f, 0.03f + 1.2f * w.noise / (distance + 1.0f));
            const float high = std::min(0.10f, 0.04f + 0.8f * w.noise / (distance + 1.0f));
            const float stretch = 1.0f / (1.0f - low - high);
            const float gain = d2 > 1.0f ? sure * stretch / d2 : 0.0f;
            float k = (1.0f - sure) * prior - low * stretch * sure;
            for (int c = 0; c < 3; ++c) {
                const float v = gain * (f[c] - b[c]);
                model.plane[c][at] = v;
                k -= v * b[c];
            }
            model.plane[4][at] = k;
        }
        if (region[i] == 0) {
            bool outline_pixel = false;
            for_neighbours(w, i, [&](Index j) { outline_pixel |= region[j] != 0; });
            if (outline_pixel) {
                contrast_sum += static_cast<double>(distance);
                contrast_count += 1;
                if (w.gradient[i] > std::max(2.0f, 0.12f * distance)) on_edge += 1;
            }
        }
    }
    for (int v = 0; v < 5; ++v)
        for (Index y = 0; y < w.height; ++y) {
            float* row = model.plane[v].data() + y * model.pitch;
            row[w.width] = row[w.width - 1];
        }
    if (contrast_count > 0) {
        model.contrast = static_cast<float>(contrast_sum / contrast_count);
        model.agreement = static_cast<float>(on_edge / contrast_count);
    }
    model.outline_length = outline;
    return model;
}

}  // namespace nssbg::studio
