// CPU kernel of sinusoidal embeddings.
#pragma once

#include <algorithm>
#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/backend/timestep_frequencies.hpp>

namespace stipple::cpu {

/// y (n, dim): sines and cosines of t[i] times each frequency, sines first or cosines first; with an odd `dim` a zero
/// in the last column.
template <class T>
void timestep_embedding(const compute_t<T>* t, T* y, Index n, Index dim, bool cosines_first,
                        const TimestepFrequencies& frequencies);

/// `count` frequencies in turns per unit of t, as doubles and as sums of two floats.
struct TurnView {
  const double* turns;
  const float* upper;
  const float* lower;
  Index count;
};

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/timestep_embedding.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void timestep_embedding(const compute_t<T>* t, T* y, Index n, Index dim, bool cosines_first,
                        const TimestepFrequencies& frequencies) {
  Index const half = frequencies.count;
  std::vector<double> turns;
  std::vector<float> upper, lower;
  for (Index i = 0; i < half; ++i) {
    turns.push_back(frequencies.turns(i));
    upper.push_back(static_cast<float>(turns.back()));
    lower.push_back(static_cast<float>(turns.back() - static_cast<double>(upper.back())));
  }
  TurnView const view{turns.data(), upper.data(), lower.data(), half};
  parallel_for(n, std::max<Index>(1, 4096 / std::max<Index>(1, dim)), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      T* const row = y + i * dim;
      T* const sines = cosines_first ? row + half : row;
      T* const cosines = cosines_first ? row : row + half;
      STIPPLE_CPU_DISPATCH(T, sines_and_cosines<T>(t[i], view, sines, cosines));
      if (dim % 2 == 1) row[dim - 1] = T(0);
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                              \
  STIPPLE_EXTERN template void stipple::cpu::timestep_embedding<T>(const stipple::cpu::compute_t<T>*, T*, \
                                                                   stipple::Index, stipple::Index, bool,  \
                                                                   const stipple::TimestepFrequencies&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
