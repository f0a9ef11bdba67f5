#include <stipple/autograd/linear_attention.hpp>

#include <vector>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

struct Gradients {
  Tensor<double> y, dqkv;
};

// Straight from the definition, in double: qkv (N, L, 3 H d).
Gradients naive_linear_attention(const Tensor<double>& qkv, const Tensor<double>& dy, Index heads, Index d) {
  Index const n = qkv.dim(0), length = qkv.dim(1), channels = heads * d;
  auto const square = static_cast<std::size_t>(d * d), rows = static_cast<std::size_t>(length * d);
  double const scale = 1 / std::sqrt(static_cast<double>(d));
  Gradients g{Tensor<double>::zeros({n, length, channels}), Tensor<double>::zeros(qkv.shape())};
  for (Index b = 0; b < n; ++b)
    for (Index h = 0; h < heads; ++h) {
      auto const in = [&](Index part, Index l, Index c) {
        return (b * length + l) * 3 * channels + part * channels + h * d + c;
      };
      auto const out = [&](Index l, Index c) { return (b * length + l) * channels + h * d + c; };
      auto const at = [&](Index i, Index c) { return static_cast<std::size_t>(i * d + c); };
      const double* const x = qkv.data();
      std::vector<double> q(rows), k(rows), dq(rows), dk(rows), context(square), dcontext(square);
      for (Index l = 0; l < length; ++l) {
        double largest = x[in(0, l, 0)], total = 0;
        for (Index c = 0; c < d; ++c) largest = std::max(largest, x[in(0, l, c)]);
        for (Index c = 0; c < d; ++c) total += q[at(l, c)] = std::exp(x[in(0, l, c)] - largest);
        for (Index c = 0; c < d; ++c) q[at(l, c)] /= total;
      }
      for (Index c = 0; c < d; ++c) {
        double largest = x[in(1, 0, c)], total = 0;
        for (Index l = 0; l < length; ++l) largest = std::max(largest, x[in(1, l, c)]);
        for (Index l = 0; l < length; ++l) total += k[at(l, c)] = std::exp(x[in(1, l, c)] - largest);
        for (Index l = 0; l < length; ++l) k[at(l, c)] /= total;
      }
      for (Index l = 0; l < length; ++l)
        for (Index c = 0; c < d; ++c)
          for (Index e = 0; e < d; ++e) context[at(c, e)] += k[at(l, c)] * x[in(2, l, e)];
      for (Index l = 0; l < length; ++l)
        for (Index c = 0; c < d; ++c)
          for (Index e = 0; e < d; ++e) {
            double const upstream = dy.data()[out(l, e)];
            g.y.data()[out(l, e)] += scale * q[at(l, c)] * context[at(c, e)];
            dq[at(l, c)] += scale * context[at(c, e)] * upstream;
            dcontext[at(c, e)] += scale * q[at(l, c)] * upstream;
          }
      for (Index l = 0; l < length; ++l)
        for (Index c = 0; c < d; ++c)
          for (Index e = 0; e < d; ++e) {
            g.dqkv.data()[in(2, l, e)] += k[at(l, c)] * dcontext[at(c, e)];
            dk[at(l, c)] += x[in(2, l, e)] * dcontext[at(c, e)];
          }
      for (Index l = 0; l < length; ++l) {
        double mean = 0;
        for (Index c = 0; c < d; ++c) mean += q[at(l, c)] * dq[at(l, c)];
        for (Index c = 0; c < d; ++c) g.dqkv.data()[in(0, l, c)] = q[at(l, c)] * (dq[at(l, c)] - mean);
      }
      for (Index c = 0; c < d; ++c) {
        double mean = 0;
        for (Index l = 0; l < length; ++l) mean += k[at(l, c)] * dk[at(l, c)];
        for (Index l = 0; l < length; ++l) g.dqkv.data()[in(1, l, c)] = k[at(l, c)] * (dk[at(l, c)] - mean);
      }
    }
  return g;
}

struct Size {
  Index n, positions, heads, dim;
};
// Around the tile of 64 and the vectors of 16, 8, 4 and 2; the course's three levels are 784, 196 and 49 by 4 x 32.
constexpr Size sizes[] = {{1, 1, 1, 1},   {2, 1, 3, 5},    {1, 7, 1, 1},    {3, 13, 2, 3},
                          {1, 49, 4, 32}, {1, 64, 1, 16},  {1, 65, 2, 17},  {1, 131, 1, 7},
                          {2, 67, 1, 40}, {1, 196, 1, 32}, {1, 101, 1, 64}, {1, 70, 1, 100}};

// Tolerances are relative to the largest value of a result, for each of y, dq, dk and dv.
template <class T>
void check_size(const Size& s, double tolerance) {
  Index const channels = s.heads * s.dim;
  auto const qkv = random_tensor<T>({s.n, s.positions, 3 * channels}, 1);
  auto const dy = random_tensor<T>({s.n, s.positions, channels}, 2);
  auto const wanted = naive_linear_attention(ops::cast<double>(qkv), ops::cast<double>(dy), s.heads, s.dim);
  auto const given = ops::linear_attention_qkv(qkv, s.heads, s.dim);
  auto const g = ops::linear_attention_qkv_backward(dy, qkv, given, s.heads, s.dim);
  INFO(dtype_name<T>() << ", " << s.positions << " positions, " << s.heads << " heads of " << s.dim);
  auto const close = [&](const char* name, const Tensor<T>& x, const Tensor<double>& y, Index first, Index stride) {
    double worst = 0, largest = 0;
    for (Index i = 0; i < y.size(); ++i) {
      if (i % stride / channels != first) continue;
      double const difference = std::abs(static_cast<double>(x.data()[i]) - y.data()[i]);
      worst = difference <= worst ? worst : difference;
      largest = std::max(largest, std::abs(y.data()[i]));
    }
    INFO(name << ": largest value " << largest);
    CHECK(worst <= tolerance * std::max(largest, 0.02));  // with one position dq and dk vanish
  };
  close("y", given.y, wanted.y, 0, channels);
  close("dq", g, wanted.dqkv, 0, 3 * channels);
  close("dk", g, wanted.dqkv, 1, 3 * channels);
  close("dv", g, wanted.dqkv, 2, 3 * channels);
}

}  // namespace

TEST_CASE("linear attention agrees with its definition at odd sizes") {
  for (auto const& s : sizes) check_size<double>(s, 1e-12);
  for_each_isa([](Isa) {
    for (auto const& s : sizes) {
      check_size<float>(s, 2e-6);
      check_size<bf16>(s, 4e-3);  // rounding of the results: 2^-9
    }
  });
}

TEST_CASE("linear attention takes images") {
  auto const qkv = random_tensor<float>({2, 3, 5, 24});
  auto const y = ops::linear_attention_qkv(qkv, 2, 4).y;
  CHECK(y.shape() == Shape{2, 3, 5, 8});
  CHECK(same_bits(y.reshape({2, 15, 8}), ops::linear_attention_qkv(qkv.reshape({2, 15, 24}), 2, 4).y));
}

TEST_CASE("linear attention survives values that overflow exp") {
  auto qkv = random_tensor<float>({1, 150, 3 * 2 * 20});
  for (auto& x : qkv.span()) x *= 1000;
  for_each_isa([&](Isa) {
    auto const out = ops::linear_attention_qkv(qkv, 2, 20);
    auto const g = ops::linear_attention_qkv_backward(random_tensor<float>({1, 150, 40}, 2), qkv, out, 2, 20);
    for (float const x : out.y.span()) REQUIRE(std::isfinite(x));
    for (float const x : g.span()) REQUIRE(std::isfinite(x));
  });
}

TEST_CASE("gradients of linear attention agree with central differences") {
  auto const f = [](Index heads, Index dim) {
    return [=](auto const& x) { return linear_attention_qkv(x[0], heads, dim); };
  };
  check_gradients(f(2, 3), {random_tensor<double>({2, 7, 18})});
  check_gradients(f(1, 1), {random_tensor<double>({1, 5, 3})});
  check_gradients(f(3, 5), {random_tensor<double>({1, 1, 45})});
  check_gradients(f(1, 6), {random_tensor<double>({1, 70, 18})}, {.stride = 13});
}

TEMPLATE_TEST_CASE("linear attention does not depend on threads or batch", "", float, bf16) {
  using T = TestType;
  auto const qkv = random_tensor<T>({5, 150, 3 * 2 * 24});
  auto const forward = [](const Tensor<T>& x) { return ops::linear_attention_qkv(x, 2, 24).y; };
  auto const backward = [](const Tensor<T>& x) {
    Tensor<T> const dy(x.shape().with(-1, 48), T(0.5f));
    return ops::linear_attention_qkv_backward(dy, x, ops::linear_attention_qkv(x, 2, 24), 2, 24);
  };
  check_threads([&] { return forward(qkv); });
  check_threads([&] { return backward(qkv); });
  for_each_isa([&](Isa) {
    check_batch(qkv, forward);
    check_batch(qkv, backward);
  });
}

TEST_CASE("linear attention without samples gives no samples") {
  CHECK(ops::linear_attention_qkv(Tensor<float>({0, 4, 12}), 2, 2).y.shape() == Shape{0, 4, 4});
}

TEST_CASE("linear attention refuses shapes that do not fit") {
  Tensor<float> const qkv({2, 5, 18}, 1.0f);
  require_error([&] { ops::linear_attention_qkv(qkv, 2, 4); },
                "linear_attention_qkv: given qkv (2, 5, 18) for 2 heads of size 4");
  require_error([&] { ops::linear_attention_qkv(qkv.reshape({10, 18}), 2, 3); }, "wanted (N, positions");
  require_error([&] { ops::linear_attention_qkv(Tensor<float>({2, 5, 20}), 2, 3); }, "wanted (N, positions");
  require_error([&] { ops::linear_attention_qkv(qkv, 0, 3); }, "given 0 heads of size 3");
  require_error([&] { ops::linear_attention_qkv(qkv, 2, -3); }, "given 2 heads of size -3");
  require_error([&] { ops::linear_attention_qkv(Tensor<float>(), 2, 3); }, "given an empty tensor");
  require_error([&] { ops::linear_attention_qkv(Tensor<float>({2, 0, 18}), 2, 3); }, "one position or more");
  auto const out = ops::linear_attention_qkv(qkv, 2, 3);
  require_error([&] { ops::linear_attention_qkv_backward(qkv, qkv, out, 2, 3); },
                "linear_attention_qkv_backward: given gradient (2, 5, 18)");
  require_error(
      [&] {
        ops::linear_attention_qkv_backward(Tensor<float>({2, 5, 6}), qkv, out, 1, 6);
      },
      "wanted (2, 5, 6), (2, 1, 6, 6)");
}
