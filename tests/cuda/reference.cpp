// Values made by independent software, computed on the GPU: operations, optimisers, and a network of each course.
#include <stipple/cuda.hpp>
#include <stipple/models/annotated_unet.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/models/kaist_unet.hpp>
#include <stipple/models/radboud_unet.hpp>
#include <stipple/models/time_linear_net.hpp>

#include "course_reference.hpp"
#include "exact_products.hpp"
#include "reference_optimizers.hpp"
#include "reference_suite.hpp"

using namespace stipple;

namespace {

/// Output, loss and gradients, twelve steps of Adam and the weights that they end with. Tolerances are those of the
/// CPU's float, but for the steps, where every other order of sums sends weights whose gradients are all rounding
/// another way.
template <class Net>
void check_course(const std::string& name, Net net) {
  course::check<float>(name, std::move(net), 5);
}

}  // namespace

TEST_CASE("Operations on the GPU agree with the reference vectors", "[reference]") {
  reference::check_operations<Cuda>();
}

TEST_CASE("Timestep embeddings of the courses on the GPU agree with their vectors", "[reference]") {
  reference::check_course_embeddings<float, Cuda>(2e-7);
  reference::check_course_embeddings<bf16, Cuda>(0x1p-9 + 1e-6);
}

TEST_CASE("Optimisers on the GPU take PyTorch's steps", "[reference]") { reference::check_optimizers<float, Cuda>(); }

TEST_CASE("Clipping on the GPU is PyTorch's", "[reference]") { reference::check_clipping<Cuda>(); }

TEST_CASE("The TimeLinear network on the GPU agrees with PyTorch", "[reference][models]") {
  Rng rng(1);
  check_course("kaist_simple", TimeLinearNet<float, Cuda>({2, 128, 128, 128, 2}, rng));
}

TEST_CASE("The Berkeley U-Net on the GPU agrees with PyTorch", "[reference][models]") {
  Rng rng(1);
  check_course("berkeley_class", BerkeleyUnet<float, Cuda>({.width = 16, .time = true, .classes = 10}, rng));
}

TEST_CASE("The KAIST U-Net on the GPU agrees with PyTorch", "[reference][models]") {
  Rng rng(1);
  check_course("kaist_unet", KaistUnet<float, Cuda>({.width = 8, .res_blocks = 1, .dropout = 0, .groups = 4}, rng));
}

TEST_CASE("The Radboud U-Net on the GPU agrees with PyTorch", "[reference][models]") {
  Rng rng(1);
  check_course("radboud_unet", RadboudUnet<float, Cuda>({.width = 8}, rng));
}

// Linear attention has no vectors but these. Its steps would take half a minute on the executor.
TEST_CASE("The annotated U-Net on the GPU agrees with PyTorch", "[reference][models]") {
  Rng rng(1);
  auto const c = course::config("ai504_convnext");
  Model model{AnnotatedUnet<float, Cuda>({.dim = 8, .block = AnnotatedBlock::convnext}, rng)};
  course::check_pass<float>("ai504_convnext", c, model);
}
