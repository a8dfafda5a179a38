// exp and log of single numbers, from sums, products and quotients alone: C libraries round their
// own in the last place as they like, and what a decision rests on is to be the same on every
// machine and in the browser. Within two units in the last place. For numbers, not for pixels.
#pragma once

#include <cmath>

namespace nssbg {

// ln 2 in two parts: the first has zeros at its end, so that small multiples of it are exact.
constexpr double ln2_high = 0x1.62e42feep-1;
constexpr double ln2_low = 0x1.a39ef35793c76p-33;

// x within -700..700; beyond, the value there.
inline double exp_of(double x) {
    const double bounded = x < -700.0 ? -700.0 : (x > 700.0 ? 700.0 : x);
    const double power = std::nearbyint(bounded * 0x1.71547652b82fep+0);
    const double rest = (bounded - power * ln2_high) - power * ln2_low;
    double sum = 1.0;  // Taylor's series of |rest| <= ln 2 / 2: the first term left out is 4e-18
    for (int i = 14; i > 0; --i) sum = 1.0 + sum * rest / i;
    return std::ldexp(sum, static_cast<int>(power));
}

// x > 0, finite.
inline double log_of(double x) {
    int power = 0;
    double mantissa = std::frexp(x, &power);
    if (mantissa < 0x1.6a09e667f3bcdp-1) {
        mantissa *= 2;
        --power;
    }
    // 2 artanh(t), |t| <= 0.172: the first term left out is 1e-19.
    const double t = (mantissa - 1) / (mantissa + 1), square = t * t;
    double sum = 0;
    for (int i = 23; i > 0; i -= 2) sum = sum * square + 1.0 / i;
    return power * ln2_high + (2 * t * sum + power * ln2_low);
}

// 1 / (1 + e^-x).
inline double logistic_of(double x) { return 1.0 / (1.0 + exp_of(-x)); }

}  // namespace nssbg
