// What a layer owns: parameters that are trained, buffers that are only kept; and the walk over all of them.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <stipple/autograd/var.hpp>

namespace stipple {

/// How a parameter is stored here and in files. Files keep the ecosystem's layout; kernels want another.
enum class Layout {
  plain,   ///< the same in both
  linear,  ///< (in, out) here, (out, in) in files
  conv,    ///< (kH, kW, in, out) here, (out, in, kH, kW) in files; for a transposed convolution with in and out
           ///< exchanged in both
};

/// A trained tensor. It acts as the Var of its value; its gradient is kept in the accumulation type.
template <Real T, Device D = Cpu>
struct Parameter {
  using element = T;

  Var<T, D> var;
  Layout layout = Layout::plain;

  Parameter() = default;
  explicit Parameter(Tensor<T, D> value, Layout kept = Layout::plain) : var(std::move(value), true), layout(kept) {}

  bool defined() const { return var.defined(); }
  operator const Var<T, D>&() const { return var; }
};

/// A tensor that belongs to a layer's state but is not trained, such as running statistics.
template <Real T, Device D = Cpu>
struct Buffer {
  using element = T;

  Tensor<T, D> value;
};

/// Element type and device of a network: those of a template Net<T, D>, or its members `element` and `device`.
template <class Net>
struct NetTypes {
  using element = typename Net::element;
  using device = typename Net::device;
};
template <template <Real, Device> class Net, class T, class D>
struct NetTypes<Net<T, D>> {
  using element = T;
  using device = D;
};

namespace detail {
template <class Leaf>
inline constexpr bool is_leaf = false;
template <class T, class D>
inline constexpr bool is_leaf<Parameter<T, D>> = true;
template <class T, class D>
inline constexpr bool is_leaf<Buffer<T, D>> = true;

inline std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : name.empty() ? prefix : prefix + "." + name;
}
}  // namespace detail

/// Calls f(path, leaf) for every Parameter and Buffer of a layer, in the order that its `each` names them. Paths are
/// dotted, as in PyTorch ("downs.0.block1.weight"); they are the keys in checkpoints. Children in a vector or array
/// are named by their index; an empty optional and an undefined Parameter are passed over.
template <class Layer, class F>
void for_each_leaf(Layer& layer, F&& f, const std::string& prefix = {}) {
  using Plain = std::remove_cv_t<Layer>;
  if constexpr (detail::is_leaf<Plain>) {
    if constexpr (requires { layer.var; }) {
      if (layer.defined()) f(prefix, layer);
    } else {
      if (layer.value.defined()) f(prefix, layer);
    }
  } else if constexpr (requires { Plain::each(layer, [](const std::string&, auto&) {}); }) {
    Plain::each(layer,
                [&](const std::string& name, auto& child) { for_each_leaf(child, f, detail::join(prefix, name)); });
  } else if constexpr (requires { layer.has_value(); }) {
    if (layer.has_value()) for_each_leaf(*layer, f, prefix);
  } else {
    std::size_t i = 0;
    for (auto& child : layer) for_each_leaf(child, f, detail::join(prefix, std::to_string(i++)));
  }
}

/// A Parameter or Buffer of a layer, of whatever element type, and its path.
template <Device D>
struct LeafRef {
  std::string path;
  std::variant<Parameter<float, D>*, Parameter<bf16, D>*, Parameter<double, D>*, Buffer<float, D>*, Buffer<bf16, D>*,
               Buffer<double, D>*>
      leaf;
};

namespace detail {
template <Device D>
struct LeafCollector {
  std::vector<LeafRef<D>>& leaves;
  template <class Leaf>
  void operator()(const std::string& path, Leaf& leaf) const {
    leaves.push_back({path, &leaf});
  }
};
}  // namespace detail

/// All leaves of a layer, in the order of `for_each_leaf`; those of a const layer are not to be written to. One walk
/// over the network's type serves everything that Model, checkpoints and weights do with it.
template <Device D = Cpu, class Layer>
std::vector<LeafRef<D>> leaves_of(Layer& layer) {
  std::vector<LeafRef<D>> leaves;
  for_each_leaf(const_cast<std::remove_const_t<Layer>&>(layer), detail::LeafCollector<D>{leaves});
  return leaves;
}

/// Number of trained elements of a layer.
template <class Layer>
Index count_parameters(const Layer& layer) {
  Index n = 0;
  for_each_leaf(layer, [&](const std::string&, auto const& leaf) {
    if constexpr (requires { leaf.var; }) n += leaf.var.value().size();
  });
  return n;
}

}  // namespace stipple
