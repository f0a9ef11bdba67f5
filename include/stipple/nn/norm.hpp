// Normalisation layers.
#pragma once

#include <stipple/autograd/group_norm.hpp>
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
  GroupNorm(Index groups, Index channels, GroupNormOptions options = {})
      : spec{groups, options.eps, options.activation},
        weight(Tensor<accumulate_t<T>, D>({channels}, accumulate_t<T>(1))),
        bias(Tensor<accumulate_t<T>, D>::zeros({channels})) {
    require(groups >= 1 && channels >= 1 && channels % groups == 0, "GroupNorm: given ", channels, " channels and ",
            groups, " groups, wanted groups of equal size");
  }
  Var<T, D> operator()(const Var<T, D>& x) const { return group_norm(x, weight.var, bias.var, spec); }
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace stipple
