// The executor is tested by kernels with planted mistakes: each has to be caught.
#include <vector>

#include <stipple/tensor/tensor.hpp>

#include "check.hpp"
#include "launch.cuh"
#include "orders.hpp"
#include "tensor_cores.cuh"

using namespace stipple;
using namespace stipple::cuda;

namespace {

Tensor<float, Cuda> device_floats(Index n, float value = 1) { return Tensor<float, Cuda>({n}, value); }

/// Launches a kernel of one pointer and waits for it.
template <class T>
void run_kernel(void (*kernel)(T*), T* argument, unsigned threads, unsigned blocks = 1, std::size_t shared = 0) {
  launch("planted", kernel, {dim3(blocks), dim3(threads), shared}, argument);
  synchronize();
}

// Thread i writes the number of its left neighbour.
template <bool barrier>
__global__ void neighbours(float* out) {
  STIPPLE_SHARED(float, values, 64);
  unsigned const i = threadIdx.x;
  values[i] = static_cast<float>(i);
  if (barrier) __syncthreads();
  out[i] = values[(i + 63) % 64];
}

bool neighbours_are_right(void (*kernel)(float*)) {
  auto out = device_floats(64);
  run_kernel(kernel, out.data().address(), 64);
  auto const host = to<Cpu>(out);
  bool right = true;
  for (Index i = 0; i < 64; ++i) right = right && host.span()[static_cast<std::size_t>(i)] == float((i + 63) % 64);
  return right;
}

__global__ void half_uninitialised(float* out) {
  STIPPLE_SHARED(float, values, 64);
  if (threadIdx.x < 32) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

__global__ void read_behind(float* out) { out[0] = out[4 * 64 + threadIdx.x]; }
__global__ void write_behind(float* out) { out[61 + threadIdx.x] = 0; }
__global__ void write_in_front(float* out) { *(out - 1 - static_cast<int>(threadIdx.x)) = 0; }
__global__ void write_behind_shared(float* out) {
  STIPPLE_SHARED(float, values, 32);
  values[threadIdx.x + 1] = 0;
  out[threadIdx.x] = 0;
}
__global__ void misaligned_load(float* out) {
  Quad const quad = load_quad(out + 1);
  out[0] = __uint_as_float(quad.word[0]);
}
__global__ void misaligned_store(float* out) { store_quad(out + 2, Quad{}); }
__global__ void global_store_to_shared(float* out) {
  STIPPLE_SHARED(Quad, room, 1);
  store_quad(room, Quad{});
  out[0] = __uint_as_float(room[0].word[0]);
}
__global__ void shared_store_to_global(float* out) { store_shared_quad(out, Quad{}); }
__global__ void copy_to_device(float* out) { begin_copy(out, out + 4, true); }
__global__ void copy_from_shared(float* out) {
  STIPPLE_SHARED(Quad, room, 2);
  begin_copy(room, room + 1, true);
  out[0] = 0;
}
__global__ void divergent_barrier(float* out) {
  if (threadIdx.x < 16) __syncthreads();
  out[threadIdx.x] = 0;
}
__global__ void barrier_against_shuffle(float* out) {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    out[threadIdx.x] = __shfl_xor_sync(all_lanes, 1.0f, 1);
}
__global__ void caller_outside_mask(float* out) { out[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 0); }
__global__ void source_outside_mask(float* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 20);
}
__global__ void returned_lane(float* out) {
  if (threadIdx.x == 7) return;
  out[threadIdx.x] = __shfl_xor_sync(all_lanes, 1.0f, 1);
}
__global__ void missing_lane(float* out) { out[threadIdx.x] = __shfl_xor_sync(all_lanes, 1.0f, 1); }

}  // namespace

TEST_CASE("Executor: a barrier orders shared memory, and one that is missing shows", "[executor]") {
  int wrong = 0;
  for_each_order([&] {
    REQUIRE(neighbours_are_right(neighbours<true>));
    if (!simulation::reports_races()) wrong += neighbours_are_right(neighbours<false>) ? 0 : 1;
  });
  REQUIRE((wrong > 0 || simulation::reports_races()));
}

TEST_CASE("Executor: fresh shared and device memory is NaN", "[executor]") {
  auto out = device_floats(64);
  run_kernel(half_uninitialised, out.data().address(), 64);
  auto const host = to<Cpu>(out);
  REQUIRE(host.span()[31] == 1);
  REQUIRE(std::isnan(host.span()[32]));
  REQUIRE(std::isnan(to<Cpu>(Tensor<float, Cuda>({1})).item()));
  REQUIRE(std::isnan(static_cast<float>(Tensor<bf16, Cuda>({1}).item())));
}

TEST_CASE("Executor: accesses outside of an allocation are errors", "[executor]") {
  auto out = device_floats(62);  // 248 bytes: two floats more would fit into 16-byte units
  auto* const address = out.data().address();
  require_error([&] { run_kernel(write_behind, address, 2); }, "planted: wrote behind the end of an allocation of 248");
  require_error([&] { run_kernel(write_in_front, address, 1); }, "planted: wrote in front of an allocation of 248");
  require_error([&] { run_kernel(write_behind_shared, address, 32); }, "wrote outside of a shared array of 128 bytes");
  if (simulation::catches_faults())
    require_error([&] { run_kernel(read_behind, address, 1); },
                  "planted: block (0, 0, 0), thread 0: reads or writes outside of every allocation");
  REQUIRE_NOTHROW(run_kernel(neighbours<true>, device_floats(64).data().address(), 64));
}

TEST_CASE("Executor: misaligned vectors are errors", "[executor]") {
  auto out = device_floats(64);
  require_error([&] { run_kernel(misaligned_load, out.data().address(), 1); },
                "planted: block (0, 0, 0), thread 0: accesses 16 bytes at an address that is not a multiple of 16");
  require_error([&] { run_kernel(misaligned_store, out.data().address(), 1); }, "not a multiple of 16");
}

TEST_CASE("Executor: instructions for one memory do not find the other", "[executor]") {
  auto out = device_floats(64);
  auto* const address = out.data().address();
  require_error([&] { run_kernel(global_store_to_shared, address, 1); },
                "planted: block (0, 0, 0), thread 0: accesses memory of the device at an address that is not in it");
  require_error([&] { run_kernel(shared_store_to_global, address, 1); }, "accesses shared memory at an address");
  require_error([&] { run_kernel(copy_to_device, address, 1); }, "accesses shared memory at an address that is not in");
  require_error([&] { run_kernel(copy_from_shared, address, 1); }, "accesses memory of the device at an address");
}

namespace {

// Thread i copies quads i and, in a group of its own, 32 + i of 64, and waits for all groups but the last `pending`
// (-1: for none); its neighbour writes what is there then.
template <int pending, bool waits_at_end>
__global__ void copy_quads(float* out) {
  STIPPLE_SHARED(Quad, room, 64);
  unsigned const i = threadIdx.x, neighbour = (i + 1) % 32;
  begin_copy(room + i, out + 4 * i, i != 5);
  end_copies();
  begin_copy(room + 32 + i, out + 4 * (32 + i), true);
  end_copies();
  if constexpr (pending >= 0) wait_for_copies<pending>();
  __syncthreads();
  out[256 + i] = __uint_as_float(room[neighbour].word[3]);
  out[288 + i] = __uint_as_float(room[32 + neighbour].word[3]);
  __syncthreads();  // all have read
  if constexpr (waits_at_end) wait_for_copies<0>();
}

/// What is there of both groups.
template <int pending>
std::pair<float, float> copied() {
  auto out = device_floats(320, 7);
  run_kernel(copy_quads<pending, true>, out.data().address(), 32);
  auto const host = to<Cpu>(out);
  if (pending == 0) REQUIRE(host.span()[256 + 4] == 0);  // of what is not inside
  return {host.span()[256], host.span()[288]};
}

}  // namespace

TEST_CASE("Executor: copies are there for who waits for their group, and for nobody else", "[executor]") {
  for_each_order([] {
    REQUIRE(copied<0>() == std::pair(7.0f, 7.0f));
    REQUIRE(copied<1>().first == 7);
    REQUIRE(copied<1>().second != 7);
    REQUIRE(copied<2>().first != 7);
    REQUIRE(copied<-1>().first != 7);
    auto out = device_floats(320);
    require_error([&] { run_kernel(copy_quads<1, false>, out.data().address(), 32); },
                  "returns without having waited for its copies");
  });
}

TEST_CASE("Executor: threads that part at barriers are errors", "[executor]") {
  for_each_order([] {
    auto out = device_floats(64);
    auto* const address = out.data().address();
    require_error([&] { run_kernel(divergent_barrier, address, 32); }, "waits at a barrier that thread");
    require_error([&] { run_kernel(barrier_against_shuffle, address, 32); }, "does not reach");
    require_error([&] { run_kernel(caller_outside_mask, address, 32); }, "is not in the mask 65535");
    require_error([&] { run_kernel(source_outside_mask, address, 32); }, "lane 20 is not in the mask 65535");
    require_error([&] { run_kernel(returned_lane, address, 32); }, "waits for lane 7, which has returned");
    require_error([&] { run_kernel(missing_lane, address, 24); }, "which the block does not have");
  });
}

TEST_CASE("Executor: launches that no device takes are errors", "[executor]") {
  auto out = device_floats(64);
  auto* const address = out.data().address();
  require_error([&] { run_kernel(missing_lane, address, 1025); }, "given a block of 1025 threads, wanted 1 to 1024");
  require_error([&] { run_kernel(missing_lane, address, 32, 0); }, "planted: given a grid of 0 x 1 x 1 blocks");
  require_error([&] { run_kernel(missing_lane, address, 32, 1, 300 * 1024); }, "bytes of shared memory");
}

namespace {

__global__ void warp_intrinsics(float* out) {
  float const lane = static_cast<float>(threadIdx.x % 32);
  out[threadIdx.x] = __shfl_xor_sync(all_lanes, lane, 5);
  out[64 + threadIdx.x] = __shfl_down_sync(all_lanes, lane, 3);
  out[128 + threadIdx.x] = __shfl_sync(all_lanes, lane, 2, 8);
  out[192 + threadIdx.x] = static_cast<float>(__ballot_sync(all_lanes, threadIdx.x % 32 == 4));
  out[256 + threadIdx.x] = static_cast<float>(__syncthreads_count(threadIdx.x % 3 == 0));
}

__global__ void count_threads(int* count) { atomicAdd(count, 1); }

// One warp: c (16, 8) = a (16, 16) b (16, 8), with b given as (8, 16).
__global__ void multiply_tile(const bf16* a, const bf16* b, float* c) {
  unsigned const group = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
  auto const two = [](const bf16* from) {
    return static_cast<std::uint32_t>(from[0].bits) | static_cast<std::uint32_t>(from[1].bits) << 16;
  };
  std::uint32_t const left[4] = {two(a + group * 16 + pair), two(a + (group + 8) * 16 + pair),
                                 two(a + group * 16 + pair + 8), two(a + (group + 8) * 16 + pair + 8)};
  std::uint32_t const right[2] = {two(b + group * 16 + pair), two(b + group * 16 + pair + 8)};
  float d[4] = {};
  multiply_add_tile(d, left, right);
  for (unsigned i = 0; i < 4; ++i) c[(group + i / 2 * 8) * 8 + pair + i % 2] = d[i];
}

}  // namespace

TEST_CASE("Executor: warp intrinsics do what CUDA's do", "[executor]") {
  for_each_order([] {
    auto out = device_floats(320);
    run_kernel(warp_intrinsics, out.data().address(), 64);
    auto const host = to<Cpu>(out);
    for (unsigned i = 0; i < 64; ++i) {
      unsigned const lane = i % 32;
      REQUIRE(host.span()[i] == static_cast<float>(lane ^ 5u));
      REQUIRE(host.span()[64 + i] == static_cast<float>(lane + 3 < 32 ? lane + 3 : lane));
      REQUIRE(host.span()[128 + i] == static_cast<float>(lane / 8 * 8 + 2));
      REQUIRE(host.span()[192 + i] == 16);
      REQUIRE(host.span()[256 + i] == 22);
    }
    Tensor<std::int32_t, Cuda> count({1}, 0);
    run_kernel(count_threads, count.data().address(), 96, 5);
    REQUIRE(count.item() == 480);
  });
}

TEST_CASE("Executor: a tensor core step is a matrix product", "[executor]") {
  Tensor<bf16> a({16, 16}), b({8, 16});
  for (std::size_t i = 0; i < 256; ++i) a.span()[i] = bf16(static_cast<int>(i * 7 % 13) - 6);
  for (std::size_t i = 0; i < 128; ++i) b.span()[i] = bf16(static_cast<int>(i * 5 % 11) - 5);
  auto const a_device = to<Cuda>(a), b_device = to<Cuda>(b);
  auto c = device_floats(128);
  launch("planted", multiply_tile, {dim3(1), dim3(32)}, a_device.data().address(), b_device.data().address(),
         c.data().address());
  auto const host = to<Cpu>(c);
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      float sum = 0;
      for (std::size_t k = 0; k < 16; ++k)
        sum += static_cast<float>(a.span()[row * 16 + k]) * static_cast<float>(b.span()[column * 16 + k]);
      REQUIRE(host.span()[row * 8 + column] == sum);
    }
  }
}
