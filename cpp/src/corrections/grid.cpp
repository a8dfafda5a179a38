// A corrected coarse map: what of the picture and of the estimate points grow on, and the map with
// points and painted cells obeyed.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "core/plane_resize.hpp"
#include "corrections/points.hpp"
#include "nssbg/corrections.hpp"
#include "nssbg/prepare.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// Cells of the longer side that points grow on; the outline is refined at full size afterwards.
constexpr double grid_side = 256;
// Part of the box's sides that the method sees around it: networks want some background.
constexpr double box_margin = 0.08;

ptrdiff_t rounded(double value) { return static_cast<ptrdiff_t>(std::nearbyint(value)); }

ptrdiff_t cells_of(ptrdiff_t side, ptrdiff_t longest) {
    const double scale = std::min(1.0, grid_side / static_cast<double>(longest));
    return std::max<ptrdiff_t>(1, rounded(static_cast<double>(side) * scale));
}

template <class T>
std::vector<float> shares_at(const ImageView<const T>& alpha, ptrdiff_t height, ptrdiff_t width) {
    std::vector<T> cells(static_cast<std::size_t>(height * width));
    resize_map(alpha, packed_view(cells.data(), height, width, 1));
    const float full = std::is_same_v<T, std::uint8_t> ? 255.0f : 1.0f;
    std::vector<float> shares;
    for (const T cell : cells) shares.push_back(static_cast<float>(cell) / full);
    return shares;
}

FloatPlane plane_of(const Cells& cells) {
    FloatPlane plane(cells.height, cells.width);
    std::copy(cells.set.begin(), cells.set.end(), plane.cells.begin());
    return plane;
}

// How much of each cell is painted through and through.
template <class Holds>
FloatPlane painted_share(const ImageView<const std::uint8_t>& mask, ptrdiff_t height,
                         ptrdiff_t width, Holds&& holds) {
    FloatPlane plane(mask.height, mask.width);
    for (ptrdiff_t y = 0; y < mask.height; ++y)
        for (ptrdiff_t x = 0; x < mask.width; ++x)
            plane.row(y)[x] = holds(mask.at(y, x)) ? 1.0f : 0.0f;
    return resized_map(plane, height, width);
}

}  // namespace

Region region_of_box(double left, double top, double right, double bottom, ptrdiff_t height,
                     ptrdiff_t width) {
    const auto rows = static_cast<double>(height), columns = static_cast<double>(width);
    if (!(left < right && top < bottom && right > 0 && bottom > 0 && left < columns && top < rows))
        throw std::invalid_argument("corrections: the box must have an inside, in the picture");
    const double wide = box_margin * (right - left), high = box_margin * (bottom - top);
    // Bounded in doubles: what lies far outside has no whole number.
    const auto first = [](double at) { return static_cast<ptrdiff_t>(std::max(0.0, at)); };
    const auto last = [](double at, double most) {
        return static_cast<ptrdiff_t>(std::min(most, std::floor(at) + 1));
    };
    Region region;
    region.part = {first(top - high), first(left - wide), last(bottom + high, rows),
                   last(right + wide, columns)};
    const auto begin = [](double at) { return rounded(std::max(0.0, at)); };
    const auto end = [&](double at, double from, double most) {
        return std::max(rounded(std::min(most, at)), rounded(std::max(0.0, from)) + 1);
    };
    region.inner = {begin(top) - region.part.top, begin(left) - region.part.left,
                    std::min(height, end(bottom, top, rows)) - region.part.top,
                    std::min(width, end(right, left, columns)) - region.part.left};
    // A box that only grazes the picture's end keeps its last row and column.
    region.inner.top = std::min(region.inner.top, region.inner.bottom - 1);
    region.inner.left = std::min(region.inner.left, region.inner.right - 1);
    // And one of less than a pixel the whole pixel.
    region.part.bottom = std::max(region.part.bottom, region.part.top + region.inner.bottom);
    region.part.right = std::max(region.part.right, region.part.left + region.inner.right);
    return region;
}

template <class Pixel, class T>
CorrectionGrid::CorrectionGrid(const ImageView<const Pixel>& image, const ImageView<const T>& alpha,
                               bool full_size, int threads)
    : image_height_(image.height), image_width_(image.width) {
    if (image.empty() || alpha.empty() || image.channels != 3 || alpha.channels != 1)
        throw std::invalid_argument("corrections: an image is H x W x 3, an alpha h x w");
    const ptrdiff_t longest = std::max(image.height, image.width);
    rows_ = cells_of(image.height, longest);
    columns_ = cells_of(image.width, longest);
    const bool grows = full_size || alpha.height < rows_;
    height_ = grows ? rows_ : alpha.height;
    width_ = grows ? columns_ : alpha.width;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(3 * rows_ * columns_));
    PrepareOptions options;
    options.filter = Filter::box;
    options.content = {0, 0, rows_, columns_};
    options.threads = threads;
    // Channels are planes to the kernels; here they go side by side afterwards.
    prepare<Pixel, std::uint8_t>(
        image, {bytes.data(), rows_, columns_, 3, columns_, 1, rows_ * columns_}, options);
    colors_.resize(bytes.size());
    for (ptrdiff_t c = 0; c < 3; ++c)
        for (ptrdiff_t i = 0; i < rows_ * columns_; ++i)
            colors_[3 * i + c] = static_cast<float>(bytes[c * rows_ * columns_ + i]);
    alpha_ = shares_at(alpha, rows_, columns_);
    base_ = height_ == rows_ && width_ == columns_ ? alpha_ : shares_at(alpha, height_, width_);
}

template <class T>
void CorrectionGrid::apply(const Corrections& corrections, const ImageView<T>& coarse,
                           const ImageView<float>& changed) const {
    if (coarse.height != height_ || coarse.width != width_ || changed.height != height_ ||
        changed.width != width_)
        throw std::invalid_argument("corrections: the corrected map has the grid's size");
    std::vector<float> edited = base_;
    const auto cells = [this](const std::vector<Point>& points) {
        std::vector<Cell> found;
        for (const Point& point : points) {
            if (!(point.x >= 0 && point.y >= 0 && point.x < static_cast<double>(image_width_) &&
                  point.y < static_cast<double>(image_height_)))
                throw std::invalid_argument("corrections: a point lies outside the picture");
            const auto cell = [](double at, ptrdiff_t count, ptrdiff_t side) {
                const double scale = static_cast<double>(count) / static_cast<double>(side);
                return std::min(count - 1, static_cast<ptrdiff_t>(at * scale));
            };
            found.push_back(
                {cell(point.y, rows_, image_height_), cell(point.x, columns_, image_width_)});
        }
        return found;
    };
    if (!corrections.keep.empty() || !corrections.drop.empty()) {
        const Taken taken = regions_of_points(colors_, alpha_, cells(corrections.keep),
                                              cells(corrections.drop), rows_, columns_);
        const FloatPlane kept = resized_map(plane_of(taken.kept), height_, width_);
        const FloatPlane dropped = resized_map(plane_of(taken.dropped), height_, width_);
        for (std::size_t i = 0; i < edited.size(); ++i)
            edited[i] = std::max(edited[i] * (1.0f - dropped.cells[i]), kept.cells[i]);
    }
    const ImageView<const std::uint8_t>& mask = corrections.mask;
    if (!mask.empty()) {
        // Of a cell only what is painted through and through counts here, the rest at full size.
        const FloatPlane kept =
            painted_share(mask, height_, width_, [](std::uint8_t v) { return v >= kept_from; });
        const FloatPlane dropped =
            painted_share(mask, height_, width_, [](std::uint8_t v) { return v <= dropped_up_to; });
        for (std::size_t i = 0; i < edited.size(); ++i)
            edited[i] = std::min(
                1.0f, std::max(0.0f, std::max(edited[i], kept.cells[i]) - dropped.cells[i]));
    }
    const Cells near = widened(
        cells_where(height_, width_,
                    [&](ptrdiff_t i) { return std::fabs(edited[i] - base_[i]) > faint_cell; }),
        4);
    for (ptrdiff_t y = 0; y < height_; ++y)
        for (ptrdiff_t x = 0; x < width_; ++x) {
            const ptrdiff_t i = y * width_ + x;
            coarse.at(y, x) = static_cast<T>(
                std::is_same_v<T, std::uint8_t> ? edited[i] * 255.0f + 0.5f : edited[i]);
            changed.at(y, x) = static_cast<float>(near.set[i]);
        }
}

template CorrectionGrid::CorrectionGrid(const ImageView<const std::uint8_t>&,
                                        const ImageView<const std::uint8_t>&, bool, int);
template CorrectionGrid::CorrectionGrid(const ImageView<const std::uint8_t>&,
                                        const ImageView<const float>&, bool, int);
template CorrectionGrid::CorrectionGrid(const ImageView<const std::uint16_t>&,
                                        const ImageView<const std::uint8_t>&, bool, int);
template CorrectionGrid::CorrectionGrid(const ImageView<const std::uint16_t>&,
                                        const ImageView<const float>&, bool, int);
template void CorrectionGrid::apply(const Corrections&, const ImageView<std::uint8_t>&,
                                    const ImageView<float>&) const;
template void CorrectionGrid::apply(const Corrections&, const ImageView<float>&,
                                    const ImageView<float>&) const;

}  // namespace nssbg
