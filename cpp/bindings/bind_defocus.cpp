// Binds defocus for 8- and 16-bit pictures.
#include <algorithm>
#include <vector>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/defocus.hpp"

namespace nssbg::bindings {
namespace {

template <class T>
void bind_type(nb::module_& module) {
    module.def(
        "defocus",
        [](const Array<const T, 3>& image, const Array<const T, 3>& rgba,
           const Array<const float, 2>& radii, int blades, float rotation, int threads) {
            auto out = pooled_array<T>({image.shape(0), image.shape(1), 3});
            const auto target = packed_view(static_cast<T*>(out.data()),
                                            static_cast<std::ptrdiff_t>(image.shape(0)),
                                            static_cast<std::ptrdiff_t>(image.shape(1)), 3);
            const auto photograph = view_of(image);
            const auto subject = view_of(rgba);
            const auto map = view_of(radii);
            const NativeCall call;
            defocus<T>(photograph, subject, map, {blades, rotation}, target, threads);
            return out;
        },
        nb::arg("image").noconvert(), nb::arg("rgba").noconvert(), nb::arg("radii").noconvert(),
        nb::arg("blades") = 0, nb::arg("rotation") = 0.0f, nb::arg("threads") = 1,
        "H x W x 3: the image's background without the subject (straight rgba), blurred by "
        "circles of confusion of radii pixels (h x w, negative in front of the focus).");
    module.def(
        "radii_of_plane",
        [](const Array<const T, 2>& alpha, double radius) {
            const auto view = view_of(alpha);
            std::vector<float> radii;
            {
                const NativeCall call;
                radii = radii_of_plane<T>(view, radius);
            }
            auto out = pooled_array<float>({radii.size(), 1});
            std::copy(radii.begin(), radii.end(), static_cast<float*>(out.data()));
            return out;
        },
        nb::arg("alpha").noconvert(), nb::arg("radius"),
        "Radii of circles of confusion of a ground that the subject stands on: n x 1.");
}

}  // namespace

void bind_defocus(nb::module_& module) {
    bind_type<std::uint8_t>(module);
    bind_type<std::uint16_t>(module);
}

}  // namespace nssbg::bindings
