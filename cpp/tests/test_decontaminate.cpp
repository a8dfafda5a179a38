// Colour decontamination and composition without Python: invariants, levels, refusals.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "foreground/kernels.hpp"
#include "nssbg/compose.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/decontaminate.hpp"

using namespace nssbg;

namespace {

template <class T>
struct Scene {
    std::ptrdiff_t height;
    std::ptrdiff_t width;
    std::vector<T> image;
    std::vector<T> alpha;

    Scene(std::ptrdiff_t h, std::ptrdiff_t w)
        : height(h), width(w), image(3 * h * w), alpha(h * w) {
        std::uint32_t state = 12345;
        for (T& value : image) {
            state = state * 1664525u + 1013904223u;
            value = static_cast<T>(state >> (32 - 8 * sizeof(T)));
        }
        const double top = static_cast<double>(static_cast<T>(~T{0}));
        for (std::ptrdiff_t y = 0; y < h; ++y)
            for (std::ptrdiff_t x = 0; x < w; ++x) {
                const double value = 0.5 + 0.8 * std::sin(0.11 * static_cast<double>(x) +
                                                          0.07 * static_cast<double>(y));
                alpha[y * w + x] = static_cast<T>(top * (value < 0   ? 0
                                                         : value > 1 ? 1
                                                                     : value) +
                                                  0.5);
            }
    }
    ImageView<const T> image_view() const {
        return packed_view<const T>(image.data(), height, width, 3);
    }
    ImageView<const T> matte() const {
        return packed_view<const T>(alpha.data(), height, width, 1);
    }
    std::vector<T> run(const DecontaminateOptions& options) const {
        std::vector<T> rgba(4 * height * width);
        decontaminate<T, T>(image_view(), matte(), packed_view(rgba.data(), height, width, 4), {},
                            options);
        return rgba;
    }
};

template <class T>
void check_same_everywhere(ForegroundMethod method) {
    for (const auto& [height, width] :
         std::vector<std::pair<int, int>>{{1, 1}, {5, 300}, {33, 47}, {150, 211}}) {
        const Scene<T> scene(height, width);
        DecontaminateOptions options;
        options.method = method;
        options.extend = true;
        const std::vector<T> first = scene.run(options);
        for (const Isa level : available_isa_levels())
            for (const int threads : {1, 3}) {
                set_isa(isa_name(level));
                options.threads = threads;
                CHECK(scene.run(options) == first);
            }
        set_isa("auto");
        bool kept = true;
        const T top = static_cast<T>(~T{0});
        for (std::ptrdiff_t i = 0; i < height * width; ++i) {
            kept = kept && first[4 * i + 3] == scene.alpha[i];
            if (scene.alpha[i] == top)
                kept = kept && std::memcmp(&first[4 * i], &scene.image[3 * i], 3 * sizeof(T)) == 0;
        }
        CHECK(kept);
    }
}

}  // namespace

namespace {

// The flags of blocks for one alpha value anywhere in a row that is clear, or opaque, elsewhere.
template <class T, class Kernel>
void check_flags(Kernel kernel, const std::vector<T>& values) {
    constexpr T top = static_cast<T>(~T{0});
    for (const std::ptrdiff_t width : {5, 16, 17, 40, 64, 96, 130}) {
        const std::vector<T> rgb(static_cast<std::size_t>(3 * width), T{9});
        std::vector<T> rgba(static_cast<std::size_t>(4 * width));
        const auto blocks = static_cast<std::size_t>(width / block_side + 1);
        for (const T around : {T{0}, top})
            for (const T value : values)
                for (std::ptrdiff_t x = 0; x < width; ++x) {
                    std::vector<T> alpha(static_cast<std::size_t>(width), around);
                    alpha[static_cast<std::size_t>(x)] = value;
                    for (const bool clear : {false, true}) {
                        std::vector<std::uint8_t> soft(blocks, 0);
                        std::vector<std::uint8_t> open(blocks, 0);
                        kernel(rgb.data(), alpha.data(), rgba.data(), width, clear, soft.data(),
                               open.data());
                        for (std::size_t b = 0; b < blocks; ++b) {
                            bool is_soft = false;
                            bool is_open = false;
                            const std::size_t end =
                                std::min((b + 1) * std::size_t{block_side}, alpha.size());
                            for (std::size_t i = b * block_side; i < end; ++i) {
                                is_soft |= alpha[i] != 0 && alpha[i] != top;
                                is_open |= alpha[i] != top;
                            }
                            CHECK((soft[b] != 0) == is_soft);
                            CHECK((open[b] != 0) == is_open);
                        }
                    }
                }
    }
}

}  // namespace

TEST(blocks_are_soft_from_the_least_alpha_to_the_last_below_full) {
    for (const Isa level : available_isa_levels()) {
        set_isa(isa_name(level));
        const DecontaminateKernels& kernels = active_decontaminate_kernels();
        check_flags<std::uint8_t>(kernels.rgba_from_rgb_u8, {0, 1, 2, 127, 253, 254, 255});
        check_flags<std::uint16_t>(kernels.rgba_from_rgb_u16,
                                   {0, 1, 2, 255, 256, 65533, 65534, 65535});
    }
    set_isa("auto");
}

TEST(multilevel_is_the_same_for_every_level_and_thread_count) {
    check_same_everywhere<std::uint8_t>(ForegroundMethod::multilevel);
    check_same_everywhere<std::uint16_t>(ForegroundMethod::multilevel);
}

TEST(blur_fusion_is_the_same_for_every_level_and_thread_count) {
    check_same_everywhere<std::uint8_t>(ForegroundMethod::blur_fusion);
    check_same_everywhere<std::uint16_t>(ForegroundMethod::blur_fusion);
}

TEST(decontaminate_refuses_what_does_not_fit) {
    const Scene<std::uint8_t> scene(6, 9);
    std::vector<std::uint8_t> rgba(4 * 6 * 9);
    const auto out = packed_view(rgba.data(), 6, 9, 4);
    const auto narrow = packed_view(rgba.data(), 6, 8, 4);
    const auto call = [&](ImageView<std::uint8_t> to, const DecontaminateOptions& options) {
        decontaminate<std::uint8_t, std::uint8_t>(scene.image_view(), scene.matte(), to, {},
                                                  options);
    };
    CHECK_THROWS(call(narrow, {}), std::invalid_argument);
    DecontaminateOptions options;
    options.strength = 1.5f;
    CHECK_THROWS(call(out, options), std::invalid_argument);
    options = {};
    options.threads = 0;
    CHECK_THROWS(call(out, options), std::invalid_argument);
    std::vector<float> alpha(6 * 9, 0.5f);
    alpha[17] = std::nanf("");
    const auto matte = packed_view<const float>(alpha.data(), 6, 9, 1);
    CHECK_THROWS((decontaminate<std::uint8_t, float>(scene.image_view(), matte, out, {}, {})),
                 std::invalid_argument);
}

TEST(over_picture_is_exact_and_reads_one_row_for_a_colour) {
    for (const Isa level : available_isa_levels()) {
        set_isa(isa_name(level));
        for (const std::ptrdiff_t width : {1, 5, 6, 7, 64, 101}) {
            const Scene<std::uint8_t> scene(3, width);
            const auto rgba = scene.run({});
            const std::vector<std::uint8_t> color(3 * width, 200);
            std::vector<std::uint8_t> out(3 * 3 * width);
            ImageView<const std::uint8_t> back{color.data(), 3, width, 3, 0, 3, 1};
            over_image<std::uint8_t>(packed_view<const std::uint8_t>(rgba.data(), 3, width, 4),
                                     back, packed_view(out.data(), 3, width, 3), 2);
            bool exact = true;
            for (std::ptrdiff_t i = 0; i < 3 * width; ++i)
                for (int c = 0; c < 3; ++c) {
                    const int alpha = rgba[4 * i + 3];
                    const int sum = rgba[4 * i + c] * alpha + 200 * (255 - alpha);
                    exact = exact && out[3 * i + c] == (2 * sum + 255) / 510;
                }
            CHECK(exact);
        }
    }
    set_isa("auto");
}

TEST(subject_box_is_tight_and_zero_for_an_empty_picture) {
    std::vector<std::uint8_t> rgba(4 * 40 * 50, 0);
    const auto view = packed_view<const std::uint8_t>(rgba.data(), 40, 50, 4);
    CHECK(subject_box<std::uint8_t>(view, 0, 2).bottom == 0);
    rgba[4 * (7 * 50 + 11) + 3] = 9;
    rgba[4 * (33 * 50 + 49) + 3] = 9;
    const Box box = subject_box<std::uint8_t>(view, 8, 2);
    CHECK(box.top == 7 && box.left == 11 && box.bottom == 34 && box.right == 50);
    CHECK(subject_box<std::uint8_t>(view, 9, 2).bottom == 0);
}
