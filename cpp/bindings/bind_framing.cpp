// Binds framing: resampling of cut-outs and alphas, placement on a canvas, drawing.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/framing.hpp"
#include "nssbg/resample.hpp"
#include "report_dict.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

using Corners = std::tuple<std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t>;
// Height, width, fill, down, across, enlarge, scale, baseline: Canvas, in its order.
using Board =
    std::tuple<std::ptrdiff_t, std::ptrdiff_t, double, double, double, bool, double, double>;

Box box_of(const Corners& corners) {
    const auto [top, left, bottom, right] = corners;
    return {top, left, bottom, right};
}

Canvas canvas_of(const Board& board) {
    const auto [height, width, fill, down, across, enlarge, scale, baseline] = board;
    return {height, width, fill, down, across, enlarge, scale, baseline};
}

std::size_t size_of(std::ptrdiff_t side) {
    if (side < 1) throw std::invalid_argument("a result has at least one row and column");
    return static_cast<std::size_t>(side);
}

// H x W x 4 or H x W: one function for both, since the stubs tell shapes apart by nothing.
template <class T>
using Pixels = nb::ndarray<const T, nb::numpy, nb::device::cpu>;

template <class T>
ImageView<const T> pixels_view(const Pixels<T>& pixels) {
    if (pixels.ndim() != 2 && pixels.ndim() != 3)
        throw std::invalid_argument("resample: pixels are H x W x 4, H x W x 3 or H x W");
    const auto size = [&pixels](std::size_t axis) {
        return static_cast<std::ptrdiff_t>(pixels.shape(axis));
    };
    const auto stride = [&pixels](std::size_t axis) {
        return static_cast<std::ptrdiff_t>(pixels.stride(axis));
    };
    const bool flat = pixels.ndim() == 2;
    return {pixels.data(),       size(0), size(1), flat ? 1 : size(2), stride(0), stride(1),
            flat ? 1 : stride(2)};
}

template <class T, class Fill>
nb::ndarray<nb::numpy, T> result_of(const Pixels<T>& like, std::ptrdiff_t height,
                                    std::ptrdiff_t width, Fill&& fill) {
    const ImageView<const T> view = pixels_view(like);
    auto out = like.ndim() == 2 ? pooled_array<T>({size_of(height), size_of(width)})
                                : pooled_array<T>({size_of(height), size_of(width), like.shape(2)});
    const auto into = packed_view(static_cast<T*>(out.data()), height, width, view.channels);
    const NativeCall call;
    fill(view, into);
    return out;
}

template <class T>
void bind_resampling(nb::module_& module) {
    module.def(
        "resample",
        [](const Pixels<T>& pixels, const std::tuple<double, double, double, double>& part,
           std::ptrdiff_t height, std::ptrdiff_t width) {
            const auto [left, top, right, bottom] = part;
            const Part wanted{left, top, right, bottom};
            return result_of<T>(pixels, height, width, [&](const auto& view, const auto& into) {
                resample<T>(view, wanted, into);
            });
        },
        nb::arg("pixels").noconvert(), nb::arg("part"), nb::arg("height"), nb::arg("width"),
        "A part (left, top, right, bottom) of a cut-out or an alpha at a size.");
    module.def(
        "resample_to_fit",
        [](const Array<const T, 3>& image, const std::string& fit, std::ptrdiff_t height,
           std::ptrdiff_t width) {
            auto out = pooled_array<T>({size_of(height), size_of(width), image.shape(2)});
            const auto view = view_of(image);
            const auto into =
                packed_view(static_cast<T*>(out.data()), height, width, view.channels);
            const Fit how = fit_named(fit);
            const NativeCall call;
            resample_to_fit<T>(view, how, into);
            return out;
        },
        nb::arg("image").noconvert(), nb::arg("fit"), nb::arg("height"), nb::arg("width"),
        "A picture as a background of a size: it fills all, or all of it is shown.");
    module.def(
        "resample_window",
        [](const Pixels<T>& pixels, double scale, double top, double left, const Corners& corners) {
            const Box box = box_of(corners);
            return result_of<T>(pixels, box.bottom - box.top, box.right - box.left,
                                [&](const auto& view, const auto& into) {
                                    resample_window<T>(view, scale, top, left, box, into);
                                });
        },
        nb::arg("pixels").noconvert(), nb::arg("scale"), nb::arg("top"), nb::arg("left"),
        nb::arg("box"), "A box of a canvas on which pixels lie scaled and moved.");
}

template <class T>
void bind_placing(nb::module_& module) {
    module.def(
        "placement",
        [](const Array<const T, 3>& rgba, const Board& board, bool trim, const Corners& also,
           int threads) {
            const ImageView<const T> view = view_of(rgba);
            Placement found;
            {
                const NativeCall call;
                found = placement<T>(view, canvas_of(board), trim, box_of(also), threads);
            }
            return nb::make_tuple(found.scale, found.top, found.left, tuple_of(found.drawn));
        },
        nb::arg("rgba").noconvert(), nb::arg("canvas"), nb::arg("trim"), nb::arg("also"),
        nb::arg("threads"), "Where a cut-out comes to lie on a canvas: scale, top, left, drawn.");
    module.def(
        "draw",
        [](const Array<const T, 3>& rgba, double scale, double top, double left,
           const Corners& drawn, std::ptrdiff_t height, std::ptrdiff_t width) {
            auto out = pooled_array<T>({size_of(height), size_of(width), 4});
            const ImageView<const T> view = view_of(rgba);
            const auto into = packed_view(static_cast<T*>(out.data()), height, width, 4);
            const Placement where{scale, top, left, box_of(drawn)};
            const NativeCall call;
            draw<T>(view, where, into);
            return out;
        },
        nb::arg("rgba").noconvert(), nb::arg("scale"), nb::arg("top"), nb::arg("left"),
        nb::arg("drawn"), nb::arg("height"), nb::arg("width"),
        "A cut-out on a transparent canvas.");
}

}  // namespace

void bind_framing(nb::module_& module) {
    bind_resampling<std::uint8_t>(module);
    bind_resampling<std::uint16_t>(module);
    bind_placing<std::uint8_t>(module);
    bind_placing<std::uint16_t>(module);
    module.def(
        "shared_canvas",
        [](const std::vector<Corners>& corners, const Board& board) {
            std::vector<Box> boxes;
            for (const Corners& one : corners) boxes.push_back(box_of(one));
            const Canvas shared = shared_canvas(boxes, canvas_of(board));
            return nb::make_tuple(shared.scale, shared.baseline);
        },
        nb::arg("boxes"), nb::arg("canvas"),
        "One scale and one baseline for several pictures of one product.");
    module.def("align_shares", &align_named, nb::arg("align"),
               "Shares of the free space above the subject and left of it.");
    module.def("size_within", &size_within, nb::arg("height"), nb::arg("width"), nb::arg("longest"),
               "Height and width with a longer side of at most so many pixels.");
    module.attr("SOLID_ALPHA") = solid_alpha;
    module.attr("VISIBLE_ALPHA") = visible_alpha;
    module.attr("FAINT_ALPHA") = faint_alpha;
}

}  // namespace nssbg::bindings
