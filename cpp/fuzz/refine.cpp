// Fuzzes the refinement of a whole picture at every level, with and without a trimap.
#include "nssbg/refine.hpp"

#include "harness.hpp"
#include "refine_inputs.hpp"

using namespace nssbg;

namespace {

template <class Pixel, class T>
void run(fuzz::Input& in) {
    fuzz::RefineInputs<Pixel, T> given(in);
    const std::ptrdiff_t height = given.image.view.height, width = given.image.view.width;
    fuzz::Image<std::uint8_t> trimap;
    if (in.flag()) {
        trimap = fuzz::made_image<std::uint8_t>(in, height, width, 1, fuzz::Layout::any);
        for (auto& value : trimap.memory) value = value < 80 ? 0 : value > 160 ? 255 : value;
    }
    std::vector<T> alpha;
    const std::ptrdiff_t other_tile = given.options.tile;
    if (fuzz::same_for_threads_and_levels(in, [&](int threads) {
            RefineOptions options = given.options;
            options.threads = threads;
            options.tile = threads == 1 ? 512 : other_tile;
            auto out = fuzz::target<T>(height, width, 1);
            refine<Pixel, T>(given.image.constant(), given.coarse.constant(), trimap.constant(),
                             out.view, options, nullptr);
            return alpha = out.memory;
        }))
        fuzz::check(fuzz::in_range(alpha), "a refined alpha lies in its range");
}

}  // namespace

FUZZ_TARGET(refine) {
    switch (in.byte() % 4) {
        case 0: run<std::uint8_t, std::uint8_t>(in); break;
        case 1: run<std::uint8_t, float>(in); break;
        case 2: run<std::uint16_t, std::uint8_t>(in); break;
        default: run<std::uint16_t, float>(in); break;
    }
}
