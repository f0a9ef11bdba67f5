// Operations that move elements: concat, split, pad, embedding, one-hot. Bits have to stay as they are.
#include <stipple/ops/concat.hpp>
#include <stipple/ops/embedding.hpp>
#include <stipple/ops/pad.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Concatenation on the GPU is that of the CPU", "[concat]", float, bf16) {
  for (auto const& [a, b] : {std::pair<Index, Index>{1, 1}, {3, 5}, {8, 16}, {16, 3}, {0, 4}, {1024, 8}}) {
    INFO(a << " and " << b << " columns");
    auto const x = random_tensor<TestType>({3, 5, a}, 1), y = random_tensor<TestType>({3, 5, b}, 2);
    auto const joined = ops::concat<TestType, Cpu>({x, y});
    auto const device = ops::concat<TestType, Cuda>({to<Cuda>(x), to<Cuda>(y)});
    require_same(device, joined);
    require_same(ops::concat<TestType, Cuda>({displaced(x), to<Cuda>(y)}), joined);
    auto const parts = ops::split(device, {a, b});
    require_same(parts[0], x);
    require_same(parts[1], y);
  }
  // Columns in the middle of rows whose extents are whole vectors, though their places are not.
  auto const x = random_tensor<TestType>({5, 3}, 1), y = random_tensor<TestType>({5, 8}, 2),
             z = random_tensor<TestType>({5, 5}, 3);
  auto const device = ops::concat<TestType, Cuda>({to<Cuda>(x), to<Cuda>(y), to<Cuda>(z)});
  require_same(device, ops::concat<TestType, Cpu>({x, y, z}));
  require_same(ops::slice_last(device, 3, 8), y);
}

TEMPLATE_TEST_CASE("Padding on the GPU is that of the CPU", "[pad]", float, bf16) {
  for (Index channels : {1, 3, 8, 24}) {
    auto const x = random_tensor<TestType>({2, 5, 7, channels}, 3);
    for (PadSpec const spec :
         {PadSpec{1, 2, 3, 4}, PadSpec{-1, -2, 0, -3}, PadSpec{2, -1, -2, 5}, PadSpec{-6, 4, 0, 0}})
      require_same(ops::pad(to<Cuda>(x), spec, 0.75), ops::pad(x, spec, 0.75));
    require_same(ops::pad(displaced(x), {1, 0, 0, 1}), ops::pad(x, {1, 0, 0, 1}));
  }
}

TEMPLATE_TEST_CASE("Embeddings on the GPU are those of the CPU", "[embedding]", float, bf16) {
  Tensor<std::int32_t> const ids({2, 4}, {3, 0, 3, 5, 1, 3, 0, 5});
  for (Index width : {1, 7, 16}) {
    auto const table = random_tensor<TestType>({6, width}, 4), dy = random_tensor<TestType>({2, 4, width}, 5);
    require_same(ops::embedding(to<Cuda>(table), to<Cuda>(ids)), ops::embedding(table, ids));
    require_same(ops::embedding_backward(to<Cuda>(dy), to<Cuda>(ids), 6), ops::embedding_backward(dy, ids, 6));
  }
  require_same(ops::one_hot<TestType>(to<Cuda>(ids), 7), ops::one_hot<TestType>(ids, 7));
  require_same(ops::one_hot<TestType>(to<Cuda>(ids), 5, 5), ops::one_hot<TestType>(ids, 5, 5));
}

TEST_CASE("Embeddings on the GPU: an id that is no row makes NaN", "[embedding]") {
  auto const table = to<Cuda>(random_tensor<float>({4, 8}, 6));
  Tensor<std::int32_t, Cuda> const ids({3}, {-1, 2, 4});
  auto const y = to<Cpu>(ops::embedding(table, ids));
  REQUIRE(std::isnan(y.span()[0]));
  REQUIRE(std::isfinite(y.span()[8]));
  REQUIRE(std::isnan(y.span()[16]));
  REQUIRE(std::isnan(to<Cpu>(ops::one_hot<float>(ids, 4)).span()[0]));
}
