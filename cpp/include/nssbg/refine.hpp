// From the model's small coarse map to an alpha as large as the photograph, in
// tiles, computing only where the outline is. The levels and what each costs are
// described in docs/refine.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

enum class RefineLevel {
    none,       // cubic upsampling of the coarse map
    guided,     // local linear models of alpha over colour, coarse to fine
    matting,    // the guided result, then the matting Laplacian solved in the band
    automatic,  // matting where the band is hair-like, guided elsewhere
};

struct RefineOptions {
    RefineLevel level = RefineLevel::guided;
    int threads = 1;
    std::ptrdiff_t tile = 512;  // side of a square tile in pixels; never changes the result
};

struct RefineReport {
    std::int64_t tiles = 0;           // of the picture
    std::int64_t tiles_computed = 0;  // that touch the band
    std::int64_t band_pixels = 0;     // pixels the outline may run through
    std::int64_t matting_pixels = 0;  // pixels solved by the matting tier
    std::int64_t blocks_solved = 0;   // matting blocks that converged
    std::int64_t blocks_refused = 0;  // matting blocks that kept the guided result
    std::int64_t iterations = 0;      // of the matting solver, most in any block
    double residual = 0;              // largest relative residual at the end
    std::vector<std::string> notes;   // what fell back, and why
};

// Fills `alpha` (H x W) from `coarse` (any size, one channel, T = uint8_t 0..255 or
// float 0..1) with `image` (H x W x 3) as the guide. A trimap (H x W, 0 / 255 sure,
// anything else unknown) replaces the coarse map's own band where its data is set.
// Throws std::invalid_argument for views that are empty or do not fit together.
template <class Pixel, class T>
void refine(const ImageView<const Pixel>& image, const ImageView<const T>& coarse,
            const ImageView<const std::uint8_t>& trimap, const ImageView<T>& alpha,
            const RefineOptions& options, RefineReport* report);

extern template void refine(const ImageView<const std::uint8_t>&,
                            const ImageView<const std::uint8_t>&,
                            const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&,
                            const RefineOptions&, RefineReport*);
extern template void refine(const ImageView<const std::uint8_t>&, const ImageView<const float>&,
                            const ImageView<const std::uint8_t>&, const ImageView<float>&,
                            const RefineOptions&, RefineReport*);
extern template void refine(const ImageView<const std::uint16_t>&,
                            const ImageView<const std::uint8_t>&,
                            const ImageView<const std::uint8_t>&, const ImageView<std::uint8_t>&,
                            const RefineOptions&, RefineReport*);
extern template void refine(const ImageView<const std::uint16_t>&, const ImageView<const float>&,
                            const ImageView<const std::uint8_t>&, const ImageView<float>&,
                            const RefineOptions&, RefineReport*);

// The same, for a picture that comes row by row and need not fit into memory: the results
// are those of refine. Memory is that of a few hundred rows.
template <class Pixel, class T>
class RefineStream {
public:
    // A picture of height x width; options.tile is not used. `coarse` is copied, as are the rows
    // that push takes: neither has to outlive its call. Throws std::invalid_argument.
    RefineStream(std::ptrdiff_t height, std::ptrdiff_t width, const ImageView<const T>& coarse,
                 const RefineOptions& options);
    ~RefineStream();
    RefineStream(const RefineStream&) = delete;
    RefineStream& operator=(const RefineStream&) = delete;

    // Takes the next rows of the photograph (any number x width x 3); throws
    // std::invalid_argument for rows too many or of another width.
    void push(const ImageView<const Pixel>& rows);
    // Finished rows that have not been taken; all of them once the last row was pushed.
    std::ptrdiff_t ready() const;
    // Moves the finished rows to `alpha`, which has ready() rows.
    void take(const ImageView<T>& alpha);
    const RefineReport& report() const;

private:
    struct State;  // holds a copy of the coarse map and of the rows that are still needed
    std::unique_ptr<State> state_;
};

extern template class RefineStream<std::uint8_t, std::uint8_t>;
extern template class RefineStream<std::uint8_t, float>;
extern template class RefineStream<std::uint16_t, std::uint8_t>;
extern template class RefineStream<std::uint16_t, float>;

}  // namespace nssbg
