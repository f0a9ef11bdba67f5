#pragma once

#include <cmath>

#include "elementwise.cuh"

namespace stipple::cuda {

// A thread makes one sine and one cosine, of 2 pi 2^(first + f step) t. Whole turns are taken off in double, so that
// the angle is exact however large t is.
template <class T>
__global__ void __launch_bounds__(256)
    timestep_embedding_kernel(const float* t, T* y, Index n, Index dim, bool cosines_first, double turns, double step) {
  Index const half = dim / 2, pairs = n * half;
  for (Index i = first_element<1>(); i < pairs; i += element_stride<1>()) {
    Index const row = quotient(i, half), f = i - row * half;
    double const turn = turns * exp2(static_cast<double>(f) * step) * static_cast<double>(t[row]);
    auto const half_turns = static_cast<float>(2.0 * (turn - rint(turn)));
    T* const to = y + row * dim;
    to[cosines_first ? half + f : f] = from_float<T>(sine_of_half_turns(half_turns));
    to[cosines_first ? f : half + f] = from_float<T>(cosine_of_half_turns(half_turns));
    if (dim % 2 == 1 && f == 0) to[dim - 1] = from_float<T>(0.0f);
  }
}

}  // namespace stipple::cuda
