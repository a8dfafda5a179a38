// The weights of a resize along one axis: which source samples every output sample
// sees and how much of each, in the fixed-point form that the kernels read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nssbg/prepare.hpp"
#include "prepare/kernels.hpp"

namespace nssbg {

// How far a filter reaches at scale 1, and what it gives a sample at a distance; throws
// std::invalid_argument for torch_bilinear, which has no window.
double filter_support(Filter filter);
double filter_weight(Filter filter, double x);

// Windows are cut in pairs of neighbouring samples (2p, 2p + 1), because the kernels
// multiply and add two at a time; all windows have the same number of pairs, the
// spare weights being zero.
struct ResampleTable {
    std::ptrdiff_t source = 0;          // samples along the axis
    std::ptrdiff_t pairs = 0;           // pairs in a window
    int shift = 0;                      // weights are fractions of 1 << shift
    int split_bits = 0;                 // see Weights
    std::vector<std::int32_t> first;    // first pair of each output's window
    std::vector<std::int16_t> weights;  // outputs x (1 or 2 sets) x pairs x 2
    std::ptrdiff_t outputs() const { return static_cast<std::ptrdiff_t>(first.size()); }
    Weights view() const { return {first.data(), weights.data(), pairs, shift, split_bits}; }
};

// Pillow's windows and weights, rounded to 16 bits with as many fraction bits as fit; where
// these are few (large weights: an enlargement or a slight reduction), in two sets of 16 bits.
// The outputs lie over begin..end of the samples, fractions included, as Pillow's box has it.
ResampleTable resample_table(Filter filter, std::ptrdiff_t source, std::ptrdiff_t outputs,
                             double begin, double end);
inline ResampleTable resample_table(Filter filter, std::ptrdiff_t source, std::ptrdiff_t outputs) {
    return resample_table(filter, source, outputs, 0.0, static_cast<double>(source));
}

// The two neighbours of every output and the weight of the second, as torch has them.
struct NeighbourTable {
    std::vector<std::int32_t> first;
    std::vector<std::int32_t> second;
    std::vector<float> second_weight;
};
NeighbourTable neighbour_table(std::ptrdiff_t source, std::ptrdiff_t outputs);

}  // namespace nssbg
