// The reference vectors of every operation, for tensors of either device. A case is written once: tests/ops runs it on
// the CPU in every instruction set, tests/cuda on a GPU.
#pragma once

#include <string>
#include <vector>

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/conv_transpose2d.hpp>
#include <stipple/autograd/embedding.hpp>
#include <stipple/autograd/group_norm.hpp>
#include <stipple/autograd/layer_norm.hpp>
#include <stipple/autograd/loss.hpp>
#include <stipple/autograd/matmul.hpp>
#include <stipple/autograd/pool.hpp>
#include <stipple/autograd/resize.hpp>
#include <stipple/autograd/softmax.hpp>
#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/io/weights.hpp>

#include "reference_ops.hpp"

namespace reference {

using stipple::Cpu;
using stipple::Device;
using stipple::Index;
using stipple::Layout;
using stipple::Tensor;
using stipple::Var;

/// Units in the last place of the largest magnitude that float may be off where PyTorch's was closer. The mathematical
/// functions of the C library are within one unit, those of CUDA within two (CUDA programming guide, mathematical
/// functions), and its reciprocals and roots are approximations of the same kind.
template <Device D>
constexpr double allowed_ulps = std::same_as<D, Cpu> ? 4 : 8;

/// (N, heads, L, d), the files' layout, to (N, L, heads d).
inline Tensor<float> merge_heads(const Tensor<float>& x) {
  Index const n = x.dim(0), heads = x.dim(1), length = x.dim(2), d = x.dim(3);
  Tensor<float> y({n, length, heads * d});
  for (Index b = 0; b < n; ++b)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < length; ++i)
        for (Index c = 0; c < d; ++c)
          y.data()[((b * length + i) * heads + h) * d + c] = x.data()[((b * heads + h) * length + i) * d + c];
  return y;
}

/// (N, C, L) to an image one pixel high with `padding` zeros at both ends, and back.
inline Tensor<float> padded_row(const Tensor<float>& x, Index padding) {
  auto const row = to_nhwc(x.reshape({x.dim(0), x.dim(1), 1, x.dim(2)}));
  Index const n = row.dim(0), size = row.size() / n, before = padding * row.dim(3);
  auto y = Tensor<float>::zeros({n, 1, row.dim(2) + 2 * padding, row.dim(3)});
  for (Index i = 0; i < n; ++i) std::copy_n(row.data() + i * size, size, y.data() + i * (size + 2 * before) + before);
  return y;
}
inline Tensor<float> without_padding(const Tensor<float>& x, Index padding) {
  Index const n = x.dim(0), before = padding * x.dim(3), size = x.size() / n - 2 * before;
  Tensor<float> y(x.shape().with(2, x.dim(2) - 2 * padding));
  for (Index i = 0; i < n; ++i) std::copy_n(x.data() + i * (size + 2 * before) + before, size, y.data() + i * size);
  return to_nchw(y);
}

/// A parameter of a case, which has the layout of files, as kernels want it.
inline Tensor<float> from_file(const Tensor<float>& stored, Layout layout) {
  stipple::Shape shape;
  for (int axis = 2; axis < stored.rank(); ++axis) shape.append(stored.dim(axis));
  shape.append(stored.dim(1));
  shape.append(stored.dim(0));
  Tensor<float> value(shape);
  stipple::from_file_layout(stored, layout, value);
  return value;
}

/// Operands and results of a case on D.
template <Device D>
struct CaseOn {
  const Case& c;

  /// An operand, of which a gradient is wanted.
  Var<float, D> operand(const Tensor<float>& value) const { return {stipple::to<D>(value), true}; }
  Var<float, D> tensor(const std::string& key) const { return operand(c.tensor("in." + key)); }
  Var<float, D> image(const std::string& key) const { return operand(c.image("in." + key)); }
  Var<float, D> weight(Layout layout) const { return operand(from_file(c.tensor("in.weight"), layout)); }
  /// Undefined where the case has none.
  Var<float, D> bias() const { return c.has("in.bias") ? tensor("bias") : Var<float, D>(); }

  void check(const std::string& key, const Tensor<float, D>& given) const {
    check_tensor(c, key, stipple::to<Cpu>(given), allowed_ulps<D>);
  }
  void check_image(const std::string& key, const Tensor<float, D>& given) const {
    reference::check_image(c, key, stipple::to<Cpu>(given), allowed_ulps<D>);
  }
  /// `given` in the layout of the network, against a parameter's gradient.
  void check_weight(const Tensor<float, D>& given, Layout layout) const {
    check_tensor(c, "grad.weight", stipple::to_file_layout(stipple::to<Cpu>(given), layout), allowed_ulps<D>);
  }
  void check_bias(const Var<float, D>& bias) const {
    if (bias.defined()) check("grad.bias", bias.grad());
  }
  /// Result and gradient of an operation with one operand.
  void check_unary(const Var<float, D>& x, const Var<float, D>& y) const {
    check("out", y.value());
    y.backward(stipple::to<D>(c.tensor("grad_out").reshape(y.shape())));
    check("grad.x", x.grad());
  }
  /// The same of images.
  void check_unary_image(const Var<float, D>& x, const Var<float, D>& y) const {
    check_image("out", y.value());
    y.backward(stipple::to<D>(c.image("grad_out")));
    check_image("grad.x", x.grad());
  }
};

template <Device D>
void activation(const CaseOn<D>& on) {
  using stipple::Activation;
  auto const op = on.c.entry->at("op").template get<std::string>();
  auto const kind = op == "silu"                         ? Activation::silu
                    : op == "mish"                       ? Activation::mish
                    : on.c.text("approximate") == "tanh" ? Activation::gelu_tanh
                                                         : Activation::gelu;
  auto const x = on.tensor("x");
  on.check_unary(x, activate(x, kind));
}

template <Device D>
void attention(const CaseOn<D>& on) {
  auto const& c = on.c;
  Index const heads = c.tensor("in.q").dim(1);
  auto const q = on.operand(merge_heads(c.tensor("in.q"))), k = on.operand(merge_heads(c.tensor("in.k"))),
             v = on.operand(merge_heads(c.tensor("in.v")));
  auto const y = stipple::attention(q, k, v, heads, {.causal = c.flag("causal")});
  y.backward(stipple::to<D>(merge_heads(c.tensor("grad_out"))));
  auto const check = [&](const std::string& key, const Tensor<float, D>& given) {
    INFO(c.name << " " << key);
    auto const expected = merge_heads(c.tensor(key));
    CHECK(max_abs_difference(stipple::to<Cpu>(given), expected) <= c.tolerance(key, expected, allowed_ulps<D>));
  };
  check("out", y.value());
  check("grad.q", q.grad());
  check("grad.k", k.grad());
  check("grad.v", v.grad());
}

/// A one-dimensional convolution is that of an image one pixel high.
template <Device D>
void conv1d(const CaseOn<D>& on) {
  auto const& c = on.c;
  Index const padding = c.integer("padding");
  auto const kernel = c.tensor("in.weight");
  auto const x = on.operand(padded_row(c.tensor("in.x"), padding)), bias = on.bias(),
             weight =
                 on.operand(from_file(kernel.reshape({kernel.dim(0), kernel.dim(1), 1, kernel.dim(2)}), Layout::conv));
  auto const y = stipple::conv2d(x, weight, {.stride = c.integer("stride", 1)}, {bias, {}, {}});
  y.backward(stipple::to<D>(padded_row(c.tensor("grad_out"), 0)));
  auto const check = [&](const std::string& key, const Tensor<float, D>& given, Index padded) {
    check_tensor(c, key, without_padding(stipple::to<Cpu>(given), padded), allowed_ulps<D>);
  };
  check("out", y.value(), 0);
  check("grad.x", x.grad(), padding);
  on.check_weight(weight.grad(), Layout::conv);
  on.check_bias(bias);
}

template <Device D>
void conv2d(const CaseOn<D>& on) {
  auto const& c = on.c;
  auto const x = on.image("x"), weight = on.weight(Layout::conv), bias = on.bias();
  stipple::Conv2dSpec const spec{c.integer("stride", 1), c.integer("padding"), c.integer("dilation", 1),
                                 c.integer("groups", 1)};
  on.check_unary_image(x, stipple::conv2d(x, weight, spec, {bias, {}, {}}));
  on.check_weight(weight.grad(), Layout::conv);
  on.check_bias(bias);
}

template <Device D>
void conv_transpose2d(const CaseOn<D>& on) {
  auto const& c = on.c;
  auto const x = on.image("x"), weight = on.weight(Layout::conv), bias = on.bias();
  stipple::ConvTranspose2dSpec const spec{c.integer("stride", 1), c.integer("padding"), c.integer("output_padding"),
                                          c.integer("dilation", 1), c.integer("groups", 1)};
  on.check_unary_image(x, stipple::conv_transpose2d(x, weight, spec, bias));
  on.check_weight(weight.grad(), Layout::conv);
  on.check_bias(bias);
}

template <Device D>
void embedding(const CaseOn<D>& on) {
  auto const table = on.tensor("weight");
  auto const y = stipple::embedding(table, stipple::to<D>(on.c.labels("in.idx")));
  on.check("out", y.value());
  y.backward(stipple::to<D>(on.c.tensor("grad_out")));
  on.check("grad.weight", table.grad());
}

template <Device D>
void group_norm(const CaseOn<D>& on) {
  auto const x = on.image("x"), weight = on.tensor("weight"), bias = on.bias();
  on.check_unary_image(
      x, stipple::group_norm(x, weight, bias, {.groups = on.c.integer("groups"), .eps = on.c.number("eps")}));
  on.check("grad.weight", weight.grad());
  on.check_bias(bias);
}

template <Device D>
void layer_norm(const CaseOn<D>& on) {
  auto const x = on.tensor("x"), weight = on.tensor("weight"), bias = on.bias();
  on.check_unary(x, stipple::layer_norm(x, weight, bias, on.c.number("eps")));
  on.check("grad.weight", weight.grad());
  on.check_bias(bias);
}

template <Device D>
void linear(const CaseOn<D>& on) {
  auto const x = on.tensor("x"), weight = on.weight(Layout::linear), bias = on.bias();
  on.check_unary(x, stipple::linear(x, weight, bias));
  on.check_weight(weight.grad(), Layout::linear);
  on.check_bias(bias);
}

template <Device D>
void elementwise_loss(const CaseOn<D>& on) {
  using stipple::Reduction;
  auto const& c = on.c;
  auto const op = c.entry->at("op").template get<std::string>(), by = c.text("reduction");
  auto const reduction = by == "mean" ? Reduction::mean : by == "sum" ? Reduction::sum : Reduction::none;
  auto const x = on.tensor("x"), y = on.tensor("y");
  on.check_unary(x, op == "mse_loss"     ? mse_loss(x, y, reduction)
                    : op == "huber_loss" ? huber_loss(x, y, c.number("delta"), reduction)
                                         : smooth_l1_loss(x, y, c.number("beta"), reduction));
  on.check("grad.y", y.grad());
}

template <Device D>
void cross_entropy(const CaseOn<D>& on) {
  auto const x = on.tensor("x");
  on.check_unary(x,
                 cross_entropy_loss(x, stipple::to<D>(on.c.labels("in.idx")), {on.c.number("label_smoothing", 0.0)}));
}

template <Device D>
void pool(const CaseOn<D>& on) {
  auto const& c = on.c;
  stipple::PoolSpec const spec{c.integer("kernel"), c.integer("stride", c.integer("kernel")), c.integer("padding")};
  auto const x = on.image("x");
  on.check_unary_image(x, c.entry->at("op") == "avg_pool2d" ? avg_pool(x, spec) : max_pool(x, spec));
}

template <Device D>
void resize(const CaseOn<D>& on) {
  using stipple::ResizeMode;
  auto const& c = on.c;
  auto const& size = c.params().at("size");
  auto const x = on.image("x");
  on.check_unary_image(x, stipple::resize(x, {size[0].template get<Index>(), size[1].template get<Index>()},
                                          {c.text("mode") == "nearest" ? ResizeMode::nearest : ResizeMode::bilinear,
                                           c.flag("align_corners")}));
}

template <Device D>
void softmax(const CaseOn<D>& on) {
  auto const x = on.tensor("x");
  on.check_unary(x, stipple::softmax(x));
}

template <Device D>
void timestep_embedding(const CaseOn<D>& on) {
  auto const& c = on.c;
  stipple::TimestepEmbeddingSpec const spec{c.flag("flip_sin_to_cos"), c.number("downscale_freq_shift"),
                                            c.number("scale"), c.number("max_period")};
  auto const expected = c.tensor("out");
  auto const y = stipple::timestep_embedding<float>(stipple::to<D>(c.tensor("in.t")), expected.dim(1), spec);
  INFO(c.name << " out");
  CHECK(max_abs_difference(stipple::to<Cpu>(y.value()), expected) <= 0x1p-14);  // a unit of diffusers' float32 angles
}

/// The conventions of three courses, in T, against vectors that were made in float64.
template <stipple::Real T, Device D>
void check_course_embeddings(double within) {
  struct Convention {
    const char* name;
    stipple::TimestepEmbeddingSpec spec;
  };
  stipple::SafetensorsFile const file(folder() + "/courses/formulas.safetensors");
  auto const steps = file.read<std::int64_t>("embedding.t");
  Tensor<stipple::accumulate_t<T>> t(steps.shape());
  for (Index i = 0; i < t.size(); ++i) t.data()[i] = static_cast<stipple::accumulate_t<T>>(steps.data()[i]);
  for (auto const& [name, spec] : {Convention{"kaist", {.flip_sin_to_cos = true, .downscale_freq_shift = 0}},
                                   Convention{"ai504", {.flip_sin_to_cos = false, .downscale_freq_shift = 1}},
                                   Convention{"radboud", {.flip_sin_to_cos = false, .downscale_freq_shift = 0}}})
    for (Index dim : {8, 32, 256}) {
      auto const key = "embedding." + std::string(name) + "." + std::to_string(dim);
      INFO(key << " in " << stipple::dtype_name<T>());
      auto const given = stipple::to<Cpu>(stipple::timestep_embedding<T>(stipple::to<D>(t), dim, spec).value());
      CHECK(max_abs_difference(given, file.read<double>(key + "|f64")) < within);
    }
}

/// An operation by its name in ops.json, and what checks one of its cases, forward and gradients.
template <Device D>
struct SuiteEntry {
  std::string op;
  void (*check)(const CaseOn<D>&);
};

template <Device D>
std::vector<SuiteEntry<D>> suite() {
  return {{"avg_pool2d", pool<D>},
          {"conv1d", conv1d<D>},
          {"conv2d", conv2d<D>},
          {"conv_transpose2d", conv_transpose2d<D>},
          {"cross_entropy", cross_entropy<D>},
          {"diffusers.get_timestep_embedding", timestep_embedding<D>},
          {"embedding", embedding<D>},
          {"gelu", activation<D>},
          {"group_norm", group_norm<D>},
          {"huber_loss", elementwise_loss<D>},
          {"interpolate", resize<D>},
          {"layer_norm", layer_norm<D>},
          {"linear", linear<D>},
          {"max_pool2d", pool<D>},
          {"mish", activation<D>},
          {"mse_loss", elementwise_loss<D>},
          {"sdpa", attention<D>},
          {"silu", activation<D>},
          {"smooth_l1_loss", elementwise_loss<D>},
          {"softmax", softmax<D>}};
}

/// Checks every case of every operation on D.
template <Device D>
void check_operations() {
  for (auto const& entry : suite<D>())
    for (auto const& c : cases(entry.op)) entry.check({c});
}

}  // namespace reference
