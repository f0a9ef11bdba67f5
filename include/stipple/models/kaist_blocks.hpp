// Blocks of the image U-Net of KAIST's CS479, assignment 3, which Technion's assignment 4 takes over. Member names in
// `each` are those of the course's PyTorch modules.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/dropout.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>

namespace stipple {

/// A convolution that starts Xavier uniform with this gain, its bias 0.
template <Real T, Device D>
Conv2d<T, D> xavier_conv(Index in, Index out, Conv2dConfig c, double gain, Rng& rng) {
  Conv2d<T, D> conv(in, out, c, rng);
  auto& weight = conv.weight.var.value();
  Index const taps = c.kernel * c.kernel;
  weight.copy_from(xavier_uniform<T, D>(weight.shape(), in * taps, out * taps, gain, rng));
  conv.bias.var.value().fill(0);
  return conv;
}

/// x + proj(attention(q, k, v)) over the pixels of each image with one head, q, k and v being 1x1 convolutions of
/// norm(x): (N, H, W, C) to the same shape.
template <Real T, Device D = Cpu>
struct KaistAttention {
  GroupNorm<T, D> norm;
  Conv2d<T, D> q, k, v, proj;

  KaistAttention(Index channels, Index groups, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("group_norm", self.norm);
    f("proj_q", self.q);
    f("proj_k", self.k);
    f("proj_v", self.v);
    f("proj", self.proj);
  }
};

struct KaistResBlockConfig {
  Index time_size, groups;
  double dropout;
  bool attention;
};

/// Norm, SiLU, 3x3, the time embedding, norm, SiLU, dropout, 3x3, a residual, and attention where asked:
/// (N, H, W, in) and silu(embedding) (N, E) -> (N, H, W, out).
template <Real T, Device D = Cpu>
struct KaistResBlock {
  /// Gain of the last convolution: a block starts as its shortcut.
  static constexpr double last_gain = 1e-5;

  GroupNorm<T, D> norm1;
  Conv2d<T, D> conv1;
  Linear<T, D> time;
  GroupNorm<T, D> norm2;
  Dropout dropout;
  Conv2d<T, D> conv2;
  std::optional<Conv2d<T, D>> shortcut;
  std::optional<KaistAttention<T, D>> attention;

  KaistResBlock(Index in, Index out, const KaistResBlockConfig& c, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& activated_embedding) const;
  static void each(auto& self, auto&& f) {
    f("block1.0", self.norm1);
    f("block1.2", self.conv1);
    f("temb_proj.1", self.time);
    f("block2.0", self.norm2);
    f("block2.3", self.conv2);
    f("shortcut", self.shortcut);
    f("attn", self.attention);
  }
};

/// One entry of the course's lists of blocks: a residual block, or a convolution that halves the image or follows its
/// doubling.
template <Real T, Device D = Cpu>
struct KaistLayer {
  std::optional<KaistResBlock<T, D>> block;
  std::optional<Conv2d<T, D>> scale;

  static void each(auto& self, auto&& f) {
    f("", self.block);
    f("main", self.scale);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
KaistAttention<T, D>::KaistAttention(Index channels, Index groups, Rng& rng) : norm(groups, channels) {
  for (auto* const conv : {&q, &k, &v, &proj}) *conv = xavier_conv<T, D>(channels, channels, {.kernel = 1}, 1, rng);
}

template <Real T, Device D>
Var<T, D> KaistAttention<T, D>::operator()(const Var<T, D>& x) const {
  auto const h = norm(x);
  return proj(attention(q(h), k(h), v(h), 1), {}, x);
}

template <Real T, Device D>
KaistResBlock<T, D>::KaistResBlock(Index in, Index out, const KaistResBlockConfig& c, Rng& rng)
    : norm1(c.groups, in, {.activation = Activation::silu}),
      conv1(xavier_conv<T, D>(in, out, {}, 1, rng)),
      time(c.time_size, out, rng),
      norm2(c.groups, out, {.activation = Activation::silu}),
      dropout{c.dropout},
      conv2(xavier_conv<T, D>(out, out, {}, last_gain, rng)) {
  auto& weight = time.weight.var.value();
  weight.copy_from(xavier_uniform<T, D>(weight.shape(), c.time_size, out, 1, rng));
  time.bias.var.value().fill(0);
  if (in != out) shortcut = xavier_conv<T, D>(in, out, {.kernel = 1}, 1, rng);
  if (c.attention) attention.emplace(out, c.groups, rng);
}

template <Real T, Device D>
Var<T, D> KaistResBlock<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& activated_embedding) const {
  auto const h = conv1.after(norm1, x, time(activated_embedding));
  auto const residual = shortcut ? (*shortcut)(x) : x;
  bool const drops = is_training() && dropout.p > 0;
  auto const y = drops ? conv2(dropout(norm2(h)), {}, residual) : conv2.after(norm2, h, {}, residual);
  return attention ? (*attention)(y) : y;
}

#define STIPPLE_INSTANCES(T, D)         \
  template struct KaistAttention<T, D>; \
  template struct KaistResBlock<T, D>;  \
  template struct KaistLayer<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
