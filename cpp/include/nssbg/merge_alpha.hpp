// The alpha that a picture came with counts too: the product of a new alpha with it.
#pragma once

#include <cstdint>

#include "nssbg/image_view.hpp"

namespace nssbg {

// out = alpha times existing. A is uint8_t or float (0..1), E uint8_t or uint16_t; out keeps the
// finer of the two: E for bytes, rounded to the nearest, so that 16 bits stay 16 bits, and float
// for floats. All are H x W. Throws std::invalid_argument for views that do not fit together.
template <class A, class E, class Out>
void merge_alpha(const ImageView<const A>& alpha, const ImageView<const E>& existing,
                 const ImageView<Out>& out);

}  // namespace nssbg
