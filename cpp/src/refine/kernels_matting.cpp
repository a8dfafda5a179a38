// The matting Laplacian (Levin, Lischinski, Weiss 2008) in its window form: per 3 x 3
// window the best linear model of alpha over colour, per pixel what nine models leave.
#include "refine/kernels_matting.hpp"

#include <cmath>

namespace nssbg::NSSBG_LEVEL {
namespace {

using std::ptrdiff_t;

void windows(const float* const* red, const float* const* green, const float* const* blue,
             ptrdiff_t count, float epsilon, float* __restrict out, ptrdiff_t plane) {
    const float* const* colours[3] = {red, green, blue};
    constexpr float ninth = 1.0f / 9.0f;
    for (int c = 0; c < 3; ++c) {
        const float* __restrict r0 = colours[c][0];
        const float* __restrict r1 = colours[c][1];
        const float* __restrict r2 = colours[c][2];
        float* __restrict mean = out + c * plane;
        for (ptrdiff_t x = 0; x < count; ++x)
            mean[x] = (((r0[x] + r0[x + 1]) + (r0[x + 2] + r1[x])) +
                       ((r1[x + 1] + r1[x + 2]) + (r2[x] + r2[x + 1])) + r2[x + 2]) *
                      ninth;
    }
    // Covariances about the mean, nine differences a window: no cancellation.
    constexpr int pairs[6][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
    for (int k = 0; k < 6; ++k) {
        const float* const* a = colours[pairs[k][0]];
        const float* const* b = colours[pairs[k][1]];
        const float* __restrict mean_a = out + pairs[k][0] * plane;
        const float* __restrict mean_b = out + pairs[k][1] * plane;
        float* __restrict sum = out + (3 + k) * plane;
        for (int row = 0; row < 3; ++row) {
            const float* __restrict ra = a[row];
            const float* __restrict rb = b[row];
            for (ptrdiff_t x = 0; x < count; ++x) {
                const float ma = mean_a[x];
                const float mb = mean_b[x];
                const float here = (ra[x] - ma) * (rb[x] - mb) +
                                   (ra[x + 1] - ma) * (rb[x + 1] - mb) +
                                   (ra[x + 2] - ma) * (rb[x + 2] - mb);
                sum[x] = row == 0 ? here : sum[x] + here;
            }
        }
    }
    float* __restrict s = out + 3 * plane;
    const float ridge = epsilon * ninth;
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float rr = s[x] * ninth + ridge;
        const float rg = s[plane + x] * ninth;
        const float rb = s[2 * plane + x] * ninth;
        const float gg = s[3 * plane + x] * ninth + ridge;
        const float gb = s[4 * plane + x] * ninth;
        const float bb = s[5 * plane + x] * ninth + ridge;
        // Covariance = L D L'. What is kept is M = D^-1/2 L^-1, so that the inverse is M' M:
        // positive whatever the rounding. The inverse itself, in float, is not.
        const float l1 = rg / rr;
        const float l2 = rb / rr;
        const float pivot1 = gg - l1 * rg;
        const float safe1 = pivot1 > 0.25f * ridge ? pivot1 : 0.25f * ridge;
        const float off = gb - l1 * rb;
        const float l3 = off / safe1;
        const float pivot2 = (bb - l2 * rb) - l3 * off;
        const float safe2 = pivot2 > 0.25f * ridge ? pivot2 : 0.25f * ridge;
        const float s1 = 1.0f / std::sqrt(safe1);
        const float s2 = 1.0f / std::sqrt(safe2);
        s[x] = 1.0f / std::sqrt(rr);
        s[plane + x] = -l1 * s1;
        s[2 * plane + x] = s1;
        s[3 * plane + x] = (l1 * l3 - l2) * s2;
        s[4 * plane + x] = -l3 * s2;
        s[5 * plane + x] = s2;
    }
}

// Colours enter both passes as differences from the window's mean: slopes reach a thousand where
// a window is flat, and a x colour + offset would lose in float what the solver works on.
void models(const float* const* value, const float* const* red, const float* const* green,
            const float* const* blue, const float* __restrict w, ptrdiff_t plane, ptrdiff_t count,
            float* __restrict out, ptrdiff_t out_plane) {
    const float* __restrict v[3] = {value[0], value[1], value[2]};
    const float* __restrict r[3] = {red[0], red[1], red[2]};
    const float* __restrict g[3] = {green[0], green[1], green[2]};
    const float* __restrict b[3] = {blue[0], blue[1], blue[2]};
    constexpr float ninth = 1.0f / 9.0f;
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float mr = w[x];
        const float mg = w[plane + x];
        const float mb = w[2 * plane + x];
        float sum = 0, cr = 0, cg = 0, cb = 0;
        for (int row = 0; row < 3; ++row)
            for (int k = 0; k < 3; ++k) {
                const float here = v[row][x + k];
                sum += here;
                cr += here * (r[row][x + k] - mr);
                cg += here * (g[row][x + k] - mg);
                cb += here * (b[row][x + k] - mb);
            }
        cr *= ninth;
        cg *= ninth;
        cb *= ninth;
        const float y0 = w[3 * plane + x] * cr;
        const float y1 = w[4 * plane + x] * cr + w[5 * plane + x] * cg;
        const float y2 = (w[6 * plane + x] * cr + w[7 * plane + x] * cg) + w[8 * plane + x] * cb;
        out[x] = (w[3 * plane + x] * y0 + w[4 * plane + x] * y1) + w[6 * plane + x] * y2;
        out[out_plane + x] = w[5 * plane + x] * y1 + w[7 * plane + x] * y2;
        out[2 * out_plane + x] = w[8 * plane + x] * y2;
        out[3 * out_plane + x] = sum * ninth;
    }
}

void gather(const float* __restrict models_in, ptrdiff_t model_plane,
            const float* __restrict windows_in, ptrdiff_t window_plane, ptrdiff_t stride,
            const float* __restrict value, const float* __restrict red,
            const float* __restrict green, const float* __restrict blue,
            const float* __restrict weight, const float* __restrict mask, ptrdiff_t count,
            float* __restrict out) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float r = red[x], g = green[x], b = blue[x];
        float model = 0;
        for (int row = 0; row < 3; ++row)
            for (int k = 0; k < 3; ++k) {
                const float* __restrict m = models_in + row * stride + k;
                const float* __restrict w = windows_in + row * stride + k;
                model += ((m[x] * (r - w[x]) + m[model_plane + x] * (g - w[window_plane + x])) +
                          m[2 * model_plane + x] * (b - w[2 * window_plane + x])) +
                         m[3 * model_plane + x];
            }
        const float left = weight[x] * value[x] - model;
        out[x] = mask[x] != 0.0f ? left : 0.0f;
    }
}

void add_diagonal(const float* __restrict w, ptrdiff_t plane, const float* __restrict red,
                  const float* __restrict green, const float* __restrict blue, ptrdiff_t count,
                  float* __restrict total) {
    for (ptrdiff_t x = 0; x < count; ++x) {
        const float r = red[x] - w[x];
        const float g = green[x] - w[plane + x];
        const float b = blue[x] - w[2 * plane + x];
        const float y0 = w[3 * plane + x] * r;
        const float y1 = w[4 * plane + x] * r + w[5 * plane + x] * g;
        const float y2 = (w[6 * plane + x] * r + w[7 * plane + x] * g) + w[8 * plane + x] * b;
        const float quadratic = (y0 * y0 + y1 * y1) + y2 * y2;
        total[x] += 1.0f - (1.0f + quadratic) * (1.0f / 9.0f);
    }
}

float dot(const float* __restrict a, const float* __restrict b, ptrdiff_t count) {
    float lanes[16] = {};
    ptrdiff_t x = 0;
    for (; x + 16 <= count; x += 16)
        for (int k = 0; k < 16; ++k) lanes[k] += a[x + k] * b[x + k];
    for (int k = 0; x < count; ++x, ++k) lanes[k] += a[x] * b[x];
    for (int step = 8; step > 0; step /= 2)
        for (int k = 0; k < step; ++k) lanes[k] += lanes[k + step];
    return lanes[0];
}

void advance(float step, const float* __restrict p, const float* __restrict q, ptrdiff_t count,
             float* __restrict x, float* __restrict r) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        x[i] += step * p[i];
        r[i] -= step * q[i];
    }
}

void scale(const float* __restrict r, const float* __restrict inverse_diagonal, ptrdiff_t count,
           float* __restrict z) {
    for (ptrdiff_t i = 0; i < count; ++i) z[i] = r[i] * inverse_diagonal[i];
}

void direction(const float* __restrict z, float factor, ptrdiff_t count, float* __restrict p) {
    for (ptrdiff_t i = 0; i < count; ++i) p[i] = z[i] + factor * p[i];
}

}  // namespace

extern const MattingKernels matting_kernels;
const MattingKernels matting_kernels{&windows, &models,  &gather, &add_diagonal,
                                     &dot,     &advance, &scale,  &direction};

}  // namespace nssbg::NSSBG_LEVEL
