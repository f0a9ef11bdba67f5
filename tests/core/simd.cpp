#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <vector>

#include <stipple/backend/cpu/simd.hpp>

#include "check.hpp"
#include "invariance.hpp"

namespace stipple::cpu {
enum class Function { copy, exp, sigmoid, tanh, erf, sqrt, abs, negate };
}
#define STIPPLE_KERNEL_TEXT "core/simd_probe.inl"
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T, class U>
void unary(Function f, const T* x, U* y, Index n) {
  STIPPLE_CPU_DISPATCH(T, probe_unary<T, U>(f, x, y, n));
}
template <class T, class U>
void whole(const T* x, U* y) {
  STIPPLE_CPU_DISPATCH(T, probe_whole<T, U>(x, y));
}
template <class T>
int width() {
  int n = 0;
  STIPPLE_CPU_DISPATCH(T, probe_width<T>(&n));
  return n;
}
void binary(const float* a, const float* b, float* results) {
  STIPPLE_CPU_DISPATCH(float, probe_binary<float>(a, b, results));
}
void reduce(const float* a, float* total, float* most) {
  STIPPLE_CPU_DISPATCH(float, probe_reduce<float>(a, total, most));
}

}  // namespace stipple::cpu

using namespace stipple;
using cpu::Function;

namespace {

float of(Function f, float x) {
  float y = 0;
  cpu::unary(f, &x, &y, 1);
  return y;
}

double exact(Function f, double x) {
  switch (f) {
    case Function::exp:
      return std::exp(x);
    case Function::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::tanh:
      return std::tanh(x);
    case Function::erf:
      return std::erf(x);
    case Function::sqrt:
      return std::sqrt(x);
    case Function::abs:
      return std::abs(x);
    case Function::negate:
      return -x;
    case Function::copy:
      return x;
  }
  return 0;
}

/// Largest error over [low, high] in units in the last place of the exact result.
double worst_ulps(Function f, float low, float high, int count = 200'000) {
  std::vector<float> x(static_cast<std::size_t>(count)), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  cpu::unary(f, x.data(), y.data(), count);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double const wanted = exact(f, static_cast<double>(x[i]));
    auto const nearest = std::abs(static_cast<float>(wanted));
    double const ulp = static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity())) - nearest;
    double const error = std::abs(static_cast<double>(y[i]) - wanted) / ulp;
    if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  return worst;
}

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Two pages of which only the first may be touched, or only the second: reading or writing beyond is a crash.
class GuardedPage {
 public:
  GuardedPage() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    base_ = static_cast<std::byte*>(mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    REQUIRE(mprotect(base_ + page_, page_, PROT_READ | PROT_WRITE) == 0);
  }
  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;
  ~GuardedPage() { munmap(base_, 3 * page_); }
  /// The last n elements before the forbidden page.
  template <class T>
  T* before_end(int n) {
    return reinterpret_cast<T*>(base_ + 2 * page_) - n;
  }
  template <class T>
  T* start() {
    return reinterpret_cast<T*>(base_ + page_);
  }

 private:
  std::size_t page_;
  std::byte* base_;
};

template <class T, class U>
void check_partial() {
  GuardedPage from, to;
  int const lanes = cpu::width<T>();
  for (int n = 0; n <= lanes; ++n) {
    INFO(n << " of " << lanes << " lanes");
    T* const x = from.before_end<T>(n);
    U* const y = to.before_end<U>(n);
    std::memset(static_cast<void*>(to.start<U>()), 0x55, 256);
    for (int i = 0; i < n; ++i) x[i] = static_cast<T>(static_cast<float>(i + 1));
    cpu::unary(Function::copy, x, y, n);
    for (int i = 0; i < n; ++i) CHECK(static_cast<float>(y[i]) == static_cast<float>(i + 1));
    // Nothing after the last lane is written either, where it could be.
    U* const inside = to.start<U>();
    cpu::unary(Function::copy, x, inside, n);
    U untouched;
    std::memset(static_cast<void*>(&untouched), 0x55, sizeof untouched);
    for (int i = n; i < 2 * lanes && i < 32; ++i) CHECK(std::memcmp(inside + i, &untouched, sizeof untouched) == 0);
  }
  cpu::whole(from.before_end<T>(lanes), to.before_end<U>(lanes));
}

}  // namespace

TEST_CASE("vector functions are as exact as stated, against the C library in double", "[simd]") {
  for_each_isa([](Isa) {
    CHECK(worst_ulps(Function::exp, -87, 88.7f) < 1.5);
    CHECK(worst_ulps(Function::exp, -1, 1) < 1.5);
    CHECK(worst_ulps(Function::exp, -103.5f, -87) < 1.5);  // units of the subnormals
    CHECK(worst_ulps(Function::sigmoid, -87, 30) < 3);
    CHECK(worst_ulps(Function::sigmoid, -1, 1) < 3);
    CHECK(worst_ulps(Function::tanh, -10, 10) < 9);
    CHECK(worst_ulps(Function::tanh, -0.3f, 0.3f) < 9);
    CHECK(worst_ulps(Function::tanh, 0, 1e-6f) < 2);
    CHECK(worst_ulps(Function::erf, -5, 5) < 6);
    CHECK(worst_ulps(Function::erf, -1.1f, 1.1f) < 6);
    CHECK(worst_ulps(Function::erf, 0, 1e-6f) < 2);
    CHECK(worst_ulps(Function::sqrt, 0, 100) <= 0.5);
    CHECK(worst_ulps(Function::abs, -3, 3) == 0);
    CHECK(worst_ulps(Function::negate, -3, 3) == 0);
  });
}

TEST_CASE("vector functions at the ends of the range and of NaN", "[simd]") {
  for_each_isa([](Isa) {
    CHECK(of(Function::exp, 0.0f) == 1.0f);
    CHECK(of(Function::exp, 89.0f) == infinity);
    CHECK(of(Function::exp, infinity) == infinity);
    CHECK(of(Function::exp, -105.0f) == 0.0f);
    CHECK(of(Function::exp, -infinity) == 0.0f);
    CHECK(of(Function::sigmoid, 200.0f) == 1.0f);
    CHECK(of(Function::sigmoid, -200.0f) == 0.0f);
    CHECK(of(Function::sigmoid, infinity) == 1.0f);
    CHECK(of(Function::sigmoid, -infinity) == 0.0f);
    CHECK(of(Function::tanh, 50.0f) == 1.0f);
    CHECK(of(Function::tanh, -infinity) == -1.0f);
    CHECK(of(Function::tanh, infinity) == 1.0f);
    CHECK(of(Function::erf, 30.0f) == 1.0f);
    CHECK(of(Function::erf, -infinity) == -1.0f);
    CHECK(of(Function::erf, infinity) == 1.0f);
    for (auto f : {Function::tanh, Function::erf, Function::negate}) CHECK(of(f, 0.0f) == 0.0f);
    for (auto f : {Function::copy, Function::exp, Function::sigmoid, Function::tanh, Function::erf, Function::sqrt,
                   Function::abs, Function::negate})
      CHECK(std::isnan(of(f, not_a_number)));
    CHECK(std::isnan(of(Function::sqrt, -1.0f)));
  });
}

TEST_CASE("partial loads and stores touch no memory outside, whole ones neither", "[simd]") {
  for_each_isa([](Isa) {
    check_partial<float, float>();
    check_partial<bf16, bf16>();
    check_partial<float, bf16>();
    check_partial<bf16, float>();
  });
  check_partial<double, double>();
  check_partial<double, float>();
}

TEST_CASE("stores to bf16 round to nearest even in every instruction set", "[simd]") {
  // All upper halves with the lower halves where rounding decides, so ties, carries, overflow, subnormals and NaN.
  std::vector<float> x;
  for (std::uint32_t upper = 0; upper < 0x10000; upper += 7)
    for (std::uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
  for_each_isa([&](Isa) {
    std::vector<bf16> y(x.size());
    cpu::unary(Function::copy, x.data(), y.data(), static_cast<Index>(x.size()));
    std::vector<float> back(x.size());
    cpu::unary(Function::copy, y.data(), back.data(), static_cast<Index>(x.size()));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i]))
        wrong += !std::isnan(back[i]);
      else
        wrong += y[i].bits != bf16(x[i]).bits || back[i] != static_cast<float>(y[i]);
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("arithmetic, comparison and reduction of vectors agree with scalars", "[simd]") {
  for_each_isa([](Isa) {
    auto const lanes = static_cast<std::size_t>(cpu::width<float>());
    auto const a = random_tensor({static_cast<Index>(lanes)}, 1), b = random_tensor({static_cast<Index>(lanes)}, 2);
    std::vector<float> r(8 * lanes);
    cpu::binary(a.data(), b.data(), r.data());
    float most = -infinity;
    double total = 0;
    for (std::size_t i = 0; i < lanes; ++i) {
      float const x = a.data()[i], y = b.data()[i];
      CHECK(r[i] == x + y);
      CHECK(r[lanes + i] == x - y);
      CHECK(r[2 * lanes + i] == x * y);
      CHECK(r[3 * lanes + i] == x / y);
      CHECK(r[4 * lanes + i] == Approx(static_cast<double>(x) * y + y).margin(1e-7));
      CHECK(r[5 * lanes + i] == std::min(x, y));
      CHECK(r[6 * lanes + i] == std::max(x, y));
      CHECK(r[7 * lanes + i] == std::min(x, y));
      most = std::max(most, x);
      total += x;
    }
    float given_total = 0, given_most = 0;
    cpu::reduce(a.data(), &given_total, &given_most);
    CHECK(given_most == most);
    CHECK(given_total == Approx(total).margin(1e-6));
  });
}
