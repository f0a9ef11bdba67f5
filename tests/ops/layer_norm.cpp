#include <stipple/nn/norm.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// Compares y, dx, dweight and dbias of T in every instruction set with double, from the same rounded inputs.
template <class T>
void check_against_double(const Shape& shape, double mean, double tolerance, double sum_tolerance) {
  INFO(dtype_name<T>() << " " << to_text(shape) << " around " << mean);
  auto const x = ops::cast<T>(ops::affine(random_tensor(shape), 1, mean)), dy = random_tensor<T>(shape, 2);
  auto const w = ops::affine(random_tensor({shape[-1]}, 3), 0.3, 1), b = random_tensor({shape[-1]}, 4);
  auto const exact = [](const auto& t) { return ops::cast<double>(ops::cast<float>(t)); };
  auto const wanted = ops::layer_norm(exact(x), exact(w), exact(b));
  auto const wanted_g = ops::layer_norm_backward(exact(dy), exact(x), exact(w), exact(b), wanted.mean, wanted.rstd);
  // dx grows with rstd, which is large where a row has one channel.
  double scale = 1;
  for (double const r : wanted.rstd.span()) scale = std::max(scale, r);
  for_each_isa([&](Isa) {
    auto const y = ops::layer_norm(x, w, b);
    auto const g = ops::layer_norm_backward(dy, x, w, b, y.mean, y.rstd);
    CHECK(max_abs_difference(y.y, wanted.y) <= 4 * tolerance);
    CHECK(max_abs_difference(g.x, wanted_g.x) <= 4 * scale * tolerance);
    CHECK(max_abs_difference(g.weight, wanted_g.weight) <= sum_tolerance);
    CHECK(max_abs_difference(g.bias, wanted_g.bias) <= sum_tolerance);
  });
}

}  // namespace

TEST_CASE("layer_norm in double is its definition", "[layer_norm]") {
  for (Index const n : {1, 2, 7, 33}) {
    auto const x = random_tensor<double>({3, n});
    auto const w = random_tensor<double>({n}, 2), b = random_tensor<double>({n}, 3);
    auto const out = ops::layer_norm(x, w, b, 1e-3);
    for (Index row = 0; row < 3; ++row) {
      double mean = 0, variance = 0;
      for (Index i = 0; i < n; ++i) mean += x.data()[row * n + i] / static_cast<double>(n);
      for (Index i = 0; i < n; ++i)
        variance += (x.data()[row * n + i] - mean) * (x.data()[row * n + i] - mean) / static_cast<double>(n);
      CHECK(out.mean.data()[row] == Approx(mean));
      CHECK(out.rstd.data()[row] == Approx(1 / std::sqrt(variance + 1e-3)));
      for (Index i = 0; i < n; ++i)
        CHECK(out.y.data()[row * n + i] ==
              Approx((x.data()[row * n + i] - mean) / std::sqrt(variance + 1e-3) * w.data()[i] + b.data()[i]));
    }
  }
}

TEST_CASE("layer_norm agrees with double at odd shapes in every instruction set", "[layer_norm]") {
  for (Shape const& shape : {Shape{3, 7}, Shape{1, 1}, Shape{5, 3}, Shape{2, 6, 56}, Shape{300, 28}, Shape{2, 1031},
                             Shape{17}, Shape{40, 64}, Shape{2, 3, 4, 18}}) {
    check_against_double<float>(shape, 0, 5e-7, 5e-5);
    check_against_double<bf16>(shape, 0, 0x1p-7, 5e-5);
  }
  // Mean 1000, standard deviation 1: the kept mean is exact to 3e-5 of a deviation.
  check_against_double<float>({50, 96}, 1000, 3e-5, 2e-3);
}

TEST_CASE("layer_norm passes finite differences", "[layer_norm]") {
  for (Shape const& shape : {Shape{3, 7}, Shape{2, 2, 4}, Shape{1, 1}, Shape{5}}) {
    check_gradients(
        [](auto const& v) { return layer_norm(v[0], v[1], v[2], 1e-3); },
        {random_tensor<double>(shape), random_tensor<double>({shape[-1]}, 2), random_tensor<double>({shape[-1]}, 3)});
    check_gradients([](auto const& v) { return layer_norm(v[0], Var<double>(), Var<double>(), 1e-3); },
                    {random_tensor<double>(shape)});
  }
}

TEST_CASE("layer_norm does not depend on threads, its samples not on the batch", "[layer_norm]") {
  auto const x = random_tensor<bf16>({13, 37, 75}), dy = random_tensor<bf16>(x.shape(), 2);
  auto const w = random_tensor({75}, 3), b = random_tensor({75}, 4);
  auto const out = ops::layer_norm(x, w, b);
  auto const backward = [&] { return ops::layer_norm_backward(dy, x, w, b, out.mean, out.rstd); };
  check_threads([&] { return ops::layer_norm(x, w, b).y; });
  check_threads([&] { return backward().x; });
  check_threads([&] { return backward().weight; });
  check_threads([&] { return backward().bias; });
  check_batch(x, [&](const Tensor<bf16>& t) { return ops::layer_norm(t, w, b).y; });
}

TEST_CASE("the LayerNorm layer names its parameters", "[layer_norm]") {
  LayerNorm<float> layer(6);
  std::vector<std::string> names;
  for_each_leaf(layer, [&](const std::string& name, auto&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"weight", "bias"});
  auto const x = random_tensor({2, 3, 6});
  CHECK(same_bits(layer(Var<float>(x)).value(), ops::layer_norm(x, Tensor<float>(), Tensor<float>()).y));
  require_error([] { LayerNorm<float>(0); }, "LayerNorm: given 0 channels");
}

TEST_CASE("layer_norm refuses what does not fit", "[layer_norm]") {
  Tensor<float> const x({2, 6}, 1.0f), w({6}, 1.0f);
  require_error([&] { (void)ops::layer_norm(x, Tensor<float>({2}), w); },
                "layer_norm: given a weight or bias of shape (2) for 6 channels, wanted (6)");
  require_error([&] { (void)ops::layer_norm(Tensor<float>(), w, w); }, "layer_norm: given an input");
  require_error(
      [&] {
        (void)ops::layer_norm(Tensor<float>({3, 0}), Tensor<float>(), Tensor<float>());
      },
      "layer_norm: given an input of shape (3, 0)");
  require_error([&] { (void)ops::layer_norm(x, w, w, -1.0); }, "given eps -1");
  auto const out = ops::layer_norm(x, w, w);
  require_error([&] { (void)ops::layer_norm_backward(w, x, w, w, out.mean, out.rstd); },
                "layer_norm backward: given a gradient of shape (6), wanted (2, 6)");
  require_error([&] { (void)ops::layer_norm_backward(x, x, w, w, w, out.rstd); },
                "layer_norm backward: given statistics of shapes (6) and (2), wanted (2)");
  require_error([&] { (void)ops::layer_norm_backward(w, w, w, w, Tensor<float>(), Tensor<float>()); },
                "layer_norm backward: given no statistics");
  CHECK(ops::layer_norm(Tensor<float>({0, 6}), w, w).y.size() == 0);
}
