// A network small enough to train in a test: elementwise layers with parameters of both kinds, a buffer and dropout.
#pragma once

#include <utility>

#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/nn/init.hpp>
#include <stipple/nn/parameter.hpp>

using stipple::accumulate_t;
using stipple::Device;
using stipple::Index;
using stipple::Real;
using stipple::Shape;
using stipple::Tensor;
using stipple::Var;

/// x scale + shift, channel by channel.
template <Real T, Device D>
struct TinyLayer {
  stipple::Parameter<T, D> scale;
  stipple::Parameter<accumulate_t<T>, D> shift;

  TinyLayer(Index channels, stipple::Rng& rng)
      : scale(stipple::uniform_tensor<T, D>({channels}, 1, rng)),
        shift(stipple::uniform_tensor<accumulate_t<T>, D>({channels}, 1, rng)) {}

  Var<T, D> operator()(const Var<T, D>& x) const { return x * scale.var + shift.var; }
  static void each(auto& self, auto&& f) {
    f("scale", self.scale);
    f("shift", self.shift);
  }
};

/// (N, channels) -> (N, channels): a layer, its square with half of the values dropped in training, another layer. The
/// buffer counts forward passes.
template <Real T, Device D>
struct TinyNet {
  TinyLayer<T, D> first, second;
  stipple::Parameter<T, D> unused;
  stipple::Buffer<accumulate_t<T>, D> passes;

  TinyNet(Index channels, stipple::Rng& rng)
      : first(channels, rng),
        second(channels, rng),
        unused(stipple::uniform_tensor<T, D>({2, 3}, 1, rng)),
        passes{Tensor<accumulate_t<T>, D>::zeros({1})} {}

  Var<T, D> operator()(const Var<T, D>& x) const {
    auto h = first(x);
    if (auto* const rng = stipple::autograd::training_rng()) {
      auto kept = rng->uniform(x.shape(), 0, 1, stipple::Purpose::dropout);
      for (float& value : kept.span()) value = value < 0.5f ? 2.0f : 0.0f;
      h = h * Var<T, D>(stipple::ops::cast<T>(kept));
      auto count = passes.value;  // shares the storage
      *count.data() += 1;
    }
    return second(h * h);
  }
  static void each(auto& self, auto&& f) {
    f("first", self.first);
    f("second", self.second);
    f("unused", self.unused);
    f("passes", self.passes);
  }
};

/// Mean of (x - target)^2 in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> mean_squared_error(const Var<T, D>& x, const Tensor<T, D>& target) {
  using A = accumulate_t<T>;
  auto const difference = stipple::ops::cast<A>(stipple::ops::subtract(x.value(), target));
  A total = 0;
  for (A const value : difference.span()) total += value * value;
  auto const n = static_cast<A>(difference.size());
  return stipple::record(Tensor<A, D>({1}, total / n), std::tie(x), [difference, n](const Tensor<A, D>& dy) {
    return std::tuple(stipple::ops::cast<T>(stipple::ops::affine(difference, 2 * dy.item() / n)));
  });
}
