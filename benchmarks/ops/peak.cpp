// What this machine can do, for the other figures to be read beside: products in every instruction set, and copies
// within the second-level cache and in memory. All threads take part.
#include <benchmark/benchmark.h>

#include <cstring>
#include <utility>
#include <vector>

#include <stipple/backend/cpu/amx.hpp>
#include <stipple/tensor/tensor.hpp>

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT "ops/peak.inl"
#include <stipple/backend/cpu/for_each_isa.hpp>
#if !STIPPLE_DEFINE_KERNELS  // amx.hpp leaves them to the compiled library
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#endif
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT "ops/peak_amx.inl"
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {
namespace {

template <class T>
compute_t<T> products(Index rounds) {
  compute_t<T> const zeros[16 * 16] = {};
  const compute_t<T>* numbers = zeros;
  benchmark::DoNotOptimize(numbers);
  compute_t<T> result = 0;
  STIPPLE_CPU_DISPATCH_PRODUCT(T, peak_products, rounds, numbers, &result);
  return result;
}
template <class T>
Index operations_a_round() {
  Index operations = 0;
  STIPPLE_CPU_DISPATCH_PRODUCT(T, peak_operations, &operations);
  return operations;
}

void tile_products(Index rounds) {
  float result = 0;
  STIPPLE_CPU_DISPATCH_AMX(peak_tiles(rounds, &result));
  benchmark::DoNotOptimize(result);
}

}  // namespace
}  // namespace stipple::cpu

using namespace stipple;

namespace {

template <class T>
void peak_products(benchmark::State& state, Isa isa) {
  Isa const before = std::exchange(Context::instance().isa, isa);
  Index const rounds = 1 << 18;
  double const operations = static_cast<double>(rounds * cpu::operations_a_round<T>() * num_threads());
  for (auto _ : state)
    parallel_for(num_threads(), 1, [&](Index, Index) { benchmark::DoNotOptimize(cpu::products<T>(rounds)); });
  state.counters["FLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  Context::instance().isa = before;
}

/// Four tile products a round, of 16 x 16 results with 32 terms each.
void peak_tiles(benchmark::State& state) {
  Isa const before = std::exchange(Context::instance().isa, Isa::amx);
  Index const rounds = 1 << 16;
  for (auto _ : state) parallel_for(num_threads(), 1, [&](Index, Index) { cpu::tile_products(rounds); });
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * 4 * 16 * 16 * 32 * static_cast<double>(rounds * num_threads() * state.iterations()),
                         benchmark::Counter::kIsRate);
  Context::instance().isa = before;
}

/// Bytes read and written by copies of `bytes` a thread.
void peak_copy(benchmark::State& state, std::size_t bytes) {
  auto const threads = static_cast<std::size_t>(num_threads());
  std::vector<char> const from(threads * bytes, 1);
  std::vector<char> to(threads * bytes, 2);
  std::size_t const times = std::max<std::size_t>(1, (std::size_t{16} << 20) / bytes);
  for (auto _ : state) {
    parallel_for(num_threads(), 1, [&](Index thread, Index) {
      auto const at = static_cast<std::size_t>(thread) * bytes;
      for (std::size_t i = 0; i < times; ++i) {
        std::memcpy(to.data() + at, from.data() + at, bytes);
        benchmark::ClobberMemory();
      }
    });
  }
  state.SetBytesProcessed(state.iterations() * static_cast<Index>(2 * threads * times * bytes));
}

bool const registered = [] {
  for (int i = 0; i <= static_cast<int>(supported_isa()); ++i) {
    auto const isa = static_cast<Isa>(i);
    benchmark::RegisterBenchmark(("peak_products<float>/" + to_text(isa)).c_str(), peak_products<float>, isa)
        ->UseRealTime();
    if (isa == Isa::amx)
      benchmark::RegisterBenchmark("peak_products<bf16>/amx", peak_tiles)->UseRealTime();
    else if (isa >= Isa::avx512_bf16)
      benchmark::RegisterBenchmark(("peak_products<bf16>/" + to_text(isa)).c_str(), peak_products<bf16>, isa)
          ->UseRealTime();
  }
  benchmark::RegisterBenchmark("peak_copy/cache", peak_copy, std::size_t{128} << 10)->UseRealTime();
  benchmark::RegisterBenchmark("peak_copy/memory", peak_copy, std::size_t{128} << 20)->UseRealTime();
  return true;
}();

}  // namespace
