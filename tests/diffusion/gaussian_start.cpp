#include <stipple/diffusion/gaussian_start.hpp>
#include <stipple/diffusion/process.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// A schedule that ends with much of the signal, as that of 200 steps of KAIST AI504 does.
Schedule short_schedule() { return linear_schedule({.num_train_timesteps = 200}); }

// Two correlated numbers a sample, and one that is always 3.
Tensor<float> correlated(Index n) {
  Rng rng(3);
  auto const z = rng.normal({n, 2});
  Tensor<float> x({n, 3});
  for (Index i = 0; i < n; ++i) {
    x.data()[3 * i] = 0.5f + 2 * z.data()[2 * i];
    x.data()[3 * i + 1] = -1 + z.data()[2 * i] + 0.25f * z.data()[2 * i + 1];
    x.data()[3 * i + 2] = 3;
  }
  return x;
}

struct Moments {
  double mean[3] = {}, covariance[3][3] = {};

  explicit Moments(const Tensor<float>& x) {
    auto const n = static_cast<double>(x.dim(0));
    for (Index i = 0; i < x.size(); ++i) mean[i % 3] += static_cast<double>(x.data()[i]) / n;
    for (Index i = 0; i < x.size(); i += 3)
      for (int a = 0; a < 3; ++a)
        for (int b = 0; b < 3; ++b)
          covariance[a][b] +=
              (static_cast<double>(x.data()[i + a]) - mean[a]) * (static_cast<double>(x.data()[i + b]) - mean[b]) / n;
  }
};

}  // namespace

TEST_CASE("A Gaussian start has the mean and the covariance of noised data") {
  auto const schedule = short_schedule();
  double const abar = schedule.alphas_cumprod.back();
  REQUIRE(abar > 0.1);
  auto const data = correlated(500);
  Moments const of_data(data);
  Rng rng(11);
  Moments const drawn(GaussianStart(schedule, data).draw(200'000, rng));
  for (int a = 0; a < 3; ++a) {
    INFO("element " << a);
    CHECK(std::abs(drawn.mean[a] - std::sqrt(abar) * of_data.mean[a]) < 0.01);
    for (int b = 0; b < 3; ++b)
      CHECK(std::abs(drawn.covariance[a][b] - (abar * of_data.covariance[a][b] + (a == b ? 1 - abar : 0))) < 0.015);
  }
}

TEST_CASE("A Gaussian start of a schedule that ends in noise is that noise") {
  auto schedule = short_schedule();
  schedule.alphas_cumprod.back() = 0;
  Rng rng(5), same(5);
  CHECK(same_bits(GaussianStart(schedule, correlated(50)).draw(7, rng), same.normal({7, 3})));
}

TEST_CASE("A Gaussian start depends on the sample, not on batches or threads") {
  Rng pictures(1);
  GaussianStart const start(short_schedule(), pictures.normal({40, 5, 3, 2}));
  Rng rng(9);
  auto const whole = start.draw(9, rng);
  CHECK(whole.shape() == Shape{9, 5, 3, 2});
  CHECK(rng.draws() == 2);
  for (Index first : {0, 4, 8}) {
    Rng again(9);
    CHECK(same_bits(start.draw(1, again, static_cast<std::uint64_t>(first)), whole.slice(first, first + 1)));
  }
  check_threads([&] {
    Rng again(9);
    return start.draw(9, again);
  });
}

TEST_CASE("A Gaussian start of nothing is refused") {
  auto const schedule = short_schedule();
  require_error([&] { GaussianStart(schedule, Tensor<float>()); }, "wanted samples along the first axis");
  require_error([&] { GaussianStart(schedule, Tensor<float>({0, 3})); }, "wanted samples along the first axis");
  require_error(
      [&] {
        Rng rng(1);
        GaussianStart(schedule, correlated(4)).draw(0, rng);
      },
      "wanted at least 1");
}
