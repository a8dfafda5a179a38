// Fuzzes the checksums against their definitions, cut anywhere.
#include "png/checksums.hpp"

#include "harness.hpp"
#include "png/kernels_filter.hpp"
#include "png_reader.hpp"

using namespace nssbg;

FUZZ_TARGET(checksums) {
    const std::ptrdiff_t count = in.between(0, 9000);
    std::vector<std::uint8_t> data(static_cast<std::size_t>(count));
    if (count > 0) in.fill(data.data(), data.size(), 64);
    const std::size_t cut = count == 0 ? 0 : static_cast<std::size_t>(in.between(0, count));
    const std::size_t rest = data.size() - cut;
    // The second half on its own, so that a byte read past its end is seen.
    const std::vector<std::uint8_t> tail(data.begin() + static_cast<std::ptrdiff_t>(cut),
                                         data.end());
    const std::uint32_t crc = crc32(crc32(0, data.data(), cut), tail.data(), rest);
    fuzz::check(crc == png_reader::plain_crc(data.data(), data.size()), "CRC-32 by definition");

    const auto adler = [](const std::uint8_t* at, std::size_t size) {
        std::uint32_t low = 1, high = 0;
        active_png_filter_kernels().adler(at, static_cast<std::ptrdiff_t>(size), &low, &high);
        return high << 16 | low;
    };
    const std::uint32_t whole = png_reader::plain_adler(data.data(), data.size());
    fuzz::check(adler(data.data(), data.size()) == whole, "Adler-32 by definition");
    fuzz::check(adler32_combine(adler(data.data(), cut), adler(tail.data(), rest), rest) == whole,
                "Adler-32 of two parts");
    const std::vector<std::uint8_t> zeros(static_cast<std::size_t>(in.between(0, 3000)));
    std::uint32_t high = whole >> 16;
    adler32_skip_zeros(whole & 0xFFFF, &high, zeros.size());
    data.insert(data.end(), zeros.begin(), zeros.end());
    fuzz::check(
        (high << 16 | (whole & 0xFFFF)) == png_reader::plain_adler(data.data(), data.size()),
        "Adler-32 over zeros");
}
