// CRC-32 and Adler-32 as PNG and zlib use them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nssbg {

// CRC-32 (ISO 3309) of data, carried on from the value for what came before (0 at first).
std::uint32_t crc32(std::uint32_t before, const std::uint8_t* data, std::size_t count);

// Adler-32 of two runs of bytes, one after the other, from that of each.
std::uint32_t adler32_combine(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);

// Adler-32's sums after `zeros` bytes of zero.
void adler32_skip_zeros(std::uint32_t low, std::uint32_t* high, std::uint64_t zeros);

}  // namespace nssbg
