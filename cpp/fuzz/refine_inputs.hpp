// A picture with its coarse map, as the targets of the refinement share it.
#pragma once

#include "harness.hpp"
#include "nssbg/refine.hpp"

namespace fuzz {

template <class Pixel, class T>
struct RefineInputs {
    Image<Pixel> image;
    Image<T> coarse;
    nssbg::RefineOptions options;

    explicit RefineInputs(Input& in) {
        options.level = static_cast<nssbg::RefineLevel>(in.byte() % 4);
        // The matting tier solves blocks of 256 pixels: only now and then more than one.
        const bool solves = options.level >= nssbg::RefineLevel::matting;
        const ptrdiff_t most = in.rarely(32) ? 300 : solves ? 60 : 120;
        image = made_image<Pixel>(in, in.between(1, most), in.between(1, most), 3, Layout::any);
        coarse = made_image<T>(in, in.between(1, 40), in.between(1, 40), 1, Layout::any);
        if constexpr (std::is_same_v<T, float>)  // what callers may hand in: -0.01..1.01
            coarse.memory[0] = std::clamp(in.real(-0.01f, 1.01f), -0.01f, 1.01f);
        options.tile = in.between(1, 300);
        if (options.tile < 16 && image.view.height * image.view.width > 4000) options.tile = 16;
    }
};

template <class T>
bool in_range(const std::vector<T>& alpha) {
    return std::all_of(alpha.begin(), alpha.end(),
                       [](T value) { return value >= T{0} && (sizeof(T) == 1 || value <= T{1}); });
}

}  // namespace fuzz
