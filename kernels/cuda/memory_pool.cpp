#include "memory_pool.hpp"

#include <iterator>

#include <stipple/core/error.hpp>

namespace stipple::cuda {

namespace {
constexpr std::size_t unit = 512;  // of all sizes, and the alignment
constexpr std::size_t mebibyte = 1024 * 1024;
}  // namespace

void* Pool::allocate(std::size_t bytes, driver::StreamHandle stream) {
  std::lock_guard const lock(mutex_);
  return exact_ ? take_exactly(bytes, stream) : take(rounded(bytes), stream);
}

void* Pool::take_exactly(std::size_t bytes, driver::StreamHandle stream) {
  auto* const memory = static_cast<std::byte*>(from_device(bytes, bytes));
  blocks_.insert({memory, {bytes, stream, true, true}});
  report_.in_use += bytes;
  report_.peak = std::max(report_.peak, report_.in_use);
  return memory;
}

void* Pool::take(std::size_t bytes, driver::StreamHandle stream) {
  auto& candidates = free_[stream];
  auto found = candidates.lower_bound({bytes, nullptr});
  if (found == candidates.end()) {
    std::size_t const segment = segment_bytes(bytes);
    auto* const memory = static_cast<std::byte*>(from_device(segment, bytes));
    insert_free(blocks_.insert({memory, {segment, stream, false, true}}).first);
    found = candidates.lower_bound({bytes, nullptr});
  }
  auto const block = blocks_.find(found->second);
  erase_free(block);
  if (block->second.bytes > bytes) {
    insert_free(blocks_.insert({block->first + bytes, {block->second.bytes - bytes, stream, false, false}}).first);
    block->second.bytes = bytes;
  }
  block->second.in_use = true;
  report_.in_use += bytes;
  report_.peak = std::max(report_.peak, report_.in_use);
  return block->first;
}

void* Pool::from_device(std::size_t bytes, std::size_t wanted) {
  void* memory = driver::allocate(bytes);
  if (memory == nullptr) {
    release_segments();
    memory = driver::allocate(bytes);
  }
  if (memory == nullptr) {
    auto const device = describe_device(selected_device());
    fail("cuda: out of memory: wanted ", wanted, " bytes; ", report_.in_use, " bytes are in use, ", report_.reserved,
         " are held and ", device.free_bytes, " of ", device.total_bytes, " are free on the device");
  }
  report_.reserved += bytes;
  return memory;
}

void Pool::deallocate(void* memory, driver::StreamHandle current) noexcept {
  std::lock_guard const lock(mutex_);
  auto const block = blocks_.find(static_cast<std::byte*>(memory));
  auto const recording = postponed_.find(current);
  if (recording != postponed_.end() && block->second.stream != current)
    recording->second.push_back(block->first);
  else
    free_block(block, current);
}

void Pool::deallocate(void* memory) noexcept {
  std::lock_guard const lock(mutex_);
  auto const block = blocks_.find(static_cast<std::byte*>(memory));
  free_block(block, block->second.stream);
}

void Pool::free_block(Blocks::iterator block, driver::StreamHandle current) noexcept {
  void* const memory = block->first;
  driver::StreamHandle const owner = block->second.stream;
  report_.in_use -= block->second.bytes;
  if (current != owner) {
    try {
      driver::EventHandle const used = driver::create_event();
      driver::record(used, current);
      driver::wait(owner, used);
      driver::destroy_event(used);
    } catch (const Error&) {  // the device is lost, and with it what the memory was used for
    }
  }
  if (exact_) {
    report_.reserved -= block->second.bytes;
    blocks_.erase(block);
    driver::deallocate_in_order(memory, owner);
    return;
  }
  block->second.in_use = false;
  if (merges_with_next(block)) {
    auto const next = std::next(block);
    erase_free(next);
    block->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (block != blocks_.begin() && !std::prev(block)->second.in_use && merges_with_next(std::prev(block))) {
    auto const previous = std::prev(block);
    erase_free(previous);
    previous->second.bytes += block->second.bytes;
    blocks_.erase(block);
    block = previous;
  }
  insert_free(block);
}

// Segments are never merged, nor memory of two streams.
bool Pool::merges_with_next(Blocks::iterator block) {
  auto const next = std::next(block);
  return next != blocks_.end() && !next->second.in_use && !next->second.begins_segment &&
         next->second.stream == block->second.stream;
}

void Pool::retire(driver::StreamHandle stream) {
  std::lock_guard const lock(mutex_);
  for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
    if (block->second.stream != stream) continue;
    if (!exact_ && !block->second.in_use) erase_free(block);
    block->second.stream = nullptr;
    if (!exact_ && !block->second.in_use) insert_free(block);
  }
  free_.erase(stream);
  replayed_.erase(stream);
}

void Pool::begin_recording(driver::StreamHandle stream) {
  std::lock_guard const lock(mutex_);
  replayed_.insert(stream);
  postponed_[stream];
}

void Pool::end_recording(driver::StreamHandle stream) {
  std::lock_guard const lock(mutex_);
  for (std::byte* const memory : postponed_[stream]) {
    auto const block = blocks_.find(memory);
    free_block(block, block->second.stream);
  }
  postponed_.erase(stream);
}

void Pool::release_unused() {
  std::lock_guard const lock(mutex_);
  release_segments();
}

void Pool::release_segments() {
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    auto const next = std::next(block);
    bool const whole = block->second.begins_segment && (next == blocks_.end() || next->second.begins_segment);
    if (!block->second.in_use && whole && !replayed_.contains(block->second.stream)) {
      erase_free(block);
      report_.reserved -= block->second.bytes;
      driver::deallocate(block->first);
      blocks_.erase(block);
    }
    block = next;
  }
}

MemoryReport Pool::report() const {
  std::lock_guard const lock(mutex_);
  return report_;
}

void Pool::reset_peak() {
  std::lock_guard const lock(mutex_);
  report_.peak = report_.in_use;
}

std::size_t Pool::rounded(std::size_t bytes) { return bytes == 0 ? unit : (bytes + unit - 1) / unit * unit; }

// Small requests share segments; large ones have segments of a few MiB to spare.
std::size_t Pool::segment_bytes(std::size_t bytes) {
  if (bytes <= mebibyte) return 2 * mebibyte;
  if (bytes <= 16 * mebibyte) return 32 * mebibyte;
  return (bytes + 2 * mebibyte - 1) / (2 * mebibyte) * (2 * mebibyte);
}

void Pool::insert_free(Blocks::iterator block) {
  free_[block->second.stream].insert({block->second.bytes, block->first});
}
void Pool::erase_free(Blocks::iterator block) {
  free_[block->second.stream].erase({block->second.bytes, block->first});
}

}  // namespace stipple::cuda
