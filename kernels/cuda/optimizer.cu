#include <stipple/backend/cuda/optimizer.hpp>

#include <stipple/backend/cuda/arithmetic.hpp>

#include "launch.cuh"
#include "optimizer.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

namespace {

OptimizerArrays<float> addresses(const OptimizerArrays<float, Cuda>& a) {
  return {a.weights.address(),
          a.gradients.address(),
          {a.moments[0].address(), a.moments[1].address(), a.moments[2].address()},
          a.average.address(),
          a.working.address()};
}

bool whole(const OptimizerArrays<float>& a) {
  return aligned(a.weights, a.average) && aligned(a.gradients, static_cast<const float*>(a.moments[0])) &&
         aligned(a.moments[1], a.moments[2]) && aligned(a.working);
}

}  // namespace

template <class C>
void adam_update(const AdamUpdate<C>& update, const OptimizerArrays<C, Cuda>& arrays, Index n) {
  if (n == 0) return;
  auto const a = addresses(arrays);
  launch("adam", adam_kernel, strided_packs<arena_lanes>(n), update, a, n, whole(a));
}

template <class C>
void sgd_update(const SgdUpdate<C>& update, const OptimizerArrays<C, Cuda>& arrays, Index n) {
  if (n == 0) return;
  auto const a = addresses(arrays);
  launch("sgd", sgd_kernel, strided_packs<arena_lanes>(n), update, a, n, whole(a));
}

double sum_of_squares(Pointer<const float> x, Index n) {
  constexpr Index size = 16 * 1024;  // elements that a block adds up
  Index const pieces = (n + size - 1) / size;
  if (n == 0) return 0;
  Workspace<double> parts(pieces + 1);
  launch("sum_of_squares", squares_kernel, {dim3(static_cast<unsigned>(pieces)), dim3(256)}, x.address(), parts.data(),
         n, size, aligned(x.address()));
  launch("sum_of_squares", squares_total_kernel, {dim3(1), dim3(256)}, parts.data(), pieces, parts.data() + pieces);
  double total = 0;
  Memory<Cuda>::copy_to_host(&total, parts.data() + pieces, sizeof total);
  return total;
}

void scale_in_place(Pointer<float> x, float factor, Index n) { affine(Pointer<const float>(x), factor, 0.0f, x, n); }

template void adam_update<float>(const AdamUpdate<float>&, const OptimizerArrays<float, Cuda>&, Index);
template void sgd_update<float>(const SgdUpdate<float>&, const OptimizerArrays<float, Cuda>&, Index);

}  // namespace stipple::cuda
