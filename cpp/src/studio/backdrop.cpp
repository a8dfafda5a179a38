// The backdrop's model: a robust polynomial through the picture's border, refined by a
// coarse grid of what it leaves over, and the limits within which a pixel belongs to it.
#include <algorithm>
#include <cmath>

#include "nssbg/parallel.hpp"
#include "studio/state.hpp"

namespace nssbg::studio {
namespace {

void basis(double u, double v, int terms, double* out) {
    const double all[most_terms] = {1,     u,         v,         u * u,     u * v,
                                    v * v, u * u * u, u * u * v, u * v * v, v * v * v};
    for (int i = 0; i < terms; ++i) out[i] = all[i];
}

// Solves three right-hand sides by Cholesky with a small ridge, which keeps thin or tiny
// pictures (where terms coincide) solvable.
void solve(double matrix[most_terms][most_terms], double right[3][most_terms], int terms,
           Surface& out) {
    const double ridge = 1e-6 * (matrix[0][0] + 1e-9);
    for (int i = 0; i < terms; ++i) matrix[i][i] += ridge;
    for (int j = 0; j < terms; ++j) {
        for (int k = 0; k < j; ++k) matrix[j][j] -= matrix[j][k] * matrix[j][k];
        matrix[j][j] = std::sqrt(std::max(matrix[j][j], 1e-12));
        for (int i = j + 1; i < terms; ++i) {
            for (int k = 0; k < j; ++k) matrix[i][j] -= matrix[i][k] * matrix[j][k];
            matrix[i][j] /= matrix[j][j];
        }
    }
    out = Surface{};
    out.terms = terms;
    for (int c = 0; c < 3; ++c) {
        double* x = out.coefficient[c];
        for (int i = 0; i < terms; ++i) {
            x[i] = right[c][i];
            for (int k = 0; k < i; ++k) x[i] -= matrix[i][k] * x[k];
            x[i] /= matrix[i][i];
        }
        for (int i = terms - 1; i >= 0; --i) {
            for (int k = i + 1; k < terms; ++k) x[i] -= matrix[k][i] * x[k];
            x[i] /= matrix[i][i];
        }
    }
}

Surface fit_weighted(const std::vector<BorderSample>& samples, const std::vector<float>& weights,
                     int terms) {
    double matrix[most_terms][most_terms] = {};
    double right[3][most_terms] = {};
    double term[most_terms];
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const double weight = weights[s];
        if (weight <= 0) continue;
        basis(samples[s].u, samples[s].v, terms, term);
        for (int i = 0; i < terms; ++i) {
            for (int j = 0; j <= i; ++j) matrix[i][j] += weight * term[i] * term[j];
            for (int c = 0; c < 3; ++c) right[c][i] += weight * term[i] * samples[s].color[c];
        }
    }
    Surface surface;
    solve(matrix, right, terms, surface);
    return surface;
}

// Root mean square of the three channels' residuals.
void residuals_of(const std::vector<BorderSample>& samples, const Surface& surface,
                  std::vector<float>& out) {
    out.resize(samples.size());
    double term[most_terms];
    for (std::size_t s = 0; s < samples.size(); ++s) {
        basis(samples[s].u, samples[s].v, surface.terms, term);
        double sum = 0;
        for (int c = 0; c < 3; ++c) {
            const double d = samples[s].color[c] - surface.combine(c, term);
            sum += d * d;
        }
        out[s] = static_cast<float>(std::sqrt(sum / 3));
    }
}

float quantile(std::vector<float> values, double share) {
    if (values.empty()) return 0;
    const auto k = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<Index>(k), values.end());
    return values[k];
}

// A later start must be clearly better: extrapolation is the worse guess.
bool better(double score, double than) { return score > than * 1.03 + 0.5; }

std::vector<BorderSample> border_samples(const State& w) {
    const Index depth = std::clamp<Index>(std::min(w.height, w.width) / 50, 1, 12);
    const Index rings = std::min<Index>(depth, 3);
    const Index perimeter = 2 * (w.height + w.width);
    const Index step = std::max<Index>(1, perimeter * rings / 1500);
    std::vector<BorderSample> samples;
    const auto add = [&](Index y, Index x, int side) {
        BorderSample s{};
        s.u = static_cast<float>(
            w.width > 1 ? 2.0 * static_cast<double>(x) / static_cast<double>(w.width - 1) - 1.0
                        : 0.0);
        s.v = static_cast<float>(
            w.height > 1 ? 2.0 * static_cast<double>(y) / static_cast<double>(w.height - 1) - 1.0
                         : 0.0);
        s.position = y * w.width + x;
        for (int c = 0; c < 3; ++c) s.color[c] = w.smooth[c][s.position];
        s.side = side;
        samples.push_back(s);
    };
    for (Index ring = 0; ring < rings; ++ring) {
        const Index d = rings == 1 ? 0 : ring * (depth - 1) / (rings - 1);
        const Index phase = ring * step / rings;
        if (2 * d >= std::min(w.height, w.width)) break;
        for (Index x = phase; x < w.width; x += step) {
            add(d, x, 0);
            add(w.height - 1 - d, x, 1);
        }
        for (Index y = phase; y < w.height; y += step) {
            add(y, d, 2);
            add(y, w.width - 1 - d, 3);
        }
    }
    if (samples.empty()) add(0, 0, 0);
    return samples;
}

}  // namespace

double Surface::value(int channel, double u, double v) const {
    double term[most_terms];
    basis(u, v, terms, term);
    return combine(channel, term);
}

double Surface::combine(int channel, const double* term) const {
    double sum = 0;
    for (int i = 0; i < terms; ++i) sum += coefficient[channel][i] * term[i];
    return sum;
}

BorderFit fit_border(const State& w) {
    BorderFit best;
    best.samples = border_samples(w);
    const auto& samples = best.samples;
    const Index smallest = std::min(w.height, w.width);
    const int terms = smallest < 8 ? 1 : (smallest < 24 ? 3 : 6);
    const float tolerance = std::max(5.0f, 4.0f * w.working_noise);
    // Starts: everything, then without each side or pair of sides, so that a subject cut
    // by one or two sides (a bust) does not bend the model.
    constexpr int starts[] = {0, 1, 2, 4, 8, 6, 10, 12};
    std::vector<float> weights(samples.size());
    std::vector<float> residual;
    double best_score = -1;
    const auto most = static_cast<double>(samples.size());
    for (const int left_out : starts) {
        if (!better(most, best_score)) break;  // plain backdrops: the first start says it all
        for (std::size_t s = 0; s < samples.size(); ++s)
            weights[s] = (left_out >> samples[s].side) & 1 ? 0.0f : 1.0f;
        Surface surface;
        // L1 by reweighting with a plane, then with the full polynomial.
        for (int round = 0; round < 8; ++round) {
            surface = fit_weighted(samples, weights, round < 4 ? std::min(terms, 3) : terms);
            residuals_of(samples, surface, residual);
            for (std::size_t s = 0; s < samples.size(); ++s)
                weights[s] = (round < 6 && ((left_out >> samples[s].side) & 1))
                                 ? 0.0f
                                 : 1.0f / std::max(residual[s], 0.5f);
        }
        // Tukey's biweight with a shrinking scale.
        float scale = std::max(4.0f * quantile(residual, 0.5), 2 * tolerance);
        for (int round = 0; round < 5; ++round) {
            for (std::size_t s = 0; s < samples.size(); ++s) {
                const float r = residual[s] / scale;
                const float t = r < 1 ? 1 - r * r : 0;
                weights[s] = t * t;
            }
            surface = fit_weighted(samples, weights, terms);
            residuals_of(samples, surface, residual);
            scale = std::max(scale * 0.6f, 1.5f * tolerance);
        }
        double score = 0;
        for (const float r : residual) {
            const float t = r / tolerance;
            score += t < 1 ? 1 - 0.5 * t * t : 0;
        }
        if (better(score, best_score)) {
            best_score = score;
            best.surface = surface;
        }
    }
    residuals_of(samples, best.surface, residual);
    best.tolerance = tolerance;
    best.inlier.resize(samples.size());
    std::vector<float> inliers;
    float side_total[4] = {};
    float inside = 0;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        best.inlier[s] = residual[s] < tolerance * 1.5f;
        side_total[samples[s].side] += 1;
        if (best.inlier[s] == 0) continue;
        inside += 1;
        best.side_share[samples[s].side] += 1;
        inliers.push_back(residual[s]);
    }
    for (int side = 0; side < 4; ++side)
        if (side_total[side] > 0) best.side_share[side] /= side_total[side];
    best.share = inside / static_cast<float>(samples.size());
    best.residual = quantile(inliers, 0.68);
    return best;
}

int screen_channel(const BorderFit& fit, ChromaScreen wanted) {
    if (wanted == ChromaScreen::off) return -1;
    if (wanted == ChromaScreen::green) return 1;
    if (wanted == ChromaScreen::blue) return 2;
    float mean[3] = {};
    float count = 0;
    for (std::size_t s = 0; s < fit.samples.size(); ++s) {
        if (fit.inlier[s] == 0) continue;
        for (int c = 0; c < 3; ++c) mean[c] += fit.samples[s].color[c];
        count += 1;
    }
    if (count < 1 || fit.share < 0.4f) return -1;
    for (const int key : {1, 2}) {
        const float rival = std::max(mean[key == 1 ? 0 : 1], mean[key == 1 ? 2 : 0]) / count;
        const float value = mean[key] / count;
        // Paper and paint of an ordinary coloured backdrop stay below this saturation; a
        // screen is lit to stand well above it.
        if (value - rival > 50 && value - rival > 0.35f * value) return key;
    }
    return -1;
}

Cells::Cells(const State& w) {
    height = (w.height + size - 1) / size;
    width = (w.width + size - 1) / size;
    for (auto& plane : residual) plane.assign(static_cast<std::size_t>(height * (width + 1)), 0.0f);
    index.resize(static_cast<std::size_t>(w.width));
    weight.resize(static_cast<std::size_t>(w.width));
    for (Index x = 0; x < w.width; ++x) {
        const float position = (static_cast<float>(x) + 0.5f) / size - 0.5f;
        const Index left = std::clamp<Index>(static_cast<Index>(std::floor(position)), 0,
                                             std::max<Index>(0, width - 2));
        index[static_cast<std::size_t>(x)] = static_cast<std::int32_t>(left);
        weight[static_cast<std::size_t>(x)] =
            width > 1 ? std::clamp(position - static_cast<float>(left), 0.0f, 1.0f) : 0.0f;
    }
}

void fill_backdrop(State& w, const Surface& surface, const Cells& cells) {
    const auto& kernels = active_studio_kernels();
    const Index pitch = cells.width + 1;
    parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
        std::vector<float> lerped(static_cast<std::size_t>(pitch));
        const float step = w.width > 1 ? 2.0f / static_cast<float>(w.width - 1) : 0.0f;
        for (Index y = begin; y < end; ++y) {
            const double v =
                w.height > 1
                    ? 2.0 * static_cast<double>(y) / static_cast<double>(w.height - 1) - 1.0
                    : 0.0;
            const float position = (static_cast<float>(y) + 0.5f) / Cells::size - 0.5f;
            const Index top = std::clamp<Index>(static_cast<Index>(std::floor(position)), 0,
                                                std::max<Index>(0, cells.height - 2));
            const Index bottom = std::min(top + 1, cells.height - 1);
            const float t = std::clamp(position - static_cast<float>(top), 0.0f, 1.0f);
            for (int c = 0; c < 3; ++c) {
                const double* a = surface.coefficient[c];
                const float in_u[4] = {
                    static_cast<float>(a[0] + v * (a[2] + v * (a[5] + v * a[9]))),
                    static_cast<float>(a[1] + v * (a[4] + v * a[8])),
                    static_cast<float>(a[3] + v * a[7]), static_cast<float>(a[6])};
                const float* residual = cells.residual[c].data();
                kernels.lerp_row(residual + top * pitch, residual + bottom * pitch, t,
                                 lerped.data(), pitch);
                kernels.backdrop_row(in_u, step, lerped.data(), cells.index.data(),
                                     cells.weight.data(), w.backdrop[c] + y * w.width, w.width);
            }
        }
    });
}

void refit_cells(const State& w, const Surface& surface, Cells& cells) {
    const Index pitch = cells.width + 1;
    const Index total = cells.height * pitch;
    std::vector<float> confidence(static_cast<std::size_t>(total), 0.0f);
    for (Index cy = 0; cy < cells.height; ++cy)
        for (Index cx = 0; cx < cells.width; ++cx) {
            const Index y1 = std::min(w.height, (cy + 1) * Cells::size);
            const Index x1 = std::min(w.width, (cx + 1) * Cells::size);
            double sum[3] = {};
            double v_mean = 0;
            double u_mean = 0;
            Index seen = 0;
            for (Index y = cy * Cells::size; y < y1; ++y)
                for (Index x = cx * Cells::size; x < x1; x += 2) {
                    const Index i = y * w.width + x;
                    if (w.region[i] == 0) continue;
                    for (int c = 0; c < 3; ++c) sum[c] += static_cast<double>(w.smooth[c][i]);
                    u_mean += static_cast<double>(x);
                    v_mean += static_cast<double>(y);
                    ++seen;
                }
            const Index i = cy * pitch + cx;
            for (auto& plane : cells.residual) plane[static_cast<std::size_t>(i)] = 0;
            if (seen < 16) continue;
            const double n = static_cast<double>(seen);
            const double u =
                w.width > 1 ? 2 * u_mean / n / static_cast<double>(w.width - 1) - 1 : 0;
            const double v =
                w.height > 1 ? 2 * v_mean / n / static_cast<double>(w.height - 1) - 1 : 0;
            for (int c = 0; c < 3; ++c)
                cells.residual[c][static_cast<std::size_t>(i)] =
                    static_cast<float>(sum[c] / n - surface.value(c, u, v));
            confidence[static_cast<std::size_t>(i)] = 1;
        }
    // Cells behind the subject: repeated means of their neighbours, a smooth membrane
    // between what is seen around it.
    std::vector<float> next[3];
    constexpr int relaxations = 40;
    bool changed_any = true;
    for (int round = 0; round < relaxations || changed_any; ++round) {
        changed_any = false;
        bool unknown = false;
        for (int c = 0; c < 3; ++c) next[c] = cells.residual[c];
        std::vector<float> known = confidence;
        for (Index cy = 0; cy < cells.height; ++cy)
            for (Index cx = 0; cx < cells.width; ++cx) {
                const Index i = cy * pitch + cx;
                if (confidence[static_cast<std::size_t>(i)] == 1) continue;
                float sum[3] = {};
                float weight = 0;
                for (int k = 0; k < 4; ++k) {
                    const Index ny = cy + (k == 0) - (k == 1);
                    const Index nx = cx + (k == 2) - (k == 3);
                    if (ny < 0 || nx < 0 || ny >= cells.height || nx >= cells.width) continue;
                    const auto j = static_cast<std::size_t>(ny * pitch + nx);
                    if (confidence[j] == 0) continue;
                    // A shadow beside the subject says nothing of the backdrop behind it.
                    if (cells.residual[0][j] + cells.residual[1][j] + cells.residual[2][j] < -9)
                        continue;
                    for (int c = 0; c < 3; ++c) sum[c] += cells.residual[c][j];
                    weight += 1;
                }
                if (weight == 0) continue;
                for (int c = 0; c < 3; ++c) next[c][static_cast<std::size_t>(i)] = sum[c] / weight;
                unknown = true;
                if (confidence[static_cast<std::size_t>(i)] == 0) changed_any = true;
                known[static_cast<std::size_t>(i)] = 0.5f;
            }
        for (int c = 0; c < 3; ++c) cells.residual[c].swap(next[c]);
        confidence.swap(known);
        if (!unknown) break;
    }
}

BackdropLimits limits_from_border(const State& w, const BorderFit& fit) {
    std::vector<float> across;
    std::vector<float> slope;
    std::vector<float> edge;
    for (std::size_t s = 0; s < fit.samples.size(); ++s) {
        if (fit.inlier[s] == 0) continue;
        const Index i = fit.samples[s].position;
        float d2 = 0;
        for (int c = 0; c < 3; ++c) {
            const float d = w.smooth[c][i] - w.backdrop[c][i];
            d2 += d * d;
        }
        across.push_back(std::sqrt(d2));
        slope.push_back(w.gradient[i]);
        edge.push_back(w.gradient[i] - 1.5f * w.surroundings[i]);
    }
    BackdropLimits l{};
    const float spread = quantile(across, 0.9);
    l.chroma = std::clamp(1.5f * spread, 5.0f, 16.0f);
    l.chroma_per_light = 0.12f;
    l.light_up = 120.0f;  // a pool of light behind the subject; edges do the rest
    l.light_down = 0.62f;
    l.tight_light = std::clamp(1.5f * spread, 4.0f, 16.0f);
    l.tight_chroma = std::clamp(1.2f * spread, 3.0f, 12.0f);
    l.slope = std::clamp(1.5f * quantile(slope, 0.95), 9.0f, 14.0f);
    l.edge = std::clamp(2.0f * quantile(edge, 0.98), 0.8f, 6.0f);
    return l;
}

BackdropLimits limits_from_region(const State& w, const BackdropLimits& loose) {
    std::vector<float> across;
    std::vector<float> light;
    std::vector<float> edge;
    const Index step = std::max<Index>(1, w.count() / 20000);
    for (Index i = 0; i < w.count(); i += step) {
        if (w.region[i] == 0) continue;
        float d[3];
        float d2 = 0;
        float along = 0;
        float length2 = 0;
        for (int c = 0; c < 3; ++c) {
            d[c] = w.smooth[c][i] - w.backdrop[c][i];
            const float u = w.backdrop[c][i] + 16.0f;
            d2 += d[c] * d[c];
            along += d[c] * u;
            length2 += u * u;
        }
        const float l = along / std::sqrt(length2);
        light.push_back(absolute(l));
        across.push_back(std::sqrt(std::max(0.0f, d2 - l * l)));
        edge.push_back(w.gradient[i] - 1.5f * w.surroundings[i]);
    }
    if (light.size() < 50) return loose;
    BackdropLimits l = loose;
    l.chroma = std::clamp(2.2f * quantile(across, 0.9), 3.5f, 14.0f);
    l.tight_chroma = std::clamp(1.6f * quantile(across, 0.9), 2.0f, 10.0f);
    l.tight_light = std::clamp(2.0f * quantile(light, 0.8), 3.0f, 12.0f);
    l.light_up = std::clamp(3.0f * quantile(light, 0.9), 8.0f, 30.0f);
    l.edge = std::clamp(2.0f * quantile(edge, 0.97), 0.7f, 6.0f);
    return l;
}

}  // namespace nssbg::studio
