// Drives composition: checks the shapes, makes background rows, runs rows over the threads.
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "compose/kernels.hpp"
#include "nssbg/compose.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"

namespace nssbg {
namespace {

constexpr std::ptrdiff_t rows_per_piece = 32;

template <class T>
void check(const ImageView<T>& view, std::ptrdiff_t height, std::ptrdiff_t width,
           std::ptrdiff_t channels, const char* name) {
    if (view.height != height || view.width != width || view.channels != channels)
        throw std::invalid_argument(std::string(name) + " must be " + std::to_string(height) +
                                    " x " + std::to_string(width) + " x " +
                                    std::to_string(channels));
    if (!view.packed_rows())
        throw std::invalid_argument(std::string(name) + " must have packed rows");
}

}  // namespace

template <class T>
void over_image(ImageView<const T> rgba, ImageView<const T> background, ImageView<T> out,
                int threads) {
    check(rgba, out.height, out.width, 4, "rgba");
    check(background, out.height, out.width, 3, "background");
    check(out, rgba.height, rgba.width, 3, "out");
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    parallel_for(
        threads, out.height, rows_per_piece, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
            for (std::ptrdiff_t y = begin; y < end; ++y)
                kernels.rgb_from_over(rgba.row(y), background.row(y), out.row(y), out.width);
        });
}

template <class T>
void over_gradient(ImageView<const T> rgba, const Gradient<T>& gradient, ImageView<T> out,
                   int threads) {
    check(rgba, out.height, out.width, 4, "rgba");
    check(out, rgba.height, rgba.width, 3, "out");
    if (gradient.colors == nullptr || gradient.count <= 0 || gradient.count > (1 << 20))
        throw std::invalid_argument("a gradient needs 1 to 1048576 colors");
    // The kernels read one value beyond the table.
    Scratch<T> colors(3 * gradient.count + 1);
    std::memcpy(colors.data(), gradient.colors, 3 * gradient.count * sizeof(T));
    colors[3 * gradient.count] = 0;
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    parallel_for(
        threads, out.height, rows_per_piece, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
            Scratch<T> row(3 * out.width);
            for (std::ptrdiff_t y = begin; y < end; ++y) {
                const auto v = static_cast<float>(y);
                if (gradient.radial) {
                    const float dy = v - gradient.center_y;
                    kernels.radial_gradient(colors.data(), gradient.count, gradient.center_x,
                                            dy * dy, gradient.scale, row.data(), out.width);
                } else {
                    kernels.linear_gradient(colors.data(), gradient.count,
                                            gradient.origin + v * gradient.down, gradient.across,
                                            row.data(), out.width);
                }
                kernels.rgb_from_over(rgba.row(y), row.data(), out.row(y), out.width);
            }
        });
}

template <class T>
void over_layer(ImageView<const T> front, ImageView<const T> back, ImageView<T> out, int threads) {
    check(front, out.height, out.width, 4, "front");
    check(back, out.height, out.width, 4, "back");
    check(out, front.height, front.width, 4, "out");
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    parallel_for(threads, out.height, rows_per_piece,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     for (std::ptrdiff_t y = begin; y < end; ++y)
                         kernels.rgba_from_over(front.row(y), back.row(y), out.row(y), out.width);
                 });
}

template <class T>
void premultiply(ImageView<const T> rgba, ImageView<T> out, int threads) {
    check(rgba, out.height, out.width, 4, "rgba");
    check(out, rgba.height, rgba.width, 4, "out");
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    parallel_for(threads, out.height, rows_per_piece,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     for (std::ptrdiff_t y = begin; y < end; ++y)
                         kernels.premultiplied(rgba.row(y), out.row(y), out.width);
                 });
}

template <class T>
void suppress_spill(ImageView<const T> rgba, ImageView<T> out, int screen, float strength,
                    int threads) {
    check(rgba, out.height, out.width, 4, "rgba");
    check(out, rgba.height, rgba.width, 4, "out");
    if (screen < 0 || screen > 2) throw std::invalid_argument("screen must be 0, 1 or 2");
    if (!(strength >= 0.0f && strength <= 1.0f))
        throw std::invalid_argument("strength must be 0 to 1");
    const auto share = static_cast<std::uint32_t>(strength * 256.0f + 0.5f);
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    parallel_for(threads, out.height, rows_per_piece,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     for (std::ptrdiff_t y = begin; y < end; ++y) {
                         std::memcpy(out.row(y), rgba.row(y), 4 * out.width * sizeof(T));
                         kernels.without_spill(out.row(y), out.width, screen, share);
                     }
                 });
}

template <class T>
Box subject_box(ImageView<const T> rgba, T threshold, int threads) {
    check(rgba, rgba.height, rgba.width, 4, "rgba");
    if (threads < 1) throw std::invalid_argument("subject_box: threads must be at least 1");
    if (rgba.empty()) return {};
    const auto& kernels = compose_rows<T>(active_compose_kernels());
    std::vector<std::vector<std::uint8_t>> columns(threads,
                                                   std::vector<std::uint8_t>(rgba.width, 0));
    std::vector<std::uint8_t> rows(rgba.height, 0);
    parallel_for(threads, rgba.height, rows_per_piece,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
                     for (std::ptrdiff_t y = begin; y < end; ++y)
                         rows[y] = kernels.mark_columns(rgba.row(y), rgba.width, threshold,
                                                        columns[slot].data());
                 });
    std::vector<std::uint8_t> any(rgba.width, 0);
    for (const auto& marks : columns)
        for (std::ptrdiff_t x = 0; x < rgba.width; ++x) any[x] |= marks[x];
    const auto first = [](const std::vector<std::uint8_t>& flags) {
        return std::find(flags.begin(), flags.end(), 1) - flags.begin();
    };
    const auto last = [](const std::vector<std::uint8_t>& flags) {
        return flags.rend() - std::find(flags.rbegin(), flags.rend(), 1);
    };
    if (first(rows) == rgba.height) return {};
    return {first(rows), first(any), last(rows), last(any)};
}

#define NSSBG_INSTANTIATE(T)                                                                   \
    template void over_image<T>(ImageView<const T>, ImageView<const T>, ImageView<T>, int);    \
    template void over_gradient<T>(ImageView<const T>, const Gradient<T>&, ImageView<T>, int); \
    template void over_layer<T>(ImageView<const T>, ImageView<const T>, ImageView<T>, int);    \
    template void premultiply<T>(ImageView<const T>, ImageView<T>, int);                       \
    template void suppress_spill<T>(ImageView<const T>, ImageView<T>, int, float, int);        \
    template Box subject_box<T>(ImageView<const T>, T, int);
NSSBG_INSTANTIATE(std::uint8_t)
NSSBG_INSTANTIATE(std::uint16_t)

}  // namespace nssbg
