// Weights of a network in a safetensors file, under PyTorch's names and in PyTorch's layouts.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/nn/model.hpp>

namespace stipple {

/// Which weights of a Model are meant.
enum class WeightSet { trained, ema };

struct LoadOptions {
  /// Wants exactly the network's names. Otherwise names that only one side has are passed over.
  bool strict = true;
  /// Beginnings of names in the file that are passed over even then.
  std::vector<std::string> ignored = {};
  /// What the file calls a parameter or buffer of the network; unset, the same.
  std::function<std::string(const std::string&)> name_in_file = {};
};

/// Shape in files of a parameter that has `shape` here. Throws Error if the layout does not fit the rank.
STIPPLE_IO_INLINE Shape file_shape(const Shape& shape, Layout layout);

/// A parameter as files keep it. Shares storage where the layouts are the same.
template <Element T>
Tensor<T> to_file_layout(const Tensor<T>& value, Layout layout);

/// Writes the parameter `stored`, in the layout of files, to `value`. Throws Error if the shapes do not fit.
template <Element T>
void from_file_layout(const Tensor<T>& stored, Layout layout, Tensor<T>& value);

namespace detail {

template <class Net>
inline constexpr bool is_model = false;
template <class Net>
inline constexpr bool is_model<Model<Net>> = true;

/// A parameter or buffer as a network has it; the tensor shares its storage.
template <Device D>
struct NamedWeight {
  std::string name;
  std::variant<Tensor<float, D>, Tensor<bf16, D>, Tensor<double, D>> value;
  Layout layout = Layout::plain;
};

/// The device that a layer is on: what it says, or else the CPU.
template <class Layer>
struct LayerDevice {
  using type = Cpu;
};
template <class Layer>
requires requires { typename Layer::device; }
struct LayerDevice<Layer> {
  using type = typename Layer::device;
};
template <template <Real, Device> class Layer, Real T, Device D>
struct LayerDevice<Layer<T, D>> {
  using type = D;
};

/// Those of a layer.
template <Device D>
std::vector<NamedWeight<D>> weights_of(const std::vector<LeafRef<D>>& leaves);
/// Those of a Model, whose parameters are in its accumulation type.
template <Real T, Device D>
std::vector<NamedWeight<D>> weights_of(const std::vector<LeafRef<D>>& leaves, const ModelState<T, D>& model,
                                       WeightSet set);

template <Device D>
void write_weights(const FilePath& path, const std::vector<NamedWeight<D>>& weights);
template <Device D>
void read_weights(const FilePath& path, std::vector<NamedWeight<D>> weights, const LoadOptions& options);

}  // namespace detail

/// Writes all parameters and buffers of a network or Model, replacing the file at once. A Model writes its master
/// weights, or with WeightSet::ema their average. Throws Error if there is none, or the file cannot be written.
template <class Layer>
void save_weights(const FilePath& path, const Layer& layer, WeightSet set = WeightSet::trained) {
  if constexpr (detail::is_model<Layer>) {
    require(set == WeightSet::trained || layer.has_ema(), "save_weights: the model keeps no average of its weights");
    detail::write_weights(path, detail::weights_of(leaves_of<typename Layer::device>(layer.net()), layer, set));
  } else {
    require(set == WeightSet::trained, "save_weights: only a Model keeps an average of its weights");
    detail::write_weights(path, detail::weights_of(leaves_of<typename detail::LayerDevice<Layer>::type>(layer)));
  }
}

/// Reads all parameters and buffers of a network or Model. The average of a Model, if it keeps one, starts again from
/// them. Throws Error, and changes nothing, if the file cannot be read or is of another network: the message lists the
/// first names that are missing, unexpected or of another shape.
template <class Layer>
void load_weights(const FilePath& path, Layer& layer, const LoadOptions& options = {}) {
  if constexpr (detail::is_model<Layer>) {
    auto const leaves = leaves_of<typename Layer::device>(layer.net());
    detail::read_weights(path, detail::weights_of(leaves, layer, WeightSet::trained), options);
    layer.weights_changed();
    if (layer.has_ema()) layer.track_ema(std::as_const(layer).ema_state().settings);
  } else {
    auto const leaves = leaves_of<typename detail::LayerDevice<Layer>::type>(layer);
    detail::read_weights(path, detail::weights_of(leaves), options);
  }
}

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io)

#include <algorithm>

namespace stipple::detail {

// Calls copy(here, in the file) for the positions of all elements of a parameter.
template <class Copy>
void for_each_position(const Shape& shape, const Copy& copy) {
  Index const in = shape[-2], out = shape[-1], kernel = shape.count(0, shape.rank() - 2);
  Index const in_step = kernel, out_step = in * kernel;
  for (Index k = 0; k < kernel; ++k)
    for (Index i = 0; i < in; ++i)
      for (Index o = 0; o < out; ++o) copy((k * in + i) * out + o, i * in_step + o * out_step + k);
}

/// "'a', 'b', 'c' and 4 more"
inline std::string list_first(const std::vector<std::string>& names) {
  constexpr std::size_t most = 4;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

/// Compares names and shapes that are wanted with those of a file, then fails with one sentence about all problems.
class WeightCheck {
 public:
  explicit WeightCheck(const SafetensorsFile& file) : file_(file) {}

  /// False if the file has no such tensor. Without `dtype` any floating-point type will do.
  bool want(const std::string& name, const Shape& shape, std::optional<FileDtype> dtype = std::nullopt) {
    wanted_.insert(name);
    if (!file_.contains(name)) {
      missing_.push_back(name);
      return false;
    }
    auto const& info = file_.info(name);
    if (info.shape != shape)
      misfits_.push_back("'" + name + "' has shape " + to_text(info.shape) + ", wanted " + to_text(shape));
    else if (dtype ? info.dtype != *dtype : !is_floating(info.dtype))
      misfits_.push_back("'" + name + "' holds " + to_text(info.dtype) + ", wanted " +
                         (dtype ? to_text(*dtype) : "floating-point numbers"));
    return true;
  }

  /// Throws Error about missing, unexpected and misfitting tensors; without `strict` about the last alone. Names that
  /// begin with one of `ignored` are not unexpected.
  void finish(const char* operation, bool strict, const std::vector<std::string>& ignored = {}) const {
    auto const is_ignored = [&](const std::string& name) {
      return name.ends_with(".num_batches_tracked") ||
             std::any_of(ignored.begin(), ignored.end(), [&](auto const& start) { return name.starts_with(start); });
    };
    std::vector<std::string> unexpected;
    for (auto const& name : file_.names())
      if (!wanted_.contains(name) && !is_ignored(name)) unexpected.push_back(name);
    std::string problems;
    auto const add = [&](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
    if (!misfits_.empty()) add(misfits_.front());
    if (misfits_.size() > 1) add(std::to_string(misfits_.size() - 1) + " more do not fit");
    if (strict && !missing_.empty()) add("wanted " + list_first(missing_) + ", which the file lacks");
    if (strict && !unexpected.empty()) add("given " + list_first(unexpected) + ", which the network lacks");
    require(problems.empty(), operation, ": ", quoted(file_.path()), " is not of this network: ", problems);
  }

 private:
  static bool is_floating(FileDtype dtype) {
    return dtype == FileDtype::f16 || dtype == FileDtype::bf16 || dtype == FileDtype::f32 || dtype == FileDtype::f64;
  }

  const SafetensorsFile& file_;
  std::set<std::string, std::less<>> wanted_;
  std::vector<std::string> missing_, misfits_;
};

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_IO_INLINE Shape file_shape(const Shape& shape, Layout layout) {
  if (layout == Layout::plain) return shape;
  int const kernel_axes = shape.rank() - 2;
  require(layout == Layout::linear ? kernel_axes == 0 : kernel_axes > 0, "weights: given shape ", shape,
          " for a parameter of a layer of another rank");
  Index const in = shape[-2], out = shape[-1];
  Shape result{out, in};
  for (int axis = 0; axis < kernel_axes; ++axis) result.append(shape[axis]);
  return result;
}
#endif

template <Element T>
Tensor<T> to_file_layout(const Tensor<T>& value, Layout layout) {
  if (layout == Layout::plain) return value;
  Tensor<T> result(file_shape(value.shape(), layout));
  detail::for_each_position(
      value.shape(), [to = result.data(), from = value.data()](Index here, Index there) { to[there] = from[here]; });
  return result;
}

template <Element T>
void from_file_layout(const Tensor<T>& stored, Layout layout, Tensor<T>& value) {
  require(stored.shape() == file_shape(value.shape(), layout), "weights: given shape ", stored.shape(), ", wanted ",
          file_shape(value.shape(), layout));
  if (layout == Layout::plain) return value.copy_from(stored);
  detail::for_each_position(
      value.shape(), [to = value.data(), from = stored.data()](Index here, Index there) { to[here] = from[there]; });
}

#define STIPPLE_INSTANCES(T)                                      \
  template Tensor<T> to_file_layout<T>(const Tensor<T>&, Layout); \
  template void from_file_layout<T>(const Tensor<T>&, Layout, Tensor<T>&);
STIPPLE_INSTANTIATE_CPU(STIPPLE_INSTANCES(float) STIPPLE_INSTANCES(bf16) STIPPLE_INSTANCES(double))
#undef STIPPLE_INSTANCES

}  // namespace stipple

namespace stipple::detail {

/// Tensor `name` of floating-point numbers, rounded to T where the file has more digits.
template <Real T>
Tensor<T> read_rounded(const SafetensorsFile& file, const std::string& name) {
  if (file.info(name).dtype == FileDtype::f64) return ops::cast<T>(file.read<double>(name));
  return ops::cast<T>(file.read<float>(name));
}

}  // namespace stipple::detail

namespace stipple::detail {

template <Device D>
std::vector<NamedWeight<D>> weights_of(const std::vector<LeafRef<D>>& leaves) {
  std::vector<NamedWeight<D>> weights;
  for (auto const& ref : leaves)
    std::visit(
        [&](auto* leaf) {
          if constexpr (requires { leaf->var; })
            weights.push_back({ref.path, leaf->var.value(), leaf->layout});
          else
            weights.push_back({ref.path, leaf->value, Layout::plain});
        },
        ref.leaf);
  return weights;
}

template <Real T, Device D>
std::vector<NamedWeight<D>> weights_of(const std::vector<LeafRef<D>>& leaves, const ModelState<T, D>& model,
                                       WeightSet set) {
  auto weights = weights_of(leaves);
  std::size_t i = 0;
  for (std::size_t k = 0; k < leaves.size(); ++k)
    std::visit(
        [&](auto* leaf) {
          if constexpr (requires { leaf->var; })
            weights[k].value = model.view(set == WeightSet::ema ? model.ema_state().weights : model.weights(), i++);
        },
        leaves[k].leaf);
  return weights;
}

template <Device D>
void write_weights(const FilePath& path, const std::vector<NamedWeight<D>>& weights) {
  SafetensorsWriter writer;
  writer.metadata("format", "pt");
  for (auto const& weight : weights)
    std::visit([&](auto const& value) { writer.add(weight.name, to_file_layout(to<Cpu>(value), weight.layout)); },
               weight.value);
  writer.write(path);
}

template <Device D>
void read_weights(const FilePath& path, std::vector<NamedWeight<D>> weights, const LoadOptions& options) {
  SafetensorsFile const file(path);
  if (options.name_in_file)
    for (auto& weight : weights) weight.name = options.name_in_file(weight.name);
  WeightCheck check(file);
  for (auto const& weight : weights)
    std::visit([&](auto const& value) { check.want(weight.name, file_shape(value.shape(), weight.layout)); },
               weight.value);
  check.finish("load_weights", options.strict, options.ignored);
  for (auto& weight : weights) {
    if (!file.contains(weight.name)) continue;
    std::visit(
        [&]<class T>(Tensor<T, D>& value) {
          auto const stored = read_rounded<T>(file, weight.name);
          if constexpr (std::same_as<D, Cpu>) {
            from_file_layout(stored, weight.layout, value);
          } else {
            Tensor<T> host(value.shape());
            from_file_layout(stored, weight.layout, host);
            value.copy_from(to<D>(host));
          }
        },
        weight.value);
  }
}

#define STIPPLE_INSTANCES(T, D)                                                                                  \
  template std::vector<NamedWeight<D>> weights_of<T, D>(const std::vector<LeafRef<D>>&, const ModelState<T, D>&, \
                                                        WeightSet);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES
#define STIPPLE_INSTANCES(D)                                                           \
  template std::vector<NamedWeight<D>> weights_of<D>(const std::vector<LeafRef<D>>&);  \
  template void write_weights<D>(const FilePath&, const std::vector<NamedWeight<D>>&); \
  template void read_weights<D>(const FilePath&, std::vector<NamedWeight<D>>, const LoadOptions&);
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(STIPPLE_DEVICE))
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
