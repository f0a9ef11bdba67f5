#include <stipple/models/time_linear_net.hpp>

#include "course_reference.hpp"

using stipple::Rng;
using stipple::TimeLinearNet;

TEST_CASE("the TimeLinear network agrees with PyTorch", "[models]") {
  Rng rng(1);
  SECTION("float") { course::check<float>("kaist_simple", TimeLinearNet<float>({2, 128, 128, 128, 2}, rng)); }
  SECTION("double") { course::check<double>("kaist_simple", TimeLinearNet<double>({2, 128, 128, 128, 2}, rng)); }
}

TEST_CASE("a uniform timestep is embedded once, with the same bits", "[models]") {
  Rng rng(1);
  TimeLinearNet<float> const net({2, 128, 128, 128, 2}, rng);
  stipple::Var<float> const x(rng.normal({33, 2}));
  stipple::Tensor<float> const t({33}, 417.0f);
  auto const recorded = net(x, t);
  stipple::NoGrad const no_grad;
  auto const sampled = net(x, t);
  for (stipple::Index i = 0; i < recorded.value().size(); ++i)
    REQUIRE(recorded.value().data()[i] == sampled.value().data()[i]);
}

TEST_CASE("the TimeLinear network refuses what does not fit", "[models]") {
  Rng rng(1);
  require_error([&] { TimeLinearNet<float>({2}, rng); }, "given 1 sizes");
  TimeLinearNet<float> const net({2, 8, 2}, rng);
  require_error([&] { net(stipple::Var<float>(rng.normal({4, 3})), stipple::Tensor<float>({4}, 1.0f)); }, "linear");
}
