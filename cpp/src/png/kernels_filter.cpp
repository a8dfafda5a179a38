// Row kernels of the PNG encoder's filter pass: plain byte loops that vectorise.
#include "png/kernels_filter.hpp"

namespace nssbg::NSSBG_LEVEL {
namespace {

using Byte = std::uint8_t;

// Bytes handled side by side.
constexpr std::ptrdiff_t lanes = 64;
// What the filters' costs are taken from: chunks of a row, of long rows only some.
constexpr std::ptrdiff_t chunk = 256;
constexpr std::ptrdiff_t long_row = 4096;
constexpr std::ptrdiff_t longest_step = 8;

inline Byte paeth(int left, int up, int corner) {
    // |estimate - left| and so on, without the estimate itself.
    const int a = up - corner;
    const int b = left - corner;
    const int to_left = a < 0 ? -a : a;
    const int to_up = b < 0 ? -b : b;
    const int to_corner = a + b < 0 ? -(a + b) : a + b;
    const int low = to_up <= to_corner ? up : corner;
    return static_cast<Byte>(to_left <= to_up && to_left <= to_corner ? left : low);
}

struct None {
    static Byte residual(const Byte* x, const Byte*, std::ptrdiff_t) { return *x; }
};
struct Sub {
    static Byte residual(const Byte* x, const Byte*, std::ptrdiff_t step) {
        return static_cast<Byte>(*x - x[-step]);
    }
};
struct Up {
    static Byte residual(const Byte* x, const Byte* up, std::ptrdiff_t) {
        return static_cast<Byte>(*x - *up);
    }
};
struct Average {
    static Byte residual(const Byte* x, const Byte* up, std::ptrdiff_t step) {
        const Byte left = x[-step];
        // (left + up) / 2 without leaving 8 bits.
        return static_cast<Byte>(*x - ((left & *up) + ((left ^ *up) >> 1)));
    }
};
struct Paeth {
    static Byte residual(const Byte* x, const Byte* up, std::ptrdiff_t step) {
        return static_cast<Byte>(*x - paeth(x[-step], *up, up[-step]));
    }
};

// Bit length of a residual's magnitude: within a constant of what an entropy coder pays for it.
inline Byte bit_length(Byte residual) {
    const Byte negative = static_cast<Byte>(-residual);
    const Byte m = residual < negative ? residual : negative;
    return static_cast<Byte>((m > 0) + (m > 1) + (m > 3) + (m > 7) + (m > 15) + (m > 31) +
                             (m > 63));
}

// Sums the bit lengths of the residuals in [begin, end), but for those in the midst of a run that
// repeats the pixel before: a match covers them. Of each `stride` bytes one chunk is looked at;
// the pixel before `begin` has to lie in the row.
template <class Filter>
std::uint32_t cost(const Byte* __restrict row, const Byte* __restrict above, std::ptrdiff_t begin,
                   std::ptrdiff_t end, std::ptrdiff_t step, std::ptrdiff_t stride) {
    Byte residuals[longest_step + chunk];
    Byte differs[chunk + 2];
    std::uint32_t total = 0;
    for (std::ptrdiff_t i = begin; i < end; i += stride) {
        const std::ptrdiff_t count = end - i < chunk ? end - i : chunk;
        Byte* own = residuals + longest_step;
        // The first chunk's pixel before stands as if it differed: no choice hangs on it.
        const std::ptrdiff_t before = i == begin ? 0 : step;
        for (std::ptrdiff_t k = -step; k < -before; ++k) own[k] = 128;
        for (std::ptrdiff_t k = -before; k < count; ++k)
            own[k] = Filter::residual(row + i + k, above + i + k, step);
        for (std::ptrdiff_t k = 0; k < count; ++k) differs[k + 1] = own[k] != own[k - step];
        differs[0] = differs[count + 1] = 0;
        std::uint32_t sum = 0;
        for (std::ptrdiff_t k = 0; k < count; ++k)
            sum += static_cast<Byte>(bit_length(own[k]) *
                                     (differs[k] | differs[k + 1] | differs[k + 2]));
        total += sum;
    }
    return total;
}

template <class Filter>
void filtered(const Byte* __restrict row, const Byte* __restrict above, std::ptrdiff_t begin,
              std::ptrdiff_t end, std::ptrdiff_t step, Byte* __restrict out) {
    for (std::ptrdiff_t i = begin; i < end; ++i)
        out[i] = Filter::residual(row + i, above + i, step);
}

void nonzero_range(const Byte* row, std::ptrdiff_t count, std::ptrdiff_t* first,
                   std::ptrdiff_t* last) {
    const auto any = [](const Byte* __restrict at) {
        Byte bits = 0;
        for (std::ptrdiff_t lane = 0; lane < 4 * lanes; ++lane)
            bits = static_cast<Byte>(bits | at[lane]);
        return bits != 0;
    };
    std::ptrdiff_t low = 0;
    while (count - low >= 4 * lanes && !any(row + low)) low += 4 * lanes;
    while (low < count && row[low] == 0) ++low;
    std::ptrdiff_t high = count;
    while (high - low >= 4 * lanes && !any(row + high - 4 * lanes)) high -= 4 * lanes;
    while (high > low && row[high - 1] == 0) --high;
    *first = low;
    *last = high == low ? 0 : high;
}

void filter_costs(const Byte* row, const Byte* above, std::ptrdiff_t begin, std::ptrdiff_t end,
                  std::ptrdiff_t step, std::ptrdiff_t sampling, std::uint32_t costs[5]) {
    // The first pixel has nothing to its left; no choice hangs on it.
    if (begin < step) begin = step;
    const std::ptrdiff_t stride = end - begin >= long_row ? sampling * chunk : chunk;
    costs[png_none] = cost<None>(row, above, begin, end, step, stride);
    costs[png_sub] = cost<Sub>(row, above, begin, end, step, stride);
    costs[png_up] = cost<Up>(row, above, begin, end, step, stride);
    costs[png_average] = cost<Average>(row, above, begin, end, step, stride);
    costs[png_paeth] = cost<Paeth>(row, above, begin, end, step, stride);
}

void filter_row(int filter, const Byte* row, const Byte* above, std::ptrdiff_t begin,
                std::ptrdiff_t end, std::ptrdiff_t step, Byte* out) {
    for (; begin < step && begin < end; ++begin) {
        const int up = above[begin];
        const int base = filter == png_average                     ? up / 2
                         : filter == png_up || filter == png_paeth ? up
                                                                   : 0;
        out[begin] = static_cast<Byte>(row[begin] - base);
    }
    switch (filter) {
        case png_sub: return filtered<Sub>(row, above, begin, end, step, out);
        case png_up: return filtered<Up>(row, above, begin, end, step, out);
        case png_average: return filtered<Average>(row, above, begin, end, step, out);
        case png_paeth: return filtered<Paeth>(row, above, begin, end, step, out);
        default: return filtered<None>(row, above, begin, end, step, out);
    }
}

void adler(const Byte* data, std::ptrdiff_t count, std::uint32_t* low, std::uint32_t* high) {
    constexpr std::uint32_t modulus = 65521;
    constexpr std::ptrdiff_t wide = 32;
    // Blocks after which the lane sums of sums could pass 32 bits: 255 * n * (n + 1) / 2.
    constexpr std::ptrdiff_t most = 4096;
    std::uint64_t a = *low;
    std::uint64_t b = *high;
    while (count >= wide) {
        const std::ptrdiff_t whole = count / wide;
        const std::ptrdiff_t blocks = whole < most ? whole : most;
        std::uint32_t sum[wide] = {};   // of each lane
        std::uint32_t late[wide] = {};  // of that sum before each block
        for (std::ptrdiff_t block = 0; block < blocks; ++block, data += wide)
            for (std::ptrdiff_t lane = 0; lane < wide; ++lane) {
                late[lane] += sum[lane];
                sum[lane] += data[lane];
            }
        const std::uint64_t bytes = static_cast<std::uint64_t>(blocks * wide);
        b += bytes * a;
        for (std::ptrdiff_t lane = 0; lane < wide; ++lane) {
            // A byte at lane l of block k counts (blocks - k) * wide - l times.
            b += std::uint64_t{wide} * late[lane] +
                 static_cast<std::uint64_t>(wide - lane) * sum[lane];
            a += sum[lane];
        }
        a %= modulus;
        b %= modulus;
        count -= static_cast<std::ptrdiff_t>(bytes);
    }
    for (; count > 0; --count, ++data) {
        a += *data;
        b += a;
    }
    *low = static_cast<std::uint32_t>(a % modulus);
    *high = static_cast<std::uint32_t>(b % modulus);
}

void big_endian(const std::uint16_t* __restrict samples, std::ptrdiff_t count,
                Byte* __restrict out) {
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        out[2 * i] = static_cast<Byte>(samples[i] >> 8);
        out[2 * i + 1] = static_cast<Byte>(samples[i] & 255);
    }
}

}  // namespace

extern const PngFilterKernels png_filter_kernels;
const PngFilterKernels png_filter_kernels{&nonzero_range, &filter_costs, &filter_row, &adler,
                                          &big_endian};

}  // namespace nssbg::NSSBG_LEVEL
