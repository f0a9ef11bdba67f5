// Choice among the ways that a library proposes.
#pragma once

#include <cstddef>
#include <functional>

namespace stipple::cuda::products {

/// Index of the candidate whose work takes least time in the current stream. run(i) puts the work of candidate i there.
/// 0 while the stream is captured into a graph, in which nothing can be timed.
std::size_t fastest(std::size_t candidates, const std::function<void(std::size_t)>& run);

}  // namespace stipple::cuda::products
