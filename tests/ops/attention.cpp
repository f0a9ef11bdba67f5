#include <stipple/autograd/attention.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

struct Gradients {
  Tensor<double> y, dq, dk, dv;
};

// Straight from the definition, in double: q (N, L, H d), k and v (N, S, H d).
Gradients naive_attention(const Tensor<double>& q, const Tensor<double>& k, const Tensor<double>& v,
                          const Tensor<double>& dy, Index heads, double scale, bool causal) {
  Index const n = q.dim(0), queries = q.dim(1), keys = k.dim(1), channels = q.dim(2), d = channels / heads;
  Gradients g{Tensor<double>::zeros(q.shape()), Tensor<double>::zeros(q.shape()), Tensor<double>::zeros(k.shape()),
              Tensor<double>::zeros(k.shape())};
  for (Index b = 0; b < n; ++b)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < queries; ++i) {
        auto const at = [&](Index l, Index row, Index c) { return (b * l + row) * channels + h * d + c; };
        std::vector<double> p(static_cast<std::size_t>(keys)), dp(p.size());
        double largest = -std::numeric_limits<double>::infinity(), total = 0, mean = 0;
        Index const visible = causal ? std::min(keys, i + 1) : keys;
        for (Index j = 0; j < visible; ++j) {
          auto& x = p[static_cast<std::size_t>(j)];
          for (Index c = 0; c < d; ++c) x += scale * q.data()[at(queries, i, c)] * k.data()[at(keys, j, c)];
          largest = std::max(largest, x);
        }
        for (Index j = 0; j < visible; ++j) {
          auto& x = p[static_cast<std::size_t>(j)];
          total += x = std::exp(x - largest);
        }
        for (Index j = 0; j < visible; ++j) {
          auto const s = static_cast<std::size_t>(j);
          p[s] /= total;
          for (Index c = 0; c < d; ++c) {
            g.y.data()[at(queries, i, c)] += p[s] * v.data()[at(keys, j, c)];
            g.dv.data()[at(keys, j, c)] += p[s] * dy.data()[at(queries, i, c)];
            dp[s] += v.data()[at(keys, j, c)] * dy.data()[at(queries, i, c)];
          }
          mean += p[s] * dp[s];
        }
        for (Index j = 0; j < visible; ++j) {
          auto const s = static_cast<std::size_t>(j);
          double const ds = p[s] * (dp[s] - mean) * scale;
          for (Index c = 0; c < d; ++c) {
            g.dq.data()[at(queries, i, c)] += ds * k.data()[at(keys, j, c)];
            g.dk.data()[at(keys, j, c)] += ds * q.data()[at(queries, i, c)];
          }
        }
      }
  return g;
}

// q, k and v side by side in the channels.
template <class T>
Tensor<T> side_by_side(const Tensor<T>& q, const Tensor<T>& k, const Tensor<T>& v) {
  Index const c = q.dim(-1), rows = q.size() / c;
  Tensor<T> out(q.shape().with(-1, 3 * c));
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(q.data() + i * c, c, out.data() + i * 3 * c);
    std::copy_n(k.data() + i * c, c, out.data() + i * 3 * c + c);
    std::copy_n(v.data() + i * c, c, out.data() + i * 3 * c + 2 * c);
  }
  return out;
}

template <class T>
double largest_magnitude(const Tensor<T>& x) {
  double largest = 0;
  for (auto const value : x.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

struct Size {
  Index n, heads, queries, keys, dim;
  bool causal;
};
// Around the tiles of 64, 128 and 256 and the vectors of 16, 8, 4 and 2; heads of a multiple of 32 are those whose bf16
// products are of pairs.
constexpr Size sizes[] = {{1, 1, 1, 1, 1, false},     {2, 1, 1, 7, 1, false},     {1, 3, 7, 1, 5, false},
                          {2, 2, 13, 13, 3, true},    {1, 1, 64, 64, 8, true},    {1, 2, 65, 129, 17, false},
                          {1, 1, 131, 67, 16, true},  {1, 1, 67, 131, 40, true},  {2, 1, 49, 49, 32, false},
                          {1, 1, 97, 101, 64, false}, {1, 1, 19, 70, 160, false}, {1, 2, 150, 300, 32, true},
                          {1, 1, 300, 150, 32, true}, {2, 1, 3, 2, 64, true},     {1, 2, 130, 261, 96, false}};

// One size in T against the naive form, which gets the same rounded inputs; `tolerance` is relative to the largest
// value of each result.
template <class T>
void check_size(const Size& s, double tolerance) {
  auto const q = random_tensor<T>({s.n, s.queries, s.heads * s.dim}, 1);
  auto const k = random_tensor<T>({s.n, s.keys, s.heads * s.dim}, 2);
  auto const v = random_tensor<T>({s.n, s.keys, s.heads * s.dim}, 3);
  auto const dy = random_tensor<T>({s.n, s.queries, s.heads * s.dim}, 4);
  double const scale = 1.3 / std::sqrt(static_cast<double>(s.dim));
  auto const full = [](const Tensor<T>& x) { return ops::cast<double>(x); };
  auto const wanted = naive_attention(full(q), full(k), full(v), full(dy), s.heads, scale, s.causal);
  AttentionSpec const spec{.scale = scale, .causal = s.causal};
  auto const given = ops::attention(q, k, v, s.heads, spec);
  auto const g = ops::attention_backward(dy, q, k, v, given, s.heads, spec);
  INFO(dtype_name<T>() << ", " << s.heads << " heads of " << s.dim << ", " << s.queries << " queries, " << s.keys
                       << " keys, causal " << s.causal);
  auto const close = [&](const char* name, const Tensor<T>& x, const Tensor<double>& y) {
    INFO(name);
    CHECK(max_abs_difference(x, y) <= tolerance * std::max(0.2, largest_magnitude(y)));  // with one key dq vanishes
  };
  close("y", given.y, wanted.y);
  close("dq", g.q, wanted.dq);
  close("dk", g.k, wanted.dk);
  close("dv", g.v, wanted.dv);
  if (s.queries != s.keys) return;
  auto const qkv = side_by_side(q, k, v);
  auto const self = ops::attention_qkv(qkv, s.heads, spec);
  CHECK(same_bits(self.y, given.y));
  CHECK(same_bits(ops::attention_qkv_backward(dy, qkv, self, s.heads, spec), side_by_side(g.q, g.k, g.v)));
}

}  // namespace

TEST_CASE("attention agrees with its definition at odd sizes") {
  for (auto const& s : sizes) check_size<double>(s, 1e-13);
  for_each_isa([](Isa) {
    for (auto const& s : sizes) {
      check_size<float>(s, 4e-6);  // sums of up to 160 products, then of up to 300 probabilities
    }
  });
  for_each_product_isa([](Isa) {
    for (auto const& s : sizes) {
      // Rounding of the results, of y inside dq and dk, and of probabilities and gradients of logits: 2^-8 each.
      check_size<bf16>(s, 1e-2);
    }
  });
}

TEST_CASE("attention takes images") {
  auto const qkv = random_tensor<float>({2, 3, 5, 24});
  auto const y = ops::attention_qkv(qkv, 2).y;
  CHECK(y.shape() == Shape{2, 3, 5, 8});
  CHECK(same_bits(y.reshape({2, 15, 8}), ops::attention_qkv(qkv.reshape({2, 15, 24}), 2).y));
}

TEMPLATE_TEST_CASE("attention survives logits that overflow exp", "", float, bf16) {
  using T = TestType;
  for (Index const dim : {4, 32}) {
    auto const qkv = ops::cast<T>(ops::affine(random_tensor<float>({1, 70, 6 * dim}), 300));
    auto const dy = random_tensor<T>({1, 70, 2 * dim}, 2);
    for_each_product_isa([&](Isa) {
      for (double const scale : {0.5, -0.5}) {
        AttentionSpec const spec{.scale = scale, .causal = scale < 0};
        auto const out = ops::attention_qkv(qkv, 2, spec);
        auto const g = ops::attention_qkv_backward(dy, qkv, out, 2, spec);
        for (T const x : out.y.span()) REQUIRE(std::isfinite(static_cast<float>(x)));
        for (T const x : g.span()) REQUIRE(std::isfinite(static_cast<float>(x)));
        // Every query has one key far above the others: the result is that key's value, a convex combination at most.
        CHECK(largest_magnitude(out.y) <= largest_magnitude(qkv));
      }
    });
  }
}

TEST_CASE("attention hands a NaN on, and only within its head and sample") {
  for (Index const dim : {24, 32}) {
    auto qkv = random_tensor<bf16>({2, 40, 3 * 2 * dim});
    qkv.data()[7 * 6 * dim + dim + 3] = bf16(std::nanf(""));  // sample 0, query 7, head 1
    for_each_product_isa([&](Isa) {
      auto const y = ops::attention_qkv(qkv, 2).y;
      for (Index row = 0; row < 80; ++row)
        for (Index c = 0; c < 2 * dim; ++c)
          REQUIRE(std::isnan(static_cast<float>(y.data()[row * 2 * dim + c])) == (row == 7 && c >= dim));
    });
  }
}

TEST_CASE("gradients of attention agree with central differences") {
  for (bool const causal : {false, true}) {
    AttentionSpec const spec{.causal = causal};
    check_gradients([&](auto const& x) { return attention(x[0], x[1], x[2], 2, spec); },
                    {random_tensor<double>({2, 5, 6}, 1), random_tensor<double>({2, 7, 6}, 2),
                     random_tensor<double>({2, 7, 6}, 3)});
    check_gradients([&](auto const& x) { return attention_qkv(x[0], 3, spec); }, {random_tensor<double>({1, 6, 27})});
  }
  check_gradients([](auto const& x) { return attention_qkv(x[0], 1, {.scale = 0.7}); },
                  {random_tensor<double>({1, 70, 6})}, {.stride = 11});
}

TEMPLATE_TEST_CASE("attention does not depend on threads or batch", "", float, bf16) {
  using T = TestType;
  for (Index const dim : {24, 32}) {
    auto const qkv = random_tensor<T>({5, 75, 3 * 2 * dim});
    auto const forward = [](const Tensor<T>& x) { return ops::attention_qkv(x, 2).y; };
    auto const backward = [dim](const Tensor<T>& x) {
      Tensor<T> const dy(x.shape().with(-1, 2 * dim), T(0.5f));
      return ops::attention_qkv_backward(dy, x, ops::attention_qkv(x, 2), 2);
    };
    check_threads([&] { return forward(qkv); });
    check_threads([&] { return backward(qkv); });
    for_each_product_isa([&](Isa) {
      check_batch(qkv, forward);
      check_batch(qkv, backward);
    });
  }
}

TEST_CASE("attention without samples gives no samples") {
  auto const out = ops::attention_qkv(Tensor<float>({0, 4, 12}), 2);
  CHECK(out.y.shape() == Shape{0, 4, 4});
}

TEST_CASE("attention refuses shapes that do not fit") {
  Tensor<float> const x({2, 5, 6}, 1.0f), other({2, 4, 6}, 1.0f), narrow({2, 5, 4}, 1.0f), fewer({1, 5, 6}, 1.0f);
  require_error([&] { ops::attention(x, x, other, 2); }, "attention: given q (2, 5, 6), k (2, 5, 6) and v (2, 4, 6)");
  require_error([&] { ops::attention(x, narrow, narrow, 2); }, "wanted (N, queries, channels)");
  require_error([&] { ops::attention(x, fewer, fewer, 2); }, "wanted (N, queries, channels)");
  require_error([&] { ops::attention(x.reshape({10, 6}), x, x, 2); }, "wanted (N, queries, channels)");
  require_error([&] { ops::attention(x, x, x, 4); }, "given 4 heads for 6 channels");
  require_error([&] { ops::attention(x, x, x, 0); }, "given 0 heads for 6 channels");
  require_error([&] { ops::attention(x, x, x, 2, {.scale = std::nan("")}); }, "wanted a finite number");
  require_error([&] { ops::attention(Tensor<float>(), x, x, 2); }, "given an empty tensor");
  require_error([&] { ops::attention(x, Tensor<float>({2, 0, 6}), Tensor<float>({2, 0, 6}), 2); }, "0 keys");
  require_error([&] { ops::attention_qkv(Tensor<float>({2, 5, 8}), 2); }, "attention_qkv: given qkv (2, 5, 8)");
  require_error([&] { ops::attention_qkv(Tensor<float>(), 2); }, "attention_qkv: given an empty tensor");
  auto const out = ops::attention(x, x, x, 2);
  require_error([&] { ops::attention_backward(other, x, x, x, out, 2); },
                "attention_backward: given gradient (2, 4, 6)");
  require_error([&] { ops::attention_backward(x, x, x, x, out, 3); }, "statistics (2, 2, 2, 5), wanted");
  require_error([&] { ops::attention_qkv_backward(x, x, out, 2); }, "attention_qkv_backward: given gradient");
}
