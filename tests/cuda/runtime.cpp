// Streams, events, memory and errors of the CUDA runtime, on the simulation.
#include <memory>

#include <stipple/backend/cuda/graph.hpp>
#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/backend/cuda/upload.hpp>
#include <stipple/tensor/tensor.hpp>

#include "capability.hpp"
#include "check.hpp"
#include "launch.cuh"
#include "memory_pool.hpp"
#include "orders.hpp"
#include "simulation/memory.hpp"
#include "slabs.cuh"
#include "sums.cuh"

using namespace stipple;
using namespace stipple::cuda;

namespace {

__global__ void triple(float* x, int n) {
  if (static_cast<int>(threadIdx.x) < n) x[threadIdx.x] *= 3;
}

__global__ void fail_at_once(float* x) { store_quad(x + 1, Quad{}); }

// Work on one stream, then on another: right only if the second waits for the first.
bool tripled_after_copy(bool with_event) {
  Tensor<float, Cuda> x({64}, 0), result({64}, 0);
  Tensor<float, Cuda> const twos({64}, 2);
  synchronize();
  Stream copying, computing;
  Event copied;
  {
    CurrentStream const current(copying);
    x.copy_from(twos);
    copying.record(copied);
  }
  if (with_event) computing.wait(copied);
  {
    CurrentStream const current(computing);
    launch("triple", triple, {dim3(1), dim3(64)}, x.data().address(), 64);
    result.copy_from(x);
  }
  computing.synchronize();
  return to<Cpu>(result).span()[63] == 6;
}

}  // namespace

TEST_CASE("Runtime: a stream waits for an event, and a missing wait shows", "[runtime]") {
  auto const before = simulation::options();
  int wrong = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    simulation::options().seed = seed;
    REQUIRE(tripled_after_copy(true));
    wrong += tripled_after_copy(false) ? 0 : 1;
  }
  simulation::options() = before;
  REQUIRE(wrong > 0);
}

TEST_CASE("Runtime: the host waits for an event alone", "[runtime]") {
  Tensor<float, Cuda> x({1}, 1);
  Stream stream;
  Event event;
  synchronize();
  CurrentStream const current(stream);
  x.fill(5);
  stream.record(event);
  event.synchronize();
  REQUIRE(x.item() == 5);
}

TEST_CASE("Runtime: memory outlives the work that uses it", "[runtime]") {
  for_each_order([] {
    Tensor<float, Cuda> kept({64}, 0);
    Stream other;
    Tensor<float, Cuda> shortlived({64}, 4);
    synchronize();
    {
      CurrentStream const current(other);
      kept.copy_from(shortlived);
      shortlived = {};  // before anything ran
    }
    Tensor<float, Cuda> const next({64}, 9);  // would be given the memory of `shortlived` too early
    other.synchronize();
    synchronize();
    REQUIRE(to<Cpu>(kept).span()[63] == 4);
  });
}

TEST_CASE("Runtime: the report counts bytes of live tensors", "[runtime]") {
  synchronize();
  auto const before = memory_report();
  reset_peak_memory();
  {
    Tensor<float, Cuda> const x({1000}, 0);
    REQUIRE(memory_report().in_use == before.in_use + 4000);
  }
  REQUIRE(memory_report().in_use == before.in_use);
  REQUIRE(memory_report().peak == before.in_use + 4000);
}

TEST_CASE("Runtime: too little memory is an error that names the sizes", "[runtime]") {
  synchronize();
  std::size_t const before = simulation::memory_bytes();
  simulation::memory_bytes() = simulation::memory_in_use() + 10000;
  auto const in_use = memory_report().in_use;
  require_error([] { Tensor<float, Cuda>({3000}); },
                "cuda: out of memory: wanted 12000 bytes; " + to_text(in_use) + " bytes are in use");
  require_error([] { Tensor<float, Cuda>({3000}); }, "10000 of ");
  REQUIRE_NOTHROW(Tensor<float, Cuda>({2500}));
  simulation::memory_bytes() = before;
}

TEST_CASE("Runtime: an error belongs to the operation that caused it", "[runtime]") {
  Tensor<float, Cuda> x({64}, 1);
  synchronize();
  launch("first", fail_at_once, {dim3(1), dim3(1)}, x.data().address());
  require_error([&] { (void)x.slice(0, 1).item(); }, "first: block (0, 0, 0), thread 0: ");
  set_debug(true);
  require_error([&] { launch("second", fail_at_once, {dim3(1), dim3(1)}, x.data().address()); }, "second: block");
  set_debug(false);
  REQUIRE(x.slice(0, 1).item() == 1);
}

TEST_CASE("Runtime: devices are described, and a wrong one is an error", "[runtime]") {
  REQUIRE(why_unavailable().empty());
  REQUIRE(device_count() == 2);
  REQUIRE(describe_device(0).multiprocessors == multiprocessors());
  REQUIRE_NOTHROW(select_device(0));
  require_error([] { select_device(2); }, "select_device: given device 2, wanted one of 2");
  require_error([] { (void)describe_device(-1); }, "describe_device: given device -1, wanted one of 2");
}

TEST_CASE("Runtime: a device that the kernels are not compiled for is told apart", "[runtime]") {
  REQUIRE(why_unsupported(0, {"A100", 8, 0}).empty());
  REQUIRE(why_unsupported(0, {"B200", 10, 0}).empty());
  REQUIRE(why_unsupported(1, {"V100", 7, 2}) ==
          "cuda: device 1, V100, has compute capability 7.2, wanted 8.0 or later");
  REQUIRE(why_unsupported(0, {"H200", 9, 0}, "90-real").empty());
  REQUIRE(why_unsupported(0, {"A100", 8, 0}, "90-real") ==
          "cuda: device 0, A100, has compute capability 8.0, but this stipple::cuda is compiled for 90-real "
          "(CMAKE_CUDA_ARCHITECTURES) alone");
  constexpr const char* shipped = "80-real,90-real,100";
  for (auto const& [major, minor] : {std::pair(8, 0), {8, 6}, {8, 9}, {9, 0}, {10, 0}, {10, 3}, {12, 0}, {12, 1}})
    REQUIRE(runs_on(shipped, major, minor));
  REQUIRE_FALSE(runs_on("86-real", 8, 0));
  REQUIRE_FALSE(runs_on("80-real,100-real", 9, 0));
  REQUIRE_FALSE(runs_on("80-real,90a", 10, 0));
  REQUIRE_FALSE(runs_on("100-virtual", 9, 0));
  REQUIRE(runs_on("90a", 9, 0));
  REQUIRE(runs_on("80-virtual", 12, 0));
  REQUIRE(runs_on("native", 9, 0));
}

TEST_CASE("Runtime: tensors of several devices do not mix", "[runtime]") {
  Tensor<float, Cuda> first({4}, 1), freed_elsewhere({4}, 2);
  select_device(1);
  auto const in_use = memory_report().in_use;
  {
    Tensor<float, Cuda> second({4}, 3);
    REQUIRE(memory_report().in_use == in_use + 16);
    require_error([&] { second.copy_from(first); },
                  "tensor: given one of shape (4) on device 0 while device 1 is selected");
    require_error([&] { (void)to<Cpu>(first); }, "on device 0 while device 1 is selected");
    require_error([&] { first.fill(2); }, "on device 0 while device 1 is selected");
    REQUIRE(to<Cpu>(second).span()[3] == 3);
    freed_elsewhere = {};
  }
  REQUIRE(memory_report().in_use == in_use);
  select_device(0);
  REQUIRE(to<Cpu>(first).span()[3] == 1);
}

TEST_CASE("Runtime: streams and what has one end on their own device", "[runtime]") {
  synchronize();
  auto const before = memory_report().in_use;
  {
    Tensor<float, Cuda> of_stream, uploaded, x({4}, 1);
    auto stream = std::make_unique<Stream>();
    auto graph = std::make_unique<Graph>();
    auto upload = std::make_unique<Upload>();
    {
      CurrentStream const current(*stream);
      of_stream = Tensor<float, Cuda>({4}, 3);
    }
    uploaded = (*upload)(Tensor<float>({4}, 2));
    graph->record([&] { x.copy_from(uploaded); });
    graph->replay();
    Event replayed;
    driver::record(replayed.handle(), nullptr);
    select_device(1);
    require_error([&] { CurrentStream const current(*stream); }, "stream: given one of device 0 while device 1");
    require_error([&] { stream->record(*std::make_unique<Event>()); },
                  "stream: given an event of device 1 in a stream of device 0");
    require_error([&] { (void)(*upload)(Tensor<float>({4}, 2)); }, "stream: given one of device 0 while device 1");
    require_error([&] { graph->replay(); }, "cuda graph: given a recording of device 0 while device 1 is selected");
    graph.reset();
    REQUIRE(driver::has_passed(replayed.handle()));  // it was waited for where it was replayed
    stream.reset();
    upload.reset();
    select_device(0);
    REQUIRE(to<Cpu>(x).span()[3] == 2);
  }
  synchronize();
  REQUIRE(memory_report().in_use == before);
  Graph graph;
  require_error([&] { graph.record([] { select_device(1); }); }, "the choice of a device, which cannot be recorded");
}

TEST_CASE("Runtime: a current stream ends with the device that it is of", "[runtime]") {
  {
    Stream outer, inner;
    CurrentStream const current(outer);
    {
      CurrentStream const within(inner);
      select_device(1);
      REQUIRE(current_stream() == nullptr);
    }
    REQUIRE(current_stream() == nullptr);
    REQUIRE(to<Cpu>(Tensor<float, Cuda>({4}, 3)).span()[0] == 3);
  }
  REQUIRE(current_stream() == nullptr);
  select_device(0);
}

TEST_CASE("Runtime: work of another device, or on its memory, is an error", "[runtime]") {
  Tensor<float, Cuda> x({64}, 1);
  float* const address = x.data().address();
  Stream stream;
  synchronize();
  select_device(1);
  require_error([&] { driver::copy("copy", address, address, 4, stream.handle()); },
                "stream: given work of device 1 for a stream of device 0");
  require_error([&] { driver::copy("copy", address, address, 4, nullptr), synchronize(); }, "not in device memory");
  if (simulation::catches_faults()) {
    launch("triple", triple, {dim3(1), dim3(64)}, address, 64);
    require_error([] { synchronize(); }, "triple: block (0, 0, 0), thread ");
  }
  REQUIRE(describe_device(1).free_bytes == simulation::memory_bytes() - simulation::memory_in_use(1));
  select_device(0);
}

TEST_CASE("Runtime: work for more blocks than a grid has is an error", "[runtime]") {
  require_error([] { (void)row_shape(Index{1} << 35, 4); }, "rows: given work for 4294967296 blocks of threads");
  REQUIRE(strided(Index{1} << 40).grid.x == static_cast<unsigned>(block_limit()));
  Broadcast const rows{(Index{1} << 32) + 1, 2, 2}, columns{Index{1} << 35, 2, 1};  // one block, were 32 bits enough
  require_error([&] { sum_middle<bf16, float>("sum", nullptr, nullptr, nullptr, rows); },
                "sum: given work for 4294967297 blocks of threads");
  require_error([&] { sum_middle<bf16, float>("sum", nullptr, nullptr, nullptr, columns); },
                "sum: given work for 4294967296 blocks of threads");
  require_error([] { (void)column_shape<float>(slabs_of<float>((Index{1} << 32) + 1, 4, 4)); },
                "slabs: given work for 4294967297 blocks of threads");
}

TEST_CASE("Pool: memory is used again in its stream, merged, and given back", "[runtime]") {
  synchronize();
  Pool pool(false);
  Stream stream, other;
  void* const first = pool.allocate(1000, stream.handle());
  void* const second = pool.allocate(5000, stream.handle());
  REQUIRE(pool.report().in_use == 1024 + 5120);
  REQUIRE(pool.report().reserved == 2 * 1024 * 1024);
  pool.deallocate(first, stream.handle());
  REQUIRE(pool.allocate(900, stream.handle()) == first);
  pool.deallocate(first, stream.handle());
  void* const elsewhere = pool.allocate(900, other.handle());  // another stream may still use it: memory of its own
  REQUIRE(pool.report().reserved == 4 * 1024 * 1024);
  REQUIRE(elsewhere != first);
  pool.deallocate(second, other.handle());
  REQUIRE(pool.allocate(6000, stream.handle()) == first);  // the two are one again
  pool.deallocate(first, stream.handle());
  pool.release_unused();
  REQUIRE(pool.report().reserved == 2 * 1024 * 1024);
  pool.retire(other.handle());
  pool.deallocate(elsewhere, nullptr);
  REQUIRE(pool.report().in_use == 0);
  void* const large = pool.allocate(40 * 1024 * 1024, nullptr);
  REQUIRE(pool.report().reserved == 42 * 1024 * 1024);
  pool.deallocate(large, nullptr);
  pool.release_unused();
  REQUIRE(pool.report().reserved == 0);
}

TEST_CASE("Pool: cached memory is given back before a request fails", "[runtime]") {
  synchronize();
  std::size_t const before = simulation::memory_bytes();
  simulation::memory_bytes() = simulation::memory_in_use() + 40 * 1024 * 1024;
  {
    Pool pool(false);
    pool.deallocate(pool.allocate(30 * 1024 * 1024, nullptr), nullptr);
    void* const memory = pool.allocate(38 * 1024 * 1024, nullptr);
    REQUIRE(pool.report().reserved == 38 * 1024 * 1024);
    require_error([&] { pool.allocate(4 * 1024 * 1024, nullptr); }, "are held and 2097152 of ");
    pool.deallocate(memory, nullptr);
    pool.release_unused();
  }
  simulation::memory_bytes() = before;
}
