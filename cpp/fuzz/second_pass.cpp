// Fuzzes the second pass: any maps for any parts, and it ends, within the picture and within 0..1.
#include "nssbg/second_pass.hpp"

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
fuzz::Image<T> map(fuzz::Input& in) {
    return fuzz::made_image<T>(in, in.between(1, 40), in.between(1, 40), 1, fuzz::Layout::any);
}

}  // namespace

FUZZ_TARGET(second_pass) {
    const std::ptrdiff_t height = in.between(1, 900), width = in.between(1, 900);
    SecondPassOptions options;
    options.effort = in.flag() ? Effort::best : Effort::balanced;
    options.input_pixels = in.rarely(4) ? in.between(0, 5000) : most_input_pixels;
    if (in.flag()) options.weights.single = {in.real(-4, 4), in.real(-4, 4), 0.1, -0.2};
    const auto first = map<float>(in);
    SecondPass pass(first.constant(), height, width, options);
    int runs = 1;
    while (const auto part = pass.next(!in.rarely(16))) {
        fuzz::check(part->top >= 0 && part->left >= 0 && part->top < part->bottom &&
                        part->left < part->right && part->bottom <= height && part->right <= width,
                    "parts lie in the picture");
        if (in.flag())
            pass.answer(map<float>(in).constant());
        else
            pass.answer(map<std::uint8_t>(in).constant());
        runs += 1;
        fuzz::check(runs <= 1 + most_runs_at_best, "it ends");
    }
    const SecondPassReport report = pass.report();
    fuzz::check(report.runs == runs, "every run is counted");
    fuzz::check(report.changed >= 0 && report.changed <= 1 && report.gain >= 1,
                "what it brought is within range");
    const auto made = pass.map();
    for (std::ptrdiff_t y = 0; y < made.height; ++y)
        for (std::ptrdiff_t x = 0; x < made.width; ++x)
            fuzz::check(made.at(y, x) >= 0 && made.at(y, x) <= 1, "the map is an alpha");
}
