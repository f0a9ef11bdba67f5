// Optimiser steps and clipping against PyTorch, for models on either device. See reference_suite.hpp.
#pragma once

#include <string>
#include <vector>

#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>

#include "reference_ops.hpp"

namespace reference {

using stipple::Cpu;
using stipple::Device;
using stipple::Real;
using stipple::Tensor;

/// A network that is nothing but parameters.
template <Real T, Device D>
struct Bag {
  std::vector<stipple::Parameter<T, D>> items;
  static void each(auto& self, auto&& f) { f("items", self.items); }
};

template <Device D, class T>
stipple::Model<Bag<T, D>> model_of(const std::vector<Tensor<T>>& values) {
  Bag<T, D> bag;
  for (auto const& value : values) bag.items.emplace_back(stipple::to<D>(value.clone()));
  return stipple::Model<Bag<T, D>>(std::move(bag));
}

template <class Config>
Config adam_config(const Case& c) {
  Config config;
  config.learning_rate = c.number("lr", config.learning_rate);
  if (c.params().contains("betas")) {
    config.beta1 = c.params().at("betas")[0].template get<double>();
    config.beta2 = c.params().at("betas")[1].template get<double>();
  }
  config.epsilon = c.number("eps", config.epsilon);
  config.weight_decay = c.number("weight_decay", config.weight_decay);
  config.amsgrad = c.flag("amsgrad");
  return config;
}

inline stipple::SgdConfig sgd_config(const Case& c) {
  stipple::SgdConfig config;
  config.learning_rate = c.number("lr", config.learning_rate);
  config.momentum = c.number("momentum", 0);
  config.nesterov = c.flag("nesterov");
  config.weight_decay = c.number("weight_decay", 0);
  return config;
}

inline std::vector<std::string> adam_moments(bool amsgrad) {
  if (amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

/// Follows the recorded steps in element type T; compares weights and moments after each.
template <class T, Device D, class Optimizer>
void follow(const Case& c, const Optimizer& optimizer, const std::vector<std::string>& moments) {
  auto model = model_of<D, T>({c.tensor<T>("param.0")});
  double const recorded = c.entry->at("torch_f32_max_abs_err").template get<double>();
  for (int step = 1; step <= c.entry->at("steps").template get<int>(); ++step) {
    auto const key = "." + std::to_string(step);
    model.view(model.gradients(), 0).copy_from(stipple::to<D>(c.tensor<T>("grad" + key)));
    optimizer.step(model);
    auto const compare = [&](const Tensor<T, D>& arena, const std::string& name) {
      INFO(c.name << " " << name << key << " in " << stipple::dtype_name<T>());
      auto const wanted = c.tensor<T>(name + key);
      double largest = 0;
      for (T const value : wanted.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
      CHECK(max_abs_difference(stipple::to<Cpu>(model.view(arena, 0)), wanted) <=
            std::max(10 * recorded, largest * 0x1p-22));
    };
    compare(model.weights(), "param");
    for (std::size_t i = 0; i < moments.size(); ++i) compare(model.optimizer_state().moments[i], moments[i]);
  }
}

/// Every recorded run of Adam, AdamW and SGD.
template <class T, Device D>
void check_optimizers() {
  for (auto const& c : cases("torch.optim.Adam")) {
    stipple::Adam const adam{adam_config<stipple::AdamConfig>(c)};
    follow<T, D>(c, adam, adam_moments(adam.config.amsgrad));
  }
  for (auto const& c : cases("torch.optim.AdamW")) {
    stipple::AdamW const adam{adam_config<stipple::AdamWConfig>(c)};
    follow<T, D>(c, adam, adam_moments(adam.config.amsgrad));
  }
  for (auto const& c : cases("torch.optim.SGD")) {
    stipple::Sgd const sgd{sgd_config(c)};
    std::vector<std::string> moments;
    if (sgd.config.momentum > 0) moments.push_back("momentum_buffer");
    follow<T, D>(c, sgd, moments);
  }
}

/// The norm of a gradient, and what clipping by it leaves.
template <Device D>
void check_clipping() {
  for (auto const& c : cases("torch.nn.utils.clip_grad_norm_")) {
    std::vector<Tensor<float>> values;
    while (c.has("in." + std::to_string(values.size()))) {
      values.push_back(c.tensor("in." + std::to_string(values.size())));
    }
    REQUIRE(values.size() >= 2);
    auto model = model_of<D>(values);
    for (std::size_t i = 0; i < values.size(); ++i)
      model.view(model.gradients(), i).copy_from(stipple::to<D>(values[i]));
    CHECK(stipple::clip_grad_norm(model, c.number("max_norm")) == Approx(c.tensor("norm").item()).epsilon(1e-6));
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(max_abs_difference(stipple::to<Cpu>(model.view(model.gradients(), i)),
                               c.tensor("out." + std::to_string(i))) <= 1e-6);
    // Now within bounds: nothing changes.
    auto const before = stipple::to<Cpu>(model.gradients()).clone();
    CHECK(stipple::clip_grad_norm(model, 2 * c.number("max_norm")) == Approx(c.number("max_norm")).epsilon(1e-5));
    CHECK(max_abs_difference(stipple::to<Cpu>(model.gradients()), before) == 0);
  }
}

}  // namespace reference
