// Binds what is decided on a network's maps: activation and range, confidence, the selector of
// model="auto", the second pass.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "native_call.hpp"
#include "nssbg/confidence.hpp"
#include "nssbg/network_output.hpp"
#include "nssbg/second_pass.hpp"
#include "nssbg/selector.hpp"
#include "report_dict.hpp"
#include "vocabulary.hpp"

namespace nssbg::bindings {
namespace {

using Map = Array<const float, 2>;
using Weights = std::vector<double>;

// An empty view for none.
ImageView<const float> view_or_none(const std::optional<Map>& map) {
    return map ? view_of(*map) : ImageView<const float>{};
}

nb::tuple numbers(const Weights& values) {
    nb::list list;
    for (const double value : values) list.append(value);
    return nb::tuple(list);
}

void bind_confidence(nb::module_& module) {
    module.def(
        "confidence_features",
        [](const Map& alpha, const std::optional<Map>& flipped) {
            const auto view = view_of(alpha), other = view_or_none(flipped);
            Weights features;
            {
                const NativeCall call;
                features = confidence_features(view, other);
            }
            return numbers(features);
        },
        nb::arg("alpha").noconvert(), nb::arg("flipped").noconvert().none(),
        "What the expected overlap of a network's map is made from.");
    module.def(
        "confidence",
        [](const Map& alpha, const std::optional<Map>& flipped, Weights single, Weights flip_tta) {
            const auto view = view_of(alpha), other = view_or_none(flipped);
            const ConfidenceWeights weights{std::move(single), std::move(flip_tta)};
            Confidence found;
            {
                const NativeCall call;
                found = confidence(view, other, weights);
            }
            return dict_of(found);
        },
        nb::arg("alpha").noconvert(), nb::arg("flipped").noconvert().none(), nb::arg("single"),
        nb::arg("flip_tta"), "The overlap with the truth to be expected of a network's map.");
    module.def(
        "map_confidence",
        [](const Map& alpha, Weights single) {
            const auto view = view_of(alpha);
            const ConfidenceWeights weights{std::move(single), {}};
            const NativeCall call;
            return map_confidence(view, weights);
        },
        nb::arg("alpha").noconvert(), nb::arg("single"),
        "Orders the maps of one network, the surer ones first.");
}

template <class S, class N>
void bind_features(nb::module_& module) {
    module.def(
        "selector_features",
        [](const Array<const S, 2>& studio, double studio_confidence,
           const Array<const N, 2>& network, double network_overlap) {
            const ImageView<const S> one = view_of(studio);
            const ImageView<const N> other = view_of(network);
            SelectorFeatures features;
            {
                const NativeCall call;
                features = selector_features(one, studio_confidence, other, network_overlap);
            }
            return numbers(Weights(features.begin(), features.end()));
        },
        nb::arg("studio").noconvert(), nb::arg("studio_confidence"), nb::arg("network").noconvert(),
        nb::arg("network_overlap"), "What the choice between two alphas is made from.");
}

void bind_selector(nb::module_& module) {
    bind_features<std::uint8_t, std::uint8_t>(module);
    bind_features<std::uint8_t, float>(module);
    bind_features<float, std::uint8_t>(module);
    bind_features<float, float>(module);
    module.def(
        "select",
        [](const Weights& features, Weights studio_is_better, Weights studio_overlap,
           Weights network_overlap) {
            SelectorFeatures given{};
            if (features.size() != given.size())
                throw std::invalid_argument("select: there are five features");
            std::copy(features.begin(), features.end(), given.begin());
            return dict_of(select(given, {std::move(studio_is_better), std::move(studio_overlap),
                                          std::move(network_overlap)}));
        },
        nb::arg("features"), nb::arg("studio_is_better"), nb::arg("studio_overlap"),
        nb::arg("network_overlap"), "Which of two alphas to take.");
}

template <class T>
nb::ndarray<nb::numpy, T> joined(const ImageView<const float>& alpha,
                                 const ImageView<const float>& flipped) {
    auto out = pooled_array<T>(
        {static_cast<std::size_t>(alpha.height), static_cast<std::size_t>(alpha.width)});
    const auto view = packed_view(static_cast<T*>(out.data()), alpha.height, alpha.width, 1);
    const NativeCall call;
    joined_maps<T>(alpha, flipped, view);
    return out;
}

void bind_output(nb::module_& module) {
    module.def(
        "coarse_alpha",
        [](const nb::ndarray<float, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>& maps,
           const std::string& activation, const std::string& range) {
            const Activation how = activation_named(activation);
            const OutputRange wanted = range_named(range);
            float* const values = maps.data();
            const std::size_t count = maps.shape(0), cells = maps.shape(1);
            std::ptrdiff_t broken = 0;
            {
                const NativeCall call;
                for (std::size_t i = 0; i < count; ++i)
                    broken += coarse_alpha(values + i * cells, static_cast<std::ptrdiff_t>(cells),
                                           how, wanted);
            }
            return broken;
        },
        nb::arg("maps").noconvert(), nb::arg("activation"), nb::arg("range"),
        "Maps x cells of a network's output to 0..1, in place; how many were not finite.");
    module.def(
        "joined_maps",
        [](const Map& alpha, const std::optional<Map>& flipped, bool in_bytes) {
            const auto view = view_of(alpha), other = view_or_none(flipped);
            return in_bytes ? nb::cast(joined<std::uint8_t>(view, other))
                            : nb::cast(joined<float>(view, other));
        },
        nb::arg("alpha").noconvert(), nb::arg("flipped").noconvert().none(), nb::arg("in_bytes"),
        "A map, or the mean of two, in float32 or in bytes.");
}

template <class T, class Class>
void bind_maps_of(Class& bound) {
    bound
        .def(
            "__init__",
            [](SecondPass* self, const Array<const T, 2>& first, std::ptrdiff_t height,
               std::ptrdiff_t width, const std::string& effort, Weights single,
               std::ptrdiff_t input_pixels) {
                const SecondPassOptions options{
                    effort_named(effort), {std::move(single), {}}, input_pixels};
                new (self) SecondPass(view_of(first), height, width, options);
            },
            nb::arg("first").noconvert(), nb::arg("height"), nb::arg("width"), nb::arg("effort"),
            nb::arg("single"), nb::arg("input_pixels") = most_input_pixels)
        .def(
            "answer",
            [](SecondPass& self, const Array<const T, 2>& map) {
                const ImageView<const T> view = view_of(map);
                const NativeCall call;
                self.answer(view);
            },
            nb::arg("map").noconvert());
}

void bind_second_pass(nb::module_& module) {
    nb::class_<SecondPass> bound(module, "SecondPass");
    bind_maps_of<std::uint8_t>(bound);
    bind_maps_of<float>(bound);
    bound
        .def(
            "next",
            [](SecondPass& self, bool may_run) -> nb::object {
                std::optional<Box> box;
                {
                    const NativeCall call;
                    box = self.next(may_run);
                }
                return box ? nb::object(tuple_of(*box)) : nb::object(nb::none());
            },
            nb::arg("may_run"))
        .def("map", [](const SecondPass& self) { return joined<float>(self.map(), {}); })
        .def("report", [](const SecondPass& self) {
            SecondPassReport report;
            {
                const NativeCall call;
                report = self.report();
            }
            return dict_of(report);
        });
}

}  // namespace

void bind_segment(nb::module_& module) {
    bind_confidence(module);
    bind_selector(module);
    bind_output(module);
    bind_second_pass(module);
    module.attr("LOW_CONFIDENCE") = low_confidence;
    module.attr("MOST_INPUT_PIXELS") = most_input_pixels;
    module.attr("LEAST_BORDER") = least_border;
    module.attr("SURE_STUDIO") = sure_studio;
    module.attr("AGREEING") = agreeing;
    module.attr("TRUSTED_STUDIO") = trusted_studio;
}

}  // namespace nssbg::bindings
