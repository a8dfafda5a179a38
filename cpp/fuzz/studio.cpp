// Fuzzes the weights-free method: pictures of any layout, screens, shadows, early stops.
#include "nssbg/studio.hpp"

#include <cmath>

#include "harness.hpp"

using namespace nssbg;

namespace {

bool is_share(float value) { return value >= 0.0f && value <= 1.0f; }

template <class T>
void run(fuzz::Input& in) {
    const std::ptrdiff_t most = in.rarely(16) ? 250 : 80;
    const std::ptrdiff_t height = in.between(1, most), width = in.between(1, most);
    auto rgb = fuzz::made_image<T>(in, height, width, in.rarely(16) ? 4 : 3, fuzz::Layout::any);
    if (in.flag()) {  // a plain backdrop around something
        const T backdrop[3] = {fuzz::sample_of<T>(in.byte()), fuzz::sample_of<T>(in.byte()),
                               fuzz::sample_of<T>(in.byte())};
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x)
                if (y < height / 4 || y > height * 3 / 4 || x < width / 4 || x > width * 3 / 4)
                    for (std::ptrdiff_t c = 0; c < 3; ++c) rgb.view.at(y, x, c) = backdrop[c];
    }
    StudioOptions options;
    options.chroma = static_cast<ChromaScreen>(in.byte() % 4);
    options.least_border = in.flag() ? in.real(0, 1) : 0.0f;
    const bool with_shadow = in.flag();
    StudioReport report;
    if (!fuzz::same_for_threads_and_levels(in, [&](int threads) {
            options.threads = threads;
            auto alpha = fuzz::target<std::uint8_t>(height, width, 1);
            auto shadow = fuzz::target<std::uint8_t>(height, width, 1);
            report =
                studio_alpha<T>(rgb.constant(), alpha.view,
                                with_shadow ? shadow.view : ImageView<std::uint8_t>{}, options);
            alpha.memory.insert(alpha.memory.end(), shadow.memory.begin(), shadow.memory.end());
            return alpha.memory;
        }))
        return;
    fuzz::check(is_share(report.border_share), "the border's share lies in 0..1");
    if (report.stopped) return;
    fuzz::check(is_share(report.confidence), "confidence lies in 0..1");
    fuzz::check(is_share(report.foreground_share) && is_share(report.band_share) &&
                    is_share(report.subject_unity) && is_share(report.border_touch) &&
                    is_share(report.outline_agreement),
                "shares lie in 0..1");
    fuzz::check(std::isfinite(report.noise) && std::isfinite(report.residual) &&
                    std::isfinite(report.outline_contrast) &&
                    std::isfinite(report.outline_length) && std::isfinite(report.backdrop_texture),
                "the report holds numbers");
    for (const float level : report.backdrop_color)
        fuzz::check(level >= 0.0f && level <= 255.0f, "the backdrop's colour lies in 0..255");
}

}  // namespace

FUZZ_TARGET(studio) { in.flag() ? run<std::uint16_t>(in) : run<std::uint8_t>(in); }
