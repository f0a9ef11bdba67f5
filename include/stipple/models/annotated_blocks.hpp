// Blocks of the annotated diffusion U-Net (AI504, after P. Wang's denoising-diffusion): ConvNeXt and ResNet blocks and
// the two attentions over pixels. Member names in `each` are those of the course's PyTorch modules.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/linear_attention.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>

namespace stipple {

/// ConvNeXt block (Liu et al. 2022) as the course has it: depthwise 7x7, time embedding, norm, 3x3, GELU, norm, 3x3 and
/// a residual. (N, H, W, in), (N, E) -> (N, H, W, out).
template <Real T, Device D = Cpu>
struct ConvNextBlock {
  std::optional<Linear<T, D>> time;
  Conv2d<T, D> depthwise;
  GroupNorm<T, D> norm1;
  Conv2d<T, D> conv1;
  GroupNorm<T, D> norm2;
  Conv2d<T, D> conv2;
  std::optional<Conv2d<T, D>> residual;

  /// Without a time embedding when `time_size` is 0. `mult` widens the block inside.
  ConvNextBlock(Index in, Index out, Index time_size, Index mult, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& t = {}) const;
  static void each(auto& self, auto&& f) {
    f("mlp.1", self.time);
    f("ds_conv", self.depthwise);
    f("net.0", self.norm1);
    f("net.1", self.conv1);
    f("net.3", self.norm2);
    f("net.4", self.conv2);
    f("res_conv", self.residual);
  }
};

/// ResNet block: twice 3x3, group norm and SiLU, the time embedding between, and a residual.
template <Real T, Device D = Cpu>
struct ResnetBlock {
  std::optional<Linear<T, D>> time;
  Conv2d<T, D> conv1;
  GroupNorm<T, D> norm1;
  Conv2d<T, D> conv2;
  GroupNorm<T, D> norm2;
  std::optional<Conv2d<T, D>> residual;

  ResnetBlock(Index in, Index out, Index time_size, Index groups, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& t = {}) const;
  static void each(auto& self, auto&& f) {
    f("mlp.1", self.time);
    f("block1.proj", self.conv1);
    f("block1.norm", self.norm1);
    f("block2.proj", self.conv2);
    f("block2.norm", self.norm2);
    f("res_conv", self.residual);
  }
};

enum class AnnotatedBlock { convnext, resnet };

/// One of the two, chosen at run time.
template <Real T, Device D = Cpu>
struct AnyBlock {
  std::optional<ConvNextBlock<T, D>> convnext;
  std::optional<ResnetBlock<T, D>> resnet;

  AnyBlock(AnnotatedBlock kind, Index in, Index out, Index time_size, Index mult, Index groups, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& t = {}) const;
  static void each(auto& self, auto&& f) {
    f("", self.convnext);
    f("", self.resnet);
  }
};

/// x + attention(norm(x)) over the pixels of each image, 4 heads of 32; linear in the number of pixels (Shen et al.
/// 2021) or, with `full`, softmax attention.
template <Real T, Device D = Cpu>
struct PixelAttention {
  static constexpr Index heads = 4, head_dim = 32;

  GroupNorm<T, D> norm;
  Conv2d<T, D> to_qkv, to_out;
  std::optional<GroupNorm<T, D>> out_norm;  // of the linear form

  PixelAttention(Index channels, bool full, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("fn.norm", self.norm);
    f("fn.fn.to_qkv", self.to_qkv);
    f(self.out_norm ? "fn.fn.to_out.0" : "fn.fn.to_out", self.to_out);
    f("fn.fn.to_out.1", self.out_norm);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
ConvNextBlock<T, D>::ConvNextBlock(Index in, Index out, Index time_size, Index mult, Rng& rng)
    : depthwise(in, in, {.kernel = 7, .groups = in}, rng),
      norm1(1, in),
      conv1(in, out * mult, {}, rng),
      norm2(1, out * mult),
      conv2(out * mult, out, {}, rng) {
  if (time_size > 0) time.emplace(time_size, in, rng);
  if (in != out) residual.emplace(in, out, Conv2dConfig{.kernel = 1}, rng);
}

template <Real T, Device D>
Var<T, D> ConvNextBlock<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& t) const {
  auto const shift = time && t.defined() ? (*time)(gelu(t)) : Var<T, D>();
  auto const h = gelu(conv1.after(norm1, depthwise(x, shift)));
  return conv2.after(norm2, h, {}, residual ? (*residual)(x) : x);
}

template <Real T, Device D>
ResnetBlock<T, D>::ResnetBlock(Index in, Index out, Index time_size, Index groups, Rng& rng)
    : conv1(in, out, {}, rng),
      norm1(groups, out, {.activation = Activation::silu}),
      conv2(out, out, {}, rng),
      norm2(groups, out, {.activation = Activation::silu}) {
  if (time_size > 0) time.emplace(time_size, out, rng);
  if (in != out) residual.emplace(in, out, Conv2dConfig{.kernel = 1}, rng);
}

template <Real T, Device D>
Var<T, D> ResnetBlock<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& t) const {
  auto h = norm1(conv1(x));
  if (time && t.defined()) h = h + (*time)(silu(t));
  h = norm2(conv2(h));
  return residual ? (*residual)(x, {}, h) : h + x;
}

template <Real T, Device D>
AnyBlock<T, D>::AnyBlock(AnnotatedBlock kind, Index in, Index out, Index time_size, Index mult, Index groups,
                         Rng& rng) {
  if (kind == AnnotatedBlock::convnext)
    convnext.emplace(in, out, time_size, mult, rng);
  else
    resnet.emplace(in, out, time_size, groups, rng);
}

template <Real T, Device D>
Var<T, D> AnyBlock<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& t) const {
  return convnext ? (*convnext)(x, t) : (*resnet)(x, t);
}

template <Real T, Device D>
PixelAttention<T, D>::PixelAttention(Index channels, bool full, Rng& rng)
    : norm(1, channels),
      to_qkv(channels, 3 * heads * head_dim, {.kernel = 1, .bias = false}, rng),
      to_out(heads * head_dim, channels, {.kernel = 1}, rng) {
  if (!full) out_norm.emplace(1, channels);
}

template <Real T, Device D>
Var<T, D> PixelAttention<T, D>::operator()(const Var<T, D>& x) const {
  Index const n = x.dim(0), h = x.dim(1), w = x.dim(2);
  auto const qkv = reshape(to_qkv(norm(x)), {n, h * w, 3 * heads * head_dim});
  auto const y = out_norm ? linear_attention_qkv(qkv, heads, head_dim) : attention_qkv(qkv, heads);
  auto const image = reshape(y, {n, h, w, heads * head_dim});
  return out_norm ? (*out_norm)(to_out(image)) + x : to_out(image, {}, x);
}

#define STIPPLE_INSTANCES(T, D)        \
  template struct ConvNextBlock<T, D>; \
  template struct ResnetBlock<T, D>;   \
  template struct AnyBlock<T, D>;      \
  template struct PixelAttention<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
