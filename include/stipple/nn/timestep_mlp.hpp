// The time conditioning of diffusion networks: a sinusoidal embedding followed by a small perceptron, and TimeLinear.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/nn/linear.hpp>

namespace stipple {

/// True if all timesteps are equal, as in every call of a sampler.
template <Real S, Device D>
bool is_uniform(const Tensor<S, D>& t) {
  for (S const value : t.span())
    if (value != t.data()[0]) return false;
  return t.size() > 0;
}

/// The timesteps a network has to embed: one of them when sampling with a uniform t, because its row then serves the
/// whole batch by broadcasting, bit for bit as the rows of a full batch would.
template <Real S, Device D>
Tensor<S, D> distinct_timesteps(const Tensor<S, D>& t) {
  return !autograd::recording_flag() && t.rank() == 1 && t.size() > 1 && is_uniform(t) ? t.slice(0, 1) : t;
}

/// Linear, activation, Linear on a timestep embedding: (N, in) -> (N, out). Parameter names follow PyTorch's
/// Sequential: mlp.0, mlp.2.
template <Real T, Device D = Cpu>
struct TimestepMlp {
  Linear<T, D> first, second;
  Activation activation = Activation::silu;

  TimestepMlp() = default;
  TimestepMlp(Index in, Index out, Rng& rng, Activation between = Activation::silu)
      : first(in, out, rng), second(out, out, rng), activation(between) {}
  Var<T, D> operator()(const Var<T, D>& embedding) const { return second(activate(first(embedding), activation)); }
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

  TimeLinear(Index in, Index out, Rng& rng) : time_embedding(embedding_size, out, rng), fc(in, out, rng) {}
  /// x (N, in) and the embedding of its timesteps (N, 256) or (1, 256) -> (N, out).
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& embedding) const {
    return fc(x) * time_embedding(embedding);
  }
  static void each(auto& self, auto&& f) {
    f("time_embedding", self.time_embedding);
    f("fc", self.fc);
  }
};

}  // namespace stipple
