// Fuzzes the prepare stage: sizes, strides, filter, crop and threads all come from the input.
// With clang's libFuzzer it is guided; elsewhere a main of its own feeds it seeded random bytes
// (nssbg_fuzz_prepare RUNS SEED), which `make sanitize` runs under each sanitizer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "nssbg/cpu.hpp"
#include "nssbg/prepare.hpp"

namespace {

constexpr int header_bytes = 16;
constexpr std::ptrdiff_t longest_side = 200;

template <class In, class Out>
void run(const std::uint8_t* header, const std::uint8_t* body, std::size_t body_size) {
    using namespace nssbg;
    const std::ptrdiff_t height = 1 + (header[0] | (header[1] & 1) << 8) % longest_side;
    const std::ptrdiff_t width = 1 + (header[2] | (header[3] & 1) << 8) % longest_side;
    constexpr std::ptrdiff_t channel_counts[] = {1, 3, 4, 2};
    const std::ptrdiff_t channels = channel_counts[header[4] & 3];
    // The picture lies in memory of exactly its size, so that a byte read past it is seen.
    const std::ptrdiff_t pixel = channels + ((header[4] >> 2) & 1);
    std::vector<In> samples(height * width * pixel);
    for (std::size_t i = 0; i < samples.size() && body_size > 0; ++i)
        samples[i] = static_cast<In>(body[i % body_size] * 257u);
    ImageView<const In> source{samples.data(), height, width, channels, width * pixel, pixel, 1};
    if (header[5] & 1) {  // upside down
        source.data += (height - 1) * source.stride_y;
        source.stride_y = -source.stride_y;
    }
    if (header[5] & 2) {  // right to left
        source.data += (width - 1) * source.stride_x;
        source.stride_x = -source.stride_x;
    }
    if (header[5] & 4) {  // blue first
        source.data += (std::min<std::ptrdiff_t>(channels, 3) - 1) * source.stride_c;
        source.stride_c = -source.stride_c;
        source.channels = std::min<std::ptrdiff_t>(channels, 3);
    }
    if (header[5] & 8) {  // turned
        std::swap(source.height, source.width);
        std::swap(source.stride_y, source.stride_x);
    }
    const std::ptrdiff_t out_height = 1 + header[6] % longest_side;
    const std::ptrdiff_t out_width = 1 + header[7] % longest_side;
    std::vector<Out> target(3 * out_height * out_width);
    PrepareOptions options;
    options.filter = static_cast<Filter>(header[8] % 5);
    options.content = {header[9] % 8, header[10] % 8, out_width - header[11] % 8,
                       out_height - header[12] % 8};
    options.std = {header[13] / 64.0, 1.0, 0.25};
    options.threads = header[14] % 4;
    const auto levels = available_isa_levels();
    set_isa(isa_name(levels[header[15] % levels.size()]));
    try {
        prepare<In, Out>(
            source, {target.data(), out_height, out_width, 3, out_width, 1, out_height * out_width},
            options);
    } catch (const std::invalid_argument&) {
        // Refused, as some inputs must be.
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < header_bytes) return 0;
    const std::uint8_t* body = data + header_bytes;
    const std::size_t body_size = size - header_bytes;
    switch ((data[4] >> 3) % 4) {
        case 0: run<std::uint8_t, float>(data, body, body_size); break;
        case 1: run<std::uint8_t, nssbg::Half>(data, body, body_size); break;
        case 2: run<std::uint8_t, std::uint8_t>(data, body, body_size); break;
        default: run<std::uint16_t, float>(data, body, body_size); break;
    }
    return 0;
}

#ifndef NSSBG_LIBFUZZER
int main(int argc, char** argv) {
    const long runs = argc > 1 ? std::atol(argv[1]) : 1000;
    const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1;
    std::mt19937 generator(seed);
    std::vector<std::uint8_t> input;
    for (long i = 0; i < runs; ++i) {
        input.resize(header_bytes + generator() % 300);
        for (auto& byte : input) byte = static_cast<std::uint8_t>(generator() >> 24);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("prepare: %ld random inputs, seed %u\n", runs, seed);
    return 0;
}
#endif
