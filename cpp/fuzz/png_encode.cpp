// Fuzzes the PNG encoder: pictures of any layout at every compression are read back bit for bit
// by a decoder that shares nothing with it.
#include "harness.hpp"
#include "png_reader.hpp"

using namespace nssbg;

namespace {

template <class T>
void run(fuzz::Input& in) {
    const auto channels = in.one_of<std::ptrdiff_t>({4, 3, 1, 4, 3, 1, 2, 5});
    // Now and then large enough for several strips.
    const std::ptrdiff_t most = in.rarely(16) ? 400 : 60;
    const auto pixels = fuzz::made_image<T>(in, in.between(1, most), in.between(1, most), channels,
                                            fuzz::Layout::any);
    const auto view = pixels.constant();
    PngOptions options;
    options.compression = static_cast<PngCompression>(in.byte() % 3);
    if (most > 60 && options.compression == PngCompression::best)
        options.compression = PngCompression::standard;
    std::vector<std::uint8_t> file;
    const bool made = fuzz::same_for_threads_and_levels(in, [&](int threads) {
        options.threads = threads;
        return file = png_reader::bytes_of(png_encode(view, options));
    });
    fuzz::check(made == (channels == 1 || channels == 3 || channels == 4),
                "png_encode takes 1, 3 and 4 channels and no others");
    if (!made) return;
    std::vector<std::uint8_t> expected;
    for (std::ptrdiff_t y = 0; y < view.height; ++y)
        for (std::ptrdiff_t x = 0; x < view.width; ++x)
            for (std::ptrdiff_t c = 0; c < channels; ++c) {
                const T value = view.at(y, x, c);
                if (sizeof(T) == 2) expected.push_back(static_cast<std::uint8_t>(value >> 8));
                expected.push_back(static_cast<std::uint8_t>(value & 255));
            }
    try {
        fuzz::check(png_reader::decode(file, static_cast<std::size_t>(view.height),
                                       static_cast<std::size_t>(view.width),
                                       static_cast<std::size_t>(channels) * sizeof(T)) == expected,
                    "a PNG file holds the pixels that were encoded");
    } catch (const std::runtime_error& error) {
        fuzz::check(false, error.what());
    }
}

}  // namespace

FUZZ_TARGET(png_encode) { in.flag() ? run<std::uint16_t>(in) : run<std::uint8_t>(in); }
