// float to IEEE binary16 by integer arithmetic, rounding to nearest even: the same bytes on
// every processor, with or without conversion instructions.
#pragma once

#include <cstdint>
#include <cstring>

namespace nssbg {

inline std::uint16_t half_bits_from_float(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    std::uint32_t result;
    if (magnitude > 0x7F800000u) {
        result = 0x7E00u;  // not a number
    } else if (magnitude >= 0x477FF000u) {
        result = 0x7C00u;  // rounds to 65536 or more: infinity
    } else if (magnitude < 0x38800000u) {
        // Subnormal: adding 0.5 aligns the mantissa so that the addition itself rounds.
        float aligned;
        std::memcpy(&aligned, &magnitude, sizeof(aligned));
        aligned += 0.5f;
        std::memcpy(&result, &aligned, sizeof(result));
        result -= 0x3F000000u;
    } else {
        const std::uint32_t odd = (magnitude >> 13) & 1u;
        result = (magnitude - 0x38000000u + 0x0FFFu + odd) >> 13;
    }
    return static_cast<std::uint16_t>(result | sign);
}

}  // namespace nssbg
