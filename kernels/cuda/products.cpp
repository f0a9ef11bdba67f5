#include <stipple/backend/cuda/products.hpp>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace stipple::cuda {

namespace {

bool environment_says(const char* name, std::string_view value) {
  const char* const given = std::getenv(name);
  return given != nullptr && given == value;
}

std::atomic<bool>& tf32_setting() {
  static std::atomic<bool> on = !environment_says("STIPPLE_CUDA_TF32", "0");
  return on;
}
std::atomic<bool>& autotune_setting() {
  static std::atomic<bool> on = environment_says("STIPPLE_CUDA_AUTOTUNE", "1");
  return on;
}

}  // namespace

void set_allow_tf32(bool on) { tf32_setting() = on; }
bool allow_tf32() { return tf32_setting(); }
void set_autotune(bool on) { autotune_setting() = on; }
bool autotune() { return autotune_setting(); }

}  // namespace stipple::cuda
