// Fuzzes framing: any cut-out on any canvas; what is visible is drawn, and nothing outside.
#include "nssbg/framing.hpp"

#include "harness.hpp"

using namespace nssbg;

namespace {

template <class T>
void run(fuzz::Input& in) {
    const auto rgba =
        fuzz::made_image<T>(in, in.between(1, 60), in.between(1, 60), 4, fuzz::Layout::padded_rows);
    Canvas canvas;
    canvas.height = in.between(0, 150);
    canvas.width = in.between(1, 150);
    canvas.fill = static_cast<double>(in.real(-0.1f, 1.1f));
    canvas.down = static_cast<double>(in.real(-0.1f, 1.1f));
    canvas.across = static_cast<double>(in.real(0, 1));
    canvas.enlarge = in.flag();
    if (in.rarely(3)) canvas.scale = static_cast<double>(in.real(-0.1f, 5));
    if (in.rarely(3)) canvas.baseline = static_cast<double>(in.real(-1, 160));
    Placement where;
    try {
        where = placement(rgba.constant(), canvas, in.flag(), {}, 1);
    } catch (const std::invalid_argument&) {
        return;
    }
    fuzz::check(where.scale > 0, "a scale is above 0");
    auto out = fuzz::target<T>(canvas.height, canvas.width, 4);
    try {
        draw(rgba.constant(), where, out.view);
    } catch (const std::invalid_argument&) {
        return;  // next to nothing is left of it
    }
    const Box faint = box_above(rgba.constant(), visible_alpha, 1);
    if (faint.bottom == 0) return;
    const double slack = 1e-6 * static_cast<double>(canvas.height + canvas.width);
    fuzz::check(where.top + where.scale * static_cast<double>(faint.top) >= -slack &&
                    where.top + where.scale * static_cast<double>(faint.bottom) <=
                        static_cast<double>(canvas.height) + slack,
                "what is visible stays on the canvas");
}

}  // namespace

FUZZ_TARGET(framing) { in.flag() ? run<std::uint8_t>(in) : run<std::uint16_t>(in); }
