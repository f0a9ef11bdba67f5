// The courses' networks against PyTorch: tests/reference/courses/NAME holds weights, one forward and backward pass, and
// a training run of twelve steps; config.json names the rules and tolerances (made from float64 differences).
#pragma once

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <stipple/autograd/loss.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#include "invariance.hpp"
#include "reference_ops.hpp"

namespace course {

using stipple::accumulate_t;
using stipple::Cpu;
using stipple::Device;
using stipple::Index;
using stipple::Shape;
using stipple::Tensor;
using stipple::Var;

inline std::string folder(const std::string& name) { return reference::folder() + "/courses/" + name; }

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

/// Step `step` of tensor `name`, which holds `batch` numbers a step.
inline Tensor<double> numbers(const stipple::SafetensorsFile& file, const std::string& name, Index step, Index batch) {
  auto const stored = file.read<std::int32_t>(name);
  REQUIRE(stored.size() >= (step + 1) * batch);
  Tensor<double> values({batch});
  for (Index i = 0; i < batch; ++i) values.data()[i] = stored.data()[step * batch + i];
  return values;
}

/// Calls the network as its course does, with what the file stores for this step: Berkeley's takes t / timesteps, and
/// a mask of 0 makes a label that stands for none.
template <class T, Device D, class Model>
Var<T, D> call(const stipple::Json& c, const Model& model, const Var<T, D>& x, const stipple::SafetensorsFile& file,
               Index step) {
  using Net = std::remove_cvref_t<decltype(model.net())>;
  using Times = Tensor<accumulate_t<T>, D>;
  using Labels = Tensor<std::int32_t, D>;
  bool const berkeley = c.at("network") == "berkeley_unet";
  Index const batch = x.dim(0);
  if constexpr (requires(const Net& net) { net(x); })
    if (c.at("objective") == "clean") return model(x);
  Tensor<accumulate_t<T>> t({batch});
  auto const steps = numbers(file, "t", step, batch);
  for (Index i = 0; i < batch; ++i)
    t.data()[i] = static_cast<accumulate_t<T>>(steps.data()[i] / (berkeley ? c.at("timesteps").get<double>() : 1));
  Times const times = stipple::to<D>(t);
  if constexpr (requires(const Net& net, const Labels& labels) { net(x, times, labels); }) {
    if (c.contains("num_classes")) {
      Tensor<std::int32_t> labels({batch});
      auto const ids = numbers(file, "label", step, batch);
      for (Index i = 0; i < batch; ++i) labels.data()[i] = static_cast<std::int32_t>(ids.data()[i]);
      if (file.contains("mask")) {
        auto const mask = numbers(file, "mask", step, batch);
        for (Index i = 0; i < batch; ++i)
          if (mask.data()[i] == 0) labels.data()[i] = berkeley ? -1 : 0;
      }
      return model(x, times, stipple::to<D>(labels));
    }
  }
  return model(x, times);
}

/// The weights that the course stores for this network, which may share those of another one.
template <class Model>
void load(const std::string& name, const stipple::Json& c, Model& model) {
  std::set<std::string> missing;
  stipple::for_each_leaf(model, [&](const std::string& leaf, auto&) { missing.insert(leaf); });
  for (stipple::Json const& file : c.at("weights_files")) {
    auto const path = folder(name) + "/" + file.get<std::string>();
    stipple::load_weights(path, model, {.strict = false});
    for (auto const& key : stipple::SafetensorsFile(path).names()) missing.erase(key);
  }
  CHECK(missing.empty());
}

/// Compares running means and variances with what the file stores under `prefix`.
template <class Model>
void check_buffers(const stipple::SafetensorsFile& file, const std::string& prefix, const Model& model,
                   double most_of_means, double most_of_variances) {
  stipple::for_each_leaf(model, [&](const std::string& name, auto const& leaf) {
    if constexpr (!requires { leaf.var; }) {
      INFO(prefix + name);
      CHECK(max_abs_difference(stipple::ops::cast<double>(stipple::to<Cpu>(leaf.value)),
                               file.read<double>(prefix + name)) <=
            (name.ends_with("mean") ? most_of_means : most_of_variances));
    }
  });
}

template <class T>
double largest(const Tensor<T>& x) {
  double best = 0;
  for (T const v : x.span()) best = std::max(best, std::abs(static_cast<double>(v)));
  return best;
}

/// Root mean square of a - b over that of b.
template <class A, class B>
double relative_rms(const Tensor<A>& a, const Tensor<B>& b) {
  REQUIRE(a.shape() == b.shape());
  double error = 0, size = 0;
  for (Index i = 0; i < a.size(); ++i) {
    double const wanted = static_cast<double>(b.data()[i]), d = static_cast<double>(a.data()[i]) - wanted;
    error += d * d;
    size += wanted * wanted;
  }
  return std::sqrt(error / size);
}

/// From the weights of reference `name`, the bf16 network stays near the float one: some forty to sixty roundings of
/// 2^-9 in a row.
template <class Full, class Half, class... Labels>
void check_bf16(const std::string& name, Full full_net, Half half_net, const Shape& image, float timestep,
                const Labels&... labels) {
  auto const c = config(name);
  stipple::Model full{std::move(full_net)};
  stipple::Model half{std::move(half_net)};
  load(name, c, full);
  load(name, c, half);
  stipple::Rng rng(5);
  auto const x = rng.normal(image);
  Tensor<float> const t({image[0]}, timestep);
  auto const error = relative_rms(half(Var<stipple::bf16>(stipple::ops::cast<stipple::bf16>(x)), t, labels...).value(),
                                  full(Var<float>(x), t, labels...).value());
  CHECK(error < 0.03);
  CHECK(error > 0);
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

template <class T, Device D>
Var<accumulate_t<T>, D> loss(const std::string& kind, const Var<T, D>& prediction,
                             const Tensor<accumulate_t<T>, D>& target) {
  if (kind == "l1") return stipple::l1_loss(prediction, target);
  if (kind == "huber") return stipple::smooth_l1_loss(prediction, target);
  return stipple::mse_loss(prediction, target);
}

/// Checks output, loss and gradients of one pass with the statistics of the batch, on the device of the model.
template <class T, class Model>
void check_pass(const std::string& name, const stipple::Json& c, Model& model) {
  using S = accumulate_t<T>;
  using D = typename Model::device;
  auto const& tolerance = c.at("suggested_tolerance");
  bool const exact = std::is_same_v<T, double>;
  double const most_output = tolerance.at("out_max_abs").get<double>();
  load(name, c, model);
  stipple::SafetensorsFile const io(folder(name) + "/io.safetensors");
  Var<T, D> x(stipple::to<D>(stipple::ops::cast<T>(to_here(io.read<float>("x")))), true);
  auto const target = stipple::to<D>(stipple::ops::cast<S>(to_here(io.read<float>("target"))));
  stipple::Rng rng(1);
  Var<T, D> out;
  {
    stipple::Training const training(rng);
    out = call(c, model, x, io, 0);
  }
  auto const in_double = [](const Var<T, D>& y) { return stipple::ops::cast<double>(stipple::to<Cpu>(y.value())); };
  double const worst = max_abs_difference(in_double(out), to_here(io.read<double>("out_f64")));
  INFO("output differs by " << worst);
  CHECK(worst <= most_output / (exact ? 10 : 1));

  auto const l = loss<T>(c.at("loss").get<std::string>(), out, target);
  double const wanted_loss = io.read<double>("loss_f64").item();
  CHECK(std::abs(static_cast<double>(l.item()) - wanted_loss) <=
        (exact ? 1e-7 : tolerance.at("loss_rel").get<double>()) * wanted_loss);  // the stored target is float32

  l.backward();
  stipple::SafetensorsFile const grads(folder(name) + "/grads.safetensors");
  auto const nothing = [](Index) { return false; };
  double const relative = tolerance.at("grads_rel_to_tensor_max").get<double>();
  double const zero =
      (exact ? 1e-10 : 1e-5) * c.at("float32_vs_float64").at("grads").at("gradient_scale").get<double>();
  stipple::Json const& zeros = c.at("grads").at("analytically_zero");
  auto const check_gradient = [&](const std::string& key, const auto& value) {
    if (std::find(zeros.begin(), zeros.end(), key) != zeros.end()) {
      INFO("gradient of " << key << ", which is zero but for rounding");
      CHECK(largest(value) <= zero);
      return;
    }
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
  auto const arena = stipple::to<Cpu>(model.gradients());
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    auto const& p = model.parameters()[i];
    check_gradient(p.name, stipple::to_file_layout(arena.view(p.offset, p.shape), p.layout));
  }
  check_gradient("x", to_file(stipple::to<Cpu>(x.grad())));

  check_buffers(io, "after.", model, 1e-5, 1e-5);
  if (!io.contains("out_eval")) return;
  load(name, c, model);
  auto const evaluated = in_double(call(c, model, x, io, 0));
  CHECK(max_abs_difference(evaluated, to_here(io.read<double>("out_eval"))) <=
        most_output + 1e-6 * largest(evaluated));  // stored in float32
}

/// Checks twelve steps of Adam from the stored weights, with the stored data, timesteps and noise. In float, `slack`
/// widens the tolerances: one weight whose gradient is all rounding moves by the learning rate in either direction.
template <class T, class Model>
void check_training(const std::string& name, const stipple::Json& c, Model& model, double slack) {
  using S = accumulate_t<T>;
  using D = typename Model::device;
  auto const& tolerance = c.at("suggested_tolerance");
  bool const exact = std::is_same_v<T, double>, clean = c.at("objective") == "clean";
  load(name, c, model);
  model.zero_grad();
  stipple::SafetensorsFile const train(folder(name) + "/train.safetensors");
  auto const x0 = train.read<double>("x0"), noise = train.read<double>("noise");
  auto const losses_exact = train.read<double>("loss_f64");
  int const total_timesteps = c.at("timesteps").get<int>();
  int const index_of_first = c.at("network") == "berkeley_unet" ? 1 : 0;  // t = 1..T or 0..T - 1
  double const first = c.at("beta_range")[0].get<double>(), last = c.at("beta_range")[1].get<double>();
  std::vector<double> abar;
  for (int i = 0; i < total_timesteps; ++i)
    abar.push_back((abar.empty() ? 1 : abar.back()) * (1 - (first + (last - first) * i / (total_timesteps - 1))));
  Shape shape;
  for (int i = 1; i < x0.rank(); ++i) shape.append(x0.dim(i));
  Index const row = shape.size() / shape[0];
  stipple::Rng rng(1);
  stipple::Training const training(rng);
  for (Index s = 0; s < x0.dim(0); ++s) {
    Tensor<double> noisy(shape), target(shape);
    for (Index n = 0; n < shape[0]; ++n) {
      double signal = 1, sigma = clean ? c.at("sigma").get<double>() : 0;
      if (!clean) {
        double const t = numbers(train, "t", s, shape[0]).data()[n];
        double const a = abar[static_cast<std::size_t>(t) - static_cast<std::size_t>(index_of_first)];
        signal = std::sqrt(a);
        sigma = std::sqrt(1 - a);
      }
      for (Index i = 0; i < row; ++i) {
        Index const j = n * row + i, k = s * shape.size() + j;
        noisy.data()[j] = signal * x0.data()[k] + sigma * noise.data()[k];
        target.data()[j] = clean ? x0.data()[k] : noise.data()[k];
      }
    }
    auto const y = call(c, model, Var<T, D>(stipple::to<D>(stipple::ops::cast<T>(to_here(noisy)))), train, s);
    auto const step_loss =
        loss<T>(c.at("loss").get<std::string>(), y, stipple::to<D>(stipple::ops::cast<S>(to_here(target))));
    INFO("step " << s);
    CHECK(std::abs(static_cast<double>(step_loss.item()) - losses_exact.data()[s]) <=
          (exact ? 1e-9 : slack * tolerance.at("train_loss_abs").get<double>()));
    step_loss.backward();
    double const warm = c.contains("warmup_steps") ? c.at("warmup_steps").get<double>() : 1;
    double const rate = c.at("lr").get<double>() * std::min(1.0, static_cast<double>(s + 1) / warm);
    stipple::Adam{{.learning_rate = rate}}.step(model);
  }
  // Biases before a batch norm change nothing but its mean, and walk on rounding errors.
  check_buffers(train, "final.", model, tolerance.at("train_final_abs_for_all").get<double>(), 1e-3);
  stipple::Json const& not_comparable = c.at("train").at("final_not_comparable");
  auto const weights = stipple::to<Cpu>(model.weights());
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
        stored_differences(train, "final." + p.name, stipple::to_file_layout(weights.view(p.offset, p.shape), p.layout),
                           c.at("train").at("sampled"), skip);
    all.insert(all.end(), found.begin(), found.end());
  }
  REQUIRE(all.size() > 100);
  std::sort(all.begin(), all.end());
  CHECK(all.back() <= tolerance.at("train_final_abs_for_all").get<double>());
  auto const rank = static_cast<std::size_t>(0.998 * static_cast<double>(all.size() - 1));
  CHECK(all[rank] <=
        (exact ? 1 : slack) * tolerance.at("train_final_abs_for_99.8_percent_of_comparable_elements").get<double>());
}

/// Checks output, loss, gradients and the training run of a network of element type T (float or double); see
/// check_training for `slack`.
template <class T, class Net>
void check(const std::string& name, Net net, double slack = 1) {
  auto const c = config(name);
  stipple::Model model{std::move(net)};
  CHECK(stipple::count_parameters(model) == c.at("parameters").get<Index>());
  check_pass<T>(name, c, model);
  check_training<T>(name, c, model, slack);
}

}  // namespace course
