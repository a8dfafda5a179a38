// Circles of confusion of a ground that the subject stands on, where no depth is known.
#include <algorithm>
#include <limits>
#include <stdexcept>

#include "nssbg/defocus.hpp"

namespace nssbg {
namespace {

// Cells of the column: circles of confusion change slowly.
constexpr std::ptrdiff_t column_cells = 512;
// A subject that comes this near to the lower edge stands on nothing that is seen.
constexpr double at_the_edge = 0.98;

}  // namespace

template <class T>
std::vector<float> radii_of_plane(ImageView<const T> alpha, double radius) {
    if (alpha.empty()) throw std::invalid_argument("defocus: an alpha has pixels");
    std::ptrdiff_t first = -1, last = -1;
    for (std::ptrdiff_t y = 0; y < alpha.height; ++y)
        for (std::ptrdiff_t x = 0; x < alpha.width; ++x) {
            if (alpha.at(y, x) <= std::numeric_limits<T>::max() / 2) continue;
            if (first < 0) first = y;
            last = y;
            break;
        }
    const auto height = static_cast<double>(alpha.height);
    if (first < 0 || first == last || static_cast<double>(last + 1) >= at_the_edge * height)
        return {static_cast<float>(radius)};
    const auto top = static_cast<double>(first), foot = static_cast<double>(last + 1);
    std::vector<float> radii;
    for (std::ptrdiff_t i = 0; i < column_cells; ++i) {
        const double middle = (static_cast<double>(i) + 0.5) * (height / column_cells);
        const double found = radius * (foot - middle) / (foot - top);
        radii.push_back(static_cast<float>(std::min(radius, std::max(-radius, found))));
    }
    return radii;
}

template std::vector<float> radii_of_plane(ImageView<const std::uint8_t>, double);
template std::vector<float> radii_of_plane(ImageView<const std::uint16_t>, double);

}  // namespace nssbg
