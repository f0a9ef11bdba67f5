// Multi-head self-attention over the pixels of an image or the places of a sequence.
#pragma once

#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/blocks.hpp>
#include <stipple/nn/linear.hpp>

namespace stipple {

struct AttentionConfig {
  Index heads = 4;
};

/// x + out(attention(qkv(norm(x)))): (N, H, W, C) or (N, L, C) to the same shape.
template <Real T, Device D = Cpu>
struct Attention {
  Index heads;
  GroupNorm<T, D> norm;
  Linear<T, D> qkv, out;

  /// Throws unless the heads divide the channels.
  Attention(Index channels, AttentionConfig config, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("norm", self.norm);
    f("qkv", self.qkv);
    f("out", self.out);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
Attention<T, D>::Attention(Index channels, AttentionConfig config, Rng& rng)
    : heads(config.heads),
      norm(default_groups(channels), channels),
      qkv(channels, 3 * channels, rng),
      out(channels, channels, rng) {
  require(heads >= 1 && channels % heads == 0, "Attention: given ", channels, " channels and ", heads,
          " heads, wanted heads that divide the channels");
}

template <Real T, Device D>
Var<T, D> Attention<T, D>::operator()(const Var<T, D>& x) const {
  require(x.shape().rank() >= 3, "Attention: given x ", x.shape(), ", wanted (N, H, W, C) or (N, L, C)");
  Index const n = x.dim(0), channels = x.dim(-1), length = x.value().size() / std::max<Index>(1, n * channels);
  auto const y = attention_qkv(reshape(qkv(norm(x)), {n, length, 3 * channels}), heads);
  return linear(reshape(y, x.shape()), out.weight.var, out.bias.var, x);
}

#define STIPPLE_INSTANCES(T, D) template struct Attention<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
