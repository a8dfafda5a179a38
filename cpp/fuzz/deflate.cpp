// Fuzzes the Huffman codes: from any counts come complete prefix codes within their limits, and a
// header that says the same.
#include "harness.hpp"
#include "png/deflate_codes.hpp"

using namespace nssbg;

namespace {

// Sum of 2^-length in units of 2^-15, and how many symbols there are.
struct Kraft {
    std::uint32_t sum = 0;
    int symbols = 0;
    Kraft(const std::uint8_t* lengths, int count, int limit) {
        for (int i = 0; i < count; ++i) {
            fuzz::check(lengths[i] <= limit, "code lengths stay within their limit");
            if (lengths[i] == 0) continue;
            sum += 1u << (15 - lengths[i]);
            ++symbols;
        }
    }
    bool complete() const { return sum == 1u << 15 || symbols <= 1; }
};

}  // namespace

FUZZ_TARGET(deflate) {
    SymbolCounts counts;
    const int most = static_cast<int>(in.between(0, 30));  // bits of a count
    const auto count = [&]() -> std::uint32_t {
        if (in.flag()) return 0;
        return static_cast<std::uint32_t>(in.between(0, 65535)) >> (16 - std::min(most, 16))
                                                                       << std::max(0, most - 16);
    };
    for (auto& value : counts.literals) value = count();
    for (auto& value : counts.distances) value = count();
    const BlockCodes codes = codes_from_counts(counts);
    for (int i = 0; i < literal_symbols; ++i)
        fuzz::check(counts.literals[i] == 0 || codes.literal_lengths[i] > 0,
                    "every symbol that occurs has a code");
    for (int i = 0; i < distance_symbols; ++i)
        fuzz::check(counts.distances[i] == 0 || codes.distance_lengths[i] > 0,
                    "every distance that occurs has a code");
    fuzz::check(codes.literal_lengths[256] > 0, "a block has an end symbol");
    fuzz::check(Kraft(codes.literal_lengths, literal_symbols, literal_code_limit).complete(),
                "the literals' code is complete");
    fuzz::check(Kraft(codes.distance_lengths, distance_symbols, distance_code_limit).complete(),
                "the distances' code is complete");
    std::vector<std::uint8_t> header(400 + 8);
    BitWriter writer(header.data());
    write_dynamic_header(writer, codes, in.flag());
    writer.align();
    fuzz::check(writer.position() - header.data() <= 400, "a block's header fits 400 bytes");
}
