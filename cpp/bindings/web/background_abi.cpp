// What lies behind a cut-out as plain C functions for the browser: shadows, the photograph's own
// background out of focus, pictures. Alphas may be given as cut-outs of four channels.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../vocabulary.hpp"
#include "abi.hpp"
#include "nssbg/defocus.hpp"
#include "nssbg/resample.hpp"
#include "nssbg/shadow.hpp"

namespace nssbg::bindings {
namespace {

template <class T>
ImageView<const T> alpha_of(const Array* array) {
    ImageView<const T> view = view_of<const T>(array);
    if (view.channels == 4) {
        view.data += 3 * view.stride_c;
        view.channels = 1;
    }
    return view;
}

// numbers: opacity, softness, right, down.
ShadowOptions shadow_of(const char* kind, const double* numbers) {
    return {is_contact_named(kind), numbers[0], numbers[1], numbers[2], numbers[3]};
}

}  // namespace

// color: three samples of the layer's type.
NSSBG_EXPORT Status nssbg_shadow_layer(const Array* alpha, const char* kind, const double* numbers,
                                       const double* color, const Array* layer) {
    return guarded([&] {
        with_integers(alpha, "the alpha", [&](auto value) {
            using T = decltype(value);
            const std::array<T, 3> samples{static_cast<T>(color[0]), static_cast<T>(color[1]),
                                           static_cast<T>(color[2])};
            shadow_layer<T>(alpha_of<T>(alpha), shadow_of(kind, numbers), samples,
                            view_of<T>(layer));
        });
    });
}

// box: top, left, bottom, right of the subject. room: top, right, bottom, left.
NSSBG_EXPORT Status nssbg_shadow_room(const std::int32_t* box, std::int32_t height,
                                      std::int32_t width, const char* kind, const double* numbers,
                                      std::int32_t* room) {
    return guarded([&] {
        const Room found = shadow_room({box[0], box[1], box[2], box[3]}, height, width,
                                       shadow_of(kind, numbers), shadow_tail);
        room[0] = static_cast<std::int32_t>(found.top);
        room[1] = static_cast<std::int32_t>(found.right);
        room[2] = static_cast<std::int32_t>(found.bottom);
        room[3] = static_cast<std::int32_t>(found.left);
    });
}

// radii: float32 of at least 512 rows; *count of them are set.
NSSBG_EXPORT Status nssbg_radii_of_plane(const Array* alpha, double radius, float* radii,
                                         std::int32_t* count) {
    return guarded([&] {
        with_integers(alpha, "the alpha", [&](auto value) {
            const std::vector<float> found =
                radii_of_plane<decltype(value)>(alpha_of<decltype(value)>(alpha), radius);
            std::copy(found.begin(), found.end(), radii);
            *count = static_cast<std::int32_t>(found.size());
        });
    });
}

NSSBG_EXPORT Status nssbg_defocus(const Array* image, const Array* rgba, const Array* radii,
                                  int blades, float rotation, int threads, const Array* out) {
    return guarded([&] {
        with_integers(image, "the image", [&](auto value) {
            using T = decltype(value);
            defocus<T>(view_of<const T>(image), view_of<const T>(rgba), view_of<const float>(radii),
                       {blades, rotation}, view_of<T>(out), threads);
        });
    });
}

// A picture as a background of out's size.
NSSBG_EXPORT Status nssbg_resample_to_fit(const Array* image, const char* fit, const Array* out) {
    return guarded([&] {
        with_integers(image, "the background picture", [&](auto value) {
            using T = decltype(value);
            resample_to_fit<T>(view_of<const T>(image), fit_named(fit), view_of<T>(out));
        });
    });
}

}  // namespace nssbg::bindings
