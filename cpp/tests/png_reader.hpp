// A small PNG decoder that shares nothing with the encoder, for tests and fuzz targets: chunks,
// checksums, inflate (RFC 1951), filters. Throws where anything is not as the format has it.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "nssbg/png.hpp"
#include "png/deflate_codes.hpp"

namespace png_reader {

using Bytes = std::vector<std::uint8_t>;

inline void need(bool condition, const char* what) {
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
            const unsigned length =
                nssbg::length_table.base[index] + bits(nssbg::length_table.extra[index]);
            const int far = symbol(distance_code);
            const std::size_t distance =
                nssbg::distance_base(far) + bits(nssbg::distance_extra(far));
            need(distance <= out_.size(), "distance before the start");
            for (unsigned i = 0; i < length; ++i) out_.push_back(out_[out_.size() - distance]);
        }
    }
    const Bytes& in_;
    Bytes out_;
    std::size_t at_ = 0;
    int bit_ = 0;
};

inline std::uint32_t big_endian(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
           static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

// CRC-32 by its definition, a bit at a time.
inline std::uint32_t plain_crc(const std::uint8_t* data, std::size_t count) {
    std::uint32_t crc = 0xFFFFFFFFu;
    for (std::size_t i = 0; i < count; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

inline std::uint32_t plain_adler(const std::uint8_t* data, std::size_t count) {
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    for (std::size_t i = 0; i < count; ++i) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

// Samples of a PNG file as PNG's bytes; throws where anything is not as the format has it.
inline Bytes decode(const Bytes& file, std::size_t height, std::size_t width,
                    std::size_t pixel_bytes) {
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
    nssbg::png_unfilter(raw.data(), static_cast<std::ptrdiff_t>(height),
                        static_cast<std::ptrdiff_t>(row_bytes), static_cast<int>(pixel_bytes),
                        plain.data());
    return plain;
}

inline Bytes bytes_of(const nssbg::PngFile& file) {
    Bytes bytes(file.size());
    file.copy_to(bytes.data());
    return bytes;
}

}  // namespace png_reader
