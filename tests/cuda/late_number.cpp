// Numbers that are read when somebody asks for them.
#include <stipple/tensor/late_number.hpp>

#include "compare.hpp"

using namespace stipple;

TEST_CASE("LateNumber: it is that of its place in the stream, whenever it is read", "[late_number]") {
  for_each_order([] {
    Tensor<float, Cuda> x({3}, 0.0f);
    Tensor<double, Cuda> y({1}, 0.0);
    std::vector<LateNumber> numbers;
    for (int i = 0; i < 20; ++i) {
      x.fill(static_cast<float>(i));
      y.fill(i + 0.5);
      numbers.push_back(late_item(x.view(1, {1})));
      numbers.push_back(late_item(y));
      (void)late_item(x.view(2, {1}));  // which nobody reads
      if (i % 7 == 6) REQUIRE(numbers.back() == i + 0.5);
    }
    x = {};
    for (int i = 19; i >= 0; --i) {
      auto const copied = numbers[static_cast<std::size_t>(2 * i)];
      REQUIRE(copied == i);
      REQUIRE(numbers[static_cast<std::size_t>(2 * i) + 1] == i + 0.5);
      REQUIRE(numbers[static_cast<std::size_t>(2 * i)].value() == i);
    }
  });
}

TEST_CASE("LateNumber: on the CPU it is there at once, and errors are told to all who ask", "[late_number]") {
  Tensor<float> x({1}, 3.0f);
  auto const number = late_item(x);
  x.fill(4);
  REQUIRE(number == 3);
  REQUIRE(LateNumber(2.5).value() == 2.5);
  LateNumber const broken([]() -> double { fail("norm: broken"); });
  for (int i = 0; i < 2; ++i) require_error([&] { (void)broken.value(); }, "norm: broken");
  require_error([] { (void)late_item(Tensor<float>({2}, 1.0f)); }, "late_item: given a tensor of shape (2)");
  require_error([] { (void)late_item(Tensor<float, Cuda>({0})); }, "wanted one element");
}
