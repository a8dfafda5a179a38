// Fuzzes tiles: any origins over any picture against its reflection, and tiles put back anywhere.
#include "nssbg/tiles.hpp"

#include <cmath>
#include <limits>

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
void cut(fuzz::Input& in) {
    const auto image =
        fuzz::made_image<T>(in, in.between(1, 40), in.between(1, 50), 3, fuzz::Layout::any);
    const std::ptrdiff_t count = in.between(0, 3), channels = in.between(2, 5);
    const std::ptrdiff_t height = in.between(1, 30), width = in.between(1, 40);
    std::vector<std::int64_t> origins(static_cast<std::size_t>(2 * count));
    for (auto& origin : origins)
        origin =
            in.rarely(30) ? std::numeric_limits<std::int64_t>::max() : in.between(0, 300) - 150;
    const float scale[3] = {in.real(0, 1), in.real(0, 1), in.real(0, 1)};
    const float shift[3] = {in.real(-1, 1), in.real(-1, 1), in.real(-1, 1)};
    std::vector<float> memory(static_cast<std::size_t>(count * channels * height * width), 7.0f);
    const TilePlanes planes{memory.data(), count, channels, height, width};
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            cut_tiles<T>(image.constant(), {origins.data(), count}, scale, shift, planes, threads);
            return memory;
        }))
        return;
    const auto seen = [](std::int64_t at, std::ptrdiff_t size) {
        while (size > 1 && (at < 0 || at >= size)) at = at < 0 ? -at : 2 * (size - 1) - at;
        return static_cast<std::ptrdiff_t>(size > 1 ? at : 0);
    };
    for (std::ptrdiff_t n = 0; n < count; ++n)
        for (std::ptrdiff_t c = 0; c < channels; ++c)
            for (std::ptrdiff_t y = 0; y < height; ++y)
                for (std::ptrdiff_t x = 0; x < width; ++x) {
                    const float got = memory[static_cast<std::size_t>(
                        ((n * channels + c) * height + y) * width + x)];
                    if (c > 2) {
                        fuzz::check(got == 7.0f, "further channels stay as they are");
                        continue;
                    }
                    const float expected =
                        static_cast<float>(image.view.at(
                            seen(origins[static_cast<std::size_t>(2 * n)] + y, image.view.height),
                            seen(origins[static_cast<std::size_t>(2 * n + 1)] + x,
                                 image.view.width),
                            c)) *
                            scale[c] +
                        shift[c];
                    fuzz::check(got == expected || (std::isnan(got) && std::isnan(expected)),
                                "a tile is the reflected picture, scaled");
                }
}

template <class T>
void put(fuzz::Input& in) {
    const std::ptrdiff_t height = in.between(1, 40), width = in.between(1, 50);
    std::vector<float> tile(static_cast<std::size_t>(3 * height * width));
    bool finite = true;
    for (auto& value : tile) {
        value = in.real(-0.1f, 1.1f);
        finite = finite && std::isfinite(value);
    }
    const ImageView<const float> view{tile.data(), height, width, 3, width, 1, height * width};
    const TileFade fade{in.between(0, 20), in.between(0, 20), in.between(0, 20)};
    auto out = fuzz::target<T>(height, width, 3);
    const auto before = out.memory;
    bool good = false;
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            out.memory = before;
            good = put_tile<T>(view, out.view, fade, threads);
            return out.memory;
        }))
        return;
    fuzz::check(good == finite, "what is not finite is told");
    const double full = std::numeric_limits<T>::max();
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x)
            for (std::ptrdiff_t c = 0; c < 3; ++c) {
                const float value = view.at(y, x, c);
                const double exact =
                    value > 0 ? std::min<double>(value, 1.0) * full : 0.0;  // no number: 0
                const double got = out.view.at(y, x, c), there = 77;
                fuzz::check(
                    got >= std::min(exact, there) - 0.51 && got <= std::max(exact, there) + 0.51,
                    "a faded pixel lies between what was there and the tile");
                if (y >= fade.top && x >= fade.left)
                    fuzz::check(std::fabs(got - exact) <= 0.51,
                                "outside the fades the tile itself is there, rounded");
            }
}

}  // namespace

FUZZ_TARGET(tiles) {
    const bool deep = in.flag();
    if (in.flag())
        deep ? cut<std::uint16_t>(in) : cut<std::uint8_t>(in);
    else
        deep ? put<std::uint16_t>(in) : put<std::uint8_t>(in);
}
