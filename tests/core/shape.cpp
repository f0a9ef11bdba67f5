// Shapes and the sentences of their errors.
#include <limits>

#include <stipple/core/shape.hpp>

#include "check.hpp"

using stipple::Index;
using stipple::Shape;

TEST_CASE("Shape: rank, size and extents") {
  Shape const scalar;
  CHECK(scalar.rank() == 0);
  CHECK(scalar.size() == 1);

  Shape const image{2, 28, 30, 3};
  CHECK(image.rank() == 4);
  CHECK(image.size() == 2 * 28 * 30 * 3);
  CHECK(image[1] == 28);
  CHECK(image[-1] == 3);
  CHECK(image[-4] == 2);
  CHECK(image.count(1, 3) == 28 * 30);
  CHECK(image.count(2, 2) == 1);
  CHECK(image.with(-1, 64) == Shape{2, 28, 30, 64});
  CHECK(Shape{3, 0, 5}.size() == 0);
  CHECK(to_text(image) == "(2, 28, 30, 3)");
  CHECK(to_text(scalar) == "()");
}

TEST_CASE("Shape: equality looks at rank and extents") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2, 3} == Shape{2, 3, 1});
  CHECK_FALSE(Shape{} == Shape{1});
}

TEST_CASE("Shape: errors name what was given") {
  Shape const pair{4, 5};
  require_error([&] { (void)pair[2]; }, "given axis 2, wanted one of a tensor of rank 2");
  require_error([&] { (void)pair[-3]; }, "given axis -3");
  require_error([&] { (void)pair.with(2, 1); }, "given axis 2");
  require_error([&] { (void)pair.with(0, -1); }, "given extent -1");
  require_error([] { Shape{2, -7}; }, "given extent -7");
  require_error([] { Shape{1, 1, 1, 1, 1, 1, 1}; }, "given 7 extents, wanted at most 6");
  require_error([] { Shape{1, 1, 1, 1, 1, 1}.append(1); }, "wanted at most 6");
}

TEST_CASE("Shape: more elements than memory can address are refused, not wrapped around") {
  Index const large = Index{1} << 40;
  require_error([&] { Shape{large, large}; }, "elements");
  require_error([&] { Shape{std::numeric_limits<Index>::max(), 2}; }, "elements");
  require_error([&] { (void)Shape{large, 1}.with(1, large); }, "elements");
  require_error([&] { Shape{large, 0, large, large}; }, "elements");
}
