// CPU sinusoidal embeddings. They are computed in double: one row a sample costs little, and large t keeps its phase.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <stipple/core/context.hpp>
#include <stipple/core/dtype.hpp>

namespace stipple::cpu {

struct TimestepEmbeddingDims {
  Index n = 0, dim = 0;
  bool cos_first = false;
  double frequency_shift = 1, scale = 1, max_period = 10000;
};

/// out (n, dim) = [sin(scale t f_i), cos(scale t f_i)] with f_i = max_period^(-i / (dim/2 - shift)).
template <class S, class T>
void timestep_embedding(const S* t, T* out, const TimestepEmbeddingDims& d) {
  Index const half = d.dim / 2;
  std::vector<double> frequencies(static_cast<std::size_t>(half));
  for (Index i = 0; i < half; ++i)
    frequencies[static_cast<std::size_t>(i)] = d.scale * std::exp(-std::log(d.max_period) * static_cast<double>(i) /
                                                                  (static_cast<double>(half) - d.frequency_shift));
  parallel_for(d.n, std::max<Index>(1, 1024 / std::max<Index>(1, d.dim)), [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      T* const row = out + n * d.dim;
      for (Index i = 0; i < half; ++i) {
        double const angle = static_cast<double>(t[n]) * frequencies[static_cast<std::size_t>(i)];
        row[d.cos_first ? half + i : i] = static_cast<T>(std::sin(angle));
        row[d.cos_first ? i : half + i] = static_cast<T>(std::cos(angle));
      }
      if (d.dim % 2 != 0) row[d.dim - 1] = T(0);
    }
  });
}

}  // namespace stipple::cpu
