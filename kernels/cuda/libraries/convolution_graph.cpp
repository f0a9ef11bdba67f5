#include "convolution_graph.hpp"

#include <stipple/core/error.hpp>

#include "frontend.hpp"

namespace stipple::cuda::products {

namespace fe = cudnn_frontend;

namespace {

constexpr std::int64_t workspace_limit = std::int64_t{1} << 30;

using Tensor = fe::graph::Tensor_attributes;
using TensorPointer = std::shared_ptr<Tensor>;
enum Uid : std::int64_t { image_uid = 1, weight_uid, bias_uid, residual_uid, result_uid };

// cuDNN names extents (n, channels, height, width), whatever their order in memory is: here channels last.
Tensor channels_last(Index n, Index channels, Index height, Index width) {
  return Tensor()
      .set_dim({n, channels, height, width})
      .set_stride({channels * height * width, 1, channels * width, channels});
}
Tensor x_of(const ConvDims& d) { return channels_last(d.n, d.c, d.h, d.w); }
Tensor y_of(const ConvDims& d) { return channels_last(d.n, d.o, d.oh, d.ow); }
Tensor weight_of(const ConvDims& d) { return channels_last(d.o, d.c / d.groups, d.kh, d.kw); }

template <class Attributes>
Attributes attributes_of(const ConvDims& d) {
  return Attributes()
      .set_padding({d.padding, d.padding})
      .set_stride({d.stride, d.stride})
      .set_dilation({d.dilation, d.dilation});
}

fe::graph::Graph graph_of(const Convolution& c) {
  using fe::DataType_t;
  ConvDims const& d = c.d;
  fe::graph::Graph graph;
  graph.set_io_data_type(c.half ? DataType_t::BFLOAT16 : DataType_t::FLOAT)
      .set_intermediate_data_type(DataType_t::FLOAT)
      .set_compute_data_type(DataType_t::FLOAT);
  auto const input = [&](Tensor tensor, Uid uid) { return graph.tensor(tensor.set_uid(uid)); };
  TensorPointer result;
  Tensor shape;  // of the result
  switch (c.direction) {
    case Direction::forward:
      result = graph.conv_fprop(input(x_of(d), image_uid), input(weight_of(d), weight_uid),
                                attributes_of<fe::graph::Conv_fprop_attributes>(d));
      shape = y_of(d);
      break;
    case Direction::input_gradient:
      result = graph.conv_dgrad(input(y_of(d), image_uid), input(weight_of(d), weight_uid),
                                attributes_of<fe::graph::Conv_dgrad_attributes>(d));
      shape = x_of(d);
      break;
    case Direction::weight_gradient:
      result = graph.conv_wgrad(input(y_of(d), weight_uid), input(x_of(d), image_uid),
                                attributes_of<fe::graph::Conv_wgrad_attributes>(d));
      shape = weight_of(d);
      break;
  }
  auto const as_result = [&](const TensorPointer& tensor) {
    tensor->set_dim(shape.get_dim()).set_stride(shape.get_stride());
  };
  auto const add = [&](const Tensor& tensor, Uid uid) {
    as_result(result);
    result = graph.pointwise(result, input(tensor, uid),
                             fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
  };
  if (c.residual) add(shape, residual_uid);
  if (c.bias) add(channels_last(1, d.o, 1, 1), bias_uid);
  as_result(result);
  result->set_output(true).set_uid(result_uid);
  return graph;
}

void check(const char* action, fe::error_t status) {
  if (status.is_bad()) fail("conv2d: cuDNN: ", action, ": ", status.get_message());
}

}  // namespace

struct ConvolutionGraph::State {
  Convolution convolution;
  fe::graph::Graph graph;
  std::vector<std::int64_t> plans{};  // indices of those that were built

  // Plans for the handle's device, or, without a handle, for the device that the graph was told of.
  std::string make_plans(cudnnHandle_t handle, std::size_t most) {
    if (auto status = graph.validate(); status.is_bad()) return status.get_message();
    if (auto status = graph.build_operation_graph(handle); status.is_bad()) return status.get_message();
    auto status = graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK});
    if (status.is_bad()) return status.get_message();
    using fe::NumericalNote_t;
    graph.deselect_workspace_greater_than(workspace_limit);
    // Sums of float in an order that does not change; no transforms of image and kernel, which round more.
    graph.deselect_numeric_notes({NumericalNote_t::NONDETERMINISTIC, NumericalNote_t::REDUCED_PRECISION_REDUCTION,
                                  NumericalNote_t::FFT, NumericalNote_t::WINOGRAD});
    if (!convolution.half && !convolution.tf32)
      graph.deselect_numeric_notes({NumericalNote_t::TENSOR_CORE, NumericalNote_t::DOWN_CONVERT_INPUTS});
    std::string reason = "no engine takes it";
    for (std::int64_t i = 0; i < graph.get_execution_plan_count() && plans.size() < most; ++i) {
      if (auto built = graph.build_plan_at_index(i); built.is_good())
        plans.push_back(i);
      else
        reason = built.get_message();
    }
    return plans.empty() ? reason : std::string();
  }
};

ConvolutionGraph::ConvolutionGraph(const Convolution& convolution)
    : state_(std::make_unique<State>(State{convolution, graph_of(convolution)})) {}
ConvolutionGraph::~ConvolutionGraph() = default;
ConvolutionGraph::ConvolutionGraph(ConvolutionGraph&&) noexcept = default;
ConvolutionGraph& ConvolutionGraph::operator=(ConvolutionGraph&&) noexcept = default;

std::string ConvolutionGraph::make_plans(cudnnContext* handle, std::size_t most) {
  return state_->make_plans(handle, most);
}

std::string ConvolutionGraph::make_plans(const DescribedDevice& device, std::size_t most) {
  auto properties = std::make_shared<fe::DeviceProperties>();
  check("read the description of a device",
        properties->deserialize({device.properties.begin(), device.properties.end()}));
  state_->graph.set_device_properties(properties);
  state_->graph.set_sm_version(device.capability);
  return state_->make_plans(nullptr, most);
}

std::size_t ConvolutionGraph::plans() const { return state_->plans.size(); }

std::size_t ConvolutionGraph::workspace_bytes(std::size_t plan) const {
  std::int64_t bytes = 0;
  check("ask for the size of the workspace",
        state_->graph.get_workspace_size_plan_at_index(state_->plans.at(plan), bytes));
  return static_cast<std::size_t>(bytes);
}

std::string ConvolutionGraph::name(std::size_t plan) const {
  std::string name;
  check("ask for the name of a plan", state_->graph.get_plan_name_at_index(state_->plans.at(plan), name));
  return name;
}

void ConvolutionGraph::run(cudnnContext* handle, std::size_t plan, const ConvolutionOperands& o,
                           void* workspace) const {
  std::unordered_map<std::int64_t, void*> addresses;
  auto const give = [&](Uid uid, const void* address) {
    if (address != nullptr) addresses.emplace(uid, const_cast<void*>(address));
  };
  give(image_uid, o.image);
  give(weight_uid, o.weight);
  give(bias_uid, o.bias);
  give(residual_uid, o.residual);
  give(result_uid, o.result);
  check("run", state_->graph.execute_plan_at_index(handle, addresses, workspace, state_->plans.at(plan)));
}

}  // namespace stipple::cuda::products
