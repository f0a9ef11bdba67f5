#include <stipple/diffusion/noise.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

TEST_CASE("draw_normal has the bits of Rng::normal") {
  for (Shape const& shape : {Shape{1}, Shape{37}, Shape{2048, 2}, Shape{5, 1}, Shape{3, 3}, Shape{7, 5}, Shape{33, 4},
                             Shape{9, 13}, Shape{4, 28, 28, 1}, Shape{2, 5000}, Shape{0, 3}, Shape{3, 0}}) {
    // Samples beyond 2^32 use the upper word of the counter.
    for (std::uint64_t const first : {std::uint64_t{0}, std::uint64_t{5}, (std::uint64_t{1} << 32) - 2}) {
      INFO(to_text(shape) << " from sample " << first);
      Rng slow(7, 11);
      auto const expected = slow.normal(shape, Purpose::noise, first);
      for_each_isa([&](Isa) {
        Rng fast(7, 11);
        CHECK(same_bits(draw_normal(fast, shape, Purpose::noise, first), expected));
        CHECK(fast.draws() == slow.draws());
      });
      check_threads([&] {
        Rng fast(7, 11);
        return draw_normal(fast, shape, Purpose::noise, first);
      });
    }
  }
}

TEST_CASE("a million normals: every instruction set agrees with the scalar form") {
  Rng slow(3);
  auto const expected = slow.normal({1000, 1000});
  for_each_isa([&](Isa) {
    Rng fast(3);
    CHECK(same_bits(draw_normal(fast, {1000, 1000}, Purpose::user), expected));
  });
}
