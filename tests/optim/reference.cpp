// Optimiser steps and clipping against PyTorch, in every instruction set.
#include "invariance.hpp"
#include "reference_optimizers.hpp"

using namespace stipple;

TEST_CASE("optimisers: PyTorch's steps") {
  for_each_isa([](Isa) { reference::check_optimizers<float, Cpu>(); });
  reference::check_optimizers<double, Cpu>();
}

TEST_CASE("clip_grad_norm: PyTorch's norm and gradients") {
  for_each_isa([](Isa) { reference::check_clipping<Cpu>(); });
}
