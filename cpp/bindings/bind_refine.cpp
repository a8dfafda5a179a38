// Binds the refinement: image and coarse alpha in, alpha and a report out.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/cleanup.hpp"
#include "nssbg/edge.hpp"
#include "nssbg/merge_alpha.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/post_process.hpp"
#include "nssbg/refine.hpp"
#include "report_dict.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

template <class Pixel, class T>
nb::tuple refined(const Array<const Pixel, 3>& image, const Array<const T, 2>& coarse,
                  const std::optional<Array<const std::uint8_t, 2>>& trimap,
                  const std::string& level, int threads, std::ptrdiff_t tile) {
    RefineOptions options;
    options.level = level_named(level);
    options.threads = resolve_threads(threads);
    options.tile = tile;
    const auto height = image.shape(0), width = image.shape(1);
    auto alpha = pooled_array<T>({height, width});
    const ImageView<T> out = packed_view(alpha.data(), static_cast<std::ptrdiff_t>(height),
                                         static_cast<std::ptrdiff_t>(width), 1);
    const ImageView<const Pixel> image_view = view_of(image);
    const ImageView<const T> coarse_view = view_of(coarse);
    ImageView<const std::uint8_t> trimap_view;
    if (trimap) trimap_view = view_of(*trimap);
    RefineReport report;
    {
        const NativeCall call;
        refine<Pixel, T>(image_view, coarse_view, trimap_view, out, options, &report);
    }
    return nb::make_tuple(alpha, dict_of(report));
}

template <class T>
nb::dict cleaned(const Array<T, 2>& alpha, bool holes, double level, std::int64_t least_area,
                 bool keep_largest, double deepest, double of_largest, double faint) {
    ComponentOptions options;
    options.holes = holes;
    options.level = level;
    options.least_area = least_area;
    options.keep_largest = keep_largest;
    options.deepest = deepest;
    options.of_largest = of_largest;
    options.faint = faint;
    const ImageView<T> view = view_of(alpha);
    ComponentReport report;
    {
        const NativeCall call;
        report = clean_components(view, options);
    }
    return dict_of(report);
}

template <class T>
nb::ndarray<nb::numpy, T> feathered(const Array<const T, 2>& alpha, double sigma, int threads) {
    auto out = pooled_array<T>({alpha.shape(0), alpha.shape(1)});
    const ImageView<const T> view = view_of(alpha);
    const ImageView<T> out_view = packed_view(out.data(), view.height, view.width, 1);
    const NativeCall call;
    feather(view, sigma, resolve_threads(threads), out_view);
    return out;
}

template <class T>
void bind_cleanup(nb::module_& module) {
    module.def("clean_components", &cleaned<T>, nb::arg("alpha").noconvert(), nb::arg("holes"),
               nb::arg("level"), nb::arg("least_area"), nb::arg("keep_largest"),
               nb::arg("deepest") = 0.0, nb::arg("of_largest") = 0.0, nb::arg("faint") = 0.0,
               "Remove small components or fill holes of an alpha, in place.");
    module.def(
        "remove_stray_alpha",
        [](const Array<T, 2>& alpha, double level, double reach) {
            const ImageView<T> view = view_of(alpha);
            const NativeCall call;
            remove_stray_alpha(view, level, reach);
        },
        nb::arg("alpha").noconvert(), nb::arg("level"), nb::arg("reach"),
        "Set to 0 what lies far from all that is above the level, in place.");
    module.def(
        "post_process",
        [](const Array<T, 2>& alpha) {
            const ImageView<T> view = view_of(alpha);
            const NativeCall call;
            post_process(view);
        },
        nb::arg("alpha").noconvert(),
        "Post-process the map of a network whose subjects are opaque, in place.");
    module.def(
        "choke",
        [](const Array<const T, 2>& alpha, double pixels, int threads) {
            auto out = pooled_array<T>({alpha.shape(0), alpha.shape(1)});
            const ImageView<const T> view = view_of(alpha);
            const auto into = packed_view(static_cast<T*>(out.data()), view.height, view.width, 1);
            const NativeCall call;
            choke<T>(view, pixels, resolve_threads(threads), into);
            return out;
        },
        nb::arg("alpha").noconvert(), nb::arg("pixels"), nb::arg("threads"),
        "Move an alpha's edge inwards (negative: outwards).");
    module.def("feather", &feathered<T>, nb::arg("alpha").noconvert(), nb::arg("sigma"),
               nb::arg("threads"), "Gaussian blur of an alpha.");
}

template <class A, class E, class Out>
void bind_merge(nb::module_& module) {
    module.def(
        "merge_alpha",
        [](const Array<const A, 2>& alpha, const Array<const E, 2>& existing) {
            auto out = pooled_array<Out>({alpha.shape(0), alpha.shape(1)});
            const ImageView<const A> view = view_of(alpha);
            const ImageView<const E> other = view_of(existing);
            const auto result =
                packed_view(static_cast<Out*>(out.data()), view.height, view.width, 1);
            const NativeCall call;
            merge_alpha<A, E, Out>(view, other, result);
            return out;
        },
        nb::arg("alpha").noconvert(), nb::arg("existing").noconvert(),
        "The product of an alpha with the one that the picture came with.");
}

// A stream as Python has it: threads may push at once, since push lets go of the interpreter's
// lock; they take turns.
template <class Pixel, class T>
struct SharedStream {
    RefineStream<Pixel, T> stream;
    mutable std::mutex turn;

    SharedStream(std::ptrdiff_t height, std::ptrdiff_t width, const ImageView<const T>& coarse,
                 const RefineOptions& options)
        : stream(height, width, coarse, options) {}
};

template <class Pixel, class T>
void bind_stream(nb::module_& module, const char* name) {
    using Stream = SharedStream<Pixel, T>;
    nb::class_<Stream>(module, name)
        .def(
            "__init__",
            [](Stream* self, std::ptrdiff_t height, std::ptrdiff_t width,
               const Array<const T, 2>& coarse, const std::string& level, int threads) {
                RefineOptions options;
                options.level = level_named(level);
                options.threads = resolve_threads(threads);
                new (self) Stream(height, width, view_of(coarse), options);
            },
            nb::arg("height"), nb::arg("width"), nb::arg("coarse").noconvert(), nb::arg("level"),
            nb::arg("threads"))
        .def(
            "push",
            [](Stream& self, const Array<const Pixel, 3>& rows) {
                const ImageView<const Pixel> view = view_of(rows);
                Scratch<T> finished;
                std::ptrdiff_t height = 0;
                {
                    const NativeCall call;
                    const std::lock_guard<std::mutex> guard(self.turn);
                    self.stream.push(view);
                    height = self.stream.ready();
                    // At least one: an array over no memory at all has no owner.
                    finished = Scratch<T>(
                        static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, height * view.width)));
                    self.stream.take(packed_view(finished.data(), height, view.width, 1));
                }
                return pooled_array(std::move(finished), {static_cast<std::size_t>(height),
                                                          static_cast<std::size_t>(view.width)});
            },
            nb::arg("rows").noconvert())
        .def("report", [](const Stream& self) {
            RefineReport report;
            {
                const NativeCall call;
                const std::lock_guard<std::mutex> guard(self.turn);
                report = self.stream.report();
            }
            return dict_of(report);
        });
}

template <class Pixel, class T>
void bind_one(nb::module_& module) {
    module.def("refine", &refined<Pixel, T>, nb::arg("image").noconvert(),
               nb::arg("coarse").noconvert(), nb::arg("trimap").noconvert().none(),
               nb::arg("level"), nb::arg("threads"), nb::arg("tile"),
               "Refine a coarse alpha to the image's size: (alpha, report).");
}

}  // namespace

void bind_refine(nb::module_& module) {
    bind_one<std::uint8_t, std::uint8_t>(module);
    bind_one<std::uint8_t, float>(module);
    bind_one<std::uint16_t, std::uint8_t>(module);
    bind_one<std::uint16_t, float>(module);
    bind_stream<std::uint8_t, std::uint8_t>(module, "RefineStreamU8U8");
    bind_stream<std::uint8_t, float>(module, "RefineStreamU8F32");
    bind_stream<std::uint16_t, std::uint8_t>(module, "RefineStreamU16U8");
    bind_stream<std::uint16_t, float>(module, "RefineStreamU16F32");
    bind_cleanup<std::uint8_t>(module);
    bind_cleanup<float>(module);
    bind_merge<std::uint8_t, std::uint8_t, std::uint8_t>(module);
    bind_merge<std::uint8_t, std::uint16_t, std::uint16_t>(module);
    bind_merge<float, std::uint8_t, float>(module);
    bind_merge<float, std::uint16_t, float>(module);
    module.def(
        "edge_pixels",
        [](double choke, double softness, std::ptrdiff_t height, std::ptrdiff_t width) {
            const EdgePixels pixels = edge_pixels(choke, softness, height, width);
            return nb::make_tuple(pixels.choke, pixels.softness);
        },
        nb::arg("choke"), nb::arg("softness"), nb::arg("height"), nb::arg("width"),
        "Choke and softness, given as shares of the most that is offered, in pixels.");
    module.attr("LARGEST_DIP") = largest_dip;
    module.attr("COMPONENT_LEVEL") = small_component_level;
    module.attr("COMPONENT_SHARE") = small_component_share;
}

}  // namespace nssbg::bindings
