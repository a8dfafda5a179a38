// CRC-32 eight bytes at a time ("slicing by 8", Kounavis and Berry, 2005).
#include "checksums.hpp"

namespace nssbg {
namespace {

constexpr std::uint32_t adler_modulus = 65521;

struct CrcTables {
    std::uint32_t at[8][256];
    CrcTables() {
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
            at[0][i] = value;
        }
        for (int k = 1; k < 8; ++k)
            for (int i = 0; i < 256; ++i)
                at[k][i] = (at[k - 1][i] >> 8) ^ at[0][at[k - 1][i] & 255];
    }
};

}  // namespace

std::uint32_t crc32(std::uint32_t before, const std::uint8_t* data, std::size_t count) {
    static const CrcTables tables;
    const auto& t = tables.at;
    std::uint32_t crc = ~before;
    for (; count >= 8; count -= 8, data += 8) {
        const std::uint32_t low =
            crc ^
            (static_cast<std::uint32_t>(data[0]) | static_cast<std::uint32_t>(data[1]) << 8 |
             static_cast<std::uint32_t>(data[2]) << 16 | static_cast<std::uint32_t>(data[3]) << 24);
        crc = t[7][low & 255] ^ t[6][(low >> 8) & 255] ^ t[5][(low >> 16) & 255] ^ t[4][low >> 24] ^
              t[3][data[4]] ^ t[2][data[5]] ^ t[1][data[6]] ^ t[0][data[7]];
    }
    for (; count > 0; --count, ++data) crc = (crc >> 8) ^ t[0][(crc ^ *data) & 255];
    return ~crc;
}

std::uint32_t adler32_combine(std::uint32_t first, std::uint32_t second,
                              std::uint64_t second_size) {
    const std::uint64_t size = second_size % adler_modulus;
    const std::uint64_t low = first & 0xFFFF;
    // The second run's sums began at 1, where the first's end is what they should have begun at.
    const std::uint64_t joined = (low + (second & 0xFFFF) + adler_modulus - 1) % adler_modulus;
    const std::uint64_t high =
        ((first >> 16) + (second >> 16) + size * (low + adler_modulus - 1)) % adler_modulus;
    return static_cast<std::uint32_t>(high << 16 | joined);
}

void adler32_skip_zeros(std::uint32_t low, std::uint32_t* high, std::uint64_t zeros) {
    *high = static_cast<std::uint32_t>((*high + zeros % adler_modulus * low) % adler_modulus);
}

}  // namespace nssbg
