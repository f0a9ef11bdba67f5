// Learning-rate schedules at points known in closed form.
#include <cmath>

#include <stipple/optim/schedule.hpp>

#include "check.hpp"

using namespace stipple;

TEST_CASE("ConstantRate and LinearWarmup") {
  CHECK(ConstantRate{}(123) == 1);
  LinearWarmup const warmup{4};
  CHECK(warmup(0) == 0);
  CHECK(warmup(1) == 0.25);
  CHECK(warmup(4) == 1);
  CHECK(warmup(100) == 1);
  CHECK(LinearWarmup{}(0) == 1);
  LinearWarmup const from_one{.steps = 4, .first = 1};
  CHECK(from_one(0) == 0.25);
  CHECK(from_one(2) == 0.75);
  CHECK(from_one(3) == 1);
  CHECK(from_one(4) == 1);
}

TEST_CASE("CosineDecay: half a wave after the warm-up") {
  CosineDecay const plain{.steps = 100};
  CHECK(plain(0) == 1);
  CHECK(plain(25) == Approx((1 + std::sqrt(0.5)) / 2));
  CHECK(plain(50) == Approx(0.5));
  CHECK(plain(100) == Approx(0).margin(1e-15));
  CHECK(plain(1000) == Approx(0).margin(1e-15));

  CosineDecay const warm{.steps = 110, .warmup = 10, .last = 0.2};
  CHECK(warm(5) == 0.5);
  CHECK(warm(10) == 1);
  CHECK(warm(60) == Approx(0.6));
  CHECK(warm(110) == Approx(0.2));
  require_error([] { CosineDecay{.steps = 10, .warmup = 10}(0); }, "wanted 0 <= warmup < steps");
  require_error([] { CosineDecay{}(0); }, "wanted 0 <= warmup < steps");
}

TEST_CASE("StepDecay and ExponentialDecay") {
  StepDecay const steps{.every = 10, .factor = 0.5};
  CHECK(steps(9) == 1);
  CHECK(steps(10) == 0.5);
  CHECK(steps(35) == 0.125);
  require_error([] { StepDecay{.every = 0}(0); }, "every");
  CHECK(ExponentialDecay{.factor = 0.5}(3) == 0.125);
}
