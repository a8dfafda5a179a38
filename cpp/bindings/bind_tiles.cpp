// Binds tiles of pictures for image-to-image networks, for 8- and 16-bit pictures.
#include <array>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/tiles.hpp"

namespace nssbg::bindings {
namespace {

using Planes = nb::ndarray<float, nb::numpy, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using Origins =
    nb::ndarray<const std::int64_t, nb::numpy, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Three = nb::ndarray<const float, nb::numpy, nb::shape<3>, nb::c_contig, nb::device::cpu>;

// 3 x h x w planes as h x w x 3.
ImageView<const float> interleaved_view(const Array<const float, 3>& planes) {
    return {planes.data(),
            static_cast<std::ptrdiff_t>(planes.shape(1)),
            static_cast<std::ptrdiff_t>(planes.shape(2)),
            static_cast<std::ptrdiff_t>(planes.shape(0)),
            static_cast<std::ptrdiff_t>(planes.stride(1)),
            static_cast<std::ptrdiff_t>(planes.stride(2)),
            static_cast<std::ptrdiff_t>(planes.stride(0))};
}

template <class T>
void bind_type(nb::module_& module) {
    module.def(
        "cut_tiles",
        [](const Array<const T, 3>& image, const Planes& planes, const Origins& origins,
           const Three& scale, const Three& shift, int threads) {
            const TilePlanes target{planes.data(), static_cast<std::ptrdiff_t>(planes.shape(0)),
                                    static_cast<std::ptrdiff_t>(planes.shape(1)),
                                    static_cast<std::ptrdiff_t>(planes.shape(2)),
                                    static_cast<std::ptrdiff_t>(planes.shape(3))};
            const TileOrigins places{origins.data(), static_cast<std::ptrdiff_t>(origins.shape(0))};
            const auto view = view_of(image);
            const NativeCall call;
            cut_tiles<T>(view, places, scale.data(), shift.data(), target, threads);
        },
        nb::arg("image").noconvert(), nb::arg("planes").noconvert(), nb::arg("origins").noconvert(),
        nb::arg("scale").noconvert(), nb::arg("shift").noconvert(), nb::arg("threads") = 1,
        "Fill the colours of planes (N x C x h x w) with image * scale + shift at each origin "
        "(row, column), mirrored beyond the image's edges.");
    module.def(
        "put_tile",
        [](const Array<const float, 3>& planes, const Array<T, 3>& out, std::ptrdiff_t left,
           std::ptrdiff_t top, std::ptrdiff_t right, int threads) {
            const auto tile = interleaved_view(planes);
            const auto target = view_of(out);
            const NativeCall call;
            return put_tile<T>(tile, target, {left, top, right}, threads);
        },
        nb::arg("planes").noconvert(), nb::arg("out").noconvert(), nb::arg("left") = 0,
        nb::arg("top") = 0, nb::arg("right") = 0, nb::arg("threads") = 1,
        "Put 3 x h x w floats 0..1 over out (h x w x 3), rounded, faded in over left columns and "
        "top rows; False where one was not finite.");
}

}  // namespace

void bind_tiles(nb::module_& module) {
    bind_type<std::uint8_t>(module);
    bind_type<std::uint16_t>(module);
}

}  // namespace nssbg::bindings
