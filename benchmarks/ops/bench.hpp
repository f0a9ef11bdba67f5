// What the benchmarks share: the device that they are compiled for, data, and the loop that times an operation.
// bench_ops is compiled for the CPU, bench_ops_cuda, from the same files, for the GPU.
#pragma once

#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/tensor/rng.hpp>
#include <stipple/tensor/tensor.hpp>

#ifdef STIPPLE_BENCHMARK_CUDA
#include <stipple/cuda.hpp>
#endif

namespace stipple::bench {

#ifdef STIPPLE_BENCHMARK_CUDA
using Dev = Cuda;
inline constexpr Index calls_a_measurement = 20;
#else
using Dev = Cpu;
inline constexpr Index calls_a_measurement = 1;
#endif
inline constexpr bool on_gpu = std::is_same_v<Dev, Cuda>;

/// Normals of a fixed seed. Constants would flatter a GPU, which runs faster where few bits change.
template <class T>
Tensor<T, Dev> normal(const Shape& shape, std::uint64_t seed = 1) {
  return ops::cast<T>(to<Dev>(Rng(seed).normal(shape)));
}

/// For biases and the like, whose values do not matter.
template <class T>
Tensor<T, Dev> constant(const Shape& shape, float value) {
  return to<Dev>(Tensor<T>(shape, static_cast<T>(value)));
}

/// Ids of `classes` classes.
inline Tensor<std::int32_t, Dev> labels(Index count, Index classes) {
  return to<Dev>(Rng(1).integers({count}, 0, static_cast<std::int32_t>(classes)));
}

/// Times `run`, whose result is thrown away. A GPU is waited for after some calls, not after each: where an operation
/// is short, the figure is that of a queue of them.
template <class Run>
void measure(benchmark::State& state, Run&& run) {
  auto const once = [&] {
    auto const result = run();
    benchmark::DoNotOptimize(&result);
  };
  once();  // its memory is the pool's from now on
#ifdef STIPPLE_BENCHMARK_CUDA
  cuda::synchronize();
  while (state.KeepRunningBatch(calls_a_measurement)) {
    for (Index i = 0; i < calls_a_measurement; ++i) once();
    cuda::synchronize();
  }
#else
  for (auto _ : state) once();
#endif
}

/// Bytes of memory that a call has to read and write.
inline void count_bytes(benchmark::State& state, Index bytes) { state.SetBytesProcessed(state.iterations() * bytes); }
template <class T>
void count_elements(benchmark::State& state, Index elements) {
  count_bytes(state, elements * static_cast<Index>(sizeof(T)));
}

/// Additions and multiplications of a call.
inline void count_operations(benchmark::State& state, double operations) {
  state.counters["FLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

/// Images a batch: that of the courses, and for a GPU one whose tensors are larger than its caches.
inline void batches(benchmark::internal::Benchmark* b) {
  b->ArgName("batch")->Arg(128)->UseRealTime();
  if (on_gpu) b->Arg(2048);
}

/// A batch of feature maps of 28 x 28 x 56.
inline Shape activations(const benchmark::State& state) { return {state.range(0), 28, 28, 56}; }

}  // namespace stipple::bench
