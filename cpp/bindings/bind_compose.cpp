// Binds composition for 8- and 16-bit pictures.
#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/compose.hpp"

namespace nssbg::bindings {
namespace {

template <class T>
ImageView<T> result_view(T* data, const Array<const T, 3>& like, std::ptrdiff_t channels) {
    return packed_view(data, static_cast<std::ptrdiff_t>(like.shape(0)),
                       static_cast<std::ptrdiff_t>(like.shape(1)), channels);
}

template <class T>
void bind_type(nb::module_& module) {
    module.def(
        "over_image",
        [](const Array<const T, 3>& rgba, const Array<const T, 3>& background, int threads) {
            auto out = pooled_array<T>({rgba.shape(0), rgba.shape(1), 3});
            const auto view = result_view(static_cast<T*>(out.data()), rgba, 3);
            const auto front = view_of(rgba);
            const auto back = view_of(background);
            const NativeCall call;
            over_image<T>(front, back, view, threads);
            return out;
        },
        nb::arg("rgba").noconvert(), nb::arg("background").noconvert(), nb::arg("threads") = 1,
        "H x W x 3: straight rgba over a picture (whose row stride may be 0).");
    module.def(
        "over_gradient",
        [](const Array<const T, 3>& rgba, const Array<const T, 2>& colors, bool radial,
           float origin, float across, float down, float center_x, float center_y, float scale,
           int threads) {
            const auto table = view_of(colors);
            if (table.width != 3 || table.stride_x != 1 || table.stride_y != 3)
                throw std::invalid_argument("colors must be a packed N x 3 table");
            const Gradient<T> gradient{table.data, table.height, radial,   origin, across,
                                       down,       center_x,     center_y, scale};
            auto out = pooled_array<T>({rgba.shape(0), rgba.shape(1), 3});
            const auto view = result_view(static_cast<T*>(out.data()), rgba, 3);
            const auto front = view_of(rgba);
            const NativeCall call;
            over_gradient<T>(front, gradient, view, threads);
            return out;
        },
        nb::arg("rgba").noconvert(), nb::arg("colors").noconvert(), nb::arg("radial"),
        nb::arg("origin"), nb::arg("across"), nb::arg("down"), nb::arg("center_x"),
        nb::arg("center_y"), nb::arg("scale"), nb::arg("threads") = 1,
        "H x W x 3: straight rgba over a gradient given as a table of colours.");
    module.def(
        "over_layer",
        [](const Array<const T, 3>& front, const Array<const T, 3>& back, int threads) {
            auto out = pooled_array<T>({front.shape(0), front.shape(1), 4});
            const auto view = result_view(static_cast<T*>(out.data()), front, 4);
            const auto above = view_of(front);
            const auto below = view_of(back);
            const NativeCall call;
            over_layer<T>(above, below, view, threads);
            return out;
        },
        nb::arg("front").noconvert(), nb::arg("back").noconvert(), nb::arg("threads") = 1,
        "H x W x 4: one straight layer over another, straight result.");
    module.def(
        "subject_box",
        [](const Array<const T, 3>& rgba, T threshold, int threads) {
            const auto view = view_of(rgba);
            Box box;
            {
                const NativeCall call;
                box = subject_box<T>(view, threshold, threads);
            }
            return nb::make_tuple(box.top, box.left, box.bottom, box.right);
        },
        nb::arg("rgba").noconvert(), nb::arg("threshold"), nb::arg("threads") = 1,
        "(top, left, bottom, right) of the pixels whose alpha is above the threshold.");
    module.def(
        "suppress_spill",
        [](const Array<const T, 3>& rgba, int screen, float strength, int threads) {
            auto out = pooled_array<T>({rgba.shape(0), rgba.shape(1), 4});
            const auto view = result_view(static_cast<T*>(out.data()), rgba, 4);
            const auto front = view_of(rgba);
            const NativeCall call;
            suppress_spill<T>(front, view, screen, strength, threads);
            return out;
        },
        nb::arg("rgba").noconvert(), nb::arg("screen"), nb::arg("strength") = 1.0f,
        nb::arg("threads") = 1, "A copy of rgba with a chroma screen's spill taken down.");
    module.def(
        "premultiply",
        [](const Array<const T, 3>& rgba, int threads) {
            auto out = pooled_array<T>({rgba.shape(0), rgba.shape(1), 4});
            const auto view = result_view(static_cast<T*>(out.data()), rgba, 4);
            const auto front = view_of(rgba);
            const NativeCall call;
            premultiply<T>(front, view, threads);
            return out;
        },
        nb::arg("rgba").noconvert(), nb::arg("threads") = 1, "Straight to premultiplied alpha.");
}

}  // namespace

void bind_compose(nb::module_& module) {
    bind_type<std::uint8_t>(module);
    bind_type<std::uint16_t>(module);
}

}  // namespace nssbg::bindings
