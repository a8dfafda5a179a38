// Growing, discs, connected cells, and lengths of ways.
#include "corrections/cells.hpp"

#include <algorithm>
#include <numeric>

#include "nssbg/corrections.hpp"

namespace nssbg {

using std::ptrdiff_t;

namespace {

// Sweeps end when no way becomes shorter by more than this; which side is nearer is settled then.
constexpr float settled = 1.0f;
constexpr float far = 1e7f;

}  // namespace

ptrdiff_t Cells::count() const { return std::accumulate(set.begin(), set.end(), ptrdiff_t{0}); }

bool Cells::touches_border() const {
    for (ptrdiff_t x = 0; x < width; ++x)
        if (has({0, x}) || has({height - 1, x})) return true;
    for (ptrdiff_t y = 0; y < height; ++y)
        if (has({y, 0}) || has({y, width - 1})) return true;
    return false;
}

Cells widened(Cells cells, int by) {
    const ptrdiff_t width = cells.width, height = cells.height;
    for (int turn = 0; turn < by; ++turn) {
        Cells tall = cells;
        for (ptrdiff_t i = width; i < height * width; ++i) {
            tall.set[i] |= cells.set[i - width];
            tall.set[i - width] |= cells.set[i];
        }
        cells = tall;
        for (ptrdiff_t y = 0; y < height; ++y)
            for (ptrdiff_t x = 1; x < width; ++x) {
                cells.set[y * width + x] |= tall.set[y * width + x - 1];
                cells.set[y * width + x - 1] |= tall.set[y * width + x];
            }
    }
    return cells;
}

Cells discs(ptrdiff_t height, ptrdiff_t width, const std::vector<Cell>& middles, double radius) {
    Cells made(height, width);
    const auto reach = static_cast<ptrdiff_t>(radius) + 1;
    for (const Cell middle : middles)
        for (ptrdiff_t y = std::max<ptrdiff_t>(0, middle.y - reach);
             y < std::min(height, middle.y + reach + 1); ++y)
            for (ptrdiff_t x = std::max<ptrdiff_t>(0, middle.x - reach);
                 x < std::min(width, middle.x + reach + 1); ++x) {
                const ptrdiff_t dy = y - middle.y, dx = x - middle.x;
                if (static_cast<double>(dy * dy + dx * dx) <= radius * radius)
                    made.set[y * width + x] = 1;
            }
    return made;
}

Cells reached(const Cells& held, Cell from) {
    Cells made(held.height, held.width);
    if (!held.has(from)) return made;
    std::vector<Cell> open{from};
    made.at(from) = 1;
    while (!open.empty()) {
        const Cell cell = open.back();
        open.pop_back();
        const Cell around[] = {
            {cell.y - 1, cell.x}, {cell.y + 1, cell.x}, {cell.y, cell.x - 1}, {cell.y, cell.x + 1}};
        for (const Cell next : around) {
            if (next.y < 0 || next.x < 0 || next.y >= held.height || next.x >= held.width) continue;
            if (!held.has(next) || made.has(next)) continue;
            made.at(next) = 1;
            open.push_back(next);
        }
    }
    return made;
}

std::vector<float> geodesic(const std::vector<std::uint8_t>& seeds,
                            const std::vector<float>& across, const std::vector<float>& down,
                            ptrdiff_t height, ptrdiff_t width, int most_rounds) {
    std::vector<float> length(seeds.size());
    for (std::size_t i = 0; i < seeds.size(); ++i) length[i] = seeds[i] != 0 ? 0.0f : far;
    std::vector<float> last;
    for (int round = 0; round < most_rounds; ++round) {
        last = length;
        for (ptrdiff_t y = 0; y < height; ++y) {
            float* row = length.data() + y * width;
            const float* steps = across.data() + y * (width - 1);
            for (ptrdiff_t x = 1; x < width; ++x)
                row[x] = std::min(row[x], row[x - 1] + steps[x - 1]);
            for (ptrdiff_t x = width - 1; x > 0; --x)
                row[x - 1] = std::min(row[x - 1], row[x] + steps[x - 1]);
        }
        for (ptrdiff_t y = 1; y < height; ++y)
            for (ptrdiff_t x = 0; x < width; ++x) {
                float& value = length[y * width + x];
                value = std::min(value, length[(y - 1) * width + x] + down[(y - 1) * width + x]);
            }
        for (ptrdiff_t y = height - 1; y > 0; --y)
            for (ptrdiff_t x = 0; x < width; ++x) {
                float& value = length[(y - 1) * width + x];
                value = std::min(value, length[y * width + x] + down[(y - 1) * width + x]);
            }
        float most = 0;
        for (std::size_t i = 0; i < length.size(); ++i) most = std::max(most, last[i] - length[i]);
        if (most < settled) break;
    }
    return length;
}

}  // namespace nssbg
