// The time conditioning of diffusion networks: a sinusoidal embedding followed by a small perceptron, and TimeLinear.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/linear.hpp>

namespace stipple {

/// True if all timesteps are equal, as in every call of a sampler.
template <Real S>
bool is_uniform(const Tensor<S>& t);

/// The timesteps a network has to embed: one of them when sampling with a uniform t, because its row then serves the
/// whole batch by broadcasting, bit for bit as the rows of a full batch would. On a GPU all of them: looking would wait
/// for it, and the rows are embedded at once.
template <Real S, Device D>
Tensor<S, D> distinct_timesteps(const Tensor<S, D>& t);

/// Linear, activation, Linear on a timestep embedding: (N, in) -> (N, out). Parameter names follow PyTorch's
/// Sequential: mlp.0, mlp.2.
template <Real T, Device D = Cpu>
struct TimestepMlp {
  Linear<T, D> first, second;
  Activation activation = Activation::silu;

  TimestepMlp() = default;
  TimestepMlp(Index in, Index out, Rng& rng, Activation between = Activation::silu);
  Var<T, D> operator()(const Var<T, D>& embedding) const;
  static void each(auto& self, auto&& f) {
    f("mlp.0", self.first);
    f("mlp.2", self.second);
  }
};

/// A linear map whose output is scaled by its own perceptron of the timestep embedding (KAIST CS479, assignment 3).
template <Real T, Device D = Cpu>
struct TimeLinear {
  static constexpr Index embedding_size = 256;

  TimestepMlp<T, D> time_embedding;
  Linear<T, D> fc;

  TimeLinear(Index in, Index out, Rng& rng);
  /// x (N, in) and the embedding of its timesteps (N, 256) or (1, 256) -> (N, out).
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& embedding) const;
  static void each(auto& self, auto&& f) {
    f("time_embedding", self.time_embedding);
    f("fc", self.fc);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
TimestepMlp<T, D>::TimestepMlp(Index in, Index out, Rng& rng, Activation between)
    : first(in, out, rng), second(out, out, rng), activation(between) {}

template <Real T, Device D>
Var<T, D> TimestepMlp<T, D>::operator()(const Var<T, D>& embedding) const {
  return second(activate(first(embedding), activation));
}

template <Real T, Device D>
TimeLinear<T, D>::TimeLinear(Index in, Index out, Rng& rng)
    : time_embedding(embedding_size, out, rng), fc(in, out, rng) {}

template <Real T, Device D>
Var<T, D> TimeLinear<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& embedding) const {
  return fc(x) * time_embedding(embedding);
}

template <Real S>
bool is_uniform(const Tensor<S>& t) {
  for (S const value : t.span())
    if (value != t.data()[0]) return false;
  return t.size() > 0;
}

template <Real S, Device D>
Tensor<S, D> distinct_timesteps(const Tensor<S, D>& t) {
  if constexpr (std::same_as<D, Cpu>)
    if (!autograd::recording_flag() && t.rank() == 1 && t.size() > 1 && is_uniform(t)) return t.slice(0, 1);
  return t;
}

#define STIPPLE_INSTANCES(S, D) template Tensor<S, D> distinct_timesteps<S, D>(const Tensor<S, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, D)      \
  template struct TimestepMlp<T, D>; \
  template struct TimeLinear<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
