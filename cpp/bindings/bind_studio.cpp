// Binds the studio method: rgb in, alpha (and shadow) over pooled memory and a report out.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/studio.hpp"

namespace nssbg::bindings {
namespace {

ChromaScreen screen_named(const std::string& name) {
    if (name == "auto") return ChromaScreen::automatic;
    if (name == "off") return ChromaScreen::off;
    if (name == "green") return ChromaScreen::green;
    if (name == "blue") return ChromaScreen::blue;
    throw std::invalid_argument("chroma must be 'auto', 'off', 'green' or 'blue', got '" + name +
                                "'");
}

nb::dict as_dict(const StudioReport& report) {
    nb::dict out;
    out["confidence"] = report.confidence;
    out["backdrop_color"] = nb::make_tuple(report.backdrop_color[0], report.backdrop_color[1],
                                           report.backdrop_color[2]);
    out["backdrop_range"] = report.backdrop_range;
    out["noise"] = report.noise;
    out["residual"] = report.residual;
    out["border_share"] = report.border_share;
    out["side_share"] = nb::make_tuple(report.side_share[0], report.side_share[1],
                                       report.side_share[2], report.side_share[3]);
    out["foreground_share"] = report.foreground_share;
    out["outline_contrast"] = report.outline_contrast;
    out["outline_agreement"] = report.outline_agreement;
    out["outline_length"] = report.outline_length;
    out["band_share"] = report.band_share;
    out["subject_unity"] = report.subject_unity;
    out["border_touch"] = report.border_touch;
    out["backdrop_texture"] = report.backdrop_texture;
    out["screen"] = report.screen == ChromaScreen::green  ? "green"
                    : report.screen == ChromaScreen::blue ? "blue"
                                                          : "";
    out["holes"] = report.holes;
    out["reduction"] = report.reduction;
    out["shadow_found"] = report.shadow_found;
    return out;
}

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
    if (report.stopped) return nb::make_tuple(nb::none(), nb::none(), as_dict(report));
    return nb::make_tuple(alpha, shadow ? nb::cast(layer) : nb::object(nb::none()),
                          as_dict(report));
}

}  // namespace

void bind_studio(nb::module_& module) {
    const char* text =
        "Alpha (None where too little of the border is one backdrop), shadow (or None) and report "
        "of the weights-free method for H x W x 3.";
    module.def("studio_alpha", &run<std::uint8_t>, nb::arg("rgb"), nb::arg("chroma"),
               nb::arg("shadow"), nb::arg("threads"), nb::arg("least_border"), text);
    module.def("studio_alpha", &run<std::uint16_t>, nb::arg("rgb"), nb::arg("chroma"),
               nb::arg("shadow"), nb::arg("threads"), nb::arg("least_border"), text);
}

}  // namespace nssbg::bindings
