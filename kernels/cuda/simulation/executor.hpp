// Runs CUDA kernels on the host, for tests: a fiber for each CUDA thread, one block at a time. Blocks, and the threads
// between two barriers, run in an order that a seed chooses. What a GPU leaves undefined is reported as an Error:
// barriers that not all threads reach, lanes outside their mask, memory outside of allocations, misaligned vectors.
// What it leaves unspecified (fresh shared memory) is filled with a pattern that is a NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

#include "copies.hpp"

namespace stipple::cuda::simulation {

struct Extents {
  unsigned x = 1, y = 1, z = 1;
  constexpr Extents(unsigned x_extent = 1, unsigned y_extent = 1, unsigned z_extent = 1)
      : x(x_extent), y(y_extent), z(z_extent) {}
  std::size_t count() const { return std::size_t{x} * y * z; }
};
struct Position {
  unsigned x = 0, y = 0, z = 0;
};

enum class Order { forward, reverse, shuffled };

struct Options {
  Order order = Order::shuffled;
  unsigned seed = 1;
  unsigned char poison = 0xFF;  ///< fills fresh memory; 0xFF makes a NaN of every float and bf16
};
/// Of the next launches.
Options& options();

struct Launch {
  const char* operation = "";  ///< named in errors
  Extents grid, block;
  std::size_t shared_bytes = 0;
  std::function<void()> kernel;
};
/// Runs all blocks of a launch, while the memory of its device is open. Throws Error for what the kernel does wrong.
void run(const Launch& launch);

/// True if an access outside of every allocation becomes an Error; under the sanitizers it ends the process.
bool catches_faults();
/// True if a missing barrier is reported by ThreadSanitizer, which lets the process fail.
bool reports_races();
/// Reports an error of the thread that runs: its operation, block and thread precede the text.
[[noreturn]] void fail_in_kernel(const std::string& text);
/// Fails unless the thread that runs may access `bytes` bytes at `address`, which must be a multiple of `bytes`.
void check_vector(const void* address, std::size_t bytes);
/// The same for memory of the device alone, and for shared memory of the block alone: instructions that name one of
/// them do not find the other.
void check_device_vector(const void* address, std::size_t bytes);
void check_shared_vector(const void* address, std::size_t bytes);

// Of the thread that runs.
const Position& thread_index();
const Position& block_index();
const Extents& block_extents();
const Extents& grid_extents();
unsigned lane();

Copies& copies();

/// The shared array that is declared at `site`, filled with the pattern when the block first meets it.
void* shared_array(const void* site, std::size_t bytes);
/// The shared memory whose size the launch names.
void* dynamic_shared();

void block_barrier();
/// Barrier of all threads of the block; returns how many of them gave `predicate`.
int block_count(bool predicate);
/// Waits until all lanes of `mask` wait at the same `operation`.
void warp_barrier(unsigned mask, const char* operation);

/// Room for the value that each lane of the warp shows to the others.
inline constexpr std::size_t exchange_bytes = 32;
void* exchange_slot(unsigned lane);
[[noreturn]] void fail_at_lane(const char* operation, unsigned mask, unsigned lane);

/// Every lane of `mask` shows `value`; returns use(get), where get(lane) is what a lane of the mask shows.
template <class T, class Use>
auto exchange(unsigned mask, const T& value, const char* operation, const Use& use) {
  static_assert(sizeof(T) <= exchange_bytes && std::is_trivially_copyable_v<T>);
  std::memcpy(exchange_slot(lane()), &value, sizeof(T));
  warp_barrier(mask, operation);
  auto const result = use([&](unsigned from) {
    if (from >= 32 || (mask >> from & 1u) == 0) fail_at_lane(operation, mask, from);
    T shown;
    std::memcpy(&shown, exchange_slot(from), sizeof(T));
    return shown;
  });
  warp_barrier(mask, operation);  // the slots are free again
  return result;
}

}  // namespace stipple::cuda::simulation
