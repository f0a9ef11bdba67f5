// The blocks of the usual diffusion U-Net (Ho et al. 2020, appendix B).
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/nn/timestep_mlp.hpp>

namespace stipple {

/// Timesteps (N) -> (N, out): sinusoids of `dim` columns, then Linear, SiLU, Linear.
template <Real T, Device D = Cpu>
struct TimeEmbedding {
  Index dim;
  TimestepMlp<T, D> mlp;

  TimeEmbedding(Index sinusoids, Index out, Rng& rng);
  Var<T, D> operator()(const Tensor<accumulate_t<T>, D>& t) const;
  static void each(auto& self, auto&& f) { f("", self.mlp); }
};

/// The largest number of groups, at most 32, of at least 4 channels each.
STIPPLE_INLINE Index default_groups(Index channels);

/// Norm, SiLU, 3x3, the time embedding, norm, SiLU, 3x3 and a residual: (N, H, W, in), (N, E) -> (N, H, W, out).
template <Real T, Device D = Cpu>
struct ResBlock {
  GroupNorm<T, D> norm1, norm2;
  Conv2d<T, D> conv1, conv2;
  Linear<T, D> time;
  std::optional<Conv2d<T, D>> skip;

  ResBlock(Index in, Index out, Index time_size, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& t) const;
  static void each(auto& self, auto&& f) {
    f("norm1", self.norm1);
    f("conv1", self.conv1);
    f("time", self.time);
    f("norm2", self.norm2);
    f("conv2", self.conv2);
    f("skip", self.skip);
  }
};

/// Norm, SiLU and a 3x3 convolution: the head of a U-Net.
template <Real T, Device D = Cpu>
struct NormConv {
  GroupNorm<T, D> norm;
  Conv2d<T, D> conv;

  NormConv(Index in, Index out, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("norm", self.norm);
    f("conv", self.conv);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
TimeEmbedding<T, D>::TimeEmbedding(Index sinusoids, Index out, Rng& rng) : dim(sinusoids), mlp(sinusoids, out, rng) {}

template <Real T, Device D>
Var<T, D> TimeEmbedding<T, D>::operator()(const Tensor<accumulate_t<T>, D>& t) const {
  return mlp(timestep_embedding<T>(t, dim));
}

template <Real T, Device D>
ResBlock<T, D>::ResBlock(Index in, Index out, Index time_size, Rng& rng)
    : norm1(default_groups(in), in, {.activation = Activation::silu}),
      norm2(default_groups(out), out, {.activation = Activation::silu}),
      conv1(in, out, {}, rng),
      conv2(out, out, {}, rng),
      time(time_size, out, rng) {
  if (in != out) skip.emplace(in, out, Conv2dConfig{.kernel = 1}, rng);
}

template <Real T, Device D>
Var<T, D> ResBlock<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& t) const {
  auto const h = conv1.after(norm1, x, time(silu(t)));
  return conv2.after(norm2, h, {}, skip ? (*skip)(x) : x);
}

template <Real T, Device D>
NormConv<T, D>::NormConv(Index in, Index out, Rng& rng)
    : norm(default_groups(in), in, {.activation = Activation::silu}), conv(in, out, {}, rng) {}

template <Real T, Device D>
Var<T, D> NormConv<T, D>::operator()(const Var<T, D>& x) const {
  return conv.after(norm, x);
}

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Index default_groups(Index channels) {
  Index groups = std::max<Index>(1, std::min<Index>(32, channels / 4));
  while (channels % groups != 0) --groups;
  return groups;
}
#endif

#define STIPPLE_INSTANCES(T, D)        \
  template struct TimeEmbedding<T, D>; \
  template struct ResBlock<T, D>;      \
  template struct NormConv<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
