// Binds what reading and writing pictures needs: PNG's filters and encoder, orientation.
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/orient.hpp"
#include "nssbg/png.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

template <class T>
nb::bytes encode(const Array<const T, 3>& pixels, const std::string& compression, nb::bytes chunks,
                 int threads) {
    PngOptions options;
    options.compression = compression_named(compression);
    options.threads = threads;
    options.chunks = reinterpret_cast<const std::uint8_t*>(chunks.c_str());
    options.chunk_bytes = chunks.size();
    const ImageView<const T> view = view_of(pixels);
    PngFile file;
    {
        const NativeCall call;
        file = png_encode(view, options);
    }
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(file.size()));
    if (bytes == nullptr) nb::raise_python_error();
    auto* out = reinterpret_cast<std::uint8_t*>(PyBytes_AsString(bytes));
    {
        const NativeCall call;  // nobody else knows the object yet
        file.copy_to(out);
    }
    return nb::steal<nb::bytes>(bytes);
}

template <class T>
nb::ndarray<nb::numpy, T> turned(const Array<const T, 3>& pixels, int orientation, int threads) {
    const ImageView<const T> view = view_of(pixels);
    const bool swapped = orientation >= 5;
    auto out = pooled_array<T>(
        {pixels.shape(swapped ? 1 : 0), pixels.shape(swapped ? 0 : 1), pixels.shape(2)});
    {
        const NativeCall call;
        orient(view, orientation, threads, out.data());
    }
    return out;
}

constexpr const char* orient_doc =
    "Turn H x W x C pixels (C 1, 3 or 4; uint8 or uint16, packed rows) as an EXIF orientation, "
    "1 to 8, asks.";

constexpr const char* encode_doc =
    "Encode H x W x C samples (C 1, 3 or 4; uint8 or uint16, any strides) to a PNG file's bytes; "
    "chunks are whole chunks to stand before the pixels.";

}  // namespace

void bind_png(nb::module_& module) {
    module.def("png_encode", &encode<std::uint8_t>, nb::arg("pixels"), nb::arg("compression"),
               nb::arg("chunks"), nb::arg("threads"), encode_doc);
    module.def("png_encode", &encode<std::uint16_t>, nb::arg("pixels"), nb::arg("compression"),
               nb::arg("chunks"), nb::arg("threads"), encode_doc);
    module.def("orient", &turned<std::uint8_t>, nb::arg("pixels"), nb::arg("orientation"),
               nb::arg("threads"), orient_doc);
    module.def("orient", &turned<std::uint16_t>, nb::arg("pixels"), nb::arg("orientation"),
               nb::arg("threads"), orient_doc);
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
                const NativeCall call;
                png_unfilter(filtered.data(), static_cast<std::ptrdiff_t>(height),
                             static_cast<std::ptrdiff_t>(row_bytes), pixel_bytes, plain.data());
            }
            return plain;
        },
        nb::arg("filtered"), nb::arg("pixel_bytes"),
        "Undo PNG's row filters: height x (1 + row_bytes) to height x row_bytes, uint8.");
}

}  // namespace nssbg::bindings
