// Host memory for tensors: a caching pool, so that a training step allocates nothing from the system after the first.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>
#include <stipple/core/memory_report.hpp>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace stipple {

/// Caching allocator. Small requests (up to 64 KiB) come from size-class lists; larger ones are cut best-fit from what
/// was taken from the system, and coalesced when freed. On Linux that is one range of addresses, which grows by what is
/// missing; elsewhere, and where no range can be reserved, it is chunks of 32 MiB or more. Memory stays with the pool
/// until the process ends, pages stay touched. All blocks are aligned to 64 bytes. Thread-safe.
class Allocator {
 public:
  static constexpr std::size_t alignment = 64;

  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  ~Allocator();

  /// Throws Error when the system has no more memory.
  void* allocate(std::size_t bytes);

  void deallocate(void* block, std::size_t bytes) noexcept;

  MemoryReport report() const;
  /// Starts a new measurement of `peak`.
  void reset_peak();

 private:
  static constexpr std::size_t small_limit = 64 * 1024;
  static constexpr std::size_t chunk_bytes = 32 * 1024 * 1024;
  static constexpr std::size_t huge_page = 2 * 1024 * 1024;

  // Small sizes are rounded to an eighth of their power of two; large ones to 4 KiB.
  static std::size_t rounded(std::size_t bytes);
  static std::size_t size_class(std::size_t size);

  void* take_small(std::size_t size);

  void* take_large(std::size_t size);

  void give_large(std::byte* base, std::size_t size);

  void insert_free(std::byte* base, std::size_t size);

  void grow(std::size_t size);

  void* system_block(std::size_t bytes);

  // The next `bytes` of the range of addresses; null where there is none, or not as much.
  std::byte* extend_range(std::size_t bytes);

  mutable std::mutex mutex_;
  MemoryReport report_;
  std::array<std::vector<void*>, 80> small_;
  std::set<std::pair<std::size_t, std::byte*>> by_size_;
  std::map<std::byte*, std::size_t> by_address_;
  std::byte *range_ = nullptr, *range_used_ = nullptr, *range_end_ = nullptr;
  std::vector<void*> chunks_;  // outside the range
};

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE Allocator::~Allocator() {
  for (void* const chunk : chunks_) std::free(chunk);
#if defined(__linux__)
  if (range_ != nullptr) munmap(range_, static_cast<std::size_t>(range_end_ - range_));
#endif
}

STIPPLE_INLINE void* Allocator::allocate(std::size_t bytes) {
  std::size_t const size = rounded(bytes);
  std::lock_guard const lock(mutex_);
#if defined(__SANITIZE_ADDRESS__)
  void* const block = system_block(size);  // one block a tensor, so that the sanitizer sees every overrun
#else
  void* const block = size <= small_limit ? take_small(size) : take_large(size);
#endif
  report_.in_use += size;
  if (report_.in_use > report_.peak) report_.peak = report_.in_use;
  return block;
}

STIPPLE_INLINE void Allocator::deallocate(void* block, std::size_t bytes) noexcept {
  std::size_t const size = rounded(bytes);
  std::lock_guard const lock(mutex_);
  report_.in_use -= size;
#if defined(__SANITIZE_ADDRESS__)
  std::free(block);
#else
  if (size <= small_limit)
    small_[size_class(size)].push_back(block);
  else
    give_large(static_cast<std::byte*>(block), size);
#endif
}

STIPPLE_INLINE MemoryReport Allocator::report() const {
  std::lock_guard const lock(mutex_);
  return report_;
}

STIPPLE_INLINE void Allocator::reset_peak() {
  std::lock_guard const lock(mutex_);
  report_.peak = report_.in_use;
}

STIPPLE_INLINE std::size_t Allocator::rounded(std::size_t bytes) {
  if (bytes <= 512) return (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0);
  if (bytes > small_limit) return (bytes + 4095) / 4096 * 4096;
  std::size_t const step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

STIPPLE_INLINE std::size_t Allocator::size_class(std::size_t size) {
  if (size <= 512) return size / 64;  // 1..8
  std::size_t const top = std::bit_floor(size - 1);
  return 8 + static_cast<std::size_t>(std::countr_zero(top) - 9) * 8 + (size - top) / (top / 8);
}

STIPPLE_INLINE void* Allocator::take_small(std::size_t size) {
  auto& list = small_[size_class(size)];
  if (list.empty()) {
    std::size_t const count = size >= 16 * 1024 ? 1 : 16 * 1024 / size;
    auto* const slab = static_cast<std::byte*>(take_large((count * size + 4095) / 4096 * 4096));
    for (std::size_t i = count; i-- > 0;) list.push_back(slab + i * size);
  }
  void* const block = list.back();
  list.pop_back();
  return block;
}

STIPPLE_INLINE void* Allocator::take_large(std::size_t size) {
  auto it = by_size_.lower_bound({size, nullptr});
  if (it == by_size_.end()) {
    grow(size);
    it = by_size_.lower_bound({size, nullptr});
  }
  auto const [free_size, base] = *it;
  by_size_.erase(it);
  by_address_.erase(base);
  if (free_size > size) insert_free(base + size, free_size - size);
  return base;
}

STIPPLE_INLINE void Allocator::give_large(std::byte* base, std::size_t size) {
  auto next = by_address_.lower_bound(base);
  if (next != by_address_.end() && base + size == next->first) {
    size += next->second;
    by_size_.erase({next->second, next->first});
    next = by_address_.erase(next);
  }
  if (next != by_address_.begin()) {
    auto const previous = std::prev(next);
    if (previous->first + previous->second == base) {
      base = previous->first;
      size += previous->second;
      by_size_.erase({previous->second, previous->first});
      by_address_.erase(previous);
    }
  }
  insert_free(base, size);
}

STIPPLE_INLINE void Allocator::insert_free(std::byte* base, std::size_t size) {
  by_size_.insert({size, base});
  by_address_.insert({base, size});
}

STIPPLE_INLINE void Allocator::grow(std::size_t size) {
  std::size_t missing = size;
  auto const behind = by_address_.lower_bound(range_used_);
  if (behind != by_address_.begin()) {  // a free block at the end of the range only has to become larger
    auto const [base, free_size] = *std::prev(behind);
    if (base + free_size == range_used_) missing -= free_size;
  }
  auto const in_pages = [](std::size_t wanted) { return (wanted + huge_page - 1) / huge_page * huge_page; };
  std::size_t bytes = in_pages(missing);
  std::byte* base = extend_range(bytes);
  if (base == nullptr) {
    bytes = std::max(chunk_bytes, in_pages(size));
    base = static_cast<std::byte*>(system_block(bytes));
    chunks_.push_back(base);
  }
#if defined(__linux__)
  madvise(base, bytes, MADV_HUGEPAGE);  // a hint; failing is harmless
#endif
  report_.reserved += bytes;
  give_large(base, bytes);
}

STIPPLE_INLINE std::byte* Allocator::extend_range(std::size_t bytes) {
#if defined(__linux__)
  if (range_ == nullptr) {  // twice the machine's memory, which takes none of it, or what a limit leaves
    auto const pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)),
               page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    for (std::size_t room = 2 * pages * page / huge_page * huge_page; room >= 16 * chunk_bytes; room /= 2) {
      void* const base = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base == MAP_FAILED) continue;
      range_ = static_cast<std::byte*>(base);
      range_end_ = range_ + room;
      range_used_ = range_ + (huge_page - reinterpret_cast<std::uintptr_t>(base) % huge_page) % huge_page;
      break;
    }
  }
  if (range_ == nullptr || bytes > static_cast<std::size_t>(range_end_ - range_used_) ||
      mprotect(range_used_, bytes, PROT_READ | PROT_WRITE) != 0)
    return nullptr;
  return std::exchange(range_used_, range_used_ + bytes);
#else
  static_cast<void>(bytes);
  return nullptr;
#endif
}

STIPPLE_INLINE void* Allocator::system_block(std::size_t bytes) {
  std::size_t const align = bytes >= chunk_bytes ? huge_page : alignment;
  void* const base = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  require(base != nullptr, "allocator: the system refused ", bytes, " bytes; ", report_.in_use,
          " bytes are in use and ", report_.reserved, " are held");
  return base;
}

}  // namespace stipple

#endif
