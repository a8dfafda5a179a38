// Fuzzes the turning of pictures: each orientation followed by its inverse gives the picture back.
#include "nssbg/orient.hpp"

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
void run(fuzz::Input& in) {
    const auto channels = in.one_of<std::ptrdiff_t>({3, 4, 1, 3, 4, 1, 2, 5});
    const auto source =
        fuzz::made_image<T>(in, in.between(1, 90), in.between(1, 90), channels,
                            in.rarely(8) ? fuzz::Layout::any : fuzz::Layout::padded_rows);
    const auto view = source.constant();
    const int orientation = static_cast<int>(in.between(0, 9));
    std::vector<T> turned;
    const bool made = fuzz::same_for_threads_and_levels(in, [&](int threads) {
        turned.assign(static_cast<std::size_t>(view.height * view.width * channels), 77);
        orient(view, orientation, threads, turned.data());
        return turned;
    });
    if (!made) return;
    const bool swapped = orientation >= 5;
    const std::ptrdiff_t height = swapped ? view.width : view.height;
    const std::ptrdiff_t width = swapped ? view.height : view.width;
    const int inverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
    std::vector<T> back(turned.size());
    orient(packed_view<const T>(turned.data(), height, width, channels), inverse, 1, back.data());
    std::size_t i = 0;
    for (std::ptrdiff_t y = 0; y < view.height; ++y)
        for (std::ptrdiff_t x = 0; x < view.width; ++x)
            for (std::ptrdiff_t c = 0; c < channels; ++c)
                fuzz::check(back[i++] == view.at(y, x, c), "a turn and its inverse change nothing");
}

}  // namespace

FUZZ_TARGET(orient) { in.flag() ? run<std::uint16_t>(in) : run<std::uint8_t>(in); }
