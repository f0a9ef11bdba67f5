#include "memory.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>

#include <stipple/core/error.hpp>

#include "executor.hpp"

namespace stipple::cuda::simulation {

namespace {

struct Block {
  std::byte* mapping;  // the pages that are opened and closed; one closed page follows
  std::size_t mapped;
  std::size_t bytes;
  int device;
};
// By the address of the first byte.
std::map<const std::byte*, Block>& blocks() {
  static auto* const map = new std::map<const std::byte*, Block>;
  return *map;
}
// Bytes, by the number of the device.
std::map<int, std::size_t>& in_use() {
  static auto* const map = new std::map<int, std::size_t>;
  return *map;
}
constexpr int none = -1;
int open_device = none;

constexpr unsigned char border = 0xA5;
constexpr std::size_t border_bytes = 64;  // that are checked before an allocation; behind it, up to the closed page

std::size_t rounded(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

void open_instead(int device) {
  if (device == open_device) return;
  for (auto const& [begin, block] : blocks())
    if (block.device == device || block.device == open_device)
      mprotect(block.mapping, block.mapped, block.device == device ? PROT_READ | PROT_WRITE : PROT_NONE);
  open_device = device;
}

bool intact(const unsigned char* from, const unsigned char* to) {
  return std::all_of(from, to, [](unsigned char value) { return value == border; });
}

}  // namespace

std::size_t& memory_bytes() {
  static std::size_t bytes = std::size_t{1} << 30;
  return bytes;
}
std::size_t memory_in_use(int device) { return in_use()[device]; }

int& selected() {
  thread_local int device = 0;
  return device;
}

void* allocate(std::size_t bytes) {
  if (bytes > memory_bytes() || memory_in_use(selected()) > memory_bytes() - bytes) return nullptr;
  auto const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::size_t const mapped = rounded(rounded(bytes, 16) + border_bytes, page);
  void* const base = mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  auto* const mapping = static_cast<std::byte*>(base);
  std::byte* const begin = mapping + mapped - rounded(bytes, 16);
  std::memset(begin - border_bytes, border, border_bytes);
  std::memset(begin, options().poison, bytes);
  std::memset(begin + bytes, border, rounded(bytes, 16) - bytes);
  mprotect(mapping + mapped, page, PROT_NONE);
  if (open_device != selected()) mprotect(mapping, mapped, PROT_NONE);
  blocks().insert({begin, {mapping, mapped, bytes, selected()}});
  in_use()[selected()] += bytes;
  return begin;
}

void deallocate(void* memory) {
  auto const found = blocks().find(static_cast<const std::byte*>(memory));
  require(found != blocks().end(), "device memory: given an address to free that no allocation begins at");
  munmap(found->second.mapping, found->second.mapped + static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  in_use()[found->second.device] -= found->second.bytes;
  blocks().erase(found);
}

int device_of(void* memory) {
  auto const found = blocks().find(static_cast<const std::byte*>(memory));
  require(found != blocks().end(), "device memory: given an address that no allocation begins at");
  return found->second.device;
}

Allocation allocation_of(const void* address) {
  auto const* const at = static_cast<const std::byte*>(address);
  auto next = blocks().upper_bound(at);
  if (next == blocks().begin()) return {};
  auto const& [begin, block] = *std::prev(next);
  if (at >= begin + block.bytes || (open_device != none && block.device != open_device)) return {};
  return {const_cast<std::byte*>(begin), block.bytes};
}

void check_range(const char* operation, const void* begin, std::size_t bytes) {
  if (bytes == 0) return;
  auto const* const from = static_cast<const std::byte*>(begin);
  Allocation const holds = allocation_of(begin);
  require(holds.bytes > 0, operation, ": given an address that is not in device memory");
  auto const left = static_cast<std::size_t>(holds.begin + holds.bytes - from);
  require(bytes <= left, operation, ": given ", bytes, " bytes where the allocation has ", left);
}

void check_borders(const char* operation) {
  for (auto const& [begin, block] : blocks()) {
    if (block.device != open_device) continue;
    auto const* const first = reinterpret_cast<const unsigned char*>(begin);
    bool const before = intact(first - border_bytes, first);
    bool const behind = intact(first + block.bytes, first + rounded(block.bytes, 16));
    if (before && behind) continue;
    std::memset(const_cast<std::byte*>(begin) - border_bytes, border, border_bytes);
    std::memset(const_cast<std::byte*>(begin) + block.bytes, border, rounded(block.bytes, 16) - block.bytes);
    fail(operation, ": wrote ", before ? "behind the end of" : "in front of", " an allocation of ", block.bytes,
         " bytes");
  }
}

OpenMemory::OpenMemory(int device) : before_(open_device) { open_instead(device); }
OpenMemory::~OpenMemory() { open_instead(before_); }

}  // namespace stipple::cuda::simulation
