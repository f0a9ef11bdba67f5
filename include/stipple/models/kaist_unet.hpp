// The image U-Net of KAIST's CS479, assignment 3, and with classes of Technion's assignment 4.
#pragma once

#include <algorithm>

#include <stipple/autograd/checkpoint.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/resize.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/models/kaist_blocks.hpp>
#include <stipple/nn/embedding.hpp>
#include <stipple/nn/timestep_mlp.hpp>

namespace stipple {

/// How KaistUnet embeds its classes: a linear layer of the one-hot vector, as the assignment's text has it, or a table.
enum class KaistClasses { linear, table };

struct KaistUnetConfig {
  Index width = 128;
  std::vector<Index> mults = {1, 2, 2, 2};    ///< of the width at each level; from one to the next the image halves
  std::vector<Index> attention_levels = {1};  ///< levels whose blocks end in attention; the middle always has one
  Index res_blocks = 4;                       ///< a level on the way down; one more on the way up
  double dropout = 0.1;
  Index groups = 32;  ///< of all norms; has to divide every width
  Index channels = 3;
  Index classes = 0;  ///< more than 0 conditions on a class; the network is then called as (x, t, labels)
  KaistClasses class_form = KaistClasses::linear;
  bool gradient_checkpointing =
      false;  ///< keeps the residual blocks' inputs alone for backward and computes them again
};

/// Images (N, H, W, channels) and t (N), the step from 0 -> prediction of the same shape; H and W are multiples of
/// 2^(levels - 1). Parameters of the course's configuration: 58,753,283; with three classes 58,755,843, in a table
/// 58,755,331. Labels (N) are 1 to classes, and `no_class` for none.
template <Real T, Device D = Cpu>
struct KaistUnet {
  using Full = accumulate_t<T>;
  static constexpr std::int32_t no_class = 0;
  static constexpr Index sinusoids = 256;

  KaistUnetConfig config;
  TimestepMlp<T, D> time;
  std::optional<Linear<T, D>> class_linear;
  std::optional<Embedding<T, D>> class_table;
  Conv2d<T, D> head;
  std::vector<KaistLayer<T, D>> down, middle, up;
  std::optional<GroupNorm<T, D>> tail_norm;
  Conv2d<T, D> tail;

  KaistUnet(KaistUnetConfig given, Rng& rng);

  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const;
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t, const Tensor<std::int32_t, D>& labels) const;

  static void each(auto& self, auto&& f) {
    f("time_embedding", self.time);
    f("class_embedding", self.class_linear);
    f("class_embedding", self.class_table);
    f("head", self.head);
    f("downblocks", self.down);
    f("middleblocks", self.middle);
    f("upblocks", self.up);
    f("tail.0", self.tail_norm);
    f("tail.2", self.tail);
  }

 private:
  Index width_of(Index level) const;
  bool has_attention(Index level) const;
  void check_config() const;

  // Cosines before sines, frequencies 10000^(-i / 128), through the perceptron: (N, 4 width).
  Var<T, D> embedded(const Var<T, D>& x, const Tensor<Full, D>& t) const;
  // f(inputs...), recomputed in backward where the configuration asks for it.
  template <class F, class... Inputs>
  Var<T, D> pass(const F& f, const Inputs&... inputs) const {
    return config.gradient_checkpointing ? checkpoint(f, inputs...) : f(inputs...);
  }
  Var<T, D> run(const Var<T, D>& x, const Var<T, D>& embedding) const;
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
KaistUnet<T, D>::KaistUnet(KaistUnetConfig given, Rng& rng) : config(std::move(given)) {
  auto const& c = config;
  check_config();
  Index const time_size = 4 * c.width, levels = static_cast<Index>(c.mults.size());
  time = TimestepMlp<T, D>(sinusoids, time_size, rng);
  if (c.classes > 0 && c.class_form == KaistClasses::linear) class_linear.emplace(c.classes + 1, time_size, rng);
  if (c.classes > 0 && c.class_form == KaistClasses::table) class_table.emplace(c.classes + 1, time_size, rng);
  auto const block = [&](std::vector<KaistLayer<T, D>>& list, Index in, Index out, bool attention) {
    list.emplace_back().block.emplace(in, out, KaistResBlockConfig{time_size, c.groups, c.dropout, attention}, rng);
  };
  auto const scale = [&](std::vector<KaistLayer<T, D>>& list, Index channels, Index stride) {
    list.emplace_back().scale = xavier_conv<T, D>(channels, channels, {.stride = stride, .padding = 1}, 1, rng);
  };
  head = xavier_conv<T, D>(c.channels, c.width, {}, 1, rng);
  std::vector<Index> skips{c.width};
  Index now = c.width;
  for (Index i = 0; i < levels; ++i) {
    for (Index j = 0; j < c.res_blocks; ++j) {
      block(down, now, width_of(i), has_attention(i));
      skips.push_back(now = width_of(i));
    }
    if (i + 1 == levels) break;
    scale(down, now, 2);
    skips.push_back(now);
  }
  block(middle, now, now, true);
  block(middle, now, now, false);
  for (Index i = levels - 1; i >= 0; --i) {
    for (Index j = 0; j <= c.res_blocks; ++j) {
      block(up, now + skips.back(), width_of(i), has_attention(i));
      skips.pop_back();
      now = width_of(i);
    }
    if (i > 0) scale(up, now, 1);
  }
  tail_norm.emplace(c.groups, now, GroupNormOptions{.activation = Activation::silu});
  tail = xavier_conv<T, D>(now, c.channels, {}, KaistResBlock<T, D>::last_gain, rng);
}

template <Real T, Device D>
Var<T, D> KaistUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const {
  require(config.classes == 0, "KaistUnet: given x and t, wanted labels too for a network with classes");
  return run(x, embedded(x, t));
}

template <Real T, Device D>
Var<T, D> KaistUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t,
                                      const Tensor<std::int32_t, D>& labels) const {
  require(config.classes > 0, "KaistUnet: given labels, wanted none for a network without classes");
  require(labels.rank() == 1 && labels.dim(0) == x.dim(0), "KaistUnet: given labels ", labels.shape(), " for x ",
          x.shape(), ", wanted one a sample");
  auto const label = class_linear ? (*class_linear)(one_hot<T>(labels, config.classes + 1)) : (*class_table)(labels);
  return run(x, embedded(x, t) + label);
}

template <Real T, Device D>
Index KaistUnet<T, D>::width_of(Index level) const {
  return config.width * config.mults[static_cast<std::size_t>(level)];
}

template <Real T, Device D>
bool KaistUnet<T, D>::has_attention(Index level) const {
  return std::find(config.attention_levels.begin(), config.attention_levels.end(), level) !=
         config.attention_levels.end();
}

template <Real T, Device D>
void KaistUnet<T, D>::check_config() const {
  auto const& c = config;
  require(c.width >= 1 && c.channels >= 1 && !c.mults.empty() && c.res_blocks >= 1 && c.groups >= 1 && c.classes >= 0,
          "KaistUnet: given width ", c.width, ", ", c.channels, " channels, ", c.mults.size(), " levels, ",
          c.res_blocks, " residual blocks, ", c.groups, " groups and ", c.classes,
          " classes, wanted at least 1 of all but the last");
  require(c.dropout >= 0 && c.dropout < 1, "KaistUnet: given dropout ", c.dropout, ", wanted 0 or more and below 1");
  for (Index const mult : c.mults)
    require(mult >= 1 && c.width * mult % c.groups == 0, "KaistUnet: given width ", c.width, " times ", mult, " and ",
            c.groups, " groups, wanted groups that divide every width");
  for (Index const level : c.attention_levels)
    require(0 <= level && level < static_cast<Index>(c.mults.size()), "KaistUnet: given attention at level ", level,
            ", wanted 0 to ", c.mults.size() - 1);
}

template <Real T, Device D>
Var<T, D> KaistUnet<T, D>::embedded(const Var<T, D>& x, const Tensor<Full, D>& t) const {
  Index const multiple = Index{1} << (config.mults.size() - 1);
  require(x.shape().rank() == 4 && x.dim(3) == config.channels && x.dim(1) > 0 && x.dim(2) > 0 &&
              x.dim(1) % multiple == 0 && x.dim(2) % multiple == 0,
          "KaistUnet: given x ", x.shape(), ", wanted (N, H, W, ", config.channels, ") with H and W multiples of ",
          multiple);
  require(t.rank() == 1 && t.dim(0) == x.dim(0), "KaistUnet: given t ", t.shape(), " for x ", x.shape(),
          ", wanted one number a sample");
  return time(
      Var<T, D>(ops::timestep_embedding<T>(t, sinusoids, {.flip_sin_to_cos = true, .downscale_freq_shift = 0})));
}

template <Real T, Device D>
Var<T, D> KaistUnet<T, D>::run(const Var<T, D>& x, const Var<T, D>& embedding) const {
  auto const e = silu(embedding);  // each block starts with it
  std::vector<Var<T, D>> skips{head(x)};
  for (auto const& layer : down)
    skips.push_back(layer.block ? pass(*layer.block, skips.back(), e) : (*layer.scale)(skips.back()));
  auto h = skips.back();
  for (auto const& layer : middle) h = pass(*layer.block, h, e);
  for (auto const& layer : up) {
    if (layer.scale) {
      h = (*layer.scale)(upsample(h, 2));
      continue;
    }
    auto const joined = [block = *layer.block](const Var<T, D>& a, const Var<T, D>& skip, const Var<T, D>& t) {
      return block(concat(a, skip), t);
    };
    h = pass(joined, h, skips.back(), e);
    skips.pop_back();
  }
  return tail.after(*tail_norm, h);
}

#define STIPPLE_INSTANCES(T, D) template struct KaistUnet<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
