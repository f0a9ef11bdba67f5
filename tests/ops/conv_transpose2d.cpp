#include <stipple/autograd/conv_transpose2d.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"
#include "naive_conv.hpp"

using namespace stipple;

namespace {

struct Size {
  Shape x;
  Index outputs, kh, kw, stride, padding, output_padding, dilation, groups;

  /// Of the convolution that is run backwards; the extents by PyTorch's formula.
  ConvDims dims() const {
    auto const extent = [&](Index in, Index kernel) {
      return (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1;
    };
    return {x[0], extent(x[1], kh), extent(x[2], kw), outputs,  kh,    kw, x[3], x[1],
            x[2], stride,           padding,          dilation, groups};
  }
  Shape weight() const { return {kh, kw, outputs / groups, x[3]}; }
  Shape y() const { return {x[0], dims().h, dims().w, outputs}; }
  ConvTranspose2dSpec spec() const { return {stride, padding, output_padding, dilation, groups}; }
  std::string text() const {
    return to_text(x) + " -> " + to_text(y()) + ", kernel " + std::to_string(kh) + " x " + std::to_string(kw) +
           ", stride " + std::to_string(stride) + ", padding " + std::to_string(padding) + ", output_padding " +
           std::to_string(output_padding) + ", dilation " + std::to_string(dilation) + ", groups " +
           std::to_string(groups);
  }
};
const std::vector<Size> sizes{
    {{1, 1, 1, 1}, 1, 1, 1, 1, 0, 0, 1, 1},
    {{1, 1, 1, 3}, 5, 4, 4, 2, 1, 0, 1, 1},
    {{2, 5, 7, 1}, 1, 3, 3, 2, 1, 1, 1, 1},
    {{1, 7, 5, 3}, 2, 2, 2, 2, 0, 0, 1, 1},
    {{2, 7, 7, 33}, 17, 4, 4, 2, 1, 0, 1, 1},
    {{1, 5, 3, 4}, 7, 5, 5, 1, 2, 0, 1, 1},
    {{1, 4, 5, 2}, 31, 7, 7, 3, 3, 2, 1, 1},
    {{2, 5, 4, 7}, 33, 3, 3, 3, 2, 1, 2, 1},
    {{1, 4, 3, 5}, 3, 2, 2, 3, 0, 1, 1, 1},  // stride beyond the kernel: some pixels get the bias alone
    {{1, 3, 4, 6}, 9, 3, 2, 2, 1, 0, 1, 3},
    {{2, 5, 5, 12}, 12, 4, 4, 2, 1, 0, 1, 12},
    {{1, 6, 5, 20}, 20, 3, 3, 1, 1, 0, 2, 20},
    {{1, 40, 90, 64}, 5, 4, 4, 2, 1, 0, 1, 1},  // several bands
    // output_padding of the stride or more, which a dilation allows: the last pixels get the bias alone
    {{3, 4, 2, 3}, 16, 1, 1, 1, 0, 1, 2, 1},
    {{2, 3, 4, 16}, 5, 3, 2, 1, 1, 2, 3, 1},
    {{1, 4, 5, 8}, 8, 3, 3, 2, 1, 2, 3, 8},
};

template <class T>
struct Operands {
  Tensor<T> x, weight, dy;
  Tensor<accumulate_t<T>> bias;

  explicit Operands(const Size& s)
      : x(random_tensor<T>(s.x, 1)),
        weight(random_tensor<T>(s.weight(), 2)),
        dy(random_tensor<T>(s.y(), 3)),
        bias(random_tensor<accumulate_t<T>>({s.outputs}, 4)) {}
};

template <class T>
void check_size(const Size& s) {
  INFO(dtype_name<T>() << " " << s.text());
  Operands<T> const t(s);
  naive::Exact y(s.y()), biased(s.y()), dx(s.x), dw(s.weight());
  auto const number = [](auto const& tensor, Index i) { return static_cast<double>(tensor.data()[i]); };
  for (Index i = 0; i < t.dy.size(); ++i) biased.add(i, number(t.bias, i % s.outputs));
  naive::for_each_product(s.dims(), [&](Index yi, Index wi, Index xi) {
    y.add(yi, number(t.x, xi) * number(t.weight, wi));
    biased.add(yi, number(t.x, xi) * number(t.weight, wi));
    dx.add(xi, number(t.dy, yi) * number(t.weight, wi));
    dw.add(wi, number(t.x, xi) * number(t.dy, yi));
  });
  auto const check = [&] {
    CHECK(naive::relative_error(ops::conv_transpose2d(t.x, t.weight, s.spec()), y) <= 1);
    CHECK(naive::relative_error(ops::conv_transpose2d(t.x, t.weight, s.spec(), t.bias), biased) <= 1);
    CHECK(naive::relative_error(ops::conv_transpose2d_backward_input(t.dy, t.weight, s.x, s.spec()), dx) <= 1);
    CHECK(naive::relative_error(ops::conv_transpose2d_backward_weight(t.dy, t.x, s.weight(), s.spec()), dw) <= 1);
  };
  if (std::same_as<T, double>)
    check();
  else
    for_each_product_isa([&](Isa) { check(); });
}

}  // namespace

TEST_CASE("transposed convolutions of every kind agree with sums in double", "[conv_transpose2d]") {
  for (auto const& s : sizes) {
    check_size<float>(s);
    check_size<bf16>(s);
    if (s.x.size() < 10000) check_size<double>(s);
  }
}

TEST_CASE("transposed convolution passes finite differences", "[conv_transpose2d]") {
  std::vector<Size> const small{{{1, 1, 1, 1}, 1, 1, 1, 1, 0, 0, 1, 1}, {{2, 3, 4, 3}, 2, 4, 4, 2, 1, 0, 1, 1},
                                {{1, 3, 2, 2}, 3, 3, 3, 2, 1, 1, 1, 1}, {{1, 2, 3, 4}, 2, 3, 2, 3, 1, 1, 2, 2},
                                {{1, 3, 3, 3}, 3, 3, 3, 2, 1, 1, 1, 3}, {{1, 3, 2, 2}, 2, 2, 2, 3, 0, 2, 1, 1}};
  for (auto const& s : small) {
    INFO(s.text());
    Operands<double> const t(s);
    check_gradients([&](auto const& v) { return conv_transpose2d(v[0], v[1], s.spec()); }, {t.x, t.weight});
    check_gradients([&](auto const& v) { return conv_transpose2d(v[0], v[1], s.spec(), v[2]); },
                    {t.x, t.weight, t.bias});
  }
}

TEMPLATE_TEST_CASE("transposed convolution does not depend on threads or batch", "[conv_transpose2d]", float, bf16) {
  using T = TestType;
  for (auto const& s : {Size{{37, 5, 6, 40}, 24, 4, 4, 2, 1, 0, 1, 1}, Size{{2, 40, 50, 40}, 20, 3, 3, 2, 1, 1, 1, 1},
                        Size{{9, 7, 7, 40}, 40, 4, 4, 2, 1, 0, 1, 40}}) {
    INFO(s.text());
    Operands<T> const t(s);
    check_threads([&] { return ops::conv_transpose2d(t.x, t.weight, s.spec(), t.bias); });
    check_threads([&] { return ops::conv_transpose2d_backward_input(t.dy, t.weight, s.x, s.spec()); });
    check_threads([&] { return ops::conv_transpose2d_backward_weight(t.dy, t.x, s.weight(), s.spec()); });
  }
  Size const s{{64, 4, 3, 17}, 18, 4, 4, 2, 1, 0, 1, 1};
  Operands<T> const t(s);
  for_each_product_isa([&](Isa) {
    check_batch(t.x, [&](const Tensor<T>& x) { return ops::conv_transpose2d(x, t.weight, s.spec(), t.bias); });
  });
}

TEST_CASE("a NaN reaches the pixels that its kernel covers and no others", "[conv_transpose2d]") {
  bf16 const nan(std::nanf(""));
  for_each_product_isa([&](Isa) {
    for (auto const& s : {Size{{1, 5, 4, 3}, 18, 4, 4, 2, 1, 0, 1, 1}, Size{{1, 4, 5, 4}, 6, 2, 2, 3, 0, 2, 1, 2},
                          Size{{1, 4, 5, 4}, 5, 3, 3, 2, 1, 1, 2, 1}}) {
      INFO(s.text());
      Operands<bf16> t(s);
      auto const clean = ops::conv_transpose2d(t.x, t.weight, s.spec());
      Index const at = (s.x[2] + 1) * s.x[3] + s.x[3] - 1;
      std::vector<bool> reached(static_cast<std::size_t>(clean.size()));
      naive::for_each_product(s.dims(), [&](Index yi, Index, Index xi) {
        if (xi == at) reached[static_cast<std::size_t>(yi)] = true;
      });
      t.x.data()[at] = nan;
      auto const y = ops::conv_transpose2d(t.x, t.weight, s.spec());
      Index wrong = 0;
      for (Index i = 0; i < y.size(); ++i) {
        float const value = static_cast<float>(y.data()[i]);
        wrong +=
            reached[static_cast<std::size_t>(i)] ? !std::isnan(value) : value != static_cast<float>(clean.data()[i]);
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("transposed convolutions of shapes that do not fit are an error", "[conv_transpose2d]") {
  Tensor<float> const x({1, 3, 4, 6}, 1), w({4, 4, 2, 6}, 1), none;
  auto const convolve = [&](const Tensor<float>& image, const Tensor<float>& weight, ConvTranspose2dSpec spec) {
    return [=] { (void)ops::conv_transpose2d(image, weight, spec); };
  };
  require_error(convolve(none, w, {}), "conv_transpose2d: given x () and weight (4, 4, 2, 6)");
  require_error(convolve(x, none, {}), "wanted x (N, H, W, C) and weight (kH, kW, O / groups, C)");
  require_error(convolve(x, Tensor<float>({4, 4, 2, 5}), {}), "groups dividing C");
  require_error(convolve(x, w, {.groups = 4}), "and 4 groups");
  require_error(convolve(x, w, {.stride = 0}), "conv_transpose2d: given stride 0");
  require_error(convolve(x, w, {.padding = -2}), "padding -2");
  require_error(convolve(x, w, {.dilation = 0}), "dilation 0");
  require_error(convolve(x, w, {.groups = 0}), "groups 0");
  require_error(convolve(x, w, {.stride = 2, .output_padding = 2}), "given output_padding 2");
  require_error(convolve(x, w, {.output_padding = -1}), "given output_padding -1");
  require_error(convolve(x, w, {.padding = 3}), "which leave no pixels");
  require_error(convolve(x, Tensor<float>({0, 4, 2, 6}), {.stride = 3}), "given a kernel of 0 x 4");
  require_error(convolve(Tensor<float>({1, 0, 4, 6}), w, {}), "which leave no pixels");
  require_error(convolve(x, w, {.stride = std::numeric_limits<Index>::max()}), "given stride 9223372036854775807");
  require_error([&] { (void)ops::conv_transpose2d(x, w, {}, Tensor<float>({6})); }, "given bias (6), wanted (2)");
  for (auto const& dy : {none, x, Tensor<float>({1, 6, 7, 6})}) {
    require_error([&] { (void)ops::conv_transpose2d_backward_input(dy, w, x.shape(), {}); },
                  "conv_transpose2d_backward_input: given dy " + to_text(dy.shape()) + ", wanted (1, 6, 7, 2)");
    require_error([&] { (void)ops::conv_transpose2d_backward_weight(dy, x, w.shape(), {}); },
                  "conv_transpose2d_backward_weight: given dy " + to_text(dy.shape()));
  }
}
