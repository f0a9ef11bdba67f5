// Device memory of one operation, given back in the order of the stream.
#pragma once

#include <stipple/core/shape.hpp>
#include <stipple/tensor/cuda_memory.hpp>

namespace stipple::cuda {

template <class T>
class Workspace {
 public:
  explicit Workspace(Index n)
      : device_(Memory<Cuda>::selected_device()),
        bytes_(static_cast<std::size_t>(n) * sizeof(T)),
        data_(static_cast<T*>(Memory<Cuda>::allocate(bytes_))) {}
  ~Workspace() { Memory<Cuda>::deallocate(data_, bytes_, device_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() { return data_; }

 private:
  int device_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace stipple::cuda
