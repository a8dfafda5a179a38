// Binds colour decontamination for every pair of picture and alpha types.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/decontaminate.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

template <class T, class A>
void bind_types(nb::module_& module) {
    module.def(
        "decontaminate",
        [](const Array<const T, 3>& image, const Array<const A, 2>& alpha,
           const std::optional<Array<T, 3>>& background, const std::string& method, float strength,
           bool extend, float gradient_weight, float regularization, int threads) {
            DecontaminateOptions options;
            options.method = method_named(method);
            options.strength = strength;
            options.extend = extend;
            options.gradient_weight = gradient_weight;
            options.regularization = regularization;
            options.threads = threads;
            auto rgba = pooled_array<T>({image.shape(0), image.shape(1), 4});
            const auto rgba_view = packed_view(static_cast<T*>(rgba.data()),
                                               static_cast<std::ptrdiff_t>(image.shape(0)),
                                               static_cast<std::ptrdiff_t>(image.shape(1)), 4);
            const ImageView<T> background_view = background ? view_of(*background) : ImageView<T>{};
            const auto image_view = view_of(image);
            const auto alpha_view = view_of(alpha);
            const NativeCall call;
            decontaminate<T, A>(image_view, alpha_view, rgba_view, background_view, options);
            return rgba;
        },
        nb::arg("image").noconvert(), nb::arg("alpha").noconvert(),
        nb::arg("background").noconvert().none() = nb::none(), nb::arg("method") = "multilevel",
        nb::arg("strength") = 1.0f, nb::arg("extend") = false,
        nb::arg("gradient_weight") = DecontaminateOptions{}.gradient_weight,
        nb::arg("regularization") = DecontaminateOptions{}.regularization, nb::arg("threads") = 1,
        "Straight H x W x 4 from H x W x 3 and its alpha, edge colours freed of the background.");
}

}  // namespace

void bind_decontaminate(nb::module_& module) {
    bind_types<std::uint8_t, std::uint8_t>(module);
    bind_types<std::uint8_t, std::uint16_t>(module);
    bind_types<std::uint8_t, float>(module);
    bind_types<std::uint16_t, std::uint8_t>(module);
    bind_types<std::uint16_t, std::uint16_t>(module);
    bind_types<std::uint16_t, float>(module);
}

}  // namespace nssbg::bindings
