// Preconditioned conjugate gradients on the matting Laplacian, over the runs of band
// pixels of one rectangle, started from the coarse-to-fine guided result.
#include "refine/matting.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nssbg::refine_detail {
namespace {

// Runs closer than this are computed as one: starting a run costs as much as 16 cells.
constexpr ptrdiff_t run_gap = 16;
// Variance of colour (summed over channels, 0..1) in a 3 x 3 window below which it is flat: grain
// of two levels.
constexpr float flat_variance = 2e-4f;

}  // namespace

void MattingGrid::reset(ptrdiff_t height, ptrdiff_t width) {
    height_ = height;
    width_ = width;
    stride_ = width + 2;
    size_ = (height + 2) * stride_;
    at_least(memory_, planes * size_);
    std::fill_n(memory_.data(), planes * size_, 0.0f);
}

void MattingGrid::find_runs() {
    pixel_runs_.clear();
    window_runs_.clear();
    std::vector<uint8_t> near(static_cast<std::size_t>(width_ + 2));
    const auto runs_of = [&](std::vector<Run>& runs, ptrdiff_t y, ptrdiff_t begin, ptrdiff_t end,
                             const auto& set) {
        for (ptrdiff_t x = begin; x < end; ++x) {
            if (!set(x)) continue;
            const ptrdiff_t first = at(y) + x;
            if (!runs.empty() && first - (runs.back().at + runs.back().count) < run_gap &&
                runs.back().at >= at(y))
                runs.back().count = first + 1 - runs.back().at;
            else
                runs.push_back({first, 1});
        }
    };
    for (ptrdiff_t y = 0; y < height_; ++y) {
        const float* mask = unknown(y);
        runs_of(pixel_runs_, y, 0, width_, [&](ptrdiff_t x) { return mask[x] != 0; });
        if (y < 1 || y >= height_ - 1) continue;
        std::fill(near.begin(), near.end(), uint8_t{0});
        for (ptrdiff_t row = y - 1; row <= y + 1; ++row) {
            const float* other = unknown(row);
            for (ptrdiff_t x = 0; x < width_; ++x)
                if (other[x] != 0) near[x] = near[x + 1] = near[x + 2] = 1;
        }
        runs_of(window_runs_, y, 1, width_ - 1, [&](ptrdiff_t x) { return near[x + 1] != 0; });
    }
}

// Where colour says nothing but the guided result has an edge, the edge came from the map and is
// all that is known: there the pull is strong. Elsewhere it is weak, so that flat backdrops come
// clean.
void MattingGrid::set_priors(const MattingOptions& options) {
    constexpr float ninth = 1.0f / 9.0f;
    for (const Run& run : pixel_runs_) {
        const ptrdiff_t y = run.at / stride_ - 1, x0 = run.at % stride_ - 1;
        const ptrdiff_t above = y > 0 ? -stride_ : 0, below = y + 1 < height_ ? stride_ : 0;
        float* prior = plane(prior_plane) + run.at;
        for (ptrdiff_t x = 0; x < run.count; ++x) {
            const ptrdiff_t left = x0 + x > 0 ? -1 : 0, right = x0 + x + 1 < width_ ? 1 : 0;
            const float* alpha = plane(alpha_plane) + run.at + x;
            const float across = 0.5f * (alpha[right] - alpha[left]);
            const float down = 0.5f * (alpha[below] - alpha[above]);
            const float change = across * across + down * down;
            float variance = 0;
            for (int c = 0; c < 3; ++c) {
                const float* centre = plane(c) + run.at + x;
                float sum = 0, squares = 0;
                for (const ptrdiff_t row : {above, ptrdiff_t{0}, below})
                    for (const ptrdiff_t column : {left, ptrdiff_t{0}, right}) {
                        const float difference = centre[row + column] - *centre;
                        sum += difference;
                        squares += difference * difference;
                    }
                variance += (squares - sum * sum * ninth) * ninth;
            }
            const float flat = flat_variance / (flat_variance + std::max(variance, 0.0f));
            prior[x] = options.prior + options.flat_prior * (change * (flat * flat));
        }
    }
}

void MattingGrid::prepare(const MattingOptions& options, const MattingKernels& kernels) {
    for (const Run& run : window_runs_) {
        const float* rows[3][3];
        for (int c = 0; c < 3; ++c)
            for (int k = 0; k < 3; ++k) rows[c][k] = plane(c) + run.at - 1 + (k - 1) * stride_;
        kernels.windows(rows[0], rows[1], rows[2], run.count, options.epsilon,
                        plane(window_plane) + run.at, size_);
    }
    // How many windows lie over each cell, and the diagonal. Cells of the outer ring lie
    // under fewer windows.
    const auto windows_over = [](ptrdiff_t i, ptrdiff_t count) {
        return static_cast<float>(
            std::max<ptrdiff_t>(0, std::min(count - 2, i + 1) - std::max<ptrdiff_t>(1, i - 1) + 1));
    };
    for (const Run& run : pixel_runs_) {
        const ptrdiff_t y = run.at / stride_ - 1, x0 = run.at % stride_ - 1;
        float* weight = plane(weight_plane) + run.at;
        float* inverse = plane(inverse_plane) + run.at;
        const float* prior = plane(prior_plane) + run.at;
        const float down = windows_over(y, height_);
        for (ptrdiff_t x = 0; x < run.count; ++x) {
            weight[x] = down * windows_over(x0 + x, width_) + prior[x];
            inverse[x] = prior[x];
        }
        for (ptrdiff_t dy = -1; dy <= 1; ++dy) {
            if (y + dy < 1 || y + dy > height_ - 2) continue;
            for (ptrdiff_t dx = -1; dx <= 1; ++dx) {
                const ptrdiff_t begin = std::max<ptrdiff_t>(0, 1 - (x0 + dx));
                const ptrdiff_t end = std::min(run.count, width_ - 1 - (x0 + dx));
                if (end <= begin) continue;
                const ptrdiff_t at = run.at + begin;
                kernels.add_diagonal(plane(window_plane) + at + dy * stride_ + dx, size_,
                                     plane(0) + at, plane(1) + at, plane(2) + at, end - begin,
                                     inverse + begin);
            }
        }
        const float* mask = plane(mask_plane) + run.at;
        for (ptrdiff_t x = 0; x < run.count; ++x)
            inverse[x] = mask[x] != 0 && inverse[x] > 1e-6f ? 1.0f / inverse[x] : 0.0f;
    }
}

void MattingGrid::apply(const float* value, float* out, const MattingKernels& kernels) {
    for (const Run& run : window_runs_) {
        const float* rows[4][3];
        for (int k = 0; k < 3; ++k) {
            const ptrdiff_t at = run.at - 1 + (k - 1) * stride_;
            rows[0][k] = value + at;
            for (int c = 0; c < 3; ++c) rows[1 + c][k] = plane(c) + at;
        }
        kernels.models(rows[0], rows[1], rows[2], rows[3], plane(window_plane) + run.at, size_,
                       run.count, plane(model_plane) + run.at, size_);
    }
    for (const Run& run : pixel_runs_)
        kernels.gather(plane(model_plane) + run.at - stride_ - 1, size_,
                       plane(window_plane) + run.at - stride_ - 1, size_, stride_, value + run.at,
                       plane(0) + run.at, plane(1) + run.at, plane(2) + run.at,
                       plane(weight_plane) + run.at, plane(mask_plane) + run.at, run.count,
                       out + run.at);
}

double MattingGrid::dot(const float* a, const float* b, const MattingKernels& kernels) const {
    double sum = 0;
    for (const Run& run : pixel_runs_)
        sum += static_cast<double>(kernels.dot(a + run.at, b + run.at, run.count));
    return sum;
}

MattingResult MattingGrid::solve(const MattingOptions& options) {
    MattingResult result;
    if (height_ < 3 || width_ < 3) return result;
    const MattingKernels& kernels = active_matting_kernels();
    find_runs();
    for (const Run& run : pixel_runs_)
        for (ptrdiff_t x = 0; x < run.count; ++x)
            result.unknown += plane(mask_plane)[run.at + x] != 0;
    if (result.unknown == 0) {
        result.solved = true;
        return result;
    }
    set_priors(options);
    prepare(options, kernels);
    float* x = plane(alpha_plane);
    float* r = plane(residual_plane);
    float* p = plane(direction_plane);
    float* q = plane(product_plane);  // A p, and after its use the preconditioned residual

    // Right-hand side: what the given cells and the prior ask for. p serves as the vector
    // that is zero where alpha is unknown.
    std::memcpy(p, x, static_cast<std::size_t>(size_) * sizeof(float));
    for (const Run& run : pixel_runs_)
        for (ptrdiff_t i = run.at; i < run.at + run.count; ++i)
            if (plane(mask_plane)[i] != 0) p[i] = 0;
    apply(p, r, kernels);
    for (const Run& run : pixel_runs_)
        for (ptrdiff_t i = run.at; i < run.at + run.count; ++i)
            r[i] = plane(mask_plane)[i] != 0 ? plane(prior_plane)[i] * x[i] - r[i] : 0.0f;
    const double right = std::sqrt(dot(r, r, kernels));
    // The residual of the start, whose given part is in the right-hand side already.
    std::memcpy(p, x, static_cast<std::size_t>(size_) * sizeof(float));
    for (ptrdiff_t y = 0; y < height_; ++y)
        for (ptrdiff_t i = at(y); i < at(y) + width_; ++i)
            if (plane(mask_plane)[i] == 0) p[i] = 0;
    apply(p, q, kernels);
    for (const Run& run : pixel_runs_)
        for (ptrdiff_t i = run.at; i < run.at + run.count; ++i) r[i] -= q[i];
    const double goal = options.tolerance * std::max(right, 1e-6);
    double size = std::sqrt(dot(r, r, kernels));
    double rz = 0;
    int iteration = 0;
    for (; iteration < options.most_iterations && size > goal; ++iteration) {
        for (const Run& run : pixel_runs_)
            kernels.scale(r + run.at, plane(inverse_plane) + run.at, run.count, q + run.at);
        const double rz_new = dot(r, q, kernels);
        const float factor = iteration == 0 ? 0.0f : static_cast<float>(rz_new / rz);
        rz = rz_new;
        if (iteration == 0)
            for (const Run& run : pixel_runs_)
                std::memcpy(p + run.at, q + run.at,
                            static_cast<std::size_t>(run.count) * sizeof(float));
        else
            for (const Run& run : pixel_runs_)
                kernels.direction(q + run.at, factor, run.count, p + run.at);
        apply(p, q, kernels);
        const double curvature = dot(p, q, kernels);
        if (!(curvature > 0)) break;  // rounding has eaten what is left, or not a number
        const auto step = static_cast<float>(rz / curvature);
        for (const Run& run : pixel_runs_)
            kernels.advance(step, p + run.at, q + run.at, run.count, x + run.at, r + run.at);
        size = std::sqrt(dot(r, r, kernels));
    }
    result.iterations = iteration;
    result.residual = right > 0 ? size / std::max(right, 1e-6) : 0;
    result.solved = size <= goal;
    return result;
}

}  // namespace nssbg::refine_detail
