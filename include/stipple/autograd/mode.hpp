// Training or evaluation: layers such as dropout and batch norm behave differently.
#pragma once

#include <utility>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

namespace autograd {
STIPPLE_INLINE Rng*& training_rng();
/// True while a checkpoint runs its part of the network a second time.
STIPPLE_INLINE bool& recomputing_flag();
}  // namespace autograd

/// While one lives, layers of this thread are in training mode and dropout takes its masks from `rng`. Without one
/// they evaluate, so sampling needs no switch.
class Training {
 public:
  explicit Training(Rng& rng) : before_(std::exchange(autograd::training_rng(), &rng)) {}
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;
  ~Training() { autograd::training_rng() = before_; }

 private:
  Rng* before_;
};

/// True while a Training lives in this thread.
STIPPLE_INLINE bool is_training();

}  // namespace stipple

#if STIPPLE_DEFINES(autograd) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple::autograd {

STIPPLE_INLINE Rng*& training_rng() {
  thread_local Rng* rng = nullptr;
  return rng;
}

STIPPLE_INLINE bool& recomputing_flag() {
  thread_local bool flag = false;
  return flag;
}

}  // namespace stipple::autograd

namespace stipple {

STIPPLE_INLINE bool is_training() { return autograd::training_rng() != nullptr; }

}  // namespace stipple

#endif
