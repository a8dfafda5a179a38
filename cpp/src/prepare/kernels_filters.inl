// The filters along x and y over NSSBG_SUMS, a form of sixteen.hpp's Sixteen. Included by
// prepare.cpp once per form, inside a namespace that keeps the forms apart.

// Half of the last kept bit, which makes the final shift round.
inline std::int32_t half_of(int shift) { return shift > 0 ? std::int32_t{1} << (shift - 1) : 0; }

// `count` sums that grow together, so that one's latency hides behind the others.
template <int count, class Step>
inline void sum_windows(NSSBG_SUMS (&sums)[count], const Weights& weights, const Step& step) {
    for (std::ptrdiff_t p = 0; p < weights.pairs; ++p) step(p, 0);
    if (weights.split_bits == 0) return;
    for (NSSBG_SUMS& sum : sums) {
        sum.shift_up(weights.split_bits);
        sum.add_constant(half_of(weights.shift));
    }
    for (std::ptrdiff_t p = 0; p < weights.pairs; ++p) step(p, 2 * weights.pairs);
}

// Two neighbouring output columns of each channel: six sums in flight for RGB.
template <int channels>
inline void filter_two_windows(const std::int16_t* units_a, const std::int16_t* units_b,
                               const std::int16_t* weights_a, const std::int16_t* weights_b,
                               const Weights& weights, std::uint8_t* out,
                               std::ptrdiff_t out_plane) {
    constexpr std::ptrdiff_t unit_values = 2 * group_rows;
    const NSSBG_SUMS start(weights.split_bits > 0 ? 0 : half_of(weights.shift));
    if constexpr (channels == 3) {
        NSSBG_SUMS sums[6] = {start, start, start, start, start, start};
        sum_windows<6>(sums, weights, [&](std::ptrdiff_t p, std::ptrdiff_t set) {
            const std::int32_t a = load_pair(weights_a + set + 2 * p);
            const std::int32_t b = load_pair(weights_b + set + 2 * p);
            const std::int16_t* at_a = units_a + p * 3 * unit_values;
            const std::int16_t* at_b = units_b + p * 3 * unit_values;
            sums[0].add(at_a, a);
            sums[1].add(at_a + unit_values, a);
            sums[2].add(at_a + 2 * unit_values, a);
            sums[3].add(at_b, b);
            sums[4].add(at_b + unit_values, b);
            sums[5].add(at_b + 2 * unit_values, b);
        });
        for (int c = 0; c < 3; ++c) {
            sums[c].store(out + c * out_plane, weights.shift);
            sums[3 + c].store(out + c * out_plane + group_rows, weights.shift);
        }
    } else {
        NSSBG_SUMS sums[2] = {start, start};
        sum_windows<2>(sums, weights, [&](std::ptrdiff_t p, std::ptrdiff_t set) {
            sums[0].add(units_a + p * unit_values, load_pair(weights_a + set + 2 * p));
            sums[1].add(units_b + p * unit_values, load_pair(weights_b + set + 2 * p));
        });
        sums[0].store(out, weights.shift);
        sums[1].store(out + group_rows, weights.shift);
    }
}

template <int channels>
void filter_columns(const std::int16_t* units, std::ptrdiff_t units_first, const Weights& weights,
                    std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t plane,
                    std::ptrdiff_t pitch, std::uint8_t* out) {
    alignas(64) std::uint8_t columns[channels][column_block * group_rows] = {};
    const auto units_of = [&](std::ptrdiff_t j) {
        return units + (weights.first[j] - units_first) * channels * 2 * group_rows;
    };
    for (std::ptrdiff_t j = begin; j < end; j += column_block) {
        const std::ptrdiff_t filled = end - j < column_block ? end - j : column_block;
        for (std::ptrdiff_t k = 0; k < filled; k += 2) {
            const std::ptrdiff_t a = j + k;
            // The last column of an odd number keeps itself company.
            const std::ptrdiff_t b = k + 1 < filled ? a + 1 : a;
            filter_two_windows<channels>(units_of(a), units_of(b), weights.window(a),
                                         weights.window(b), weights, columns[0] + k * group_rows,
                                         column_block * group_rows);
        }
        for (int c = 0; c < channels; ++c)
            turn_byte_pairs(columns[c], pitch, out + 2 * (c * plane + j));
    }
}

inline void filter_rows(const std::uint8_t* const* rows, const Weights& weights,
                        std::ptrdiff_t output, std::ptrdiff_t count, std::uint8_t* out) {
    const NSSBG_SUMS start(weights.split_bits > 0 ? 0 : half_of(weights.shift));
    const std::int16_t* window = weights.window(output);
    for (std::ptrdiff_t x = 0; x < count; x += plane_block) {
        NSSBG_SUMS sums[4] = {start, start, start, start};
        sum_windows<4>(sums, weights, [&](std::ptrdiff_t p, std::ptrdiff_t set) {
            const std::uint8_t* at = rows[p] + 2 * x;
            const std::int32_t pair = load_pair(window + set + 2 * p);
            sums[0].add_bytes(at, pair);
            sums[1].add_bytes(at + 32, pair);
            sums[2].add_bytes(at + 64, pair);
            sums[3].add_bytes(at + 96, pair);
        });
        for (int i = 0; i < 4; ++i) sums[i].store(out + x + 16 * i, weights.shift);
    }
}
