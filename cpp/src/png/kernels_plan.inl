// The planning parse of png_deflate.cpp, which includes this once, after what it uses: load32,
// load64, match_length, log2_sixteenths, Sink.

// Parses spans by dynamic programming over pixels: of all ways to cover a span with literals and
// the matches found, the cheapest (after Storer and Szymanski, 1982). Matches come from two
// tables that hold where a pixel, and where two pixels, stood last.
template <int fixed_step>
class Planner {
public:
    Planner(const PngStrip& strip, const PngSymbolCosts& costs, const PngPlan& plan)
        : data_(strip.data), step_(strip.step), guess_(costs), costs_(costs), plan_(plan) {
        // Pixels are taken from their alpha, that of the pixel before: it is the byte most
        // likely to repeat, and a match is to have it.
        lead_ = step_ == 4 || step_ == 8 ? step_ - step_ / 4 : 0;
        longest_ = longest_match / step_ * step_;
        for (int length = 0; length < shortest_match; ++length) costs_.length[length] = never;
        price_distances();
        std::memset(plan.pixels, 0, sizeof(std::uint16_t) << png_plan_hash_bits);
        std::memset(plan.pairs, 0, sizeof(std::uint16_t) << png_plan_hash_bits);
    }

    void operator()(Sink& sink, std::ptrdiff_t begin, std::ptrdiff_t end) {
        if (spans_++ > 0) price(sink);
        for (begin += lead_; end - begin >= 8;) {
            const std::ptrdiff_t count = nodes(begin, end);
            find(begin, count);
            plan<true>(begin, count);
            emit(sink, begin, count);
            begin += count * step_;
        }
    }

    // What the second half of a span's begin costs with all that is found, and with runs of the
    // pixel before alone.
    PngEstimate estimate(std::ptrdiff_t begin, std::ptrdiff_t end) const {
        begin += lead_;
        if (end - begin < 8) return {0, 0};
        std::ptrdiff_t count = nodes(begin, end);
        if (count > png_estimate_nodes) count = png_estimate_nodes;
        find(begin, count);
        plan<false>(begin, count);
        const std::uint32_t runs = plan_.costs[count / 2];
        plan<true>(begin, count);
        return {plan_.costs[count / 2], runs};
    }

private:
    std::ptrdiff_t step() const { return fixed_step != 0 ? fixed_step : step_; }
    std::ptrdiff_t nodes(std::ptrdiff_t begin, std::ptrdiff_t end) const {
        const std::ptrdiff_t count = (end - begin) / step_;
        return count < png_plan_nodes ? count : png_plan_nodes;
    }

    static constexpr std::uint32_t never = 1u << 28;

    static std::uint32_t pixel_hash(std::uint64_t value) {
        return (static_cast<std::uint32_t>(value) * 2654435761u) >> (32 - png_plan_hash_bits);
    }
    static std::uint64_t pair_hash(std::uint64_t value) {
        return (value * 0x9E3779B97F4A7C15ull) >> (64 - png_plan_hash_bits);
    }

    // Prices symbols by how often the rows so far have taken them, the guess counting as some rows.
    void price(const Sink& sink) {
        std::uint32_t taken[literal_symbols] = {};
        std::uint32_t total = 0;
        for (int i = 0; i < 256; ++i)
            total += taken[i] = sink.literals[0][i] + sink.literals[1][i] + sink.literals[2][i] +
                                sink.literals[3][i];
        std::uint32_t distances = 0;
        for (int i = 0; i < distance_symbols; ++i) distances += sink.distances[i];
        for (int i = 0; i < 29; ++i) total += taken[257 + i] = sink.lengths[i];
        const std::uint32_t whole = log2_sixteenths(64 * (total + guess_weight));
        const auto priced = [&](std::uint32_t log_total, std::uint32_t count, std::uint32_t guess) {
            // In 64ths of a symbol.
            const std::uint32_t guessed = (64 * guess_weight) >> ((guess + 8) / 16);
            return log_total - log2_sixteenths(64 * count + (guessed == 0 ? 1 : guessed));
        };
        for (int i = 0; i < 256; ++i)
            costs_.literal[i] = floor_bit(priced(whole, taken[i], guess_.literal[i]));
        for (int length = shortest_match; length <= longest_match; ++length) {
            const int symbol = length_table.symbol[length];
            const std::uint32_t extra = 16u * length_table.extra[symbol];
            costs_.length[length] = extra + floor_bit(priced(whole, taken[257 + symbol],
                                                             guess_.length[length] - extra));
        }
        const std::uint32_t all = log2_sixteenths(64 * (distances + guess_weight));
        for (int i = 0; i < distance_symbols; ++i) {
            const std::uint32_t extra = 16u * static_cast<std::uint32_t>(distance_extra(i));
            costs_.distance[i] =
                extra + floor_bit(priced(all, sink.distances[i], guess_.distance[i] - extra));
        }
        price_distances();
    }
    // Distances are priced by their highest bit: the mean of the symbols that share it.
    void price_distances() {
        for (std::uint32_t top = 0; top < 16; ++top) {
            const int low = distance_symbol(1u << top);
            const int high = distance_symbol((2u << top) - 1);
            // Of the last only 32768 is in the window: it is not worth a look.
            distance_cost_[top] = low >= distance_symbols || high >= distance_symbols
                                      ? never
                                      : (costs_.distance[low] + costs_.distance[high]) / 2;
        }
    }
    static std::uint32_t floor_bit(std::uint32_t cost) { return cost < 16 ? 16 : cost; }

    struct Candidate {
        std::ptrdiff_t length;
        std::ptrdiff_t distance;
    };

    // What stood at `entry` (low 16 bits of its place), as far as it goes on at `at`.
    Candidate match(std::ptrdiff_t at, std::uint64_t value, std::uint16_t entry,
                    std::ptrdiff_t stop) const {
        std::ptrdiff_t distance = static_cast<std::uint16_t>(at - entry);
        const std::ptrdiff_t farthest = at < window ? at : window;
        // Any distance may be tried, as bytes are compared; this one needs no branch.
        if (distance == 0 || distance > farthest) distance = 1;
        const std::uint64_t differ = value ^ load64(data_ + at - distance);
        if (differ != 0) return {__builtin_ctzll(differ) >> 3, distance};
        const Byte* next = data_ + at + 8;
        return {8 + match_length(next, next - distance, data_ + stop), distance};
    }

    PngMatch cut(const Candidate& found) const {
        return {static_cast<std::uint16_t>(found.length < longest_ ? found.length : longest_),
                static_cast<std::uint16_t>(found.distance)};
    }

    // Prices the bytes of `count` pixels and looks for matches, which end within these pixels.
    void find(std::ptrdiff_t begin, std::ptrdiff_t count) const {
        const std::ptrdiff_t step = this->step();
        const std::ptrdiff_t stop = begin + count * step;
        std::uint32_t sum = 0;
        for (std::ptrdiff_t i = 0; i < count * step; ++i) {
            plan_.prefix[i] = sum;
            sum += costs_.literal[data_[begin + i]];
        }
        plan_.prefix[count * step] = sum;
        for (std::ptrdiff_t k = 0; k < count; ++k) {
            const std::ptrdiff_t at = begin + k * step;
            if (stop - at < 8) {
                plan_.near[k] = plan_.far[k] = {0, 1};
                continue;
            }
            const std::uint64_t value = load64(data_ + at);
            std::uint16_t& pixel = plan_.pixels[pixel_hash(value)];
            std::uint16_t& pair = plan_.pairs[pair_hash(value)];
            Candidate longest = match(at, value, pixel, stop);
            plan_.near[k] = cut(longest);
            plan_.far[k] = {0, 1};
            if (longest.length < 8) {
                const Candidate far = match(at, value, pair, stop);
                if (far.length >= 8) {
                    plan_.far[k] = cut(far);
                    longest = far;
                }
            }
            pixel = pair = static_cast<std::uint16_t>(at);
            // Within a long match nothing else is looked for.
            while ((longest.length -= step) >= enough) {
                ++k;
                plan_.near[k] = cut(longest);
                plan_.far[k] = {0, 1};
            }
        }
    }

    // A step of the way: `literals` bytes as they are, then a match, then the rest of the pixel in
    // which it ends.
    struct Step {
        std::uint32_t cost;
        std::uint64_t step;
    };

    // Takes the better of `best` and a match `skip` bytes after pixel k's begin, whose byte costs
    // `prefix` sums up; cut down to whole pixels or not.
    void weigh(Step& best, std::ptrdiff_t k, const std::uint32_t* prefix, std::ptrdiff_t skip,
               std::ptrdiff_t length, std::ptrdiff_t distance) const {
        const std::ptrdiff_t step = this->step();
        const std::uint32_t price = prefix[skip] - prefix[0] + distance_cost_[top_bit(distance)];
        const std::ptrdiff_t stop = skip + length;
        const std::ptrdiff_t whole = stop / step;
        const std::ptrdiff_t cut = whole * step;
        const std::ptrdiff_t up = (stop + step - 1) / step;
        const std::ptrdiff_t shorter_length = cut - skip > 0 ? cut - skip : 0;
        const std::uint32_t shorter =
            price + costs_.length[shorter_length] + plan_.costs[k + whole];
        const std::uint32_t longer =
            price + costs_.length[length] + prefix[up * step] - prefix[stop] + plan_.costs[k + up];
        const bool is_shorter = shorter < longer;
        const std::uint32_t cost = is_shorter ? shorter : longer;
        const std::ptrdiff_t taken = is_shorter ? shorter_length : length;
        const std::uint64_t chosen = step_of(skip, taken, distance);
        best.step = cost < best.cost ? chosen : best.step;
        best.cost = cost < best.cost ? cost : best.cost;
    }

    static std::uint64_t step_of(std::ptrdiff_t skip, std::ptrdiff_t length,
                                 std::ptrdiff_t distance) {
        // 40 bits, whatever a ptrdiff_t has.
        return static_cast<std::uint64_t>(distance) << 24 | static_cast<std::uint64_t>(skip) << 16 |
               static_cast<std::uint64_t>(length);
    }

    // Bytes at the end of the pixel at `at` that equal those `distance` before.
    std::ptrdiff_t equal_tail(const Byte* at, std::ptrdiff_t distance) const {
        if constexpr (fixed_step == 4) {
            const std::uint32_t differ = load32(at) ^ load32(at - distance);
            return differ == 0 ? 4 : __builtin_clz(differ) >> 3;
        } else {
            std::ptrdiff_t tail = 0;
            while (tail < step_ && at[step_ - 1 - tail] == at[step_ - 1 - tail - distance]) ++tail;
            return tail;
        }
    }
    std::ptrdiff_t zero_tail(const Byte* at) const {
        if constexpr (fixed_step == 4) {
            const std::uint32_t value = load32(at);
            return value == 0 ? 4 : __builtin_clz(value) >> 3;
        } else {
            std::ptrdiff_t tail = 0;
            while (tail < step_ && at[step_ - 1 - tail] == 0) ++tail;
            return tail;
        }
    }

    // From the last pixel to the first: the cheapest way on from each, and its first step in
    // `steps`. Without `all` only runs are taken.
    template <bool all>
    void plan(std::ptrdiff_t begin, std::ptrdiff_t count) const {
        const std::ptrdiff_t step = this->step();
        plan_.costs[count] = 0;
        std::ptrdiff_t zeros = 0;  // from the next pixel's begin on
        PngMatch next{0, 1};       // that pixel's match
        for (std::ptrdiff_t k = count - 1; k >= 0; --k) {
            const std::uint32_t* prefix = plan_.prefix + k * step;
            const Byte* at = data_ + begin + k * step;
            plan_.costs[k] = never;
            Step best{prefix[step] - prefix[0] + plan_.costs[k + 1], 0};
            const PngMatch near = plan_.near[k];
            const PngMatch far = plan_.far[k];
            if (all || near.distance == step) weigh(best, k, prefix, 0, near.length, near.distance);
            if (far.length != 0 && (all || far.distance == step))
                weigh(best, k, prefix, 0, far.length, far.distance);
            // The next pixel's match, begun within this one.
            if (next.length != 0 && begin + k * step >= next.distance) {
                const std::ptrdiff_t back = equal_tail(at, next.distance);
                if (back > 0 && back < step)
                    weigh(best, k, prefix, step - back, next.length + back, next.distance);
            }
            // A run of zeros begun within this pixel.
            const std::ptrdiff_t tail = zero_tail(at);
            if (tail + zeros >= shortest_match + 1 && tail > 0) {
                const std::ptrdiff_t most = longest_ - 2 * step;
                const std::ptrdiff_t run = tail + zeros < most ? tail + zeros : most;
                const std::ptrdiff_t first = at[step - tail - 1] != 0 ? 1 : 0;
                weigh(best, k, prefix, step - tail + first, run - first, 1);
            }
            zeros = tail == step ? zeros + step : leading_zeros(at);
            next = far.length != 0 ? far : near;
            if (next.length < shortest_match || next.length + step > longest_ ||
                !(all || next.distance == step))
                next.length = 0;
            plan_.steps[k] = best.step;
            plan_.costs[k] = best.cost;
        }
    }

    std::ptrdiff_t leading_zeros(const Byte* at) const {
        if constexpr (fixed_step == 4) {
            return __builtin_ctz(load32(at)) >> 3;
        } else {
            std::ptrdiff_t zeros = 0;
            while (at[zeros] == 0) ++zeros;
            return zeros;
        }
    }

    static int top_bit(std::ptrdiff_t value) {
        return 31 - __builtin_clz(static_cast<unsigned>(value));
    }

    void emit(Sink& sink, std::ptrdiff_t begin, std::ptrdiff_t count) const {
        std::ptrdiff_t stop = begin;  // of the match before, which `from` began
        std::ptrdiff_t from = begin;
        std::ptrdiff_t distance = 0;
        for (std::ptrdiff_t k = 0; k < count;) {
            const std::uint64_t chosen = plan_.steps[k];
            if (chosen == 0) {
                ++k;
                continue;
            }
            const std::ptrdiff_t length = chosen & 0xFFFF;
            const std::ptrdiff_t skip = (chosen >> 16) & 0xFF;
            const std::ptrdiff_t back = static_cast<std::ptrdiff_t>(chosen >> 24);
            const std::ptrdiff_t at = begin + k * step() + skip;
            // Pieces of one long match are put together again.
            if (at != stop || back != distance) {
                if (stop > from) sink.match(from, stop - from, distance);
                from = at;
                distance = back;
            }
            stop = at + length;
            k += (skip + length + step() - 1) / step();
        }
        if (stop > from) sink.match(from, stop - from, distance);
    }

    static constexpr std::uint32_t guess_weight = 512;  // symbols
    // A match this long is taken without a look for others within.
    static constexpr std::ptrdiff_t enough = 48;

    const Byte* data_;
    std::ptrdiff_t step_;
    const PngSymbolCosts& guess_;
    PngSymbolCosts costs_;
    const PngPlan& plan_;
    std::ptrdiff_t lead_ = 0;
    std::ptrdiff_t longest_ = 0;
    std::ptrdiff_t spans_ = 0;
    std::uint32_t distance_cost_[16];
};
