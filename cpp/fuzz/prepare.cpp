// Fuzzes the prepare stage: sizes, strides, filter, box and normalisation come from the input.
#include "nssbg/prepare.hpp"

#include <cmath>

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class In, class Out>
void run(fuzz::Input& in) {
    const auto channels = in.one_of<std::ptrdiff_t>({1, 3, 4, 2});
    const auto source = fuzz::made_image<In>(in, in.between(1, 200), in.between(1, 200), channels,
                                             fuzz::Layout::any);
    auto view = source.constant();
    if (in.flag()) {  // turned
        std::swap(view.height, view.width);
        std::swap(view.stride_y, view.stride_x);
    }
    const std::ptrdiff_t height = in.between(1, 200), width = in.between(1, 200);
    PrepareOptions options;
    options.filter = static_cast<Filter>(in.byte() % 5);
    options.content = {in.between(0, 7), in.between(0, 7), height - in.between(0, 7),
                       width - in.between(0, 7)};
    for (int c = 0; c < 3; ++c) {
        options.fill[c] = in.byte();
        options.mean[c] = static_cast<double>(in.real(-1, 2));
        options.std[c] = static_cast<double>(in.real(-0.1f, 2));
    }
    fuzz::same_for_threads_and_levels(in, [&](int threads) {
        options.threads = threads;
        std::vector<Out> target(static_cast<std::size_t>(3 * height * width));
        prepare<In, Out>(view, {target.data(), height, width, 3, width, 1, height * width},
                         options);
        return target;
    });
}

}  // namespace

FUZZ_TARGET(prepare) {
    switch (in.byte() % 6) {
        case 0: run<std::uint8_t, float>(in); break;
        case 1: run<std::uint8_t, Half>(in); break;
        case 2: run<std::uint8_t, std::uint8_t>(in); break;
        case 3: run<std::uint16_t, Half>(in); break;
        case 4: run<std::uint16_t, std::uint8_t>(in); break;
        default: run<std::uint16_t, float>(in); break;
    }
}
