// Layer normalisation over the last axis (Ba, Kiros and Hinton 2016).
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

template <Real T, Device D>
struct LayerNormResult {
  Tensor<T, D> y;                         ///< the shape of x
  Tensor<accumulate_t<T>, D> mean, rstd;  ///< one number for every row: x's shape without its last axis
};
template <Real T, Device D>
struct LayerNormGradients {
  Tensor<T, D> x;
  Tensor<accumulate_t<T>, D> weight, bias;  ///< (C); undefined where the operand was
};

namespace detail {
template <Real T, Device D>
Shape layer_norm_rows(const char* name, const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                      const Tensor<accumulate_t<T>, D>& bias);
}  // namespace detail

/// (x - mean) rstd weight + bias for x (..., C), with mean and variance of each row of C values and
/// rstd = 1 / sqrt(variance + eps). weight and bias are (C); undefined ones are left out.
template <Real T, Device D>
LayerNormResult<T, D> layer_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, double eps = 1e-5);

/// Gradients from that of the result, x and the statistics of the forward pass.
template <Real T, Device D>
LayerNormGradients<T, D> layer_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/layer_norm.hpp>

namespace stipple::ops::detail {

template <Real T, Device D>
Shape layer_norm_rows(const char* name, const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                      const Tensor<accumulate_t<T>, D>& bias) {
  require(x.defined() && x.rank() >= 1 && x.dim(-1) >= 1, name, ": given an input of shape ", x.shape(),
          ", wanted (..., C) with at least one channel");
  for (auto const* operand : {&weight, &bias})
    require(!operand->defined() || operand->shape() == Shape{x.dim(-1)}, name, ": given a weight or bias of shape ",
            operand->shape(), " for ", x.dim(-1), " channels, wanted (", x.dim(-1), ")");
  Shape rows;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) rows.append(x.dim(axis));
  return rows;
}

#define STIPPLE_INSTANCES(T, D)                                                                             \
  template Shape layer_norm_rows<T, D>(const char*, const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, \
                                       const Tensor<accumulate_t<T>, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
LayerNormResult<T, D> layer_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, double eps) {
  auto const rows = detail::layer_norm_rows("layer_norm", x, weight, bias);
  require(eps >= 0, "layer_norm: given eps ", eps, ", wanted zero or more");
  LayerNormResult<T, D> out{Tensor<T, D>(x.shape()), Tensor<accumulate_t<T>, D>(rows),
                            Tensor<accumulate_t<T>, D>(rows)};
  using cpu::layer_norm;
  layer_norm<T>(x.data(), weight.data(), bias.data(), out.y.data(), out.mean.data(), out.rstd.data(), rows.size(),
                x.dim(-1), eps);
  return out;
}

template <Real T, Device D>
LayerNormGradients<T, D> layer_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd) {
  auto const rows = detail::layer_norm_rows("layer_norm backward", x, weight, bias);
  require(dy.shape() == x.shape(), "layer_norm backward: given a gradient of shape ", dy.shape(), ", wanted ",
          x.shape());
  require(mean.defined() && rstd.defined(), "layer_norm backward: given no statistics");
  require(mean.shape() == rows && rstd.shape() == rows, "layer_norm backward: given statistics of shapes ",
          mean.shape(), " and ", rstd.shape(), ", wanted ", rows);
  LayerNormGradients<T, D> g;
  g.x = Tensor<T, D>(x.shape());
  if (weight.defined()) g.weight = Tensor<accumulate_t<T>, D>(weight.shape());
  if (bias.defined()) g.bias = Tensor<accumulate_t<T>, D>(bias.shape());
  using cpu::layer_norm_backward;
  layer_norm_backward<T>(dy.data(), x.data(), weight.data(), mean.data(), rstd.data(), g.x.data(), g.weight.data(),
                         g.bias.data(), rows.size(), x.dim(-1));
  return g;
}

#define STIPPLE_INSTANCES(T, D)                                                                                       \
  template LayerNormResult<T, D> layer_norm<T, D>(const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&,             \
                                                  const Tensor<accumulate_t<T>, D>&, double);                         \
  template LayerNormGradients<T, D> layer_norm_backward<T, D>(                                                        \
      const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, \
      const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
