// What a person says about a picture (a box, points to keep and to drop, a painted mask) applied to
// the alpha that a method found. Points grow on a coarse grid by geodesic distance (Bai and Sapiro:
// A geodesic framework for fast interactive image and video segmentation, 2007): the way over a
// colour edge is long, and each cell goes to the nearer side. Coordinates are pixels, x to the
// right and y down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nssbg/box.hpp"
#include "nssbg/image_view.hpp"
#include "nssbg/refine.hpp"

namespace nssbg {

// Values of a painted mask from which a pixel is kept, and up to which it is dropped: wide enough
// for the noise of a JPEG and the soft edge of a brush to be neither.
constexpr std::uint8_t kept_from = 224;
constexpr std::uint8_t dropped_up_to = 31;

struct Point {
    double x = 0, y = 0;
};

// Of one part of a picture, in its pixels.
struct Corrections {
    std::vector<Point> keep, drop;
    ImageView<const std::uint8_t> mask;  // over the whole part, of any size; empty: none
};

// One stroke of a round brush, in pixels of the picture.
struct Stroke {
    bool keep = false;
    double radius = 1;
    std::vector<Point> points;
};

// Strokes as a mask: 255 keep, 0 drop, 128 nothing said; a later one covers an earlier one. A pixel
// whose middle lies within a brush's radius of its way is painted, and the one nearest to a point
// always is. `origin` is where the mask's upper left corner lies in the picture, scale_x and
// scale_y are pixels of the mask for one of the picture.
void paint(const std::vector<Stroke>& strokes, Point origin, double scale_x, double scale_y,
           const ImageView<std::uint8_t>& mask);

// The part of a picture that a method looks at for a box (left, top, right, bottom), and the box
// within that part. Throws std::invalid_argument for a box outside the picture.
struct Region {
    Box part, inner;
};
Region region_of_box(double left, double top, double right, double bottom, std::ptrdiff_t height,
                     std::ptrdiff_t width);

// What corrections of one estimate have in common: made once where they come one by one. T is
// uint8_t (0..255) or float (0..1). Holds copies: the views need not outlive the constructor.
class CorrectionGrid {
public:
    // `image` is H x W x 3, `alpha` the estimate of it, of any size; `full_size` where it is the
    // method's own alpha at the picture's size, not a coarse map.
    template <class Pixel, class T>
    CorrectionGrid(const ImageView<const Pixel>& image, const ImageView<const T>& alpha,
                   bool full_size, int threads);

    // Of the corrected map: as fine as the finer of the grid that points grow on and the
    // estimate's own map.
    std::ptrdiff_t height() const { return height_; }
    std::ptrdiff_t width() const { return width_; }

    // The estimate with points and painted pixels obeyed; `changed` is 1 for cells that were
    // changed or lie near one that was. Both height() x width(), packed.
    template <class T>
    void apply(const Corrections& corrections, const ImageView<T>& coarse,
               const ImageView<float>& changed) const;

private:
    std::ptrdiff_t image_height_, image_width_, rows_, columns_, height_ = 0, width_ = 0;
    std::vector<float> colors_, alpha_, base_;  // rows_ x columns_ (x 3), and height_ x width_
};

// The full-size alpha from a corrected coarse one: refined, and exact where a person spoke.
// `before` is the estimate's alpha; where it is full size its own edges stay wherever nothing was
// changed. The matting solver takes points and painted pixels as hard constraints. `changed` as
// CorrectionGrid gave it, or empty where nothing can have been changed. Small components go as
// after any refinement.
template <class Pixel, class T>
void corrected_alpha(const ImageView<const Pixel>& image, const ImageView<const T>& before,
                     bool full_size, const ImageView<const T>& coarse,
                     const ImageView<const float>& changed, const Corrections& corrections,
                     const RefineOptions& options, const ImageView<T>& alpha, RefineReport* report);

// Sure where the coarse map is, two cells away from where it is not; H x W, 0, 128 or 255.
template <class T>
void trimap_of(const ImageView<const T>& coarse, const ImageView<std::uint8_t>& trimap);

// The method's own full-size alpha, and the refined one where something was changed.
template <class T>
void mix_changed(const ImageView<const T>& before, const ImageView<const T>& after,
                 const ImageView<const float>& changed, const ImageView<T>& out);

// Length of the shortest way from the seeds over right (height x (width - 1)) and down
// ((height - 1) x width) neighbours; all packed. Ends after so many rounds at the latest, each of
// which sweeps rows and columns both ways.
std::vector<float> geodesic(const std::vector<std::uint8_t>& seeds,
                            const std::vector<float>& across, const std::vector<float>& down,
                            std::ptrdiff_t height, std::ptrdiff_t width, int most_rounds);

}  // namespace nssbg
