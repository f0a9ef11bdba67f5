#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/ops/arithmetic.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

struct Convention {
  const char* name;
  TimestepEmbeddingSpec spec;
};
// The conventions of the courses whose vectors stand in tests/reference/courses.
const std::vector<Convention> conventions{{"kaist", {.flip_sin_to_cos = true, .downscale_freq_shift = 0}},
                                          {"ai504", {.flip_sin_to_cos = false, .downscale_freq_shift = 1}},
                                          {"radboud", {.flip_sin_to_cos = false, .downscale_freq_shift = 0}}};

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
  SafetensorsFile const file(STIPPLE_TEST_REFERENCE_DIR "/courses/formulas.safetensors");
  auto const steps = file.read<std::int64_t>("embedding.t");
  Tensor<double> t(steps.shape());
  std::copy(steps.span().begin(), steps.span().end(), t.data());
  for (auto const& convention : conventions)
    for (Index dim : {8, 32, 256}) {
      auto const name = std::string("embedding.") + convention.name + "." + std::to_string(dim);
      INFO(name);
      auto const exact = file.read<double>(name + "|f64");
      CHECK(max_abs_difference(ops::timestep_embedding<double>(t, dim, convention.spec), exact) < 1e-12);
      for_each_isa([&](Isa) {
        auto const single = ops::cast<float>(t);
        CHECK(max_abs_difference(ops::timestep_embedding<float>(single, dim, convention.spec), exact) < 2e-7);
        CHECK(max_abs_difference(ops::timestep_embedding<bf16>(single, dim, convention.spec), exact) < 0x1p-9 + 1e-6);
      });
    }
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
