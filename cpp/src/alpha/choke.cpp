// Least or greatest value within a disc, tile by tile: a row's values within a half width come from
// those within the next smaller one, and the disc's rows are gathered from them.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "nssbg/edge.hpp"
#include "nssbg/parallel.hpp"

namespace nssbg {
namespace {

using std::ptrdiff_t;

// Side of the tiles: small enough that most of a matte's tiles hold no edge.
constexpr ptrdiff_t tile = 128;

// Half a pixel more than the radius makes discs of 1, 2, 3 ... pixels round, not pointed.
ptrdiff_t half_width(ptrdiff_t radius, ptrdiff_t dy) {
    const double square = (static_cast<double>(radius) + 0.5) * (static_cast<double>(radius) + 0.5);
    const auto half = static_cast<ptrdiff_t>(std::sqrt(square - static_cast<double>(dy * dy)));
    return std::min(half, radius);
}

template <class T>
struct Patch {
    ptrdiff_t height = 0, width = 0;
    std::vector<T> cells;
    T* row(ptrdiff_t y) { return cells.data() + y * width; }
};

// Of near, which has `reach` pixels more on each side, the disc's values for the inner pixels.
template <class T, class Pick>
void by_disc(Patch<T>* near, ptrdiff_t reach, ptrdiff_t radius, Pick pick, Patch<T>* made) {
    for (ptrdiff_t y = 0; y < made->height; ++y)
        std::copy_n(near->row(y + reach) + reach, made->width, made->row(y));
    if (radius == 0) return;
    // What of a row lies within a half width: at first the row itself.
    Patch<T> wide = *near, last;
    const ptrdiff_t from = reach, to = reach + made->width;
    for (ptrdiff_t half = 0; half <= radius; ++half) {
        if (half > 0) {
            last = wide;
            // Further out than any inner pixel asks for, rows keep what they had.
            const ptrdiff_t spare = radius - half;
            for (ptrdiff_t y = 0; y < wide.height; ++y) {
                T* row = wide.row(y);
                const T* before = last.row(y);
                for (ptrdiff_t x = from - spare; x < to + spare; ++x) {
                    const T sides = pick(before[x - 1], before[x + 1]);
                    row[x] = half == 1 ? pick(before[x], sides) : sides;
                }
            }
        }
        for (ptrdiff_t dy = -radius; dy <= radius; ++dy) {
            if (half_width(radius, dy) != half) continue;
            for (ptrdiff_t y = 0; y < made->height; ++y) {
                T* row = made->row(y);
                const T* within = wide.row(y + reach + dy) + reach;
                for (ptrdiff_t x = 0; x < made->width; ++x) row[x] = pick(row[x], within[x]);
            }
        }
    }
}

template <class T, class Pick>
void choke_by(const ImageView<const T>& alpha, double pixels, int threads, const ImageView<T>& out,
              Pick pick) {
    const double far = std::fabs(pixels);
    const auto whole = static_cast<ptrdiff_t>(far);
    const double share = far - static_cast<double>(whole);
    const ptrdiff_t reach = share > 0 ? whole + 1 : whole;
    const ptrdiff_t down = (alpha.height + tile - 1) / tile,
                    across = (alpha.width + tile - 1) / tile;
    parallel_for(threads, down * across, 1, [&](ptrdiff_t begin, ptrdiff_t end, int) {
        for (ptrdiff_t piece = begin; piece < end; ++piece) {
            const ptrdiff_t top = piece / across * tile, left = piece % across * tile;
            const ptrdiff_t bottom = std::min(alpha.height, top + tile);
            const ptrdiff_t right = std::min(alpha.width, left + tile);
            Patch<T> near{bottom - top + 2 * reach, right - left + 2 * reach, {}};
            near.cells.resize(static_cast<std::size_t>(near.height * near.width));
            for (ptrdiff_t y = 0; y < near.height; ++y) {
                const ptrdiff_t from =
                    std::min(alpha.height - 1, std::max<ptrdiff_t>(0, top - reach + y));
                for (ptrdiff_t x = 0; x < near.width; ++x)
                    near.row(y)[x] = alpha.at(
                        from, std::min(alpha.width - 1, std::max<ptrdiff_t>(0, left - reach + x)));
            }
            const auto [least, most] = std::minmax_element(near.cells.begin(), near.cells.end());
            if (*least == *most) {
                for (ptrdiff_t y = top; y < bottom; ++y)
                    for (ptrdiff_t x = left; x < right; ++x) out.at(y, x) = *least;
                continue;
            }
            Patch<T> made{bottom - top, right - left, {}};
            made.cells.resize(static_cast<std::size_t>(made.height * made.width));
            by_disc(&near, reach, whole, pick, &made);
            Patch<T> farther = made;
            if (share > 0) by_disc(&near, reach, whole + 1, pick, &farther);
            const auto close = static_cast<float>(1 - share), rest = static_cast<float>(share);
            for (ptrdiff_t y = top; y < bottom; ++y)
                for (ptrdiff_t x = left; x < right; ++x) {
                    const T one = made.row(y - top)[x - left];
                    if (share == 0) {
                        out.at(y, x) = one;
                        continue;
                    }
                    const T other = farther.row(y - top)[x - left];
                    const float mixed =
                        static_cast<float>(one) * close + static_cast<float>(other) * rest;
                    out.at(y, x) = static_cast<T>(
                        std::is_same_v<T, std::uint8_t> ? std::nearbyint(mixed) : mixed);
                }
        }
    });
}

}  // namespace

EdgePixels edge_pixels(double choke, double softness, ptrdiff_t height, ptrdiff_t width) {
    const auto longest = static_cast<double>(std::max(height, width));
    const auto most = [longest](double share, double least) {
        return std::min(farthest_edge, std::max(least, longest * share));
    };
    return {choke * most(choke_share, least_choke),
            softness * most(softness_share, least_softness)};
}

template <class T>
void choke(const ImageView<const T>& alpha, double pixels, int threads, const ImageView<T>& out) {
    if (alpha.empty() || alpha.channels != 1 || alpha.height != out.height ||
        alpha.width != out.width)
        throw std::invalid_argument("choke: alpha and result are H x W, of one size");
    if (!(std::fabs(pixels) <= farthest_edge))
        throw std::invalid_argument("choke: at most 64 pixels either way");
    if (pixels > 0)
        choke_by(alpha, pixels, threads, out, [](T a, T b) { return a < b ? a : b; });
    else
        choke_by(alpha, pixels, threads, out, [](T a, T b) { return a > b ? a : b; });
}

template void choke(const ImageView<const std::uint8_t>&, double, int,
                    const ImageView<std::uint8_t>&);
template void choke(const ImageView<const float>&, double, int, const ImageView<float>&);

}  // namespace nssbg
