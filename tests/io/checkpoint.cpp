// Checkpoints: what comes back, and that bad files leave the model as it was.
#include <limits>

#include <stipple/io/checkpoint.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>

#include "check.hpp"
#include "invariance.hpp"
#include "scratch_folder.hpp"
#include "tiny_net.hpp"

using namespace stipple;

namespace {

template <class T>
using Tiny = Model<TinyNet<T, Cpu>>;

template <class T>
Tiny<T> tiny_model(std::uint64_t seed, Index channels = 5) {
  Rng rng(seed);
  return Tiny<T>(TinyNet<T, Cpu>(channels, rng));
}

/// A model after three steps with an average.
template <class T>
Tiny<T> trained(std::uint64_t seed = 1) {
  auto model = tiny_model<T>(seed);
  model.track_ema({.decay = 0.9, .warmup = true});
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (std::size_t i = 0; i < 5; ++i)
      model.view(model.gradients(), i)
          .copy_from(random_tensor<accumulate_t<T>>(model.parameters()[i].shape, 100 * seed + 10 * step + i));
    Adam{{.learning_rate = 0.01}}.step(model);
  }
  auto passes = model.net().passes.value;
  *passes.data() = 17;
  return model;
}

TrainingState some_state() {
  TrainingState state;
  state.step = 3;
  state.epoch = 1;
  state.position = 2;
  state.loss_sum = 0.1;
  state.epoch_losses = {1.5, 1.0 / 3};
  state.rngs = {Rng(std::numeric_limits<std::uint64_t>::max(), 12), Rng(5, 1)};
  state.configuration = Json::object({{"width", 64}, {"optimizer", Json::object({{"rate", 0.1}})}});
  return state;
}

/// The bytes of a checkpoint of the model.
template <class T>
std::string checkpoint_bytes(const ScratchFolder& folder, const Tiny<T>& model) {
  save_checkpoint(folder / "bytes", model, some_state());
  return bytes_of(folder / "bytes");
}

}  // namespace

TEMPLATE_TEST_CASE("Checkpoint: without moments the rest comes back", "", float, bf16) {
  ScratchFolder const folder;
  auto const model = trained<TestType>();
  save_checkpoint(folder / "c", model, some_state(), CheckpointContent::no_moments);
  auto other = trained<TestType>(2);
  CHECK(load_checkpoint(folder / "c", other, some_state().configuration).step == 3);
  CHECK(other.optimizer_state().kind.empty());
  CHECK(other.optimizer_state().moments.empty());
  CHECK(same_bits(other.weights(), model.weights()));
  CHECK(same_bits(std::as_const(other).ema_state().weights, model.ema_state().weights));
  CHECK(std::filesystem::file_size(folder / "c") < checkpoint_bytes(folder, model).size() * 3 / 4);
}

TEMPLATE_TEST_CASE("Checkpoint: all of the model and the state come back", "", float, bf16, double) {
  ScratchFolder const folder;
  auto const model = trained<TestType>();
  save_checkpoint(folder / "c", model, some_state());
  auto other = tiny_model<TestType>(2);
  auto const state = load_checkpoint(folder / "c", other, some_state().configuration);
  CHECK(state.step == 3);
  CHECK(state.epoch == 1);
  CHECK(state.position == 2);
  CHECK(state.loss_sum == 0.1);
  CHECK(state.epoch_losses == some_state().epoch_losses);
  REQUIRE(state.rngs.size() == 2);
  CHECK(state.rngs[0].seed() == std::numeric_limits<std::uint64_t>::max());
  CHECK(state.rngs[0].draws() == 12);
  CHECK(state.configuration == some_state().configuration);
  CHECK(other.optimizer_state().steps == 3);
  CHECK(other.net().passes.value.item() == 17);
  CHECK(checkpoint_bytes(folder, other) == checkpoint_bytes(folder, model));
  auto const x = random_tensor<TestType>({2, 5});
  CHECK(same_bits(other(Var<TestType>(x)).value(), model(Var<TestType>(x)).value()));
  CHECK(same_bits(other.ema()(Var<TestType>(x)).value(), model.ema()(Var<TestType>(x)).value()));
}

TEST_CASE("Checkpoint: the model becomes what was saved, whatever it held") {
  ScratchFolder const folder;
  auto const plain = tiny_model<float>(1);
  save_checkpoint(folder / "plain", plain, {});
  auto model = trained<float>(2);
  load_checkpoint(folder / "plain", model);
  CHECK_FALSE(model.has_ema());
  CHECK(model.optimizer_state().kind.empty());
  save_checkpoint(folder / "again", model, {});
  CHECK(bytes_of(folder / "again") == bytes_of(folder / "plain"));

  auto const adam = trained<float>(3);
  auto sgd = tiny_model<float>(4);
  sgd.gradients().fill(1);
  Sgd{{.momentum = 0.9}}.step(sgd);
  save_checkpoint(folder / "adam", adam, some_state());
  load_checkpoint(folder / "adam", sgd);
  CHECK(checkpoint_bytes(folder, sgd) == checkpoint_bytes(folder, adam));
}

TEST_CASE("Checkpoint: of another network, run or kind of file") {
  ScratchFolder const folder;
  auto const saved = trained<float>();
  save_checkpoint(folder / "c", saved, some_state());
  auto wide = tiny_model<float>(1, 6);
  auto const before = checkpoint_bytes(folder, wide);
  require_error([&] { load_checkpoint(folder / "c", wide); }, "'weights.first.scale' has shape (5), wanted (6)");
  CHECK(checkpoint_bytes(folder, wide) == before);
  auto precise = tiny_model<double>(1);
  require_error([&] { load_checkpoint(folder / "c", precise); }, "holds F32, wanted F64");

  auto model = tiny_model<float>(2);
  auto const untouched = checkpoint_bytes(folder, model);
  auto configuration = some_state().configuration;
  configuration["width"] = 32;
  require_error([&] { load_checkpoint(folder / "c", model, configuration); },
                "is of another run: the checkpoint has width = 64, this program 32");
  configuration = some_state().configuration;
  configuration["optimizer"]["rate"] = 0.2;
  require_error([&] { load_checkpoint(folder / "c", model, configuration); }, "optimizer.rate = 0.1, this program 0.2");
  configuration = some_state().configuration;
  configuration["new"] = 1;
  require_error([&] { load_checkpoint(folder / "c", model, configuration); }, "new = nothing, this program 1");
  require_error([&] { load_checkpoint(folder / "c", model, Json::object()); }, "width = 64, this program nothing");
  save_weights(folder / "w", model);
  require_error([&] { load_checkpoint(folder / "w", model); }, "is not a checkpoint");
  require_error([&] { load_checkpoint(folder / "none", model); }, "cannot open");
  CHECK(checkpoint_bytes(folder, model) == untouched);
}

TEST_CASE("Checkpoint: numbers that no run writes are refused") {
  ScratchFolder const folder;
  auto model = tiny_model<float>(2);
  auto const refuses = [&](const Tiny<float>& saved, const TrainingState& state, const std::string& wanted) {
    save_checkpoint(folder / "c", saved, state);
    require_error([&] { load_checkpoint(folder / "c", model); }, wanted);
  };
  auto negative = trained<float>();
  negative.optimizer_state("adam", 2).steps = -1;
  refuses(negative, {}, "optimizer: given steps -1");
  auto large = trained<float>();
  large.ema_state().updates = std::numeric_limits<std::int64_t>::max();
  refuses(large, {}, "ema: given updates 9223372036854775807");
  auto const refuses_count = [&](std::int64_t TrainingState::*count, std::int64_t value, const std::string& wanted) {
    TrainingState state;
    state.*count = value;
    refuses(tiny_model<float>(1), state, wanted);
  };
  refuses_count(&TrainingState::step, -1, "state: given step -1");
  refuses_count(&TrainingState::position, -1, "state: given position -1");
  refuses_count(&TrainingState::epoch, std::int64_t{1} << 40,
                "state: given epoch 1099511627776, wanted a number from 0 to below 2^40");
}

TEST_CASE("Checkpoint: an optimiser does not take moments that it has not made") {
  ScratchFolder const folder;
  auto saved = tiny_model<float>(1);
  saved.optimizer_state("adam", 1);
  save_checkpoint(folder / "c", saved, {});
  auto model = tiny_model<float>(2);
  load_checkpoint(folder / "c", model);
  model.gradients().fill(1);
  require_error([&] { Adam{}.step(model); }, "adam: the model holds 1 moments of adam, wanted 2");
  model.reset_optimizer();
  Adam{}.step(model);
  CHECK(model.optimizer_state().moments.size() == 2);
}

TEST_CASE("Checkpoint: every damaged byte and every truncation is noticed") {
  ScratchFolder const folder;
  auto const saved = trained<float>();
  save_checkpoint(folder / "c", saved, some_state());
  auto const good = bytes_of(folder / "c");
  auto model = tiny_model<float>(2);
  auto const untouched = checkpoint_bytes(folder, model);
  auto const refuses = [&](const std::string& bytes) {
    put_bytes(folder / "bad", bytes);
    try {
      load_checkpoint(folder / "bad", model);
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  for (std::size_t at = 0; at < good.size(); at += 3) {
    auto bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    INFO("byte " << at << " of " << good.size());
    // The header may hold spaces and key order that mean nothing.
    if (!refuses(bytes)) CHECK(std::isspace(static_cast<unsigned char>(good[at])) != 0);
  }
  for (std::size_t length = 0; length < good.size(); length += 97) {
    INFO("the first " << length << " bytes");
    CHECK(refuses(good.substr(0, length)));
  }
  CHECK(refuses(good + '\0'));
  CHECK(checkpoint_bytes(folder, model) == untouched);
}

TEST_CASE("Checkpoint: a loss that is not finite is not saved, and the old file stays") {
  ScratchFolder const folder;
  auto const model = tiny_model<float>(1);
  save_checkpoint(folder / "c", model, some_state());
  auto const before = bytes_of(folder / "c");
  auto state = some_state();
  state.loss_sum = std::numeric_limits<double>::quiet_NaN();
  require_error([&] { save_checkpoint(folder / "c", model, state); }, "a loss that is not finite");
  require_error([&] { save_checkpoint(folder / "no/c", model, some_state()); }, "cannot create");
  CHECK(bytes_of(folder / "c") == before);
}
