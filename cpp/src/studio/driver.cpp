// Driver of the studio method: reduces the picture once, models and grows the backdrop at
// working size, then touches full size only along the outline.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "nssbg/parallel.hpp"
#include "nssbg/studio.hpp"
#include "studio/state.hpp"

namespace nssbg {
namespace studio {
namespace {

template <class T>
constexpr float levels_per_unit = std::is_same_v<T, std::uint8_t> ? 1.0f : 1.0f / 257.0f;

// A row as packed pixels: the picture's own memory where it is packed, else a copy.
template <class T>
const T* packed_row(const ImageView<const T>& rgb, Index y, T* copy) {
    if (rgb.packed_rows()) return rgb.row(y);
    for (Index x = 0; x < rgb.width; ++x)
        for (Index c = 0; c < 3; ++c) copy[3 * x + c] = rgb.at(y, x, c);
    return copy;
}

template <class T>
void reduce(const ImageView<const T>& rgb, State& w) {
    const auto& kernels = active_studio_kernels();
    using Sum = std::conditional_t<std::is_same_v<T, std::uint8_t>, std::uint16_t, std::uint32_t>;
    parallel_for(w.threads, w.height, 8, [&](Index begin, Index end, int) {
        Scratch<Sum> sums(static_cast<std::size_t>(3 * rgb.width));
        Scratch<T> copy(rgb.packed_rows() ? 0 : static_cast<std::size_t>(3 * rgb.width));
        for (Index y = begin; y < end; ++y) {
            std::memset(sums.data(), 0, sums.size() * sizeof(Sum));
            const Index first = y * w.factor;
            const int rows = static_cast<int>(std::min<Index>(w.factor, rgb.height - first));
            for (int i = 0; i < rows; ++i) {
                const T* row = packed_row(rgb, first + i, copy.data());
                if constexpr (std::is_same_v<T, std::uint8_t>)
                    kernels.add_row_u8(row, sums.data(), 3 * rgb.width);
                else
                    kernels.add_row_u16(row, sums.data(), 3 * rgb.width);
            }
            const Index at = y * w.width;
            if constexpr (std::is_same_v<T, std::uint8_t>)
                kernels.planes_from_sums_u8(sums.data(), rgb.width, w.factor, rows, w.color[0] + at,
                                            w.color[1] + at, w.color[2] + at);
            else
                kernels.planes_from_sums_u16(sums.data(), rgb.width, w.factor, rows,
                                             w.color[0] + at, w.color[1] + at, w.color[2] + at);
        }
    });
}

// Noise of one pixel, from second differences along the border: the median of their size
// is blind to edges. Divided by what white noise of deviation 1 would give.
template <class T>
float border_noise(const ImageView<const T>& rgb) {
    if (rgb.width < 3 && rgb.height < 3) return 0;
    std::vector<float> values;
    const Index step = std::max<Index>(1, 2 * (rgb.width + rgb.height) / 1200);
    const auto add = [&](Index y0, Index x0, Index y1, Index x1, Index y2, Index x2) {
        for (Index c = 0; c < 3; ++c)
            values.push_back(absolute(static_cast<float>(rgb.at(y0, x0, c)) -
                                      2.0f * static_cast<float>(rgb.at(y1, x1, c)) +
                                      static_cast<float>(rgb.at(y2, x2, c))));
    };
    if (rgb.width >= 3)
        for (Index x = 0; x + 2 < rgb.width; x += step)
            for (const Index y : {Index{0}, rgb.height - 1}) add(y, x, y, x + 1, y, x + 2);
    if (rgb.height >= 3)
        for (Index y = 0; y + 2 < rgb.height; y += step)
            for (const Index x : {Index{0}, rgb.width - 1}) add(y, x, y + 1, x, y + 2, x);
    const auto middle = values.begin() + static_cast<Index>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    // median |N(0, 6)| = 0.6745 * sqrt(6).
    return *middle * levels_per_unit<T> / 1.6522f;
}

void smooth_and_gradient(State& w, int extra) {
    const auto& kernels = active_studio_kernels();
    const Index width = w.width;
    const auto row = [&](Index y) { return std::clamp<Index>(y, 0, w.height - 1) * width; };
    parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
        for (Index y = begin; y < end; ++y)
            for (int c = 0; c < 3; ++c)
                kernels.binomial_row(w.color[c] + row(y - 1), w.color[c] + row(y),
                                     w.color[c] + row(y + 1), w.smooth[c] + row(y), width);
    });
    for (int round = 0; round < extra; ++round)
        for (int c = 0; c < 3; ++c) {
            // The backdrop's plane is not in use yet.
            std::memcpy(w.backdrop[c], w.smooth[c],
                        static_cast<std::size_t>(w.count()) * sizeof(float));
            parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
                for (Index y = begin; y < end; ++y)
                    kernels.binomial_row(w.backdrop[c] + row(y - 1), w.backdrop[c] + row(y),
                                         w.backdrop[c] + row(y + 1), w.smooth[c] + row(y), width);
            });
        }
    parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
        for (Index y = begin; y < end; ++y) {
            const float* above[3];
            const float* here[3];
            const float* below[3];
            for (int c = 0; c < 3; ++c) {
                above[c] = w.smooth[c] + row(y - 1);
                here[c] = w.smooth[c] + row(y);
                below[c] = w.smooth[c] + row(y + 1);
            }
            kernels.gradient_row(above, here, below, w.gradient.data() + row(y), width);
        }
    });
    parallel_for(w.threads, w.height, 32, [&](Index begin, Index end, int) {
        Scratch<float> sums(static_cast<std::size_t>(width));
        for (Index y = begin; y < end; ++y) {
            std::memset(sums.data(), 0, static_cast<std::size_t>(width) * sizeof(float));
            for (Index k = -4; k <= 4; ++k) {
                const float* source = w.gradient.data() + row(y + k);
                for (Index x = 0; x < width; ++x) sums[x] += source[x];
            }
            kernels.mean9_row(sums.data(), w.surroundings.data() + row(y), width);
        }
    });
}

void allocate(State& w) {
    const auto count = static_cast<std::size_t>(w.count());
    w.color.allocate(w.count());
    w.smooth.allocate(w.count());
    w.backdrop.allocate(w.count());
    w.gradient = Scratch<float>(count);
    w.surroundings = Scratch<float>(count);
    w.evidence = Scratch<std::uint8_t>(count);
    w.region = Scratch<std::uint8_t>(count);
    for (auto& map : w.spare) map = Scratch<std::uint8_t>(count);
    w.queue = Scratch<std::int32_t>(count);
}

// Where full-size pixels lie between working pixels.
struct Positions {
    std::vector<std::int32_t> index;
    std::vector<float> weight;
    Positions(Index full, Index reduced, int factor) {
        index.resize(static_cast<std::size_t>(full));
        weight.resize(static_cast<std::size_t>(full));
        for (Index x = 0; x < full; ++x) {
            const float position =
                (static_cast<float>(x) + 0.5f) / static_cast<float>(factor) - 0.5f;
            const Index left = std::clamp<Index>(static_cast<Index>(std::floor(position)), 0,
                                                 std::max<Index>(0, reduced - 2));
            index[static_cast<std::size_t>(x)] = static_cast<std::int32_t>(left);
            weight[static_cast<std::size_t>(x)] =
                std::clamp(position - static_cast<float>(left), 0.0f, 1.0f);
        }
    }
};

void write_row(const ImageView<std::uint8_t>& view, Index y, const std::uint8_t* row) {
    if (view.packed_rows()) return;
    for (Index x = 0; x < view.width; ++x) view.at(y, x) = row[x];
}

template <class T>
void draw_alpha(const ImageView<const T>& rgb, const State& w, const AlphaModel& model,
                const ImageView<std::uint8_t>& alpha) {
    const auto& kernels = active_studio_kernels();
    const Positions across(rgb.width, w.width, w.factor);
    const Positions down(rgb.height, w.height, w.factor);
    parallel_for(w.threads, rgb.height, 32, [&](Index begin, Index end, int) {
        Scratch<float> rows(static_cast<std::size_t>(5 * model.pitch));
        Scratch<T> copy(rgb.packed_rows() ? 0 : static_cast<std::size_t>(3 * rgb.width));
        Scratch<std::uint8_t> own(alpha.packed_rows() ? 0 : static_cast<std::size_t>(rgb.width));
        for (Index y = begin; y < end; ++y) {
            const Index top = down.index[static_cast<std::size_t>(y)];
            const Index bottom = std::min(top + 1, w.height - 1);
            const float weight = down.weight[static_cast<std::size_t>(y)];
            const T* source = nullptr;
            std::uint8_t* out = alpha.packed_rows() ? alpha.row(y) : own.data();
            AlphaModelRows model_rows{};
            for (int v = 0; v < 5; ++v) model_rows.plane[v] = rows.data() + v * model.pitch;
            const std::uint8_t* upper = model.state.data() + top * w.width;
            const std::uint8_t* lower = model.state.data() + bottom * w.width;
            const auto kind = [&](Index i) {
                const Index j = std::min(i + 1, w.width - 1);
                const std::uint8_t a = upper[i];
                return a == upper[j] && a == lower[i] && a == lower[j] && a != 2 ? a
                                                                                 : std::uint8_t{2};
            };
            Index x = 0;
            while (x < rgb.width) {
                // A run of intervals between working columns that are of one kind.
                const Index first = across.index[static_cast<std::size_t>(x)];
                const std::uint8_t run_kind = kind(first);
                Index last = first;
                while (last + 2 < w.width && kind(last + 1) == run_kind) ++last;
                Index stop = rgb.width;
                if (last + 2 < w.width) {
                    // First full pixel whose left working column is last + 1.
                    stop = std::min(rgb.width, (last + 1) * w.factor + w.factor / 2);
                    while (stop > x + 1 && across.index[static_cast<std::size_t>(stop - 1)] > last)
                        --stop;
                    while (stop < rgb.width && across.index[static_cast<std::size_t>(stop)] <= last)
                        ++stop;
                }
                if (run_kind != 2) {
                    std::memset(out + x, run_kind == 1 ? 255 : 0,
                                static_cast<std::size_t>(stop - x));
                } else {
                    if (source == nullptr) source = packed_row(rgb, y, copy.data());
                    for (int v = 0; v < 5; ++v)
                        kernels.lerp_row(model.plane[v].data() + top * model.pitch + first,
                                         model.plane[v].data() + bottom * model.pitch + first,
                                         weight, rows.data() + v * model.pitch + first,
                                         last - first + 2);
                    if constexpr (std::is_same_v<T, std::uint8_t>)
                        kernels.alpha_row_u8(source, model_rows, across.index.data(),
                                             across.weight.data(), w.key, x, stop, out);
                    else
                        kernels.alpha_row_u16(source, model_rows, across.index.data(),
                                              across.weight.data(), w.key, x, stop, out);
                }
                x = stop;
            }
            write_row(alpha, y, out);
        }
    });
}

// The light that the picture's own shadow takes from the backdrop, drawn from working
// size: shadows are soft.
bool draw_shadow(const State& w, const Surface& surface, Index height, Index width,
                 const ImageView<std::uint8_t>& shadow) {
    const auto& kernels = active_studio_kernels();
    const Index pitch = w.width + 1;
    Scratch<float> density(static_cast<std::size_t>(pitch * w.height));
    const float least = std::max(0.02f, 3.0f * w.working_noise / 255.0f);
    double total = 0;
    for (Index y = 0; y < w.height; ++y) {
        const double v =
            w.height > 1 ? 2.0 * static_cast<double>(y) / static_cast<double>(w.height - 1) - 1.0
                         : 0.0;
        for (Index x = 0; x < w.width; ++x) {
            const Index i = y * w.width + x;
            const double u =
                w.width > 1 ? 2.0 * static_cast<double>(x) / static_cast<double>(w.width - 1) - 1.0
                            : 0.0;
            float dot = 0;
            float norm = 0;
            for (int c = 0; c < 3; ++c) {
                const auto b = static_cast<float>(surface.value(c, u, v));
                dot += w.smooth[c][i] * b;
                norm += b * b;
            }
            float d = w.region[i] != 0 && norm > 3 * 24.0f * 24.0f ? 1.0f - dot / norm : 0.0f;
            d = std::clamp(d - least, 0.0f, 1.0f);
            if (d > 0) d = std::min(1.0f, d + least * std::min(1.0f, d / least));
            density[y * pitch + x] = d;
            total += static_cast<double>(d);
        }
        density[y * pitch + w.width] = density[y * pitch + w.width - 1];
    }
    // Under the outline the shadow goes on: subject pixels near it take their neighbours'
    // density, so that no bright seam shows between cut-out and shadow.
    for (int round = 0; round < 6; ++round)
        for (Index y = 1; y + 1 < w.height; ++y)
            for (Index x = 1; x + 1 < w.width; ++x) {
                if (w.region[y * w.width + x] != 0) continue;
                const float* d = density.data() + y * pitch + x;
                const float around = std::max(std::max(d[-1], d[1]), std::max(d[-pitch], d[pitch]));
                density[y * pitch + x] = std::max(d[0], 0.94f * around - 0.01f);
            }
    const Positions across(width, w.width, w.factor);
    const Positions down(height, w.height, w.factor);
    parallel_for(w.threads, height, 32, [&](Index begin, Index end, int) {
        Scratch<float> row(static_cast<std::size_t>(pitch));
        Scratch<std::uint8_t> own(shadow.packed_rows() ? 0 : static_cast<std::size_t>(width));
        for (Index y = begin; y < end; ++y) {
            const Index top = down.index[static_cast<std::size_t>(y)];
            const Index bottom = std::min(top + 1, w.height - 1);
            kernels.lerp_row(density.data() + top * pitch, density.data() + bottom * pitch,
                             down.weight[static_cast<std::size_t>(y)], row.data(), pitch);
            std::uint8_t* out = shadow.packed_rows() ? shadow.row(y) : own.data();
            kernels.bytes_row(row.data(), across.index.data(), across.weight.data(), out, width);
            write_row(shadow, y, out);
        }
    });
    return total > 0.001 * static_cast<double>(w.count());
}

float share_of_subject(const State& w) {
    Index subject = 0;
    for (Index i = 0; i < w.count(); ++i) subject += w.region[i] == 0 ? 1 : 0;
    return static_cast<float>(subject) / static_cast<float>(w.count());
}

void describe(const State& w, const BorderFit& fit, StudioReport& report) {
    report.noise = w.noise;
    report.residual = fit.residual;
    report.border_share = fit.share;
    std::copy(fit.side_share, fit.side_share + 4, report.side_share);
    report.reduction = w.factor;
    report.screen = w.key == 1   ? ChromaScreen::green
                    : w.key == 2 ? ChromaScreen::blue
                                 : ChromaScreen::off;
    std::vector<float> values;
    float low = 1e9f;
    float high = -1e9f;
    for (const auto& s : fit.samples) {
        float light = 0;
        for (int c = 0; c < 3; ++c)
            light += static_cast<float>(
                fit.surface.value(c, static_cast<double>(s.u), static_cast<double>(s.v)));
        low = std::min(low, light / 3);
        high = std::max(high, light / 3);
    }
    report.backdrop_range = std::clamp(high - low, 0.0f, 255.0f);
    for (int c = 0; c < 3; ++c) {
        values.clear();
        for (const auto& s : fit.samples)
            values.push_back(static_cast<float>(
                fit.surface.value(c, static_cast<double>(s.u), static_cast<double>(s.v))));
        const auto middle = values.begin() + static_cast<Index>(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        report.backdrop_color[c] = std::clamp(*middle, 0.0f, 255.0f);
    }
    double texture = 0;
    double seen = 0;
    for (Index i = 0; i < w.count(); i += 7) {
        if (w.region[i] == 0) continue;
        texture += static_cast<double>(w.gradient[i]);
        seen += 1;
    }
    report.backdrop_texture = seen > 0 ? static_cast<float>(texture / seen) : 0.0f;
    Index touching = 0;
    for (Index x = 0; x < w.width; ++x)
        touching += (w.region[x] == 0 ? 1 : 0) + (w.region[w.count() - 1 - x] == 0 ? 1 : 0);
    for (Index y = 0; y < w.height; ++y)
        touching += (w.region[y * w.width] == 0 ? 1 : 0) +
                    (w.region[y * w.width + w.width - 1] == 0 ? 1 : 0);
    report.border_touch =
        static_cast<float>(touching) / static_cast<float>(2 * (w.height + w.width));
}

}  // namespace
}  // namespace studio

template <class T>
StudioReport studio_alpha(ImageView<const T> rgb, ImageView<std::uint8_t> alpha,
                          ImageView<std::uint8_t> shadow, const StudioOptions& options) {
    using namespace studio;
    if (rgb.empty() || rgb.channels != 3)
        throw std::invalid_argument("rgb must be height x width x 3 with at least one pixel");
    if (alpha.height != rgb.height || alpha.width != rgb.width || alpha.data == nullptr)
        throw std::invalid_argument("alpha must be as high and wide as rgb");
    const bool with_shadow = shadow.data != nullptr;
    if (with_shadow && (shadow.height != rgb.height || shadow.width != rgb.width))
        throw std::invalid_argument("shadow must be as high and wide as rgb");
    constexpr Index most = Index{1} << 18;  // keeps 16-bit column sums exact
    if (rgb.height > most || rgb.width > most)
        throw std::invalid_argument("a side is longer than " + std::to_string(most) + " pixels");

    State w;
    w.threads = resolve_threads(options.threads);
    const Index longest = std::max(rgb.height, rgb.width);
    w.factor = static_cast<int>(std::max<Index>(1, (longest + working_side - 1) / working_side));
    w.height = (rgb.height + w.factor - 1) / w.factor;
    w.width = (rgb.width + w.factor - 1) / w.factor;
    allocate(w);
    reduce(rgb, w);
    w.noise = border_noise(rgb);
    // Box means of f x f pixels and a 3 x 3 binomial (which leaves 3/8 of white noise);
    // never below the rounding of 8 bits.
    const float mean_noise = w.noise / static_cast<float>(w.factor);
    // Grain is smoothed more; k rounds of the binomial leave about 0.375, 0.27, 0.22 of it.
    const int extra = mean_noise > 3.5f ? 2 : (mean_noise > 1.8f ? 1 : 0);
    constexpr float left[] = {0.375f, 0.273f, 0.225f};
    w.working_noise = std::max(0.1f, left[extra] * mean_noise);
    smooth_and_gradient(w, extra);

    const BorderFit fit = fit_border(w);
    w.key = screen_channel(fit, options.chroma);
    StudioReport report;
    if (fit.share < options.least_border && w.key < 0) {
        report.border_share = fit.share;
        report.stopped = true;
        return report;
    }
    Cells cells(w);
    fill_backdrop(w, fit.surface, cells);
    w.limits = limits_from_border(w, fit);
    find_evidence(w);
    grow_region(w);
    const BackdropLimits loose = w.limits;
    for (int round = 0; round < 2; ++round) {
        refit_cells(w, fit.surface, cells);
        fill_backdrop(w, fit.surface, cells);
        w.limits = limits_from_region(w, loose);
        find_evidence(w);
        grow_region(w);
    }
    absorb_shadows(w);
    report.holes = open_holes(w, fit.surface);
    drop_small_components(w);

    report.foreground_share = share_of_subject(w);
    report.subject_unity = largest_piece_share(w);
    const AlphaModel model = model_outline(w);
    report.outline_contrast = model.contrast;
    report.outline_agreement = model.agreement;
    report.band_share = static_cast<float>(model.band_count) / static_cast<float>(w.count());
    const float area = report.foreground_share * static_cast<float>(w.count());
    report.outline_length = area > 0 ? model.outline_length / (3.5449f * std::sqrt(area)) : 0.0f;
    describe(w, fit, report);
    report.confidence = confidence_of(report);
    draw_alpha(rgb, w, model, alpha);
    if (with_shadow)
        report.shadow_found = draw_shadow(w, fit.surface, rgb.height, rgb.width, shadow);
    return report;
}

template StudioReport studio_alpha<std::uint8_t>(ImageView<const std::uint8_t>,
                                                 ImageView<std::uint8_t>, ImageView<std::uint8_t>,
                                                 const StudioOptions&);
template StudioReport studio_alpha<std::uint16_t>(ImageView<const std::uint16_t>,
                                                  ImageView<std::uint8_t>, ImageView<std::uint8_t>,
                                                  const StudioOptions&);

}  // namespace nssbg
