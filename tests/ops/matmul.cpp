#include <stipple/autograd/matmul.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"
#include "naive_conv.hpp"

using namespace stipple;

namespace {

template <class T>
Tensor<T> transposed(const Tensor<T>& x) {
  Index const rows = x.dim(-2), columns = x.dim(-1), size = rows * columns;
  Tensor<T> y(x.shape().with(-1, rows).with(-2, columns));
  for (Index b = 0; b < x.size(); b += size)
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < columns; ++j) y.data()[b + j * rows + i] = x.data()[b + i * columns + j];
  return y;
}

/// x (m, k) times weight (k, n), plus bias (n) and residual (m, n) where defined.
template <class T>
naive::Exact exact_product(const Tensor<T>& x, const Tensor<T>& weight, const Tensor<accumulate_t<T>>& bias = {},
                           const Tensor<T>& residual = {}) {
  Index const m = x.dim(0), k = x.dim(1), n = weight.dim(1);
  naive::Exact y({m, n});
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      for (Index u = 0; u < k; ++u)
        y.add(i * n + j, static_cast<double>(x.data()[i * k + u]) * static_cast<double>(weight.data()[u * n + j]));
      if (bias.defined()) y.add(i * n + j, static_cast<double>(bias.data()[j]));
      if (residual.defined()) y.add(i * n + j, static_cast<double>(residual.data()[i * n + j]));
    }
  return y;
}

struct Size {
  Index m, n, k;
};
// Around the tiles of 16, 8, 6 and 2 rows, the panels of 16 columns and the blocks of 32 terms; with many rows the
// gradient of the weight is summed in several parts.
constexpr Size sizes[] = {{1, 1, 1},     {1, 5, 1},     {1, 1, 7},    {2, 3, 2},     {3, 17, 5},   {7, 16, 3},
                          {8, 31, 9},    {13, 64, 64},  {6, 65, 33},  {5, 80, 127},  {29, 97, 2},  {101, 103, 107},
                          {97, 129, 8},  {193, 160, 3}, {1, 384, 28}, {16, 20, 48},  {39, 48, 63}, {3, 19, 2053},
                          {17, 5, 4099}, {2, 1, 9001},  {4500, 5, 7}, {6001, 33, 18}};

/// All that a size can be asked, in T with the instruction set in use, and the results for comparison.
template <class T>
void check_size(const Size& s) {
  INFO(dtype_name<T>() << ", m " << s.m << ", n " << s.n << ", k " << s.k);
  auto const a = random_tensor<T>({s.m, s.k}, 1), b = random_tensor<T>({s.k, s.n}, 2);
  auto const a_turned = transposed(a), b_turned = transposed(b);
  auto const product = exact_product(a, b);
  CHECK(naive::relative_error(ops::matmul(a, b), product) <= 1);
  CHECK(naive::relative_error(ops::matmul(a_turned, b, {.transpose_a = true}), product) <= 1);
  CHECK(naive::relative_error(ops::matmul(a, b_turned, {.transpose_b = true}), product) <= 1);
  CHECK(naive::relative_error(ops::matmul(a_turned, b_turned, {.transpose_a = true, .transpose_b = true}), product) <=
        1);
  auto const bias = random_tensor<accumulate_t<T>>({s.n}, 3);
  auto const residual = random_tensor<T>({s.m, s.n}, 4);
  CHECK(naive::relative_error(ops::linear(a, b), product) <= 1);
  CHECK(naive::relative_error(ops::linear(a, b, bias), exact_product(a, b, bias)) <= 1);
  CHECK(naive::relative_error(ops::linear(a, b, bias, residual), exact_product(a, b, bias, residual)) <= 1);
  CHECK(naive::relative_error(ops::linear(a, b, {}, residual), exact_product(a, b, {}, residual)) <= 1);
  // Gradients of y = a b: here dy = `residual`.
  CHECK(naive::relative_error(ops::linear_backward_input(residual, b), exact_product(residual, b_turned)) <= 1);
  auto const dw = exact_product(a_turned, residual);
  CHECK(naive::relative_error(ops::linear_backward_weight(residual, a), dw) <= 1);
}

}  // namespace

TEST_CASE("products of every size and transposition agree with sums in double", "[matmul]") {
  for (auto const& size : sizes) {
    check_size<double>(size);
    for_each_product_isa([&](Isa) {
      check_size<float>(size);
      check_size<bf16>(size);
    });
  }
}

TEST_CASE("batches of products are products one by one", "[matmul]") {
  for_each_product_isa([](Isa) {
    for (Index batch : {1, 2, 5}) {
      auto const a = random_tensor<bf16>({batch, 7, 19}, 1), b = random_tensor<bf16>({batch, 19, 23}, 2);
      auto const y = ops::matmul(a, b);
      CHECK(same_bits(ops::matmul(transposed(a), transposed(b), {.transpose_a = true, .transpose_b = true}), y));
      for (Index i = 0; i < batch; ++i)
        CHECK(same_bits(ops::matmul(a.slice(i, i + 1).reshape({7, 19}), b.slice(i, i + 1).reshape({19, 23})),
                        y.slice(i, i + 1).reshape({7, 23})));
    }
  });
}

TEST_CASE("products of whole numbers are exact, in tiles or not and however they are packed", "[matmul]") {
  for (auto const& s : sizes) {
    INFO("m " << s.m << ", n " << s.n << ", k " << s.k);
    auto x = random_tensor<bf16>({s.m, s.k}, 1), dy = random_tensor<bf16>({s.m, s.n}, 2);
    for (auto* const whole : {&x, &dy})
      for (auto& value : whole->span()) value = bf16(std::round(2 * static_cast<float>(value)));
    auto const exact = exact_product(transposed(x), dy).value;
    auto const check = [&] {
      CHECK(same_bits(ops::linear_backward_weight(dy, x), ops::cast<float>(exact)));
      CHECK(same_bits(ops::matmul(x, dy, {.transpose_a = true}), ops::cast<bf16>(exact)));
    };
    for_each_product_isa([&](Isa) { check(); });
    ContextGuard const guard;
    Context::instance().emulate_amx = true;  // packed by the vectors of this processor
    check();
  }
}

TEST_CASE("products pass finite differences", "[matmul]") {
  for (auto const& s : {Size{1, 1, 1}, Size{3, 5, 7}, Size{2, 17, 3}}) {
    auto const a = random_tensor<double>({s.m, s.k}, 1), b = random_tensor<double>({s.k, s.n}, 2);
    auto const bias = random_tensor<double>({s.n}, 3), residual = random_tensor<double>({s.m, s.n}, 4);
    check_gradients([](auto const& v) { return matmul(v[0], v[1]); }, {a, b});
    check_gradients([](auto const& v) { return linear(v[0], v[1]); }, {a, b});
    check_gradients([](auto const& v) { return linear(v[0], v[1], v[2]); }, {a, b, bias});
    check_gradients([](auto const& v) { return linear(v[0], v[1], v[2], v[3]); }, {a, b, bias, residual});
  }
  check_gradients([](auto const& v) { return matmul(v[0], v[1]); },
                  {random_tensor<double>({3, 2, 5}, 1), random_tensor<double>({3, 5, 4}, 2)});
  check_gradients(
      [](auto const& v) { return linear(v[0], v[1], v[2]); },  // any number of leading axes
      {random_tensor<double>({2, 3, 2, 5}, 1), random_tensor<double>({5, 4}, 2), random_tensor<double>({4}, 3)});
}

TEMPLATE_TEST_CASE("products do not depend on threads or batch", "[matmul]", float, bf16) {
  using T = TestType;
  auto const x = random_tensor<T>({301, 3, 130}, 1), weight = random_tensor<T>({130, 150}, 2),
             dy = random_tensor<T>({301, 3, 150}, 3);
  auto const bias = random_tensor<accumulate_t<T>>({150}, 4);
  ContextGuard const guard;
  auto const long_x = random_tensor<T>({5000, 45}, 1), long_dy = random_tensor<T>({5000, 70}, 2);
  for (bool emulate_amx : {true, false}) {
    Context::instance().emulate_amx = emulate_amx;
    check_threads([&] { return ops::linear(x, weight, bias, dy); });
    check_threads([&] { return ops::linear_backward_input(dy, weight); });
    check_threads([&] { return ops::linear_backward_weight(dy, x); });
    check_threads([&] { return ops::linear_backward_weight(long_dy, long_x); });
  }
  check_threads([&] { return ops::matmul(x, random_tensor<T>({301, 130, 20}, 5)); });
  for_each_product_isa([&](Isa) {
    auto const rows = random_tensor<T>({64, 77}, 6), w = random_tensor<T>({77, 90}, 7);
    check_batch(rows, [&](const Tensor<T>& t) { return ops::linear(t, w); });
  });
}

TEMPLATE_TEST_CASE("a NaN stays in its row and its column", "[matmul]", float, bf16) {
  using T = TestType;
  T const nan(std::nanf(""));
  for_each_product_isa([&](Isa) {
    for (Index k : {5, 8, 45}) {
      auto a = random_tensor<T>({11, k}, 1), b = random_tensor<T>({k, 37}, 2);
      auto const clean = ops::matmul(a, b);
      a.data()[7 * k + k - 1] = nan;
      b.data()[(k - 1) * 37 + 35] = nan;
      for (bool turned : {false, true}) {
        // Leaves NaN in the memory that operands are packed into next.
        (void)ops::matmul(Tensor<T>({k + 1, 11}, nan), Tensor<T>({k + 1, 37}, nan), {.transpose_a = true});
        auto const y = turned ? ops::matmul(transposed(a), transposed(b), {.transpose_a = true, .transpose_b = true})
                              : ops::matmul(a, b);
        Index wrong = 0;
        for (Index i = 0; i < y.size(); ++i) {
          bool const hit = i / 37 == 7 || i % 37 == 35;
          float const value = static_cast<float>(y.data()[i]);
          wrong += hit ? !std::isnan(value) : value != static_cast<float>(clean.data()[i]);
        }
        CHECK(wrong == 0);
      }
    }
  });
}

TEST_CASE("AMX tiles take products of enough terms and columns, and add even and odd terms apart", "[matmul]") {
  for_each_product_isa([](Isa isa) {
    for (Index k : {8, 16, 32, 39, 40, 100}) {
      for (Index n : {4, 20}) {
        INFO("k " << k << ", n " << n);
        // 2^30 + 1 - 2^30 is 0 in float; where the 1 is added apart, it is 1.
        for (Index at : {Index{0}, k / 4 * 2, k % 2 == 0 ? k - 4 : k - 5}) {
          auto a = Tensor<bf16>::zeros({3, k});
          a.data()[k + at] = bf16(0x1p30f);
          a.data()[k + at + 1] = bf16(1.0f);
          a.data()[k + at + 2] = bf16(-0x1p30f);
          auto const y = ops::matmul(a, Tensor<bf16>({k, n}, bf16(1.0f)));
          float const wanted = isa == Isa::amx && k > 14 && n > 7 ? 1.0f : 0.0f;
          CHECK(static_cast<float>(y.data()[n]) == wanted);
          CHECK(ops::linear_backward_weight(Tensor<bf16>({k, n}, bf16(1.0f)), transposed(a)).data()[n] == wanted);
        }
      }
    }
  });
}

TEST_CASE("AMX tiles take long sums of enough rows, and add even and odd terms apart", "[matmul]") {
  for_each_product_isa([](Isa isa) {
    for (Index m : {2, 3, 17}) {
      INFO("m " << m);
      auto x = Tensor<bf16>::zeros({5000, m});
      x.data()[m - 1] = bf16(0x1p30f);
      x.data()[2 * m - 1] = bf16(1.0f);
      x.data()[3 * m - 1] = bf16(-0x1p30f);
      auto const dw = ops::linear_backward_weight(Tensor<bf16>({5000, 1}, bf16(1.0f)), x);
      CHECK(dw.data()[m - 1] == (isa == Isa::amx && m > 2 ? 1.0f : 0.0f));
    }
  });
}

TEST_CASE("AMX gives the bits of its twin in plain code, where the processor has it", "[matmul]") {
  if (supported_isa() < Isa::amx) return;
  ContextGuard const guard;
  auto& context = Context::instance();
  context.isa = Isa::amx;
  for (auto const& s : sizes) {
    INFO("m " << s.m << ", n " << s.n << ", k " << s.k);
    auto const a = random_tensor<bf16>({s.m, s.k}, 1), b = random_tensor<bf16>({s.k, s.n}, 2);
    auto const dy = random_tensor<bf16>({s.m, s.n}, 3);
    context.emulate_amx = false;
    auto const y = ops::matmul(a, b);
    auto const dw = ops::linear_backward_weight(dy, a);
    context.emulate_amx = true;
    CHECK(same_bits(ops::matmul(a, b), y));
    CHECK(same_bits(ops::linear_backward_weight(dy, a), dw));
  }
}

TEST_CASE("sums of no terms are zero, and no rows are no work", "[matmul]") {
  for_each_product_isa([](Isa) {
    CHECK(same_bits(ops::matmul(Tensor<bf16>({3, 0}), Tensor<bf16>({0, 5})), Tensor<bf16>({3, 5}, bf16(0))));
    CHECK(same_bits(ops::linear(Tensor<float>({2, 0}), Tensor<float>({0, 2}), Tensor<float>({2}, {1.0f, 2.0f})),
                    Tensor<float>({2, 2}, {1.0f, 2.0f, 1.0f, 2.0f})));
    CHECK(ops::linear(Tensor<bf16>({0, 4}), Tensor<bf16>({4, 5})).shape() == Shape{0, 5});
    CHECK(ops::linear(Tensor<bf16>({3, 4}), Tensor<bf16>({4, 0})).shape() == Shape{3, 0});
    CHECK(same_bits(ops::linear_backward_weight(Tensor<bf16>({0, 5}), Tensor<bf16>({0, 4})),
                    Tensor<float>({4, 5}, 0.0f)));
    CHECK(ops::linear_backward_weight(Tensor<bf16>({3, 5}), Tensor<bf16>({3, 0})).shape() == Shape{0, 5});
    CHECK(same_bits(ops::linear_backward_input(Tensor<bf16>({3, 0}), Tensor<bf16>({4, 0})),
                    Tensor<bf16>({3, 4}, bf16(0))));
  });
}

TEST_CASE("products of shapes that do not fit are an error", "[matmul]") {
  Tensor<float> const a({2, 3}, 1), b({3, 4}, 1), none;
  require_error([&] { (void)ops::matmul(a, a); }, "matmul: given shapes (2, 3) and (2, 3), whose inner");
  require_error([&] { (void)ops::matmul(a, b, {.transpose_b = true}); }, "matmul: given shapes (2, 3) and (3, 4)");
  require_error([&] { (void)ops::matmul(a, Tensor<float>({1, 3, 4})); }, "wanted two matrices or two batches");
  require_error([&] { (void)ops::matmul(Tensor<float>({2, 2, 3}), Tensor<float>({3, 3, 4})); }, "batch extents differ");
  require_error([&] { (void)ops::matmul(none, b); }, "matmul: given shapes ()");
  require_error([&] { (void)ops::matmul(Tensor<float>({3}), b); }, "wanted two matrices");
  require_error([&] { (void)ops::linear(b, b); }, "linear: given x (3, 4) and weight (3, 4)");
  require_error([&] { (void)ops::linear(none, b); }, "linear: given x ()");
  require_error([&] { (void)ops::linear(a, none); }, "wanted x (..., in) and weight (in, out)");
  require_error([&] { (void)ops::linear(a, b, Tensor<float>({3})); }, "linear: given bias (3), wanted (4)");
  require_error([&] { (void)ops::linear(a, b, {}, a); }, "linear: given residual (2, 3), wanted (2, 4)");
  for (auto const& dy : {none, a, Tensor<float>({4, 2})})
    require_error([&] { (void)ops::linear_backward_input(dy, b); },
                  "linear_backward_input: given dy " + to_text(dy.shape()));
  require_error([&] { (void)ops::linear_backward_input(a, none); }, "and weight ()");
  for (auto const& dy : {none, Tensor<float>({3, 4}), Tensor<float>({2, 1, 4})})
    require_error([&] { (void)ops::linear_backward_weight(dy, a); },
                  "linear_backward_weight: given dy " + to_text(dy.shape()) + " and x (2, 3)");
  require_error([&] { (void)ops::linear_backward_weight(a, none); }, "and x ()");
}
