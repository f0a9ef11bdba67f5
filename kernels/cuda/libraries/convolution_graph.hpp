// A convolution as a graph of cuDNN, and the ways in which cuDNN can run it. Only convolution_graph.cpp includes
// cudnn-frontend, which costs most of a minute to compile.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <stipple/backend/conv_dims.hpp>

struct cudnnContext;  // what cuDNN's handles point to

namespace stipple::cuda::products {

enum class Direction { forward, input_gradient, weight_gradient };

/// Images are (n, h, w, c), weights and their gradients (o, kh, kw, c / groups), all of one type, as is what is added
/// to the result: cuDNN has compiled kernels for a sum of convolution, residual and bias of one type, and otherwise,
/// for a residual without a bias too, compiles one in seconds.
struct Convolution {
  Direction direction;
  ConvDims d;
  bool half;                            ///< bf16, otherwise float
  bool tf32;                            ///< for float: its products may be those of TF32
  bool bias = false, residual = false;  ///< forward alone

  auto operator<=>(const Convolution&) const = default;
};

/// Addresses of the operands: the image that is read (x; dy for an input gradient), the weight (dy for a weight
/// gradient), the result. What the convolution does not have is null. All are multiples of 16 bytes.
struct ConvolutionOperands {
  const void *image, *weight;
  void* result;
  const void *bias = nullptr, *residual = nullptr;
};

/// A GPU that need not be there: device properties in cuDNN's JSON, and 10 major + minor of its compute capability.
struct DescribedDevice {
  std::string_view properties;
  int capability;
};

class ConvolutionGraph {
 public:
  explicit ConvolutionGraph(const Convolution& convolution);
  ~ConvolutionGraph();
  ConvolutionGraph(ConvolutionGraph&&) noexcept;
  ConvolutionGraph& operator=(ConvolutionGraph&&) noexcept;

  /// Makes at most `most` plans, the one that cuDNN expects to be the fastest first. All give the same bits whenever
  /// they run. Empty, or what cuDNN says if it has none.
  std::string make_plans(cudnnContext* handle, std::size_t most);
  std::string make_plans(const DescribedDevice& device, std::size_t most);

  std::size_t plans() const;
  std::size_t workspace_bytes(std::size_t plan) const;
  /// cuDNN's name of the engine and its settings.
  std::string name(std::size_t plan) const;
  /// Puts the convolution into the stream of the handle. Throws Error for what cuDNN says.
  void run(cudnnContext* handle, std::size_t plan, const ConvolutionOperands& operands, void* workspace) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stipple::cuda::products
