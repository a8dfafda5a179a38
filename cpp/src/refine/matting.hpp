// The matting tier's solver: one rectangle of the picture, its band, one solution.
#pragma once

#include <vector>

#include "refine/internal.hpp"
#include "refine/kernels_matting.hpp"

namespace nssbg::refine_detail {

struct MattingOptions {
    float epsilon;     // of the window covariances, colours in 0..1
    float prior;       // pull towards the guided result, in windows
    float flat_prior;  // more of it, per squared change of alpha a pixel, where colour is flat
    double tolerance;  // residual to stop at, relative to the right-hand side
    int most_iterations;
};

struct MattingResult {
    bool solved = false;
    int iterations = 0;
    double residual = 0;
    std::int64_t unknown = 0;
};

// One grid of the solver; planes have a border of one cell all round.
class MattingGrid {
public:
    // Prepares a grid of height x width cells, everything zero.
    void reset(ptrdiff_t height, ptrdiff_t width);
    ptrdiff_t height() const { return height_; }
    ptrdiff_t width() const { return width_; }
    float* colour(int c, ptrdiff_t y) { return plane(c) + at(y); }
    float* alpha(ptrdiff_t y) { return plane(alpha_plane) + at(y); }
    // 1 where alpha is to be found, 0 where it is given.
    float* unknown(ptrdiff_t y) { return plane(mask_plane) + at(y); }

    // Finds alpha where it is unknown, from the alpha that is there. Windows lie inside the
    // grid, so where its edge is not the picture's, the outer two cells must be given.
    MattingResult solve(const MattingOptions& options);

private:
    enum Plane {
        alpha_plane = 3,
        mask_plane,
        weight_plane,
        prior_plane,
        residual_plane,
        direction_plane,
        product_plane,
        inverse_plane,
        window_plane,
        model_plane = window_plane + matting_window_planes,
        planes = model_plane + matting_model_planes
    };
    struct Run {
        ptrdiff_t at;     // offset into a plane
        ptrdiff_t count;  // cells
    };

    float* plane(int index) const { return memory_.data() + index * size_; }
    ptrdiff_t at(ptrdiff_t y) const { return (y + 1) * stride_ + 1; }
    void find_runs();
    void set_priors(const MattingOptions& options);
    void prepare(const MattingOptions& options, const MattingKernels& kernels);
    void apply(const float* value, float* out, const MattingKernels& kernels);
    double dot(const float* a, const float* b, const MattingKernels& kernels) const;

    ptrdiff_t height_ = 0, width_ = 0, stride_ = 0, size_ = 0;
    Scratch<float> memory_;
    std::vector<Run> pixel_runs_, window_runs_;
};

}  // namespace nssbg::refine_detail
