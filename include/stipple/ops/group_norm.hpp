// Group normalisation (Wu and He 2018), with an optional activation behind it.
#pragma once

#include <stipple/backend/norm_shape.hpp>
#include <stipple/core/activation.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

struct GroupNormSpec {
  Index groups = 1;
  double eps = 1e-5;
  Activation activation = Activation::none;
};

namespace ops {

template <Real T, Device D>
struct GroupNormResult {
  Tensor<T, D> y;                         ///< the shape of x
  Tensor<accumulate_t<T>, D> mean, rstd;  ///< (N, groups)
};
template <Real T, Device D>
struct GroupNormGradients {
  Tensor<T, D> x;
  Tensor<accumulate_t<T>, D> weight, bias;  ///< (C); undefined where the operand was
};

/// activation((x - mean) rstd weight + bias) for x (N, ..., C): mean and variance are those of each sample's groups of
/// C / groups neighbouring channels, rstd = 1 / sqrt(variance + eps). weight and bias are (C); undefined ones are left
/// out.
template <Real T, Device D>
GroupNormResult<T, D> group_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, const GroupNormSpec& spec);

/// Gradients from that of the result, x and the statistics of the forward pass.
template <Real T, Device D>
GroupNormGradients<T, D> group_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd, const GroupNormSpec& spec);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/group_norm.hpp>

namespace stipple::ops::detail {

/// Checks x (N, ..., C) and the optional per-channel operands.
template <Real T, Device D>
NormShape group_norm_shape(const char* name, const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                           const Tensor<accumulate_t<T>, D>& bias, const GroupNormSpec& spec) {
  require(x.defined() && x.rank() >= 2 && (x.size() > 0 || x.dim(0) == 0), name, ": given an input of shape ",
          x.shape(), ", wanted (N, ..., C) with at least one element a sample");
  Index const channels = x.dim(-1);
  require(spec.groups >= 1 && channels >= 1 && channels % spec.groups == 0, name, ": given ", channels,
          " channels and ", spec.groups, " groups, wanted groups of equal size");
  require(spec.eps >= 0, name, ": given eps ", spec.eps, ", wanted zero or more");
  for (auto const* operand : {&weight, &bias})
    require(!operand->defined() || operand->shape() == Shape{channels}, name, ": given a weight or bias of shape ",
            operand->shape(), " for ", channels, " channels, wanted (", channels, ")");
  return {x.dim(0), x.shape().count(1, x.rank() - 1), channels, spec.groups};
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
GroupNormResult<T, D> group_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, const GroupNormSpec& spec) {
  auto const shape = detail::group_norm_shape("group_norm", x, weight, bias, spec);
  GroupNormResult<T, D> out{Tensor<T, D>(x.shape()), Tensor<accumulate_t<T>, D>({shape.samples, shape.groups}),
                            Tensor<accumulate_t<T>, D>({shape.samples, shape.groups})};
  using cpu::group_norm;
  group_norm<T>(x.data(), weight.data(), bias.data(), out.y.data(), out.mean.data(), out.rstd.data(), nullptr, shape,
                spec.eps, spec.activation);
  return out;
}

template <Real T, Device D>
GroupNormGradients<T, D> group_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd, const GroupNormSpec& spec) {
  auto const shape = detail::group_norm_shape("group_norm backward", x, weight, bias, spec);
  require(dy.shape() == x.shape(), "group_norm backward: given a gradient of shape ", dy.shape(), ", wanted ",
          x.shape());
  Shape const statistics{shape.samples, shape.groups};
  require(mean.shape() == statistics && rstd.shape() == statistics, "group_norm backward: given statistics of shapes ",
          mean.shape(), " and ", rstd.shape(), ", wanted ", statistics);
  GroupNormGradients<T, D> g;
  g.x = Tensor<T, D>(x.shape());
  if (weight.defined()) g.weight = Tensor<accumulate_t<T>, D>(weight.shape());
  if (bias.defined()) g.bias = Tensor<accumulate_t<T>, D>(bias.shape());
  using cpu::group_norm_backward;
  group_norm_backward<T>(dy.data(), x.data(), weight.data(), bias.data(), mean.data(), rstd.data(), g.x.data(),
                         g.weight.data(), g.bias.data(), shape, spec.activation);
  return g;
}

#define STIPPLE_INSTANCES(T, D)                                                                                       \
  template GroupNormResult<T, D> group_norm<T, D>(const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&,             \
                                                  const Tensor<accumulate_t<T>, D>&, const GroupNormSpec&);           \
  template GroupNormGradients<T, D> group_norm_backward<T, D>(                                                        \
      const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, \
      const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, const GroupNormSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
