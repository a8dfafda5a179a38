// Row loops of blur-fusion (Forte 2021): cell sums, interpolation between cells, fusion.
#include "foreground/kernels_blur_fusion.hpp"

#include "foreground/kernels.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

// Keeps the quotients finite where there is no foreground (or background) in reach: the
// published code's constant.
constexpr float epsilon = 1e-5f;
constexpr float window_part = 1.0f / 36.0f;

template <class T>
void add_cell(const T* __restrict rgb, const T* __restrict alpha, std::ptrdiff_t pixels,
              std::uint64_t* __restrict sums) {
    for (std::ptrdiff_t x = 0; x < pixels; ++x) {
        const std::uint64_t a = alpha[x];
        sums[0] += a;
        for (std::ptrdiff_t c = 0; c < 3; ++c) {
            sums[1 + c] += a * rgb[3 * x + c];
            sums[4 + c] += rgb[3 * x + c];
        }
    }
}

void add_cell_u8(const std::uint8_t* rgb, const std::uint8_t* alpha, std::ptrdiff_t pixels,
                 std::uint64_t* sums) {
    add_cell(rgb, alpha, pixels, sums);
}
void add_cell_u16(const std::uint16_t* rgb, const std::uint16_t* alpha, std::ptrdiff_t pixels,
                  std::uint64_t* sums) {
    add_cell(rgb, alpha, pixels, sums);
}

void interpolate_cells(const float* __restrict cells, const std::int32_t* __restrict index,
                       const float* __restrict share, float* __restrict out, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float low = cells[index[i]];
        out[i] = low + (cells[index[i] + 1] - low) * share[i];
    }
}

inline float unit(float value) {
    const float above = value > 0.0f ? value : 0.0f;
    return above < 1.0f ? above : 1.0f;
}

// The step of the method: F = blurred F + alpha (I - alpha blurred F - (1 - alpha) blurred B).
inline float fused(float a, float color, float fore, float back) {
    return unit(fore + a * (color - a * fore - (1.0f - a) * back));
}

void fuse_first_half(const float* __restrict alpha, const float* __restrict image,
                     float* __restrict fore, float* __restrict back, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float a = alpha[i];
        const float f = fused(a, image[i], fore[i], back[i]);
        fore[i] = f * a;
        back[i] = back[i] * (1.0f - a);
    }
}

void fuse_first(float* tile, std::ptrdiff_t y, std::ptrdiff_t columns) {
    for (int parity = 0; parity < 2; ++parity)
        for (int c = 0; c < 3; ++c)
            fuse_first_half(half_row(tile, plane_alpha, y, parity),
                            half_row(tile, plane_image + c, y, parity),
                            half_row(tile, plane_fore + c, y, parity),
                            half_row(tile, plane_back + c, y, parity), columns / 2);
}

// Sums of six rows, y - 3 to y + 2.
void sum_rows(const float* __restrict first, float* __restrict out, std::ptrdiff_t count) {
    constexpr std::ptrdiff_t step = 2 * half_stride;
    for (std::ptrdiff_t i = 0; i < count; ++i)
        out[i] = ((first[i] + first[i + step]) + (first[i + 2 * step] + first[i + 3 * step])) +
                 (first[i + 4 * step] + first[i + 5 * step]);
}

// Sums of six columns, x - 3 to x + 2, of even and of odd x.
void sum_columns(const float* __restrict even, const float* __restrict odd,
                 float* __restrict even_out, float* __restrict odd_out, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float shared = ((even[i - 1] + odd[i - 1]) + (even[i] + odd[i])) + even[i + 1];
        even_out[i] = (shared + odd[i - 2]) * window_part;
        odd_out[i] = (shared + odd[i + 1]) * window_part;
    }
}

void fuse_second_half(const float* __restrict alpha, const float* __restrict image,
                      const float* __restrict mean_alpha, const float* __restrict mean_fore,
                      const float* __restrict mean_back, float* __restrict fore,
                      float* __restrict back, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const float f = mean_fore[i] / (mean_alpha[i] + epsilon);
        const float b = mean_back[i] / ((1.0f - mean_alpha[i]) + epsilon);
        fore[i] = fused(alpha[i], image[i], f, b);
        back[i] = unit(b);
    }
}

void fuse_second(const float* tile, std::ptrdiff_t y, std::ptrdiff_t columns, float* scratch,
                 float* const* out) {
    const std::ptrdiff_t count = columns / 2;
    // half_row only computes an address; the tile is not written.
    float* const rows = const_cast<float*>(tile);
    const int planes[7] = {plane_alpha, plane_fore,     plane_fore + 1, plane_fore + 2,
                           plane_back,  plane_back + 1, plane_back + 2};
    float* means[7][2];
    for (int k = 0; k < 7; ++k) {
        float* even = scratch + half_stride * (2 * k) + column_group;
        float* odd = even + half_stride;
        float* sums[2] = {scratch + half_stride * 14 + column_group,
                          scratch + half_stride * 15 + column_group};
        for (int parity = 0; parity < 2; ++parity)
            sum_rows(half_row(rows, planes[k], y - 3, parity), sums[parity], count);
        // The first and last two columns lack neighbours; they lie in the halo.
        sum_columns(sums[0] + 2, sums[1] + 2, even + 2, odd + 2, count - 4);
        means[k][0] = even;
        means[k][1] = odd;
    }
    for (int parity = 0; parity < 2; ++parity)
        for (int c = 0; c < 3; ++c)
            fuse_second_half(half_row(rows, plane_alpha, y, parity) + 2,
                             half_row(rows, plane_image + c, y, parity) + 2, means[0][parity] + 2,
                             means[1 + c][parity] + 2, means[4 + c][parity] + 2,
                             out[2 * c + parity], out[6 + 2 * c + parity], count - 4);
}

}  // namespace

extern const BlurFusionKernels blur_fusion_kernels;
const BlurFusionKernels blur_fusion_kernels{&add_cell_u8, &add_cell_u16, &interpolate_cells,
                                            &fuse_first, &fuse_second};

}  // namespace nssbg::NSSBG_LEVEL
