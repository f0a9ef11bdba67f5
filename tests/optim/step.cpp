// Optimiser steps on whole arenas: every instruction set, any number of threads, clipping, averages, wrong settings.
#include <limits>

#include <stipple/autograd/arithmetic.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// The same start in every type.
template <class T>
Parameter<T> parameter(Shape shape, std::uint64_t seed) {
  return Parameter<T>(ops::cast<T>(ops::cast<float>(random_tensor<bf16>(shape, seed))));
}

/// Three parameters that fill several chunks, the last one a part of a vector.
template <Real T, Device D>
struct Big {
  Parameter<T, D> a = parameter<T>({30, 50}, 1), b = parameter<T>({17001}, 2), c = parameter<T>({3}, 3);
  static void each(auto& self, auto&& f) {
    f("a", self.a);
    f("b", self.b);
    f("c", self.c);
  }
};

template <class T>
struct Result {
  Tensor<accumulate_t<T>> weights, average;
  double norm = 0;
};

/// Three steps with keyed gradients, clipped to `max_norm`, with a moving average.
template <class T, class Optimizer>
Result<T> three_steps(const Optimizer& optimizer, double max_norm) {
  Model model{Big<T, Cpu>()};
  model.track_ema({.decay = 0.9, .warmup = true});
  Result<T> result;
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (std::size_t i = 0; i < 3; ++i)
      model.view(model.gradients(), i)
          .copy_from(random_tensor<accumulate_t<T>>(model.parameters()[i].shape, 10 * step + i));
    result.norm += optimizer.step(model, {.learning_rate_factor = 0.5, .max_norm = max_norm});
  }
  result.weights = model.weights();
  result.average = std::as_const(model).ema_state().weights;
  return result;
}

template <class T, class Optimizer>
void check_everywhere(const Optimizer& optimizer) {
  ContextGuard const guard;
  auto const exact = three_steps<double>(optimizer, 30);
  CHECK(exact.norm > 90);
  for_each_isa([&](Isa) {
    auto const given = three_steps<T>(optimizer, 30);
    CHECK(given.norm == Approx(exact.norm).epsilon(1e-6));
    CHECK(max_abs_difference(given.weights, exact.weights) < 2e-6);
    CHECK(max_abs_difference(given.average, exact.average) < 2e-6);
    check_threads([&] {
      auto const again = three_steps<T>(optimizer, 30);
      CHECK(again.norm == given.norm);
      CHECK(same_bits(again.average, given.average));
      return again.weights;
    });
  });
}

}  // namespace

TEMPLATE_TEST_CASE("Optimiser steps agree in all instruction sets and with any number of threads", "", float, bf16) {
  check_everywhere<TestType>(Adam{{.learning_rate = 0.02, .weight_decay = 0.1}});
  check_everywhere<TestType>(AdamW{{.learning_rate = 0.02, .weight_decay = 0.1, .amsgrad = true}});
  check_everywhere<TestType>(Sgd{{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01}});
  check_everywhere<TestType>(Sgd{{.learning_rate = 0.1}});
}

TEMPLATE_TEST_CASE("Optimiser steps: gradients count the same where backward left them and in an arena", "", float,
                   bf16, double) {
  auto const run = [](const auto& optimizer, bool gathered) {
    Model model{Big<TestType, Cpu>()};
    double norms = 0;
    for (std::uint64_t step = 0; step < 3; ++step) {
      for (auto const* parameter : {&model.net().a, &model.net().b})  // none for c
        affine(parameter->var, 1).backward(random_tensor<TestType>(parameter->var.shape(), step));
      if (gathered) (void)model.gradients();
      norms += optimizer.step(model, {.max_norm = 1});
    }
    return std::pair(model.weights(), norms);
  };
  auto const check = [&](const auto& optimizer) {
    auto const [weights, norms] = run(optimizer, false);
    auto const [wanted, wanted_norms] = run(optimizer, true);
    CHECK(norms == wanted_norms);
    CHECK(same_bits(weights, wanted));
  };
  check(Adam{{.learning_rate = 0.02, .weight_decay = 0.1}});
  check(Sgd{{.learning_rate = 0.1, .momentum = 0.9}});
}

TEST_CASE("Optimiser steps: clipping within the step is clip_grad_norm and a step") {
  auto const run = [](bool inside) {
    Model model{Big<double, Cpu>()};
    for (std::size_t i = 0; i < 3; ++i)
      model.view(model.gradients(), i).copy_from(random_tensor<double>(model.parameters()[i].shape, i));
    Sgd const sgd{{.learning_rate = 1}};
    if (inside) {
      sgd.step(model, {.max_norm = 2});
    } else {
      clip_grad_norm(model, 2);
      sgd.step(model);
    }
    return model.weights();
  };
  CHECK(max_abs_difference(run(true), run(false)) < 1e-14);
}

TEST_CASE("Optimiser steps: padding stays zero and the learning-rate factor scales the step") {
  Model model{Big<float, Cpu>()};
  auto const start = model.weights().clone();
  for (std::size_t i = 0; i < 3; ++i) model.view(model.gradients(), i).fill(1);
  Sgd{{.learning_rate = 0.5}}.step(model, {.learning_rate_factor = 0.25});
  auto const& c = model.parameters()[2];
  CHECK(model.weights().size() == c.offset + 32);
  for (Index i = 0; i < 3; ++i)
    CHECK(model.weights().data()[c.offset + i] == Approx(start.data()[c.offset + i] - 0.125f));
  for (Index i = c.offset + 3; i < c.offset + 32; ++i) CHECK(model.weights().data()[i] == 0);
}

TEST_CASE("Ema: warm-up of the decay") {
  Ema const plain{.decay = 0.99}, slow{.decay = 0.99, .warmup = true};
  CHECK(plain.decay_at(0) == 0.99);
  CHECK(slow.decay_at(0) == Approx(0.1));
  CHECK(slow.decay_at(8) == Approx(0.5));
  CHECK(slow.decay_at(10000) == 0.99);
}

TEST_CASE("gradient_norm: numbers whose squares leave the range of float") {
  Model model{Big<float, Cpu>()};
  model.gradients().fill(0);
  CHECK(gradient_norm(model) == 0);
  model.gradients().data()[7] = 3e30f;
  model.gradients().data()[18000] = 4e30f;
  CHECK(gradient_norm(model) == Approx(5e30).epsilon(1e-6));
  model.gradients().data()[7] = 3e-30f;
  model.gradients().data()[18000] = 4e-30f;
  CHECK(gradient_norm(model) == Approx(5e-30).epsilon(1e-6));
}

TEST_CASE("Optimiser steps: bad input is an Error and changes nothing") {
  Model model{Big<float, Cpu>()};
  model.gradients().fill(1);
  auto const before = model.weights().clone();
  require_error([&] { Adam{{.learning_rate = -1}}.step(model); }, "learning_rate");
  require_error([&] { Adam{{.beta1 = 1}}.step(model); }, "wanted 0 <= beta1 < 1");
  require_error([&] { AdamW{{.beta2 = -0.1}}.step(model); }, "beta2");
  require_error([&] { Adam{{.epsilon = std::numeric_limits<double>::quiet_NaN()}}.step(model); }, "epsilon");
  require_error([&] { Sgd{{.nesterov = true}}.step(model); }, "nesterov");
  require_error([&] { clip_grad_norm(model, 0); }, "wanted a positive number");
  model.view(model.gradients(), 1).data()[5] = std::numeric_limits<float>::quiet_NaN();
  require_error([&] { Adam{}.step(model, {.max_norm = 1}); }, "the gradient of 'b'");
  CHECK(same_bits(model.weights(), before));

  model.gradients().fill(1);
  Adam{}.step(model);
  require_error([&] { Sgd{{.momentum = 0.9}}.step(model); }, "the model holds the moments of adam");
  require_error([&] { Adam{{.amsgrad = true}}.step(model); }, "the model holds the moments of adam");
  model.reset_optimizer();
  Sgd{{.momentum = 0.9}}.step(model);
}
