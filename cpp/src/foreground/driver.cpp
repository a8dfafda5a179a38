// Drives colour decontamination: checks, the merge to RGBA, and the multi-level solver over
// the sparse pyramid, coarse to fine (Germer, Uelwer, Conrad, Harmeling 2020).
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "foreground/kernels.hpp"
#include "foreground/pyramid.hpp"
#include "foreground/source.hpp"
#include "nssbg/decontaminate.hpp"
#include "nssbg/parallel.hpp"

namespace nssbg {
namespace {

// The published method's constants: levels up to 32 pixels get ten iterations, others two.
constexpr std::ptrdiff_t small_size = 32;
constexpr int small_iterations = 10;
// Samples for the mean colours that the coarsest level starts from.
constexpr std::ptrdiff_t mean_samples = 256;
// Runs handed to a thread at a time: some hundred microseconds of work.
constexpr std::ptrdiff_t runs_per_piece = 8;
constexpr std::ptrdiff_t rows_per_piece = 64;

void rgba_row(const DecontaminateKernels& kernels, const std::uint8_t* rgb,
              const std::uint8_t* alpha, std::uint8_t* rgba, std::ptrdiff_t width, bool clear,
              std::uint8_t* soft, std::uint8_t* open) {
    kernels.rgba_from_rgb_u8(rgb, alpha, rgba, width, clear, soft, open);
}
void rgba_row(const DecontaminateKernels& kernels, const std::uint16_t* rgb,
              const std::uint16_t* alpha, std::uint16_t* rgba, std::ptrdiff_t width, bool clear,
              std::uint8_t* soft, std::uint8_t* open) {
    kernels.rgba_from_rgb_u16(rgb, alpha, rgba, width, clear, soft, open);
}

// Converts a row of alpha to T; false where a float is NaN or outside 0..1.
template <class T, class A>
bool convert_alpha_row(const A* alpha, T* out, std::ptrdiff_t width) {
    bool good = true;
    for (std::ptrdiff_t x = 0; x < width; ++x) {
        if constexpr (std::is_same_v<A, float>) {
            const bool inside = alpha[x] >= 0.0f && alpha[x] <= 1.0f;
            good = good && inside;
            const float value = inside ? alpha[x] : 0.0f;
            out[x] = static_cast<T>(static_cast<int>(value * opaque<T> + 0.5f));
        } else if constexpr (sizeof(A) < sizeof(T)) {
            out[x] = static_cast<T>(alpha[x] * 257);
        } else {
            out[x] = static_cast<T>((alpha[x] + 128u) / 257u);
        }
    }
    return good;
}

// Foreground and background of the small levels: every pixel, in double buffers' stead by
// red-black, borders clamped as published. Values as planes [6][height][width].
struct SmallLevel {
    std::ptrdiff_t height = 1;
    std::ptrdiff_t width = 1;
    std::vector<float> colors;

    float& at(int plane, std::ptrdiff_t y, std::ptrdiff_t x) {
        return colors[(plane * height + y) * width + x];
    }
};

template <class T>
void solve_small(const Source<T>& source, int shift, SmallLevel& level, float gradient_weight,
                 float regularization) {
    constexpr float scale = 1.0f / static_cast<float>(opaque<T>);
    const auto alpha_at = [&](std::ptrdiff_t y, std::ptrdiff_t x) {
        return static_cast<float>(source.alpha(y << shift, x << shift)) * scale;
    };
    for (int half = 0; half < 2 * small_iterations; ++half)
        for (std::ptrdiff_t y = 0; y < level.height; ++y)
            for (std::ptrdiff_t x = (y + half) & 1; x < level.width; x += 2) {
                const std::ptrdiff_t ys[4] = {y, y, std::max<std::ptrdiff_t>(y - 1, 0),
                                              std::min(y + 1, level.height - 1)};
                const std::ptrdiff_t xs[4] = {std::max<std::ptrdiff_t>(x - 1, 0),
                                              std::min(x + 1, level.width - 1), x, x};
                const float a = alpha_at(y, x);
                const float b = 1.0f - a;
                float weights[4];
                for (int n = 0; n < 4; ++n)
                    weights[n] =
                        regularization + gradient_weight * std::fabs(a - alpha_at(ys[n], xs[n]));
                const float sum = (weights[0] + weights[1]) + (weights[2] + weights[3]);
                const float aa = a * a + sum;
                const float bb = b * b + sum;
                const float ab = a * b;
                const float inverse = 1.0f / (aa * bb - ab * ab);
                const T* rgb = source.rgb(y << shift, x << shift);
                for (int c = 0; c < 3; ++c) {
                    const float color = static_cast<float>(rgb[c]) * scale;
                    float f = a * color;
                    float g = b * color;
                    for (int n = 0; n < 4; ++n) {
                        f += weights[n] * level.at(c, ys[n], xs[n]);
                        g += weights[n] * level.at(c + 3, ys[n], xs[n]);
                    }
                    level.at(c, y, x) = std::clamp(inverse * (bb * f - ab * g), 0.0f, 1.0f);
                    level.at(c + 3, y, x) = std::clamp(inverse * (aa * g - ab * f), 0.0f, 1.0f);
                }
            }
}

// Mean colours of sure foreground and background, on a sample; where there is none, the
// mean weighted by alpha (or by 1 - alpha), then the plain mean.
template <class T>
void mean_colors(const Source<T>& source, std::ptrdiff_t height, std::ptrdiff_t width,
                 float* colors) {
    int shift = 0;
    while (std::max(height, width) >> shift > mean_samples) ++shift;
    // Sums over: sure foreground, sure background, weighted foreground, weighted background,
    // everything. Integers, so that the order does not matter.
    std::uint64_t sums[5][4] = {};
    for (std::ptrdiff_t y = 0; y < height; y += std::ptrdiff_t{1} << shift)
        for (std::ptrdiff_t x = 0; x < width; x += std::ptrdiff_t{1} << shift) {
            const std::uint64_t alpha = source.alpha(y, x);
            const std::uint64_t weights[5] = {alpha * 10 > opaque<T> * std::uint64_t{9},
                                              alpha * 10 < opaque<T>, alpha, opaque<T> - alpha, 1};
            const T* rgb = source.rgb(y, x);
            for (int k = 0; k < 5; ++k) {
                for (int c = 0; c < 3; ++c) sums[k][c] += weights[k] * rgb[c];
                sums[k][3] += weights[k];
            }
        }
    for (int side = 0; side < 2; ++side) {
        const int k = sums[side][3] > 0 ? side : sums[2 + side][3] > 0 ? 2 + side : 4;
        for (int c = 0; c < 3; ++c)
            colors[side * 3 + c] = static_cast<float>(
                static_cast<double>(sums[k][c]) / (static_cast<double>(sums[k][3]) * opaque<T>));
    }
}

// Copies the coarser level's colours under a region into the tile, doubled in both
// directions; coordinates beyond the level are clamped.
void load_coarse(const DecontaminateKernels& kernels, const PyramidLevel& coarse, std::ptrdiff_t y0,
                 std::ptrdiff_t x0, std::ptrdiff_t columns, float* tile) {
    std::uint16_t row[region_columns / 2];
    for (std::ptrdiff_t y = 0; y < region_rows / 2; ++y) {
        const std::ptrdiff_t v = std::clamp<std::ptrdiff_t>(y0 + y, 0, coarse.height - 1);
        for (int plane = 0; plane < 6; ++plane) {
            std::ptrdiff_t i = 0;
            while (i < columns) {
                const std::ptrdiff_t u = std::clamp<std::ptrdiff_t>(x0 + i, 0, coarse.width - 1);
                const std::uint16_t* from = coarse.block(v / block_side, u / block_side) +
                                            plane * PyramidLevel::block_values +
                                            v % block_side * block_side;
                const bool inside = x0 + i >= 0 && x0 + i < coarse.width;
                const std::ptrdiff_t count =
                    inside ? std::min({block_side - u % block_side, columns - i, coarse.width - u})
                           : 1;
                if (count == block_side)  // a constant size: one or two moves
                    std::memcpy(row + i, from, block_side * sizeof(row[0]));
                else
                    for (std::ptrdiff_t q = 0; q < count; ++q)
                        row[i + q] = from[u % block_side + q];
                i += count;
            }
            const int to = plane_fore + plane;
            kernels.halves_from_fixed(
                row, half_row(tile, to, 2 * y, 0), half_row(tile, to, 2 * y, 1),
                half_row(tile, to, 2 * y + 1, 0), half_row(tile, to, 2 * y + 1, 1), columns);
        }
    }
}

// Two red-black iterations over a region; the core of it is then final.
void sweep(const DecontaminateKernels& kernels, float* tile, std::ptrdiff_t columns,
           float gradient_weight, float regularization) {
    for (std::ptrdiff_t half = 0; half < halo; ++half)
        for (std::ptrdiff_t y = half + 1; y < region_rows - 1 - half; ++y)
            // Regions start at even coordinates, so their own parity is the picture's.
            kernels.update_half_row(tile, y, (y + half) & 1, columns, gradient_weight,
                                    regularization);
}

// The multi-level estimate, from the coarsest level to the picture itself.
template <class T>
void solve(const Source<T>& source, PyramidLevel finest, ImageView<T> rgba, ImageView<T> background,
           const DecontaminateOptions& options) {
    const DecontaminateKernels& kernels = active_decontaminate_kernels();
    const std::ptrdiff_t height = finest.height;
    const std::ptrdiff_t width = finest.width;
    std::vector<PyramidLevel> levels;
    levels.push_back(std::move(finest));
    while (std::max(levels.back().height, levels.back().width) > small_size)
        levels.push_back(coarser_level(levels.back()));

    // Small levels, 1 x 1 upwards, as far as the coarsest of the sparse ones.
    SmallLevel small;
    small.colors.resize(6);
    mean_colors(source, height, width, small.colors.data());
    const int last_shift = static_cast<int>(levels.size()) - 1;
    int shift = last_shift;
    while (((height - 1) >> shift) > 0 || ((width - 1) >> shift) > 0) ++shift;
    for (; shift >= last_shift; --shift) {
        SmallLevel next;
        next.height = ((height - 1) >> shift) + 1;
        next.width = ((width - 1) >> shift) + 1;
        next.colors.resize(6 * next.height * next.width);
        for (int plane = 0; plane < 6; ++plane)
            for (std::ptrdiff_t y = 0; y < next.height; ++y)
                for (std::ptrdiff_t x = 0; x < next.width; ++x)
                    next.at(plane, y, x) = small.at(plane, std::min(y / 2, small.height - 1),
                                                    std::min(x / 2, small.width - 1));
        solve_small(source, shift, next, options.gradient_weight, options.regularization);
        small = std::move(next);
    }

    const int threads = options.threads;
    std::vector<Scratch<float>> tiles;
    for (int slot = 0; slot < threads; ++slot) {
        tiles.emplace_back(plane_count * plane_size);
        std::fill_n(tiles.back().data(), plane_count * plane_size, 0.0f);
    }

    {
        PyramidLevel& level = levels.back();
        std::fill(level.active.begin(), level.active.end(), std::uint8_t{1});
        plan_level(level, true);
        for (int plane = 0; plane < 6; ++plane)
            for (std::ptrdiff_t y = 0; y < level.height; ++y)
                for (std::ptrdiff_t x = 0; x < level.width; ++x)
                    level.block(y / block_side,
                                x / block_side)[plane * PyramidLevel::block_values +
                                                y % block_side * block_side + x % block_side] =
                        static_cast<std::uint16_t>(small.at(plane, y, x) * 65535.0f + 0.5f);
    }

    const auto work = [&](int at, std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
        const PyramidLevel& level = levels[at];
        float* tile = tiles[slot].data();
        for (std::ptrdiff_t r = begin; r < end; ++r) {
            const BlockRun& run = level.runs[r];
            const std::ptrdiff_t columns = run.blocks * block_side + 2 * halo;
            const std::ptrdiff_t y0 = run.block_y * block_side - halo;
            const std::ptrdiff_t x0 = run.block_x * block_side - halo;
            for (std::ptrdiff_t y = 0; y < region_rows; ++y)
                source.load(kernels, at, level, y0 + y, x0, columns, tile, y);
            load_coarse(kernels, levels[at + 1], y0 / 2, x0 / 2, columns / 2, tile);
            sweep(kernels, tile, columns, options.gradient_weight, options.regularization);
            for (std::ptrdiff_t y = 0; y < block_side; ++y) {
                const float* from[12];
                for (int k = 0; k < 12; ++k)
                    from[k] = half_row(tile, plane_fore + k / 2, y + halo, k & 1) + halo / 2;
                if (at > 0) {
                    std::uint32_t words[region_columns / 2];
                    for (int plane = 0; plane < 6; ++plane) {
                        kernels.fixed_from_halves(from[2 * plane], from[2 * plane + 1], words,
                                                  run.blocks * block_side / 2);
                        // A run's blocks have adjacent slots.
                        std::uint16_t* to = level.block(run.block_y, run.block_x) +
                                            plane * PyramidLevel::block_values + y * block_side;
                        for (std::ptrdiff_t b = 0; b < run.blocks; ++b)
                            std::memcpy(to + b * PyramidLevel::slot_values,
                                        words + b * block_side / 2,
                                        block_side * sizeof(std::uint16_t));
                    }
                    continue;
                }
                const std::ptrdiff_t row = run.block_y * block_side + y;
                if (row >= height) break;
                const std::ptrdiff_t column = run.block_x * block_side;
                const std::ptrdiff_t pixels = std::min(run.blocks * block_side, width - column);
                write_results(kernels, source, from, row, column, pixels, rgba, background,
                              options);
            }
        }
    };
    for (int at = last_shift - 1; at >= 0; --at) {
        plan_level(levels[at], at > 0);
        parallel_for(threads, static_cast<std::ptrdiff_t>(levels[at].runs.size()), runs_per_piece,
                     [&](std::ptrdiff_t begin, std::ptrdiff_t end, int slot) {
                         work(at, begin, end, slot);
                     });
        levels[at + 1].colors = Scratch<std::uint16_t>();
    }
    if (last_shift == 0) {
        // The whole picture is a small level: its colours are at hand, dense.
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const T alpha = rgba.at(y, x, 3);
                if (alpha == opaque<T> || (alpha == 0 && !options.extend)) continue;
                for (int c = 0; c < 3; ++c) {
                    const float photo = static_cast<float>(source.rgb(y, x)[c]);
                    rgba.at(y, x, c) =
                        static_cast<T>(small.at(c, y, x) * (options.strength * opaque<T>)+photo *
                                           (1.0f - options.strength) +
                                       0.5f);
                    if (!background.empty() && alpha != 0)
                        background.at(y, x, c) =
                            static_cast<T>(small.at(c + 3, y, x) * opaque<T> + 0.5f);
                }
            }
    }
}

template <class T>
void check_rows(const ImageView<T>& view, std::ptrdiff_t channels, const char* name) {
    if (view.channels != channels || !view.packed_rows())
        throw std::invalid_argument(std::string(name) + " must have " + std::to_string(channels) +
                                    " channels and packed rows");
}

}  // namespace

template <class T, class A>
void decontaminate(ImageView<const T> image, ImageView<const A> alpha, ImageView<T> rgba,
                   ImageView<T> background, const DecontaminateOptions& options) {
    check_rows(image, 3, "image");
    check_rows(alpha, 1, "alpha");
    check_rows(rgba, 4, "rgba");
    if (image.empty()) throw std::invalid_argument("image must not be empty");
    if (alpha.height != image.height || alpha.width != image.width || rgba.height != image.height ||
        rgba.width != image.width)
        throw std::invalid_argument("image, alpha and rgba must have the same height and width");
    if (!background.empty()) {
        check_rows(background, 3, "background");
        if (background.height != image.height || background.width != image.width)
            throw std::invalid_argument("background must have the image's height and width");
    }
    if (!(options.strength >= 0.0f && options.strength <= 1.0f))
        throw std::invalid_argument("strength must be 0 to 1");
    if (!(options.gradient_weight >= 0.0f && options.gradient_weight <= 1e3f) ||
        !(options.regularization >= 1e-6f && options.regularization <= 1e3f))
        throw std::invalid_argument(
            "gradient_weight must be 0 to 1000 and regularization 1e-6 to 1000");

    const DecontaminateKernels& kernels = active_decontaminate_kernels();
    PyramidLevel finest = make_level(image.height, image.width);
    const bool extend = options.extend && options.method != ForegroundMethod::off;
    std::vector<std::uint8_t> other(finest.active.size(), 0);
    std::uint8_t* soft = extend ? other.data() : finest.active.data();
    std::uint8_t* open = extend ? finest.active.data() : other.data();
    std::atomic<bool> good{true};
    // An alpha of another type is converted once: the colours must fit the alpha that is written.
    Scratch<T> converted(std::is_same_v<T, A> ? 0 : image.height * image.width);
    ImageView<const T> plane;
    if constexpr (std::is_same_v<T, A>)
        plane = alpha;
    else
        plane = packed_view<const T>(converted.data(), image.height, image.width, 1);
    // Pieces are whole block rows, so that no two threads set the same flag.
    static_assert(rows_per_piece % block_side == 0, "pieces are whole block rows");
    parallel_for(options.threads, image.height, rows_per_piece,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                     for (std::ptrdiff_t y = begin; y < end; ++y) {
                         if constexpr (!std::is_same_v<T, A>)
                             if (!convert_alpha_row(
                                     alpha.row(y), converted.data() + y * image.width, image.width))
                                 good = false;
                         const std::ptrdiff_t blocks = y / block_side * finest.blocks_x;
                         rgba_row(kernels, image.row(y), plane.row(y), rgba.row(y), image.width,
                                  !options.extend, soft + blocks, open + blocks);
                         if (!background.empty())
                             std::memcpy(background.row(y), image.row(y),
                                         3 * image.width * sizeof(T));
                     }
                 });
    if (!good) throw std::invalid_argument("alpha must lie in 0..1 and hold no NaN");
    if (options.method == ForegroundMethod::off || options.strength == 0.0f) return;
    if (std::all_of(finest.active.begin(), finest.active.end(),
                    [](std::uint8_t flag) { return flag == 0; }))
        return;
    const Source<T> source(image, plane);
    if (options.method == ForegroundMethod::blur_fusion)
        solve_blur_fusion(source, std::move(finest), rgba, background, options);
    else
        solve(source, std::move(finest), rgba, background, options);
}

#define NSSBG_INSTANTIATE(T, A)                                                             \
    template void decontaminate<T, A>(ImageView<const T>, ImageView<const A>, ImageView<T>, \
                                      ImageView<T>, const DecontaminateOptions&);
NSSBG_INSTANTIATE(std::uint8_t, std::uint8_t)
NSSBG_INSTANTIATE(std::uint8_t, std::uint16_t)
NSSBG_INSTANTIATE(std::uint8_t, float)
NSSBG_INSTANTIATE(std::uint16_t, std::uint8_t)
NSSBG_INSTANTIATE(std::uint16_t, std::uint16_t)
NSSBG_INSTANTIATE(std::uint16_t, float)

}  // namespace nssbg
