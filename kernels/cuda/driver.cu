// The driver on the CUDA runtime.
#include "driver.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include <cuda_runtime.h>

#include <stipple/core/error.hpp>

#include "launch.cuh"

namespace stipple::cuda {

namespace {

void check(cudaError_t status, const char* operation) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // so that errors which do not break the context are reported once
  fail("cuda: ", operation, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

cudaStream_t stream_of(driver::StreamHandle stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(driver::EventHandle event) { return static_cast<cudaEvent_t>(event); }

// What was freed while its stream recorded: replays use it, so it is given back with the stream.
struct KeptMemory {
  std::mutex mutex;
  std::map<cudaStream_t, std::vector<void*>> of_stream;
};
KeptMemory& kept_memory() {
  static auto* const one = new KeptMemory;
  return *one;
}

std::string version_text(int version) { return to_text(version / 1000) + "." + to_text(version % 1000 / 10); }

}  // namespace

void check_launch(const char* operation, cudaError_t status) { check(status, operation); }

}  // namespace stipple::cuda

namespace stipple::cuda::driver {

std::string why_unavailable() {
  int devices = 0, driver = 0, runtime = 0;
  cudaError_t const status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0) return {};
  (void)cudaGetLastError();
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    return "cuda: no NVIDIA driver is installed, wanted one for a GPU of compute capability 8.0 or later";
  if (status == cudaErrorInsufficientDriver && cudaRuntimeGetVersion(&runtime) == cudaSuccess)
    return "cuda: the driver supports CUDA " + version_text(driver) + ", wanted at least " + version_text(runtime);
  if (status == cudaSuccess || status == cudaErrorNoDevice) return "cuda: the driver finds no GPU";
  return std::string("cuda: the GPUs cannot be used: ") + cudaGetErrorString(status);
}

int device_count() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

DeviceDescription describe(int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "describe the device");
  return {properties.name,           properties.major,
          properties.minor,          properties.multiProcessorCount,
          properties.totalGlobalMem, 0};
}
std::size_t free_bytes(int device) {
  int selected = 0;
  check(cudaGetDevice(&selected), "ask for the selected device");
  OnDevice const there(device, selected);
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "measure the memory");
  return free;
}
void select_device(int device) { check(cudaSetDevice(device), "select the device"); }

bool allocates_exactly() {
  const char* const wanted = std::getenv("STIPPLE_CUDA_EXACT_MEMORY");
  return wanted != nullptr && std::string_view(wanted) == "1";
}
void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  cudaError_t const status = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));  // of 0 bytes it gives null
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return nullptr;
  }
  check(status, "allocate memory");
  return memory;
}
// At the end of the process the runtime may be gone: nothing is left to do then.
void deallocate(void* memory) noexcept { (void)cudaFree(memory); }
void deallocate_in_order(void* memory, StreamHandle stream) noexcept {
  cudaStreamCaptureStatus state = cudaStreamCaptureStatusNone;
  (void)cudaStreamIsCapturing(stream_of(stream), &state);
  if (state != cudaStreamCaptureStatusNone) {
    std::lock_guard const lock(kept_memory().mutex);
    kept_memory().of_stream[stream_of(stream)].push_back(memory);
    return;
  }
  (void)cudaStreamSynchronize(stream_of(stream));
  (void)cudaFree(memory);
}

StreamHandle create_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create a stream");
  return stream;
}
void destroy_stream(StreamHandle stream) noexcept {
  (void)cudaStreamDestroy(stream_of(stream));
  std::lock_guard const lock(kept_memory().mutex);
  auto const kept = kept_memory().of_stream.extract(stream_of(stream));
  if (kept.empty()) return;
  for (void* const memory : kept.mapped()) (void)cudaFree(memory);
}
void synchronize(StreamHandle stream) { check(cudaStreamSynchronize(stream_of(stream)), "wait for the stream"); }
void synchronize_device() { check(cudaDeviceSynchronize(), "wait for the device"); }

EventHandle create_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
  return event;
}
void destroy_event(EventHandle event) noexcept { (void)cudaEventDestroy(event_of(event)); }
void record(EventHandle event, StreamHandle stream) {
  check(cudaEventRecord(event_of(event), stream_of(stream)), "record an event");
}
void wait(StreamHandle stream, EventHandle event) {
  check(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0), "wait for an event");
}
void synchronize_event(EventHandle event) { check(cudaEventSynchronize(event_of(event)), "wait for an event"); }
bool has_passed(EventHandle event) {
  cudaError_t const status = cudaEventQuery(event_of(event));
  if (status == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return false;
  }
  check(status, "look at an event");
  return true;
}

void copy(const char* operation, void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(stream)), operation);
}
void copy_from_host(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(stream)), "copy to the device");
}
void copy_to_host(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(stream)), "copy to the host");
}

void* allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  if (cudaHostAlloc(&memory, bytes, cudaHostAllocDefault) == cudaSuccess) return memory;
  (void)cudaGetLastError();
  return nullptr;
}
void deallocate_pinned(void* memory) noexcept { (void)cudaFreeHost(memory); }
void copy_from_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  copy_from_host(to, from, bytes, stream);
}
void copy_to_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream) {
  copy_to_host(to, from, bytes, stream);
}

// Relaxed: memory may be taken from the device in a recording, which is not part of it.
void begin_recording(StreamHandle stream) {
  check(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeRelaxed), "begin a recording");
}
GraphHandle end_recording(StreamHandle stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_of(stream), &graph), "end a recording");
  cudaGraphExec_t executable = nullptr;
  cudaError_t const status = cudaGraphInstantiate(&executable, graph, 0);
  (void)cudaGraphDestroy(graph);
  check(status, "make a recording executable");
  return executable;
}
void abandon_recording(StreamHandle stream) noexcept {
  cudaGraph_t graph = nullptr;
  (void)cudaStreamEndCapture(stream_of(stream), &graph);
  if (graph != nullptr) (void)cudaGraphDestroy(graph);
  (void)cudaGetLastError();
}
void replay(GraphHandle graph, StreamHandle stream) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)), "replay a recording");
}
void destroy_graph(GraphHandle graph) noexcept { (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

}  // namespace stipple::cuda::driver
