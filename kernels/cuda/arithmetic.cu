#include <stipple/backend/cuda/arithmetic.hpp>

#include <algorithm>

#include "arithmetic.cuh"
#include "launch.cuh"
#include "sums.cuh"

namespace stipple::cuda {

template <class T, class U>
void arithmetic(Arithmetic kind, Pointer<const T> a, Pointer<const U> b, Pointer<T> out, Broadcast s) {
  constexpr int lanes = lanes_of<T, U>;
  Index const n = s.outer * s.middle * s.inner;
  if (n == 0) return;
  bool const flat = aligned(a.address(), out.address()), same = aligned(b.address());
  if (s.middle == 1)
    launch("arithmetic", arithmetic_kernel<T, U>, strided_packs<lanes>(n), kind, a.address(), b.address(),
           out.address(), n, flat && same);
  else
    launch("arithmetic", broadcast_kernel<T, U>, strided_packs<lanes>(n), kind, a.address(), b.address(), out.address(),
           s, flat, same && s.inner % lanes == 0);
}

template <class T, class U>
void sum_broadcast(Pointer<const T> g, Pointer<const T> factor, Pointer<U> out, Broadcast s) {
  sum_middle("sum_broadcast", g.address(), factor.address(), out.address(), s);
}

template <class T>
void affine(Pointer<const T> a, float scale, float shift, Pointer<T> out, Index n) {
  if (n == 0) return;
  launch("affine", affine_kernel<T>, strided_packs<lanes_of<T>>(n), a.address(), scale, shift, out.address(), n,
         aligned(a.address(), out.address()));
}

template <class T, class U>
void cast(Pointer<const U> a, Pointer<T> out, Index n) {
  if (n == 0) return;
  launch("cast", cast_kernel<T, U>, strided_packs<lanes_of<T, U>>(n), a.address(), out.address(), n,
         aligned(a.address()) && aligned(out.address()));
}

#define STIPPLE_INSTANCES(T, U)                                                                          \
  template void arithmetic<T, U>(Arithmetic, Pointer<const T>, Pointer<const U>, Pointer<T>, Broadcast); \
  template void sum_broadcast<T, U>(Pointer<const T>, Pointer<const T>, Pointer<U>, Broadcast);
STIPPLE_INSTANCES(float, float)
STIPPLE_INSTANCES(bf16, bf16)
STIPPLE_INSTANCES(bf16, float)
#undef STIPPLE_INSTANCES
template void affine<float>(Pointer<const float>, float, float, Pointer<float>, Index);
template void affine<bf16>(Pointer<const bf16>, float, float, Pointer<bf16>, Index);
template void cast<float, bf16>(Pointer<const bf16>, Pointer<float>, Index);
template void cast<bf16, float>(Pointer<const float>, Pointer<bf16>, Index);

}  // namespace stipple::cuda
