#include <stipple/autograd/pad.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {
const std::vector<PadSpec> specs{{1, 1, 1, 1}, {0, 1, 0, 1},  {2, 0, 0, 3},  {-1, 2, 3, -2}, {-2, -1, -1, -2},
                                 {0, 0, 0, 0}, {-4, 9, 1, 1}, {1, 1, 9, -6}, {7, -5, 0, 0},  {-9, 12, 0, 0}};
}

TEST_CASE("pad moves every pixel by top and left, and fills the rest", "[pad]") {
  for (Shape const& shape : {Shape{2, 5, 6, 3}, Shape{1, 5, 6, 1}, Shape{3, 5, 6, 17}})
    for (PadSpec s : specs) {
      auto const x = random_tensor<float>(shape);
      auto const y = ops::pad(x, s, 7);
      REQUIRE(y.shape() == Shape{shape[0], s.top + 5 + s.bottom, s.left + 6 + s.right, shape[3]});
      bool equal = true;
      Index at = 0;
      for (Index n = 0; n < shape[0]; ++n)
        for (Index i = 0; i < y.dim(1); ++i)
          for (Index k = 0; k < y.dim(2); ++k)
            for (Index c = 0; c < shape[3]; ++c, ++at) {
              Index const row = i - s.top, column = k - s.left;
              bool const inside = row >= 0 && row < 5 && column >= 0 && column < 6;
              equal = equal && y.data()[at] == (inside ? x.data()[((n * 5 + row) * 6 + column) * shape[3] + c] : 7.0f);
            }
      CHECK(equal);
    }
}

TEST_CASE("pad passes finite differences", "[pad]") {
  for (PadSpec spec : specs)
    check_gradients([&](auto const& v) { return pad(v[0], spec, 0.5); }, {random_tensor<double>({2, 5, 6, 3})});
}

TEST_CASE("pad does not depend on threads or batch", "[pad]") {
  auto const x = random_tensor<bf16>({5, 40, 30, 24});
  check_threads([&] { return ops::pad(x, {1, 2, 3, -4}, 1); });
  check_batch(x, [](const Tensor<bf16>& t) { return ops::pad(t, {1, 2, 3, -4}, 1); });
}

TEST_CASE("pad refuses what leaves no image", "[pad]") {
  Tensor<float> const x({1, 5, 6, 2}, 0.0f);
  require_error([&] { (void)ops::pad(x, {-3, -2, 0, 0}); }, "pad: given 5 x 6 pixels to make 0 x 6");
  require_error([&] { (void)ops::pad(x, {0, 0, -10, 0}); }, "wanted at least 1 x 1");
  require_error([&] { (void)ops::pad(x, {Index{1} << 62, Index{1} << 62, 0, 0}); }, "wanted fewer");
  require_error([&] { (void)ops::pad(Tensor<float>({5, 6}), {1, 1, 1, 1}); }, "pad: given shape (5, 6)");
  require_error([&] { (void)ops::pad(Tensor<float>(), {1, 1, 1, 1}); }, "pad: given shape ()");
}
