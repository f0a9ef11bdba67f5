// Normalisation layers.
#pragma once

#include <stipple/autograd/batch_norm.hpp>
#include <stipple/autograd/group_norm.hpp>
#include <stipple/autograd/layer_norm.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/parameter.hpp>

namespace stipple {

struct GroupNormOptions {
  double eps = 1e-5;
  Activation activation = Activation::none;  ///< applied to the result in the same pass
};

/// Group normalisation over (N, ..., C); weight starts as 1, bias as 0. One group makes it a layer norm over a whole
/// sample.
template <Real T, Device D = Cpu>
struct GroupNorm {
  GroupNormSpec spec;
  Parameter<accumulate_t<T>, D> weight, bias;

  /// Throws unless the groups divide the channels.
  GroupNorm(Index groups, Index channels, GroupNormOptions options = {});
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

/// Layer normalisation over the last axis; weight starts as 1, bias as 0.
template <Real T, Device D = Cpu>
struct LayerNorm {
  double eps;
  Parameter<accumulate_t<T>, D> weight, bias;

  explicit LayerNorm(Index channels, double eps_ = 1e-5);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

/// Batch normalisation over (N, ..., C), with the activation of `spec` in the same pass; weight starts as 1, bias as 0.
/// While a Training lives it uses the statistics of the batch and keeps running ones; otherwise it uses the running
/// ones.
template <Real T, Device D = Cpu>
struct BatchNorm2d {
  BatchNormSpec spec;
  Parameter<accumulate_t<T>, D> weight, bias;
  Buffer<accumulate_t<T>, D> running_mean, running_var;

  explicit BatchNorm2d(Index channels, BatchNormSpec spec_ = {});
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
    f("running_mean", self.running_mean);
    f("running_var", self.running_var);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
GroupNorm<T, D>::GroupNorm(Index groups, Index channels, GroupNormOptions options)
    : spec{groups, options.eps, options.activation},
      weight(Tensor<accumulate_t<T>, D>({channels}, accumulate_t<T>(1))),
      bias(Tensor<accumulate_t<T>, D>::zeros({channels})) {
  require(groups >= 1 && channels >= 1 && channels % groups == 0, "GroupNorm: given ", channels, " channels and ",
          groups, " groups, wanted groups of equal size");
}

template <Real T, Device D>
Var<T, D> GroupNorm<T, D>::operator()(const Var<T, D>& x) const {
  return group_norm(x, weight.var, bias.var, spec);
}

template <Real T, Device D>
LayerNorm<T, D>::LayerNorm(Index channels, double eps_)
    : eps(eps_),
      weight(Tensor<accumulate_t<T>, D>({channels}, accumulate_t<T>(1))),
      bias(Tensor<accumulate_t<T>, D>::zeros({channels})) {
  require(channels >= 1, "LayerNorm: given ", channels, " channels, wanted at least one");
}

template <Real T, Device D>
Var<T, D> LayerNorm<T, D>::operator()(const Var<T, D>& x) const {
  return layer_norm(x, weight.var, bias.var, eps);
}

template <Real T, Device D>
BatchNorm2d<T, D>::BatchNorm2d(Index channels, BatchNormSpec spec_)
    : spec(spec_),
      weight(Tensor<accumulate_t<T>, D>({channels}, accumulate_t<T>(1))),
      bias(Tensor<accumulate_t<T>, D>::zeros({channels})),
      running_mean{Tensor<accumulate_t<T>, D>::zeros({channels})},
      running_var{Tensor<accumulate_t<T>, D>({channels}, accumulate_t<T>(1))} {
  require(channels >= 1, "BatchNorm2d: given ", channels, " channels, wanted at least one");
}

template <Real T, Device D>
Var<T, D> BatchNorm2d<T, D>::operator()(const Var<T, D>& x) const {
  return batch_norm(x, weight.var, bias.var, running_mean.value, running_var.value, is_training(), spec);
}

#define STIPPLE_INSTANCES(T, D)    \
  template struct GroupNorm<T, D>; \
  template struct LayerNorm<T, D>; \
  template struct BatchNorm2d<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
