// Pinned host memory for small copies that the host does not wait for.
#pragma once

#include <cstddef>
#include <memory>

#include <stipple/backend/cuda/runtime.hpp>

namespace stipple::cuda {

/// Pinned memory, and the moment at which the last copy from it or to it is done.
struct PinnedSlot {
  void* memory;
  Event copied;

  /// Throws Error when the system gives no more.
  explicit PinnedSlot(std::size_t bytes);
  PinnedSlot(const PinnedSlot&) = delete;
  PinnedSlot& operator=(const PinnedSlot&) = delete;
  ~PinnedSlot();
};

/// The two sizes of slots, in bytes: for a number on its way to the host, and for what an operation brings from there.
inline constexpr std::size_t number_slot = 8, settings_slot = 16 * 1024;

/// A slot of the selected device whose last copy is done. Its end gives it back.
std::shared_ptr<PinnedSlot> take_pinned_slot(std::size_t bytes);

}  // namespace stipple::cuda
