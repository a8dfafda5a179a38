// Binds shadows: a layer of an alpha, a layer of a given strength, and the room that one needs.
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <cstdint>
#include <tuple>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/shadow.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

// Kind, opacity, softness, right, down: Shadow, in its order.
using Record = std::tuple<std::string, double, double, double, double>;

ShadowOptions options_of(const Record& record) {
    const auto& [kind, opacity, softness, right, down] = record;
    return {is_contact_named(kind), opacity, softness, right, down};
}

template <class T>
void bind_type(nb::module_& module) {
    module.def(
        "shadow_layer",
        [](const Array<const T, 2>& alpha, const Record& shadow, const std::array<T, 3>& color) {
            auto out = pooled_array<T>({alpha.shape(0), alpha.shape(1), 4});
            const auto view = view_of(alpha);
            const auto into = packed_view(static_cast<T*>(out.data()), view.height, view.width, 4);
            const ShadowOptions options = options_of(shadow);
            const NativeCall call;
            shadow_layer<T>(view, options, color, into);
            return out;
        },
        nb::arg("alpha").noconvert(), nb::arg("shadow"), nb::arg("color"),
        "H x W x 4: a shadow of the subject, straight, of one colour.");
}

template <class T>
nb::ndarray<nb::numpy, T> layer_of(const Array<const float, 2>& strength,
                                   const std::array<T, 3>& color) {
    auto out = pooled_array<T>({strength.shape(0), strength.shape(1), 4});
    const auto view = view_of(strength);
    const auto into = packed_view(static_cast<T*>(out.data()), view.height, view.width, 4);
    const NativeCall call;
    layer_from_strength<T>(view, color, into);
    return out;
}

}  // namespace

void bind_shadow(nb::module_& module) {
    bind_type<std::uint8_t>(module);
    bind_type<std::uint16_t>(module);
    // Named by what they give: from floats and small numbers alone nothing tells.
    module.def("layer_from_strength_u8", &layer_of<std::uint8_t>, nb::arg("strength").noconvert(),
               nb::arg("color"), "A layer of one colour from a map of how strong it is, 0 to 1.");
    module.def("layer_from_strength_u16", &layer_of<std::uint16_t>, nb::arg("strength").noconvert(),
               nb::arg("color"), "A layer of one colour from a map of how strong it is, 0 to 1.");
    module.def(
        "shadow_room",
        [](const std::tuple<std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t>& box,
           std::ptrdiff_t height, std::ptrdiff_t width, const Record& shadow, double tail) {
            const auto [top, left, bottom, right] = box;
            const Room room =
                shadow_room({top, left, bottom, right}, height, width, options_of(shadow), tail);
            return nb::make_tuple(room.top, room.right, room.bottom, room.left);
        },
        nb::arg("box"), nb::arg("height"), nb::arg("width"), nb::arg("shadow"), nb::arg("tail"),
        "Pixels that a shadow reaches beyond a subject's box: top, right, bottom, left.");
    module.attr("SHADOW_TAIL") = shadow_tail;
}

}  // namespace nssbg::bindings
