// Fuzzes the steps on a finished alpha: components dropped or filled, and feathering.
#include "nssbg/cleanup.hpp"

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
constexpr T full = sizeof(T) == 1 ? static_cast<T>(255) : static_cast<T>(1);

template <class T>
void components(fuzz::Input& in, const fuzz::Image<T>& alpha) {
    ComponentOptions options;
    options.holes = in.flag();
    options.level = static_cast<double>(in.real(-0.1f, 1.1f));
    options.least_area = in.between(0, 200);
    options.deepest = in.flag() ? static_cast<double>(in.real(0, 1)) : 0.0;
    options.of_largest = in.flag() ? static_cast<double>(in.real(0, 1)) : 0.0;
    options.faint = in.flag() ? static_cast<double>(in.real(0, 1)) : 0.0;
    options.keep_largest = in.flag();
    options.most_runs = in.rarely(4) ? in.between(0, 50) : 2000000;
    const auto cleaned = [&](std::vector<T> samples, ComponentReport* report) {
        ImageView<T> view = alpha.view;
        view.data = samples.data() + (alpha.view.data - alpha.memory.data());
        *report = clean_components(view, options);
        return samples;
    };
    ComponentReport first, second;
    std::vector<T> once;
    try {
        once = cleaned(alpha.memory, &first);
    } catch (const std::invalid_argument&) {
        return;
    }
    fuzz::check(first.changed <= first.components, "no more components change than there are");
    if (first.gave_up) fuzz::check(once == alpha.memory, "giving up leaves alpha as it was");
    const T value = options.holes ? full<T> : static_cast<T>(0);
    for (std::size_t i = 0; i < once.size(); ++i)
        fuzz::check(once[i] == alpha.memory[i] || once[i] == value,
                    "pixels are left as they were, or cleared, or filled");
    if (options.of_largest == 0.0 && options.deepest == 0.0 && options.faint == 0.0)
        fuzz::check(fuzz::same_bytes(once, cleaned(once, &second)) && second.changed == 0,
                    "a second run changes nothing");
}

template <class T>
void feathering(fuzz::Input& in, const fuzz::Image<T>& alpha) {
    const double sigma = static_cast<double>(in.real(-0.5f, in.rarely(8) ? 70.0f : 6.0f));
    auto out = fuzz::target<T>(alpha.view.height, alpha.view.width, 1);
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            feather(alpha.constant(), sigma, threads, out.view);
            return out.memory;
        }))
        return;
    fuzz::check(sigma > 0 && sigma <= 64, "feather refuses other radii");
    T low = full<T>, high = 0;
    for (std::ptrdiff_t y = 0; y < alpha.view.height; ++y)
        for (std::ptrdiff_t x = 0; x < alpha.view.width; ++x) {
            low = std::min(low, alpha.view.at(y, x));
            high = std::max(high, alpha.view.at(y, x));
        }
    const double slack = sizeof(T) == 1 ? 0 : 1e-4;
    for (const T value : out.memory)
        fuzz::check(static_cast<double>(value) >= static_cast<double>(low) - slack &&
                        static_cast<double>(value) <= static_cast<double>(high) + slack,
                    "a blur stays within the values that it blurs");
}

template <class T>
void run(fuzz::Input& in) {
    const auto alpha =
        fuzz::made_image<T>(in, in.between(1, 90), in.between(1, 90), 1,
                            in.rarely(8) ? fuzz::Layout::any : fuzz::Layout::padded_rows);
    in.flag() ? components<T>(in, alpha) : feathering<T>(in, alpha);
}

}  // namespace

FUZZ_TARGET(cleanup) { in.flag() ? run<float>(in) : run<std::uint8_t>(in); }
