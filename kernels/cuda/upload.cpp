#include <stipple/backend/cuda/upload.hpp>

#include <array>
#include <cstring>

#include <stipple/core/error.hpp>

#include "driver.hpp"
#include "graph.hpp"

namespace stipple::cuda {

namespace {

// Pinned memory, and the moment at which the copy from it is done.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { driver::deallocate_pinned(memory_); }

  /// Copies to the buffer, after the last copy from it, and from there to the device.
  void copy(void* to, const void* from, std::size_t bytes, const Stream& stream) {
    copied.synchronize();
    if (bytes > bytes_) {
      driver::deallocate_pinned(memory_);
      memory_ = nullptr;
      bytes_ = 0;
      memory_ = driver::allocate_pinned(bytes);
      require(memory_ != nullptr, "upload: wanted ", bytes,
              " bytes of pinned host memory, which the system does not give");
      bytes_ = bytes;
    }
    std::memcpy(memory_, from, bytes);
    driver::copy_from_pinned(to, memory_, bytes, stream.handle());
    stream.record(copied);
  }

  Event copied;

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

struct Upload::State {
  std::array<Buffer, 2> buffers;
  Stream stream;  // ends, and is waited for, before the buffers do
  std::size_t next = 0;
};

Upload::Upload() : state_(std::make_unique<State>()) {}
Upload::Upload(Upload&&) noexcept = default;
Upload& Upload::operator=(Upload&&) noexcept = default;
Upload::~Upload() = default;

const Stream& Upload::stream() const { return state_->stream; }

void Upload::copy(void* to, const void* from, std::size_t bytes) {
  refuse_to_record("an upload copies from the host");
  auto& buffer = state_->buffers[state_->next];
  state_->next = 1 - state_->next;
  buffer.copy(to, from, bytes, state_->stream);
  driver::wait(current_stream(), buffer.copied.handle());
  after_launch("upload");
}

}  // namespace stipple::cuda
