// Runs a test in several orders of blocks, threads and streams.
#pragma once

#include "../catch.hpp"

#if defined(STIPPLE_CUDA_SIMULATION)
#include "simulation/executor.hpp"

/// Calls f with threads forwards, backwards and in three shuffled orders.
template <class F>
void for_each_order(const F& f) {
  using stipple::cuda::simulation::Options;
  using stipple::cuda::simulation::Order;
  struct Restore {
    Options before = stipple::cuda::simulation::options();
    ~Restore() { stipple::cuda::simulation::options() = before; }
  } const restore;
  for (Options const options :
       {Options{Order::forward, 1, 0xFF}, Options{Order::reverse, 1, 0xFF}, Options{Order::shuffled, 1, 0xFF},
        Options{Order::shuffled, 2, 0x7F}, Options{Order::shuffled, 3, 0xFF}}) {
    INFO("order " << static_cast<int>(options.order) << ", seed " << options.seed);
    stipple::cuda::simulation::options() = options;
    f();
  }
}

#else

/// A GPU has orders of its own: calls f a few times.
template <class F>
void for_each_order(const F& f) {
  for (int i = 0; i < 3; ++i) f();
}

#endif
