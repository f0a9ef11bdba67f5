#include <stipple/backend/cuda/optimizer.hpp>

#include <stipple/backend/cuda/arithmetic.hpp>

#include "launch.cuh"
#include "optimizer.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

namespace {

OptimizerArrays<float> addresses(const OptimizerArrays<float, Cuda>& a) {
  return {a.weights.address(),        a.gradients.address(),
          a.gradient_scale.address(), {a.moments[0].address(), a.moments[1].address(), a.moments[2].address()},
          a.average.address(),        a.working.address()};
}

bool whole(const OptimizerArrays<float>& a) {
  return aligned(a.weights, a.average) && aligned(a.gradients, static_cast<const float*>(a.moments[0])) &&
         aligned(a.moments[1], a.moments[2]) && aligned(a.working);
}

// Calls finish(parts, pieces) with the sums of squares of the pieces of x.
template <class Finish>
void add_squares(const char* name, Pointer<const float> x, Index n, const Finish& finish) {
  constexpr Index size = 16 * 1024;  // elements that a block adds up
  Index const pieces = (n + size - 1) / size;
  Workspace<double> parts(pieces > 0 ? pieces : 1);
  if (pieces > 0)
    launch(name, squares_kernel, {dim3(grid_extent(name, pieces)), dim3(256)}, x.address(), parts.data(), n, size,
           aligned(x.address()));
  finish(parts.data(), pieces);
}

}  // namespace

template <class C>
void adam_update(Pointer<const AdamUpdate<C>> update, const OptimizerArrays<C, Cuda>& arrays, Index n) {
  if (n == 0) return;
  auto const a = addresses(arrays);
  launch("adam", adam_kernel, strided_packs<arena_lanes>(n), update.address(), a, n, whole(a));
}

template <class C>
void sgd_update(Pointer<const SgdUpdate<C>> update, const OptimizerArrays<C, Cuda>& arrays, Index n) {
  if (n == 0) return;
  auto const a = addresses(arrays);
  launch("sgd", sgd_kernel, strided_packs<arena_lanes>(n), update.address(), a, n, whole(a));
}

double sum_of_squares(Pointer<const float> x, Index n) {
  Workspace<double> out(1);
  add_squares("sum_of_squares", x, n, [&](const double* parts, Index pieces) {
    launch("sum_of_squares", squares_total_kernel, {dim3(1), dim3(256)}, parts, pieces, out.data());
  });
  double total = 0;
  Memory<Cuda>::copy_to_host(&total, out.data(), sizeof total);
  return total;
}

void clip_norm(Pointer<const float> x, Index n, double max_norm, Pointer<double> out) {
  add_squares("clip_norm", x, n, [&](const double* parts, Index pieces) {
    launch("clip_norm", clip_norm_kernel, {dim3(1), dim3(256)}, parts, pieces, max_norm, out.address());
  });
}

void scale_in_place(Pointer<float> x, float factor, Index n) { affine(Pointer<const float>(x), factor, 0.0f, x, n); }

template void adam_update<float>(Pointer<const AdamUpdate<float>>, const OptimizerArrays<float, Cuda>&, Index);
template void sgd_update<float>(Pointer<const SgdUpdate<float>>, const OptimizerArrays<float, Cuda>&, Index);

}  // namespace stipple::cuda
