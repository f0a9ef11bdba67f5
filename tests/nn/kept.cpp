// What gradient rules keep: nothing of results that are soon made again, with the gradients of keeping them.
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/dropout.hpp>
#include <stipple/autograd/resize.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

template <class T>
Var<T> leaf(Shape shape, std::uint64_t seed) {
  return Var<T>(random_tensor<T>(shape, seed), true);
}

std::size_t bytes_in_use() { return Context::instance().allocator.report().in_use; }

template <class T>
struct Inputs {
  Var<T> left = leaf<T>({2, 8, 6, 20}, 1), right = leaf<T>({2, 8, 6, 12}, 2), weight = leaf<T>({3, 3, 32, 1}, 3);
  Var<accumulate_t<T>> scale = leaf<accumulate_t<T>>({32}, 4);
};

/// conv(dropout(norm(upsample(concat(left, right))))), with `through` behind every operation but the last.
template <class T, class F>
Var<T> chain(const Inputs<T>& in, const F& through) {
  Rng rng(5);
  Training const training(rng);
  auto const images = through(upsample(through(concat(in.left, in.right)), 2));
  auto const normed = through(group_norm(images, in.scale, {}, {.groups = 4, .activation = Activation::silu}));
  return conv2d(through(dropout(normed, 0.3)), in.weight, {.padding = 1});
}

}  // namespace

TEMPLATE_TEST_CASE("What is soon made again is not kept, and has the gradients of what is", "[autograd]", float, bf16,
                   double) {
  Inputs<TestType> const again, kept;
  constexpr std::size_t upsampled = 2 * 16 * 12 * 32 * sizeof(TestType);
  auto before = bytes_in_use();
  auto const y = chain(again, [](const Var<TestType>& x) { return x; });
  CHECK(bytes_in_use() - before < upsampled / 2);
  before = bytes_in_use();
  auto const wanted = chain(kept, [](const Var<TestType>& x) { return affine(x, 1); });
  CHECK(bytes_in_use() - before > 3 * upsampled);
  CHECK(same_bits(y.value(), wanted.value()));

  auto const seed = random_tensor<TestType>(y.shape(), 6);
  y.backward(seed);
  wanted.backward(seed);
  CHECK(same_bits(again.left.grad(), kept.left.grad()));
  CHECK(same_bits(again.right.grad(), kept.right.grad()));
  CHECK(same_bits(again.weight.grad(), kept.weight.grad()));
  CHECK(same_bits(again.scale.grad(), kept.scale.grad()));
}

TEST_CASE("A shrunken image is kept instead of the image", "[autograd]") {
  auto const weight = leaf<float>({3, 3, 4, 1}, 2);
  auto const before = bytes_in_use();
  auto const y = conv2d(resize(affine(leaf<float>({1, 64, 64, 4}, 1), 2), {4, 4}), weight, {.padding = 1});
  CHECK(bytes_in_use() - before < 64 * 64 * 4 * sizeof(float));
  y.backward(random_tensor<float>(y.shape(), 3));
}

TEST_CASE("What another backward has used up is not made again", "[autograd]") {
  auto const x = leaf<float>({1, 4, 4, 2}, 1), weight = leaf<float>({3, 3, 2, 1}, 2);
  auto const larger = upsample(x, 2);
  auto const first = conv2d(larger, weight, {.padding = 1}), second = conv2d(larger, weight, {.padding = 1});
  auto const seed = random_tensor<float>(first.shape(), 3);
  first.backward(seed);
  require_error([&] { second.backward(seed); }, "the tape of this value was used up");
}
