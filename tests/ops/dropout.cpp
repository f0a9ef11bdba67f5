#include <stipple/autograd/arithmetic.hpp>
#include <stipple/nn/dropout.hpp>
#include <stipple/nn/parameter.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {
const DrawKey key(5, Purpose::dropout, 3);
}

TEST_CASE("every instruction set makes the mask that the key's words say", "[dropout]") {
  for (Shape const& shape : {Shape{3, 1}, Shape{2, 5, 7, 3}, Shape{1, 1000}, Shape{4, 128}, Shape{2, 129}, Shape{}}) {
    INFO(to_text(shape));
    auto const x = random_tensor<float>(shape);
    auto const samples = static_cast<std::uint64_t>(shape.rank() == 0 ? 1 : shape[0]);
    auto const size = static_cast<std::uint64_t>(shape.size()) / samples;
    Tensor<float> wanted(shape);
    for (std::uint64_t n = 0; n < samples; ++n)
      for (std::uint64_t e = 0; e < size; ++e) {
        auto const words = key.words(n, e / 128 * 16 + e % 16);
        std::uint32_t const bits = words[e % 128 / 32] >> (e % 32 / 16 * 16) & 0xffff;
        auto const i = static_cast<Index>(n * size + e);
        wanted.data()[i] = bits < 16384 ? 0.0f : x.data()[i] * (65536.0f / 49152.0f);
      }
    for_each_isa([&](Isa) {
      CHECK(same_bits(ops::dropout(x, 0.25, key), wanted));
      CHECK(same_bits(ops::dropout(ops::cast<bf16>(x), 0.25, key),
                      ops::cast<bf16>(ops::dropout(ops::cast<float>(ops::cast<bf16>(x)), 0.25, key))));
    });
  }
}

TEST_CASE("dropout drops the stated fraction and keeps the mean", "[dropout]") {
  Tensor<float> const ones({50, 4000}, 1.0f);
  for (double p : {0.1, 0.5, 0.9}) {
    auto const y = ops::dropout(ones, p, key);
    double total = 0, dropped = 0;
    for (float v : y.span()) {
      total += static_cast<double>(v);
      dropped += v == 0 ? 1 : 0;
    }
    double const n = static_cast<double>(ones.size());
    CHECK(std::abs(dropped / n - p) < 4 * std::sqrt(p * (1 - p) / n));
    CHECK(std::abs(total / n - 1) < 4 * std::sqrt(p / (1 - p) / n));
  }
  CHECK(same_bits(ops::dropout(ones, 0, key), ones));
  CHECK(same_bits(ops::dropout(ones, 1, key), Tensor<float>::zeros(ones.shape())));
  Tensor<float> const infinite({1, 100}, std::numeric_limits<float>::infinity());
  auto const masked = ops::dropout(infinite, 0.5, key);
  for (float v : masked.span()) CHECK_FALSE(std::isnan(v));
}

TEST_CASE("the gradient passes the mask of the forward pass", "[dropout]") {
  check_gradients(
      [](auto const& v) {
        Rng rng(1);
        Training const training(rng);
        return dropout(v[0] * v[0], 0.4);
      },
      {random_tensor<double>({4, 33})});
}

TEST_CASE("each call during training takes a new mask, and none is taken outside", "[dropout]") {
  Var<float> const x(Tensor<float>({8, 100}, 1.0f), true);
  Dropout const layer{0.5};
  CHECK(layer(x).value().data() == x.value().data());
  Rng rng(1);
  Tensor<float> first, second;
  {
    Training const training(rng);
    first = layer(x).value();
    second = layer(x).value();
    CHECK(Dropout{0}(x).value().data() == x.value().data());
  }
  CHECK(rng.draws() == 2);
  CHECK_FALSE(same_bits(first, second));
  Rng again(1);
  Training const training(again);
  CHECK(same_bits(layer(x).value(), first));
  CHECK(count_parameters(layer) == 0);
}

TEST_CASE("dropout does not depend on threads, a sample's mask not on the batch", "[dropout]") {
  auto const x = random_tensor<bf16>({9, 40, 40, 3});
  check_threads([&] { return ops::dropout(x, 0.3, key); });
  CHECK(same_bits(ops::dropout(x.slice(0, 4).clone(), 0.3, key), ops::dropout(x, 0.3, key).slice(0, 4)));
  Tensor<float> const same({2, 500}, 1.0f);
  auto const y = ops::dropout(same, 0.5, key);
  CHECK_FALSE(same_bits(y.slice(0, 1), y.slice(1, 2)));
}

TEST_CASE("dropout refuses what is no probability", "[dropout]") {
  Tensor<float> const x({2, 3}, 1.0f);
  require_error([&] { (void)ops::dropout(x, -0.1, key); }, "dropout: given probability -0.1, wanted 0 to 1");
  require_error([&] { (void)ops::dropout(x, std::nan(""), key); }, "wanted 0 to 1");
  require_error([&] { (void)dropout(Var<float>(x), 1.5); }, "dropout: given probability 1.5");
  require_error([&] { (void)ops::dropout(Tensor<float>(), 0.5, key); }, "dropout: given an empty tensor");
}
