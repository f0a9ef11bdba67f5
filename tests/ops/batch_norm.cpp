#include <stipple/nn/norm.hpp>
#include <stipple/ops/activation.hpp>
#include <stipple/ops/softmax.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

Tensor<double> exact(const Tensor<float>& t) { return ops::cast<double>(t); }
Tensor<double> exact(const Tensor<bf16>& t) { return ops::cast<double>(ops::cast<float>(t)); }

/// Compares T in every instruction set with double, from the same rounded inputs, relative to the largest magnitude.
template <class T>
void check_against_double(const Shape& shape, Activation f, double tolerance, double sum_tolerance) {
  INFO(dtype_name<T>() << " " << to_text(shape) << " " << to_text(f));
  Shape const channels{shape[-1]};
  auto const x = random_tensor<T>(shape), dy = random_tensor<T>(shape, 2);
  auto const w = ops::affine(random_tensor(channels, 3), 0.3, 1), b = random_tensor(channels, 4);
  auto const mean = random_tensor(channels, 5),
             variance = ops::affine(ops::softmax(random_tensor(channels, 6)), 5, 0.1);
  for (auto const statistics : {BatchStatistics::batch, BatchStatistics::given}) {
    bool const own = statistics == BatchStatistics::batch;
    auto const wanted = own ? ops::batch_norm(exact(x), exact(w), exact(b), 1e-5, f)
                            : ops::batch_norm(exact(x), exact(w), exact(b), exact(mean), exact(variance), 1e-5, f);
    auto const wanted_g =
        ops::batch_norm_backward(exact(dy), exact(x), exact(w), exact(b), wanted.mean, wanted.rstd, statistics, f);
    double scale = 1;
    for (double const r : wanted.rstd.span()) scale = std::max(scale, r);
    for_each_isa([&](Isa) {
      auto const y = own ? ops::batch_norm(x, w, b, 1e-5, f) : ops::batch_norm(x, w, b, mean, variance, 1e-5, f);
      auto const g = ops::batch_norm_backward(dy, x, w, b, y.mean, y.rstd, statistics, f);
      CHECK(max_abs_difference(y.y, wanted.y) <= 8 * scale * tolerance);
      CHECK(max_abs_difference(g.x, wanted_g.x) <= 8 * scale * tolerance);
      CHECK(max_abs_difference(g.weight, wanted_g.weight) <= scale * sum_tolerance);
      CHECK(max_abs_difference(g.bias, wanted_g.bias) <= sum_tolerance);
    });
  }
}

}  // namespace

TEST_CASE("batch_norm in double is its definition", "[batch_norm]") {
  auto const x = random_tensor<double>({3, 4, 5, 3}), w = random_tensor<double>({3}, 2),
             b = random_tensor<double>({3}, 3);
  auto const out = ops::batch_norm(x, w, b, 1e-3);
  for (Index c = 0; c < 3; ++c) {
    double mean = 0, variance = 0;
    for (Index i = c; i < x.size(); i += 3) mean += x.data()[i] / 60;
    for (Index i = c; i < x.size(); i += 3) variance += (x.data()[i] - mean) * (x.data()[i] - mean) / 60;
    CHECK(out.mean.data()[c] == Approx(mean));
    CHECK(out.variance.data()[c] == Approx(variance));
    for (Index i = c; i < x.size(); i += 3)
      CHECK(out.y.data()[i] ==
            Approx((x.data()[i] - mean) / std::sqrt(variance + 1e-3) * w.data()[c] + b.data()[c]).margin(1e-12));
  }
  auto const evaluated = ops::batch_norm(x, w, b, out.mean, out.variance, 1e-3);
  CHECK(max_abs_difference(evaluated.y, out.y) <= 1e-12);
}

TEST_CASE("batch_norm agrees with double at odd shapes in every instruction set", "[batch_norm]") {
  for (Shape const& shape : {Shape{2, 1}, Shape{5, 3}, Shape{2, 1, 1, 4}, Shape{3, 7, 5, 13}, Shape{20, 28, 28, 6},
                             Shape{4, 14, 14, 56}, Shape{30, 300}})
    for (auto const f : {Activation::none, Activation::gelu}) {
      check_against_double<float>(shape, f, 5e-7, 1e-4);
      check_against_double<bf16>(shape, f, 0x1p-8, 1e-4);
    }
}

TEST_CASE("batch_norm with each activation is the two of them in turn", "[batch_norm]") {
  auto const x = random_tensor<double>({3, 6, 5, 12}), dy = random_tensor<double>(x.shape(), 2);
  auto const w = random_tensor<double>({12}, 3), b = random_tensor<double>({12}, 4),
             mean = random_tensor<double>({12}, 5), variance = Tensor<double>({12}, 0.7);
  auto const narrow = [](const Tensor<double>& t) { return ops::cast<float>(t); };
  for (std::size_t i = 0; i < activation_names.size(); ++i)
    for (auto const statistics : {BatchStatistics::batch, BatchStatistics::given}) {
      auto const f = static_cast<Activation>(i);
      INFO(to_text(f));
      bool const own = statistics == BatchStatistics::batch;
      auto const norm = [&](Activation kind) {
        return own ? ops::batch_norm(x, w, b, 1e-5, kind) : ops::batch_norm(x, w, b, mean, variance, 1e-5, kind);
      };
      auto const turns = norm(Activation::none), fused = norm(f);
      CHECK(max_abs_difference(fused.y, ops::activate(turns.y, f)) <= 1e-12);
      CHECK(same_bits(fused.mean, turns.mean));
      CHECK(same_bits(fused.variance, turns.variance));
      auto const wanted =
          ops::batch_norm_backward(ops::activate_backward(dy, turns.y, f), x, w, b, turns.mean, turns.rstd, statistics);
      auto const given = ops::batch_norm_backward(dy, x, w, b, fused.mean, fused.rstd, statistics, f);
      CHECK(max_abs_difference(given.x, wanted.x) <= 1e-12);
      CHECK(max_abs_difference(given.weight, wanted.weight) <= 1e-11);
      CHECK(max_abs_difference(given.bias, wanted.bias) <= 1e-11);
      for_each_isa([&](Isa) {  // nothing is rounded between the two in float
        auto const in_float = [&](Activation kind) {
          return own ? ops::batch_norm(narrow(x), narrow(w), narrow(b), 1e-5, kind).y
                     : ops::batch_norm(narrow(x), narrow(w), narrow(b), narrow(mean), narrow(variance), 1e-5, kind).y;
        };
        CHECK(same_bits(in_float(f), ops::activate(in_float(Activation::none), f)));
      });
    }
}

TEST_CASE("batch_norm passes finite differences", "[batch_norm]") {
  for (Shape const& shape : {Shape{3, 2, 2, 3}, Shape{7, 1}, Shape{4, 5}})
    for (auto const& [training, f] : {std::pair{true, Activation::none},
                                      {true, Activation::gelu},
                                      {true, Activation::silu},
                                      {false, Activation::none},
                                      {false, Activation::gelu}}) {
      auto const mean = random_tensor<double>({shape[-1]}, 4), variance = Tensor<double>({shape[-1]}, 0.7);
      check_gradients(
          [&, training = training, f = f](auto const& v) {
            return batch_norm(v[0], v[1], v[2], mean.clone(), variance.clone(), training,
                              {.eps = 1e-3, .activation = f});
          },
          {random_tensor<double>(shape), random_tensor<double>({shape[-1]}, 2), random_tensor<double>({shape[-1]}, 3)});
    }
}

TEST_CASE("batch_norm moves the running statistics as PyTorch does", "[batch_norm]") {
  // One channel of 1, 2, 3, 6: mean 3, unbiased variance 14 / 3.
  Var<float> const x(Tensor<float>({4, 1}, {1, 2, 3, 6}));
  BatchNorm2d<float> const layer(1);
  Rng rng(1);
  {
    Training const training(rng);
    (void)layer(x);
    CHECK(layer.running_mean.value.item() == Approx(0.3));
    CHECK(layer.running_var.value.item() == Approx(0.9 + 1.4 / 3));
    (void)layer(x);
    CHECK(layer.running_mean.value.item() == Approx(0.57));
  }
  float const before = layer.running_mean.value.item();
  auto const y = layer(x).value();  // evaluates
  CHECK(layer.running_mean.value.item() == before);
  CHECK(y.data()[0] == Approx((1 - before) / std::sqrt(layer.running_var.value.item() + 1e-5)));
}

TEST_CASE("gradients of batch_norm in double do not depend on threads", "[batch_norm]") {
  Shape const shape{2, 28, 28, 28};
  auto const x = random_tensor<double>(shape), dy = random_tensor<double>(shape, 2);
  auto const w = random_tensor<double>({28}, 3), b = random_tensor<double>({28}, 4);
  auto const out = ops::batch_norm(x, w, b);
  for (auto const statistics : {BatchStatistics::batch, BatchStatistics::given}) {
    auto const backward = [&] { return ops::batch_norm_backward(dy, x, w, b, out.mean, out.rstd, statistics); };
    check_threads([&] { return backward().x; });
    check_threads([&] { return backward().weight; });
    check_threads([&] { return backward().bias; });
  }
}

TEST_CASE("batch_norm does not depend on threads, nor an evaluated sample on the batch", "[batch_norm]") {
  auto const x = random_tensor<bf16>({9, 31, 23, 12}), dy = random_tensor<bf16>(x.shape(), 2);
  auto const w = random_tensor({12}, 3), b = random_tensor({12}, 4);
  for (auto const f : {Activation::none, Activation::gelu}) {
    auto const out = ops::batch_norm(x, w, b, 1e-5, f);
    check_threads([&] { return ops::batch_norm(x, w, b, 1e-5, f).y; });
    check_threads([&] { return ops::batch_norm(x, w, b, 1e-5, f).variance; });
    for (auto const statistics : {BatchStatistics::batch, BatchStatistics::given}) {
      auto const backward = [&] { return ops::batch_norm_backward(dy, x, w, b, out.mean, out.rstd, statistics, f); };
      check_threads([&] { return backward().x; });
      check_threads([&] { return backward().weight; });
      check_threads([&] { return backward().bias; });
    }
    check_batch(x, [&](const Tensor<bf16>& t) { return ops::batch_norm(t, w, b, out.mean, out.variance, 1e-5, f).y; });
  }
}

TEST_CASE("a BatchNorm2d with an activation keeps x for its gradient, and the statistics of one without",
          "[batch_norm]") {
  BatchNorm2d<bf16> const plain(12), fused(12, {.activation = Activation::gelu});
  Var<bf16> const x(random_tensor<bf16>({4, 32, 32, 12}), true);
  Rng rng(1);
  {
    Training const training(rng);
    (void)plain(x);
    auto const in_use = [] { return Context::instance().allocator.report().in_use; };
    auto const before = in_use();
    auto const y = fused(x);
    CHECK(y.requires_grad());
    CHECK(in_use() - before < x.value().span().size_bytes() * 5 / 4);  // that is y
  }
  CHECK(same_bits(fused.running_mean.value, plain.running_mean.value));
  CHECK(same_bits(fused.running_var.value, plain.running_var.value));
  auto const wanted = ops::activate(ops::cast<float>(plain(x).value()), Activation::gelu);  // evaluated
  CHECK(max_abs_difference(fused(x).value(), wanted) <= 0x1p-6);
}

TEST_CASE("the BatchNorm2d layer names its parameters and buffers", "[batch_norm]") {
  BatchNorm2d<bf16> layer(6);
  std::vector<std::string> names;
  for_each_leaf(layer, [&](const std::string& name, auto&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});
  CHECK(count_parameters(layer) == 12);
  require_error([] { BatchNorm2d<float>(0); }, "BatchNorm2d: given 0 channels");
}

TEST_CASE("batch_norm refuses what does not fit", "[batch_norm]") {
  Tensor<float> const x({2, 3, 6}, 1.0f), w({6}, 1.0f), none;
  require_error([&] { (void)ops::batch_norm(x, Tensor<float>({2}), w); },
                "batch_norm: given an operand of shape (2) for 6 channels, wanted (6)");
  require_error([&] { (void)ops::batch_norm(none, w, w); }, "batch_norm: given an input");
  require_error(
      [&] {
        (void)ops::batch_norm(x.slice(0, 1).reshape({3, 6}).slice(0, 1), w, w);
      },
      "wanted at least two values a channel");
  require_error([&] { (void)ops::batch_norm(x, w, w, none, none); }, "batch_norm: given no running statistics");
  require_error([&] { (void)ops::batch_norm(x, w, w, w, Tensor<float>({6}, -1.0f)); }, "given variance -1");
  require_error([&] { (void)ops::batch_norm(x, w, w, -1.0); }, "given eps -1");
  auto const out = ops::batch_norm(x, w, w);
  require_error([&] { (void)ops::batch_norm_backward(w, x, w, w, out.mean, out.rstd, BatchStatistics::batch); },
                "batch_norm backward: given a gradient of shape (6), wanted (2, 3, 6)");
}
