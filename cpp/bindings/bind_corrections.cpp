// Binds what a person says about a picture: painting, the box's part, the corrected map and alpha.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "core/plane_resize.hpp"
#include "native_call.hpp"
#include "nssbg/corrections.hpp"
#include "nssbg/parallel.hpp"
#include "report_dict.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

using Pairs = std::vector<std::pair<double, double>>;
using Mask = std::optional<Array<const std::uint8_t, 2>>;
// Whether it keeps, its radius, its points.
using StrokeRecord = std::tuple<bool, double, Pairs>;

std::vector<Point> points_of(const Pairs& pairs) {
    std::vector<Point> points;
    for (const auto& [x, y] : pairs) points.push_back({x, y});
    return points;
}

Corrections corrections_of(const Pairs& keep, const Pairs& drop, const Mask& mask) {
    Corrections said{points_of(keep), points_of(drop), {}};
    if (mask) said.mask = view_of(*mask);
    return said;
}

template <class T>
nb::ndarray<nb::numpy, T> plane_array(std::ptrdiff_t height, std::ptrdiff_t width) {
    return pooled_array<T>({static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
}

template <class T>
ImageView<T> packed_of(const nb::ndarray<nb::numpy, T>& array) {
    return packed_view(static_cast<T*>(array.data()), static_cast<std::ptrdiff_t>(array.shape(0)),
                       static_cast<std::ptrdiff_t>(array.shape(1)), 1);
}

template <class T>
nb::tuple applied(const CorrectionGrid& grid, const Corrections& said) {
    auto coarse = plane_array<T>(grid.height(), grid.width());
    auto changed = plane_array<float>(grid.height(), grid.width());
    const auto into = packed_of(coarse);
    const auto near = packed_of(changed);
    {
        const NativeCall call;
        grid.apply<T>(said, into, near);
    }
    return nb::make_tuple(coarse, changed);
}

template <class Pixel, class T>
void bind_grid(nb::class_<CorrectionGrid>& grid) {
    grid.def(
        "__init__",
        [](CorrectionGrid* self, const Array<const Pixel, 3>& image, const Array<const T, 2>& alpha,
           bool full_size, int threads) {
            const auto photograph = view_of(image);
            const auto estimate = view_of(alpha);
            const NativeCall call;
            new (self) CorrectionGrid(photograph, estimate, full_size, resolve_threads(threads));
        },
        nb::arg("image").noconvert(), nb::arg("alpha").noconvert(), nb::arg("full_size"),
        nb::arg("threads"));
}

template <class Pixel, class T>
void bind_corrected(nb::module_& module) {
    module.def(
        "corrected_alpha",
        [](const Array<const Pixel, 3>& image, const Array<const T, 2>& before, bool full_size,
           const Array<const T, 2>& coarse, const std::optional<Array<const float, 2>>& changed,
           const Pairs& keep, const Pairs& drop, const Mask& mask, const std::string& level,
           int threads) {
            RefineOptions options;
            options.level = level_named(level);
            options.threads = resolve_threads(threads);
            auto alpha = pooled_array<T>({image.shape(0), image.shape(1)});
            const auto out = packed_of(alpha);
            const auto photograph = view_of(image);
            const auto own = view_of(before);
            const auto map = view_of(coarse);
            ImageView<const float> near;
            if (changed) near = view_of(*changed);
            const Corrections said = corrections_of(keep, drop, mask);
            RefineReport report;
            {
                const NativeCall call;
                corrected_alpha<Pixel, T>(photograph, own, full_size, map, near, said, options, out,
                                          &report);
            }
            return nb::make_tuple(alpha, dict_of(report));
        },
        nb::arg("image").noconvert(), nb::arg("before").noconvert(), nb::arg("full_size"),
        nb::arg("coarse").noconvert(), nb::arg("changed").noconvert().none(), nb::arg("keep"),
        nb::arg("drop"), nb::arg("mask").noconvert().none(), nb::arg("level"), nb::arg("threads"),
        "The full-size alpha from a corrected coarse one: (alpha, report).");
}

template <class T>
void bind_maps(nb::module_& module) {
    module.def(
        "resize_map",
        [](const Array<const T, 2>& map, std::ptrdiff_t height, std::ptrdiff_t width) {
            if (height < 1 || width < 1)
                throw std::invalid_argument("a map has at least one row and column");
            auto out = plane_array<T>(height, width);
            const auto view = view_of(map);
            const auto into = packed_of(out);
            const NativeCall call;
            resize_map<T>(view, into);
            return out;
        },
        nb::arg("map").noconvert(), nb::arg("height"), nb::arg("width"),
        "A map at a size: means of boxes where a side gets smaller, else bilinear.");
    module.def(
        "correction_trimap",
        [](const Array<const T, 2>& coarse, std::ptrdiff_t height, std::ptrdiff_t width) {
            if (height < 1 || width < 1)
                throw std::invalid_argument("a trimap has at least one row and column");
            auto out = plane_array<std::uint8_t>(height, width);
            const auto view = view_of(coarse);
            const auto into = packed_of(out);
            const NativeCall call;
            trimap_of<T>(view, into);
            return out;
        },
        nb::arg("coarse").noconvert(), nb::arg("height"), nb::arg("width"),
        "Sure where a coarse map is, two cells away from where it is not: 0, 128, 255.");
    module.def(
        "mix_changed",
        [](const Array<const T, 2>& before, const Array<const T, 2>& after,
           const Array<const float, 2>& changed) {
            auto out = pooled_array<T>({before.shape(0), before.shape(1)});
            const auto own = view_of(before);
            const auto refined = view_of(after);
            const auto near = view_of(changed);
            const auto into = packed_of(out);
            const NativeCall call;
            mix_changed<T>(own, refined, near, into);
            return out;
        },
        nb::arg("before").noconvert(), nb::arg("after").noconvert(), nb::arg("changed").noconvert(),
        "The method's own full-size alpha, and the refined one where something was changed.");
}

}  // namespace

void bind_corrections(nb::module_& module) {
    nb::class_<CorrectionGrid> grid(module, "CorrectionGrid");
    bind_grid<std::uint8_t, std::uint8_t>(grid);
    bind_grid<std::uint8_t, float>(grid);
    bind_grid<std::uint16_t, std::uint8_t>(grid);
    bind_grid<std::uint16_t, float>(grid);
    grid.def("shape", [](const CorrectionGrid& self) {
        return nb::make_tuple(self.height(), self.width());
    });
    grid.def(
        "apply",
        [](const CorrectionGrid& self, const Pairs& keep, const Pairs& drop, const Mask& mask,
           bool in_bytes) {
            const Corrections said = corrections_of(keep, drop, mask);
            return in_bytes ? applied<std::uint8_t>(self, said) : applied<float>(self, said);
        },
        nb::arg("keep"), nb::arg("drop"), nb::arg("mask").noconvert().none(), nb::arg("in_bytes"),
        "The corrected map, and where it was changed.");
    bind_corrected<std::uint8_t, std::uint8_t>(module);
    bind_corrected<std::uint8_t, float>(module);
    bind_corrected<std::uint16_t, std::uint8_t>(module);
    bind_corrected<std::uint16_t, float>(module);
    bind_maps<std::uint8_t>(module);
    bind_maps<float>(module);
    module.def(
        "region_of_box",
        [](const std::tuple<double, double, double, double>& box, std::ptrdiff_t height,
           std::ptrdiff_t width) {
            const auto [left, top, right, bottom] = box;
            const Region region = region_of_box(left, top, right, bottom, height, width);
            return nb::make_tuple(tuple_of(region.part), tuple_of(region.inner));
        },
        nb::arg("box"), nb::arg("height"), nb::arg("width"),
        "The part of a picture that a method looks at for a box, and the box within it.");
    module.def(
        "paint",
        [](const std::vector<StrokeRecord>& records, std::ptrdiff_t height, std::ptrdiff_t width,
           const std::pair<double, double>& origin, const std::pair<double, double>& scale) {
            if (height < 1 || width < 1)
                throw std::invalid_argument("a painted mask has at least one row and column");
            std::vector<Stroke> strokes;
            for (const auto& [keep, radius, points] : records)
                strokes.push_back({keep, radius, points_of(points)});
            auto out = plane_array<std::uint8_t>(height, width);
            const auto into = packed_of(out);
            const NativeCall call;
            paint(strokes, {origin.first, origin.second}, scale.first, scale.second, into);
            return out;
        },
        nb::arg("strokes"), nb::arg("height"), nb::arg("width"), nb::arg("origin"),
        nb::arg("scale"), "Brush strokes as a mask: 255 keep, 0 drop, 128 nothing said.");
    module.attr("KEPT_FROM") = static_cast<int>(kept_from);
    module.attr("DROPPED_UP_TO") = static_cast<int>(dropped_up_to);
}

}  // namespace nssbg::bindings
