#include <stipple/nn/embedding.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {
Tensor<std::int32_t> random_ids(Shape shape, std::int32_t count) { return Rng(3).integers(shape, 0, count); }
}  // namespace

TEST_CASE("embedding passes finite differences", "[embedding]") {
  for (Shape const& shape : {Shape{5}, Shape{1, 1}, Shape{3, 7}, Shape{}})
    check_gradients([&](auto const& v) { return embedding(v[0], random_ids(shape, 4)); },
                    {random_tensor<double>({4, 3})});
}

TEST_CASE("gradients of an entry used often are summed in float", "[embedding]") {
  for_each_isa([](Isa) {
    Var<bf16> const table(Tensor<bf16>({3, 5}, bf16(0)), true);
    embedding(table, Tensor<std::int32_t>({1000}, 1)).backward(Tensor<bf16>({1000, 5}, bf16(1.0f)));
    for (Index i = 0; i < 15; ++i) CHECK(table.grad().data()[i] == (i / 5 == 1 ? 1000.0f : 0.0f));
  });
}

TEST_CASE("embedding does not depend on threads, its rows not on the batch", "[embedding]") {
  auto const table = random_tensor<bf16>({1000, 96});
  auto const ids = random_ids({3000}, 1000);
  auto const dy = random_tensor<bf16>({3000, 96}, 2);
  check_threads([&] { return ops::embedding(table, ids); });
  check_threads([&] { return ops::embedding_backward(dy, ids, 1000); });
  check_batch(ids.slice(0, 20), [&](const Tensor<std::int32_t>& t) { return ops::embedding(table, t); });
}

TEST_CASE("one_hot marks the id", "[embedding]") {
  Tensor<std::int32_t> const ids({2, 2}, {0, 2, 1, 2});
  CHECK(same_bits(ops::one_hot<float>(ids, 3), Tensor<float>({2, 2, 3}, {1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1})));
  CHECK(one_hot<bf16>(ids, 4).value().shape() == Shape{2, 2, 4});
  Tensor<std::int32_t> const some({2}, {-1, 1});
  CHECK(same_bits(ops::one_hot<float>(some, 2, -1), Tensor<float>({2, 2}, {0, 0, 0, 1})));
  require_error([&] { (void)ops::one_hot<float>(some, 1, -1); }, "given id 1 at position 1, wanted 0 to 0, or -1 for");
  // A product with one-hot rows is a look-up.
  CHECK(ops::one_hot<double>(Tensor<std::int32_t>({1}, 0), 1).item() == 1);
}

TEST_CASE("ids outside of the table are refused", "[embedding]") {
  Tensor<float> const table({4, 3}, 0.0f);
  Tensor<std::int32_t> const high({3}, {0, 3, 4}), low({2}, {-1, 0});
  require_error([&] { (void)ops::embedding(table, high); }, "embedding: given id 4 at position 2, wanted 0 to 3");
  require_error([&] { (void)ops::embedding(table, low); }, "embedding: given id -1 at position 0");
  require_error([&] { (void)ops::embedding(table, Tensor<std::int32_t>()); }, "embedding: given no ids");
  require_error([&] { (void)ops::embedding(Tensor<float>({4}), high); }, "embedding: given a table of shape (4)");
  Var<float> const scalar(Tensor<float>(Shape{}, 1.0f), true);
  require_error([&] { (void)embedding(scalar, high); }, "embedding: given a table of shape (), wanted (V, E)");
  require_error(
      [&] {
        (void)ops::embedding_backward(Tensor<float>({3, 3}), high, 4);
      },
      "embedding_backward: given id 4");
  require_error([&] { (void)ops::embedding_backward(Tensor<float>({2, 3}), high, 5); }, "wanted (3, 3)");
  require_error([&] { (void)ops::one_hot<float>(high, 4); }, "one_hot: given id 4");
  require_error([&] { (void)ops::one_hot<float>(high, 0); }, "one_hot: given 0 classes");
}

TEST_CASE("the layer starts with standard normals under PyTorch's name", "[embedding]") {
  Rng rng(1);
  Embedding<bf16> const layer(200, 50, rng);
  double total = 0, squares = 0;
  for (auto v : layer.weight.var.value().span()) {
    total += static_cast<double>(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  CHECK(std::abs(total / 10000) < 0.04);
  CHECK(squares / 10000 == Approx(1).margin(0.06));
  std::string names;
  for_each_leaf(layer, [&](const std::string& name, auto const&) { names += name + ";"; });
  CHECK(names == "weight;");
  CHECK(layer(Tensor<std::int32_t>({7}, 3)).shape() == Shape{7, 50});
  require_error([&] { Embedding<float>(0, 5, rng); }, "Embedding: given 0 entries");
}
