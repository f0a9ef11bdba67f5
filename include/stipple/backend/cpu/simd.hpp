// Vectors of the compute type, one form an instruction set, and the run-time choice among them.
//
// Kernel text (text/*.inl) is written once against `vec_for<T>` and compiled once an instruction set by
// for_each_isa.hpp: portable, avx2, avx512. It holds no lambdas, because clang gives them no target attribute;
// loops over chunks stand in the headers, outside of the text. `double` exists in the portable form only.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include <stipple/core/context.hpp>
#include <stipple/core/dtype.hpp>

#if STIPPLE_X86
#include <immintrin.h>
#endif

namespace stipple::cpu {

// Calls NAMESPACE::f(...) for the instruction set in use, with T = double always portable.
#if STIPPLE_X86
#define STIPPLE_CPU_DISPATCH(T, ...)                  \
  do {                                                \
    if constexpr (!std::is_same_v<T, double>) {       \
      Isa const isa_in_use = Context::instance().isa; \
      if (isa_in_use >= Isa::avx512) {                \
        avx512::__VA_ARGS__;                          \
        break;                                        \
      }                                               \
      if (isa_in_use == Isa::avx2) {                  \
        avx2::__VA_ARGS__;                            \
        break;                                        \
      }                                               \
    }                                                 \
    portable::__VA_ARGS__;                            \
  } while (false)
#else
#define STIPPLE_CPU_DISPATCH(T, ...) portable::__VA_ARGS__
#endif

/// The type in which a kernel computes: float for float and bf16, double for double.
template <class T>
using compute_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/simd.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/math.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
