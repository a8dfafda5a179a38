// The photograph as the levels see it: planes of bytes, halved from grid to grid,
// with the picture's edge repeated outside.
#include <algorithm>
#include <cstring>

#include "refine/levels.hpp"

namespace nssbg::refine_detail {
namespace {

// Repeats the edge of the part of a plane over [inside) into the rest of `region`.
void replicate(uint8_t* plane, const Region& region, const Region& inside) {
    const ptrdiff_t width = region.width();
    for (ptrdiff_t y = inside.y0; y < inside.y1; ++y) {
        uint8_t* row = plane + (y - region.y0) * width;
        const ptrdiff_t left = inside.x0 - region.x0, right = inside.x1 - region.x0;
        if (left > 0) std::memset(row, row[left], static_cast<std::size_t>(left));
        if (right < width)
            std::memset(row + right, row[right - 1], static_cast<std::size_t>(width - right));
    }
    for (ptrdiff_t y = region.y0; y < region.y1; ++y) {
        const ptrdiff_t from = clamped(y, inside.y0, inside.y1 - 1);
        if (from != y)
            std::memcpy(plane + (y - region.y0) * width, plane + (from - region.y0) * width,
                        static_cast<std::size_t>(width));
    }
}

}  // namespace

template <class Pixel>
void Guide<Pixel>::planes(ptrdiff_t y, ptrdiff_t x0, ptrdiff_t count, uint8_t* red, uint8_t* green,
                          uint8_t* blue, const RefineKernels& kernels) const {
    const ptrdiff_t row = clamped(clamped(y, 0, image_height - 1) - first_row, 0, view.height - 1);
    const ptrdiff_t inside = std::min(count, image_width - x0);
    if constexpr (sizeof(Pixel) == 1) {
        if (view.packed_rows()) {
            kernels.planar_from_rgb_u8(view.row(row) + 3 * x0, inside, red, green, blue);
        } else {
            for (ptrdiff_t x = 0; x < inside; ++x) {
                red[x] = view.at(row, x0 + x, 0);
                green[x] = view.at(row, x0 + x, 1);
                blue[x] = view.at(row, x0 + x, 2);
            }
        }
    } else {
        for (ptrdiff_t x = 0; x < inside; ++x) {
            red[x] = static_cast<uint8_t>(view.at(row, x0 + x, 0) >> 8);
            green[x] = static_cast<uint8_t>(view.at(row, x0 + x, 1) >> 8);
            blue[x] = static_cast<uint8_t>(view.at(row, x0 + x, 2) >> 8);
        }
    }
    for (ptrdiff_t x = inside; x < count; ++x) {
        red[x] = red[inside - 1];
        green[x] = green[inside - 1];
        blue[x] = blue[inside - 1];
    }
}

// Guide planes of all levels over what they need, the finest from the photograph.
template <class Pixel>
void build_guides(const GuidedPlan& plan, const Guide<Pixel>& guide, GuidedScratch& scratch,
                  const RefineKernels& kernels) {
    auto& levels = scratch.levels;
    for (ptrdiff_t k = static_cast<ptrdiff_t>(levels.size()) - 1; k >= 0; --k) {
        auto& level = levels[k];
        const int step = plan.steps[k];
        const Region image{0, cells(plan.coarse.image_height, step), 0,
                           cells(plan.coarse.image_width, step)};
        const Region inside = intersected(level.needed, image);
        const ptrdiff_t width = level.needed.width();
        uint8_t* planes[3];
        for (int c = 0; c < 3; ++c)
            planes[c] = at_least(level.guide[c], level.needed.height() * width);
        const bool finest = k + 1 == static_cast<ptrdiff_t>(levels.size());
        const ptrdiff_t source_width = 2 * inside.width();
        uint8_t* rows = finest ? at_least(scratch.bytes, 6 * source_width) : nullptr;
        for (ptrdiff_t y = inside.y0; y < inside.y1; ++y) {
            const ptrdiff_t out = (y - level.needed.y0) * width + inside.x0 - level.needed.x0;
            if (finest && step == 1) {
                guide.planes(y, inside.x0, inside.width(), planes[0] + out, planes[1] + out,
                             planes[2] + out, kernels);
                continue;
            }
            const uint8_t* upper[3];
            const uint8_t* lower[3];
            if (finest) {
                for (ptrdiff_t i = 0; i < 2; ++i) {
                    uint8_t* row = rows + i * 3 * source_width;
                    guide.planes(2 * y + i, 2 * inside.x0, source_width, row, row + source_width,
                                 row + 2 * source_width, kernels);
                }
                for (int c = 0; c < 3; ++c) {
                    upper[c] = rows + c * source_width;
                    lower[c] = upper[c] + 3 * source_width;
                }
            } else {
                const auto& finer = levels[k + 1];
                const ptrdiff_t offset = (2 * y - finer.needed.y0) * finer.needed.width() +
                                         2 * inside.x0 - finer.needed.x0;
                for (int c = 0; c < 3; ++c) {
                    upper[c] = finer.guide[c].data() + offset;
                    lower[c] = upper[c] + finer.needed.width();
                }
            }
            for (int c = 0; c < 3; ++c)
                kernels.halve_u8(upper[c], lower[c], inside.width(), planes[c] + out);
        }
        for (int c = 0; c < 3; ++c) replicate(planes[c], level.needed, inside);
    }
}

template struct Guide<std::uint8_t>;
template struct Guide<std::uint16_t>;
template void build_guides(const GuidedPlan&, const Guide<std::uint8_t>&, GuidedScratch&,
                           const RefineKernels&);
template void build_guides(const GuidedPlan&, const Guide<std::uint16_t>&, GuidedScratch&,
                           const RefineKernels&);

}  // namespace nssbg::refine_detail
