// Tensor: construction, shared storage, views, copies, errors.
#include <cstdint>
#include <limits>
#include <vector>

#include <stipple/tensor/tensor.hpp>

#include "check.hpp"

using stipple::bf16;
using stipple::Index;
using stipple::Shape;
using stipple::Tensor;

TEMPLATE_TEST_CASE("Tensor: construction from a value and from a list", "", float, double, std::int32_t, std::int64_t,
                   std::uint8_t, bf16) {
  Tensor<TestType> const filled({2, 3}, TestType(7));
  CHECK(filled.defined());
  CHECK(filled.rank() == 2);
  CHECK(filled.size() == 6);
  CHECK(filled.dim(-1) == 3);
  for (TestType value : filled.span()) CHECK(value == TestType(7));

  Tensor<TestType> const listed({2, 2}, {TestType(1), TestType(2), TestType(3), TestType(4)});
  CHECK(listed.data()[2] == TestType(3));
  auto const zeros = Tensor<TestType>::zeros({5});
  for (TestType value : zeros.span()) CHECK(value == TestType(0));
  CHECK(reinterpret_cast<std::uintptr_t>(listed.data()) % 64 == 0);
}

TEST_CASE("Tensor: no storage, no elements, one element") {
  Tensor<float> const none;
  CHECK_FALSE(none.defined());
  CHECK_FALSE(none.clone().defined());
  Tensor<float> const empty({0, 4});
  CHECK(empty.defined());
  CHECK(empty.size() == 0);
  CHECK(empty.clone().shape() == Shape{0, 4});
  Tensor<float> const scalar(Shape{}, 2.5f);
  CHECK(scalar.item() == 2.5f);
  CHECK(Tensor<float>({1, 1}, 3.0f).item() == 3.0f);
}

TEST_CASE("Tensor: copies share storage, clones do not") {
  Tensor<float> a({3}, {1, 2, 3});
  CHECK(a.unique());
  Tensor<float> b = a;
  CHECK_FALSE(a.unique());
  Tensor<float> const c = a.clone();
  b.data()[1] = 9;
  CHECK(a.data()[1] == 9);
  CHECK(c.data()[1] == 2);
  CHECK(c.unique());
  b = Tensor<float>();
  CHECK(a.unique());
}

TEST_CASE("Tensor: views share storage") {
  Tensor<float> const a({4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  Tensor<float> rows = a.slice(1, 3);
  CHECK(rows.shape() == Shape{2, 3});
  CHECK(rows.data()[0] == 3);
  rows.data()[0] = -1;
  CHECK(a.data()[3] == -1);
  CHECK(a.slice(4, 4).size() == 0);
  CHECK(a.slice(2, 4).slice(1, 2).data()[2] == 11);

  CHECK(a.reshape({2, 2, 3}).data() == a.data());
  CHECK(a.reshape({2, 6}).shape() == Shape{2, 6});
  CHECK(a.view(5, {2, 2}).data() == a.data() + 5);
  CHECK(a.view(12, {0}).size() == 0);
}

TEST_CASE("Tensor: a view keeps the storage alive") {
  Tensor<float> view;
  {
    Tensor<float> const whole({1000}, 4.0f);
    view = whole.slice(990, 1000);
  }
  Tensor<float> const other({1000}, 5.0f);
  for (float value : view.span()) CHECK(value == 4.0f);
}

TEST_CASE("Tensor: copy_from replaces the elements") {
  Tensor<float> a({2, 2}, 0.0f);
  Tensor<float> const b({2, 2}, {1, 2, 3, 4});
  a.copy_from(b);
  CHECK(max_abs_difference(a, b) == 0);
  a.fill(8);
  CHECK(b.data()[0] == 1);
  require_error([&] { a.copy_from(b.reshape({4})); }, "given shape (4), wanted (2, 2)");
}

TEST_CASE("Tensor: errors name the shapes") {
  Tensor<float> const a({4, 3}, 1.0f);
  std::vector<float> const five(5);
  require_error([&] { Tensor<float>({2, 3}, std::span<const float>(five)); }, "given 5 values for shape (2, 3)");
  require_error([&] { (void)a.item(); }, "item: given a tensor of shape (4, 3)");
  require_error([&] { (void)a.reshape({5}); }, "reshape: given shape (5) for a tensor of shape (4, 3)");
  require_error([&] { (void)a.slice(-1, 2); }, "slice: given [-1, 2)");
  require_error([&] { (void)a.slice(3, 2); }, "slice: given [3, 2)");
  require_error([&] { (void)a.slice(0, 5); }, "of a tensor of shape (4, 3)");
  require_error([&] { (void)Tensor<float>(Shape{}, 1.0f).slice(0, 0); }, "slice");
  require_error([&] { (void)a.view(10, {3}); }, "view: given offset 10 and shape (3) in a tensor of 12 elements");
  require_error([&] { (void)a.view(-1, {3}); }, "view: given offset -1");
  require_error([&] { (void)a.view(std::numeric_limits<Index>::max(), {3}); }, "view: given offset");
  require_error([&] { (void)a.dim(2); }, "given axis 2");
  Tensor<float> none, scalar(Shape{}, 1.0f);  // which have the same shape
  require_error([&] { scalar.copy_from(none); }, "copy: given an empty tensor");
  require_error([&] { none.copy_from(scalar); }, "copy: given an empty tensor");
}

TEST_CASE("Tensor: a size that the system cannot give is an error") {
  require_error([] { Tensor<double>(Shape{Index{1} << 47}); }, "the system refused");
}

TEST_CASE("Tensor: memory is given back with the last tensor") {
  auto& pool = stipple::Context::instance().allocator;
  auto const before = pool.report().in_use;
  {
    Tensor<float> const a({1000}, 0.0f);
    Tensor<float> const b = a.slice(0, 10);
    CHECK(pool.report().in_use >= before + 4000);
  }
  CHECK(pool.report().in_use == before);
}
