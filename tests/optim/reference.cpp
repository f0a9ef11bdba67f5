// Optimiser steps and clipping against PyTorch.
#include <string>
#include <vector>

#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>

#include "invariance.hpp"
#include "reference_ops.hpp"

using namespace stipple;

namespace {

/// A network that is nothing but parameters.
template <Real T, Device D>
struct Bag {
  std::vector<Parameter<T, D>> items;
  static void each(auto& self, auto&& f) { f("items", self.items); }
};

template <class T>
Model<Bag<T, Cpu>> model_of(const std::vector<Tensor<T>>& values) {
  Bag<T, Cpu> bag;
  for (auto const& value : values) bag.items.emplace_back(value.clone());
  return Model<Bag<T, Cpu>>(std::move(bag));
}

double learning_rate(const reference::Case& c, double otherwise) { return c.number("lr", otherwise); }

template <class Config>
Config adam_config(const reference::Case& c) {
  Config config;
  config.learning_rate = learning_rate(c, config.learning_rate);
  if (c.params().contains("betas")) {
    config.beta1 = c.params().at("betas")[0].get<double>();
    config.beta2 = c.params().at("betas")[1].get<double>();
  }
  config.epsilon = c.number("eps", config.epsilon);
  config.weight_decay = c.number("weight_decay", config.weight_decay);
  config.amsgrad = c.flag("amsgrad");
  return config;
}

SgdConfig sgd_config(const reference::Case& c) {
  SgdConfig config;
  config.learning_rate = learning_rate(c, config.learning_rate);
  config.momentum = c.number("momentum", 0);
  config.nesterov = c.flag("nesterov");
  config.weight_decay = c.number("weight_decay", 0);
  return config;
}

/// Follows the recorded steps in element type T; compares weights and moments after each.
template <class T, class Optimizer>
void follow(const reference::Case& c, const Optimizer& optimizer, const std::vector<std::string>& moments) {
  auto model = model_of<T>({c.tensor<T>("param.0")});
  double const recorded = c.entry->at("torch_f32_max_abs_err").get<double>();
  for (int step = 1; step <= c.entry->at("steps").get<int>(); ++step) {
    auto const key = "." + std::to_string(step);
    model.view(model.gradients(), 0).copy_from(c.tensor<T>("grad" + key));
    optimizer.step(model);
    auto const compare = [&](const Tensor<T>& arena, const std::string& name) {
      INFO(c.name << " " << name << key << " in " << dtype_name<T>());
      auto const wanted = c.tensor<T>(name + key);
      double largest = 0;
      for (T const value : wanted.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
      CHECK(max_abs_difference(model.view(arena, 0), wanted) <= std::max(10 * recorded, largest * 0x1p-22));
    };
    compare(model.weights(), "param");
    for (std::size_t i = 0; i < moments.size(); ++i) compare(model.optimizer_state().moments[i], moments[i]);
  }
}

template <class Optimizer>
void follow_all(const reference::Case& c, const Optimizer& optimizer, const std::vector<std::string>& moments) {
  for_each_isa([&](Isa) { follow<float>(c, optimizer, moments); });
  follow<double>(c, optimizer, moments);
}

std::vector<std::string> adam_moments(bool amsgrad) {
  if (amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

}  // namespace

TEST_CASE("Adam: PyTorch's steps") {
  for (auto const& c : reference::cases("torch.optim.Adam")) {
    Adam const adam{adam_config<AdamConfig>(c)};
    follow_all(c, adam, adam_moments(adam.config.amsgrad));
  }
}

TEST_CASE("AdamW: PyTorch's steps") {
  for (auto const& c : reference::cases("torch.optim.AdamW")) {
    AdamW const adam{adam_config<AdamWConfig>(c)};
    follow_all(c, adam, adam_moments(adam.config.amsgrad));
  }
}

TEST_CASE("Sgd: PyTorch's steps") {
  for (auto const& c : reference::cases("torch.optim.SGD")) {
    Sgd const sgd{sgd_config(c)};
    std::vector<std::string> moments;
    if (sgd.config.momentum > 0) moments.push_back("momentum_buffer");
    follow_all(c, sgd, moments);
  }
}

TEST_CASE("clip_grad_norm: PyTorch's norm and gradients") {
  for (auto const& c : reference::cases("torch.nn.utils.clip_grad_norm_")) {
    std::vector<Tensor<float>> values;
    while (c.has("in." + std::to_string(values.size()))) {
      values.push_back(c.tensor("in." + std::to_string(values.size())));
    }
    REQUIRE(values.size() >= 2);
    for_each_isa([&](Isa) {
      auto model = model_of(values);
      for (std::size_t i = 0; i < values.size(); ++i) model.view(model.gradients(), i).copy_from(values[i]);
      CHECK(clip_grad_norm(model, c.number("max_norm")) == Approx(c.tensor("norm").item()).epsilon(1e-6));
      for (std::size_t i = 0; i < values.size(); ++i)
        CHECK(max_abs_difference(model.view(model.gradients(), i), c.tensor("out." + std::to_string(i))) <= 1e-6);
      // Now within bounds: nothing changes.
      auto const before = model.gradients().clone();
      CHECK(clip_grad_norm(model, 2 * c.number("max_norm")) == Approx(c.number("max_norm")).epsilon(1e-5));
      CHECK(same_bits(model.gradients(), before));
    });
  }
}
