// A program that links stipple::cuda: with a GPU it computes, without one it is told what is missing.
#include <cstdio>

#include <stipple/cuda.hpp>
#include <stipple/ops/arithmetic.hpp>

int main() {
  using namespace stipple;
  std::string const missing = cuda::why_unavailable();
  try {
    auto const y = to<Cpu>(ops::affine(Tensor<float, Cuda>({3}, 2), 3, 1));
    if (missing.empty() && y.data()[2] == 7) return 0;
  } catch (const Error& error) {
    if (error.what() == missing) return 0;
    std::fprintf(stderr, "given \"%s\", wanted \"%s\"\n", error.what(), missing.c_str());
  }
  return 1;
}
