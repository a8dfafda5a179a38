// Binds the prepare stage: NumPy picture in, caller's planar array filled.
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <array>
#include <string>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/prepare.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

// 3 x H x W as a view whose axes are y, x, c.
template <class Out, class Stored>
ImageView<Out> planar_view(const Array<Stored, 3>& array) {
    return {
        reinterpret_cast<Out*>(array.data()),         static_cast<std::ptrdiff_t>(array.shape(1)),
        static_cast<std::ptrdiff_t>(array.shape(2)),  static_cast<std::ptrdiff_t>(array.shape(0)),
        static_cast<std::ptrdiff_t>(array.stride(1)), static_cast<std::ptrdiff_t>(array.stride(2)),
        static_cast<std::ptrdiff_t>(array.stride(0))};
}

// `Stored` is what NumPy calls the memory; float16 arrays come as uint16 views.
template <class In, class Out, class Stored>
void bind_form(nb::module_& module, const char* name) {
    module.def(
        name,
        [](const Array<const In, 3>& source, const Array<Stored, 3>& target,
           const std::string& filter, std::array<std::ptrdiff_t, 4> content,
           std::array<std::uint8_t, 3> fill, std::array<double, 3> mean, std::array<double, 3> std,
           int threads, std::array<double, 4> part) {
            PrepareOptions options;
            options.filter = filter_named(filter);
            // Python has boxes as Pillow has them: left, top, right, bottom.
            options.content = {content[1], content[0], content[3], content[2]};
            options.fill = fill;
            options.mean = mean;
            options.std = std;
            options.threads = threads;
            options.part = {part[0], part[1], part[2], part[3]};
            const ImageView<const In> from = view_of<const In>(source);
            const ImageView<Out> to = planar_view<Out, Stored>(target);
            const NativeCall call;
            prepare<In, Out>(from, to, options);
        },
        nb::arg("source"), nb::arg("target"), nb::arg("filter"), nb::arg("content"),
        nb::arg("fill"), nb::arg("mean"), nb::arg("std"), nb::arg("threads"),
        nb::arg("part") = std::array<double, 4>{0.0, 0.0, 0.0, 0.0},
        "Fill target (3 x H x W) from source (H x W x 1, 3 or 4).");
}

}  // namespace

void bind_prepare(nb::module_& module) {
    bind_form<std::uint8_t, float, float>(module, "prepare_f32_from_u8");
    bind_form<std::uint8_t, Half, std::uint16_t>(module, "prepare_f16_from_u8");
    bind_form<std::uint8_t, std::uint8_t, std::uint8_t>(module, "prepare_u8_from_u8");
    bind_form<std::uint16_t, float, float>(module, "prepare_f32_from_u16");
    bind_form<std::uint16_t, Half, std::uint16_t>(module, "prepare_f16_from_u16");
    bind_form<std::uint16_t, std::uint8_t, std::uint8_t>(module, "prepare_u8_from_u16");
    module.def(
        "empty_planar_f32",
        [](std::size_t height, std::size_t width) {
            return pooled_array<float>({1, 3, height, width});
        },
        nb::arg("height"), nb::arg("width"),
        "A 1 x 3 x H x W float32 array over pooled memory, contents undefined.");
    module.def(
        "empty_planar_u16",
        [](std::size_t height, std::size_t width) {
            return pooled_array<std::uint16_t>({1, 3, height, width});
        },
        nb::arg("height"), nb::arg("width"),
        "A 1 x 3 x H x W uint16 array over pooled memory, contents undefined.");
    module.def(
        "empty_planar_u8",
        [](std::size_t height, std::size_t width) {
            return pooled_array<std::uint8_t>({1, 3, height, width});
        },
        nb::arg("height"), nb::arg("width"),
        "A 1 x 3 x H x W uint8 array over pooled memory, contents undefined.");
}

}  // namespace nssbg::bindings
