#include "executor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <vector>

#include <stipple/core/error.hpp>

#include "fiber.hpp"
#include "memory.hpp"
#include "race_notes.hpp"
#include "shared_array.hpp"

namespace stipple::cuda::simulation {

namespace {

enum class Wait { nothing, block, warp, done };

struct Thread {
  explicit Thread(unsigned number);
  unsigned linear;
  Position index;
  Wait wait = Wait::nothing;
  unsigned mask = 0;
  const char* operation = "";
  Copies copies{};
  std::unique_ptr<Fiber> fiber;
};

// Orders memory for ThreadSanitizer: what threads did before they arrived comes before what they do after they have
// departed, and before nothing else.
struct Meeting {
  char arrived = 0, departed = 0;
  void arrive() { release(&arrived); }
  void let_depart() {
    acquire(&arrived);
    release(&departed);
  }
  void depart() { acquire(&departed); }
};

struct Warp {
  alignas(16) unsigned char slot[32][exchange_bytes];
  Meeting meeting;
};

struct Executor {
  const Launch* launch = nullptr;
  Position block;
  std::deque<Thread> threads;  // as many as the largest block had; their fibers are used again
  std::size_t live = 0;        // of them belong to the launch
  std::vector<Warp> warps;
  std::deque<SharedArray> shared;
  Thread* current = nullptr;
  int votes = 0, vote_result = 0;
  std::exception_ptr error;
  std::uint64_t random = 0;
  Meeting beginning, barrier, end;
};

Executor& executor() {
  static auto* const one = new Executor;
  return *one;
}

// Numbers below n; a generator of its own, so that every platform takes the same orders.
std::size_t random_below(std::size_t n) {
  auto& state = executor().random;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<std::size_t>((state >> 33) % n);
}

void arrange(std::vector<std::size_t>& order) {
  switch (options().order) {
    case Order::forward:
      break;
    case Order::reverse:
      std::reverse(order.begin(), order.end());
      break;
    case Order::shuffled:
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_below(i)]);
      break;
  }
}

std::vector<std::size_t> order_of(std::size_t n) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  arrange(order);
  return order;
}

void thread_body(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  Executor& e = executor();
  e.beginning.depart();
  try {
    e.launch->kernel();
    thread.copies.check_done();
  } catch (...) {
    e.error = std::current_exception();
  }
  e.end.arrive();
  Quiet const quiet;
  thread.wait = Wait::done;
}

Thread::Thread(unsigned number) : linear(number), fiber(std::make_unique<Fiber>(thread_body, this)) {}

std::string place() {
  Executor const& e = executor();
  std::string text = std::string(e.launch->operation) + ": block (" + to_text(e.block.x) + ", " + to_text(e.block.y) +
                     ", " + to_text(e.block.z) + ")";
  if (e.current != nullptr) text += ", thread " + to_text(e.current->linear);
  return text + ": ";
}

[[noreturn]] void fail_for(Thread& thread, const std::string& text) {
  executor().current = &thread;
  fail_in_kernel(text);
}

void give_way() { executor().current->fiber->give_way(); }

// A fault of a kernel ends its thread and becomes an Error.
void on_fault(int signal) {
  Executor& e = executor();
  if (e.current == nullptr) {
    std::signal(signal, SIG_DFL);  // not the kernel's: it comes again, and ends the process
    return;
  }
  e.error = std::make_exception_ptr(Error(place() + "reads or writes outside of every allocation"));
  e.current->fiber->abandon();
}

// Takes faults as long as it lives. The handler has a stack of its own, because a fiber's may be what is full.
class FaultHandler {
 public:
  FaultHandler() {
    if (!Fiber::can_abandon) return;
    static std::vector<unsigned char> memory(64 * 1024);
    stack_t const stack{.ss_sp = memory.data(), .ss_flags = 0, .ss_size = memory.size()};
    sigaltstack(&stack, &stack_before_);
    struct sigaction action {};
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &segv_before_);
    sigaction(SIGBUS, &action, &bus_before_);
  }
  ~FaultHandler() {
    if (!Fiber::can_abandon) return;
    sigaction(SIGSEGV, &segv_before_, nullptr);
    sigaction(SIGBUS, &bus_before_, nullptr);
    sigaltstack(&stack_before_, nullptr);
  }
  FaultHandler(const FaultHandler&) = delete;
  FaultHandler& operator=(const FaultHandler&) = delete;

 private:
  stack_t stack_before_{};
  struct sigaction segv_before_ {
  }, bus_before_{};
};

// Lets every complete group of lanes that waits at one operation go on.
bool release_warps() {
  Executor& e = executor();
  bool released = false;
  for (std::size_t first = 0; first < e.live; first += 32) {
    for (std::size_t i = first; i < std::min(first + 32, e.live); ++i) {
      Thread& thread = e.threads[i];
      if (thread.wait != Wait::warp) continue;
      bool complete = true;
      for (std::size_t k = 0; k < 32; ++k) {
        if ((thread.mask >> k & 1u) == 0) continue;
        if (first + k >= e.live)
          fail_for(thread, std::string(thread.operation) + ": the mask names lane " + to_text(k) +
                               ", which the block does not have");
        Thread const& other = e.threads[first + k];
        if (other.wait == Wait::done)
          fail_for(thread, std::string(thread.operation) + ": waits for lane " + to_text(k) + ", which has returned");
        complete = complete && other.wait == Wait::warp && other.mask == thread.mask &&
                   std::string_view(other.operation) == thread.operation;
      }
      if (!complete) continue;
      released = true;
      e.warps[first / 32].meeting.let_depart();
      unsigned const mask = thread.mask;
      for (std::size_t k = 0; k < 32; ++k)
        if (mask >> k & 1u) e.threads[first + k].wait = Wait::nothing;
    }
  }
  return released;
}

// Lets the block go on from a barrier that all of its threads wait at.
void release_block() {
  Executor& e = executor();
  Thread* waiting = nullptr;
  Thread* elsewhere = nullptr;
  for (std::size_t i = 0; i < e.live; ++i) {
    Thread& thread = e.threads[i];
    (thread.wait == Wait::block ? waiting : elsewhere) = &thread;
  }
  if (elsewhere != nullptr) {
    Thread& stuck = waiting != nullptr ? *waiting : *elsewhere;
    fail_for(stuck, waiting == nullptr
                        ? std::string(stuck.operation) + ": lanes of its mask wait at different operations"
                        : "waits at a barrier that thread " + to_text(elsewhere->linear) +
                              (elsewhere->wait == Wait::done ? ", which has returned," : ", which waits elsewhere,") +
                              " does not reach");
  }
  e.vote_result = e.votes;
  e.votes = 0;
  e.barrier.let_depart();
  for (std::size_t i = 0; i < e.live; ++i) e.threads[i].wait = Wait::nothing;
}

void run_block() {
  Executor& e = executor();
  for (std::size_t i = 0; i < e.live; ++i) {
    e.threads[i].wait = Wait::nothing;
    e.threads[i].copies.forget();
  }
  if (e.launch->shared_bytes > 0) e.shared.emplace_back(nullptr, e.launch->shared_bytes);
  e.beginning.let_depart();
  auto order = order_of(e.live);
  for (std::size_t done = 0; done < e.live;) {
    arrange(order);
    bool ran = false;
    for (std::size_t i : order) {
      Thread& thread = e.threads[i];
      if (thread.wait != Wait::nothing) continue;
      e.current = &thread;
      thread.fiber->resume();
      if (e.error) std::rethrow_exception(e.error);
      e.current = nullptr;
      ran = true;
      if (thread.wait == Wait::done) ++done;
    }
    if (!release_warps() && !ran) release_block();
  }
  e.end.let_depart();
  for (SharedArray const& array : e.shared)
    require(array.intact(), place(), "wrote outside of a shared array of ", array.bytes(), " bytes");
  e.shared.clear();
}

// What a launch leaves behind when it fails: threads in the middle of their kernel.
void clean_up() {
  Executor& e = executor();
  e.barrier.let_depart();
  e.end.let_depart();
  for (Warp& warp : e.warps) warp.meeting.let_depart();
  for (Thread& thread : e.threads) thread.fiber->restart();
  e.shared.clear();
  e.error = nullptr;
  e.current = nullptr;
  e.launch = nullptr;
  e.votes = 0;
}

}  // namespace

Options& options() {
  static Options one;
  return one;
}

void run(const Launch& launch) {
  FaultHandler const handler;
  Quiet const quiet;
  Executor& e = executor();
  std::size_t const threads = launch.block.count();
  require(threads >= 1 && threads <= 1024, launch.operation, ": given a block of ", threads,
          " threads, wanted 1 to 1024");
  require(launch.grid.count() >= 1 && launch.grid.y <= 65535 && launch.grid.z <= 65535, launch.operation,
          ": given a grid of ", launch.grid.x, " x ", launch.grid.y, " x ", launch.grid.z, " blocks");
  require(launch.shared_bytes <= 227 * 1024, launch.operation, ": given ", launch.shared_bytes,
          " bytes of shared memory, wanted at most 232448");
  e.launch = &launch;
  e.live = threads;
  e.random = options().seed;
  while (e.threads.size() < threads) e.threads.emplace_back(static_cast<unsigned>(e.threads.size()));
  e.warps.resize((threads + 31) / 32);
  for (std::size_t i = 0; i < threads; ++i) {
    auto const n = static_cast<unsigned>(i);
    e.threads[i].index = {n % launch.block.x, n / launch.block.x % launch.block.y,
                          n / (launch.block.x * launch.block.y)};
  }
  try {
    for (std::size_t i : order_of(launch.grid.count())) {
      auto const n = static_cast<unsigned>(i);
      e.block = {n % launch.grid.x, n / launch.grid.x % launch.grid.y, n / (launch.grid.x * launch.grid.y)};
      run_block();
    }
    check_borders(launch.operation);
  } catch (...) {
    clean_up();
    throw;
  }
  e.launch = nullptr;
}

bool catches_faults() { return Fiber::can_abandon; }
bool reports_races() { return STIPPLE_FIBER_TSAN != 0; }

void fail_in_kernel(const std::string& text) { fail(place(), text); }

void check_vector(const void* address, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0)
    fail_in_kernel("accesses " + to_text(bytes) + " bytes at an address that is not a multiple of " + to_text(bytes));
}

void check_device_vector(const void* address, std::size_t bytes) {
  check_vector(address, bytes);
  Quiet const quiet;
  if (allocation_of(address).bytes == 0)
    fail_in_kernel("accesses memory of the device at an address that is not in it");
}

void check_shared_vector(const void* address, std::size_t bytes) {
  check_vector(address, bytes);
  Quiet const quiet;
  for (SharedArray const& array : executor().shared)
    if (array.holds(address)) return;
  fail_in_kernel("accesses shared memory at an address that is not in it");
}

const Position& thread_index() { return executor().current->index; }
const Position& block_index() { return executor().block; }
const Extents& block_extents() { return executor().launch->block; }
const Extents& grid_extents() { return executor().launch->grid; }
Copies& copies() { return executor().current->copies; }
unsigned lane() { return executor().current->linear % 32; }

void* shared_array(const void* site, std::size_t bytes) {
  Quiet const quiet;
  for (SharedArray& array : executor().shared)
    if (array.site() == site) return array.data();
  return executor().shared.emplace_back(site, bytes).data();
}

void* dynamic_shared() {
  Quiet const quiet;
  if (executor().launch->shared_bytes == 0)
    fail_in_kernel("uses dynamic shared memory, of which the launch named none");
  return executor().shared.front().data();
}

void block_barrier() {
  Executor& e = executor();
  e.barrier.arrive();
  {
    Quiet const quiet;
    e.current->wait = Wait::block;
  }
  give_way();
  e.barrier.depart();
}

int block_count(bool predicate) {
  {
    Quiet const quiet;
    executor().votes += predicate ? 1 : 0;
  }
  block_barrier();
  Quiet const quiet;
  return executor().vote_result;
}

void warp_barrier(unsigned mask, const char* operation) {
  Executor& e = executor();
  Thread& self = *e.current;
  if ((mask >> lane() & 1u) == 0) fail_at_lane(operation, mask, lane());
  Warp& warp = e.warps[self.linear / 32];
  warp.meeting.arrive();
  {
    Quiet const quiet;
    self.mask = mask;
    self.operation = operation;
    self.wait = Wait::warp;
  }
  give_way();
  warp.meeting.depart();
}

void* exchange_slot(unsigned from) { return executor().warps[executor().current->linear / 32].slot[from]; }

void fail_at_lane(const char* operation, unsigned mask, unsigned from) {
  fail_in_kernel(std::string(operation) + ": lane " + to_text(from) + " is not in the mask " + to_text(mask));
}

}  // namespace stipple::cuda::simulation
