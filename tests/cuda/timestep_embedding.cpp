#include <stipple/ops/timestep_embedding.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Timestep embeddings on the GPU are those of the CPU", "[timestep_embedding]", float, bf16) {
  Tensor<float> const t({7}, {0, 1, 2.5f, 500, 999, 12345, -3});
  for (Index dim : {2, 3, 64, 129}) {
    for (TimestepEmbeddingSpec const spec : {TimestepEmbeddingSpec{}, TimestepEmbeddingSpec{true, 0, 1000, 100},
                                             TimestepEmbeddingSpec{false, 0.5, 1, 1e6}}) {
      INFO(dim << " features, shift " << spec.downscale_freq_shift);
      require_close(ops::timestep_embedding<TestType>(to<Cuda>(t), dim, spec),
                    ops::timestep_embedding<TestType>(t, dim, spec));
    }
  }
  REQUIRE(ops::timestep_embedding<TestType>(Tensor<float, Cuda>(Shape{0}), 8).shape() == Shape{0, 8});
}
