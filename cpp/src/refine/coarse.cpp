// The coarse map as bytes, and the band around its outline: the cells in doubt,
// grown by the reach of what a map of that size cannot show.
#include <algorithm>
#include <cmath>

#include "refine/internal.hpp"

namespace nssbg::refine_detail {
namespace {

// Below / above these the coarse map is taken at its word (0.02 of full scale).
constexpr int surely_background = 5;
constexpr int surely_foreground = 250;
// The band reaches this many pixels past the cells in doubt, at least one cell and at most
// four: thin strands leave the outline where a map of the model's size cannot show them.
constexpr double band_reach = 6;
constexpr ptrdiff_t most_band_cells = 4;

}  // namespace

template <class T>
Coarse::Coarse(const ImageView<const T>& map, ptrdiff_t image_height_, ptrdiff_t image_width_)
    : height(map.height),
      width(map.width),
      image_height(image_height_),
      image_width(image_width_),
      scale_y(static_cast<double>(image_height_) / static_cast<double>(map.height)),
      scale_x(static_cast<double>(image_width_) / static_cast<double>(map.width)),
      padded_width(map.width + 2 * cubic_padding + 1),
      padded(static_cast<std::size_t>(map.height * padded_width)),
      band(static_cast<std::size_t>((map.height + 2) * (map.width + 2))) {
    const auto as_byte = [](T value) {
        if constexpr (sizeof(T) == 1) {
            return value;
        } else {
            const float clipped = value > 0 ? (value < 1 ? value : 1.0f) : 0.0f;  // NaN: 0
            return static_cast<uint8_t>(clipped * 255.0f + 0.5f);
        }
    };
    for (ptrdiff_t y = 0; y < height; ++y) {
        uint8_t* row = padded.data() + y * padded_width;
        for (ptrdiff_t x = 0; x < padded_width; ++x)
            row[x] = as_byte(map.at(y, clamped(x - cubic_padding, 0, width - 1)));
    }
    // In doubt: neither sure, or next to a cell on the other side of one half.
    Scratch<uint8_t> doubt(static_cast<std::size_t>(height * width));
    for (ptrdiff_t y = 0; y < height; ++y) {
        const uint8_t* rows[3] = {padded_row(y - 1), padded_row(y), padded_row(y + 1)};
        for (ptrdiff_t x = 0; x < width; ++x) {
            const uint8_t here = rows[1][x + cubic_padding];
            int low = 255, high = 0;
            for (const uint8_t* row : rows)
                for (ptrdiff_t k = -1; k <= 1; ++k) {
                    low = std::min<int>(low, row[x + k + cubic_padding]);
                    high = std::max<int>(high, row[x + k + cubic_padding]);
                }
            doubt[y * width + x] = (here > surely_background && here < surely_foreground) ||
                                   (low < 128 && high >= 128);
        }
    }
    // Grown by the reach: columns, then rows.
    const double cell = std::sqrt(scale_y * scale_x);
    const ptrdiff_t reach =
        clamped(static_cast<ptrdiff_t>(std::ceil(band_reach / cell)), 1, most_band_cells);
    Scratch<uint8_t> wide(static_cast<std::size_t>(height * width));
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            uint8_t any = 0;
            for (ptrdiff_t k = std::max<ptrdiff_t>(0, x - reach);
                 k <= std::min(width - 1, x + reach); ++k)
                any |= doubt[y * width + k];
            wide[y * width + x] = any;
        }
    for (ptrdiff_t y = -1; y <= height; ++y)
        for (ptrdiff_t x = -1; x <= width; ++x) {
            uint8_t any = 0;
            const ptrdiff_t row = clamped(y, 0, height - 1), column = clamped(x, 0, width - 1);
            for (ptrdiff_t k = std::max<ptrdiff_t>(0, row - reach);
                 k <= std::min(height - 1, row + reach); ++k)
                any |= wide[k * width + column];
            band[(y + 1) * (width + 2) + x + 1] = any;
        }
    const auto boundaries = [](ptrdiff_t count, ptrdiff_t pixels) {
        std::vector<ptrdiff_t> first(static_cast<std::size_t>(count + 1));
        // Pixel x belongs to cell floor((x + 0.5) count / pixels).
        for (ptrdiff_t i = 0; i <= count; ++i) {
            const ptrdiff_t above = 2 * i * pixels - count;
            first[i] = above <= 0 ? 0 : (above + 2 * count - 1) / (2 * count);
        }
        first[count] = pixels;
        return first;
    };
    first_row = boundaries(height, image_height);
    first_column = boundaries(width, image_width);
}

template Coarse::Coarse(const ImageView<const uint8_t>&, ptrdiff_t, ptrdiff_t);
template Coarse::Coarse(const ImageView<const float>&, ptrdiff_t, ptrdiff_t);

}  // namespace nssbg::refine_detail
