#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/ops/arithmetic.hpp>

#include "check.hpp"
#include "invariance.hpp"
#include "reference_suite.hpp"

using namespace stipple;

namespace {

/// The formula, element by element.
double element(double t, Index j, Index dim, TimestepEmbeddingSpec s) {
  Index const half = dim / 2;
  if (j == 2 * half) return 0;
  double const i = static_cast<double>(j % half);
  double const exponent =
      i == 0 ? 0 : -std::log(s.max_period) * i / (static_cast<double>(half) - s.downscale_freq_shift);
  double const angle = s.scale * t * std::exp(exponent);
  return (j < half) == s.flip_sin_to_cos ? std::cos(angle) : std::sin(angle);
}

}  // namespace

TEST_CASE("timestep embeddings of the courses agree with their vectors", "[timestep_embedding]") {
  reference::check_course_embeddings<double, Cpu>(1e-12);
  for_each_isa([](Isa) {
    reference::check_course_embeddings<float, Cpu>(2e-7);
    reference::check_course_embeddings<bf16, Cpu>(0x1p-9 + 1e-6);
  });
}

TEST_CASE("timestep embeddings follow the formula for every parameter", "[timestep_embedding]") {
  Tensor<float> const t({9}, {0.0f, 0.25f, 1.0f, 3.5f, 999.0f, 12345.678f, 1e6f, -17.0f, 1e-6f});
  for (TimestepEmbeddingSpec spec :
       {TimestepEmbeddingSpec{}, TimestepEmbeddingSpec{true, 0, 1, 10000},
        TimestepEmbeddingSpec{false, 0.5, 1000, 10000}, TimestepEmbeddingSpec{true, 1, 0.3, 50}})
    for (Index dim : {2, 5, 6, 33, 64, 101}) {
      Tensor<double> wanted({9, dim});
      for (Index n = 0; n < 9; ++n)
        for (Index j = 0; j < dim; ++j)
          wanted.data()[n * dim + j] = element(static_cast<double>(t.data()[n]), j, dim, spec);
      for_each_isa([&](Isa) {
        // Angles up to 1e9 leave the table's 2^-48 as the limit.
        CHECK(max_abs_difference(ops::timestep_embedding<float>(t, dim, spec), wanted) < 2e-6);
      });
    }
}

TEST_CASE("timestep embeddings do not depend on threads or batch", "[timestep_embedding]") {
  auto const t = Rng(1).uniform({700}, 0, 1000);
  check_threads([&] { return ops::timestep_embedding<float>(t, 128); });
  check_batch(t.slice(0, 9), [](const Tensor<float>& s) { return ops::timestep_embedding<bf16>(s, 61); });
  CHECK_FALSE(timestep_embedding<bf16>(t, 8).requires_grad());
}

TEST_CASE("timestep embedding refuses what has no frequencies", "[timestep_embedding]") {
  Tensor<float> const t({3}, 1.0f);
  require_error([&] { (void)ops::timestep_embedding<float>(t, 1); }, "timestep_embedding: given 1 features");
  require_error([&] { (void)ops::timestep_embedding<float>(t, -4); }, "given -4 features");
  require_error([&] { (void)ops::timestep_embedding<float>(t, 8, {.downscale_freq_shift = 4}); }, "a shift of 4");
  require_error([&] { (void)ops::timestep_embedding<float>(t, 8, {.max_period = 0}); }, "given period 0");
  require_error([&] { (void)ops::timestep_embedding<float>(t.reshape({3, 1}), 8); }, "of shape (3, 1)");
  require_error([&] { (void)ops::timestep_embedding<float>(Tensor<float>(), 8); }, "of shape ()");
}
