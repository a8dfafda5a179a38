// Sets of cells of a small grid, as bytes of 0 and 1, and the steps that corrections are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nssbg {

struct Cell {
    std::ptrdiff_t y = 0, x = 0;
};

struct Cells {
    std::ptrdiff_t height = 0, width = 0;
    std::vector<std::uint8_t> set;
    Cells(std::ptrdiff_t rows, std::ptrdiff_t columns)
        : height(rows), width(columns), set(static_cast<std::size_t>(rows * columns)) {}
    std::uint8_t& at(Cell cell) { return set[cell.y * width + cell.x]; }
    bool has(Cell cell) const { return set[cell.y * width + cell.x] != 0; }
    std::ptrdiff_t count() const;
    bool touches_border() const;
};

// The cells that `holds` says of, by index.
template <class Holds>
Cells cells_where(std::ptrdiff_t height, std::ptrdiff_t width, Holds&& holds) {
    Cells made(height, width);
    for (std::ptrdiff_t i = 0; i < height * width; ++i) made.set[i] = holds(i) ? 1 : 0;
    return made;
}

// Grown by so many cells in each direction (a square).
Cells widened(Cells cells, int by);
// Discs around cells.
Cells discs(std::ptrdiff_t height, std::ptrdiff_t width, const std::vector<Cell>& middles,
            double radius);
// What is connected with a cell within `held`, over the four neighbours.
Cells reached(const Cells& held, Cell from);

}  // namespace nssbg
