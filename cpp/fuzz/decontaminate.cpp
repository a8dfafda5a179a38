// Fuzzes colour decontamination by every method, for all pairs of picture and alpha types.
#include "nssbg/decontaminate.hpp"

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T, class A>
void run(fuzz::Input& in) {
    const std::ptrdiff_t most = in.rarely(8) ? 200 : 60;
    const std::ptrdiff_t height = in.between(1, most), width = in.between(1, most);
    const auto layout = in.rarely(8) ? fuzz::Layout::any : fuzz::Layout::padded_rows;
    const auto image = fuzz::made_image<T>(in, height, width, 3, layout);
    auto alpha = fuzz::made_image<A>(in, height, width, 1, layout);
    if constexpr (std::is_same_v<A, float>)
        for (int i = 0; i < 3; ++i)
            alpha.memory[static_cast<std::size_t>(in.between(0, 65535)) % alpha.memory.size()] =
                in.real(0, 1);
    DecontaminateOptions options;
    options.method = in.one_of({ForegroundMethod::multilevel, ForegroundMethod::blur_fusion,
                                ForegroundMethod::multilevel, ForegroundMethod::off});
    options.strength = in.flag() ? 1.0f : in.real(-0.1f, 1.1f);
    options.extend = in.flag();
    if (in.rarely(4)) {
        options.gradient_weight = in.real(0, 1000);
        options.regularization = in.real(1e-6f, 1000);
    }
    const bool with_background = in.flag();
    std::vector<T> rgba;
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            options.threads = threads;
            auto out = fuzz::target<T>(height, width, 4);
            auto back = fuzz::target<T>(height, width, 3);
            decontaminate<T, A>(image.constant(), alpha.constant(), out.view,
                                with_background ? back.view : ImageView<T>{}, options);
            rgba = out.memory;
            out.memory.insert(out.memory.end(), back.memory.begin(), back.memory.end());
            return out.memory;
        }))
        return;
    constexpr auto opaque = std::numeric_limits<T>::max();
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const T* pixel = rgba.data() + 4 * (y * width + x);
            const A given = alpha.view.at(y, x);
            if constexpr (std::is_same_v<T, A>)
                fuzz::check(pixel[3] == given, "alpha is unchanged");
            else if (given == A{0})
                fuzz::check(pixel[3] == 0, "no alpha stays none");
            if (pixel[3] == opaque)
                for (std::ptrdiff_t c = 0; c < 3; ++c)
                    fuzz::check(pixel[c] == image.view.at(y, x, c),
                                "opaque pixels keep their colour");
            if (pixel[3] == 0 && !options.extend)
                fuzz::check(pixel[0] == 0 && pixel[1] == 0 && pixel[2] == 0,
                            "where nothing is seen there are zeros");
        }
}

}  // namespace

FUZZ_TARGET(decontaminate) {
    switch (in.byte() % 6) {
        case 0: run<std::uint8_t, std::uint8_t>(in); break;
        case 1: run<std::uint8_t, std::uint16_t>(in); break;
        case 2: run<std::uint8_t, float>(in); break;
        case 3: run<std::uint16_t, std::uint8_t>(in); break;
        case 4: run<std::uint16_t, std::uint16_t>(in); break;
        default: run<std::uint16_t, float>(in); break;
    }
}
