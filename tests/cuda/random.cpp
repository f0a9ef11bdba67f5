// Random numbers and dropout on the GPU have the bits of the CPU.
#include <stipple/diffusion/noise.hpp>
#include <stipple/ops/dropout.hpp>

#include "compare.hpp"

using namespace stipple;

TEST_CASE("Normals on the GPU have the bits of the CPU", "[random]") {
  for_each_order([] {
    for (Shape const shape : {Shape{1, 1}, Shape{3, 7}, Shape{2, 5, 4}, Shape{1, 4099}, Shape{0, 3}}) {
      Rng rng(7, 3), same(7, 3);
      require_same(draw_normal<Cuda>(rng, shape, Purpose::noise, 5), same.normal(shape, Purpose::noise, 5));
      REQUIRE(rng.draws() == same.draws());
    }
  });
}

TEST_CASE("Normals on the GPU do not depend on the batch", "[random]") {
  Rng rng(1, 0), other(1, 0);
  auto const all = to<Cpu>(draw_normal<Cuda>(rng, {4, 33}, Purpose::sample));
  require_same(draw_normal<Cuda>(other, {1, 33}, Purpose::sample, 2), all.slice(2, 3).clone());
}

TEST_CASE("Uniforms on the GPU have the bits of the CPU", "[random]") {
  for (Shape const shape : {Shape{1, 1}, Shape{3, 7}, Shape{2, 5, 4}, Shape{1, 4099}}) {
    Rng rng(9);
    DrawKey const key(9, Purpose::timestep, 0);
    Tensor<float, Cuda> x(shape);
    cuda::fill_uniforms(key, 2, -1.5f, 0.25f, x.data(), shape[0], shape.count(1, shape.rank()));
    require_same(x, rng.uniform(shape, -1.5f, 0.25f, Purpose::timestep, 2));
  }
}

TEMPLATE_TEST_CASE("Dropout on the GPU has the masks of the CPU", "[dropout]", float, bf16) {
  DrawKey const key(3, Purpose::dropout, 11);
  for_each_order([&] {
    for (Shape const shape : {Shape{1, 1}, Shape{5, 127}, Shape{3, 8, 8, 16}, Shape{2, 1001}, Shape{0, 8}}) {
      auto const x = random_tensor<TestType>(shape, 1);
      for (double const p : {0.0, 0.1, 0.5, 1.0}) {
        require_same(ops::dropout(to<Cuda>(x), p, key), ops::dropout(x, p, key));
        require_same(ops::dropout(displaced(x), p, key), ops::dropout(x, p, key));
      }
    }
  });
}
