// Linear: y = x W + b.
#pragma once

#include <stipple/autograd/matmul.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/init.hpp>

namespace stipple {

struct LinearConfig {
  bool bias = true;
};

/// (..., in) -> (..., out). Weights and bias start as PyTorch's: uniform in +-1/sqrt(in).
template <Real T, Device D = Cpu>
struct Linear {
  Parameter<T, D> weight;
  Parameter<accumulate_t<T>, D> bias;

  Linear() = default;
  Linear(Index in, Index out, Rng& rng, LinearConfig config = {});
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
Linear<T, D>::Linear(Index in, Index out, Rng& rng, LinearConfig config) {
  require(in >= 1 && out >= 1, "Linear: given ", in, " -> ", out, " features, wanted at least 1 of each");
  weight = Parameter<T, D>(default_init<T, D>({in, out}, in, rng), Layout::linear);
  if (config.bias) bias = Parameter<accumulate_t<T>, D>(default_init<accumulate_t<T>, D>({out}, in, rng));
}

template <Real T, Device D>
Var<T, D> Linear<T, D>::operator()(const Var<T, D>& x) const {
  return linear(x, weight.var, bias.var);
}

#define STIPPLE_INSTANCES(T, D) template struct Linear<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
