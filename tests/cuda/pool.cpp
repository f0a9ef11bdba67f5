#include <limits>

#include <stipple/ops/pool.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Case {
  Index height, width;
  PoolSpec spec;
};
const std::vector<Case> cases{{4, 6, {2, 2, 0, true}},  {5, 7, {2, 2, 0, true}},  {7, 7, {3, 2, 1, true}},
                              {6, 9, {3, 1, 1, false}}, {9, 5, {2, 3, 1, false}}, {8, 8, {8, 8, 0, true}},
                              {5, 5, {5, 4, 2, true}},  {1, 1, {1, 1, 0, true}}};

}  // namespace

TEMPLATE_TEST_CASE("Pooling on the GPU is that of the CPU", "[pool]", float, bf16) {
  for (Case const& c : cases) {
    for (Index channels : {1, 3, 8, 24}) {
      INFO(c.height << " x " << c.width << ", kernel " << c.spec.kernel << ", stride " << c.spec.stride << ", padding "
                    << c.spec.padding << ", " << channels << " channels");
      auto const x = random_tensor<TestType>({2, c.height, c.width, channels}, 1);
      auto const most = ops::max_pool(x, c.spec);
      auto const dy = random_tensor<TestType>(most.shape(), 2);
      auto const x_device = to<Cuda>(x), dy_device = to<Cuda>(dy);
      require_same(ops::max_pool(x_device, c.spec), most);
      require_close(ops::max_pool_backward(dy_device, x_device, to<Cuda>(most), c.spec),
                    ops::max_pool_backward(dy, x, most, c.spec));
      require_close(ops::avg_pool(x_device, c.spec), ops::avg_pool(x, c.spec));
      require_close(ops::avg_pool(displaced(x), c.spec), ops::avg_pool(x, c.spec));
      require_close(ops::avg_pool_backward(dy_device, x.shape(), c.spec), ops::avg_pool_backward(dy, x.shape(), c.spec),
                    2 * tolerance<TestType>);
      auto const row = random_tensor<TestType>({2, channels}, 3);
      require_close(ops::global_avg_pool(x_device), ops::global_avg_pool(x));
      require_close(ops::global_avg_pool_backward(to<Cuda>(row), x.shape()),
                    ops::global_avg_pool_backward(row, x.shape()));
    }
  }
}

TEST_CASE("Maximum pooling on the GPU: equal pixels and NaN", "[pool]") {
  auto x = random_tensor<float>({1, 6, 6, 8}, 4);
  for (std::size_t i = 0; i < x.span().size(); ++i) x.span()[i] = static_cast<float>(i / 8 % 2);
  x.span()[5 * 8 + 3] = std::numeric_limits<float>::quiet_NaN();
  for (PoolSpec const spec : {PoolSpec{2, 2, 0}, PoolSpec{3, 1, 1}}) {
    auto const y = ops::max_pool(x, spec), dy = random_tensor<float>(y.shape(), 5);
    require_close(ops::max_pool(to<Cuda>(x), spec), y);
    require_close(ops::max_pool_backward(to<Cuda>(dy), to<Cuda>(x), to<Cuda>(y), spec),
                  ops::max_pool_backward(dy, x, y, spec));
  }
}

TEST_CASE("Pooling on the GPU has the same bits in every order, and takes no samples", "[pool]") {
  auto const x = to<Cuda>(random_tensor<float>({2, 40, 40, 12}, 6));
  auto const y = to<Cpu>(ops::global_avg_pool(x));
  for_each_order([&] { require_same(ops::global_avg_pool(x), y); });
  Tensor<float, Cuda> const none(Shape{0, 4, 4, 8});
  REQUIRE(ops::max_pool(none).shape() == Shape{0, 2, 2, 8});
  REQUIRE(ops::avg_pool(none).shape() == Shape{0, 2, 2, 8});
}
