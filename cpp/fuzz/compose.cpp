// Fuzzes composition: pictures, gradients with any numbers, layers, premultiplication, spill and
// the subject's box, each against its formula.
#include "nssbg/compose.hpp"

#include <limits>

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
constexpr std::int64_t full = std::numeric_limits<T>::max();

// round(a / b), halves up; a at least 0.
std::int64_t rounded(std::int64_t a, std::int64_t b) { return (2 * a + b) / (2 * b); }

template <class T>
void over_pictures(fuzz::Input& in, const ImageView<const T>& rgba) {
    auto background =
        fuzz::made_image<T>(in, rgba.height, rgba.width, 3, fuzz::Layout::padded_rows);
    if (in.rarely(4)) background.view.stride_y = 0;  // one row for all
    const auto back = background.constant();
    auto out = fuzz::target<T>(rgba.height, rgba.width, 3);
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            over_image<T>(rgba, back, out.view, threads);
            return out.memory;
        }))
        return;
    for (std::ptrdiff_t y = 0; y < rgba.height; ++y)
        for (std::ptrdiff_t x = 0; x < rgba.width; ++x)
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const std::int64_t alpha = rgba.at(y, x, 3);
                fuzz::check(
                    out.view.at(y, x, c) ==
                        rounded(alpha * rgba.at(y, x, c) + (full<T> - alpha) * back.at(y, x, c),
                                full<T>),
                    "over a picture: the nearest integer to the formula");
            }
}

template <class T>
void over_gradients(fuzz::Input& in, const ImageView<const T>& rgba) {
    const std::ptrdiff_t count = in.between(0, 40);
    std::vector<T> colors(static_cast<std::size_t>(3 * count));
    for (auto& value : colors) value = fuzz::sample_of<T>(in.byte());
    const bool radial = in.flag();
    const Gradient<T> gradient{colors.data(),     count,           radial,
                               in.real(-50, 50),  in.real(-2, 2),  in.real(-2, 2),
                               in.real(-99, 199), in.real(-9, 99), in.real(-2, 2)};
    auto out = fuzz::target<T>(rgba.height, rgba.width, 3);
    fuzz::same_for_threads_and_levels(in, [&](int threads) {
        over_gradient<T>(rgba, gradient, out.view, threads);
        return out.memory;
    });
}

template <class T>
void layers(fuzz::Input& in, const ImageView<const T>& rgba) {
    const auto below =
        fuzz::made_image<T>(in, rgba.height, rgba.width, 4, fuzz::Layout::padded_rows);
    auto out = fuzz::target<T>(rgba.height, rgba.width, 4);
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            over_layer<T>(rgba, below.constant(), out.view, threads);
            return out.memory;
        }))
        return;
    for (std::ptrdiff_t y = 0; y < rgba.height; ++y)
        for (std::ptrdiff_t x = 0; x < rgba.width; ++x) {
            const std::int64_t alpha = out.view.at(y, x, 3);
            fuzz::check(alpha >= rgba.at(y, x, 3) && alpha >= below.view.at(y, x, 3),
                        "a layer over another is at least as opaque as each");
            if (rgba.at(y, x, 3) != full<T>) continue;
            for (std::ptrdiff_t c = 0; c < 4; ++c)
                fuzz::check(out.view.at(y, x, c) == rgba.at(y, x, c),
                            "where the front is opaque it alone is seen");
        }
}

template <class T>
void alone(fuzz::Input& in, const ImageView<const T>& rgba) {
    auto out = fuzz::target<T>(rgba.height, rgba.width, 4);
    const int screen = static_cast<int>(in.between(0, 3));
    const float strength = in.real(-0.1f, 1.1f);
    const bool spill = in.flag();
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            if (spill)
                suppress_spill<T>(rgba, out.view, screen, strength, threads);
            else
                premultiply<T>(rgba, out.view, threads);
            return out.memory;
        }))
        return;
    for (std::ptrdiff_t y = 0; y < rgba.height; ++y)
        for (std::ptrdiff_t x = 0; x < rgba.width; ++x) {
            fuzz::check(out.view.at(y, x, 3) == rgba.at(y, x, 3), "alpha is unchanged");
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const std::int64_t before = rgba.at(y, x, c), after = out.view.at(y, x, c);
                if (spill)
                    fuzz::check(c == screen ? after <= before : after == before,
                                "only the screen's channel changes, and only down");
                else
                    fuzz::check(after == rounded(before * rgba.at(y, x, 3), full<T>),
                                "premultiplied: the nearest integer");
            }
        }
}

template <class T>
void boxes(fuzz::Input& in, const ImageView<const T>& rgba) {
    const T threshold = fuzz::sample_of<T>(in.byte());
    Box box;
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            box = subject_box<T>(rgba, threshold, threads);
            return std::vector<std::ptrdiff_t>{box.top, box.left, box.bottom, box.right};
        }))
        return;
    Box expected{rgba.height, rgba.width, 0, 0};
    for (std::ptrdiff_t y = 0; y < rgba.height; ++y)
        for (std::ptrdiff_t x = 0; x < rgba.width; ++x) {
            if (rgba.at(y, x, 3) <= threshold) continue;
            expected = {std::min(expected.top, y), std::min(expected.left, x),
                        std::max(expected.bottom, y + 1), std::max(expected.right, x + 1)};
        }
    if (expected.bottom == 0) expected = {};
    fuzz::check(box.top == expected.top && box.left == expected.left &&
                    box.bottom == expected.bottom && box.right == expected.right,
                "the subject's box holds its pixels and no more");
}

template <class T>
void run(fuzz::Input& in) {
    const auto rgba =
        fuzz::made_image<T>(in, in.between(1, 80), in.between(1, 120), 4,
                            in.rarely(8) ? fuzz::Layout::any : fuzz::Layout::padded_rows);
    switch (in.byte() % 5) {
        case 0: over_pictures<T>(in, rgba.constant()); break;
        case 1: over_gradients<T>(in, rgba.constant()); break;
        case 2: layers<T>(in, rgba.constant()); break;
        case 3: boxes<T>(in, rgba.constant()); break;
        default: alone<T>(in, rgba.constant()); break;
    }
}

}  // namespace

FUZZ_TARGET(compose) { in.flag() ? run<std::uint16_t>(in) : run<std::uint8_t>(in); }
