// The prepare stage without Python: every level and thread count against the plain twin of the
// kernels, known values, refusals.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "core/half.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/prepare.hpp"
#include "prepare/kernels.hpp"
#include "prepare/resample_table.hpp"

namespace nssbg::level_plain {
extern const PrepareKernels prepare_kernels;  // test_prepare_plain.cpp
}

using namespace nssbg;

namespace {

std::vector<std::uint8_t> noise(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<std::uint8_t> values(count);
    for (auto& value : values) value = static_cast<std::uint8_t>(generator() >> 24);
    return values;
}

template <class Out>
std::vector<Out> prepared(const ImageView<const std::uint8_t>& source, std::ptrdiff_t height,
                          std::ptrdiff_t width, Filter filter, int threads) {
    std::vector<Out> target(3 * height * width);
    PrepareOptions options;
    options.filter = filter;
    options.content = {0, 0, height, width};
    options.threads = threads;
    prepare<std::uint8_t, Out>(source, {target.data(), height, width, 3, width, 1, height * width},
                               options);
    return target;
}

ImageView<const std::uint8_t> view_of(const std::vector<std::uint8_t>& samples,
                                      std::ptrdiff_t height, std::ptrdiff_t width,
                                      std::ptrdiff_t channels) {
    return packed_view(samples.data(), height, width, channels);
}

constexpr Filter all_filters[] = {Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos,
                                  Filter::torch_bilinear};

}  // namespace

TEST(prepare_kernels_of_every_level_equal_their_plain_twin) {
    const PrepareKernels& plain = level_plain::prepare_kernels;
    struct Form {
        std::ptrdiff_t stride_x;
        std::ptrdiff_t stride_c;
        std::ptrdiff_t channels;
    };
    const Form forms[] = {{3, 1, 3}, {4, 1, 3}, {3, -1, 3},  {4, -1, 3},
                          {1, 1, 1}, {2, 1, 1}, {1, 700, 3}, {-3, 1, 3}};
    for (const Isa level : available_isa_levels()) {
        set_isa(isa_name(level));
        const PrepareKernels& kernels = active_prepare_kernels();
        for (const Form& form : forms)
            for (const std::ptrdiff_t width : {1, 2, 5, 8, 17, 64, 131}) {
                const std::size_t row_size = 2400;
                const auto samples = noise(group_rows * row_size, 3);
                RowGroup<std::uint8_t> group;
                const std::ptrdiff_t origin =
                    (form.stride_x < 0 ? -form.stride_x * (width - 1) : 0) +
                    (form.stride_c < 0 ? 2 : 0);
                for (std::ptrdiff_t r = 0; r < group_rows; ++r)
                    group.rows[r] = samples.data() + r * row_size + origin;
                group.width = width;
                group.stride_x = form.stride_x;
                group.stride_c = form.stride_c;
                group.channels = form.channels;
                const std::ptrdiff_t pairs = (width + 1) / 2;
                std::vector<std::int16_t> expected(pairs * form.channels * 32);
                std::vector<std::int16_t> units(expected.size(), -1);
                for (std::ptrdiff_t begin : {std::ptrdiff_t{0}, pairs / 3}) {
                    plain.pairs_from_rows_u8(group, begin, pairs, expected.data());
                    kernels.pairs_from_rows_u8(group, begin, pairs, units.data());
                    CHECK(units == expected);
                }
                if (form.channels != 1 && form.channels != 3) continue;
                kernels.pairs_from_rows_u8(group, 0, pairs, units.data());
                for (const Filter filter : {Filter::box, Filter::bicubic, Filter::lanczos})
                    for (const std::ptrdiff_t outputs : {1, 7, 40, 150}) {
                        const ResampleTable table = resample_table(filter, width, outputs);
                        const std::ptrdiff_t plane = (outputs + 63) / 64 * 64;
                        const std::ptrdiff_t pitch = 2 * form.channels * plane;
                        std::vector<std::uint8_t> a(8 * pitch);
                        std::vector<std::uint8_t> b(8 * pitch);
                        plain.byte_pairs_from_pairs(units.data(), 0, form.channels, table.view(), 0,
                                                    outputs, plane, pitch, a.data());
                        kernels.byte_pairs_from_pairs(units.data(), 0, form.channels, table.view(),
                                                      0, outputs, plane, pitch, b.data());
                        CHECK(a == b);
                        const ResampleTable down = resample_table(filter, 16, 9);
                        std::vector<const std::uint8_t*> rows;
                        for (std::ptrdiff_t p = 0; p < down.pairs; ++p)
                            rows.push_back(a.data() + (down.first[4] + p) * pitch);
                        std::vector<std::uint8_t> c(form.channels * plane);
                        std::vector<std::uint8_t> d(form.channels * plane);
                        plain.row_from_byte_pairs(rows.data(), down.view(), 4,
                                                  form.channels * plane, c.data());
                        kernels.row_from_byte_pairs(rows.data(), down.view(), 4,
                                                    form.channels * plane, d.data());
                        CHECK(c == d);
                    }
            }
    }
    set_isa("auto");
}

TEST(prepare_gives_the_same_bytes_at_every_level_and_thread_count) {
    const std::ptrdiff_t sizes[][4] = {{211, 337, 64, 48}, {3, 2, 40, 33}, {97, 1, 1, 50}};
    for (const auto& size : sizes) {
        const auto samples = noise(size[0] * size[1] * 3, 5);
        const auto source = view_of(samples, size[0], size[1], 3);
        for (const Filter filter : all_filters) {
            set_isa("v1");
            const auto expected = prepared<float>(source, size[2], size[3], filter, 1);
            for (const Isa level : available_isa_levels())
                for (const int threads : {1, 2, 5}) {
                    set_isa(isa_name(level));
                    CHECK(prepared<float>(source, size[2], size[3], filter, threads) == expected);
                }
        }
    }
    set_isa("auto");
}

TEST(prepare_keeps_a_constant_picture_constant_at_the_extremes) {
    for (const int value : {0, 1, 254, 255})
        for (const Filter filter : all_filters) {
            const std::vector<std::uint8_t> samples(3 * 60 * 9000,
                                                    static_cast<std::uint8_t>(value));
            const auto same = [value](std::uint8_t v) { return v == value; };
            auto out = prepared<std::uint8_t>(view_of(samples, 60, 9000, 3), 7, 2, filter, 1);
            CHECK(std::all_of(out.begin(), out.end(), same));
            out = prepared<std::uint8_t>(view_of(samples, 2, 3, 3), 90, 71, filter, 2);
            CHECK(std::all_of(out.begin(), out.end(), same));
        }
}

TEST(prepare_fills_the_bars_and_only_the_bars) {
    const auto samples = noise(3 * 20 * 30, 8);
    std::vector<std::uint8_t> target(3 * 16 * 16, 111);
    PrepareOptions options;
    options.content = {5, 2, 11, 14};
    options.fill = {1, 2, 3};
    prepare<std::uint8_t, std::uint8_t>(view_of(samples, 20, 30, 3),
                                        {target.data(), 16, 16, 3, 16, 1, 256}, options);
    const auto alone =
        prepared<std::uint8_t>(view_of(samples, 20, 30, 3), 6, 12, Filter::lanczos, 1);
    for (int c = 0; c < 3; ++c)
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) {
                const bool inside = x >= 2 && x < 14 && y >= 5 && y < 11;
                const int expected = inside ? alone[c * 72 + (y - 5) * 12 + (x - 2)] : c + 1;
                CHECK(target[c * 256 + y * 16 + x] == expected);
            }
}

TEST(prepare_refuses_what_it_cannot_do) {
    std::vector<std::uint8_t> samples(300);
    std::vector<float> target(300);
    const ImageView<float> to{target.data(), 10, 10, 3, 10, 1, 100};
    const auto run = [&](std::ptrdiff_t channels, const ImageView<float>& into,
                         const PrepareOptions& options) {
        prepare<std::uint8_t, float>(view_of(samples, 5, 5, channels), into, options);
    };
    PrepareOptions good;
    good.content = {0, 0, 10, 10};
    run(3, to, good);
    CHECK_THROWS(run(2, to, good), std::invalid_argument);
    CHECK_THROWS(run(0, to, good), std::invalid_argument);
    PrepareOptions outside = good;
    outside.content.right = 11;
    CHECK_THROWS(run(3, to, outside), std::invalid_argument);
    PrepareOptions flat = good;
    flat.std[1] = 0.0;
    CHECK_THROWS(run(3, to, flat), std::invalid_argument);
    PrepareOptions threads = good;
    threads.threads = -1;
    CHECK_THROWS(run(3, to, threads), std::invalid_argument);
    CHECK_THROWS(run(3, {target.data(), 10, 10, 3, 30, 3, 1}, good), std::invalid_argument);
}

TEST(half_precision_rounds_to_nearest_even) {
    CHECK(half_bits_from_float(0.0f) == 0x0000);
    CHECK(half_bits_from_float(-1.0f) == 0xBC00);
    CHECK(half_bits_from_float(65504.0f) == 0x7BFF);
    CHECK(half_bits_from_float(65519.996f) == 0x7BFF);
    CHECK(half_bits_from_float(65520.0f) == 0x7C00);
    CHECK(half_bits_from_float(5.9604645e-8f) == 0x0001);   // smallest subnormal
    CHECK(half_bits_from_float(2.9802322e-8f) == 0x0000);   // half of it: to even
    CHECK(half_bits_from_float(1.0009766f) == 0x3C01);      // 1 + 2^-10
    CHECK(half_bits_from_float(1.00048828125f) == 0x3C00);  // 1 + 2^-11: to even
    CHECK(half_bits_from_float(1.00146484375f) == 0x3C02);  // 1 + 3 * 2^-11: to even
}

TEST(resample_weights_sum_to_one_and_stay_inside) {
    for (const Filter filter : {Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos})
        for (const std::ptrdiff_t source : {1, 2, 9, 100, 6000})
            for (const std::ptrdiff_t outputs : {1, 3, 64, 1024}) {
                const ResampleTable table = resample_table(filter, source, outputs);
                const Weights view = table.view();
                for (std::ptrdiff_t i = 0; i < outputs; ++i) {
                    long long sum = 0;
                    for (std::ptrdiff_t k = 0; k < 2 * table.pairs; ++k) {
                        const long long upper = view.window(i)[k];
                        sum += table.split_bits > 0 ? upper * (1LL << table.split_bits) +
                                                          view.window(i)[2 * table.pairs + k]
                                                    : upper;
                    }
                    // Half a unit a weight.
                    CHECK(std::llabs(sum - (1LL << table.shift)) <= table.pairs);
                    CHECK(table.first[i] >= 0);
                    CHECK(table.first[i] + table.pairs <= (source + 1) / 2);
                    CHECK(i == 0 || table.first[i] >= table.first[i - 1]);
                }
            }
}
