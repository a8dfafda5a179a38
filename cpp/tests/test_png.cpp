// PNG files written by the core, read back by a decoder that shares nothing with it
// (png_reader.hpp). All levels, thread counts, depths and strides.
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/orient.hpp"
#include "nssbg/png.hpp"
#include "png/checksums.hpp"
#include "png/deflate_codes.hpp"
#include "png/kernels_filter.hpp"
#include "png_reader.hpp"

using namespace nssbg;
using namespace png_reader;

namespace {

// Contents from flat to noise: a cut-out, smooth residuals, repeats, all zeros, noise.
Bytes content(int kind, std::size_t height, std::size_t row_bytes, std::size_t step,
              std::mt19937& random) {
    Bytes out(height * row_bytes);
    for (std::size_t y = 0; y < height; ++y)
        for (std::size_t i = 0; i < row_bytes; ++i) {
            std::uint8_t& value = out[y * row_bytes + i];
            const bool inside =
                y > height / 4 && y < height * 3 / 4 && i > row_bytes / 4 && i < row_bytes * 3 / 4;
            const std::uint8_t left = i >= step ? out[y * row_bytes + i - step] : 100;
            switch (kind) {
                case 0:
                    value = inside ? static_cast<std::uint8_t>(left + random() % 3 - 1) : 0;
                    break;
                case 1: value = static_cast<std::uint8_t>(left + random() % 5 / 4); break;
                case 2:
                    value = static_cast<std::uint8_t>((i / step / 9 * 37 + y / 5 * 11) & 255);
                    break;
                case 3: value = 0; break;
                case 4: value = static_cast<std::uint8_t>(random()); break;
                default: value = inside ? static_cast<std::uint8_t>(random()) : 255; break;
            }
        }
    return out;
}

PngOptions options_of(PngCompression compression, int threads) {
    PngOptions options;
    options.compression = compression;
    options.threads = threads;
    return options;
}

}  // namespace

TEST(png_reads_back_bit_for_bit_at_every_level_and_thread_count) {
    std::mt19937 random(11);
    for (int trial = 0; trial < 120; ++trial) {
        const std::size_t channels = (std::size_t[]){1, 3, 4}[random() % 3];
        const std::size_t height = 1 + random() % 60;
        // Now and then wide enough for several strips.
        const std::size_t width = 1 + random() % (trial % 10 == 0 ? 9000 : 120);
        const Bytes pixels = content(trial % 6, height, width * channels, channels, random);
        const auto view = packed_view<const std::uint8_t>(
            pixels.data(), static_cast<std::ptrdiff_t>(height), static_cast<std::ptrdiff_t>(width),
            static_cast<std::ptrdiff_t>(channels));
        for (const auto compression :
             {PngCompression::fast, PngCompression::standard, PngCompression::best}) {
            if (compression == PngCompression::best && width > 1000) continue;
            const Bytes file = bytes_of(png_encode(view, options_of(compression, 1)));
            CHECK(decode(file, height, width, channels) == pixels);
            for (const Isa level : available_isa_levels()) {
                set_isa(isa_name(level));
                CHECK(bytes_of(png_encode(view, options_of(compression, 3))) == file);
            }
            set_isa("auto");
        }
    }
}

TEST(png_of_sixteen_bits_and_of_strided_views) {
    std::mt19937 random(12);
    for (int trial = 0; trial < 30; ++trial) {
        const std::ptrdiff_t channels = (std::ptrdiff_t[]){1, 3, 4}[trial % 3];
        const std::ptrdiff_t height = 2 + random() % 30;
        const std::ptrdiff_t width = 1 + random() % 50;
        // Every second row and column of a wider, five-channel picture, rows from the bottom up.
        std::vector<std::uint16_t> wide(static_cast<std::size_t>(2 * height * 2 * width * 5));
        for (auto& value : wide) value = static_cast<std::uint16_t>(20000 + random() % 300);
        ImageView<const std::uint16_t> view{wide.data() + (2 * height - 2) * 2 * width * 5,
                                            height,
                                            width,
                                            channels,
                                            -2 * 2 * width * 5,
                                            2 * 5,
                                            1};
        Bytes expected;
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x)
                for (std::ptrdiff_t c = 0; c < channels; ++c) {
                    expected.push_back(static_cast<std::uint8_t>(view.at(y, x, c) >> 8));
                    expected.push_back(static_cast<std::uint8_t>(view.at(y, x, c) & 255));
                }
        for (const auto compression : {PngCompression::fast, PngCompression::standard}) {
            const Bytes file = bytes_of(png_encode(view, options_of(compression, 2)));
            CHECK(decode(file, static_cast<std::size_t>(height), static_cast<std::size_t>(width),
                         static_cast<std::size_t>(2 * channels)) == expected);
        }
    }
}

TEST(png_refuses_what_the_format_cannot_hold) {
    const std::uint8_t pixels[8] = {};
    CHECK_THROWS(png_encode(packed_view(pixels, 1, 4, 2), PngOptions()), std::invalid_argument);
    CHECK_THROWS(png_encode(packed_view(pixels, 0, 4, 1), PngOptions()), std::invalid_argument);
    CHECK_THROWS(png_encode(packed_view(pixels, 1, 0, 1), PngOptions()), std::invalid_argument);
    for (const int threads : {0, -1})
        CHECK_THROWS(
            png_encode(packed_view(pixels, 1, 4, 1), options_of(PngCompression::standard, threads)),
            std::invalid_argument);
}

TEST(png_unfilter_refuses_unknown_filters_and_partial_pixels) {
    std::uint8_t rows[8] = {5, 1, 2, 3};
    std::uint8_t plain[8];
    CHECK_THROWS(png_unfilter(rows, 1, 3, 3, plain), std::invalid_argument);
    rows[0] = 1;
    CHECK_THROWS(png_unfilter(rows, 1, 2, 3, plain), std::invalid_argument);
    CHECK_THROWS(png_unfilter(rows, 1, 3, 9, plain), std::invalid_argument);
}

TEST(checksums_are_those_of_their_definitions) {
    std::mt19937 random(13);
    for (const std::size_t count : {0, 1, 7, 8, 9, 31, 32, 33, 1000, 200001}) {
        Bytes data(count + 1);
        for (auto& value : data)
            value = static_cast<std::uint8_t>(random() % 7 == 0 ? 255 : random());
        CHECK(crc32(0, data.data(), count) == plain_crc(data.data(), count));
        CHECK(crc32(crc32(0, data.data(), count / 3), data.data() + count / 3, count - count / 3) ==
              plain_crc(data.data(), count));
        const std::uint32_t whole = plain_adler(data.data(), count);
        CHECK(adler32_combine(plain_adler(data.data(), count / 3),
                              plain_adler(data.data() + count / 3, count - count / 3),
                              count - count / 3) == whole);
        for (const Isa level : available_isa_levels()) {
            set_isa(isa_name(level));
            std::uint32_t low = 1;
            std::uint32_t high = 0;
            active_png_filter_kernels().adler(data.data(), static_cast<std::ptrdiff_t>(count), &low,
                                              &high);
            CHECK((high << 16 | low) == whole);
        }
        set_isa("auto");
    }
    // The sums at their largest.
    const Bytes full(300000, 255);
    std::uint32_t low = 65520;
    std::uint32_t high = 65520;
    active_png_filter_kernels().adler(full.data(), 300000, &low, &high);
    std::uint64_t a = 65520;
    std::uint64_t b = 65520;
    for (int i = 0; i < 300000; ++i) {
        a = (a + 255) % 65521;
        b = (b + a) % 65521;
    }
    CHECK(low == a);
    CHECK(high == b);
}

TEST(huffman_codes_are_complete_and_within_their_limit) {
    std::mt19937 random(14);
    for (int trial = 0; trial < 400; ++trial) {
        const int symbols = 2 + static_cast<int>(random() % 284);
        std::uint32_t counts[literal_symbols] = {};
        for (int i = 0; i < symbols; ++i)
            // From even to steeper than Fibonacci, which would need codes of 40 bits.
            counts[i] = random() % 4 == 0 ? 0 : 1u << (random() % (1 + trial % 31));
        const int limit = trial % 2 == 0 ? literal_code_limit : distance_code_limit;
        std::uint8_t lengths[literal_symbols];
        huffman_lengths(counts, symbols, limit, lengths);
        int used = 0;
        double kraft = 0;
        for (int i = 0; i < symbols; ++i) {
            CHECK((counts[i] != 0) == (lengths[i] != 0));
            CHECK(lengths[i] <= limit);
            if (lengths[i] != 0) {
                ++used;
                kraft += 1.0 / (1 << lengths[i]);
            }
        }
        CHECK(used < 2 || kraft == 1.0);
    }
}

TEST(filters_follow_the_specification_at_every_level) {
    std::mt19937 random(15);
    for (int trial = 0; trial < 200; ++trial) {
        const std::ptrdiff_t step = (std::ptrdiff_t[]){1, 2, 3, 4, 6, 8}[trial % 6];
        const std::ptrdiff_t count = step * static_cast<std::ptrdiff_t>(1 + random() % 100);
        Bytes row(static_cast<std::size_t>(count)), above(row.size());
        for (auto& value : row) value = static_cast<std::uint8_t>(random());
        for (auto& value : above) value = static_cast<std::uint8_t>(random());
        for (int filter = 0; filter < 5; ++filter)
            for (const Isa level : available_isa_levels()) {
                set_isa(isa_name(level));
                // Two rows: the one above as it is, then the filtered one.
                Bytes rows(static_cast<std::size_t>(2 * (1 + count)));
                std::memcpy(&rows[1], above.data(), above.size());
                rows[static_cast<std::size_t>(1 + count)] = static_cast<std::uint8_t>(filter);
                active_png_filter_kernels().filter_row(filter, row.data(), above.data(), 0, count,
                                                       step,
                                                       &rows[static_cast<std::size_t>(2 + count)]);
                Bytes plain(static_cast<std::size_t>(2 * count));
                png_unfilter(rows.data(), 2, count, static_cast<int>(step), plain.data());
                CHECK(std::memcmp(&plain[static_cast<std::size_t>(count)], row.data(),
                                  row.size()) == 0);
            }
        set_isa("auto");
    }
}

TEST(orientations_put_the_corners_where_exif_has_them) {
    // Row 0, column 0 of the stored picture is shown: top left, top right, bottom right,
    // bottom left, left top, right top, right bottom, left bottom.
    std::mt19937 random(16);
    for (const std::ptrdiff_t channels : {1, 3, 4}) {
        const std::ptrdiff_t height = 37;
        const std::ptrdiff_t width = 71;
        std::vector<std::uint16_t> in(static_cast<std::size_t>(height * width * channels));
        for (auto& value : in) value = static_cast<std::uint16_t>(random());
        const auto view = packed_view<const std::uint16_t>(in.data(), height, width, channels);
        for (int orientation = 1; orientation <= 8; ++orientation) {
            std::vector<std::uint16_t> out(in.size());
            orient(view, orientation, 2, out.data());
            const bool swapped = orientation >= 5;
            const std::ptrdiff_t out_width = swapped ? height : width;
            const std::ptrdiff_t out_height = swapped ? width : height;
            bool equal = true;
            for (std::ptrdiff_t y = 0; y < height; ++y)
                for (std::ptrdiff_t x = 0; x < width; ++x) {
                    std::ptrdiff_t down = swapped ? x : y;
                    std::ptrdiff_t across = swapped ? y : x;
                    if (orientation == 3 || orientation == 4 || orientation == 7 ||
                        orientation == 8)
                        down = out_height - 1 - down;
                    if (orientation == 2 || orientation == 3 || orientation == 6 ||
                        orientation == 7)
                        across = out_width - 1 - across;
                    for (std::ptrdiff_t c = 0; c < channels; ++c)
                        equal = equal && out[static_cast<std::size_t>(
                                             (down * out_width + across) * channels + c)] ==
                                             view.at(y, x, c);
                }
            CHECK(equal);
        }
        std::vector<std::uint16_t> out(in.size());
        CHECK_THROWS(orient(view, 0, 1, out.data()), std::invalid_argument);
        CHECK_THROWS(orient(view, 9, 1, out.data()), std::invalid_argument);
    }
}
