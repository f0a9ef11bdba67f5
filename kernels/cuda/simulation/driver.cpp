// The driver of the simulation: two devices, whose memory is host memory, and streams, which are queues.
#include "../driver.hpp"

#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <stipple/core/error.hpp>

#include "memory.hpp"
#include "streams.hpp"

namespace stipple::cuda::driver {

std::string why_unavailable() { return {}; }
int device_count() { return 2; }

DeviceDescription describe(int) { return {"simulated device", 9, 0, 4, simulation::memory_bytes(), 0}; }
std::size_t free_bytes(int device) { return simulation::memory_bytes() - simulation::memory_in_use(device); }
void select_device(int device) { simulation::selected() = device; }

bool allocates_exactly() { return true; }
void* allocate(std::size_t bytes) { return simulation::allocate(bytes); }
void deallocate(void* memory) noexcept {
  try {
    simulation::drain_device(simulation::device_of(memory));
  } catch (const Error&) {  // told to whoever synchronises
  }
  simulation::deallocate(memory);
}
void deallocate_in_order(void* memory, StreamHandle stream) noexcept { simulation::deallocate_in(stream, memory); }

StreamHandle create_stream() { return simulation::create_stream(); }
void destroy_stream(StreamHandle stream) noexcept { simulation::destroy_stream(stream); }
void synchronize(StreamHandle stream) { simulation::drain(stream); }
void synchronize_device() { simulation::drain_device(simulation::selected()); }

EventHandle create_event() { return simulation::create_event(); }
void destroy_event(EventHandle event) noexcept { simulation::destroy_event(event); }
void record(EventHandle event, StreamHandle stream) { simulation::record(event, stream); }
void wait(StreamHandle stream, EventHandle event) { simulation::wait(stream, event); }
void synchronize_event(EventHandle event) { simulation::drain_event(event); }
bool has_passed(EventHandle event) { return simulation::has_passed(event); }

void copy(const char* operation, void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  simulation::enqueue(stream, [=] {
    simulation::check_range(operation, from, bytes);
    simulation::check_range(operation, to, bytes);
    std::memcpy(to, from, bytes);
  });
}

void copy_from_host(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  auto const* const begin = static_cast<const std::byte*>(from);
  simulation::enqueue(stream, [to, kept = std::vector<std::byte>(begin, begin + bytes)] {
    simulation::check_range("copy to the device", to, kept.size());
    std::memcpy(to, kept.data(), kept.size());
  });
}

void copy_to_host(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  simulation::enqueue(stream, [=] {
    simulation::check_range("copy to the host", from, bytes);
    std::memcpy(to, from, bytes);
  });
}

void* allocate_pinned(std::size_t bytes) { return ::operator new(bytes, std::nothrow); }
void deallocate_pinned(void* memory) noexcept { ::operator delete(memory); }
// What is copied is what the memory holds when the stream comes to it.
void copy_from_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  simulation::enqueue(stream, [=] {
    simulation::check_range("copy to the device", to, bytes);
    std::memcpy(to, from, bytes);
  });
}

void copy_to_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  copy_to_host(to, from, bytes, stream);
}

void begin_recording(StreamHandle stream) { simulation::begin_recording(stream); }
GraphHandle end_recording(StreamHandle stream) { return simulation::end_recording(stream); }
void abandon_recording(StreamHandle stream) noexcept {
  simulation::destroy_recording(simulation::end_recording(stream));
}
void replay(GraphHandle graph, StreamHandle stream) { simulation::replay(graph, stream); }
void destroy_graph(GraphHandle graph) noexcept { simulation::destroy_recording(graph); }

}  // namespace stipple::cuda::driver
