#include <stipple/models/berkeley_unet.hpp>

#include "course_reference.hpp"

using stipple::BerkeleyUnet;
using stipple::BerkeleyUnetConfig;
using stipple::Index;
using stipple::Rng;
using stipple::Tensor;
using stipple::Var;

namespace {
template <class T>
BerkeleyUnet<T> small(BerkeleyUnetConfig config) {
  Rng rng(1);
  config.width = 16;
  return {config, rng};
}

constexpr BerkeleyUnetConfig with_time{.time = true};
constexpr BerkeleyUnetConfig with_classes{.time = true, .classes = 10};
}  // namespace

TEST_CASE("the single-step denoiser agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("berkeley_unconditional", small<float>({})); }
  SECTION("double") { course::check<double>("berkeley_unconditional", small<double>({})); }
}

TEST_CASE("the time-conditioned Berkeley U-Net agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("berkeley_time", small<float>(with_time), 5); }
  SECTION("double") { course::check<double>("berkeley_time", small<double>(with_time)); }
}

TEST_CASE("the class-conditioned Berkeley U-Net agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("berkeley_class", small<float>(with_classes)); }
  SECTION("double") { course::check<double>("berkeley_class", small<double>(with_classes)); }
}

TEST_CASE("the Berkeley U-Net has the course's number of parameters", "[models]") {
  Rng rng(1);
  CHECK(stipple::count_parameters(BerkeleyUnet<stipple::bf16>({}, rng)) == 7891073);
  CHECK(stipple::count_parameters(BerkeleyUnet<stipple::bf16>(with_time, rng)) == 7974145);
  CHECK(stipple::count_parameters(BerkeleyUnet<stipple::bf16>(with_classes, rng)) == 8060673);
  CHECK(stipple::count_parameters(BerkeleyUnet<float>({.width = 64, .time = true, .classes = 10}, rng)) == 2019201);
}

TEST_CASE("a bf16 Berkeley U-Net stays near the float one", "[models]") {
  course::check_bf16("berkeley_class", small<float>(with_classes), small<stipple::bf16>(with_classes), {2, 28, 28, 1},
                     0.4f, Tensor<std::int32_t>({2}, 3));
}

TEST_CASE("a bf16 Berkeley U-Net tells neighbouring steps apart", "[models]") {
  Rng rng(5);
  auto const net = small<stipple::bf16>(with_time);
  Var<stipple::bf16> const column(stipple::ops::cast<stipple::bf16>(rng.normal({1, 28, 28, 1})));
  auto const a = net(column, Tensor<float>({1}, 299.0f / 300)).value();
  auto const b = net(column, Tensor<float>({1}, 298.0f / 300)).value();  // the same number in bf16
  CHECK(max_abs_difference(stipple::ops::cast<float>(a), stipple::ops::cast<float>(b)) > 0);
}

TEST_CASE("sample i of the Berkeley U-Net does not depend on the batch", "[models]") {
  Rng rng(5);
  auto const net = small<stipple::bf16>(with_classes);
  auto const x = stipple::ops::cast<stipple::bf16>(rng.normal({7, 28, 56, 1}));
  Tensor<float> const t({7}, 0.1f);
  Tensor<std::int32_t> labels({7});
  for (Index i = 0; i < 7; ++i) labels.data()[i] = static_cast<std::int32_t>(i) - 1;
  stipple::NoGrad const no_grad;
  auto const all = net(Var<stipple::bf16>(x), t, labels).value();
  CHECK(all.shape() == x.shape());
  for (Index i : {0, 3, 6}) {
    auto const one =
        net(Var<stipple::bf16>(x.slice(i, i + 1)), t.slice(i, i + 1), labels.slice(i, i + 1).clone()).value();
    CHECK(same_bits(one, all.slice(i, i + 1)));
  }
}

TEST_CASE("the Berkeley U-Net refuses what does not fit", "[models]") {
  Rng rng(1);
  require_error([&] { BerkeleyUnet<float>({.width = 0}, rng); }, "given width 0");
  require_error([&] { BerkeleyUnet<float>({.classes = 10}, rng); }, "time where there are classes");
  auto const plain = small<float>({}), timed = small<float>(with_time), labelled = small<float>(with_classes);
  Var<float> const x(rng.normal({2, 28, 28, 1}));
  Tensor<float> const t({2}, 0.5f);
  require_error([&] { plain(Var<float>(rng.normal({2, 32, 32, 1}))); }, "multiples of 28");
  require_error([&] { plain(Var<float>(rng.normal({2, 28, 28, 3}))); }, "BerkeleyUnet: given x");
  require_error([&] { plain(x, t); }, "wanted x alone");
  require_error([&] { timed(x); }, "given no t");
  require_error([&] { timed(x, Tensor<float>({3}, 0.5f)); }, "one number a sample");
  require_error([&] { timed(x, t, Tensor<std::int32_t>({2}, 1)); }, "given labels, wanted none");
  require_error([&] { labelled(x, t); }, "wanted labels too");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({1}, 1)); }, "wanted one a sample");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({2}, 10)); },
                "one_hot: given id 10 at position 0, wanted 0 to 9, or -1 for none");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({2}, -2)); }, "given id -2");
}
