#include <stipple/nn/conv_norm.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// A norm that does something.
template <class T>
void stir(ConvNorm<T>& layer, std::uint64_t seed) {
  Rng rng(seed);
  Index const channels = layer.norm->weight.var.value().size();
  for (auto const& parameter : {layer.norm->weight, layer.norm->bias}) {
    auto value = parameter.var.value();
    value.copy_from(ops::cast<accumulate_t<T>>(rng.normal({channels})));
  }
  layer.norm->running_mean.value.copy_from(ops::cast<accumulate_t<T>>(rng.normal({channels})));
  layer.norm->running_var.value.copy_from(ops::cast<accumulate_t<T>>(rng.uniform({channels}, 0.2f, 2)));
}

std::vector<std::string> names(const ConvNorm<float>& layer) {
  std::vector<std::string> result;
  for_each_leaf(layer, [&](const std::string& name, auto const&) { result.push_back(name); });
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a ConvNorm is its three layers, with kernels of any form", "[nn]") {
  Rng rng(1);
  for (Size2d const kernel : {Size2d{3, 3}, {1, 1}, {1, 7}, {5, 1}})
    for (bool const padded : {true, false}) {
      INFO("kernel " << kernel.height << " x " << kernel.width << ", padded " << padded);
      ConvNorm<double> layer(
          4, 6, {.kernel = kernel, .stride = 2, .padded = padded, .groups = 2, .activation = Activation::gelu}, rng);
      stir(layer, 2);
      auto const x = random_tensor<double>({2, 9, 8, 4});
      Index const top = padded ? kernel.height / 2 : 0, left = padded ? kernel.width / 2 : 0;
      auto const convolved =
          ops::conv2d(ops::pad(x, {top, top, left, left}), layer.weight.var.value(), {.stride = 2, .groups = 2});
      auto const& norm = *layer.norm;
      auto const normalised = ops::batch_norm(convolved, norm.weight.var.value(), norm.bias.var.value(),
                                              norm.running_mean.value, norm.running_var.value, norm.spec.eps);
      auto const wanted = ops::activate(normalised.y, Activation::gelu);
      auto const given = layer(Var<double>(x)).value();
      CHECK(max_abs_difference(given, wanted) < 1e-12);

      CHECK(given.size() > 0);
      layer.fold();
      CHECK_FALSE(layer.norm.has_value());
      CHECK(max_abs_difference(layer(Var<double>(x)).value(), wanted) < 1e-12);
      layer.fold();  // nothing is left to do
      CHECK(max_abs_difference(layer(Var<double>(x)).value(), wanted) < 1e-12);
    }
}

TEST_CASE("a ConvNorm names its layers as files do", "[nn]") {
  Rng rng(1);
  ConvNorm<float> layer(3, 5, {.names = {"0", "1"}}, rng);
  CHECK(names(layer) == Names{"0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var"});
  fold_norms(layer);
  CHECK(names(layer) == Names{"0.weight", "0.bias"});
}

TEST_CASE("a ConvNorm refuses what does not fit", "[nn]") {
  Rng rng(1);
  require_error([&] { ConvNorm<float>(3, 5, {.kernel = {2, 3}}, rng); }, "given a padded kernel of 2 x 3");
  require_error([&] { ConvNorm<float>(3, 5, {.kernel = {3, 0}}, rng); }, "ConvNorm: given 3 -> 5 channels, kernel 0");
  require_error([&] { ConvNorm<float>(3, 5, {.groups = 3}, rng); }, "groups that divide both");
}
