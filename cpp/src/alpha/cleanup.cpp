// Connected components by runs and union-find: one pass over the pixels, then work
// proportional to the outline.
#include "nssbg/cleanup.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"
#include "refine/kernels.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

struct Run {
    std::int32_t y, x0, x1, parent;
    std::int64_t area;  // of the component, at its root
    // Of the component, at its root, 0 where nothing asks for it: the lowest alpha of a hole,
    // the sum of alpha of a component.
    double depth;
};

// Root of a run, with path halving.
std::int32_t root_of(std::vector<Run>& runs, std::int32_t i) {
    while (runs[i].parent != i) {
        runs[i].parent = runs[runs[i].parent].parent;
        i = runs[i].parent;
    }
    return i;
}

void unite(std::vector<Run>& runs, std::int32_t a, std::int32_t b, bool holes) {
    a = root_of(runs, a);
    b = root_of(runs, b);
    if (a == b) return;
    if (a > b) std::swap(a, b);  // the first run in reading order is the root
    runs[b].parent = a;
    runs[a].area += runs[b].area;
    runs[a].depth = holes ? std::min(runs[a].depth, runs[b].depth) : runs[a].depth + runs[b].depth;
}

template <class T>
bool same_eight(const T* row, T value) {
    return row[0] == value && row[1] == value && row[2] == value && row[3] == value &&
           row[4] == value && row[5] == value && row[6] == value && row[7] == value;
}

template <class T>
constexpr T full() {
    return sizeof(T) == 1 ? static_cast<T>(255) : static_cast<T>(1);
}

}  // namespace

template <class T>
ComponentReport clean_components(const ImageView<T>& alpha, const ComponentOptions& options) {
    if (alpha.empty() || alpha.channels != 1 || (alpha.stride_x != 1 && alpha.width > 1))
        throw std::invalid_argument("cleanup: an alpha with one channel and packed rows is needed");
    if (alpha.width > std::numeric_limits<std::int32_t>::max() / 2)
        throw std::invalid_argument("cleanup: the alpha is too wide");
    const auto is_share = [](double value) { return value >= 0.0 && value <= 1.0; };  // no NaN
    if (!is_share(options.level) || !is_share(options.deepest) || !is_share(options.of_largest) ||
        !is_share(options.faint))
        throw std::invalid_argument("cleanup: level, deepest, of_largest and faint must be 0 to 1");
    ComponentReport report;
    const auto level = static_cast<T>(options.level * full<T>());
    const double deepest = options.deepest * full<T>();
    const double faint = options.faint * full<T>();
    std::vector<Run> runs;
    std::size_t above = 0;  // first run of the row above
    const std::int32_t reach = options.holes ? 0 : 1;
    for (ptrdiff_t y = 0; y < alpha.height; ++y) {
        const T* row = alpha.row(y);
        const std::size_t begin = runs.size();
        std::size_t candidate = above;
        for (ptrdiff_t x = 0; x < alpha.width;) {
            const auto in = [&](ptrdiff_t i) { return (row[i] > level) != options.holes; };
            while (x < alpha.width && !in(x)) {
                x += 1;
                const T same = row[x - 1];
                while (x + 8 <= alpha.width && same_eight(row + x, same)) x += 8;
            }
            if (x == alpha.width) break;
            const ptrdiff_t x0 = x;
            while (x < alpha.width && in(x)) {
                x += 1;
                const T same = row[x - 1];
                while (x + 8 <= alpha.width && same_eight(row + x, same)) x += 8;
            }
            const auto index = static_cast<std::int32_t>(runs.size());
            double depth = 0;
            if (options.holes && deepest > 0)
                depth = static_cast<double>(*std::min_element(row + x0, row + x));
            else if (!options.holes && faint > 0)
                depth = std::accumulate(row + x0, row + x, 0.0);
            runs.push_back({static_cast<std::int32_t>(y), static_cast<std::int32_t>(x0),
                            static_cast<std::int32_t>(x), index, x - x0, depth});
            while (candidate < begin && runs[candidate].x1 + reach <= x0) ++candidate;
            for (std::size_t k = candidate; k < begin && runs[k].x0 < x + reach; ++k)
                unite(runs, static_cast<std::int32_t>(k), index, options.holes);
        }
        above = begin;
        if (static_cast<std::int64_t>(runs.size()) > options.most_runs) {
            report.gave_up = true;
            return report;
        }
    }
    std::int64_t largest = -1;
    std::vector<uint8_t> open;  // by root: touches the picture's edge
    if (options.holes) open.assign(runs.size(), 0);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto index = static_cast<std::int32_t>(i);
        const std::int32_t root = root_of(runs, index);
        if (root == index) {
            report.components += 1;
            if (largest < 0 || runs[i].area > runs[largest].area)
                largest = static_cast<std::int64_t>(i);
        }
        if (options.holes && (runs[i].y == 0 || runs[i].y == alpha.height - 1 || runs[i].x0 == 0 ||
                              runs[i].x1 == alpha.width))
            open[root] = 1;
    }
    double least_area = static_cast<double>(options.least_area);
    if (!options.holes && largest >= 0)
        least_area =
            std::max(least_area, options.of_largest * static_cast<double>(runs[largest].area));
    const auto changes = [&](const Run& root, bool is_largest) {
        const bool small = static_cast<double>(root.area) < least_area;
        if (options.holes) return small && root.depth >= deepest;
        const bool faint_enough = faint <= 0 || root.depth < faint * static_cast<double>(root.area);
        return (small && faint_enough) || (options.keep_largest && !is_largest);
    };
    const T value = options.holes ? full<T>() : static_cast<T>(0);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const std::int32_t root = root_of(runs, static_cast<std::int32_t>(i));
        if (options.holes && open[root] != 0) continue;
        const bool change = changes(runs[root], root == largest);
        if (!change) continue;
        report.changed += root == static_cast<std::int32_t>(i);
        std::fill(alpha.row(runs[i].y) + runs[i].x0, alpha.row(runs[i].y) + runs[i].x1, value);
    }
    return report;
}

template <class T>
ComponentReport remove_small_components(const ImageView<T>& alpha) {
    const double pixels = static_cast<double>(alpha.height) * static_cast<double>(alpha.width);
    ComponentOptions options;
    options.level = small_component_level;
    options.least_area = static_cast<std::int64_t>(std::nearbyint(small_component_share * pixels));
    if (options.least_area <= 1) return {};
    return clean_components(alpha, options);
}

template <class T>
void feather(const ImageView<const T>& alpha, double sigma, int threads, const ImageView<T>& out) {
    if (!(sigma > 0) || sigma > 64)
        throw std::invalid_argument("feather: sigma must be above 0 and at most 64 pixels");
    if (threads < 1) throw std::invalid_argument("feather: threads must be at least 1");
    if (alpha.empty() || alpha.height != out.height || alpha.width != out.width ||
        (out.stride_x != 1 && out.width > 1))
        throw std::invalid_argument("feather: the views must have one size and packed results");
    const RefineKernels& kernels = active_refine_kernels();
    const auto radius = static_cast<ptrdiff_t>(std::ceil(3 * sigma));
    std::vector<float> taps(static_cast<std::size_t>(2 * radius + 1));
    double total = 0;
    for (ptrdiff_t i = -radius; i <= radius; ++i)
        total += std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma));
    for (ptrdiff_t i = -radius; i <= radius; ++i)
        taps[i + radius] = static_cast<float>(
            std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma)) / total);

    constexpr ptrdiff_t strip = 64;
    const ptrdiff_t width = alpha.width, height = alpha.height;
    const ptrdiff_t padded = width + 2 * radius;
    const ptrdiff_t rows = strip + 2 * radius;
    Scratch<float> memory(static_cast<std::size_t>(threads * (rows * width + padded + width)));
    parallel_for(
        threads, (height + strip - 1) / strip, 1, [&](ptrdiff_t begin, ptrdiff_t end, int slot) {
            float* filtered = memory.data() + slot * (rows * width + padded + width);
            float* line = filtered + rows * width;
            float* sum = line + padded;
            std::vector<const float*> above(taps.size());
            for (ptrdiff_t piece = begin; piece < end; ++piece) {
                const ptrdiff_t y0 = piece * strip, y1 = std::min(height, y0 + strip);
                for (ptrdiff_t y = y0 - radius; y < y1 + radius; ++y) {
                    const ptrdiff_t from = std::min(std::max<ptrdiff_t>(y, 0), height - 1);
                    for (ptrdiff_t x = 0; x < padded; ++x)
                        line[x] = static_cast<float>(alpha.at(
                            from, std::min(std::max<ptrdiff_t>(x - radius, 0), width - 1)));
                    for (std::size_t k = 0; k < taps.size(); ++k) above[k] = line + k;
                    kernels.weighted_sum(above.data(), taps.data(),
                                         static_cast<ptrdiff_t>(taps.size()), width,
                                         filtered + (y - y0 + radius) * width);
                }
                for (ptrdiff_t y = y0; y < y1; ++y) {
                    for (std::size_t k = 0; k < taps.size(); ++k)
                        above[k] = filtered + (y - y0 + static_cast<ptrdiff_t>(k)) * width;
                    kernels.weighted_sum(above.data(), taps.data(),
                                         static_cast<ptrdiff_t>(taps.size()), width, sum);
                    T* result = out.row(y);
                    for (ptrdiff_t x = 0; x < width; ++x) {
                        const float value =
                            std::min(static_cast<float>(full<T>()), std::max(0.0f, sum[x]));
                        result[x] = static_cast<T>(sizeof(T) == 1 ? value + 0.5f : value);
                    }
                }
            }
        });
}

template ComponentReport clean_components(const ImageView<std::uint8_t>&, const ComponentOptions&);
template ComponentReport clean_components(const ImageView<float>&, const ComponentOptions&);
template ComponentReport remove_small_components(const ImageView<std::uint8_t>&);
template ComponentReport remove_small_components(const ImageView<float>&);
template void feather(const ImageView<const std::uint8_t>&, double, int,
                      const ImageView<std::uint8_t>&);
template void feather(const ImageView<const float>&, double, int, const ImageView<float>&);

}  // namespace nssbg
