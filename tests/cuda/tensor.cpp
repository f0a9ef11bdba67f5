// Tensor<T, Cuda>: memory, copies and views.
#include <cstring>
#include <vector>

#include <stipple/tensor/tensor.hpp>

#include "check.hpp"
#include "orders.hpp"

using namespace stipple;

namespace {

template <class T>
Tensor<T> counted(Shape shape) {
  Tensor<T> x(shape);
  int next = 1;
  for (auto& value : x.span()) value = static_cast<T>(next++ % 100);
  return x;
}

template <class T>
bool same_bytes(const Tensor<T>& a, const Tensor<T>& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.span().size_bytes()) == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("Tensor on the device: copies there and back keep every byte", "[tensor]", float, bf16, double,
                   std::int32_t, std::int64_t, std::uint8_t) {
  for_each_order([] {
    for (Shape const shape : {Shape{}, Shape{1}, Shape{3, 5, 7}, Shape{1025}, Shape{0, 4}}) {
      auto const x = counted<TestType>(shape);
      auto const y = to<Cuda>(x);
      REQUIRE(y.shape() == shape);
      REQUIRE(same_bytes(to<Cpu>(y), x));
      REQUIRE(same_bytes(to<Cpu>(y.clone()), x));
    }
    REQUIRE_FALSE(to<Cpu>(Tensor<TestType, Cuda>()).defined());
  });
}

TEMPLATE_TEST_CASE("Tensor on the device: fill reaches every element and no other", "[tensor]", float, bf16, double,
                   std::uint8_t) {
  for_each_order([] {
    for (Index n : {1, 2, 7, 16, 33, 1000}) {
      for (Index offset : {0, 1, 3}) {
        Tensor<TestType, Cuda> x({n + 8}, TestType(3));
        auto part = x.view(offset, {n});
        part.fill(TestType(7));
        auto const host = to<Cpu>(x);
        for (Index i = 0; i < n + 8; ++i)
          REQUIRE(host.span()[static_cast<std::size_t>(i)] == TestType(offset <= i && i < offset + n ? 7 : 3));
      }
    }
  });
}

TEST_CASE("Tensor on the device: views share memory, clones do not", "[tensor]") {
  auto x = to<Cuda>(counted<float>({4, 3}));
  auto row = x.slice(1, 2);
  auto const copy = x.clone();
  row.fill(-1);
  REQUIRE(same_bytes(to<Cpu>(x), Tensor<float>({4, 3}, {1, 2, 3, -1, -1, -1, 7, 8, 9, 10, 11, 12})));
  REQUIRE(same_bytes(to<Cpu>(copy), counted<float>({4, 3})));
  REQUIRE(same_bytes(to<Cpu>(x.reshape({12}).view(5, {2})), Tensor<float>({2}, {-1, 7})));
  x.copy_from(copy);
  REQUIRE(x.slice(3, 4).reshape({3}).slice(2, 3).item() == 12);
  REQUIRE(Tensor<float, Cuda>({2}, {5, 6}).slice(1, 2).item() == 6);
  REQUIRE(to<Cuda>(x).data() == x.data());
}

TEST_CASE("Tensor on the device: bad input", "[tensor]") {
  Tensor<float, Cuda> x({4, 3}, 0);
  require_error([&] { (void)x.item(); }, "item: given a tensor of shape (4, 3), wanted one element");
  require_error([&] { x.copy_from(Tensor<float, Cuda>({3, 4}, 0)); }, "copy: given shape (3, 4), wanted (4, 3)");
  require_error([&] { x.slice(0, 2).copy_from(x.slice(1, 3)); }, "copy: given overlapping ranges");
  require_error([&] { Tensor<float, Cuda>({2}, {1, 2, 3}); }, "given 3 values for shape (2)");
  require_error([&] { (void)x.view(10, {3}); }, "view: given offset 10");
}

static_assert(!std::is_convertible_v<Tensor<float, Cuda>::pointer, float*>, "the host cannot read device memory");
static_assert(!std::is_convertible_v<Tensor<float, Cuda>::const_pointer, Tensor<float, Cuda>::pointer>);
