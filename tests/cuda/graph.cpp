// Recorded work, and how it is replayed.
#include <stipple/autograd/recorded_call.hpp>
#include <stipple/cuda.hpp>
#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/dropout.hpp>
#include <stipple/ops/reduce.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

using Floats = Tensor<float, Cuda>;

Floats filled(float value) { return Floats({70}, value); }

float first_of(const Floats& x) { return to<Cpu>(x).span()[0]; }

}  // namespace

TEST_CASE("Graph: recorded work is done when it is replayed, in its order", "[graph]") {
  for_each_order([] {
    auto x = filled(1), y = filled(0);
    cuda::Graph graph;
    REQUIRE_FALSE(graph.recorded());
    graph.record([&] {
      auto const doubled = ops::affine(x, 2);  // memory of the graph
      auto const more = ops::affine(doubled, 1, 1);
      y.copy_from(ops::add(doubled, more));
    });
    REQUIRE(graph.recorded());
    REQUIRE(first_of(y) == 0);  // nothing was done
    graph.replay();
    REQUIRE(first_of(y) == 5);
    x.fill(10);
    auto const between = filled(7);  // must not get memory of the graph
    graph.replay();
    REQUIRE(first_of(y) == 41);
    REQUIRE(first_of(between) == 7);
  });
}

TEST_CASE("Graph: what cannot be recorded is an error, and leaves the device as it was", "[graph]") {
  auto x = filled(1);
  cuda::Graph graph;
  require_error([&] { graph.replay(); }, "cuda graph: given nothing to replay, wanted a recording first");
  require_error([&] { graph.record([&] { (void)ops::max(x); }); },
                "cuda graph: a value that the host reads waits for the device, which cannot be recorded");
  require_error([&] { graph.record([&] { (void)to<Cuda>(Tensor<float>({2}, 1)); }); }, "a copy from the host");
  require_error([&] { graph.record([&] { cuda::synchronize(); }); }, "waits for the device");
  require_error([&] { graph.record([&] { graph.record([] {}); }); }, "a recording within a recording");
  require_error([&] { graph.record([&] { x.fill(9), fail("work: broke"); }); }, "work: broke");
  cuda::set_debug(true);
  require_error([&] { graph.record([] {}); }, "cuda graph: debug mode waits after every operation");
  cuda::set_debug(false);
  REQUIRE_FALSE(graph.recorded());
  REQUIRE_FALSE(cuda::recording());
  REQUIRE(first_of(x) == 1);
  graph.record([&] { x.fill(3); });
  graph.replay();
  REQUIRE(first_of(x) == 3);
}

TEST_CASE("Graph: memory that is freed in a recording is not lost to others", "[graph]") {
  cuda::synchronize();
  auto const before = cuda::memory_report().in_use;
  {
    auto const x = filled(2);
    auto const one = cuda::memory_report().in_use - before;  // as the allocator counts it
    auto dropped = filled(3);
    auto y = filled(0);
    cuda::Graph graph;
    auto const held = cuda::memory_report().in_use;
    graph.record([&] {
      y.copy_from(ops::add(x, dropped));
      dropped = {};  // its memory is of another stream
    });
    REQUIRE(cuda::memory_report().in_use == held - one);
    graph.record([&] { y.copy_from(ops::affine(x, 3)); });  // instead of the first
    graph.replay();
    REQUIRE(first_of(y) == 6);
  }
  cuda::synchronize();
  REQUIRE(cuda::memory_report().in_use == before);
}

TEST_CASE("Graph: replays take the draws of later steps", "[graph]") {
  auto const x = Floats({2, 200}, 1.0f);
  auto y = x.clone();
  Floats z({2, 200}), u({2, 200});
  cuda::Graph graph;
  std::uint64_t const seed = 5, draw = 40;
  graph.record([&] {
    y.copy_from(ops::dropout(x, 0.5, DrawKey(seed, Purpose::dropout, draw)));
    cuda::fill_normals(DrawKey(seed, Purpose::noise, draw), 3, z.data(), 2, 200);
    cuda::fill_uniforms(DrawKey(seed, Purpose::noise, draw), 3, -1, 1, u.data(), 2, 200);
  });
  for (std::uint32_t const later : {0u, 1u, 7u}) {
    graph.replay(later);
    DrawKey const key(seed, Purpose::dropout, draw + later);
    require_same(y, ops::dropout(to<Cpu>(x), 0.5, key));
    require_same(z, Rng(seed, draw + later).normal({2, 200}, Purpose::noise, 3));
    require_same(u, Rng(seed, draw + later).uniform({2, 200}, -1, 1, Purpose::noise, 3));
  }
}

TEST_CASE("RecordedCall: the second call with some shapes records, other shapes do without", "[graph]") {
  RecordedCall<Floats, Floats, Floats> call;
  int calls = 0;
  auto const f = [&](const Floats& a, const Floats& b) {
    ++calls;
    return ops::add(ops::affine(a, 2), b);
  };
  auto const value = [&](Index n, float a, float b) { return first_of(call(f, Floats({n}, a), Floats({n}, b))); };
  REQUIRE(value(8, 1, 1) == 3);
  REQUIRE_FALSE(call.recorded());
  REQUIRE(value(8, 2, 1) == 5);
  REQUIRE(call.recorded());
  REQUIRE(calls == 2);
  REQUIRE(value(8, 3, 1) == 7);
  REQUIRE(calls == 2);
  REQUIRE(value(5, 4, 1) == 9);  // of another shape
  REQUIRE(calls == 3);
  REQUIRE(value(8, 4, 2) == 10);
  REQUIRE(calls == 3);
  REQUIRE(call.why_not().empty());
}

TEST_CASE("RecordedCall: what cannot be recorded is called as ever, and the reason is kept", "[graph]") {
  RecordedCall<Floats, Floats> call;
  Rng rng(3, 10);
  Training const training(rng);
  auto const f = [&](const Floats& x) {
    (void)rng.next_draw();
    return ops::affine(x, ops::max(x));  // the host waits for it
  };
  for (int i = 1; i <= 4; ++i) {
    REQUIRE(first_of(call(f, Floats({3}, float(i)))) == float(i * i));
    REQUIRE(rng.draws() == 10 + static_cast<std::uint64_t>(i));
    REQUIRE_FALSE(call.recorded());
  }
  REQUIRE(call.why_not().find("a value that the host reads waits for the device") != std::string::npos);
}

TEST_CASE("RecordedCall: draws of an Rng that is handed to it", "[graph]") {
  RecordedCall<Floats, Floats> call;
  Floats const x({3, 50}, 1.0f);
  Rng rng(9, 5), same = rng;
  auto const f = [&](const Floats& input) {
    Floats noise(input.shape());
    cuda::fill_normals(DrawKey(rng.seed(), Purpose::noise, rng.next_draw()), 0, noise.data(), 3, 50);
    return ops::add(input, noise);
  };
  for (int i = 0; i < 5; ++i) {
    require_same(call.drawing_from(&rng, f, x), ops::add(to<Cpu>(x), same.normal({3, 50}, Purpose::noise)));
    REQUIRE(rng.draws() == same.draws());
    if (i == 3) (void)rng.next_draw(), (void)same.next_draw();  // of something else
  }
  REQUIRE(call.recorded());
}

TEST_CASE("RecordedCall: dropout has the masks of calls that are not recorded", "[graph]") {
  RecordedCall<Floats, Floats> call;
  Floats const x({3, 50}, 1.0f);
  auto const f = [](const Floats& input) {
    Rng& rng = *autograd::training_rng();
    return ops::dropout(input, 0.3, DrawKey(rng.seed(), Purpose::dropout, rng.next_draw()));
  };
  Rng rng(9, (std::uint64_t{1} << 32) - 4), same = rng;  // replays must not run over the end of a key's draws
  for (int i = 0; i < 8; ++i) {
    Tensor<float> given, wanted;
    {
      Training const training(rng);
      given = to<Cpu>(call(f, x));
    }
    {
      Training const training(same);
      wanted = to<Cpu>(f(x));
    }
    REQUIRE(max_abs_difference(given, wanted) == 0);
    REQUIRE(rng.draws() == same.draws());
  }
  REQUIRE(call.recorded());
  Rng other(4);
  Training const training(other);
  (void)call(f, x);  // another seed: recorded anew
  REQUIRE(other.draws() == 1);
}
