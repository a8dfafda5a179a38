// What the steps of the studio method share: the picture at working size, the backdrop
// model over it, and byte maps of what each pixel is taken for. Private to the stage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "nssbg/pool.hpp"
#include "nssbg/studio.hpp"
#include "studio/kernels.hpp"

namespace nssbg::studio {

using Index = std::ptrdiff_t;

// Working pictures have at most this many pixels along the long side: small enough that
// all thinking costs less than reading the photograph, large enough that a 3-pixel cable
// of a 24-megapixel picture still covers half a working pixel.
constexpr Index working_side = 1024;

struct Plane3 {
    Scratch<float> channel[3];
    void allocate(Index count) {
        for (auto& plane : channel) plane = Scratch<float>(static_cast<std::size_t>(count));
    }
    float* operator[](int c) const { return channel[c].data(); }
};

struct State {
    Index height = 0;
    Index width = 0;
    int factor = 1;
    int threads = 1;
    int key = -1;             // the screen's channel where a chroma screen is keyed
    float noise = 0;          // of one full-size pixel, levels
    float working_noise = 0;  // of one working pixel after smoothing
    Plane3 color;             // box means
    Plane3 smooth;            // after a 3 x 3 binomial: what colours are judged by
    Plane3 backdrop;          // the model
    Scratch<float> gradient;
    Scratch<float> surroundings;     // mean gradient around
    Scratch<std::uint8_t> evidence;  // 0 no backdrop, 1 loose, 2 tight
    Scratch<std::uint8_t> region;    // 1 backdrop, 0 subject
    Scratch<std::uint8_t> spare[3];
    Scratch<std::int32_t> queue;
    BackdropLimits limits{};

    Index count() const { return height * width; }
};

// Polynomials in u, v in -1..1: 1, u, v, u2, uv, v2, u3, u2v, uv2, v3.
constexpr int most_terms = 10;

// Eight pixels of a byte map at once: most of a map is flat, and passed over so.
inline std::uint64_t eight(const std::uint8_t* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

struct Surface {
    int terms = 1;  // 1, 3, 6 or 10
    double coefficient[3][most_terms] = {};
    double value(int channel, double u, double v) const;
    double combine(int channel, const double* term) const;  // the same, of terms at hand
};

struct BorderSample {
    float u, v;
    float color[3];
    int side;  // 0 top, 1 bottom, 2 left, 3 right
    Index position;
};

struct BorderFit {
    Surface surface;
    float tolerance = 0;  // of one channel, levels
    float residual = 0;   // robust spread, levels
    float share = 0;
    float side_share[4] = {};
    std::vector<BorderSample> samples;
    std::vector<std::uint8_t> inlier;
};

// A coarse grid of what the polynomial leaves over, smooth where nothing was seen.
struct Cells {
    static constexpr Index size = 16;
    Index height = 0;
    Index width = 0;  // pitch is width + 1
    std::vector<float> residual[3];
    std::vector<std::int32_t> index;
    std::vector<float> weight;
    explicit Cells(const State& state);
};

// backdrop.cpp
BorderFit fit_border(const State& state);
int screen_channel(const BorderFit& fit, ChromaScreen wanted);
void fill_backdrop(State& state, const Surface& surface, const Cells& cells);
void refit_cells(const State& state, const Surface& surface, Cells& cells);
BackdropLimits limits_from_border(const State& state, const BorderFit& fit);
BackdropLimits limits_from_region(const State& state, const BackdropLimits& loose);

// grow.cpp
void find_evidence(State& state);
void grow_region(State& state);
void drop_small_components(State& state);
void absorb_shadows(State& state);
int open_holes(State& state, const Surface& border);
float largest_piece_share(State& state);

// outline.cpp: planes of the local model alpha = colour . v + k, pitch = width + 1.
struct AlphaModel {
    Index pitch = 0;
    Scratch<float> plane[5];
    Scratch<std::uint8_t> state;  // 0 backdrop, 1 subject, 2 soft band
    Index band_count = 0;
    float contrast = 0;
    float agreement = 0;
    float outline_length = 0;
};
AlphaModel model_outline(State& state);

// confidence.cpp
float confidence_of(const StudioReport& report);

inline float absolute(float x) { return x < 0 ? -x : x; }

}  // namespace nssbg::studio
