// The network of the two-dimensional point sets: TimeLinear layers with ReLU between (KAIST CS479, assignment 3).
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/nn/timestep_mlp.hpp>

namespace stipple {

/// (N, in), t (N) -> (N, out). With the course's sizes 2-128-128-128-2 it has 182,410 parameters.
template <Real T, Device D = Cpu>
struct TimeLinearNet {
  std::vector<TimeLinear<T, D>> layers;

  /// `sizes` are the widths from input to output, at least two of them.
  TimeLinearNet(const std::vector<Index>& sizes, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const;
  static void each(auto& self, auto&& f) { f("layers", self.layers); }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
TimeLinearNet<T, D>::TimeLinearNet(const std::vector<Index>& sizes, Rng& rng) {
  require(sizes.size() >= 2, "TimeLinearNet: given ", sizes.size(), " sizes, wanted at least input and output");
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) layers.emplace_back(sizes[i], sizes[i + 1], rng);
}

template <Real T, Device D>
Var<T, D> TimeLinearNet<T, D>::operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const {
  // cos before sin, frequencies 10000^(-i / 128)
  Var<T, D> const embedding(ops::timestep_embedding<T>(distinct_timesteps(t), TimeLinear<T, D>::embedding_size,
                                                       {.flip_sin_to_cos = true, .downscale_freq_shift = 0}));
  Var<T, D> h = x;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) h = relu(layers[i](h, embedding));
  return layers.back()(h, embedding);
}

#define STIPPLE_INSTANCES(T, D) template struct TimeLinearNet<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
