#include <stipple/nn/norm.hpp>
#include <stipple/ops/activation.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

struct Operands {
  Tensor<double> x, weight, bias, dy;
};
/// Rounded to T, so that every type sees the same numbers.
template <class T>
Operands operands(const Shape& shape, double mean = 0) {
  Shape const channels{shape[-1]};
  auto const rounded = [](const Tensor<double>& t) {
    return ops::cast<double>(ops::cast<float>(ops::cast<T>(ops::cast<float>(t))));
  };
  return {rounded(ops::affine(random_tensor<double>(shape, 1), 1, mean)),
          ops::affine(random_tensor<double>(channels, 2), 0.3, 1), random_tensor<double>(channels, 3),
          rounded(random_tensor<double>(shape, 4))};
}

/// y, dx, dweight and dbias of activation(group_norm(x)) in T.
template <class T>
struct Results {
  Tensor<T> y, dx;
  Tensor<accumulate_t<T>> dweight, dbias;
};
template <class T>
Results<T> run(const Operands& o, const GroupNormSpec& spec) {
  using A = accumulate_t<T>;
  auto const from = [](const Tensor<double>& t) {
    if constexpr (std::same_as<T, double>)
      return t;
    else
      return ops::cast<T>(ops::cast<float>(t));
  };
  auto const x = from(o.x);
  auto const w = ops::cast<A>(o.weight), b = ops::cast<A>(o.bias);
  auto const out = ops::group_norm(x, w, b, spec);
  auto const g = ops::group_norm_backward(from(o.dy), x, w, b, out.mean, out.rstd, spec);
  return {out.y, g.x, g.weight, g.bias};
}

/// The definition, step by step in double; the activation's own kernels are tested elsewhere.
Results<double> definition(const Operands& o, const GroupNormSpec& spec) {
  auto const& s = o.x.shape();
  Index const n = s[0], channels = s[-1], pixels = s.count(1, s.rank() - 1), wide = channels / spec.groups;
  Tensor<double> h(s), z(s);
  Tensor<double> rstd({n, spec.groups});
  for (Index i = 0; i < n; ++i)
    for (Index g = 0; g < spec.groups; ++g) {
      auto const each = [&](auto const& f) {
        for (Index p = 0; p < pixels; ++p)
          for (Index c = g * wide; c < (g + 1) * wide; ++c) f((i * pixels + p) * channels + c, c);
      };
      double mean = 0, variance = 0;
      auto const count = static_cast<double>(pixels * wide);
      each([&](Index at, Index) { mean += o.x.data()[at] / count; });
      each([&](Index at, Index) { variance += (o.x.data()[at] - mean) * (o.x.data()[at] - mean) / count; });
      double const r = rstd.data()[i * spec.groups + g] = 1 / std::sqrt(variance + spec.eps);
      each([&](Index at, Index c) {
        h.data()[at] = (o.x.data()[at] - mean) * r;
        z.data()[at] = h.data()[at] * o.weight.data()[c] + o.bias.data()[c];
      });
    }
  auto const dz = ops::activate_backward(o.dy, z, spec.activation);
  Results<double> out{ops::activate(z, spec.activation), Tensor<double>(s), Tensor<double>::zeros({channels}),
                      Tensor<double>::zeros({channels})};
  for (Index i = 0; i < n; ++i)
    for (Index g = 0; g < spec.groups; ++g) {
      auto const each = [&](auto const& f) {
        for (Index p = 0; p < pixels; ++p)
          for (Index c = g * wide; c < (g + 1) * wide; ++c) f((i * pixels + p) * channels + c, c);
      };
      double total = 0, along = 0;
      auto const count = static_cast<double>(pixels * wide);
      each([&](Index at, Index c) {
        double const v = dz.data()[at], d = v * o.weight.data()[c];
        out.dweight.data()[c] += v * h.data()[at];
        out.dbias.data()[c] += v;
        total += d / count;
        along += d * h.data()[at] / count;
      });
      each([&](Index at, Index c) {
        out.dx.data()[at] =
            rstd.data()[i * spec.groups + g] * (dz.data()[at] * o.weight.data()[c] - total - h.data()[at] * along);
      });
    }
  return out;
}

/// Errors relative to max(1, the largest magnitude).
template <class A, class B>
double error(const Tensor<A>& given, const Tensor<B>& wanted) {
  double largest = 1;
  for (auto const v : wanted.span()) largest = std::max(largest, std::abs(static_cast<double>(v)));
  return max_abs_difference(given, wanted) / largest;
}

template <class T>
void check_definition(const Shape& shape, const GroupNormSpec& spec, double tolerance, double sum_tolerance) {
  INFO(dtype_name<T>() << " " << to_text(shape) << " in " << spec.groups << " groups, " << to_text(spec.activation));
  auto const o = operands<T>(shape);
  auto const given = run<T>(o, spec);
  auto const wanted = definition(o, spec);
  CHECK(error(given.y, wanted.y) <= tolerance);
  CHECK(error(given.dx, wanted.dx) <= tolerance);
  CHECK(error(given.dweight, wanted.dweight) <= sum_tolerance);
  CHECK(error(given.dbias, wanted.dbias) <= sum_tolerance);
}

/// Channels that fill vectors, fill them together with their neighbours, or never do; images of several slabs.
const std::pair<Shape, Index> shapes[] = {
    {{3, 5, 7, 6}, 3},    {{1, 1, 1, 8}, 2},     {{1, 1, 1, 1}, 1},    {{2, 1, 1, 28}, 1},   {{2, 7, 3}, 3},
    {{2, 5, 1}, 1},       {{3, 17, 13}, 13},     {{2, 28, 28, 56}, 1}, {{2, 28, 28, 28}, 7}, {{2, 14, 14, 18}, 6},
    {{1, 31, 37, 19}, 1}, {{1, 64, 48, 32}, 32}, {{2, 9, 300}, 4},     {{1, 3, 1031}, 1},    {{4, 24}, 3}};

}  // namespace

TEST_CASE("group_norm is its definition at odd shapes in every instruction set", "[group_norm]") {
  for (auto const& entry : shapes)
    for (auto const activation : {Activation::none, Activation::silu}) {
      auto const& shape = entry.first;
      GroupNormSpec const spec{.groups = entry.second, .activation = activation};
      for_each_isa([&](Isa) {
        check_definition<float>(shape, spec, 2e-6, 2e-6);
        check_definition<bf16>(shape, spec, 0x1p-7, 2e-6);  // one rounding of the result, and one of g in dx
      });
      check_definition<double>(shape, spec, 1e-13, 1e-13);
    }
}

TEST_CASE("group_norm with each activation is the two of them in turn", "[group_norm]") {
  auto const o = operands<double>({2, 6, 5, 12});
  for (auto const activation : {Activation::relu, Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                Activation::mish, Activation::sigmoid, Activation::tanh}) {
    INFO(to_text(activation));
    GroupNormSpec const spec{.groups = 3, .activation = activation};
    auto const wanted = definition(o, spec);
    for_each_isa([&](Isa) {
      auto const given = run<float>(o, spec);
      CHECK(error(given.y, wanted.y) <= 2e-6);
      CHECK(error(given.dx, wanted.dx) <= 2e-6);
      CHECK(error(given.dweight, wanted.dweight) <= 2e-6);
      CHECK(error(given.dbias, wanted.dbias) <= 2e-6);
    });
  }
}

TEST_CASE("group_norm keeps its precision where the mean is large", "[group_norm]") {
  // Mean 1000, standard deviation 1: the input itself is exact to 3e-5 of a deviation, and so is the kept mean.
  for (Index const groups : {1, 4}) {
    auto const o = operands<float>({2, 28, 28, 12}, 1000);
    GroupNormSpec const spec{.groups = groups};
    auto const wanted = definition(o, spec);
    for_each_isa([&](Isa) {
      auto const given = run<float>(o, spec);
      CHECK(error(given.y, wanted.y) <= 3e-5);
      CHECK(error(given.dx, wanted.dx) <= 3e-5);
      CHECK(error(given.dweight, wanted.dweight) <= 1e-4);
    });
  }
  // Values far away from all others, at the beginning, where the shift of the sums is taken from: one pixel, or as many
  // as that takes. A shift by the first value alone would lose four digits.
  for (Index const pixels : {1, 500}) {
    Tensor<float> x = random_tensor({1, 4000, 4});
    for (Index i = 0; i < 4 * pixels; ++i) x.data()[i] += 1e6f;
    for (Index const groups : {1, 2}) {
      auto const exact = ops::group_norm(ops::cast<double>(x), Tensor<double>(), Tensor<double>(), {.groups = groups});
      for_each_isa([&](Isa) {
        auto const given = ops::group_norm(x, Tensor<float>(), Tensor<float>(), {.groups = groups});
        for (Index g = 0; g < groups; ++g) CHECK(std::abs(given.rstd.data()[g] / exact.rstd.data()[g] - 1) <= 1e-5);
      });
    }
  }
}

TEST_CASE("group_norm of constant images is the bias", "[group_norm]") {
  Tensor<float> const x({2, 3, 3, 4}, 7.25f), w({4}, 2.0f), b({4}, {1, 2, 3, 4});
  for_each_isa([&](Isa) {
    auto const out = ops::group_norm(x, w, b, {.groups = 2});
    for (Index i = 0; i < x.size(); ++i) CHECK(out.y.data()[i] == static_cast<float>(i % 4 + 1));
    CHECK(out.rstd.data()[0] == Approx(1 / std::sqrt(1e-5)));
  });
}

TEST_CASE("group_norm passes finite differences", "[group_norm]") {
  for (auto const& [shape, groups] :
       {std::pair{Shape{2, 3, 2, 6}, Index{3}}, {Shape{1, 5, 1}, Index{1}}, {Shape{3, 4}, Index{1}}})
    for (auto const activation : {Activation::none, Activation::silu, Activation::gelu}) {
      GroupNormSpec const spec{.groups = groups, .eps = 1e-3, .activation = activation};
      check_gradients(
          [&](auto const& v) { return group_norm(v[0], v[1], v[2], spec); },
          {random_tensor<double>(shape), random_tensor<double>({shape[-1]}, 2), random_tensor<double>({shape[-1]}, 3)});
      check_gradients([&](auto const& v) { return group_norm(v[0], Var<double>(), Var<double>(), spec); },
                      {random_tensor<double>(shape)});
    }
}

TEST_CASE("group_norm does not depend on threads, its samples not on the batch", "[group_norm]") {
  // Whole images a chunk, and, where images are few, slabs of them.
  for (Shape const& shape : {Shape{20, 9, 9, 12}, Shape{2, 60, 50, 12}, Shape{1, 129, 130, 3}})
    for (Index const groups : {1, 3}) {
      auto const x = random_tensor<bf16>(shape), dy = random_tensor<bf16>(shape, 2);
      auto const w = random_tensor({shape[-1]}, 3), b = random_tensor({shape[-1]}, 4);
      GroupNormSpec const spec{.groups = groups, .activation = Activation::silu};
      auto const out = ops::group_norm(x, w, b, spec);
      auto const backward = [&] { return ops::group_norm_backward(dy, x, w, b, out.mean, out.rstd, spec); };
      check_threads([&] { return ops::group_norm(x, w, b, spec).y; });
      check_threads([&] { return ops::group_norm(x, w, b, spec).rstd; });
      check_threads([&] { return backward().x; });
      check_threads([&] { return backward().weight; });
      check_threads([&] { return backward().bias; });
      check_batch(x, [&](const Tensor<bf16>& t) { return ops::group_norm(t, w, b, spec).y; });
    }
}

TEST_CASE("gradients of group_norm in double do not depend on threads or batch", "[group_norm]") {
  // Slabs summed one after the other, or apart where images are few; double shows the order of the sums.
  Shape const shape{9, 28, 28, 28};
  auto const x = random_tensor<double>(shape), dy = random_tensor<double>(shape, 2);
  auto const w = random_tensor<double>({28}, 3), b = random_tensor<double>({28}, 4);
  GroupNormSpec const spec{.groups = 7};
  auto const gradients = [&](Index samples) {
    auto const some = x.slice(0, samples);
    auto const out = ops::group_norm(some, w, b, spec);
    return ops::group_norm_backward(dy.slice(0, samples), some, w, b, out.mean, out.rstd, spec);
  };
  check_threads([&] { return gradients(1).x; });
  check_threads([&] { return gradients(1).weight; });
  check_threads([&] { return gradients(1).bias; });
  ContextGuard const guard;
  set_num_threads(2);
  CHECK(same_bits(gradients(9).x.slice(0, 1), gradients(1).x));
}

TEST_CASE("the GroupNorm layer names its parameters", "[group_norm]") {
  GroupNorm<bf16> layer(2, 6, {.eps = 1e-4, .activation = Activation::silu});
  std::vector<std::string> names;
  for_each_leaf(layer, [&](const std::string& name, auto&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"weight", "bias"});
  CHECK(count_parameters(layer) == 12);
  auto const x = random_tensor<bf16>({2, 3, 3, 6});
  auto const wanted =
      ops::group_norm(x, Tensor<float>(), Tensor<float>(), {.groups = 2, .eps = 1e-4, .activation = Activation::silu});
  CHECK(same_bits(layer(Var<bf16>(x)).value(), wanted.y));
  require_error([] { GroupNorm<float>(8, 28); }, "GroupNorm: given 28 channels and 8 groups");
}

TEST_CASE("group_norm refuses what does not fit", "[group_norm]") {
  Tensor<float> const x({2, 3, 3, 6}, 1.0f), w({6}, 1.0f), none;
  require_error([&] { (void)ops::group_norm(x, w, w, {.groups = 4}); }, "group_norm: given 6 channels and 4 groups");
  require_error([&] { (void)ops::group_norm(x, w, w, {.groups = 0}); }, "groups of equal size");
  require_error([&] { (void)ops::group_norm(x, Tensor<float>({5}), w, {}); },
                "group_norm: given a weight or bias of shape (5) for 6 channels");
  require_error([&] { (void)ops::group_norm(w, w, w, {}); }, "group_norm: given an input of shape (6)");
  require_error([&] { (void)ops::group_norm(none, w, w, {}); }, "group_norm: given an input");
  require_error([&] { (void)ops::group_norm(Tensor<float>({2, 0, 6}), w, w, {}); }, "at least one element a sample");
  require_error([&] { (void)ops::group_norm(Tensor<float>({0, 4, 0}), none, none, {}); }, "given 0 channels");
  require_error([&] { (void)ops::group_norm(x, w, w, {.eps = -1}); }, "given eps -1");
  auto const out = ops::group_norm(x, w, w, {});
  require_error([&] { (void)ops::group_norm_backward(x.slice(0, 1), x, w, w, out.mean, out.rstd, {}); },
                "group_norm backward: given a gradient of shape (1, 3, 3, 6), wanted (2, 3, 3, 6)");
  require_error([&] { (void)ops::group_norm_backward(x, x, w, w, out.mean, out.rstd, {.groups = 2}); },
                "group_norm backward: given statistics of shapes (2, 1)");
  CHECK(ops::group_norm(Tensor<float>({0, 4, 6}), w, w, {}).y.size() == 0);
}
