// CPU kernel of dropout: the mask is made from its key where it is used, and never stored.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/backend/dropout_plan.hpp>
#include <stipple/core/context.hpp>

namespace stipple::cpu {

/// y = x masked and scaled; `samples` rows of `size` elements. The mask is a function of key, row and element.
template <class T>
void dropout(const T* x, T* y, Index samples, Index size, const DropoutPlan& plan);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/dropout.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void dropout(const T* x, T* y, Index samples, Index size, const DropoutPlan& plan) {
  // Work items are groups, so that a single large sample is shared among threads too.
  Index const groups = (size + dropout_group - 1) / dropout_group;
  parallel_for(samples * groups, 32, [=](Index begin, Index end) {
    for (Index item = begin; item < end; ++item) {
      Index const sample = item / groups, from = item % groups * dropout_group;
      Index const at = sample * size + from, n = std::min(dropout_group, size - from);
      STIPPLE_CPU_DISPATCH(T, dropout_one_group<T>(plan, sample, from / dropout_group, x + at, y + at, n));
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                          \
  STIPPLE_EXTERN template void stipple::cpu::dropout<T>(const T*, T*, stipple::Index, stipple::Index, \
                                                        const stipple::DropoutPlan&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
