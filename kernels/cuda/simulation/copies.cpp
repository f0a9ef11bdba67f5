#include "copies.hpp"

#include <cstring>

#include "executor.hpp"
#include "race_notes.hpp"

namespace stipple::cuda::simulation {

namespace {
constexpr std::size_t bytes = 16;
}

void Copies::begin(void* to, const void* from) {
  check_shared_vector(to, bytes);
  if (from != nullptr) check_device_vector(from, bytes);
  std::memset(to, options().poison, bytes);
  Quiet const quiet;
  copies_.push_back({to, from, groups_});
}

void Copies::end_group() {
  Quiet const quiet;
  ++groups_;
}

void Copies::wait(std::size_t pending) {
  std::size_t due = 0;
  {
    Quiet const quiet;
    while (due < copies_.size() && copies_[due].group + pending < groups_) ++due;
  }
  for (std::size_t i = 0; i < due; ++i) {
    Copy const copy = copies_[i];
    if (copy.from != nullptr)
      std::memcpy(copy.to, copy.from, bytes);
    else
      std::memset(copy.to, 0, bytes);
  }
  Quiet const quiet;
  copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(due));
}

void Copies::check_done() const {
  if (!copies_.empty()) fail_in_kernel("returns without having waited for its copies");
}

void Copies::forget() {
  copies_.clear();
  groups_ = 0;
}

}  // namespace stipple::cuda::simulation
