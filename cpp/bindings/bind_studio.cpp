// Binds the studio method: rgb in, alpha (and shadow) over pooled memory and a report out.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/studio.hpp"
#include "report_dict.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

template <class T>
nb::tuple run(const Array<const T, 3>& rgb, const std::string& chroma, bool shadow, int threads,
              float least_border) {
    StudioOptions options;
    options.chroma = screen_named(chroma);
    options.threads = threads;
    options.least_border = least_border;
    const auto view = view_of<const T>(rgb);
    const auto height = static_cast<std::size_t>(view.height);
    const auto width = static_cast<std::size_t>(view.width);
    if (view.empty()) throw std::invalid_argument("the picture has no pixels");
    auto alpha = pooled_array<std::uint8_t>({height, width});
    auto layer = shadow ? pooled_array<std::uint8_t>({height, width})
                        : pooled_array<std::uint8_t>({std::size_t{1}, std::size_t{1}});
    const auto alpha_view = packed_view(alpha.data(), view.height, view.width, 1);
    ImageView<std::uint8_t> shadow_view;
    if (shadow) shadow_view = packed_view(layer.data(), view.height, view.width, 1);
    StudioReport report;
    {
        const NativeCall call;
        report = studio_alpha<T>(view, alpha_view, shadow_view, options);
    }
    if (report.stopped) return nb::make_tuple(nb::none(), nb::none(), dict_of(report));
    return nb::make_tuple(alpha, shadow ? nb::cast(layer) : nb::object(nb::none()),
                          dict_of(report));
}

}  // namespace

void bind_studio(nb::module_& module) {
    const char* text =
        "Alpha (None where too little of the border is one backdrop), shadow (or None) and report "
        "of the weights-free method for H x W x 3.";
    module.def("studio_alpha", &run<std::uint8_t>, nb::arg("rgb"), nb::arg("chroma"),
               nb::arg("shadow"), nb::arg("threads"), nb::arg("least_border"), text);
    module.attr("LOW_STUDIO_CONFIDENCE") = static_cast<double>(low_studio_confidence);
    module.def("studio_alpha", &run<std::uint16_t>, nb::arg("rgb"), nb::arg("chroma"),
               nb::arg("shadow"), nb::arg("threads"), nb::arg("least_border"), text);
}

}  // namespace nssbg::bindings
