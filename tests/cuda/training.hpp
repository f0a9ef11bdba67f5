// A network trained on the GPU and on the CPU, from the same seed.
#pragma once

#include <vector>

#include <stipple/autograd/mode.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#include "compare.hpp"

/// What two devices should agree about after a few steps.
struct TrainingTrace {
  std::vector<double> losses;
  stipple::Tensor<float> first_weights, first_gradients, weights, average;
};

/// Trains `make(device, rng)`, a network of T on D, with everything that a step can have: dropout and batch statistics,
/// clipping, Adam, a moving average.
template <class T, class D, class Make, class... Conditions>
TrainingTrace train_on(const Make& make, const stipple::Tensor<float>& x0, int steps, const Conditions&... conditions) {
  stipple::Rng rng(11);
  stipple::Model net{make(D{}, rng)};
  static_assert(std::same_as<typename decltype(net)::element, T> && std::same_as<typename decltype(net)::device, D>);
  net.track_ema({.decay = 0.9});
  stipple::Ddpm const ddpm(stipple::linear_schedule({.num_train_timesteps = 100}));
  // Weights before a batch norm have gradients of rounding errors, which the usual epsilon would make large.
  stipple::Adam const adam{{.learning_rate = 1e-3, .epsilon = 1e-3}};
  TrainingTrace trace;
  trace.first_weights = stipple::to<stipple::Cpu>(net.weights()).clone();
  for (int step = 0; step < steps; ++step) {
    stipple::Training const training(rng);
    auto const loss = ddpm.loss(net, stipple::to<D>(x0), rng, stipple::to<D>(conditions)...);
    loss.backward();
    if (step == 0) trace.first_gradients = stipple::to<stipple::Cpu>(net.gradients()).clone();
    trace.losses.push_back(static_cast<double>(loss.item()));
    adam.step(net, {.max_norm = 1});
  }
  trace.weights = stipple::to<stipple::Cpu>(net.weights());
  trace.average = stipple::to<stipple::Cpu>(std::as_const(net).ema_state().weights);
  return trace;
}

/// The largest difference over the largest value of b.
inline double relative_difference(const stipple::Tensor<float>& a, const stipple::Tensor<float>& b) {
  double largest = 0;
  for (float const value : b.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return max_abs_difference(a, b) / largest;
}

/// Requires the same initial weights, gradients of the first step within `within` of the largest of them, and losses
/// and weights of `steps` steps within ten times that, because roundings add up.
template <class T, class Make, class... Conditions>
void require_same_training(const Make& make, const stipple::Tensor<float>& x0, int steps, double within,
                           const Conditions&... conditions) {
  auto const gpu = train_on<T, stipple::Cuda>(make, x0, steps, conditions...);
  auto const cpu = train_on<T, stipple::Cpu>(make, x0, steps, conditions...);
  REQUIRE(max_abs_difference(gpu.first_weights, cpu.first_weights) == 0);
  REQUIRE(relative_difference(gpu.first_gradients, cpu.first_gradients) <= within);
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
    INFO("step " << i);
    REQUIRE(gpu.losses[i] == Approx(cpu.losses[i]).epsilon(10 * within));
  }
  REQUIRE(max_abs_difference(cpu.weights, cpu.first_weights) > 1e-3);  // it did learn
  REQUIRE(relative_difference(gpu.weights, cpu.weights) <= 10 * within);
  REQUIRE(relative_difference(gpu.average, cpu.average) <= 10 * within);
}

/// Requires the same predictions for x at timesteps t, relative to the largest of them.
template <class T, class Make, class... Conditions>
void require_same_prediction(const Make& make, const stipple::Tensor<float>& x, double within,
                             const Conditions&... conditions) {
  auto const predict = [&]<class D>(D device) {
    stipple::Rng rng(3);
    auto const net = make(device, rng);
    stipple::NoGrad const no_grad;
    stipple::Tensor<float> t({x.dim(0)});
    for (stipple::Index i = 0; i < t.size(); ++i) t.data()[i] = static_cast<float>(7 + 31 * i);
    stipple::Var<T, D> const input(stipple::ops::cast<T>(stipple::to<D>(x)));
    return stipple::to<stipple::Cpu>(
        stipple::ops::cast<float>(net(input, stipple::to<D>(t), stipple::to<D>(conditions)...).value()));
  };
  REQUIRE(relative_difference(predict(stipple::Cuda{}), predict(stipple::Cpu{})) <= within);
}
