#include <stipple/autograd/pool.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

const std::vector<PoolSpec> specs{{2, 2, 0}, {3, 2, 1}, {3, 1, 1},        {2, 3, 0},
                                  {1, 1, 0}, {5, 4, 2}, {3, 1, 1, false}, {4, 3, 2, false}};

/// One window, written out: mean, and maximum of what lies within the image.
struct Window {
  double mean = 0, most = -std::numeric_limits<double>::infinity();
};
Window window(const Tensor<double>& x, PoolSpec s, Index n, Index oy, Index ox, Index c) {
  Window result;
  Index inside = 0;
  for (Index y = oy * s.stride - s.padding; y < oy * s.stride - s.padding + s.kernel; ++y)
    for (Index w = ox * s.stride - s.padding; w < ox * s.stride - s.padding + s.kernel; ++w) {
      if (y < 0 || y >= x.dim(1) || w < 0 || w >= x.dim(2)) continue;
      double const v = x.data()[((n * x.dim(1) + y) * x.dim(2) + w) * x.dim(3) + c];
      result.mean += v;
      ++inside;
      result.most = std::max(result.most, v);
    }
  result.mean /= static_cast<double>(s.counts_padding ? s.kernel * s.kernel : inside);
  return result;
}

}  // namespace

TEST_CASE("pooling follows its definition at odd shapes", "[pool]") {
  for (Shape const& shape : {Shape{2, 7, 5, 3}, Shape{1, 8, 6, 1}, Shape{1, 5, 11, 37}})
    for (PoolSpec spec : specs) {
      INFO(to_text(shape) << ", kernel " << spec.kernel << ", stride " << spec.stride << ", counts "
                          << spec.counts_padding);
      auto const x = random_tensor<double>(shape);
      Index const h = (shape[1] + 2 * spec.padding - spec.kernel) / spec.stride + 1;
      Index const w = (shape[2] + 2 * spec.padding - spec.kernel) / spec.stride + 1;
      Tensor<double> mean({shape[0], h, w, shape[3]}), most(mean.shape());
      Index at = 0;
      for (Index n = 0; n < shape[0]; ++n)
        for (Index oy = 0; oy < h; ++oy)
          for (Index ox = 0; ox < w; ++ox)
            for (Index c = 0; c < shape[3]; ++c, ++at) {
              auto const one = window(x, spec, n, oy, ox, c);
              mean.data()[at] = one.mean;
              most.data()[at] = one.most;
            }
      CHECK(max_abs_difference(ops::avg_pool(x, spec), mean) < 1e-14);
      CHECK(max_abs_difference(ops::max_pool(x, spec), most) == 0);
      for_each_isa([&](Isa) {
        CHECK(max_abs_difference(ops::avg_pool(ops::cast<float>(x), spec), mean) < 1e-6);
        CHECK(same_bits(ops::max_pool(ops::cast<float>(x), spec), ops::cast<float>(most)));
        CHECK(same_bits(ops::max_pool(ops::cast<bf16>(x), spec), ops::cast<bf16>(most)));
      });
    }
}

TEST_CASE("pooling passes finite differences", "[pool]") {
  auto const x = random_tensor<double>({2, 6, 7, 3});
  for (PoolSpec spec : specs) {
    check_gradients([&](auto const& v) { return avg_pool(v[0], spec); }, {x});
    check_gradients([&](auto const& v) { return max_pool(v[0], spec); }, {x});
  }
  check_gradients([](auto const& v) { return global_avg_pool(v[0]); }, {x});
}

TEST_CASE("every instruction set hands the maximum's gradient to the same pixel", "[pool]") {
  for (PoolSpec spec : specs) {
    auto const x = random_tensor<bf16>({2, 8, 8, 21});
    auto const y = ops::max_pool(x, spec);
    auto const dy = random_tensor<bf16>(y.shape(), 2);
    Tensor<bf16> portable;
    for_each_isa([&](Isa isa) {
      auto const dx = ops::max_pool_backward(dy, x, y, spec);
      if (isa == Isa::portable) portable = dx;
      CHECK(same_bits(dx, portable));
    });
  }
}

TEST_CASE("the first of equal pixels receives the gradient, and NaN is the largest", "[pool]") {
  float const nan = std::nanf("");
  for_each_isa([&](Isa) {
    Var<float> const equal(Tensor<float>({1, 2, 4, 1}, 3.0f), true);
    max_pool(equal).backward(Tensor<float>({1, 1, 2, 1}, 1.0f));
    CHECK(same_bits(equal.grad(), Tensor<float>({1, 2, 4, 1}, {1, 0, 1, 0, 0, 0, 0, 0})));
    for (Index at = 0; at < 4; ++at) {
      Tensor<float> x({1, 2, 2, 1}, 1.0f);
      x.data()[at] = nan;
      CHECK(std::isnan(ops::max_pool(x).item()));
    }
  });
}

TEST_CASE("global average pooling is the mean over pixels", "[pool]") {
  for_each_isa([](Isa) {
    auto const x = random_tensor<float>({3, 5, 7, 19});
    auto const y = ops::global_avg_pool(x);
    CHECK(y.shape() == Shape{3, 19});
    double total = 0;
    for (Index p = 0; p < 35; ++p) total += static_cast<double>(x.data()[(35 + p) * 19 + 4]);
    CHECK(y.data()[19 + 4] == Approx(total / 35).margin(1e-6));
  });
}

TEST_CASE("pooling does not depend on threads or batch", "[pool]") {
  auto const x = random_tensor<bf16>({5, 24, 30, 24});
  for (PoolSpec spec : specs) {
    auto const gradient = [&](const Tensor<bf16>& t) {
      auto const y = ops::max_pool(t, spec);
      return ops::max_pool_backward(y, t, y, spec);
    };
    check_threads([&] { return ops::avg_pool(x, spec); });
    check_threads([&] { return gradient(x); });
    check_batch(x, gradient);
    check_batch(x, [&](const Tensor<bf16>& t) { return ops::avg_pool(t, spec); });
    check_batch(x,
                [&](const Tensor<bf16>& t) { return ops::avg_pool_backward(ops::avg_pool(t, spec), t.shape(), spec); });
  }
  check_batch(x, [](const Tensor<bf16>& t) { return ops::global_avg_pool(t); });
}

TEST_CASE("pooling refuses what has no window", "[pool]") {
  Tensor<float> const x({1, 3, 3, 2}, 0.0f);
  require_error([&] { (void)ops::avg_pool(x, {4, 4, 0}); }, "avg_pool: given 3 x 3 pixels");
  require_error([&] { (void)ops::max_pool(x, {0, 1, 0}); }, "max_pool: given kernel 0");
  require_error([&] { (void)ops::max_pool(x, {2, 0, 0}); }, "stride 0");
  require_error([&] { (void)ops::max_pool(x, {2, 2, 2}); }, "at most half the kernel");
  require_error([&] { (void)ops::max_pool(x, {2, 2, -1}); }, "padding -1");
  require_error([&] { (void)ops::max_pool(Tensor<float>({3, 3})); }, "max_pool: given shape (3, 3)");
  require_error([&] { (void)ops::avg_pool(Tensor<float>()); }, "avg_pool: given shape ()");
  for (Shape const& none : {Shape{1, 0, 3, 64}, Shape{1, 3, 0, 64}}) {  // padding alone would make a window
    require_error([&] { (void)ops::max_pool(Tensor<float>(none), {2, 1, 1}); }, "wanted (N, H, W, C) with pixels");
    require_error([&] { (void)ops::avg_pool(Tensor<float>(none), {2, 1, 1}); }, "wanted (N, H, W, C) with pixels");
  }
  require_error([&] { (void)ops::avg_pool_backward(x, Shape{1, 3, 3, 2}); }, "given a gradient of shape (1, 3, 3, 2)");
  require_error([&] { (void)ops::max_pool_backward(x, x, x); }, "wanted (1, 1, 1, 2)");
  require_error([&] { (void)ops::global_avg_pool(Tensor<float>({1, 0, 3, 2})); }, "global_avg_pool: given shape");
  require_error([&] { (void)ops::global_avg_pool_backward(x, x.shape()); }, "global_avg_pool_backward: given shapes");
}
