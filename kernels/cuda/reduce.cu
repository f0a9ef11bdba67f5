#include <stipple/backend/cuda/reduce.hpp>

#include "arithmetic.cuh"
#include "launch.cuh"
#include "reduce.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

template <class T>
T max_all(Pointer<const T> x, Index n) {
  LaunchShape const shape = strided_packs<lanes_of<T>>(n);
  auto const blocks = static_cast<Index>(shape.grid.x);
  Workspace<float> most(blocks + 1);
  launch("max", max_kernel<T>, shape, x.address(), most.data(), n, aligned(x.address()));
  launch("max", max_kernel<float>, {dim3(1), dim3(256)}, most.data(), most.data() + blocks, blocks, true);
  float result = 0;
  Memory<Cuda>::copy_to_host(&result, most.data() + blocks, sizeof result);
  return static_cast<T>(result);
}

template <class T>
void repeat(Pointer<const float> g, float scale, Pointer<T> y, Broadcast s) {
  constexpr int lanes = lanes_of<T>;
  Index const n = s.outer * s.middle * s.inner;
  if (n == 0) return;
  launch("repeat", repeat_kernel<T>, strided_packs<lanes>(n), g.address(), scale, y.address(), s, aligned(y.address()),
         aligned(g.address()) && s.inner % lanes == 0);
}

#define STIPPLE_INSTANCES(T)                      \
  template T max_all<T>(Pointer<const T>, Index); \
  template void repeat<T>(Pointer<const float>, float, Pointer<T>, Broadcast);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
