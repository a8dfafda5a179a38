// Drives defocus: checks, tables, tiles with what their circles of confusion reach, layers.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "defocus/aperture.hpp"
#include "defocus/kernels.hpp"
#include "defocus/radii.hpp"
#include "nssbg/defocus.hpp"
#include "nssbg/parallel.hpp"
#include "nssbg/pool.hpp"

namespace nssbg {
namespace {

// A tile of the result. Larger ones gather less at their edges twice, and take more memory.
constexpr std::ptrdiff_t tile_height = 512;
constexpr std::ptrdiff_t tile_width = 1024;
// Cells are at most this wide; tiles and margins are multiples of it.
constexpr std::ptrdiff_t widest_cell = 16;
constexpr float largest_radius = 400.0f;
// Circles smaller than this are seen as sharp.
constexpr float smallest_radius = 1.2f;
// Where less than this much background is within reach, what lies farther away is mixed in.
constexpr float least_weight = 0.02f;
// Cells of what lies behind, and rows of the picture that are looked at for it.
constexpr std::ptrdiff_t behind_cell = 32;
constexpr std::ptrdiff_t behind_rows = 8;

// Layers from the nearest to the farthest; what lies between two belongs to both in part.
struct LayerRange {
    float low, middle, high;
    std::ptrdiff_t factor;  // pixels a cell
};

std::ptrdiff_t factor_of(float radius) {
    std::ptrdiff_t factor = 1;
    // 8 pixels: a disc of 4 cells, the coarsest; up to 12 cells.
    for (float bound = 8.0f; radius >= bound && factor < widest_cell; bound = bound * 2.0f + 4.0f)
        factor *= 2;
    return factor;
}

std::vector<LayerRange> layers_for(float least, float largest) {
    std::vector<float> far, near;
    const float step = 0.70710678f;
    for (float radius = largest; radius >= smallest_radius; radius *= step) far.push_back(radius);
    for (float radius = -least; radius >= smallest_radius; radius *= step) near.push_back(-radius);
    std::vector<float> middles = near;
    middles.push_back(0.0f);
    middles.insert(middles.end(), far.rbegin(), far.rend());
    std::vector<LayerRange> layers;
    for (std::size_t i = 0; i < middles.size(); ++i)
        layers.push_back({i == 0 ? -1e9f : middles[i - 1], middles[i],
                          i + 1 == middles.size() ? 1e9f : middles[i + 1],
                          factor_of(std::fabs(middles[i]))});
    return layers;
}

// sRGB's curve (IEC 61966-2-1) as tables: all values of T to light, and roots of light to T.
template <class T>
struct Tables {
    static constexpr std::int32_t last_root = sizeof(T) == 1 ? 4095 : 65535;
    std::vector<float> to_linear;
    std::vector<T> from_root;

    Tables() {
        const double full = std::numeric_limits<T>::max();
        for (std::int32_t v = 0; v <= std::numeric_limits<T>::max(); ++v) {
            const double e = v / full;
            to_linear.push_back(
                static_cast<float>(e <= 0.04045 ? e / 12.92 : std::pow((e + 0.055) / 1.055, 2.4)));
        }
        for (std::int32_t i = 0; i <= last_root; ++i) {
            const double light = std::pow(static_cast<double>(i) / last_root, 2.0);
            const double e =
                light <= 0.0031308 ? 12.92 * light : 1.055 * std::pow(light, 1 / 2.4) - 0.055;
            from_root.push_back(static_cast<T>(e * full + 0.5));
        }
    }
};

template <class T>
const Tables<T>& tables() {
    static const Tables<T> made;
    return made;
}

// What lies behind everything: means of the background over wide cells, and where there is none
// those of wider ones.
class Behind {
public:
    Behind(std::ptrdiff_t height, std::ptrdiff_t width)
        : rows_((height + behind_cell - 1) / behind_cell),
          columns_((width + behind_cell - 1) / behind_cell),
          cells_(static_cast<std::size_t>(4 * rows_ * columns_), 0.0f) {}

    float* row(std::ptrdiff_t y) { return cells_.data() + 4 * columns_ * y; }
    std::ptrdiff_t rows() const { return rows_; }
    std::ptrdiff_t columns() const { return columns_; }

    void fill() { cells_ = filled(cells_, rows_, columns_); }

    // Red, green and blue at a pixel, bilinear.
    void at(std::ptrdiff_t y, std::ptrdiff_t x, float* color) const {
        const auto place = [](std::ptrdiff_t pixel, std::ptrdiff_t count) {
            const float at = (static_cast<float>(pixel) + 0.5f) / behind_cell - 0.5f;
            return std::min(std::max(at, 0.0f), static_cast<float>(count - 1));
        };
        const float v = place(y, rows_), u = place(x, columns_);
        const auto top = static_cast<std::ptrdiff_t>(v), left = static_cast<std::ptrdiff_t>(u);
        const auto bottom = std::min(top + 1, rows_ - 1), right = std::min(left + 1, columns_ - 1);
        const float down = v - static_cast<float>(top), across = u - static_cast<float>(left);
        for (std::ptrdiff_t c = 0; c < 3; ++c) {
            const auto cell = [&](std::ptrdiff_t i, std::ptrdiff_t j) {
                return cells_[static_cast<std::size_t>(4 * (i * columns_ + j) + c)];
            };
            const float above = cell(top, left) + across * (cell(top, right) - cell(top, left));
            const float below =
                cell(bottom, left) + across * (cell(bottom, right) - cell(bottom, left));
            color[c] = above + down * (below - above);
        }
    }

private:
    // The cell above, or the next one on the side that this one lies on.
    static std::ptrdiff_t near(std::ptrdiff_t at, int next, std::ptrdiff_t count) {
        const std::ptrdiff_t cell = at / 2 + (next == 0 ? 0 : at % 2 == 0 ? -1 : 1);
        return std::min(std::max<std::ptrdiff_t>(cell, 0), count - 1);
    }

    // Pull and push: sums of two by two up to one cell, and down again where weights are small.
    static std::vector<float> filled(const std::vector<float>& cells, std::ptrdiff_t rows,
                                     std::ptrdiff_t columns) {
        std::vector<float> parent;
        const std::ptrdiff_t half_rows = (rows + 1) / 2, half_columns = (columns + 1) / 2;
        const bool last = rows == 1 && columns == 1;
        if (!last) {
            std::vector<float> sums(static_cast<std::size_t>(4 * half_rows * half_columns), 0.0f);
            for (std::ptrdiff_t y = 0; y < rows; ++y)
                for (std::ptrdiff_t x = 0; x < columns; ++x)
                    for (std::ptrdiff_t c = 0; c < 4; ++c)
                        sums[static_cast<std::size_t>(4 * (y / 2 * half_columns + x / 2) + c)] +=
                            cells[static_cast<std::size_t>(4 * (y * columns + x) + c)];
            parent = filled(sums, half_rows, half_columns);
        }
        std::vector<float> result(cells.size());
        for (std::ptrdiff_t y = 0; y < rows; ++y)
            for (std::ptrdiff_t x = 0; x < columns; ++x) {
                const auto own = static_cast<std::size_t>(4 * (y * columns + x));
                const float weight = cells[own + 3];
                const float lacking = last ? 0.0f : 0.25f * std::max(0.0f, 1.0f - weight) + 1e-6f;
                const float total = weight + lacking;
                for (std::ptrdiff_t c = 0; c < 3; ++c) {
                    float add = 0.0f;
                    // Four cells above in 9, 3, 3 and 1 parts: bilinear.
                    for (int k = 0; k < 4 && !last; ++k) {
                        const std::ptrdiff_t j = near(y, k & 1, half_rows) * half_columns +
                                                 near(x, k >> 1, half_columns);
                        const float share = (k & 1 ? 0.25f : 0.75f) * (k >> 1 ? 0.25f : 0.75f);
                        add += share * parent[static_cast<std::size_t>(4 * j + c)];
                    }
                    const auto at = own + static_cast<std::size_t>(c);
                    result[at] = total > 0.0f ? (cells[at] + lacking * add) / total : 0.0f;
                }
                result[own + 3] = 1.0f;
            }
        return result;
    }

    std::ptrdiff_t rows_, columns_;
    std::vector<float> cells_;
};

// One level of a tile with its margins: rows x columns cells of `factor` pixels.
struct Level {
    std::ptrdiff_t factor = 0, rows = 0, columns = 0;
    Scratch<float> cells;
    Scratch<float> radii;
};

struct BlurredLayer {
    std::size_t index;  // among the layers of the whole picture
    std::ptrdiff_t factor;
    std::ptrdiff_t stride;  // floats a row
    Scratch<float> cells;   // the tile's and one more on every side
};

template <class T>
class Job {
public:
    Job(ImageView<const T> image, ImageView<const T> rgba, ImageView<const float> map,
        const Aperture& aperture, ImageView<T> out)
        : image_(image),
          rgba_(rgba),
          out_(out),
          radii_(map, image.height, image.width),
          kernels_(active_defocus_kernels()),
          rows_(defocus_rows<T>(kernels_)),
          behind_(image.height, image.width) {
        float least = 0.0f, largest = 0.0f;
        radii_.bounds(0, 0, image.height, image.width, least, largest);
        layers_ = layers_for(std::min(least, 0.0f), std::max(largest, 0.0f));
        const float reach = std::max(-least, largest);
        const auto wanted =
            static_cast<std::ptrdiff_t>(std::ceil(std::max(reach, 0.0f))) + 2 * widest_cell;
        margin_ = (wanted + widest_cell - 1) / widest_cell * widest_cell;
        for (const LayerRange& layer : layers_)
            runs_.push_back(std::fabs(layer.middle) < smallest_radius
                                ? std::vector<Run>{}
                                : runs_of(aperture, std::fabs(layer.middle) /
                                                        static_cast<double>(layer.factor)));
    }

    void look_behind(int threads) {
        parallel_for(threads, behind_.rows(), 1,
                     [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
                         for (std::ptrdiff_t row = begin; row < end; ++row) behind_row(row);
                     });
        behind_.fill();
    }

    std::ptrdiff_t tiles() const {
        return ((image_.height + tile_height - 1) / tile_height) * across();
    }

    void run(std::ptrdiff_t tile) const {
        const std::ptrdiff_t top = tile / across() * tile_height;
        const std::ptrdiff_t left = tile % across() * tile_width;
        const std::ptrdiff_t bottom = std::min(top + tile_height, image_.height);
        const std::ptrdiff_t right = std::min(left + tile_width, image_.width);
        std::vector<BlurredLayer> blurred;
        if (seen(top, left, bottom, right)) blurred = layers_of(top, left, bottom, right);
        compose(blurred, top, left, bottom, right);
    }

private:
    std::ptrdiff_t across() const { return (image_.width + tile_width - 1) / tile_width; }

    // Whether anything of a tile shows beside the subject.
    bool seen(std::ptrdiff_t top, std::ptrdiff_t left, std::ptrdiff_t bottom,
              std::ptrdiff_t right) const {
        constexpr T full = std::numeric_limits<T>::max();
        for (std::ptrdiff_t y = top; y < bottom; ++y)
            for (std::ptrdiff_t x = left; x < right; ++x)
                if (rgba_.row(y)[4 * x + 3] != full) return true;
        return false;
    }

    void behind_row(std::ptrdiff_t row) {
        Scratch<float> light(4 * (behind_.columns() * behind_cell));
        float* const cells = behind_.row(row);
        float count = 0.0f;
        for (std::ptrdiff_t y = row * behind_cell + behind_rows / 2;
             y < std::min((row + 1) * behind_cell, image_.height); y += behind_rows)
            count += add_light(y, 0, behind_.columns() * behind_cell, light, cells, behind_cell);
        // Pixels' weights as shares of a cell.
        const float share = behind_cell / std::max(count, 1.0f);
        for (std::ptrdiff_t i = 0; i < 4 * behind_.columns(); ++i) cells[i] *= share;
    }

    // Adds a row of the picture to a row of cells that begins at pixel `left`; 1, or 0 outside.
    float add_light(std::ptrdiff_t y, std::ptrdiff_t left, std::ptrdiff_t width,
                    Scratch<float>& light, float* cells, std::ptrdiff_t factor) const {
        if (y < 0 || y >= image_.height) return 0.0f;
        const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(left, 0);
        const std::ptrdiff_t end = std::min(left + width, image_.width);
        float* const row = factor == 1 ? cells : light.data();
        std::memset(row, 0, sizeof(float) * static_cast<std::size_t>(4 * width));
        if (end > begin)
            rows_.light_from_rgb(image_.row(y) + 3 * begin, rgba_.row(y) + 4 * begin,
                                 tables<T>().to_linear.data(), row + 4 * (begin - left),
                                 end - begin);
        if (factor > 1) kernels_.add_cells(row, cells, width / factor, factor);
        return 1.0f;
    }

    std::vector<BlurredLayer> layers_of(std::ptrdiff_t top, std::ptrdiff_t left,
                                        std::ptrdiff_t bottom, std::ptrdiff_t right) const {
        const auto rounded = [](std::ptrdiff_t size) {
            return (size + widest_cell - 1) / widest_cell * widest_cell;
        };
        const std::ptrdiff_t height = rounded(bottom - top) + 2 * margin_;
        const std::ptrdiff_t width = rounded(right - left) + 2 * margin_;
        float least = 0.0f, largest = 0.0f;
        radii_.bounds(top - margin_, left - margin_, top - margin_ + height, left - margin_ + width,
                      least, largest);
        std::vector<std::size_t> present;
        std::ptrdiff_t finest = widest_cell, coarsest = 1;
        for (std::size_t i = 0; i < layers_.size(); ++i)
            if (layers_[i].low < largest && layers_[i].high > least) {
                present.push_back(i);
                finest = std::min(finest, layers_[i].factor);
                coarsest = std::max(coarsest, layers_[i].factor);
            }
        std::vector<Level> levels;
        for (std::ptrdiff_t factor = finest; factor <= coarsest; factor *= 2)
            levels.push_back(level_of(levels.empty() ? nullptr : &levels.back(), factor,
                                      top - margin_, left - margin_, height, width));
        std::vector<BlurredLayer> result;
        for (const std::size_t i : present)
            for (const Level& level : levels)
                if (level.factor == layers_[i].factor) add_blurred(level, i, result);
        return result;
    }

    Level level_of(const Level* finer, std::ptrdiff_t factor, std::ptrdiff_t top,
                   std::ptrdiff_t left, std::ptrdiff_t height, std::ptrdiff_t width) const {
        Level level;
        level.factor = factor;
        level.rows = height / factor;
        level.columns = width / factor;
        level.cells = Scratch<float>(4 * level.rows * level.columns);
        level.radii = Scratch<float>(level.rows * level.columns);
        std::memset(level.cells.data(), 0, sizeof(float) * level.cells.size());
        Scratch<float> light(4 * width);
        std::vector<float> line;
        for (std::ptrdiff_t y = 0; y < level.rows; ++y) {
            float* const cells = level.cells.data() + 4 * level.columns * y;
            if (finer != nullptr) {
                for (std::ptrdiff_t part = 0; part < 2; ++part)
                    kernels_.add_cells(finer->cells.data() + 4 * finer->columns * (2 * y + part),
                                       cells, level.columns, 2);
            } else {
                for (std::ptrdiff_t part = 0; part < factor; ++part)
                    add_light(top + y * factor + part, left, width, light, cells, factor);
            }
            const float middle =
                static_cast<float>(top + y * factor) + 0.5f * static_cast<float>(factor);
            radii_.row(middle, left, factor, level.columns, line,
                       level.radii.data() + level.columns * y);
        }
        return level;
    }

    void add_blurred(const Level& level, std::size_t index,
                     std::vector<BlurredLayer>& result) const {
        const LayerRange& range = layers_[index];
        const std::ptrdiff_t columns = level.columns;
        const std::ptrdiff_t margin = margin_ / level.factor;
        // The tile's cells and one more on every side, between which pixels lie.
        const std::ptrdiff_t inner_rows = level.rows - 2 * margin + 2;
        const std::ptrdiff_t inner = columns - 2 * margin + 2;
        Scratch<float> layer(4 * columns);
        const std::ptrdiff_t stride = 4 * (columns + 2);
        const bool sharp = runs_[index].empty();
        Scratch<float> prefixes(sharp ? 0 : stride * level.rows);
        std::vector<bool> holds(static_cast<std::size_t>(level.rows), false);
        BlurredLayer blurred{index, level.factor, 4 * inner,
                             Scratch<float>(4 * inner * inner_rows)};
        bool any = false;
        for (std::ptrdiff_t y = 0; y < level.rows; ++y) {
            const bool own = y >= margin - 1 && y < margin - 1 + inner_rows;
            if (sharp && !own) continue;
            kernels_.layer_from_cells(level.cells.data() + 4 * columns * y,
                                      level.radii.data() + columns * y, layer.data(), columns,
                                      range.low, range.middle, range.high);
            float* const target = blurred.cells.data() + blurred.stride * (y - margin + 1);
            if (sharp) {
                std::memcpy(target, layer.data() + 4 * (margin - 1),
                            sizeof(float) * static_cast<std::size_t>(4 * inner));
                for (std::ptrdiff_t i = 0; i < inner && !any; ++i) any = target[4 * i + 3] > 0.0f;
                continue;
            }
            float* const prefix = prefixes.data() + stride * y;
            kernels_.prefix_from_cells(layer.data(), prefix, columns);
            std::memcpy(prefix + 4 * (columns + 1), prefix + 4 * columns, 4 * sizeof(float));
            const bool holding = prefix[4 * columns + 3] > 0.0f;
            holds[static_cast<std::size_t>(y)] = holding;
            any = any || holding;
        }
        if (!any) return;
        if (!sharp) {
            std::memset(blurred.cells.data(), 0, sizeof(float) * blurred.cells.size());
            for (std::ptrdiff_t y = 0; y < inner_rows; ++y)
                for (const Run& run : runs_[index]) {
                    const std::ptrdiff_t from = y + margin - 1 + run.row;
                    if (!holds[static_cast<std::size_t>(from)]) continue;
                    const float* const prefix = prefixes.data() + stride * from;
                    const float begin = static_cast<float>(margin) - 0.5f + run.left;
                    const float end = static_cast<float>(margin) - 0.5f + run.right;
                    const auto first = static_cast<std::ptrdiff_t>(begin);
                    const auto last = static_cast<std::ptrdiff_t>(end);
                    kernels_.add_run(prefix + 4 * first, begin - static_cast<float>(first),
                                     prefix + 4 * last, end - static_cast<float>(last), run.share,
                                     blurred.cells.data() + blurred.stride * y, 4 * inner);
                }
        }
        result.push_back(std::move(blurred));
    }

    void compose(const std::vector<BlurredLayer>& layers, std::ptrdiff_t top, std::ptrdiff_t left,
                 std::ptrdiff_t bottom, std::ptrdiff_t right) const {
        const std::ptrdiff_t width = right - left;
        const std::ptrdiff_t room = width + 3 * widest_cell;
        Scratch<float> sums(4 * width), covered(width), last(width), behind(4 * width);
        Scratch<float> enlarged(4 * room), mixed(4 * room);
        // Finite everywhere: what is not needed is multiplied by 0.
        std::memset(behind.data(), 0, sizeof(float) * behind.size());
        const auto& table = tables<T>();
        for (std::ptrdiff_t y = top; y < bottom; ++y) {
            std::memset(sums.data(), 0, sizeof(float) * sums.size());
            std::memset(covered.data(), 0, sizeof(float) * covered.size());
            std::memset(last.data(), 0, sizeof(float) * last.size());
            std::size_t next = 0;
            for (const BlurredLayer& layer : layers) {
                if (layer.index > next)  // a layer of nothing between hides nothing, but counts
                    for (std::ptrdiff_t x = 0; x < width; ++x) {
                        covered[x] += last[x];
                        last[x] = 0.0f;
                    }
                next = layer.index + 1;
                kernels_.add_layer(row_of(layer, y - top, width, enlarged, mixed), sums.data(),
                                   covered.data(), last.data(), width);
            }
            const T* const own = rgba_.row(y) + 4 * left;
            for (std::ptrdiff_t x = 0; x < width; ++x)
                if (sums[4 * x + 3] < least_weight) {
                    behind_.at(y, left + x, behind.data() + 4 * x);
                }
            rows_.rgb_from_sums(sums.data(), behind.data(), least_weight, table.from_root.data(),
                                table.last_root, own, out_.row(y) + 3 * left, width);
        }
    }

    const float* row_of(const BlurredLayer& layer, std::ptrdiff_t y, std::ptrdiff_t width,
                        Scratch<float>& enlarged, Scratch<float>& mixed) const {
        const std::ptrdiff_t factor = layer.factor;
        if (factor == 1) return layer.cells.data() + layer.stride * (y + 1) + 4;
        const float place = (static_cast<float>(y) + 0.5f) / static_cast<float>(factor) + 0.5f;
        const auto upper = static_cast<std::ptrdiff_t>(place);
        float shares[widest_cell];
        for (std::ptrdiff_t p = 0; p < factor; ++p)
            shares[p] = (static_cast<float>(p) + 0.5f) / static_cast<float>(factor);
        const std::ptrdiff_t cells = (width + factor - 1) / factor + 2;
        const float* const row = layer.cells.data() + layer.stride * upper;
        kernels_.enlarged_row(row, row + layer.stride, place - static_cast<float>(upper), shares,
                              factor, mixed.data(), cells, enlarged.data());
        return enlarged.data() + 4 * (factor / 2);
    }

    ImageView<const T> image_, rgba_;
    ImageView<T> out_;
    Radii radii_;
    const DefocusKernels& kernels_;
    const DefocusRows<T>& rows_;
    Behind behind_;
    std::vector<LayerRange> layers_;
    std::vector<std::vector<Run>> runs_;
    std::ptrdiff_t margin_ = 0;
};

template <class T>
void check(const ImageView<T>& view, std::ptrdiff_t height, std::ptrdiff_t width,
           std::ptrdiff_t channels, const char* name) {
    if (view.height != height || view.width != width || view.channels != channels || view.empty())
        throw std::invalid_argument(std::string("defocus: ") + name + " must be " +
                                    std::to_string(height) + " x " + std::to_string(width) + " x " +
                                    std::to_string(channels) + ", not empty");
    if (!view.packed_rows())
        throw std::invalid_argument(std::string("defocus: ") + name + " must have packed rows");
}

}  // namespace

template <class T>
void defocus(ImageView<const T> image, ImageView<const T> rgba, ImageView<const float> radii,
             Aperture aperture, ImageView<T> out, int threads) {
    check(image, out.height, out.width, 3, "image");
    check(rgba, out.height, out.width, 4, "rgba");
    check(out, image.height, image.width, 3, "out");
    if (radii.empty() || radii.channels != 1)
        throw std::invalid_argument("defocus: radii must be h x w, not empty");
    if (aperture.blades != 0 && (aperture.blades < 3 || aperture.blades > 16))
        throw std::invalid_argument("defocus: an aperture has 0 (a disc) or 3 to 16 blades");
    if (!(std::fabs(aperture.rotation) <= 1e4f))
        throw std::invalid_argument("defocus: the rotation must be finite");
    for (std::ptrdiff_t y = 0; y < radii.height; ++y)
        for (std::ptrdiff_t x = 0; x < radii.width; ++x)
            if (!(std::fabs(radii.at(y, x)) <= largest_radius))
                throw std::invalid_argument("defocus: radii must be -400 to 400 pixels");
    Job<T> job(image, rgba, radii, aperture, out);
    job.look_behind(threads);
    parallel_for(threads, job.tiles(), 1, [&](std::ptrdiff_t begin, std::ptrdiff_t end, int) {
        for (std::ptrdiff_t tile = begin; tile < end; ++tile) job.run(tile);
    });
}

#define NSSBG_INSTANTIATE(T)                                                                 \
    template void defocus<T>(ImageView<const T>, ImageView<const T>, ImageView<const float>, \
                             Aperture, ImageView<T>, int);
NSSBG_INSTANTIATE(std::uint8_t)
NSSBG_INSTANTIATE(std::uint16_t)

}  // namespace nssbg
