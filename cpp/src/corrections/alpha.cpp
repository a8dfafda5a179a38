// From a corrected coarse map to the full-size alpha.
#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "core/plane_resize.hpp"
#include "corrections/cells.hpp"
#include "nssbg/cleanup.hpp"
#include "nssbg/corrections.hpp"
#include "nssbg/pool.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// Sure foreground and background of a coarse map.
constexpr double sure_background = 0.03;
constexpr double sure_foreground = 0.97;

template <class T>
constexpr T full() {
    return sizeof(T) == 1 ? static_cast<T>(255) : static_cast<T>(1);
}

bool any_of(const ImageView<const float>& changed) {
    for (ptrdiff_t y = 0; y < changed.height; ++y)
        for (ptrdiff_t x = 0; x < changed.width; ++x)
            if (changed.at(y, x) != 0) return true;
    return false;
}

// Calls keep(y, x) and drop(y, x) for the pixels of which a person said so: drop over keep.
template <class Keep, class Drop>
void each_said(const Corrections& corrections, ptrdiff_t height, ptrdiff_t width, Keep&& keep,
               Drop&& drop) {
    const ImageView<const std::uint8_t>& mask = corrections.mask;
    Scratch<std::uint8_t> own;
    ImageView<const std::uint8_t> view = mask;
    if (!mask.empty() && (mask.height != height || mask.width != width)) {
        own = Scratch<std::uint8_t>(static_cast<std::size_t>(height * width));
        resize_map(mask, packed_view(own.data(), height, width, 1));
        view = packed_view(static_cast<const std::uint8_t*>(own.data()), height, width, 1);
    }
    const auto each = [&](bool wanted_keep, auto&& call) {
        for (ptrdiff_t y = 0; y < view.height; ++y)
            for (ptrdiff_t x = 0; x < view.width; ++x) {
                const std::uint8_t value = view.at(y, x);
                if (wanted_keep ? value >= kept_from : value <= dropped_up_to) call(y, x);
            }
        for (const Point& point : wanted_keep ? corrections.keep : corrections.drop) {
            const auto y = static_cast<ptrdiff_t>(point.y), x = static_cast<ptrdiff_t>(point.x);
            if (point.y < 0 || point.x < 0 || y >= height || x >= width)
                throw std::invalid_argument("corrections: a point lies outside the picture");
            call(y, x);
        }
    };
    each(true, keep);
    each(false, drop);
}

}  // namespace

template <class T>
void trimap_of(const ImageView<const T>& coarse, const ImageView<std::uint8_t>& trimap) {
    if (coarse.empty() || trimap.empty())
        throw std::invalid_argument("corrections: a trimap is made of a map, and has pixels");
    const ptrdiff_t height = coarse.height, width = coarse.width;
    const double most = full<T>();
    const auto value = [&](ptrdiff_t i) {
        return static_cast<double>(coarse.at(i / width, i % width));
    };
    const auto low = static_cast<double>(static_cast<float>(sure_background * most));
    const auto high = static_cast<double>(static_cast<float>(sure_foreground * most));
    Cells unsure = widened(
        cells_where(height, width, [&](ptrdiff_t i) { return value(i) > low && value(i) < high; }),
        2);
    // A hard step has no unsure cell of its own.
    const Cells held =
        cells_where(height, width, [&](ptrdiff_t i) { return value(i) > 0.5 * most; });
    const Cells inner = widened(held, 2);
    const Cells outer =
        widened(cells_where(height, width, [&](ptrdiff_t i) { return held.set[i] == 0; }), 2);
    for (ptrdiff_t i = 0; i < height * width; ++i) unsure.set[i] |= inner.set[i] & outer.set[i];
    for (ptrdiff_t y = 0; y < trimap.height; ++y)
        for (ptrdiff_t x = 0; x < trimap.width; ++x) {
            const ptrdiff_t i = y * height / trimap.height * width + x * width / trimap.width;
            trimap.at(y, x) = unsure.set[i] ? 128 : (held.set[i] ? 255 : 0);
        }
}

template <class T>
void mix_changed(const ImageView<const T>& before, const ImageView<const T>& after,
                 const ImageView<const float>& changed, const ImageView<T>& out) {
    const ptrdiff_t height = out.height, width = out.width;
    if (before.height != height || after.height != height || before.width != width ||
        after.width != width || changed.empty())
        throw std::invalid_argument("corrections: both alphas have one size");
    ptrdiff_t first = changed.height, last = -1;
    FloatPlane cells(changed.height, changed.width);
    for (ptrdiff_t y = 0; y < changed.height; ++y)
        for (ptrdiff_t x = 0; x < changed.width; ++x) {
            cells.row(y)[x] = changed.at(y, x);
            if (changed.at(y, x) == 0) continue;
            first = std::min(first, y);
            last = y;
        }
    for (ptrdiff_t y = 0; y < height; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) out.at(y, x) = before.at(y, x);
    if (last < 0) return;
    // Whole rows of cells, and one more for the slope between them.
    const ptrdiff_t top = std::max<ptrdiff_t>(0, (first - 1) * height / changed.height);
    const ptrdiff_t bottom = std::min(height, (last + 2) * height / changed.height + 1);
    const FloatPlane near = resized_map(cells, height, width, top, bottom);
    for (ptrdiff_t y = top; y < bottom; ++y)
        for (ptrdiff_t x = 0; x < width; ++x) {
            const auto own = static_cast<float>(before.at(y, x));
            const float made =
                own + (static_cast<float>(after.at(y, x)) - own) * near.row(y - top)[x];
            out.at(y, x) = static_cast<T>(std::is_same_v<T, std::uint8_t> ? made + 0.5f : made);
        }
}

template <class Pixel, class T>
void corrected_alpha(const ImageView<const Pixel>& image, const ImageView<const T>& before,
                     bool full_size, const ImageView<const T>& coarse,
                     const ImageView<const float>& changed, const Corrections& corrections,
                     const RefineOptions& options, const ImageView<T>& alpha,
                     RefineReport* report) {
    const ptrdiff_t height = image.height, width = image.width;
    if (alpha.height != height || alpha.width != width ||
        (full_size && (before.height != height || before.width != width)))
        throw std::invalid_argument("corrections: a full-size alpha has the image's size");
    if (full_size && !any_of(changed)) {
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) alpha.at(y, x) = before.at(y, x);
    } else {
        Scratch<std::uint8_t> sure;
        ImageView<const std::uint8_t> trimap;
        const bool constrained =
            options.level == RefineLevel::matting || options.level == RefineLevel::automatic;
        if (!changed.empty() && constrained) {
            sure = Scratch<std::uint8_t>(static_cast<std::size_t>(height * width));
            const auto made = packed_view(sure.data(), height, width, 1);
            trimap_of(coarse, made);
            each_said(
                corrections, height, width, [&](ptrdiff_t y, ptrdiff_t x) { made.at(y, x) = 255; },
                [&](ptrdiff_t y, ptrdiff_t x) { made.at(y, x) = 0; });
            trimap = packed_view(static_cast<const std::uint8_t*>(sure.data()), height, width, 1);
        }
        RefineReport found;
        refine<Pixel, T>(image, coarse, trimap, alpha, options, &found);
        if (options.level != RefineLevel::none && remove_small_components(alpha).gave_up)
            found.notes.emplace_back(
                "small components stay: the alpha is too fragmented to look for them");
        if (report != nullptr) *report = found;
        if (full_size && !changed.empty()) {
            Scratch<T> refined(static_cast<std::size_t>(height * width));
            const auto after = packed_view(refined.data(), height, width, 1);
            for (ptrdiff_t y = 0; y < height; ++y)
                for (ptrdiff_t x = 0; x < width; ++x) after.at(y, x) = alpha.at(y, x);
            mix_changed<T>(before,
                           packed_view(static_cast<const T*>(refined.data()), height, width, 1),
                           changed, alpha);
        }
    }
    each_said(
        corrections, height, width, [&](ptrdiff_t y, ptrdiff_t x) { alpha.at(y, x) = full<T>(); },
        [&](ptrdiff_t y, ptrdiff_t x) { alpha.at(y, x) = 0; });
}

template void trimap_of(const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&);
template void trimap_of(const ImageView<const float>&, const ImageView<std::uint8_t>&);
template void mix_changed(const ImageView<const std::uint8_t>&,
                          const ImageView<const std::uint8_t>&, const ImageView<const float>&,
                          const ImageView<std::uint8_t>&);
template void mix_changed(const ImageView<const float>&, const ImageView<const float>&,
                          const ImageView<const float>&, const ImageView<float>&);

#define NSSBG_CORRECTED(Pixel, T)                                                                 \
    template void corrected_alpha(const ImageView<const Pixel>&, const ImageView<const T>&, bool, \
                                  const ImageView<const T>&, const ImageView<const float>&,       \
                                  const Corrections&, const RefineOptions&, const ImageView<T>&,  \
                                  RefineReport*);
NSSBG_CORRECTED(std::uint8_t, std::uint8_t)
NSSBG_CORRECTED(std::uint8_t, float)
NSSBG_CORRECTED(std::uint16_t, std::uint8_t)
NSSBG_CORRECTED(std::uint16_t, float)
#undef NSSBG_CORRECTED

}  // namespace nssbg
