// The caching pool: alignment, disjoint blocks, reuse, accounting.
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <stipple/core/allocator.hpp>

#include "check.hpp"

using stipple::Allocator;

namespace {

struct Block {
  unsigned char* data;
  std::size_t bytes;
  unsigned char mark;
};

// A fixed sequence, so that a failure can be repeated.
struct Sequence {
  std::uint64_t state;
  std::uint64_t next(std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  }
};

// Takes and returns blocks of mixed sizes; each is filled with its mark, which must still be there at the end.
int damaged_blocks(Allocator& pool, std::uint64_t seed, int rounds) {
  Sequence sequence{seed};
  std::vector<Block> live;
  int damaged = 0;
  auto const give_back = [&](std::size_t i) {
    for (std::size_t k = 0; k < live[i].bytes; ++k) {
      if (live[i].data[k] == live[i].mark) continue;
      ++damaged;
      break;
    }
    pool.deallocate(live[i].data, live[i].bytes);
    live[i] = live.back();
    live.pop_back();
  };
  for (int round = 0; round < rounds; ++round) {
    if (!live.empty() && (live.size() > 40 || sequence.next(3) == 0)) {
      give_back(sequence.next(live.size()));
    } else {
      std::size_t const limit = std::size_t{1} << (4 + sequence.next(17));
      std::size_t const bytes = sequence.next(limit);
      auto* const data = static_cast<unsigned char*>(pool.allocate(bytes));
      auto const mark = static_cast<unsigned char>(sequence.next(256));
      std::memset(data, mark, bytes);
      live.push_back({data, bytes, mark});
    }
  }
  while (!live.empty()) give_back(live.size() - 1);
  return damaged;
}

}  // namespace

TEST_CASE("Allocator: blocks of every size are aligned and hold what was asked for") {
  Allocator pool;
  for (std::size_t bytes : {0u, 1u, 63u, 64u, 65u, 511u, 512u, 513u, 575u, 577u, 1000u, 4097u, 65535u, 65536u, 65537u,
                            1000000u, 33554432u, 33554433u}) {
    void* const block = pool.allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % Allocator::alignment == 0);
    std::memset(block, 0xa5, bytes);
    CHECK(pool.report().in_use >= bytes);
    pool.deallocate(block, bytes);
    CHECK(pool.report().in_use == 0);
  }
}

TEST_CASE("Allocator: live blocks never overlap") {
  Allocator pool;
  CHECK(damaged_blocks(pool, 1, 1500) == 0);
  CHECK(pool.report().in_use == 0);
}

TEST_CASE("Allocator: several threads may allocate at once") {
  Allocator pool;
  std::vector<int> damaged(3, -1);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < damaged.size(); ++i)
    threads.emplace_back([&, i] { damaged[i] = damaged_blocks(pool, i + 10, 400); });
  for (auto& thread : threads) thread.join();
  CHECK(damaged == std::vector<int>{0, 0, 0});
  CHECK(pool.report().in_use == 0);
}

TEST_CASE("Allocator: the peak is the largest amount in use since the last reset") {
  Allocator pool;
  void* const first = pool.allocate(1 << 20);
  void* const second = pool.allocate(1 << 20);
  pool.deallocate(first, 1 << 20);
  CHECK(pool.report().in_use == 1 << 20);
  CHECK(pool.report().peak == 2 << 20);
  pool.reset_peak();
  CHECK(pool.report().peak == 1 << 20);
  pool.deallocate(second, 1 << 20);
}

#if !defined(__SANITIZE_ADDRESS__)  // under AddressSanitizer nothing is kept, so that it sees every use after free
TEST_CASE("Allocator: memory given back is used again") {
  Allocator pool;
  SECTION("the same small block") {
    void* const first = pool.allocate(100);
    pool.deallocate(first, 100);
    CHECK(pool.allocate(120) == first);
  }
  SECTION("neighbours grow together") {
    std::size_t const part = 8 << 20;
    std::vector<void*> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(pool.allocate(part));
    std::size_t const reserved = pool.report().reserved;
    for (int i : {1, 3, 0, 2}) pool.deallocate(blocks[static_cast<std::size_t>(i)], part);
    void* const whole = pool.allocate(4 * part);
    CHECK(whole == blocks[0]);
    CHECK(pool.report().reserved == reserved);
  }
#if defined(__linux__)
  SECTION("neighbours grow together over what was taken from the system at different times") {
    std::size_t const part = 40 << 20;
    void* const first = pool.allocate(part);
    void* const second = pool.allocate(part);
    pool.deallocate(first, part);
    pool.deallocate(second, part);
    CHECK(pool.allocate(2 * part) == first);
    CHECK(pool.report().reserved == 2 * part);
  }
  SECTION("a free end takes only what it lacks from the system") {
    void* const first = pool.allocate(40 << 20);
    pool.deallocate(first, 40 << 20);
    CHECK(pool.allocate(60 << 20) == first);
    CHECK(pool.report().reserved == 60 << 20);
  }
#endif
  SECTION("a repeated pattern takes nothing more from the system") {
    damaged_blocks(pool, 7, 600);
    std::size_t const reserved = pool.report().reserved;
    for (int repeat = 0; repeat < 3; ++repeat) damaged_blocks(pool, 7, 600);
    CHECK(pool.report().reserved == reserved);
  }
}
#endif

TEST_CASE("Allocator: a refused request is an error and leaves the accounts as they were") {
  Allocator pool;
  void* const block = pool.allocate(1000);
  auto const before = pool.report();
  require_error([&] { pool.allocate(std::size_t{1} << 50); }, "the system refused");
  CHECK(pool.report().in_use == before.in_use);
  CHECK(pool.report().peak == before.peak);
  CHECK(pool.report().reserved == before.reserved);
  pool.deallocate(block, 1000);
}
