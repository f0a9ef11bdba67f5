// The thread pool: every index once, results that do not depend on the number of threads, errors, resizing.
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include <stipple/core/context.hpp>

#include "check.hpp"

using stipple::Index;
using stipple::ThreadPool;

namespace {

// How often each index of [0, n) was visited.
std::vector<int> visits(ThreadPool& pool, Index n, Index grain) {
  std::vector<int> count(static_cast<std::size_t>(n));
  pool.run(n, grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) ++count[static_cast<std::size_t>(i)];
  });
  return count;
}

}  // namespace

TEST_CASE("ThreadPool: every index is visited once") {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (Index n : {0, 1, 2, 7, 64, 1000, 4099})
      for (Index grain : {1, 3, 64, 5000})
        CHECK(visits(pool, n, grain) == std::vector<int>(static_cast<std::size_t>(n), 1));
  }
}

TEST_CASE("ThreadPool: pieces depend on the problem, not on the number of threads") {
  std::vector<std::vector<Index>> ends;
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    auto& end_of = ends.emplace_back(std::vector<Index>(1003, -1));
    pool.run(1003, 10, [&](Index begin, Index end) { end_of[static_cast<std::size_t>(begin)] = end; });
  }
  CHECK(ends[0] == ends[1]);
  CHECK(ends[0] == ends[2]);
  CHECK(ends[0][1000] == 1003);
}

TEST_CASE("ThreadPool: other threads do take part") {
  ThreadPool pool(2);
  auto const caller = std::this_thread::get_id();
  std::atomic<bool> helped{false};
  // The caller waits inside its piece, so that the other piece can only be taken by the worker.
  pool.run(2, 1, [&](Index, Index) {
    if (std::this_thread::get_id() != caller)
      helped = true;
    else
      while (!helped) std::this_thread::yield();
  });
  CHECK(helped);
}

TEST_CASE("ThreadPool: nested calls run inline") {
  ThreadPool pool(3);
  std::atomic<int> sum{0};
  std::atomic<int> strangers{0};
  pool.run(20, 1, [&](Index, Index) {
    auto const outer = std::this_thread::get_id();
    pool.run(50, 7, [&](Index begin, Index end) {
      sum += static_cast<int>(end - begin);
      strangers += std::this_thread::get_id() != outer;
    });
  });
  CHECK(sum == 20 * 50);
  CHECK(strangers == 0);
}

TEST_CASE("ThreadPool: many small regions, one right after the other") {
  ThreadPool pool(4);
  std::int64_t wrong = 0;
  for (int region = 0; region < 20000; ++region) {
    std::int64_t part[3] = {0, 0, 0};
    pool.run(3, 1, [&](Index begin, Index) { part[begin] = region + begin; });
    wrong += part[0] + part[1] + part[2] != 3 * region + 3;
  }
  CHECK(wrong == 0);
}

TEST_CASE("ThreadPool: regions after a pause wake sleeping threads") {
  ThreadPool pool(3);
  for (int region = 0; region < 20; ++region) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    CHECK(visits(pool, 100, 1) == std::vector<int>(100, 1));
  }
}

TEST_CASE("ThreadPool: several threads may call it at once") {
  ThreadPool pool(2);
  std::vector<std::int64_t> sums(3, 0);
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < sums.size(); ++caller)
    callers.emplace_back([&, caller] {
      for (int repeat = 0; repeat < 500; ++repeat) {
        std::atomic<std::int64_t> sum{0};
        pool.run(40, 3, [&](Index begin, Index end) {
          for (Index i = begin; i < end; ++i) sum += i;
        });
        sums[caller] += sum;
      }
    });
  for (auto& thread : callers) thread.join();
  CHECK(sums == std::vector<std::int64_t>(3, 500 * 780));
}

TEST_CASE("ThreadPool: an error in a piece reaches the caller, and the pool works on") {
  for (int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (Index bad : {0, 13, 99}) {
      auto const run = [&] {
        pool.run(100, 1, [&](Index begin, Index) { stipple::require(begin != bad, "piece ", begin, " is bad"); });
      };
      require_error(run, "piece " + std::to_string(bad) + " is bad");
      CHECK(visits(pool, 100, 3) == std::vector<int>(100, 1));
    }
    require_error([&] { pool.run(50, 1, [](Index, Index) { stipple::fail("all pieces are bad"); }); }, "all pieces");
  }
}

TEST_CASE("ThreadPool: resize") {
  ThreadPool pool(2);
  for (int threads : {1, 6, 2, 1, 3}) {
    pool.resize(threads);
    CHECK(pool.size() == threads);
    CHECK(visits(pool, 777, 5) == std::vector<int>(777, 1));
  }
  require_error([&] { pool.resize(0); }, "threads: given 0");
  require_error([&] { pool.resize(-3); }, "threads: given -3");
  require_error([&] { pool.resize(1 << 30); }, "threads: given 1073741824");
  CHECK(pool.size() == 3);
  CHECK(visits(pool, 777, 5) == std::vector<int>(777, 1));
}

TEST_CASE("ThreadPool: the environment sets the default number of threads") {
  auto const with = [](const char* ours, const char* openmp) {
    ours ? setenv("STIPPLE_NUM_THREADS", ours, 1) : unsetenv("STIPPLE_NUM_THREADS");
    openmp ? setenv("OMP_NUM_THREADS", openmp, 1) : unsetenv("OMP_NUM_THREADS");
    int const threads = ThreadPool::default_threads();
    unsetenv("STIPPLE_NUM_THREADS");
    unsetenv("OMP_NUM_THREADS");
    return threads;
  };
  int const processors = with(nullptr, nullptr);
  CHECK(processors >= 1);
  CHECK(with("7", "3") == 7);
  CHECK(with(nullptr, "3") == 3);
  CHECK(with("many", nullptr) == processors);
  CHECK(with("0", "5") == 5);
}

TEST_CASE("parallel_for uses the threads of the context") {
  int const before = stipple::num_threads();
  stipple::set_num_threads(3);
  CHECK(stipple::num_threads() == 3);
  std::atomic<Index> sum{0};
  stipple::parallel_for(1000, 9, [&](Index begin, Index end) { sum += end - begin; });
  CHECK(sum == 1000);
  stipple::set_num_threads(before);
}
