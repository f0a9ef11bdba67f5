// The U-Net of the annotated diffusion course (AI504 practice 13).
#pragma once

#include <stipple/autograd/checkpoint.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/models/annotated_blocks.hpp>
#include <stipple/nn/timestep_mlp.hpp>

namespace stipple {

struct AnnotatedUnetConfig {
  Index dim = 28;
  std::vector<Index> dim_mults = {1, 2, 4};
  Index channels = 1;
  AnnotatedBlock block = AnnotatedBlock::convnext;
  Index convnext_mult = 2;
  /// Groups of the ResNet form's norms; 0 takes the largest of 8, 7, ..., 1 that divides every width. The course's 8
  /// does not divide 28; its source (P. Wang) keeps 8 groups and chooses widths that are multiples of 8.
  Index resnet_groups = 0;
  /// In training, keeps the inputs of each level alone and computes the rest again in backward (see `checkpoint`).
  bool gradient_checkpointing = false;
};

/// Images (N, H, W, channels) and t (N) -> prediction of the same shape. H and W must be multiples of
/// 2^(levels - 1). The course's configuration has 2,996,315 parameters.
template <Real T, Device D = Cpu>
struct AnnotatedUnet {
  struct Level {
    AnyBlock<T, D> block1, block2;
    PixelAttention<T, D> attention;
    std::optional<Conv2d<T, D>> down;
    std::optional<ConvTranspose2d<T, D>> up;

    Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& t) const { return attention(block2(block1(x, t), t)); }
    static void each(auto& self, auto&& f) {
      f("0", self.block1);
      f("1", self.block2);
      f("2", self.attention);
      f("3", self.down);
      f("3", self.up);
    }
  };

  AnnotatedUnetConfig config;
  Conv2d<T, D> init_conv;
  Linear<T, D> time1, time2;
  std::vector<Level> downs, ups;
  std::vector<AnyBlock<T, D>> mid_block1, mid_block2, final_block;  // one each
  std::vector<PixelAttention<T, D>> mid_attention;                  // one
  Conv2d<T, D> final_conv;

  AnnotatedUnet(AnnotatedUnetConfig given, Rng& rng);

  Var<T, D> operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const;

  static void each(auto& self, auto&& f) {
    f("init_conv", self.init_conv);
    f("time_mlp.1", self.time1);
    f("time_mlp.3", self.time2);
    f("downs", self.downs);
    f("mid_block1", self.mid_block1[0]);
    f("mid_attn", self.mid_attention[0]);
    f("mid_block2", self.mid_block2[0]);
    f("ups", self.ups);
    f("final_conv.0", self.final_block[0]);
    f("final_conv.1", self.final_conv);
  }

 private:
  Var<T, D> run(const Level& level, const Var<T, D>& x, const Var<T, D>& temb) const;
  static Index common_groups(const std::vector<Index>& widths);
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
AnnotatedUnet<T, D>::AnnotatedUnet(AnnotatedUnetConfig given, Rng& rng) : config(std::move(given)) {
  auto const& c = config;
  require(c.dim >= 4 && c.channels >= 1 && !c.dim_mults.empty(), "AnnotatedUnet: given dim ", c.dim, ", ", c.channels,
          " channels and ", c.dim_mults.size(), " levels, wanted dim >= 4, a channel and a level");
  std::vector<Index> widths{c.dim / 3 * 2};
  for (Index const mult : c.dim_mults) widths.push_back(c.dim * mult);
  if (config.resnet_groups == 0) config.resnet_groups = common_groups(widths);
  Index const time_size = 4 * c.dim, levels = static_cast<Index>(c.dim_mults.size());
  auto const block = [&](Index in, Index out, Index time) {
    return AnyBlock<T, D>(c.block, in, out, time, c.convnext_mult, c.resnet_groups, rng);
  };
  init_conv = Conv2d<T, D>(c.channels, widths[0], {.kernel = 7}, rng);
  time1 = Linear<T, D>(c.dim, time_size, rng);
  time2 = Linear<T, D>(time_size, time_size, rng);
  for (Index i = 0; i < levels; ++i) {
    auto const in = widths[static_cast<std::size_t>(i)], out = widths[static_cast<std::size_t>(i) + 1];
    Level level{block(in, out, time_size), block(out, out, time_size), {out, false, rng}, {}, {}};
    if (i + 1 < levels) level.down.emplace(out, out, Conv2dConfig{.kernel = 4, .stride = 2, .padding = 1}, rng);
    downs.push_back(std::move(level));
  }
  Index const middle = widths.back();
  mid_block1.push_back(block(middle, middle, time_size));
  mid_attention.emplace_back(middle, true, rng);
  mid_block2.push_back(block(middle, middle, time_size));
  for (Index i = levels - 1; i > 0; --i) {
    auto const low = widths[static_cast<std::size_t>(i)], high = widths[static_cast<std::size_t>(i) + 1];
    Level level{block(2 * high, low, time_size), block(low, low, time_size), {low, false, rng}, {}, {}};
    level.up.emplace(low, low, ConvTranspose2dConfig{}, rng);
    ups.push_back(std::move(level));
  }
  final_block.push_back(block(widths[1], c.dim, 0));
  final_conv = Conv2d<T, D>(c.dim, c.channels, {.kernel = 1}, rng);
}

template <Real T, Device D>
Var<T, D> AnnotatedUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const {
  Index const multiple = Index{1} << (config.dim_mults.size() - 1);
  require(x.shape().rank() == 4 && x.dim(3) == config.channels && x.dim(1) % multiple == 0 && x.dim(2) % multiple == 0,
          "AnnotatedUnet: given x ", x.shape(), ", wanted (N, H, W, ", config.channels, ") with H and W multiples of ",
          multiple);
  // sin before cos, frequencies 10000^(-i / (dim/2 - 1))
  Var<T, D> const embedding(
      ops::timestep_embedding<T>(t, config.dim, {.flip_sin_to_cos = false, .downscale_freq_shift = 1}));
  auto const temb = time2(gelu(time1(embedding)));
  auto h = init_conv(x);
  std::vector<Var<T, D>> skips;
  for (auto const& level : downs) {
    h = run(level, h, temb);
    skips.push_back(h);
    if (level.down) h = (*level.down)(h);
  }
  h = mid_block2[0](mid_attention[0](mid_block1[0](h, temb)), temb);
  for (auto const& level : ups) {
    h = (*level.up)(run(level, concat(h, skips.back()), temb));
    skips.pop_back();
  }
  return final_conv(final_block[0](h));
}

template <Real T, Device D>
Var<T, D> AnnotatedUnet<T, D>::run(const Level& level, const Var<T, D>& x, const Var<T, D>& temb) const {
  if (!config.gradient_checkpointing) return level(x, temb);
  return checkpoint([&level](const Var<T, D>& h, const Var<T, D>& t) { return level(h, t); }, x, temb);
}

template <Real T, Device D>
Index AnnotatedUnet<T, D>::common_groups(const std::vector<Index>& widths) {
  for (Index groups = 8; groups > 1; --groups) {
    bool divides = true;
    for (std::size_t i = 1; i < widths.size(); ++i) divides = divides && widths[i] % groups == 0;
    if (divides) return groups;
  }
  return 1;
}

#define STIPPLE_INSTANCES(T, D) template struct AnnotatedUnet<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
