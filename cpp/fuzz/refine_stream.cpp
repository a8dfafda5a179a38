// Fuzzes the refinement of rows as they come: whatever the pieces, the result is that of the
// whole picture, though neither the map nor any rows outlive their call.
#include <memory>

#include "harness.hpp"
#include "nssbg/refine.hpp"
#include "refine_inputs.hpp"

using namespace nssbg;

namespace {

template <class T>
ImageView<const T> packed_like(const std::vector<T>& memory, const ImageView<T>& like) {
    return packed_view<const T>(memory.data(), like.height, like.width, like.channels);
}

template <class T>
std::vector<T> packed(const ImageView<T>& view, std::ptrdiff_t y0, std::ptrdiff_t y1) {
    std::vector<T> samples;
    for (std::ptrdiff_t y = y0; y < y1; ++y)
        for (std::ptrdiff_t x = 0; x < view.width; ++x)
            for (std::ptrdiff_t c = 0; c < view.channels; ++c) samples.push_back(view.at(y, x, c));
    return samples;
}

template <class Pixel, class T>
void run(fuzz::Input& in) {
    fuzz::RefineInputs<Pixel, T> given(in);
    const auto image = given.image.view;
    auto whole = fuzz::target<T>(image.height, image.width, 1);
    refine<Pixel, T>(given.image.constant(), given.coarse.constant(), {}, whole.view, given.options,
                     nullptr);
    RefineOptions options = given.options;
    options.threads = in.flag() ? 3 : 1;
    auto map =
        std::make_unique<std::vector<T>>(packed(given.coarse.view, 0, given.coarse.view.height));
    RefineStream<Pixel, T> stream(image.height, image.width, packed_like(*map, given.coarse.view),
                                  options);
    map.reset();
    std::vector<T> alpha;
    for (std::ptrdiff_t y = 0; y < image.height;) {
        const std::ptrdiff_t rows =
            std::min<std::ptrdiff_t>(image.height - y, in.byte() % 64 + (in.rarely(4) ? 0 : 1));
        // An empty push is allowed, a stream of nothing else would never end.
        const std::ptrdiff_t count = rows == 0 && in.byte() == 0 ? 1 : rows;
        {
            const std::vector<Pixel> piece = packed(image, y, y + count);
            stream.push(packed_view<const Pixel>(piece.data(), count, image.width, 3));
        }
        y += count;
        std::vector<T> part(static_cast<std::size_t>(stream.ready() * image.width));
        stream.take(packed_view(part.data(), stream.ready(), image.width, 1));
        alpha.insert(alpha.end(), part.begin(), part.end());
    }
    fuzz::check(fuzz::same_bytes(alpha, whole.memory), "rows as they come give the whole's result");
    bool refused = false;
    try {
        const std::vector<Pixel> more(static_cast<std::size_t>(3 * image.width));
        stream.push(packed_view<const Pixel>(more.data(), 1, image.width, 3));
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    fuzz::check(refused, "a row too many is refused");
}

}  // namespace

FUZZ_TARGET(refine_stream) {
    switch (in.byte() % 4) {
        case 0: run<std::uint8_t, std::uint8_t>(in); break;
        case 1: run<std::uint8_t, float>(in); break;
        case 2: run<std::uint16_t, std::uint8_t>(in); break;
        default: run<std::uint16_t, float>(in); break;
    }
}
