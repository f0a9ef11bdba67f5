// The forward process and one sampler step on a GPU: weighted sums of a few arrays in one pass.
#pragma once

#include <stipple/backend/diffusion_weights.hpp>
#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// One sampler step. `x0` receives the bounded x0 unless null. For float.
template <class T>
void diffusion_update(const UpdateWeights<T>& weights, Pointer<const T> x, Pointer<const T> prediction,
                      const UpdateExtras<T, Cuda>& extras, Pointer<T> out, Pointer<T> x0, Index n);

/// out[i, j] = a[i] x[i, j] + b[i] y[i, j]: `rows` samples of `row` elements, each with its own weights. U is float, T
/// float or bf16.
template <class T, class U>
void mix_rows(Pointer<const U> a, Pointer<const U> x, Pointer<const U> b, Pointer<const U> y, Pointer<T> out,
              Index rows, Index row);

}  // namespace stipple::cuda
