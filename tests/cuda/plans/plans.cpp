// Every convolution of the networks, and of the tests, has a plan of cuDNN on GPUs of three generations. No GPU is
// needed to find out.
#include <iostream>
#include <set>

#include <stipple/backend/matmul_problem.hpp>
#include <stipple/core/shape.hpp>

#include "check.hpp"
#include "conv_sizes.hpp"
#include "devices.hpp"
#include "networks.hpp"
#include "present_device.hpp"

using namespace stipple;
using namespace stipple::cuda::products;

namespace {

struct Type {
  const char* name;
  bool half, tf32;
};

constexpr Type types[] = {{"bf16", true, false}, {"TF32", false, true}, {"float", false, false}};

std::string text(const Convolution& c) {
  constexpr const char* names[] = {"forward", "input gradient", "weight gradient"};
  ConvDims const& d = c.d;
  return std::string(names[static_cast<int>(c.direction)]) + (c.bias ? ", bias" : "") +
         (c.residual ? ", residual" : "") + ": x " + to_text(Shape{d.n, d.h, d.w, d.c}) + ", weight " +
         to_text(Shape{d.kh, d.kw, d.c / d.groups, d.o}) + ", stride " + std::to_string(d.stride) + ", padding " +
         std::to_string(d.padding) + ", dilation " + std::to_string(d.dilation) + ", groups " +
         std::to_string(d.groups);
}

/// What a layer asks of cuDNN, forward and backward; and to sample one image.
void add_graphs(const networks::Layer& layer, const Type& type, std::set<Convolution>& graphs) {
  using enum Direction;
  for (Direction const direction : {forward, input_gradient, weight_gradient}) {
    Convolution c{direction, layer.d, type.half, type.tf32};
    if (direction == forward && !layer.transposed) {
      c.residual = layer.residual;
      c.bias = layer.bias || layer.residual;  // a residual alone gets a bias of zeros
    }
    graphs.insert(c);
    if (direction != (layer.transposed ? input_gradient : forward)) continue;
    c.d.n = 1;
    graphs.insert(c);
  }
}

void check_plans(const std::set<Convolution>& graphs, const Type& type, const char* name,
                 const DescribedDevice& device) {
  for (Convolution const& c : graphs) {
    INFO(type.name << " on " << name << ", " << text(c));
    CHECK(ConvolutionGraph(c).make_plans(device, 1) == "");
  }
}

void check_plans(const std::set<Convolution>& graphs, const Type& type) {
  for (auto const& [name, device] : devices) check_plans(graphs, type, name, device);
}

void check_plans(const networks::Layers& layers, const Type& type) {
  std::set<Convolution> graphs;
  for (auto const& layer : layers) add_graphs(layer, type, graphs);
  REQUIRE(graphs.size() > 20);
  check_plans(graphs, type);
}

}  // namespace

TEST_CASE("The annotated U-Net's convolutions have plans of cuDNN", "[plans]") {
  for (auto const& type : types) {
    check_plans(networks::annotated(true), type);
    check_plans(networks::annotated(false), type);
  }
}
TEST_CASE("KAIST's convolutions have plans of cuDNN", "[plans]") {
  for (auto const& type : types) check_plans(networks::kaist(), type);
}
TEST_CASE("Berkeley's convolutions have plans of cuDNN", "[plans]") {
  for (auto const& type : types) check_plans(networks::berkeley(), type);
}
TEST_CASE("Radboud's convolutions have plans of cuDNN", "[plans]") {
  for (auto const& type : types) check_plans(networks::radboud(), type);
}

TEST_CASE("Convolutions of every size have plans of cuDNN, with all that is added to them", "[plans]") {
  using enum Direction;
  for (auto const& type : types) {
    std::set<Convolution> graphs;
    for (auto const* sizes : {&conv::sizes, &conv::gradient_sizes}) {
      for (auto const& size : *sizes) {
        ConvDims const d = size.dims();
        if (is_pointwise(d) || is_depthwise(d)) continue;  // not by cuDNN
        for (Direction const direction : {forward, input_gradient, weight_gradient})
          graphs.insert({direction, d, type.half, type.tf32});
        for (bool const residual : {true, false}) graphs.insert({forward, d, type.half, type.tf32, true, residual});
      }
    }
    REQUIRE(graphs.size() > 150);
    check_plans(graphs, type);
  }
}

// For a machine with a GPU, whose description shows what devices.hpp should hold.
TEST_CASE("Planning for the GPU of this machine by its description", "[.device]") {
  std::string const description = present_device();
  std::cout << description << '\n';
  constexpr std::string_view key = "\"deviceVer\":";
  auto const at = description.find(key);
  REQUIRE(at != std::string::npos);
  int const capability = std::stoi(description.substr(at + key.size())) / 10;  // of 100 major + 10 minor
  for (auto const& type : types) {
    std::set<Convolution> graphs;
    for (auto const& layer : networks::kaist()) add_graphs(layer, type, graphs);
    check_plans(graphs, type, "this GPU", {description, capability});
  }
}

TEST_CASE("What cuDNN refuses comes with its reason", "[plans]") {
  Convolution c{Direction::forward, networks::conv(4, 16, 64, 64), true, false};
  REQUIRE(ConvolutionGraph(c).make_plans(devices[0].device, 1) == "");
  c.d.oh = 15;
  REQUIRE(ConvolutionGraph(c).make_plans(devices[0].device, 1) != "");
  require_error(
      [&] {
        (void)ConvolutionGraph(c).make_plans(DescribedDevice{"no description", 90}, 1);
      },
      "conv2d: cuDNN: read the description of a device: ");
}

TEST_CASE("Autotuning is offered several plans", "[plans]") {
  ConvolutionGraph graph({Direction::forward, networks::conv(4, 16, 64, 64), true, false});
  REQUIRE(graph.make_plans(devices[1].device, 3) == "");
  REQUIRE(graph.plans() == 3);
  REQUIRE(graph.name(0) != graph.name(1));
}
