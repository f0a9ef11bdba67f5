#include "streams.hpp"

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include <stipple/core/error.hpp>

#include "memory.hpp"

namespace stipple::cuda::simulation {

namespace {

struct Recording;
struct Moments {
  int device = selected();
  std::uint64_t recorded = 0, passed = 0;
};
struct Queue {
  struct Item {
    std::function<void()> work{};      // or
    std::shared_ptr<Moments> event{};  // a moment to record, or to wait for
    std::uint64_t moment = 0;
    bool waits = false;
  };
  int device = selected();
  bool is_default = false;
  std::deque<Item> items{};
  std::unique_ptr<Recording> recording{};  // takes the items while there is one

  void put(Item item);
};
// Items to be done again and again, and the memory that was freed among them.
struct Recording {
  std::vector<Queue::Item> items;
  std::vector<void*> memory;
  ~Recording() {
    for (void* const freed : memory) deallocate(freed);
  }
};
void Queue::put(Item item) {
  if (recording)
    recording->items.push_back(std::move(item));
  else
    items.push_back(std::move(item));
}

struct Streams {
  std::recursive_mutex mutex;
  std::vector<std::shared_ptr<Queue>> queues;
  std::uint64_t random = 0;
  Waits waits;
};
Streams& streams() {
  static auto* const one = new Streams;
  return *one;
}

using Lock = std::lock_guard<std::recursive_mutex>;

std::shared_ptr<Queue> queue_of(void* stream) {
  for (auto const& queue : streams().queues)
    if (stream == nullptr ? queue->is_default && queue->device == selected() : queue.get() == stream) return queue;
  require(stream == nullptr, "stream: given a handle that is no stream");
  auto const added = streams().queues.emplace_back(std::make_shared<Queue>());
  added->is_default = true;
  return added;
}

// The queue for work of the selected device.
std::shared_ptr<Queue> own_queue_of(void* stream) {
  auto const queue = queue_of(stream);
  require(queue->device == selected(), "stream: given work of device ", selected(), " for a stream of device ",
          queue->device);
  return queue;
}

std::shared_ptr<Moments>& moments_of(void* event) { return *static_cast<std::shared_ptr<Moments>*>(event); }

// Does the first operation of a queue; false if there is none or it has to wait.
bool advance(Queue& queue) {
  if (queue.items.empty()) return false;
  if (auto const& front = queue.items.front(); front.waits && front.event->passed < front.moment) return false;
  Queue::Item const item = std::move(queue.items.front());
  queue.items.pop_front();
  if (item.work) {
    OpenMemory const open(queue.device);
    item.work();
  }
  if (!item.waits && item.event) item.event->passed = item.moment;
  return true;
}

bool advance_any() {
  Streams& s = streams();
  s.random = s.random * 6364136223846793005u + 1442695040888963407u + options().seed;
  std::size_t const count = s.queues.size();
  auto const first = options().order == Order::shuffled ? static_cast<std::size_t>(s.random >> 33) % count : 0;
  for (std::size_t i = 0; i < count; ++i)
    if (advance(*s.queues[(first + i) % count])) return true;
  return false;
}

template <class Done>
void drain_until(std::int64_t& waits, const Done& done) {
  Lock const lock(streams().mutex);
  if (done()) return;
  ++waits;
  OpenMemory const open(selected());
  try {
    while (!done()) require(advance_any(), "streams: all wait for events that nothing records");
  } catch (...) {
    for (auto const& queue : streams().queues) {
      for (auto const& item : queue->items)
        if (item.event && !item.waits) item.event->passed = item.moment;
      queue->items.clear();
    }
    throw;
  }
}

}  // namespace

void enqueue(void* stream, Launch launch) {
  Lock const lock(streams().mutex);
  own_queue_of(stream)->put({.work = [launch = std::move(launch)] { run(launch); }});
}

void enqueue(void* stream, std::function<void()> work) {
  Lock const lock(streams().mutex);
  own_queue_of(stream)->put({.work = std::move(work)});
}

void deallocate_in(void* stream, void* memory) {
  Lock const lock(streams().mutex);
  auto const queue = queue_of(stream);
  if (!queue->recording) return queue->put({.work = [=] { deallocate(memory); }});
  queue->put({.work = [=, bytes = allocation_of(memory).bytes] { std::memset(memory, options().poison, bytes); }});
  queue->recording->memory.push_back(memory);
}

void* create_stream() {
  Lock const lock(streams().mutex);
  return streams().queues.emplace_back(std::make_shared<Queue>()).get();
}

void destroy_stream(void* stream) {
  Lock const lock(streams().mutex);
  auto const queue = queue_of(stream);
  try {
    drain(stream);
  } catch (const Error&) {  // a destructor has nobody to tell
  }
  std::erase(streams().queues, queue);
}

void* create_event() { return new std::shared_ptr<Moments>(std::make_shared<Moments>()); }
void destroy_event(void* event) { delete static_cast<std::shared_ptr<Moments>*>(event); }

void record(void* event, void* stream) {
  Lock const lock(streams().mutex);
  auto const& moments = moments_of(event);
  auto const queue = queue_of(stream);
  require(!queue->recording, "stream: given an event in a recording");
  require(moments->device == queue->device, "stream: given an event of another device");
  queue->put({.event = moments, .moment = ++moments->recorded});
}

void wait(void* stream, void* event) {
  Lock const lock(streams().mutex);
  auto const& moments = moments_of(event);
  auto const queue = queue_of(stream);
  require(!queue->recording, "stream: given a wait in a recording");
  queue->put({.event = moments, .moment = moments->recorded, .waits = true});
}

void begin_recording(void* stream) {
  Lock const lock(streams().mutex);
  auto const queue = queue_of(stream);
  require(stream != nullptr && !queue->recording, "stream: the default stream, and one that records, cannot record");
  queue->recording = std::make_unique<Recording>();
}

void* end_recording(void* stream) {
  Lock const lock(streams().mutex);
  return queue_of(stream)->recording.release();
}

void replay(void* recording, void* stream) {
  Lock const lock(streams().mutex);
  auto const queue = own_queue_of(stream);
  for (auto const& item : static_cast<const Recording*>(recording)->items) queue->put(item);
}

void destroy_recording(void* recording) {
  Lock const lock(streams().mutex);
  delete static_cast<Recording*>(recording);
}

void drain(void* stream) {
  auto const queue = queue_of(stream);
  require(!queue->recording, "stream: the host waits for a stream that records");
  drain_until(streams().waits.for_streams, [&] { return queue->items.empty(); });
}

void drain_event(void* event) {
  auto const moments = moments_of(event);
  drain_until(streams().waits.for_moments, [&, moment = moments->recorded] { return moments->passed >= moment; });
}

void drain_device(int device) {
  drain_until(streams().waits.for_streams, [device] {
    for (auto const& queue : streams().queues)
      if (queue->device == device && !queue->items.empty()) return false;
    return true;
  });
}

bool has_passed(void* event) {
  Lock const lock(streams().mutex);
  auto const& moments = *moments_of(event);
  return moments.passed >= moments.recorded;
}

Waits waits() {
  Lock const lock(streams().mutex);
  return streams().waits;
}

}  // namespace stipple::cuda::simulation
