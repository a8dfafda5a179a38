// What is decided on a network's maps, as plain C functions for the browser. Maps are h x w x N,
// one plane after the other: of one forward pass one, of two the mirrored picture's second, as the
// network gave it.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

#include "../vocabulary.hpp"
#include "abi.hpp"
#include "nssbg/confidence.hpp"
#include "nssbg/network_output.hpp"
#include "nssbg/second_pass.hpp"
#include "nssbg/selector.hpp"

namespace nssbg::bindings {
namespace {

using Map = ImageView<const float>;

struct Maps {
    Map alpha, flipped;
};

Maps maps_of(const Array* array) {
    const Map all = view_of<const float>(array);
    if (all.channels < 1 || all.channels > 2)
        throw std::invalid_argument("maps are those of one forward pass or of two");
    const auto plane = [&all](std::ptrdiff_t c) -> Map {
        return {
            all.data + c * all.stride_c, all.height, all.width, 1, all.stride_y, all.stride_x, 1};
    };
    Maps maps{plane(0), {}};
    if (all.channels == 2) {
        maps.flipped = plane(1);  // mirrored back: rows from their ends
        maps.flipped.data += (all.width - 1) * all.stride_x;
        maps.flipped.stride_x = -all.stride_x;
    }
    return maps;
}

std::vector<double> weights_of(const double* values, int count) { return {values, values + count}; }

struct Counted {
    std::ptrdiff_t broken;
};
template <class Field>
void each_field(const Counted& counted, Field&& field) {
    field("broken", counted.broken);
}

struct Rules {};
template <class Field>
void each_field(const Rules&, Field&& field) {
    field("least_border", least_border);
    field("sure_studio", sure_studio);
    field("low_studio_confidence", low_studio_confidence);
}

}  // namespace

// The text is what callers decide by before there is anything to hand over.
NSSBG_EXPORT Status nssbg_rules() {
    return guarded([] { tell(Rules{}); });
}

// In place. The text says how many values were not finite.
NSSBG_EXPORT Status nssbg_coarse_alpha(const Array* maps, const char* activation,
                                       const char* range) {
    return guarded([&] {
        const auto view = view_of<float>(maps);
        if (view.empty() || view.stride_x != 1 || view.stride_y != view.width ||
            (view.channels > 1 && view.stride_c != view.height * view.width))
            throw std::invalid_argument("maps lie one after the other, rows packed");
        const Activation how = activation_named(activation);
        const OutputRange wanted = range_named(range);
        Counted counted{0};
        for (std::ptrdiff_t c = 0; c < view.channels; ++c)
            counted.broken +=
                coarse_alpha(view.data + c * view.stride_c, view.height * view.width, how, wanted);
        tell(counted);
    });
}

// out: uint8 or float32.
NSSBG_EXPORT Status nssbg_joined_maps(const Array* maps, const Array* out) {
    return guarded([&] {
        const Maps both = maps_of(maps);
        with_map(out, "the result", [&](auto value) {
            using T = decltype(value);
            joined_maps<T>(both.alpha, both.flipped, view_of<T>(out));
        });
    });
}

// single, flip_tta: weights, none where their number is 0. The text is the report.
NSSBG_EXPORT Status nssbg_confidence(const Array* maps, const double* single, int singles,
                                     const double* flip_tta, int flips) {
    return guarded([&] {
        const Maps both = maps_of(maps);
        tell(confidence(both.alpha, both.flipped,
                        {weights_of(single, singles), weights_of(flip_tta, flips)}));
    });
}

// features: five.
NSSBG_EXPORT Status nssbg_selector_features(const Array* studio, double studio_confidence,
                                            const Array* network, double network_overlap,
                                            double* features) {
    return guarded([&] {
        with_map(studio, "the studio alpha", [&](auto one) {
            with_map(network, "the network's map", [&](auto other) {
                const auto found =
                    selector_features(view_of<const decltype(one)>(studio), studio_confidence,
                                      view_of<const decltype(other)>(network), network_overlap);
                std::copy(found.begin(), found.end(), features);
            });
        });
    });
}

// weights: six of studio_is_better, of studio_overlap, of network_overlap. The text is the report.
NSSBG_EXPORT Status nssbg_select(const double* features, const double* weights) {
    return guarded([&] {
        SelectorFeatures given{};
        std::copy(features, features + given.size(), given.begin());
        tell(select(given, {weights_of(weights, 6), weights_of(weights + 6, 6),
                            weights_of(weights + 12, 6)}));
    });
}

// *pass goes back by nssbg_second_pass_end.
NSSBG_EXPORT Status nssbg_second_pass_begin(const Array* first, std::int32_t height,
                                            std::int32_t width, const char* effort,
                                            const double* single, int singles, SecondPass** pass) {
    return guarded([&] {
        SecondPassOptions options;
        options.effort = effort_named(effort);
        options.weights.single = weights_of(single, singles);
        with_map(first, "the first map", [&](auto value) {
            *pass = new SecondPass(view_of<const decltype(value)>(first), height, width, options);
        });
    });
}

// part: top, left, bottom, right, and 1 where there is one to run on.
NSSBG_EXPORT Status nssbg_second_pass_next(SecondPass* pass, std::int32_t* part) {
    return guarded([&] {
        const std::optional<Box> box = pass->next();
        part[4] = box ? 1 : 0;
        if (!box) return;
        part[0] = static_cast<std::int32_t>(box->top);
        part[1] = static_cast<std::int32_t>(box->left);
        part[2] = static_cast<std::int32_t>(box->bottom);
        part[3] = static_cast<std::int32_t>(box->right);
    });
}

NSSBG_EXPORT Status nssbg_second_pass_answer(SecondPass* pass, const Array* map) {
    return guarded([&] {
        with_map(map, "the map",
                 [&](auto value) { pass->answer(view_of<const decltype(value)>(map)); });
    });
}

// size: height, width of the map so far.
NSSBG_EXPORT Status nssbg_second_pass_size(SecondPass* pass, std::int32_t* size) {
    return guarded([&] {
        size[0] = static_cast<std::int32_t>(pass->map().height);
        size[1] = static_cast<std::int32_t>(pass->map().width);
    });
}

// out: uint8 or float32. The text is the report.
NSSBG_EXPORT Status nssbg_second_pass_map(SecondPass* pass, const Array* out) {
    return guarded([&] {
        with_map(out, "the result", [&](auto value) {
            using T = decltype(value);
            joined_maps<T>(pass->map(), {}, view_of<T>(out));
        });
        tell(pass->report());
    });
}

NSSBG_EXPORT void nssbg_second_pass_end(SecondPass* pass) { delete pass; }

}  // namespace nssbg::bindings
