#include <stipple/autograd/conv2d.hpp>

#include "check.hpp"
#include "conv_sizes.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"
#include "naive_conv.hpp"

using namespace conv;
using namespace stipple;

namespace {

template <class T>
void check_size(const Size& s) {
  INFO(dtype_name<T>() << " " << s.text());
  Operands<T> const t(s);
  Wanted<T> const wanted(s, t);
  auto const check = [&] {
    CHECK(naive::relative_error(ops::conv2d(t.x, t.weight, s.spec()), wanted.y) <= 1);
    CHECK(naive::relative_error(ops::conv2d(t.x, t.weight, s.spec(), t.bias, t.addend, t.dy), wanted.full) <= 1);
    CHECK(naive::relative_error(ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec()), wanted.dx) <= 1);
    CHECK(naive::relative_error(ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()), wanted.dw) <= 1);
  };
  if (std::same_as<T, double>)
    check();
  else
    for_each_product_isa([&](Isa) {
      if (!by_winograd<T>(s)) check();
    });
}

void check_sizes(const std::vector<Size>& all) {
  for (auto const& s : all) {
    check_size<float>(s);
    check_size<bf16>(s);
    if (s.x.size() < 10000) check_size<double>(s);
  }
}

}  // namespace

TEST_CASE("convolutions of every kind agree with sums in double", "[conv2d]") {
  check_sizes(sizes);
  check_sizes(gradient_sizes);
}
TEST_CASE("depthwise convolutions agree with sums in double", "[conv2d]") { check_sizes(depthwise_sizes); }

TEST_CASE("convolution passes finite differences", "[conv2d]") {
  std::vector<Size> const small{
      {{1, 1, 1, 1}, 1, 1, 1, 1, 0, 1, 1}, {{2, 4, 5, 3}, 2, 3, 3, 1, 1, 1, 1}, {{1, 5, 4, 2}, 3, 4, 4, 2, 1, 1, 1},
      {{1, 7, 6, 2}, 2, 3, 3, 3, 2, 2, 1}, {{1, 5, 5, 4}, 6, 2, 2, 2, 1, 1, 2}, {{2, 4, 4, 3}, 3, 3, 3, 1, 1, 1, 3},
      {{1, 7, 5, 5}, 5, 3, 3, 2, 2, 2, 5}, {{1, 6, 5, 2}, 4, 3, 2, 1, 0, 1, 2}, {{1, 4, 4, 2}, 2, 5, 5, 1, 2, 1, 2}};
  for (auto const& s : small) {
    INFO(s.text());
    Operands<double> const t(s);
    check_gradients([&](auto const& v) { return conv2d(v[0], v[1], s.spec()); }, {t.x, t.weight});
    check_gradients(
        [&](auto const& v) {
          return conv2d(v[0], v[1], s.spec(), {v[2], v[3], v[4]});
        },
        {t.x, t.weight, t.bias, t.addend, random_tensor<double>(t.dy.shape(), 6)});
  }
}

TEMPLATE_TEST_CASE("convolution does not depend on threads", "[conv2d]", float, bf16) {
  for (auto const& s : {Size{{37, 9, 11, 19}, 35, 3, 3, 2, 1, 1, 1}, Size{{2, 90, 70, 40}, 48, 3, 3, 1, 1, 1, 1},
                        Size{{13, 9, 9, 40}, 40, 7, 7, 1, 3, 1, 40}, Size{{5, 8, 8, 64}, 96, 1, 1, 1, 0, 1, 2}}) {
    INFO(s.text());
    Operands<TestType> const t(s);
    ContextGuard const guard;
    for (bool emulate_amx : {false, true}) {
      Context::instance().emulate_amx = emulate_amx;
      check_threads([&] { return ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()); });
      check_threads([&] { return ops::conv2d(t.x, t.weight, s.spec(), t.bias, t.addend, t.dy); });
      check_threads([&] { return ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec()); });
    }
  }
}

TEMPLATE_TEST_CASE("a sample's convolution does not depend on its batch", "[conv2d]", float, bf16) {
  using T = TestType;
  for_each_product_isa([](Isa) {
    for (auto const& s : {Size{{64, 5, 7, 18}, 18, 3, 3, 1, 1, 1, 1}, Size{{64, 5, 4, 18}, 18, 3, 3, 1, 1, 1, 3},
                          Size{{64, 5, 3, 18}, 18, 3, 3, 1, 1, 1, 18}}) {
      INFO(s.text());
      Operands<T> const t(s);
      check_batch(t.x, [&](const Tensor<T>& x) {
        auto const addend = ops::sum_to<T>(x, Tensor<T>(), {x.dim(0), x.dim(3)});
        return ops::conv2d(x, t.weight, s.spec(), t.bias, addend, x);
      });
      check_batch(t.dy, [&](const Tensor<T>& dy) {
        return ops::conv2d_backward_input(dy, t.weight, dy.shape().with(3, s.x[3]), s.spec());
      });
    }
  });
}

TEMPLATE_TEST_CASE("a NaN reaches the pixels that read it and no others", "[conv2d]", float, bf16) {
  using T = TestType;
  T const nan(std::nanf(""));
  std::vector<Size> const shapes{{{2, 9, 10, 5}, 20, 3, 3, 1, 1, 1, 1},  {{2, 9, 10, 6}, 8, 3, 3, 2, 1, 1, 2},
                                 {{1, 11, 9, 3}, 4, 3, 3, 2, 2, 2, 1},   {{2, 7, 5, 7}, 7, 7, 7, 1, 3, 1, 7},
                                 {{1, 8, 8, 18}, 18, 4, 4, 2, 1, 1, 18}, {{1, 6, 19, 24}, 20, 3, 3, 1, 1, 1, 1}};
  auto const wrong = [](const Tensor<T>& given, const Tensor<T>& clean, const std::vector<bool>& reached) {
    Index count = 0;
    for (Index i = 0; i < given.size(); ++i) {
      float const value = static_cast<float>(given.data()[i]);
      count += reached[static_cast<std::size_t>(i)] ? !std::isnan(value) : value != static_cast<float>(clean.data()[i]);
    }
    return count;
  };
  for_each_product_isa([&](Isa) {
    for (auto const& s : shapes) {
      if (by_winograd<T>(s)) continue;
      INFO(s.text());
      Operands<T> t(s);
      auto const y = ops::conv2d(t.x, t.weight, s.spec());
      auto const dx = ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec());
      auto const d = s.dims();
      // The corners and a pixel inside, of a last channel.
      for (Index pixel : {Index{0}, d.w - 1, (d.h - 1) * d.w, d.h * d.w - 1, 3 * d.w + 2}) {
        auto x = t.x.clone();
        Index const at = pixel * d.c + d.c - 1;
        x.data()[at] = nan;
        std::vector<bool> reached(static_cast<std::size_t>(y.size()));
        naive::for_each_product(d, [&](Index xi, Index, Index yi) {
          if (xi == at) reached[static_cast<std::size_t>(yi)] = true;
        });
        CHECK(wrong(ops::conv2d(x, t.weight, s.spec()), y, reached) == 0);
      }
      for (Index pixel : {Index{0}, d.ow - 1, d.oh * d.ow - 1, d.ow + 1}) {
        auto dy = t.dy.clone();
        Index const at = pixel * d.o + d.o - 1;
        dy.data()[at] = nan;
        std::vector<bool> reached(static_cast<std::size_t>(dx.size()));
        naive::for_each_product(d, [&](Index xi, Index, Index yi) {
          if (yi == at) reached[static_cast<std::size_t>(xi)] = true;
        });
        CHECK(wrong(ops::conv2d_backward_input(dy, t.weight, s.x, s.spec()), dx, reached) == 0);
      }
    }
  });
}

TEST_CASE("convolutions without samples or channels are what their sums say", "[conv2d]") {
  for_each_product_isa([](Isa) {
    Tensor<bf16> const none({0, 5, 5, 3}), weight({3, 3, 3, 4}, bf16(1)), no_channels({2, 3, 3, 0});
    Conv2dSpec const spec{.padding = 1};
    CHECK(ops::conv2d(none, weight, spec).shape() == Shape{0, 5, 5, 4});
    CHECK(ops::conv2d_backward_input(Tensor<bf16>({0, 5, 5, 4}), weight, none.shape(), spec).shape() == none.shape());
    CHECK(same_bits(ops::conv2d_backward_weight(Tensor<bf16>({0, 5, 5, 4}), none, weight.shape(), spec),
                    Tensor<float>(weight.shape(), 0.0f)));
    CHECK(same_bits(ops::conv2d(no_channels, Tensor<bf16>({3, 3, 0, 1}), spec, Tensor<float>({1}, 2.0f)),
                    Tensor<bf16>({2, 3, 3, 1}, bf16(2))));
    CHECK(same_bits(
        ops::conv2d_backward_input(Tensor<bf16>({2, 3, 3, 0}), Tensor<bf16>({3, 3, 2, 0}), Shape{2, 3, 3, 2}, spec),
        Tensor<bf16>({2, 3, 3, 2}, bf16(0))));
  });
}

TEST_CASE("convolutions of shapes that do not fit are an error", "[conv2d]") {
  Tensor<float> const x({1, 5, 6, 4}, 1), w({3, 3, 4, 8}, 1), none;
  auto const convolve = [&](const Tensor<float>& image, const Tensor<float>& weight, Conv2dSpec spec) {
    return [=] { (void)ops::conv2d(image, weight, spec); };
  };
  require_error(convolve(none, w, {}), "conv2d: given x () and weight (3, 3, 4, 8)");
  require_error(convolve(x, none, {}), "wanted x (N, H, W, C) and weight (kH, kW, C / groups, O)");
  require_error(convolve(x.reshape({5, 6, 4}), w, {}), "conv2d: given x (5, 6, 4)");
  require_error(convolve(x, Tensor<float>({3, 3, 3, 8}), {}), "groups dividing C and O");
  require_error(convolve(x, w, {.groups = 2}), "and 2 groups, wanted weight");
  require_error(convolve(x, Tensor<float>({3, 3, 1, 6}), {.groups = 4}), "and 4 groups");
  require_error(convolve(x, w, {.stride = 0}), "conv2d: given stride 0");
  require_error(convolve(x, w, {.padding = -1}), "padding -1");
  require_error(convolve(x, w, {.dilation = 0}), "dilation 0");
  require_error(convolve(x, w, {.groups = 0}), "groups 0");
  require_error(convolve(x, w, {.dilation = 3}), "given a kernel of 3 x 3 with dilation 3 for an image of 5 x 6");
  require_error(convolve(x, Tensor<float>({0, 3, 4, 8}), {}), "given a kernel of 0 x 3");
  Index const huge = std::numeric_limits<Index>::max();
  require_error(convolve(x, w, {.padding = huge}), "conv2d: given stride 1, padding 9223372036854775807");
  require_error(convolve(x, w, {.dilation = huge}), "dilation 9223372036854775807");
  require_error(convolve(x, w, {.groups = huge}), "groups 9223372036854775807");
  require_error([&] { (void)ops::conv2d(x, w, {}, Tensor<float>({4})); }, "conv2d: given bias (4), wanted (8)");
  require_error([&] { (void)ops::conv2d(x, w, {}, none, Tensor<float>({8})); }, "given addend (8), wanted (1, 8)");
  require_error([&] { (void)ops::conv2d(x, w, {}, none, none, x); },
                "given residual (1, 5, 6, 4), wanted (1, 3, 4, 8)");
  for (auto const& dy : {none, x, Tensor<float>({1, 5, 6, 8})}) {
    require_error([&] { (void)ops::conv2d_backward_input(dy, w, x.shape(), {}); },
                  "conv2d_backward_input: given dy " + to_text(dy.shape()) + ", wanted (1, 3, 4, 8)");
    require_error([&] { (void)ops::conv2d_backward_weight(dy, x, w.shape(), {}); },
                  "conv2d_backward_weight: given dy " + to_text(dy.shape()));
  }
}
