// The core as plain C functions, for the browser: web/core/*.js calls them on WebAssembly's memory.
//
// Arrays are described by `Array`; memory comes from nssbg_acquire and goes back by nssbg_release.
// Every function gives 0, or what went wrong (Status), with words in nssbg_text; reports stand in
// nssbg_text as JSON after the call that made them. One call at a time: the text is one. A C ABI
// and not embind, because embind makes functions from texts, which a page's Content-Security-Policy
// forbids (docs/decisions/1050-web-toolchain.md).
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../vocabulary.hpp"
#include "abi.hpp"
#include "nssbg/compose.hpp"
#include "nssbg/merge_alpha.hpp"
#include "nssbg/orient.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"
#include "nssbg/post_process.hpp"

namespace nssbg::bindings {

NSSBG_EXPORT const char* nssbg_text() { return text.c_str(); }

// nullptr where there is no memory left.
NSSBG_EXPORT void* nssbg_acquire(std::size_t bytes) {
    void* block = nullptr;
    guarded([&] { block = pool_acquire(bytes); });
    return block;
}
NSSBG_EXPORT void nssbg_release(void* block) { pool_release(block); }
NSSBG_EXPORT void nssbg_trim() { pool_trim(); }
NSSBG_EXPORT std::size_t nssbg_held_bytes() { return pool_statistics().held_bytes; }

// content: top, left, bottom, right. numbers: mean (3), std (3), part (left, top, right, bottom).
// The target's axes are y, x, c as everywhere, its strides those of planes.
NSSBG_EXPORT Status nssbg_prepare(const Array* source, const Array* target, const char* filter,
                                  const std::int32_t* content, const std::uint8_t* fill,
                                  const double* numbers, int threads) {
    return guarded([&] {
        PrepareOptions options;
        options.filter = filter_named(filter);
        options.content = {content[0], content[1], content[2], content[3]};
        for (std::size_t c = 0; c < 3; ++c) {
            options.fill[c] = fill[c];
            options.mean[c] = numbers[c];
            options.std[c] = numbers[3 + c];
        }
        options.part = {numbers[6], numbers[7], numbers[8], numbers[9]};
        options.threads = threads;
        with_integers(source, "the image", [&](auto in) {
            using In = decltype(in);
            const auto from = view_of<const In>(source);
            switch (target->type) {
                case Type::f32: return prepare<In, float>(from, view_of<float>(target), options);
                case Type::f16: return prepare<In, Half>(from, view_of<Half>(target), options);
                case Type::u8:
                    return prepare<In, std::uint8_t>(from, view_of<std::uint8_t>(target), options);
                default: wrong_type("the target");
            }
        });
    });
}

// *stopped: the border is no backdrop and nothing was written. The text is the report.
NSSBG_EXPORT Status nssbg_studio(const Array* rgb, const Array* alpha, const Array* shadow,
                                 const char* chroma, float least_border, int threads,
                                 std::int32_t* stopped) {
    return guarded([&] {
        StudioOptions options;
        options.chroma = screen_named(chroma);
        options.least_border = least_border;
        options.threads = threads;
        with_integers(rgb, "the image", [&](auto in) {
            const StudioReport report = studio_alpha<decltype(in)>(
                view_of<const decltype(in)>(rgb), view_of<std::uint8_t>(alpha),
                view_of<std::uint8_t>(shadow), options);
            *stopped = report.stopped ? 1 : 0;
            tell(report);
        });
    });
}

NSSBG_EXPORT Status nssbg_refine(const Array* image, const Array* coarse, const Array* trimap,
                                 const Array* alpha, const char* level, std::int32_t tile,
                                 int threads) {
    return guarded([&] {
        RefineOptions options;
        options.level = level_named(level);
        options.tile = tile;
        options.threads = threads;
        RefineReport report;
        with_integers(image, "the image", [&](auto pixel) {
            with_map(coarse, "the coarse alpha", [&](auto value) {
                using Pixel = decltype(pixel);
                using T = decltype(value);
                refine<Pixel, T>(view_of<const Pixel>(image), view_of<const T>(coarse),
                                 view_of<const std::uint8_t>(trimap), view_of<T>(alpha), options,
                                 &report);
            });
        });
        tell(report);
    });
}

NSSBG_EXPORT Status nssbg_decontaminate(const Array* image, const Array* alpha, const Array* rgba,
                                        const Array* background, const char* method, float strength,
                                        int extend, int threads) {
    return guarded([&] {
        DecontaminateOptions options;
        options.method = method_named(method);
        options.strength = strength;
        options.extend = extend != 0;
        options.threads = threads;
        with_integers(image, "the image", [&](auto pixel) {
            using T = decltype(pixel);
            const auto run = [&](auto cover) {
                using A = decltype(cover);
                decontaminate<T, A>(view_of<const T>(image), view_of<const A>(alpha),
                                    view_of<T>(rgba), view_of<T>(background), options);
            };
            if (alpha->type == Type::u16)
                run(std::uint16_t{});
            else
                with_map(alpha, "the alpha", run);
        });
    });
}

// In place. The text is the report.
NSSBG_EXPORT Status nssbg_clean_components(const Array* alpha, int holes, double level,
                                           double least_area, int keep_largest, double deepest,
                                           double of_largest, double faint) {
    return guarded([&] {
        ComponentOptions options;
        options.holes = holes != 0;
        options.level = level;
        options.least_area = static_cast<std::int64_t>(least_area);
        options.keep_largest = keep_largest != 0;
        options.deepest = deepest;
        options.of_largest = of_largest;
        options.faint = faint;
        with_map(alpha, "the alpha", [&](auto value) {
            tell(clean_components(view_of<decltype(value)>(alpha), options));
        });
    });
}

// In place, by the rule that follows a refinement. The text is the report.
NSSBG_EXPORT Status nssbg_remove_small_components(const Array* alpha) {
    return guarded([&] {
        with_map(alpha, "the alpha", [&](auto value) {
            tell(remove_small_components(view_of<decltype(value)>(alpha)));
        });
    });
}

// In place.
NSSBG_EXPORT Status nssbg_post_process(const Array* alpha) {
    return guarded([&] {
        with_map(alpha, "the alpha",
                 [&](auto value) { post_process(view_of<decltype(value)>(alpha)); });
    });
}

NSSBG_EXPORT Status nssbg_remove_stray_alpha(const Array* alpha, double level, double reach) {
    return guarded([&] {
        with_map(alpha, "the alpha", [&](auto value) {
            remove_stray_alpha(view_of<decltype(value)>(alpha), level, reach);
        });
    });
}

// out is a float map where alpha is one, else of existing's type.
NSSBG_EXPORT Status nssbg_merge_alpha(const Array* alpha, const Array* existing, const Array* out) {
    return guarded([&] {
        with_map(alpha, "the alpha", [&](auto value) {
            with_integers(existing, "the picture's alpha", [&](auto other) {
                using A = decltype(value);
                using E = decltype(other);
                using Out = std::conditional_t<std::is_same_v<A, float>, float, E>;
                merge_alpha<A, E, Out>(view_of<const A>(alpha), view_of<const E>(existing),
                                       view_of<Out>(out));
            });
        });
    });
}

NSSBG_EXPORT Status nssbg_feather(const Array* alpha, const Array* out, double sigma, int threads) {
    return guarded([&] {
        with_map(alpha, "the alpha", [&](auto value) {
            using T = decltype(value);
            feather<T>(view_of<const T>(alpha), sigma, threads, view_of<T>(out));
        });
    });
}

NSSBG_EXPORT Status nssbg_over_image(const Array* rgba, const Array* background, const Array* out,
                                     int threads) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            over_image<T>(view_of<const T>(rgba), view_of<const T>(background), view_of<T>(out),
                          threads);
        });
    });
}

// numbers: origin, across, down, center_x, center_y, scale; see Gradient.
NSSBG_EXPORT Status nssbg_over_gradient(const Array* rgba, const Array* colors, const Array* out,
                                        int radial, const double* numbers, int threads) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            Gradient<T> gradient;
            const auto table = view_of<const T>(colors);
            if (table.width != 1 || table.channels != 3)
                throw std::invalid_argument("the colours must be a table of N x 1 x 3");
            gradient.colors = table.data;
            gradient.count = table.height;
            gradient.radial = radial != 0;
            gradient.origin = static_cast<float>(numbers[0]);
            gradient.across = static_cast<float>(numbers[1]);
            gradient.down = static_cast<float>(numbers[2]);
            gradient.center_x = static_cast<float>(numbers[3]);
            gradient.center_y = static_cast<float>(numbers[4]);
            gradient.scale = static_cast<float>(numbers[5]);
            over_gradient<T>(view_of<const T>(rgba), gradient, view_of<T>(out), threads);
        });
    });
}

NSSBG_EXPORT Status nssbg_over_layer(const Array* front, const Array* back, const Array* out,
                                     int threads) {
    return guarded([&] {
        with_integers(front, "the cut-out", [&](auto value) {
            using T = decltype(value);
            over_layer<T>(view_of<const T>(front), view_of<const T>(back), view_of<T>(out),
                          threads);
        });
    });
}

NSSBG_EXPORT Status nssbg_premultiply(const Array* rgba, const Array* out, int threads) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            premultiply<T>(view_of<const T>(rgba), view_of<T>(out), threads);
        });
    });
}

NSSBG_EXPORT Status nssbg_suppress_spill(const Array* rgba, const Array* out, int screen,
                                         float strength, int threads) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            suppress_spill<T>(view_of<const T>(rgba), view_of<T>(out), screen, strength, threads);
        });
    });
}

// box: top, left, bottom, right.
NSSBG_EXPORT Status nssbg_subject_box(const Array* rgba, int threshold, int threads,
                                      std::int32_t* box) {
    return guarded([&] {
        with_integers(rgba, "the cut-out", [&](auto value) {
            using T = decltype(value);
            const Box found =
                subject_box<T>(view_of<const T>(rgba), static_cast<T>(threshold), threads);
            box[0] = static_cast<std::int32_t>(found.top);
            box[1] = static_cast<std::int32_t>(found.left);
            box[2] = static_cast<std::int32_t>(found.bottom);
            box[3] = static_cast<std::int32_t>(found.right);
        });
    });
}

NSSBG_EXPORT Status nssbg_orient(const Array* image, const Array* out, int orientation,
                                 int threads) {
    return guarded([&] {
        with_integers(image, "the image", [&](auto value) {
            using T = decltype(value);
            orient(view_of<const T>(image), orientation, threads, view_of<T>(out).data);
        });
    });
}

// *file is from nssbg_acquire and *bytes long.
NSSBG_EXPORT Status nssbg_png_encode(const Array* pixels, const char* compression,
                                     const std::uint8_t* chunks, std::size_t chunk_bytes,
                                     int threads, std::uint8_t** file, std::size_t* bytes) {
    return guarded([&] {
        PngOptions options;
        options.compression = compression_named(compression);
        options.threads = threads;
        options.chunks = chunks;
        options.chunk_bytes = chunk_bytes;
        with_integers(pixels, "the pixels", [&](auto value) {
            const PngFile encoded = png_encode(view_of<const decltype(value)>(pixels), options);
            Scratch<std::uint8_t> block(encoded.size());
            encoded.copy_to(block.data());
            *bytes = encoded.size();
            *file = block.release();
        });
    });
}

NSSBG_EXPORT Status nssbg_png_unfilter(const std::uint8_t* filtered, std::int32_t height,
                                       std::int32_t row_bytes, int pixel_bytes,
                                       std::uint8_t* plain) {
    return guarded([&] { png_unfilter(filtered, height, row_bytes, pixel_bytes, plain); });
}

}  // namespace nssbg::bindings
