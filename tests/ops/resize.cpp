#include <stipple/autograd/resize.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {
constexpr ResizeSpec nearest{};
constexpr ResizeSpec bilinear{.mode = ResizeMode::bilinear};
constexpr ResizeSpec aligned{.mode = ResizeMode::bilinear, .align_corners = true};

/// Interpolation between pixels whose centres lie at 0.5, 1.5, ..., or at the corners, written out for one pixel.
double exact(const Tensor<double>& x, Size2d size, ResizeSpec spec, Index n, Index oy, Index ox, Index c) {
  auto const source = [&](Index o, Index in, Index out) {
    double const d = static_cast<double>(o), i = static_cast<double>(in), u = static_cast<double>(out);
    if (spec.mode == ResizeMode::nearest) return std::floor(d * i / u);
    if (spec.align_corners) return out == 1 ? 0.0 : d * (i - 1) / (u - 1);
    return std::clamp((d + 0.5) * i / u - 0.5, 0.0, i - 1);
  };
  double const sy = source(oy, x.dim(1), size.height), sx = source(ox, x.dim(2), size.width);
  double total = 0;  // hat functions around every pixel
  for (Index y = 0; y < x.dim(1); ++y)
    for (Index w = 0; w < x.dim(2); ++w)
      total += std::max(0.0, 1 - std::abs(sy - static_cast<double>(y))) *
               std::max(0.0, 1 - std::abs(sx - static_cast<double>(w))) *
               x.data()[((n * x.dim(1) + y) * x.dim(2) + w) * x.dim(3) + c];
  return total;
}
}  // namespace

TEST_CASE("resize to any size follows the formula", "[resize]") {
  for (Shape const& shape : {Shape{2, 1, 1, 3}, Shape{1, 5, 7, 1}, Shape{2, 8, 6, 19}})
    for (Size2d size : {Size2d{1, 1}, Size2d{3, 11}, Size2d{16, 12}, Size2d{2, 3}, Size2d{13, 1}})
      for (ResizeSpec spec : {nearest, bilinear, aligned}) {
        INFO(to_text(shape) << " to " << size.height << " x " << size.width);
        auto const x = random_tensor<double>(shape);
        auto const y = ops::resize(x, size, spec);
        Tensor<double> wanted({shape[0], size.height, size.width, shape[3]});
        Index at = 0;
        for (Index n = 0; n < shape[0]; ++n)
          for (Index oy = 0; oy < size.height; ++oy)
            for (Index ox = 0; ox < size.width; ++ox)
              for (Index c = 0; c < shape[3]; ++c) wanted.data()[at++] = exact(x, size, spec, n, oy, ox, c);
        CHECK(max_abs_difference(y, wanted) < 1e-13);
        for_each_isa([&](Isa) {
          CHECK(max_abs_difference(ops::resize(ops::cast<float>(x), size, spec), wanted) < 1e-6);
          CHECK(max_abs_difference(ops::resize(ops::cast<bf16>(x), size, spec), wanted) < 0.03);
        });
      }
}

TEST_CASE("upsample repeats pixels", "[resize]") {
  Var<float> const x(Tensor<float>({1, 1, 2, 2}, {1, 2, 3, 4}), true);
  auto const y = upsample(x, 2);
  CHECK(same_bits(y.value(), Tensor<float>({1, 2, 4, 2}, {1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4})));
  y.backward(Tensor<float>(y.shape(), 1.0f));
  CHECK(same_bits(x.grad(), Tensor<float>({1, 1, 2, 2}, 4.0f)));
}

TEST_CASE("resize passes finite differences", "[resize]") {
  for (Size2d size : {Size2d{3, 7}, Size2d{1, 2}, Size2d{10, 9}})
    for (ResizeSpec spec : {nearest, bilinear, aligned})
      check_gradients([&](auto const& v) { return resize(v[0], size, spec); }, {random_tensor<double>({2, 5, 4, 3})});
}

TEST_CASE("resize does not depend on threads or batch", "[resize]") {
  auto const x = random_tensor<bf16>({5, 23, 31, 24});
  for (ResizeSpec spec : {nearest, bilinear, aligned}) {
    auto const up = [&](const Tensor<bf16>& t) { return ops::resize(t, {46, 40}, spec); };
    auto const back = [&](const Tensor<bf16>& t) { return ops::resize_backward(t, {11, 17}, spec); };
    check_threads([&] { return up(x); });
    check_threads([&] { return back(x); });
    check_batch(x, up);
    check_batch(x, back);
  }
}

TEST_CASE("resize refuses shapes and sizes that make no image", "[resize]") {
  Tensor<float> const x({2, 4, 4, 3}, 0.0f);
  require_error([&] { (void)ops::resize(x, {0, 4}); }, "resize: given 4 x 4 pixels to make 0 x 4");
  require_error([&] { (void)ops::resize(x, {4, -1}); }, "wanted at least 1 x 1");
  require_error([&] { (void)ops::resize(Tensor<float>({2, 4, 3}), {4, 4}); }, "resize: given shape (2, 4, 3)");
  require_error([&] { (void)ops::resize(Tensor<float>({2, 0, 4, 3}), {4, 4}); }, "resize: given 0 x 4 pixels");
  require_error([&] { (void)ops::resize(Tensor<float>(), {4, 4}); }, "resize: given shape ()");
  require_error([&] { (void)ops::resize(x, {8, 8}, {.align_corners = true}); }, "align_corners with nearest");
  require_error([&] { (void)ops::resize_backward(Tensor<float>({2, 3}), {4, 4}); }, "resize_backward: given shape");
  require_error([&] { (void)upsample(Var<float>(x), 0); }, "upsample: given shape (2, 4, 4, 3) and factor 0");
  Var<float> const flat(Tensor<float>({2}), true);
  require_error([&] { (void)resize(flat, {4, 4}); }, "resize: given shape (2), wanted (N, H, W, C)");
  CHECK(ops::resize(Tensor<float>({0, 4, 4, 3}), {2, 2}).shape() == Shape{0, 2, 2, 3});
}
