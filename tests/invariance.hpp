// What must not change a result: the instruction set (beyond rounding), the number of threads, the batch.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/tensor/rng.hpp>

#include "catch.hpp"

/// Standard normals of any element type, the same for the same seed.
template <class T = float>
stipple::Tensor<T> random_tensor(stipple::Shape shape, std::uint64_t seed = 1) {
  stipple::Rng rng(seed);
  return stipple::ops::cast<T>(rng.normal(shape));
}

/// Restores instruction set and number of threads when it goes.
class ContextGuard {
 public:
  ContextGuard()
      : isa_(stipple::Context::instance().isa),
        emulate_amx_(stipple::Context::instance().emulate_amx),
        threads_(stipple::num_threads()) {}
  ContextGuard(const ContextGuard&) = delete;
  ContextGuard& operator=(const ContextGuard&) = delete;
  ~ContextGuard() {
    stipple::Context::instance().isa = isa_;
    stipple::Context::instance().emulate_amx = emulate_amx_;
    stipple::set_num_threads(threads_);
  }

 private:
  stipple::Isa isa_;
  bool emulate_amx_;
  int threads_;
};

/// Calls f(isa) with every instruction set of this processor in use, the portable one first.
template <class F>
void for_each_isa(const F& f) {
  ContextGuard const guard;
  for (int i = 0; i <= static_cast<int>(stipple::supported_isa()); ++i) {
    auto const isa = static_cast<stipple::Isa>(i);
    stipple::Context::instance().isa = isa;
    INFO("instruction set " << to_text(isa));
    f(isa);
  }
}

/// The same, and in the end with AMX products done by their twin in plain code, beside the portable kernels.
template <class F>
void for_each_product_isa(const F& f) {
  for_each_isa(f);
  ContextGuard const guard;
  stipple::Context::instance().isa = stipple::Isa::portable;
  stipple::Context::instance().emulate_amx = true;
  INFO("instruction set amx, emulated");
  f(stipple::Isa::amx);
}

/// The same shape and the same bits, NaN included.
template <class T>
bool same_bits(const stipple::Tensor<T>& a, const stipple::Tensor<T>& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0);
}

/// Requires that f(), a tensor, has the same bits with 1, 2 and 3 threads.
template <class F>
void check_threads(const F& f) {
  ContextGuard const guard;
  stipple::set_num_threads(1);
  auto const wanted = f();
  for (int threads : {2, 3}) {
    stipple::set_num_threads(threads);
    INFO(threads << " threads against 1");
    CHECK(same_bits(f(), wanted));
  }
}

/// Requires that f(x), whose first axis counts samples like x's, treats each sample alone: the rows of f(x) have the
/// same bits as f of every single row, of the batch in sevens and of its second half.
template <class T, class F>
void check_batch(const stipple::Tensor<T>& x, const F& f) {
  auto const whole = f(x);
  stipple::Index const n = x.dim(0);
  for (stipple::Index i = 0; i < n; ++i) {
    INFO("sample " << i << " alone");
    CHECK(same_bits(f(x.slice(i, i + 1).clone()), whole.slice(i, i + 1)));
  }
  for (stipple::Index i = 0; i + 7 <= n; i += 7) {
    INFO("samples from " << i << " in a batch of 7");
    CHECK(same_bits(f(x.slice(i, i + 7).clone()), whole.slice(i, i + 7)));
  }
  CHECK(same_bits(f(x.slice(n / 2, n).clone()), whole.slice(n / 2, n)));
}
