// Gradient checkpointing: the gradients of the network without it, with less memory.
#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/checkpoint.hpp>
#include <stipple/autograd/dropout.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>

#include "check.hpp"
#include "gradient_check.hpp"

using namespace stipple;

namespace {

/// conv, batch norm, gelu, dropout, conv
template <class T>
struct Block {
  Conv2d<T> first, second;
  BatchNorm2d<T> norm;

  Block(Index channels, Rng& rng)
      : first(channels, channels, {}, rng), second(channels, channels, {}, rng), norm(channels) {}
  Var<T> operator()(const Var<T>& x) const { return second(dropout(gelu(norm(first(x))), 0.3)); }
  std::vector<Tensor<float>> gradients() const {
    return {first.weight.var.grad(), first.bias.var.grad(),    norm.weight.var.grad(),
            norm.bias.var.grad(),    second.weight.var.grad(), second.bias.var.grad()};
  }
};

struct Outcome {
  Tensor<float> output, input_gradient, running_mean;
  std::vector<Tensor<float>> gradients;
  std::uint64_t draws = 0;
};

/// One forward and backward through a fresh block in training mode; backward runs when that has ended.
template <class T>
Outcome run(bool checkpointed) {
  Rng rng(3);
  Block<T> const block(6, rng);
  Var<T> const x(ops::cast<T>(rng.normal({2, 5, 7, 6})), true);
  Rng masks(9);
  Var<T> y;
  {
    Training const training(masks);
    y = checkpointed ? checkpoint([&](const Var<T>& in) { return block(in); }, x) : block(x);
  }
  y.backward(ops::cast<T>(rng.normal(y.shape())));
  return {ops::cast<float>(y.value()), x.grad(), block.norm.running_mean.value, block.gradients(), masks.draws()};
}

template <class T>
void compare() {
  auto const plain = run<T>(false), again = run<T>(true);
  CHECK(max_abs_difference(plain.output, again.output) == 0);
  CHECK(max_abs_difference(plain.input_gradient, again.input_gradient) == 0);
  CHECK(max_abs_difference(plain.running_mean, again.running_mean) == 0);
  CHECK(plain.draws == again.draws);
  for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
    INFO("parameter " << i);
    CHECK(max_abs_difference(plain.gradients[i], again.gradients[i]) == 0);
  }
}

}  // namespace

TEST_CASE("a checkpoint gives the same bits, with dropout and batch norm", "[nn]") {
  SECTION("float") { compare<float>(); }
  SECTION("bf16") { compare<bf16>(); }
}

TEST_CASE("a checkpoint keeps the tape's memory down", "[nn]") {
  auto const peak = [](bool checkpointed) {
    Var<float> h(Tensor<float>({1, 64 * 1024}, 0.5f), true);
    Context::instance().allocator.reset_peak();
    auto const before = Context::instance().allocator.report().in_use;
    auto const block = [](const Var<float>& x) { return silu(silu(silu(silu(silu(silu(silu(silu(x)))))))); };
    for (int i = 0; i < 8; ++i) h = checkpointed ? checkpoint(block, h) : block(h);
    h.backward(h.value());
    return Context::instance().allocator.report().peak - before;
  };
  auto const plain = peak(false), checkpointed = peak(true);
  INFO("peak bytes " << plain << " without and " << checkpointed << " with");
  CHECK(checkpointed * 2 < plain);
}

TEST_CASE("a checkpoint hands gradients to several inputs and passes over constants", "[nn]") {
  auto const f = [](const std::vector<Var<double>>& in) {
    Var<double> const constant(Tensor<double>({3, 4}, 2.0));
    return checkpoint(
        [](const Var<double>& a, const Var<double>& b, const Var<double>& c) { return a * b + a * c + b; }, in[0],
        in[1], constant);
  };
  Rng rng(1);
  check_gradients(f, {ops::cast<double>(rng.normal({3, 4})), ops::cast<double>(rng.normal({3, 4}))});
}

TEST_CASE("checkpoints nest", "[nn]") {
  auto const f = [](const std::vector<Var<double>>& in) {
    auto const inner = [](const Var<double>& x) { return silu(x) * x; };
    auto const outer = [&](const Var<double>& x) { return checkpoint(inner, silu(checkpoint(inner, x))); };
    return checkpoint(outer, in[0]);
  };
  Rng rng(1);
  check_gradients(f, {ops::cast<double>(rng.normal({2, 3}))});
}

TEST_CASE("a checkpoint around an input without gradient still trains its parameters", "[nn]") {
  Rng rng(2);
  Linear<float> const layer(3, 2, rng);
  Var<float> const x(rng.normal({4, 3}));
  auto const y = checkpoint([&](const Var<float>& in) { return layer(in); }, x);
  y.backward(Tensor<float>(y.shape(), 1.0f));
  auto const through_checkpoint = layer.weight.var.grad().clone();
  Linear<float> other = layer;
  other.weight.var = Var<float>(layer.weight.var.value(), true);
  other(x).backward(Tensor<float>(y.shape(), 1.0f));
  CHECK(max_abs_difference(through_checkpoint, other.weight.var.grad()) == 0);
}

TEST_CASE("a checkpoint of nothing that needs a gradient is harmless", "[nn]") {
  Var<float> const x(Tensor<float>({2}, 1.0f));
  auto const y = checkpoint([](const Var<float>& in) { return silu(in); }, x);
  y.backward(Tensor<float>({2}, 1.0f));
  NoGrad const no_grad;
  CHECK_FALSE(checkpoint([](const Var<float>& in) { return silu(in); }, Var<float>(x.value(), true)).requires_grad());
}

TEST_CASE("the tape of a checkpoint is used up by backward", "[nn]") {
  Var<float> const x(Tensor<float>({2}, 1.0f), true);
  auto const y = checkpoint([](const Var<float>& in) { return silu(in); }, x);
  y.backward(Tensor<float>({2}, 1.0f));
  require_error([&] { y.backward(Tensor<float>({2}, 1.0f)); }, "used up");
}
