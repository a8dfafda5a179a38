// Drop and contact shadows of a cut-out.
#include "nssbg/shadow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "compose/blur.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// A contact shadow's footprint: height of the pool over the subject's width, and how much of the
// subject, from below, touches the ground.
constexpr double pool_flatness = 0.12;
constexpr double touching_share = 0.06;

// Half the height of the pool under a subject of this width; it reaches half of that below.
double pool_depth(ptrdiff_t width) {
    return std::max(1.0, pool_flatness * static_cast<double>(width) / 2);
}

ptrdiff_t rounded(double value) { return static_cast<ptrdiff_t>(std::nearbyint(value)); }

template <class T>
constexpr float full() {
    return static_cast<float>(std::numeric_limits<T>::max());
}

void check(const ShadowOptions& options) {
    const auto within = [](double value, double least) { return value >= least && value <= 1; };
    if (!within(options.opacity, 0) || !within(options.softness, 0) || !within(options.right, -1) ||
        !within(options.down, -1))
        throw std::invalid_argument(
            "a shadow's opacity and softness are 0 to 1, its offset -1 to 1");
}

// Where alpha is more than half opaque.
template <class T>
Box solid_box(const ImageView<const T>& alpha) {
    const float least = full<T>() * 0.5f;
    Box box{alpha.height, alpha.width, 0, 0};
    for (ptrdiff_t y = 0; y < alpha.height; ++y)
        for (ptrdiff_t x = 0; x < alpha.width; ++x) {
            if (!(static_cast<float>(alpha.at(y, x)) > least)) continue;
            box.top = std::min(box.top, y);
            box.bottom = y + 1;
            box.left = std::min(box.left, x);
            box.right = std::max(box.right, x + 1);
        }
    return box;
}

// A flat pool on the ground: per column, as dark as the subject is near the ground there.
template <class T>
FloatPlane pool(const ImageView<const T>& alpha, const Box& box) {
    FloatPlane plane(alpha.height, alpha.width);
    const auto touching =
        std::max<ptrdiff_t>(2, rounded(touching_share * static_cast<double>(box.bottom - box.top)));
    const double depth = pool_depth(box.right - box.left);
    // The ground lies a little above the lowest edge: the near side of the footprint is lower.
    const auto ground = static_cast<float>(static_cast<double>(box.bottom) - depth / 2);
    for (ptrdiff_t x = 0; x < alpha.width; ++x) {
        float feet = 0;
        for (ptrdiff_t y = std::max<ptrdiff_t>(0, box.bottom - touching); y < box.bottom; ++y)
            feet = std::max(feet, static_cast<float>(alpha.at(y, x)));
        plane.row(0)[x] = feet / full<T>();
    }
    const std::vector<float> feet(plane.row(0), plane.row(0) + alpha.width);
    for (ptrdiff_t y = 0; y < alpha.height; ++y) {
        const float fall =
            1.0f - std::fabs(static_cast<float>(y) - ground) / static_cast<float>(depth);
        const float dark = std::min(1.0f, std::max(0.0f, fall));
        for (ptrdiff_t x = 0; x < alpha.width; ++x) plane.row(y)[x] = dark * feet[x];
    }
    return plane;
}

// The outline moved, zeros moving in.
template <class T>
FloatPlane shifted(const ImageView<const T>& alpha, ptrdiff_t right, ptrdiff_t down) {
    FloatPlane plane(alpha.height, alpha.width);
    for (ptrdiff_t y = 0; y < alpha.height; ++y) {
        if (y - down < 0 || y - down >= alpha.height) continue;
        for (ptrdiff_t x = std::max<ptrdiff_t>(0, right);
             x < std::min(alpha.width, alpha.width + right); ++x)
            plane.row(y)[x] = static_cast<float>(alpha.at(y - down, x - right)) / full<T>();
    }
    return plane;
}

}  // namespace

template <class T>
void layer_from_strength(const ImageView<const float>& strength, const std::array<T, 3>& color,
                         const ImageView<T>& out) {
    if (strength.height != out.height || strength.width != out.width || out.channels != 4)
        throw std::invalid_argument("a shadow's layer is H x W x 4, as large as its strength");
    for (ptrdiff_t y = 0; y < out.height; ++y)
        for (ptrdiff_t x = 0; x < out.width; ++x) {
            const auto alpha = static_cast<T>(std::floor(strength.at(y, x) * full<T>() + 0.5f));
            for (ptrdiff_t c = 0; c < 3; ++c) out.at(y, x, c) = alpha == 0 ? T{0} : color[c];
            out.at(y, x, 3) = alpha;
        }
}

template <class T>
void shadow_layer(const ImageView<const T>& alpha, const ShadowOptions& options,
                  const std::array<T, 3>& color, const ImageView<T>& out) {
    check(options);
    if (alpha.empty() || alpha.channels != 1)
        throw std::invalid_argument("a shadow is made of an alpha of H x W");
    const Box box = solid_box(alpha);
    FloatPlane plane(alpha.height, alpha.width);
    if (box.bottom > 0) {
        const auto size = static_cast<double>(std::max(box.bottom - box.top, box.right - box.left));
        plane = options.contact
                    ? pool(alpha, box)
                    : shifted(alpha, rounded(options.right * size), rounded(options.down * size));
        plane = blurred_plane(plane, options.softness * size);
        for (float& cell : plane.cells)
            cell = std::min(1.0f, std::max(0.0f, cell)) * static_cast<float>(options.opacity);
    }
    const auto strength =
        packed_view(static_cast<const float*>(plane.cells.data()), plane.height, plane.width, 1);
    layer_from_strength<T>(strength, color, out);
}

Room shadow_room(const Box& subject, ptrdiff_t height, ptrdiff_t width,
                 const ShadowOptions& options, double tail) {
    check(options);
    const ptrdiff_t across = subject.right - subject.left;
    const auto size = static_cast<double>(std::max(subject.bottom - subject.top, across));
    const double blur = tail * options.softness * size;
    double top = blur, right = blur, bottom = blur, left = blur;
    if (options.contact) {
        bottom += pool_depth(across) / 2;
    } else {
        const double aside = std::nearbyint(options.right * size);
        const double below = std::nearbyint(options.down * size);
        top -= below;
        bottom += below;
        right += aside;
        left -= aside;
    }
    const auto room = [](double reach, bool free) {
        return free ? std::max<ptrdiff_t>(0, static_cast<ptrdiff_t>(std::ceil(reach))) : 0;
    };
    return {room(top, subject.top > 0), room(right, subject.right < width),
            room(bottom, subject.bottom < height), room(left, subject.left > 0)};
}

template void shadow_layer(const ImageView<const std::uint8_t>&, const ShadowOptions&,
                           const std::array<std::uint8_t, 3>&, const ImageView<std::uint8_t>&);
template void shadow_layer(const ImageView<const std::uint16_t>&, const ShadowOptions&,
                           const std::array<std::uint16_t, 3>&, const ImageView<std::uint16_t>&);
template void layer_from_strength(const ImageView<const float>&, const std::array<std::uint8_t, 3>&,
                                  const ImageView<std::uint8_t>&);
template void layer_from_strength(const ImageView<const float>&,
                                  const std::array<std::uint16_t, 3>&,
                                  const ImageView<std::uint16_t>&);

}  // namespace nssbg
