// The courses' networks against PyTorch: tests/reference/courses/NAME holds weights, one forward and backward pass, and
// a training run of twelve steps; config.json names the rules and tolerances (made from float64 differences).
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <stipple/autograd/loss.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#include "reference_ops.hpp"

namespace course {

using stipple::accumulate_t;
using stipple::Index;
using stipple::Shape;
using stipple::Tensor;
using stipple::Var;

inline std::string folder(const std::string& name) { return STIPPLE_TEST_REFERENCE_DIR "/courses/" + name; }

inline stipple::Json config(const std::string& name) { return stipple::read_json(folder(name) + "/config.json"); }

/// Images to (N, H, W, C); anything else as it is.
template <class T>
Tensor<T> to_here(const Tensor<T>& x) {
  return x.rank() == 4 ? reference::to_nhwc(x) : x;
}
template <class T>
Tensor<T> to_file(const Tensor<T>& x) {
  return x.rank() == 4 ? reference::to_nchw(x) : x;
}

/// Tensor "t", stored as integers.
template <class S>
Tensor<S> timesteps(const stipple::SafetensorsFile& file) {
  auto const stored = file.read<std::int32_t>("t");
  Tensor<S> t(stored.shape());
  for (Index i = 0; i < t.size(); ++i) t.data()[i] = static_cast<S>(stored.data()[i]);
  return t;
}

template <class T>
double largest(const Tensor<T>& x) {
  double best = 0;
  for (T const v : x.span()) best = std::max(best, std::abs(static_cast<double>(v)));
  return best;
}

/// Worst difference between a tensor in file layout and what is stored under `name`: all of it, or every stride-th
/// element and five sums. `skip` says which elements are not comparable. Relative to the stored tensor's largest.
template <class T, class Skip>
std::vector<double> stored_differences(const stipple::SafetensorsFile& file, const std::string& name,
                                       const Tensor<T>& value, const stipple::Json& sampled, const Skip& skip) {
  std::vector<double> differences;
  if (file.contains(name)) {
    auto const wanted = file.template read<double>(name);
    REQUIRE(wanted.size() == value.size());
    for (Index i = 0; i < value.size(); ++i)
      if (!skip(i)) differences.push_back(std::abs(static_cast<double>(value.data()[i]) - wanted.data()[i]));
    return differences;
  }
  auto const wanted = file.template read<double>(name + "#sample");
  auto const stride = sampled.at(name).at("stride").template get<Index>();
  for (Index i = 0; i < wanted.size(); ++i)
    if (!skip(i * stride))
      differences.push_back(std::abs(static_cast<double>(value.data()[i * stride]) - wanted.data()[i]));
  return differences;
}

template <class T>
Var<accumulate_t<T>> loss(const std::string& kind, const Var<T>& prediction, const Tensor<accumulate_t<T>>& target) {
  if (kind == "l1") return stipple::l1_loss(prediction, target);
  if (kind == "huber") return stipple::smooth_l1_loss(prediction, target);
  return stipple::mse_loss(prediction, target);
}

/// Checks output, loss, gradients and the training run of a network of element type T (float or double).
template <class T, class Net>
void check(const std::string& name, Net net) {
  using S = accumulate_t<T>;
  auto const c = config(name);
  auto const& tolerance = c.at("suggested_tolerance");
  bool const exact = std::is_same_v<T, double>;
  std::string const kind = c.at("loss").get<std::string>();
  stipple::Model model{std::move(net)};
  CHECK(stipple::count_parameters(model) == c.at("parameters").get<Index>());
  auto const load = [&] {
    stipple::load_weights(folder(name) + "/" + c.at("weights_files")[0].get<std::string>(), model);
  };
  load();

  stipple::SafetensorsFile const io(folder(name) + "/io.safetensors");
  Var<T> x(stipple::ops::cast<T>(to_here(io.read<float>("x"))), true);
  auto const t = timesteps<S>(io);
  auto const target = stipple::ops::cast<S>(to_here(io.read<float>("target")));
  auto const out = model(x, t);
  auto const wanted = to_here(io.read<double>("out_f64"));
  double worst = 0;
  for (Index i = 0; i < wanted.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(out.value().data()[i]) - wanted.data()[i]));
  INFO("output differs by " << worst);
  CHECK(worst <= tolerance.at("out_max_abs").get<double>() / (exact ? 10 : 1));

  auto const l = loss<T>(kind, out, target);
  double const wanted_loss = io.read<double>("loss_f64").item();
  CHECK(std::abs(static_cast<double>(l.item()) - wanted_loss) <=
        (exact ? 1e-7 : tolerance.at("loss_rel").get<double>()) * wanted_loss);  // the stored target is float32

  l.backward();
  stipple::SafetensorsFile const grads(folder(name) + "/grads.safetensors");
  auto const nothing = [](Index) { return false; };
  double const relative = tolerance.at("grads_rel_to_tensor_max").get<double>();
  auto const check_gradient = [&](const std::string& key, const auto& value) {
    auto const sums = grads.contains(key) ? Tensor<double>() : grads.read<double>(key + "#sums");
    double const scale = sums.defined() ? sums.data()[3] : largest(grads.read<double>(key));
    auto const found = stored_differences(grads, key, value, c.at("grads").at("sampled"), nothing);
    double const most = found.empty() ? 0 : *std::max_element(found.begin(), found.end());
    INFO("gradient of " << key << " differs by " << most << ", its largest is " << scale);
    CHECK(most <= relative * scale + 1e-12);
    if (!sums.defined()) return;
    double total = 0, squares = 0;
    for (auto const v : value.span()) {
      total += std::abs(static_cast<double>(v));
      squares += static_cast<double>(v) * static_cast<double>(v);
    }
    CHECK(std::abs(total - sums.data()[1]) <= relative * sums.data()[1] + 1e-12);
    CHECK(std::abs(squares - sums.data()[2]) <= 2 * relative * sums.data()[2] + 1e-12);
  };
  auto const& arena = model.gradients();
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    auto const& p = model.parameters()[i];
    check_gradient(p.name, stipple::to_file_layout(model.view(arena, i), p.layout));
  }
  check_gradient("x", to_file(x.grad()));

  // Twelve steps of Adam from the stored weights, with the stored data, timesteps and noise.
  load();
  model.zero_grad();
  stipple::Adam const adam{{.learning_rate = c.at("lr").get<double>()}};
  stipple::SafetensorsFile const train(folder(name) + "/train.safetensors");
  auto const x0 = train.read<double>("x0"), noise = train.read<double>("noise");
  auto const steps = timesteps<double>(train);
  auto const losses_exact = train.read<double>("loss_f64");
  int const total_timesteps = c.at("timesteps").get<int>();
  double const first = c.at("beta_range")[0].get<double>(), last = c.at("beta_range")[1].get<double>();
  std::vector<double> abar;
  for (int i = 0; i < total_timesteps; ++i)
    abar.push_back((abar.empty() ? 1 : abar.back()) * (1 - (first + (last - first) * i / (total_timesteps - 1))));
  for (Index s = 0; s < steps.dim(0); ++s) {
    Shape shape;
    for (int i = 1; i < x0.rank(); ++i) shape.append(x0.dim(i));
    Index const row = shape.size() / shape[0];
    Tensor<double> noisy(shape), step_noise(shape);
    Tensor<S> step_t({shape[0]});
    for (Index n = 0; n < shape[0]; ++n) {
      double const at = steps.data()[s * shape[0] + n];
      step_t.data()[n] = static_cast<S>(at);
      double const a = abar[static_cast<std::size_t>(at)];
      for (Index i = 0; i < row; ++i) {
        Index const j = n * row + i, k = s * shape.size() + j;
        step_noise.data()[j] = noise.data()[k];
        noisy.data()[j] = std::sqrt(a) * x0.data()[k] + std::sqrt(1 - a) * noise.data()[k];
      }
    }
    auto const y = model(Var<T>(stipple::ops::cast<T>(to_here(noisy))), step_t);
    auto const step_loss = loss<T>(kind, y, stipple::ops::cast<S>(to_here(step_noise)));
    INFO("step " << s);
    CHECK(std::abs(static_cast<double>(step_loss.item()) - losses_exact.data()[s]) <=
          (exact ? 1e-9 : tolerance.at("train_loss_abs").get<double>()));
    step_loss.backward();
    adam.step(model);
  }
  stipple::Json const& not_comparable = c.at("train").at("final_not_comparable");
  std::vector<double> all;
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    auto const& p = model.parameters()[i];
    auto const skip = [&](Index at) {
      if (!not_comparable.contains(p.name)) return false;
      stipple::Json const& ranges = not_comparable.at(p.name);
      if (ranges.is_string()) return true;
      for (stipple::Json const& range : ranges)
        if (at >= range[0].get<Index>() && at < range[1].get<Index>()) return true;
      return false;
    };
    auto const found =
        stored_differences(train, "final." + p.name, stipple::to_file_layout(model.view(model.weights(), i), p.layout),
                           c.at("train").at("sampled"), skip);
    all.insert(all.end(), found.begin(), found.end());
  }
  REQUIRE(all.size() > 100);
  std::sort(all.begin(), all.end());
  CHECK(all.back() <= tolerance.at("train_final_abs_for_all").get<double>());
  auto const rank = static_cast<std::size_t>(0.998 * static_cast<double>(all.size() - 1));
  CHECK(all[rank] <= tolerance.at("train_final_abs_for_99.8_percent_of_comparable_elements").get<double>());
}

}  // namespace course
