// PNG files written by the core, read back by a small decoder of this file's own: chunks,
// checksums, inflate (RFC 1951), filters. All levels, thread counts, depths and strides.
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "checksums.hpp"
#include "deflate_codes.hpp"
#include "kernels/png_filter.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/orient.hpp"
#include "nssbg/png.hpp"

using namespace nssbg;

namespace {

using Bytes = std::vector<std::uint8_t>;

void need(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(what);
}

// Inflate one bit at a time, after the counting method of Mark Adler's puff.
class Inflater {
public:
    explicit Inflater(const Bytes& in) : in_(in) {}
    Bytes run() {
        bool final = false;
        while (!final) {
            final = bits(1) != 0;
            const unsigned kind = bits(2);
            need(kind != 3, "block of kind 3");
            if (kind == 0) {
                stored();
            } else if (kind == 1) {
                need(false, "fixed codes are never written");
            } else {
                dynamic();
            }
        }
        return out_;
    }
    std::size_t used() const { return at_; }

private:
    struct Code {
        std::vector<int> counts = std::vector<int>(16), symbols;
        explicit Code(const std::vector<int>& lengths) {
            for (const int length : lengths) ++counts[static_cast<std::size_t>(length)];
            for (int length = 1; length < 16; ++length)
                for (std::size_t i = 0; i < lengths.size(); ++i)
                    if (lengths[i] == length) symbols.push_back(static_cast<int>(i));
            int left = 1;
            for (int length = 1; length < 16; ++length) {
                left = 2 * left - counts[static_cast<std::size_t>(length)];
                need(left >= 0, "code has too many words");
            }
            need(left == 0 || symbols.size() <= 1, "code is not complete");
        }
    };
    unsigned bits(int count) {
        unsigned value = 0;
        for (int i = 0; i < count; ++i) {
            need(at_ < in_.size(), "stream ends early");
            value |= static_cast<unsigned>((in_[at_] >> bit_) & 1) << i;
            if (++bit_ == 8) {
                bit_ = 0;
                ++at_;
            }
        }
        return value;
    }
    int symbol(const Code& code) {
        int word = 0;
        int first = 0;
        int index = 0;
        for (std::size_t length = 1; length < 16; ++length) {
            word |= static_cast<int>(bits(1));
            const int count = code.counts[length];
            if (word - count < first)
                return code.symbols[static_cast<std::size_t>(index + word - first)];
            index += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        throw std::runtime_error("no such word");
    }
    void stored() {
        if (bit_ != 0) {
            bit_ = 0;
            ++at_;
        }
        const unsigned size = bits(16);
        need(size == (~bits(16) & 0xFFFF), "stored length");
        for (unsigned i = 0; i < size; ++i) out_.push_back(static_cast<std::uint8_t>(bits(8)));
    }
    void dynamic() {
        const std::size_t literals = bits(5) + 257;
        const std::size_t distances = bits(5) + 1;
        const unsigned kept = bits(4) + 4;
        constexpr int order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                   11, 4,  12, 3, 13, 2, 14, 1, 15};
        std::vector<int> lengths(19);
        for (unsigned i = 0; i < kept; ++i)
            lengths[static_cast<std::size_t>(order[i])] = static_cast<int>(bits(3));
        const Code code(lengths);
        std::vector<int> all;
        while (all.size() < literals + distances) {
            const int value = symbol(code);
            if (value < 16) {
                all.push_back(value);
                continue;
            }
            need(value != 16 || !all.empty(), "repeat of nothing");
            const int repeated = value == 16 ? all.back() : 0;
            const unsigned count = value == 16   ? 3 + bits(2)
                                   : value == 17 ? 3 + bits(3)
                                                 : 11 + bits(7);
            all.insert(all.end(), count, repeated);
        }
        need(all.size() == literals + distances, "too many code lengths");
        const auto middle = all.begin() + static_cast<std::ptrdiff_t>(literals);
        const Code literal_code(std::vector<int>(all.begin(), middle));
        const Code distance_code(std::vector<int>(middle, all.end()));
        for (;;) {
            const int value = symbol(literal_code);
            if (value == 256) return;
            if (value < 256) {
                out_.push_back(static_cast<std::uint8_t>(value));
                continue;
            }
            const std::size_t index = static_cast<std::size_t>(value - 257);
            const unsigned length = length_table.base[index] + bits(length_table.extra[index]);
            const int far = symbol(distance_code);
            const std::size_t distance = distance_base(far) + bits(distance_extra(far));
            need(distance <= out_.size(), "distance before the start");
            for (unsigned i = 0; i < length; ++i) out_.push_back(out_[out_.size() - distance]);
        }
    }
    const Bytes& in_;
    Bytes out_;
    std::size_t at_ = 0;
    int bit_ = 0;
};

std::uint32_t big_endian(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
           static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

// CRC-32 by its definition, a bit at a time.
std::uint32_t plain_crc(const std::uint8_t* data, std::size_t count) {
    std::uint32_t crc = 0xFFFFFFFFu;
    for (std::size_t i = 0; i < count; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

std::uint32_t plain_adler(const std::uint8_t* data, std::size_t count) {
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    for (std::size_t i = 0; i < count; ++i) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

// Samples of a PNG file as PNG's bytes; throws where anything is not as the format has it.
Bytes decode(const Bytes& file, std::size_t height, std::size_t width, std::size_t pixel_bytes) {
    need(file.size() > 8 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0, "signature");
    Bytes stream;
    bool ended = false;
    for (std::size_t at = 8; at < file.size();) {
        need(!ended && at + 12 <= file.size(), "chunk");
        const std::size_t size = big_endian(&file[at]);
        need(at + 12 + size <= file.size(), "chunk size");
        need(plain_crc(&file[at + 4], size + 4) == big_endian(&file[at + 8 + size]), "chunk CRC");
        const std::string kind(file.begin() + static_cast<std::ptrdiff_t>(at + 4),
                               file.begin() + static_cast<std::ptrdiff_t>(at + 8));
        if (kind == "IHDR")
            need(big_endian(&file[at + 8]) == width && big_endian(&file[at + 12]) == height,
                 "IHDR");
        if (kind == "IDAT")
            stream.insert(stream.end(), file.begin() + static_cast<std::ptrdiff_t>(at + 8),
                          file.begin() + static_cast<std::ptrdiff_t>(at + 8 + size));
        ended = kind == "IEND";
        at += 12 + size;
    }
    need(ended, "IEND");
    need(stream.size() > 6 && (stream[0] * 256 + stream[1]) % 31 == 0 && stream[0] == 0x78, "zlib");
    const Bytes body(stream.begin() + 2, stream.end() - 4);
    Inflater inflater(body);
    const Bytes raw = inflater.run();
    need(inflater.used() == body.size() || inflater.used() + 1 == body.size(), "bytes left over");
    need(plain_adler(raw.data(), raw.size()) == big_endian(&stream[stream.size() - 4]), "Adler-32");
    const std::size_t row_bytes = width * pixel_bytes;
    need(raw.size() == height * (1 + row_bytes), "size of pixels");
    Bytes plain(height * row_bytes);
    png_unfilter(raw.data(), static_cast<std::ptrdiff_t>(height),
                 static_cast<std::ptrdiff_t>(row_bytes), static_cast<int>(pixel_bytes),
                 plain.data());
    return plain;
}

Bytes bytes_of(const PngFile& file) {
    Bytes bytes(file.size());
    file.copy_to(bytes.data());
    return bytes;
}

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
