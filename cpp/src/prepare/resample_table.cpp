// Computes resize weights in double precision and rounds them to the kernels' integers.
#include "prepare/resample_table.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace nssbg {
namespace {

constexpr double pi = 3.14159265358979323846;
// Beyond this an int32 sum of 255 * weights could overflow (weights sum to 1.5 at most in
// absolute value for Lanczos); Pillow uses 22 as well.
constexpr int most_fraction_bits = 22;
constexpr double largest_weight = 32767.0;
// With fewer fraction bits than this a rounded weight could move a result by more than a tenth of
// a level; such weights are split into two sets. 10 bits leave both within 16.
constexpr int fewest_fraction_bits = 16;
constexpr int split = 10;

}  // namespace

double filter_support(Filter filter) {
    switch (filter) {
        case Filter::box: return 0.5;
        case Filter::bilinear: return 1.0;
        case Filter::bicubic: return 2.0;
        case Filter::lanczos: return 3.0;
        default: throw std::invalid_argument("this filter has no antialiasing window");
    }
}

double filter_weight(Filter filter, double x) {
    if (filter == Filter::box) return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    x = std::fabs(x);
    if (filter == Filter::bilinear) return x < 1.0 ? 1.0 - x : 0.0;
    if (filter == Filter::bicubic) {
        constexpr double a = -0.5;  // Catmull-Rom, Keys 1981
        if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
        if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
        return 0.0;
    }
    if (x >= 3.0) return 0.0;
    // sinc(x) * sinc(x / 3) from one sine, sin(3t) being 3 sin t - 4 sin^3 t: the sines are most
    // of the time that the tables take.
    const double t = pi * x / 3.0;
    if (t < 1e-9) return 1.0;
    const double sine = std::sin(t);
    return sine * sine * (3.0 - 4.0 * sine * sine) / (3.0 * t * t);
}

ResampleTable resample_table(Filter filter, std::ptrdiff_t source, std::ptrdiff_t outputs,
                             double box_begin, double box_end) {
    const double scale = (box_end - box_begin) / static_cast<double>(outputs);
    const double stretch = std::max(scale, 1.0);
    const double support = filter_support(filter) * stretch;
    const double per_stretch = 1.0 / stretch;

    struct Window {
        std::ptrdiff_t begin;
        std::ptrdiff_t end;
    };
    std::vector<Window> windows(outputs);
    ResampleTable table;
    table.source = source;
    for (std::ptrdiff_t i = 0; i < outputs; ++i) {
        const double center = box_begin + (static_cast<double>(i) + 0.5) * scale;
        const auto begin = static_cast<std::ptrdiff_t>(center - support + 0.5);
        const auto end = static_cast<std::ptrdiff_t>(center + support + 0.5);
        windows[i] = {std::max<std::ptrdiff_t>(begin, 0), std::min(end, source)};
        table.pairs = std::max(table.pairs, (windows[i].end + 1) / 2 - windows[i].begin / 2);
    }

    std::vector<double> weights(outputs * table.pairs * 2);
    double largest = 0.0;
    double largest_sum = 0.0;
    for (std::ptrdiff_t i = 0; i < outputs; ++i) {
        const double center = box_begin + (static_cast<double>(i) + 0.5) * scale;
        const auto [begin, end] = windows[i];
        double* const window = weights.data() + i * table.pairs * 2;
        double sum = 0.0;
        double magnitude = 0.0;
        double peak = 0.0;
        for (std::ptrdiff_t x = begin; x < end; ++x) {
            const double weight =
                filter_weight(filter, (static_cast<double>(x) - center + 0.5) * per_stretch);
            window[x - begin] = weight;
            sum += weight;
            magnitude += std::fabs(weight);
            peak = std::max(peak, std::fabs(weight));
        }
        if (sum == 0.0) continue;
        for (std::ptrdiff_t x = begin; x < end; ++x) window[x - begin] /= sum;
        largest = std::max(largest, peak / sum);
        largest_sum = std::max(largest_sum, magnitude / sum);
    }
    table.shift = most_fraction_bits;
    while (table.shift > 0 && (std::ldexp(largest, table.shift) + 0.5 > largest_weight ||
                               std::ldexp(largest_sum * 256.0, table.shift) > 2147483647.0))
        --table.shift;

    if (table.shift < fewest_fraction_bits) {
        table.split_bits = split;
        table.shift = most_fraction_bits;
        while (std::ldexp(largest_sum * 256.0, table.shift) > 2147483647.0) --table.shift;
    }

    const std::ptrdiff_t source_pairs = (source + 1) / 2;
    table.first.resize(outputs);
    const std::ptrdiff_t set_size = table.pairs * 2;
    const double one = std::ldexp(1.0, table.shift);
    const std::ptrdiff_t window_size = table.view().window_size();
    table.weights.assign(outputs * window_size, 0);
    for (std::ptrdiff_t i = 0; i < outputs; ++i) {
        const auto [begin, end] = windows[i];
        // Every window has the same length: the last ones start earlier, with zero weights.
        const std::ptrdiff_t first = std::min(begin / 2, source_pairs - table.pairs);
        table.first[i] = static_cast<std::int32_t>(first);
        std::int16_t* out = table.weights.data() + i * window_size + (begin - 2 * first);
        const double* const window = weights.data() + i * set_size;
        for (std::ptrdiff_t x = begin; x < end; ++x) {
            // To nearest, halves away from zero, as Pillow rounds its weights.
            const double scaled = window[x - begin] * one;
            const auto value = static_cast<long>(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
            if (table.split_bits > 0) {
                // Steps rounded to nearest; the rest, 512 at most, may be negative.
                const long step = 1L << split;
                const long upper = (value + step / 2 + (step << 16)) / step - (1L << 16);
                out[set_size] = static_cast<std::int16_t>(value - upper * step);
                *out++ = static_cast<std::int16_t>(upper);
            } else {
                *out++ = static_cast<std::int16_t>(value);
            }
        }
    }
    return table;
}

NeighbourTable neighbour_table(std::ptrdiff_t source, std::ptrdiff_t outputs) {
    NeighbourTable table;
    table.first.resize(outputs);
    table.second.resize(outputs);
    table.second_weight.resize(outputs);
    // In float, as torch computes it for float tensors.
    const float scale = static_cast<float>(source) / static_cast<float>(outputs);
    for (std::ptrdiff_t i = 0; i < outputs; ++i) {
        const float position = std::max((static_cast<float>(i) + 0.5f) * scale - 0.5f, 0.0f);
        const std::ptrdiff_t first = std::min(static_cast<std::ptrdiff_t>(position), source - 1);
        table.first[i] = static_cast<std::int32_t>(first);
        table.second[i] = static_cast<std::int32_t>(std::min(first + 1, source - 1));
        table.second_weight[i] =
            std::min(std::max(position - static_cast<float>(first), 0.0f), 1.0f);
    }
    return table;
}

}  // namespace nssbg
