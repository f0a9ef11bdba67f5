// Inception v3 (Szegedy et al. 2015) up to the average over all pixels, whose result is the usual FID's feature vector.
// Member names in `each` are those of torchvision.
#pragma once

#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv_norm.hpp>

namespace stipple {

/// How the 3x3 pooling beside the convolutions is done.
enum class InceptionPooling {
  torchvision,  ///< averages that count padding as zeros
  tensorflow,   ///< averages over the image's own pixels, and in the last block the maximum: Inception of the first FID
};

namespace detail {

enum class BranchPool { none, average, maximum, halving_maximum };

/// One convolution of a branch. Those of stride 2 are not padded.
struct BranchConv {
  const char* name;
  Index out;
  Size2d kernel = {1, 1};
  Index stride = 1;
};

/// One of the paths whose results a block joins: pooling, convolutions in a row, then either the last one's result or
/// that of several next to each other.
struct BranchPlan {
  std::vector<BranchConv> chain, fork = {};
  BranchPool pool = BranchPool::none;
};

}  // namespace detail

/// Paths side by side, joined along the channels: (N, H, W, in) -> (N, H', W', out).
template <Real T, Device D = Cpu>
struct InceptionBlock {
  struct Branch {
    detail::BranchPlan plan;
    std::vector<ConvNorm<T, D>> convs;  ///< of the chain, then of the fork
  };

  std::vector<Branch> branches;
  InceptionPooling pooling;
  Index out = 0;  ///< channels

  InceptionBlock(Index in, const std::vector<detail::BranchPlan>& plans, InceptionPooling pooling_, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    for (auto& branch : self.branches) {
      auto const& [chain, fork, pool] = branch.plan;
      for (std::size_t i = 0; i < branch.convs.size(); ++i)
        f((i < chain.size() ? chain[i] : fork[i - chain.size()]).name, branch.convs[i]);
    }
  }
};

struct InceptionV3Config {
  InceptionPooling pooling = InceptionPooling::torchvision;
};

/// Images (N, H, W, 3) in [-1, 1] -> features (N, 2048); H and W at least 75, in training 299. 21,785,568 parameters
/// and 5.7 G multiplications and additions for 299 x 299 pixels. The classifiers behind are left out.
template <Real T, Device D = Cpu>
struct InceptionV3 {
  static constexpr Index feature_size = 2048;
  static constexpr std::array stem_names{"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1",
                                         "Conv2d_4a_3x3"};
  static constexpr std::array block_names{"Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c",
                                          "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"};

  std::vector<ConvNorm<T, D>> stem;
  std::vector<InceptionBlock<T, D>> blocks;

  InceptionV3(const InceptionV3Config& config, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    for (std::size_t i = 0; i < self.stem.size(); ++i) f(stem_names[i], self.stem[i]);
    for (std::size_t i = 0; i < self.blocks.size(); ++i) f(block_names[i], self.blocks[i]);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/pool.hpp>

namespace stipple::detail {

inline constexpr double inception_eps = 1e-3;

// The blocks by their pictures in the paper. 35 x 35 pixels, figure 5.
inline std::vector<BranchPlan> inception_35(Index pooled) {
  return {{{{"branch1x1", 64}}},
          {{{"branch5x5_1", 48}, {"branch5x5_2", 64, {5, 5}}}},
          {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, {3, 3}}, {"branch3x3dbl_3", 96, {3, 3}}}},
          {{{"branch_pool", pooled}}, {}, BranchPool::average}};
}

// To 17 x 17, figure 10.
inline std::vector<BranchPlan> inception_35_to_17() {
  return {{{{"branch3x3", 384, {3, 3}, 2}}},
          {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, {3, 3}}, {"branch3x3dbl_3", 96, {3, 3}, 2}}},
          {{}, {}, BranchPool::halving_maximum}};
}

// 17 x 17, figure 6 with n = 7.
inline std::vector<BranchPlan> inception_17(Index between) {
  return {{{{"branch1x1", 192}}},
          {{{"branch7x7_1", between}, {"branch7x7_2", between, {1, 7}}, {"branch7x7_3", 192, {7, 1}}}},
          {{{"branch7x7dbl_1", between},
            {"branch7x7dbl_2", between, {7, 1}},
            {"branch7x7dbl_3", between, {1, 7}},
            {"branch7x7dbl_4", between, {7, 1}},
            {"branch7x7dbl_5", 192, {1, 7}}}},
          {{{"branch_pool", 192}}, {}, BranchPool::average}};
}

// To 8 x 8.
inline std::vector<BranchPlan> inception_17_to_8() {
  return {{{{"branch3x3_1", 192}, {"branch3x3_2", 320, {3, 3}, 2}}},
          {{{"branch7x7x3_1", 192},
            {"branch7x7x3_2", 192, {1, 7}},
            {"branch7x7x3_3", 192, {7, 1}},
            {"branch7x7x3_4", 192, {3, 3}, 2}}},
          {{}, {}, BranchPool::halving_maximum}};
}

// 8 x 8, figure 7.
inline std::vector<BranchPlan> inception_8(BranchPool pool) {
  return {{{{"branch1x1", 320}}},
          {{{"branch3x3_1", 384}}, {{"branch3x3_2a", 384, {1, 3}}, {"branch3x3_2b", 384, {3, 1}}}},
          {{{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, {3, 3}}},
           {{"branch3x3dbl_3a", 384, {1, 3}}, {"branch3x3dbl_3b", 384, {3, 1}}}},
          {{{"branch_pool", 192}}, {}, pool}};
}

}  // namespace stipple::detail

namespace stipple {

template <Real T, Device D>
InceptionBlock<T, D>::InceptionBlock(Index in, const std::vector<detail::BranchPlan>& plans, InceptionPooling pooling_,
                                     Rng& rng)
    : pooling(pooling_) {
  for (auto const& plan : plans) {
    Branch branch{plan, {}};
    Index now = in, joined = 0;
    auto const add = [&](const detail::BranchConv& c) {
      branch.convs.emplace_back(now, c.out,
                                ConvNormConfig{.kernel = c.kernel,
                                               .stride = c.stride,
                                               .padded = c.stride == 1,
                                               .eps = detail::inception_eps,
                                               .names = {"conv", "bn"}},
                                rng);
    };
    for (auto const& c : plan.chain) {
      add(c);
      now = c.out;
    }
    for (auto const& c : plan.fork) {
      add(c);
      joined += c.out;
    }
    out += plan.fork.empty() ? now : joined;
    branches.push_back(std::move(branch));
  }
}

template <Real T, Device D>
Var<T, D> InceptionBlock<T, D>::operator()(const Var<T, D>& x) const {
  std::vector<Var<T, D>> parts;
  for (auto const& [plan, convs] : branches) {
    auto h = x;
    if (plan.pool == detail::BranchPool::average) h = avg_pool(x, {3, 1, 1, pooling == InceptionPooling::torchvision});
    if (plan.pool == detail::BranchPool::maximum) h = max_pool(x, {3, 1, 1});
    if (plan.pool == detail::BranchPool::halving_maximum) h = max_pool(x, {3, 2, 0});
    std::size_t i = 0;
    while (i < plan.chain.size()) h = convs[i++](h);
    if (plan.fork.empty()) parts.push_back(h);
    while (i < convs.size()) parts.push_back(convs[i++](h));
  }
  return concat(parts);
}

template <Real T, Device D>
InceptionV3<T, D>::InceptionV3(const InceptionV3Config& config, Rng& rng) {
  struct Stem {
    Index out, kernel, stride;
    bool padded;
  };
  constexpr Stem stems[] = {
      {32, 3, 2, false}, {32, 3, 1, false}, {64, 3, 1, true}, {80, 1, 1, false}, {192, 3, 1, false}};
  Index now = 3;
  for (auto const& [out, kernel, stride, padded] : stems) {
    stem.emplace_back(now, out,
                      ConvNormConfig{.kernel = {kernel, kernel},
                                     .stride = stride,
                                     .padded = padded,
                                     .eps = detail::inception_eps,
                                     .names = {"conv", "bn"}},
                      rng);
    now = out;
  }
  auto const add = [&](const std::vector<detail::BranchPlan>& plans) {
    blocks.emplace_back(now, plans, config.pooling, rng);
    now = blocks.back().out;
  };
  for (Index const pooled : {32, 64, 64}) add(detail::inception_35(pooled));
  add(detail::inception_35_to_17());
  for (Index const between : {128, 160, 160, 192}) add(detail::inception_17(between));
  add(detail::inception_17_to_8());
  bool const averages = config.pooling == InceptionPooling::torchvision;
  add(detail::inception_8(detail::BranchPool::average));
  add(detail::inception_8(averages ? detail::BranchPool::average : detail::BranchPool::maximum));
}

template <Real T, Device D>
Var<T, D> InceptionV3<T, D>::operator()(const Var<T, D>& x) const {
  require(x.shape().rank() == 4 && x.dim(1) >= 75 && x.dim(2) >= 75 && x.dim(3) == 3, "InceptionV3: given x ",
          x.shape(), ", wanted images (N, H, W, 3) of at least 75 x 75");
  auto const halved = [](const Var<T, D>& y) { return max_pool(y, {3, 2, 0}); };
  auto h = halved(stem[2](stem[1](stem[0](x))));
  h = halved(stem[4](stem[3](h)));
  for (auto const& block : blocks) h = block(h);
  return global_avg_pool(h);
}

#define STIPPLE_INSTANCES(T, D)         \
  template struct InceptionBlock<T, D>; \
  template struct InceptionV3<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
