// Post-processing of a network's map: the order of its steps, and the search for stray alpha.
#include "nssbg/post_process.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "nssbg/cleanup.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// As NumPy compares: bytes as doubles, floats as floats.
template <class T>
bool above(T value, double level) {
    if constexpr (std::is_same_v<T, float>)
        return value > static_cast<float>(level);
    else
        return static_cast<double>(value) > level * 255.0;
}

// Where any of the `cells` entries before or after in a row, `step` apart, is set.
void spread(std::vector<std::uint8_t>& grid, ptrdiff_t rows, ptrdiff_t row_step, ptrdiff_t count,
            ptrdiff_t step, ptrdiff_t cells) {
    std::vector<ptrdiff_t> sums(static_cast<std::size_t>(count + 1), 0);
    for (ptrdiff_t row = 0; row < rows; ++row) {
        std::uint8_t* line = grid.data() + row * row_step;
        for (ptrdiff_t i = 0; i < count; ++i) sums[i + 1] = sums[i] + line[i * step];
        for (ptrdiff_t i = 0; i < count; ++i)
            line[i * step] =
                sums[std::min(i + cells + 1, count)] > sums[std::max<ptrdiff_t>(i - cells, 0)];
    }
}

template <class T>
void fill_dips(const ImageView<T>& alpha, std::int64_t area, double level, double deepest) {
    ComponentOptions options;
    options.holes = true;
    options.level = level;
    options.least_area = area;
    options.deepest = deepest;
    clean_components(alpha, options);
}

}  // namespace

template <class T>
void remove_stray_alpha(const ImageView<T>& alpha, double level, double reach) {
    if (alpha.empty() || alpha.channels != 1)
        throw std::invalid_argument("remove_stray_alpha: the alpha must be H x W, not empty");
    if (!(level >= 0 && level < 1) || !(reach >= 0 && reach <= 1))
        throw std::invalid_argument("remove_stray_alpha: level and reach must lie in 0..1");
    const ptrdiff_t height = alpha.height, width = alpha.width;
    const ptrdiff_t longer = std::max(height, width);
    const ptrdiff_t block = (longer + stray_grid - 1) / stray_grid;
    const ptrdiff_t rows = (height + block - 1) / block, columns = (width + block - 1) / block;
    std::vector<std::uint8_t> near(static_cast<std::size_t>(rows * columns), 0);
    for (ptrdiff_t y = 0; y < height; ++y) {
        std::uint8_t* line = near.data() + y / block * columns;
        for (ptrdiff_t x = 0; x < width; ++x)
            if (above(alpha.at(y, x), level)) line[x / block] = 1;
    }
    const auto cells = static_cast<ptrdiff_t>(
        std::ceil(reach * static_cast<double>(longer) / static_cast<double>(block)));
    spread(near, columns, 1, rows, columns, cells);
    spread(near, rows, columns, columns, 1, cells);
    for (ptrdiff_t y = 0; y < height; ++y) {
        const std::uint8_t* line = near.data() + y / block * columns;
        for (ptrdiff_t x = 0; x < width; ++x)
            if (line[x / block] == 0) alpha.at(y, x) = 0;
    }
}

template <class T>
void post_process(const ImageView<T>& alpha) {
    ComponentOptions faint;
    faint.level = component_level;
    faint.of_largest = of_largest;
    faint.faint = faint_mean;
    clean_components(alpha, faint);
    remove_stray_alpha(alpha, component_level, stray_reach);
    double sum = 0;
    for (ptrdiff_t y = 0; y < alpha.height; ++y)
        for (ptrdiff_t x = 0; x < alpha.width; ++x) sum += static_cast<double>(alpha.at(y, x));
    const double full = std::is_same_v<T, float> ? 1.0 : 255.0;
    const auto area = static_cast<std::int64_t>(largest_dip * sum / full) + 1;
    // First the dips, then the rims that are left of them.
    fill_dips(alpha, area, sure_subject, still_subject);
    fill_dips(alpha, area, opaque, sure_subject);
}

template void remove_stray_alpha(const ImageView<std::uint8_t>&, double, double);
template void remove_stray_alpha(const ImageView<float>&, double, double);
template void post_process(const ImageView<std::uint8_t>&);
template void post_process(const ImageView<float>&);

}  // namespace nssbg
