// Streams of the simulation: queues that do nothing until the host waits, and then advance one operation at a time in
// an order that the seed of the executor's options chooses. Work that misses an event wait meets its data in any state.
#pragma once

#include <cstdint>
#include <functional>

#include "executor.hpp"

namespace stipple::cuda::simulation {

// A stream and an event belong to the device that is selected when they are made. Null is the default stream of the
// selected device. Work of another device, and its event to record, are errors.

/// Puts a kernel into a stream.
void enqueue(void* stream, Launch launch);
/// Puts something else into a stream.
void enqueue(void* stream, std::function<void()> work);

/// Frees device memory after what the stream holds now. In a recording it is freed with the recording; replays fill it
/// with the pattern of fresh memory there.
void deallocate_in(void* stream, void* memory);

void* create_stream();
/// What the stream holds is still done.
void destroy_stream(void* stream);
void* create_event();
void destroy_event(void* event);
void record(void* event, void* stream);
void wait(void* stream, void* event);

/// What is put into the stream is kept instead, until `end_recording`.
void begin_recording(void* stream);
void* end_recording(void* stream);
/// Puts what was kept into a stream, as often as it is called.
void replay(void* recording, void* stream);
void destroy_recording(void* recording);

/// Advances streams until this one, or all of a device, are empty. Throws the Error of the first operation that fails;
/// what the streams still hold is dropped then.
void drain(void* stream);
void drain_event(void* event);
void drain_device(int device);
/// True if the event was not recorded, or its last moment is behind the stream.
bool has_passed(void* event);

/// How often the host had to wait so far: until a stream, or all of a device, were empty, and for moments in one.
struct Waits {
  std::int64_t for_streams = 0, for_moments = 0;
};
Waits waits();

}  // namespace stipple::cuda::simulation
