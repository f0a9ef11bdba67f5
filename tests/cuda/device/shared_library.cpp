// Libraries that are loaded when they are first needed.
#include <thread>
#include <vector>

#include "check.hpp"
#include "libraries/shared_library.hpp"

using namespace stipple::cuda::products;

TEST_CASE("A library that is not found is named, with what to do", "[shared_library]") {
  SharedLibrary made_up("libstipple_made_up", 7, "Made-up");
  for (int again = 0; again < 2; ++again) {
    auto const find = [&] { (void)made_up.find("function"); };
    require_error(find, "cuda: libstipple_made_up.so.7 of Made-up 7 cannot be loaded: libstipple_made_up.so.7: ");
    require_error(find, "; looked in LD_LIBRARY_PATH (");
    require_error(find, "; wanted Made-up 7 installed, or its folder in LD_LIBRARY_PATH");
  }
  Loaded<int(int)> const function(made_up, "function");
  require_error([&] { (void)function(1); }, "cuda: libstipple_made_up.so.7 of Made-up 7 cannot be loaded");
}

TEST_CASE("A function of a library is called as if it were linked, by any thread", "[shared_library]") {
  SharedLibrary made_up("libstipple_made_up", 7, "Made-up");
  SharedLibrary mathematics("libm", 6, "the C library", &made_up);  // what it would load itself need not be there
  Loaded<double(double)> const square_root(mathematics, "sqrt");
  std::vector<double> roots(4);
  std::vector<std::thread> threads;
  for (auto& root : roots) threads.emplace_back([&] { root = square_root(4.0); });
  for (auto& thread : threads) thread.join();
  for (double const root : roots) REQUIRE(root == 2.0);
  REQUIRE(mathematics.find("sqrt") == mathematics.find("sqrt"));
}

TEST_CASE("A library without a function that is wanted is too old", "[shared_library]") {
  SharedLibrary mathematics("libm", 6, "the C library");
  Loaded<double(double)> const function(mathematics, "stipple_made_up");
  require_error([&] { (void)function(1.0); }, "cuda: libm.so.6 has no function stipple_made_up: ");
  require_error([&] { (void)function(1.0); },
                "; wanted the C library 6 as new as the one that stipple::cuda was built");
}
