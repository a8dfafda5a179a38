// Which pixels are backdrop: evidence per pixel, growth from the border through openings
// wide enough not to be leaks, and what to do with small components and enclosed pieces.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "nssbg/parallel.hpp"
#include "studio/state.hpp"

namespace nssbg::studio {
namespace {

constexpr Index opening = 6;  // working pixels

using Row3 = void (*)(const std::uint8_t*, const std::uint8_t*, const std::uint8_t*, std::uint8_t*,
                      std::ptrdiff_t);

void morph(const State& w, Row3 kernel, const std::uint8_t* in, std::uint8_t* out) {
    parallel_for(w.threads, w.height, 64, [&](Index begin, Index end, int) {
        for (Index y = begin; y < end; ++y)
            kernel(in + std::max<Index>(0, y - 1) * w.width, in + y * w.width,
                   in + std::min(w.height - 1, y + 1) * w.width, out + y * w.width, w.width);
    });
}

// Whether none of eight pixels (bytes 0 or 1) is in `open` and not in `done`.
bool none_open(const std::uint8_t* open, const std::uint8_t* done) {
    return (eight(open) & ~eight(done)) == 0;
}

// 4-connected flood over pixels where `open` is set and `done` is not; marks `done`.
// The queue holds the seeds; returns how many pixels the queue then lists.
Index flood(const State& w, const std::uint8_t* open, std::uint8_t* done, Index seeds) {
    std::int32_t* queue = w.queue.data();
    Index tail = seeds;
    const Index width = w.width;
    const Index last_row = (w.height - 1) * width;
    for (Index head = 0; head < tail; ++head) {
        const Index i = queue[head];
        // In 32 bits: the division is what a visit costs most.
        const Index x = static_cast<std::uint32_t>(i) % static_cast<std::uint32_t>(width);
        const auto visit = [&](Index j) {
            if (open[j] == 0 || done[j] != 0) return;
            done[j] = 1;
            queue[tail++] = static_cast<std::int32_t>(j);
        };
        if (x > 0) visit(i - 1);
        if (x < width - 1) visit(i + 1);
        if (i >= width) visit(i - width);
        if (i < last_row) visit(i + width);
    }
    return tail;
}

// Dilates `region` by `rounds` pixels inside `open`.
void dilate_within(const State& w, const std::uint8_t* __restrict open,
                   std::uint8_t* __restrict region, std::uint8_t* __restrict scratch, int rounds) {
    const auto& kernels = active_studio_kernels();
    const Index count = w.count();  // a store of bytes might change it, as far as is known
    for (int round = 0; round < rounds; ++round) {
        morph(w, kernels.maximum3_row, region, scratch);
        for (Index i = 0; i < count; ++i)
            region[i] = static_cast<std::uint8_t>(region[i] | (scratch[i] & open[i]));
    }
}

void open_by(const State& w, std::uint8_t least, int radius, std::uint8_t* __restrict open,
             std::uint8_t* eroded, std::uint8_t* scratch) {
    const auto& kernels = active_studio_kernels();
    const std::uint8_t* __restrict evidence = w.evidence.data();
    const Index count = w.count();
    for (Index i = 0; i < count; ++i) open[i] = evidence[i] >= least ? 1 : 0;
    std::memcpy(eroded, open, static_cast<std::size_t>(w.count()));
    for (int round = 0; round < radius; ++round) {
        morph(w, kernels.minimum3_row, eroded, scratch);
        std::memcpy(eroded, scratch, static_cast<std::size_t>(w.count()));
    }
}

}  // namespace

void find_evidence(State& w) {
    const auto& kernels = active_studio_kernels();
    parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
        for (Index y = begin; y < end; ++y) {
            const Index at = y * w.width;
            std::uint8_t* out = w.evidence.data() + at;
            if (w.key >= 0) {
                const int first = w.key == 1 ? 0 : 1;
                const int second = w.key == 1 ? 2 : 0;
                kernels.screen_evidence_row(w.smooth[w.key] + at, w.smooth[first] + at,
                                            w.smooth[second] + at, w.backdrop[w.key] + at,
                                            w.backdrop[first] + at, w.backdrop[second] + at, out,
                                            w.width);
                continue;
            }
            const float* const color[3] = {w.smooth[0] + at, w.smooth[1] + at, w.smooth[2] + at};
            const float* const backdrop[3] = {w.backdrop[0] + at, w.backdrop[1] + at,
                                              w.backdrop[2] + at};
            kernels.evidence_row(color, backdrop, w.gradient.data() + at,
                                 w.surroundings.data() + at, w.limits, out, w.width);
        }
    });
}

void grow_region(State& w) {
    std::uint8_t* open = w.spare[0].data();
    std::uint8_t* eroded = w.spare[1].data();
    std::uint8_t* scratch = w.spare[2].data();
    std::uint8_t* region = w.region.data();
    const auto count = static_cast<std::size_t>(w.count());
    if (w.key >= 0) {
        // A screen's colour is screen wherever it is: no connection to the border needed.
        for (Index i = 0; i < w.count(); ++i) region[i] = w.evidence[i] > 0 ? 1 : 0;
        return;
    }
    // Gaps in an outline up to twice this wide (where light on the subject happens to equal
    // the backdrop's) do not leak.
    const int radius =
        static_cast<int>(std::clamp<Index>(std::min(w.height, w.width) / 96, 1, opening));
    open_by(w, 1, radius, open, eroded, scratch);
    std::memset(region, 0, count);
    std::int32_t* queue = w.queue.data();
    Index seeds = 0;
    const auto seed = [&](Index i) {
        // A subject cut by the border must not seed itself as a deep shadow.
        if (eroded[i] == 0 || region[i] != 0 || w.evidence[i] < 2) return;
        region[i] = 1;
        queue[seeds++] = static_cast<std::int32_t>(i);
    };
    for (Index x = 0; x < w.width; ++x) {
        seed(x);
        seed((w.height - 1) * w.width + x);
    }
    for (Index y = 0; y < w.height; ++y) {
        seed(y * w.width);
        seed(y * w.width + w.width - 1);
    }
    flood(w, eroded, region, seeds);
    dilate_within(w, open, region, scratch, radius + 1);
    // Corridors narrower than the opening (between fingers, under a handle) are entered
    // only where the match is close.
    open_by(w, 2, 1, open, eroded, scratch);
    seeds = 0;
    // Not every pixel of the region is a seed, only what lies just outside it: mostly nothing.
    const auto inside = [&](Index i) { return region[i] != 0 && eroded[i] != 0; };
    for (Index y = 0; y < w.height; ++y) {
        const Index end = (y + 1) * w.width;
        for (Index i = y * w.width; i < end; ++i) {
            if (i + 8 <= end && none_open(eroded + i, region + i)) {
                i += 7;
                continue;
            }
            if (eroded[i] == 0 || region[i] != 0) continue;
            if ((i > y * w.width && inside(i - 1)) || (i + 1 < end && inside(i + 1)) ||
                (y > 0 && inside(i - w.width)) || (y + 1 < w.height && inside(i + w.width))) {
                region[i] = 1;
                queue[seeds++] = static_cast<std::int32_t>(i);
            }
        }
    }
    flood(w, eroded, region, seeds);
    dilate_within(w, open, region, scratch, 2);
}

// Visits the 4-connected pieces of `member`, in raster order of their first pixel; body gets the
// number of pixels, which stand at the front of the queue.
template <class Body>
static void for_each_piece(const State& w, const std::uint8_t* member, std::uint8_t* done,
                           const Body& body) {
    std::memset(done, 0, static_cast<std::size_t>(w.count()));
    for (Index start = 0; start < w.count(); ++start) {
        if (start + 8 <= w.count() && none_open(member + start, done + start)) {
            start += 7;
            continue;
        }
        if (member[start] == 0 || done[start] != 0) continue;
        done[start] = 1;
        w.queue[0] = static_cast<std::int32_t>(start);
        body(flood(w, member, done, 1));
    }
}

static float distance_to_backdrop(const State& w, Index i) {
    float sum = 0;
    for (int c = 0; c < 3; ++c) {
        const float d = w.smooth[c][i] - w.backdrop[c][i];
        sum += d * d;
    }
    return std::sqrt(sum);
}

// Writes 1 for subject, 0 for backdrop; returns how many are subject.
static Index mark_subject(const State& w, std::uint8_t* __restrict subject) {
    const std::uint8_t* __restrict region = w.region.data();
    const Index count = w.count();
    Index total = 0;
    for (Index i = 0; i < count; ++i) {
        subject[i] = region[i] == 0 ? 1 : 0;
        total += subject[i];
    }
    return total;
}

void drop_small_components(State& w) {
    if (w.key >= 0) return;  // before a screen a small piece is a strand
    // Pieces of "subject" too small or too faint to be one: noise, dust, paper grain.
    std::uint8_t* subject = w.spare[1].data();
    mark_subject(w, subject);
    const Index tiny = std::max<Index>(2, std::min<Index>(12, w.count() / 10000));
    const Index small = std::max<Index>(6, w.count() / 3000);
    const float strong = 24.0f + 8.0f * w.working_noise;
    for_each_piece(w, subject, w.spare[0].data(), [&](Index size) {
        if (size > small) return;
        double sum = 0;
        for (Index k = 0; k < size; ++k)
            sum += static_cast<double>(distance_to_backdrop(w, w.queue[k]));
        if (size > tiny && sum > static_cast<double>(strong) * static_cast<double>(size)) return;
        for (Index k = 0; k < size; ++k) w.region[w.queue[k]] = 1;
    });
}

float largest_piece_share(State& w) {
    std::uint8_t* subject = w.spare[1].data();
    const Index total = mark_subject(w, subject);
    Index largest = 0;
    for_each_piece(w, subject, w.spare[0].data(),
                   [&](Index size) { largest = std::max(largest, size); });
    return total == 0 ? 0.0f : static_cast<float>(largest) / static_cast<float>(total);
}

// How far each subject pixel lies from the backdrop (3-4 chamfer, thirds of a pixel).
constexpr std::int32_t far = 1 << 28;

// The part of a sweep in which no pixel waits for the one before it.
static void least_of_row_beside(const std::int32_t* __restrict beside, std::int32_t* __restrict row,
                                Index width) {
    for (Index x = 0; x < width; ++x) row[x] = std::min(row[x], beside[x] + 3);
    for (Index x = 1; x < width; ++x) row[x] = std::min(row[x], beside[x - 1] + 4);
    for (Index x = 0; x + 1 < width; ++x) row[x] = std::min(row[x], beside[x + 1] + 4);
}

static Scratch<std::int32_t> depth_of_subject(const State& w) {
    Scratch<std::int32_t> depth(static_cast<std::size_t>(w.count()));
    const Index width = w.width;
    const Index height = w.height;
    for (Index y = 0; y < height; ++y) {
        std::int32_t* row = depth.data() + y * width;
        const std::uint8_t* region = w.region.data() + y * width;
        for (Index x = 0; x < width; ++x) row[x] = region[x] != 0 ? 0 : far;
        if (y > 0) least_of_row_beside(row - width, row, width);
        for (Index x = 1; x < width; ++x) row[x] = std::min(row[x], row[x - 1] + 3);
    }
    for (Index y = height - 1; y >= 0; --y) {
        std::int32_t* row = depth.data() + y * width;
        if (y < height - 1) least_of_row_beside(row + width, row, width);
        for (Index x = width - 2; x >= 0; --x) row[x] = std::min(row[x], row[x + 1] + 3);
    }
    return depth;
}

// Light difference from the model along the backdrop's own direction, in `light`; returns
// what is left of the difference, per channel, in `across`.
static float split_difference(const State& w, Index i, float across[3], float& length) {
    float d[3];
    float u[3];
    float along = 0;
    float length2 = 0;
    for (int c = 0; c < 3; ++c) {
        d[c] = w.smooth[c][i] - w.backdrop[c][i];
        u[c] = w.backdrop[c][i] + 16.0f;
        along += d[c] * u[c];
        length2 += u[c] * u[c];
    }
    length = std::sqrt(length2);
    for (int c = 0; c < 3; ++c) across[c] = d[c] - u[c] * (along / length2);
    return along / length;
}

// Marks subject pixels of the backdrop's colour under up to `down` less light, edges
// ignored as long as they are no steeper than `slope`.
static void mark_shaded(const State& w, float slope, float down, float up, std::uint8_t* member) {
    const Index count = w.count();
    for (Index i = 0; i < count; ++i) {
        member[i] = 0;
        if (w.region[i] != 0 || w.gradient[i] > slope) continue;
        float across[3];
        float length = 0;
        const float light = split_difference(w, i, across, length);
        const float limit = w.limits.chroma + w.limits.chroma_per_light * absolute(light);
        const float across2 = across[0] * across[0] + across[1] * across[1] + across[2] * across[2];
        member[i] = across2 < limit * limit && light < up && light > -down * length ? 1 : 0;
    }
}

void absorb_shadows(State& w) {
    if (w.key >= 0) return;
    // What the growth left standing of a shadow: pieces whose colour is the backdrop's under
    // less light, without a steep edge, thin, and bordered by backdrop more than by subject.
    const Scratch<std::int32_t> depth = depth_of_subject(w);
    std::uint8_t* member = w.spare[1].data();
    mark_shaded(w, std::min(w.limits.slope, 7.0f), w.limits.light_down, w.limits.tight_light + 4.0f,
                member);
    const std::int32_t thick =
        3 * static_cast<std::int32_t>(std::clamp<Index>(std::min(w.height, w.width) / 60, 3, 12));
    for_each_piece(w, member, w.spare[0].data(), [&](Index size) {
        std::int32_t deepest = 0;
        Index free_sides = 0;
        Index sides = 0;
        double tint[3] = {};
        double darkness = 0;
        for (Index k = 0; k < size; ++k) {
            const Index i = w.queue[k];
            deepest = std::max(deepest, depth[i]);
            float across[3];
            float length = 0;
            darkness -= static_cast<double>(split_difference(w, i, across, length));
            for (int c = 0; c < 3; ++c) tint[c] += static_cast<double>(across[c]);
            const Index x = i % w.width;
            const auto side = [&](Index j) {
                if (member[j] != 0) return;
                ++sides;
                free_sides += w.region[j] != 0 ? 1 : 0;
            };
            if (x > 0) side(i - 1);
            if (x < w.width - 1) side(i + 1);
            if (i >= w.width) side(i - w.width);
            if (i + w.width < w.count()) side(i + w.width);
        }
        if (5 * free_sides < 2 * sides) return;
        // A thick piece must also be darker and of exactly the backdrop's tint: over many
        // pixels the mean tells a shadow from a pale subject whose outline is faint.
        const double n = static_cast<double>(size);
        const double offset =
            std::sqrt(tint[0] * tint[0] + tint[1] * tint[1] + tint[2] * tint[2]) / n;
        if (deepest > thick && (darkness < 5.0 * n || offset > 1.5 + 0.02 * darkness / n)) return;
        for (Index k = 0; k < size; ++k) w.evidence[w.queue[k]] = 3;
    });
    for (Index i = 0; i < w.count(); ++i)
        if (w.evidence[i] == 3) w.region[i] = 1;
}

int open_holes(State& w, const Surface& border) {
    if (w.key >= 0) return 0;
    const Scratch<std::int32_t> depth = depth_of_subject(w);
    const Index width = w.width;
    std::uint8_t* open = w.spare[1].data();
    std::uint8_t* eroded = w.spare[2].data();
    Scratch<std::uint8_t> scratch(static_cast<std::size_t>(w.count()));
    // Shade inside a hole changes quickly, so edges do not count here, only steep ones.
    mark_shaded(w, w.limits.slope, 0.3f, 40.0f, open);
    morph(w, active_studio_kernels().minimum3_row, open, eroded);
    const Index least = std::max<Index>(6, w.count() / 40000);
    Index subject = 0;
    for (Index i = 0; i < w.count(); ++i) subject += w.region[i] == 0 ? 1 : 0;
    int holes = 0;
    for_each_piece(w, eroded, w.spare[0].data(), [&](Index size) {
        if (size < least) return;
        double mean[3] = {};
        double level = 0;
        double back[3] = {};
        double across_sum = 0;
        double down_sum = 0;
        double contrast = 0;
        Index rim = 0;
        std::int32_t thinnest = far;
        for (Index k = 0; k < size; ++k) {
            const Index i = w.queue[k];
            const Index x = i % width;
            const Index y = i / width;
            for (int c = 0; c < 3; ++c)
                mean[c] += static_cast<double>(w.smooth[c][i] - w.backdrop[c][i]);
            for (int c = 0; c < 3; ++c) back[c] += static_cast<double>(w.backdrop[c][i]);
            across_sum += static_cast<double>(x);
            down_sum += static_cast<double>(y);
            level += static_cast<double>(w.backdrop[0][i] + w.backdrop[1][i] + w.backdrop[2][i]);
            thinnest = std::min(thinnest, depth[i]);
            for (int n = 0; n < 4; ++n) {
                const Index nx = x + (n == 0 ? -9 : (n == 1 ? 9 : 0));
                const Index ny = y + (n == 2 ? -9 : (n == 3 ? 9 : 0));
                if (nx < 0 || ny < 0 || nx >= width || ny >= w.height) continue;
                const Index j = ny * width + nx;
                if (open[j] != 0 || w.region[j] != 0) continue;
                contrast += static_cast<double>(distance_to_backdrop(w, j));
                ++rim;
            }
        }
        if (rim == 0) return;
        const double n = static_cast<double>(size);
        double offset = 0;
        for (const double m : mean) offset += (m / n) * (m / n);
        offset = std::sqrt(offset / 3);
        contrast /= static_cast<double>(rim);
        const double radius = std::sqrt(n / 3.14159265);
        const double thickness = thinnest / 3.0;
        const bool clipped = level / n > 3 * 252.0;
        // A label or a white part looks like backdrop too. A hole shows the same light as
        // the backdrop outside, through a frame that is thin for its size.
        // A hole lies in its object's shade, so it may be darker than the model; hardly
        // brighter, as the model near a subject holds some of its shadow.
        const double brightness = (mean[0] + mean[1] + mean[2]) / (3 * n);
        // What is left when the change of light is taken along the backdrop's own colour.
        double along = 0;
        double length2 = 0;
        for (int c = 0; c < 3; ++c) {
            along += mean[c] / n * (back[c] / n + 16);
            length2 += (back[c] / n + 16) * (back[c] / n + 16);
        }
        double tint = 0;
        for (int c = 0; c < 3; ++c) {
            const double rest = mean[c] / n - along / length2 * (back[c] / n + 16);
            tint += rest * rest;
        }
        tint = std::sqrt(tint / 3);
        // The model behind a subject is a guess where it departs from the border's surface.
        const double u = w.width > 1 ? 2 * across_sum / n / static_cast<double>(width - 1) - 1 : 0;
        const double v =
            w.height > 1 ? 2 * down_sum / n / static_cast<double>(w.height - 1) - 1 : 0;
        const double departure =
            (level / n - border.value(0, u, v) - border.value(1, u, v) - border.value(2, u, v)) / 3;
        const bool modest = 10 * size < subject && contrast > 45 && tint < 1.4;
        const double brightest = modest ? 1.6 + 0.35 * std::fabs(departure) : 1.6;
        const double darkest = modest ? -0.06 * level / (3 * n) : -2.2;
        const bool alike =
            clipped ? offset < 2.0 : tint < 2.5 && brightness < brightest && brightness > darkest;
        const bool small = 50 * size < subject && contrast > 50 && brightness < 0 && !clipped;
        // A large piece is more often a label; a ring or a picture frame is thin for its hole.
        const bool large = 20 * size > 3 * subject;
        const double widest = large || clipped ? 0.5 : (small ? 2.5 : 1.0);
        const bool thin = thickness < widest * radius + 6.0;
        // Print on a label cuts it into ragged pieces; a hole is round.
        const bool round = static_cast<double>(rim) < 90.0 * radius;
        const bool known = std::fabs(departure) < 8 || modest;
        if (!alike || !thin || !round || !known ||
            contrast < 18.0 + 3.0 * static_cast<double>(w.working_noise))
            return;
        ++holes;
        for (Index k = 0; k < size; ++k) w.region[w.queue[k]] = 1;
    });
    if (holes > 0) {
        // Out to the hole's own outline, where the colour changes.
        mark_shaded(w, 1e9f, 0.3f, 40.0f, open);
        dilate_within(w, open, w.region.data(), scratch.data(), 5);
    }
    return holes;
}

}  // namespace nssbg::studio
