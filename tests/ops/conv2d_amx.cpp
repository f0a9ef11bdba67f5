// What AMX tiles do of a convolution, on their twin in plain code and, where the processor has them, on the tiles.
#include "conv_sizes.hpp"

using namespace conv;
using namespace stipple;

TEST_CASE("weight gradients of whole numbers are exact, in tiles or not and however they are packed", "[conv2d]") {
  for (auto const& all : {sizes, depthwise_sizes, gradient_sizes}) {
    for (auto const& s : all) {
      INFO(s.text());
      Operands<bf16> t(s);
      for (auto* const whole : {&t.x, &t.dy})
        for (auto& value : whole->span()) value = bf16(std::round(2 * static_cast<float>(value)));
      auto const dw = ops::cast<float>(Wanted<bf16>(s, t).dw.value);
      auto const check = [&] { CHECK(same_bits(ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()), dw)); };
      for_each_product_isa([&](Isa) {
        if (!by_winograd<bf16>(s)) check();
      });
      ContextGuard const guard;
      Context::instance().emulate_amx = true;  // packed by the vectors of this processor
      check();
    }
  }
}

TEST_CASE("AMX tiles take convolutions of enough channels, and add even and odd channels apart", "[conv2d]") {
  for_each_product_isa([](Isa isa) {
    for (Index c : {4, 16, 32, 40}) {
      INFO(c << " channels");
      auto x = Tensor<bf16>::zeros({1, 3, 40, c});
      Index const pixel = 40 + 22;
      x.data()[pixel * c] = bf16(0x1p30f);  // 2^30 + 1 - 2^30, as in the matrix product
      x.data()[pixel * c + 1] = bf16(1.0f);
      x.data()[pixel * c + 2] = bf16(-0x1p30f);
      auto const y = ops::conv2d(x, Tensor<bf16>({1, 2, c, 20}, bf16(1.0f)), {});
      bool const tiles = isa == Isa::amx && c > 7;
      CHECK(static_cast<float>(y.data()[(39 + 22) * 20 + 19]) == (tiles ? 1.0f : 0.0f));
    }
  });
}

TEST_CASE("AMX tiles take weight gradients of enough channels and pixels, and add even and odd pixels apart",
          "[conv2d]") {
  for_each_product_isa([](Isa isa) {
    for (Index c : {1, 2, 3, 16, 17}) {
      for (Index h : {1, 3}) {
        INFO(c << " channels, " << h << " rows");
        auto x = Tensor<bf16>::zeros({1, h, 40, c});
        x.data()[c - 1] = bf16(0x1p30f);
        x.data()[2 * c - 1] = bf16(1.0f);
        x.data()[3 * c - 1] = bf16(-0x1p30f);
        auto const dw = ops::conv2d_backward_weight(Tensor<bf16>({1, h, 39, 1}, bf16(1.0f)), x, {1, 2, c, 1}, {});
        bool const tiles = isa == Isa::amx && (c > 3 || (c == 3 && h == 3));  // 39 pixels fill up 64, 117 fill up 128
        CHECK(dw.data()[c - 1] == (tiles ? 1.0f : 0.0f));
      }
    }
  });
}

TEST_CASE("convolution on AMX gives the bits of its twin in plain code, where the processor has it", "[conv2d]") {
  if (supported_isa() < Isa::amx) return;
  ContextGuard const guard;
  auto& context = Context::instance();
  context.isa = Isa::amx;
  for (auto const& all : {sizes, gradient_sizes}) {
    for (auto const& s : all) {
      INFO(s.text());
      Operands<bf16> const t(s);
      context.emulate_amx = false;
      auto const y = ops::conv2d(t.x, t.weight, s.spec()),
                 dx = ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec());
      auto const dw = ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec());
      context.emulate_amx = true;
      CHECK(same_bits(ops::conv2d(t.x, t.weight, s.spec()), y));
      CHECK(same_bits(ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec()), dx));
      CHECK(same_bits(ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()), dw));
    }
  }
}
