#include "shared_library.hpp"

#include <cstdlib>

#include <dlfcn.h>

#include <stipple/core/error.hpp>

namespace stipple::cuda::products {

namespace {

std::string last_error() {
  const char* const text = dlerror();
  return text == nullptr ? "the loader does not say why" : text;
}

}  // namespace

std::string SharedLibrary::file() const { return std::string(stem_) + ".so." + to_text(version_); }

void* SharedLibrary::load() {
  std::lock_guard const lock(mutex_);
  if (handle_ != nullptr) return handle_;
  if (before_ != nullptr) (void)before_->load();
  handle_ = dlopen(file().c_str(), RTLD_LAZY | RTLD_LOCAL);
  return handle_;
}

void* SharedLibrary::find(const char* function) {
  void* const handle = load();
  if (handle == nullptr) {
    auto const reason = last_error();
    const char* const folders = std::getenv("LD_LIBRARY_PATH");
    fail("cuda: ", file(), " of ", product_, " ", version_, " cannot be loaded: ", reason,
         "; looked in LD_LIBRARY_PATH (", folders == nullptr ? "not set" : folders,
         "), the run path of the program and the folders of the system; wanted ", product_, " ", version_,
         " installed, or its folder in LD_LIBRARY_PATH");
  }
  void* const address = dlsym(handle, function);
  if (address == nullptr)
    fail("cuda: ", file(), " has no function ", function, ": ", last_error(), "; wanted ", product_, " ", version_,
         " as new as the one that stipple::cuda was built with");
  return address;
}

}  // namespace stipple::cuda::products
