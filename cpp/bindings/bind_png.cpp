// Binds PNG: unfiltering for the reader, encoding for the writer.
#include "arrays.hpp"
#include "nssbg/png.hpp"

namespace nssbg::bindings {

void bind_png(nb::module_& module) {
    module.def(
        "png_unfilter",
        [](const nb::ndarray<const std::uint8_t, nb::numpy, nb::ndim<2>, nb::device::cpu,
                             nb::c_contig>& filtered,
           int pixel_bytes) {
            if (filtered.shape(0) < 1 || filtered.shape(1) < 2)
                throw std::invalid_argument("png_unfilter: no rows");
            const std::size_t height = filtered.shape(0);
            const std::size_t row_bytes = filtered.shape(1) - 1;
            auto plain = pooled_array<std::uint8_t>({height, row_bytes});
            {
                nb::gil_scoped_release release;
                png_unfilter(filtered.data(), static_cast<std::ptrdiff_t>(height),
                             static_cast<std::ptrdiff_t>(row_bytes), pixel_bytes, plain.data());
            }
            return plain;
        },
        nb::arg("filtered"), nb::arg("pixel_bytes"),
        "Undo PNG's row filters: height x (1 + row_bytes) to height x row_bytes, uint8.");
}

}  // namespace nssbg::bindings
