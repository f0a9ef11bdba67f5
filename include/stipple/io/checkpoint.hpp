// Checkpoints: everything that a training run needs to go on as if it had never stopped, in one safetensors file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// What a run remembers besides its Model.
struct TrainingState {
  std::int64_t step = 0;             ///< optimiser steps done
  std::int64_t epoch = 0;            ///< of the next batch
  std::int64_t position = 0;         ///< batches of that epoch already taken
  double loss_sum = 0;               ///< of those batches
  std::vector<double> epoch_losses;  ///< mean loss of each epoch before
  std::vector<Rng> rngs;
  Json configuration = Json::object();
  bool has_optimizer = true;  ///< whether the checkpoint that this was read from holds the optimiser's state
  Json unfinished;            ///< null, or the log's line of a step whose callbacks are still to be called
};

/// What of a Model a checkpoint holds.
enum class CheckpointContent {
  everything,
  no_moments,  ///< all but the optimiser's state: a third of the size with Adam, and enough to sample
};

/// Writes weights, average, moments, buffers and `state`, replacing the file at once. The bytes depend on these values
/// alone, not on the device: a checkpoint is read on any. Tensors are stored as the arenas hold them, so nothing is
/// copied on the CPU; `save_weights` writes what other software reads.
template <Real T, Device D>
void save_checkpoint(const FilePath& path, const ModelState<T, D>& model, const TrainingState& state,
                     CheckpointContent content = CheckpointContent::everything);

/// What `save_checkpoint` saved besides the model. Throws Error if the file cannot be read or is no checkpoint.
STIPPLE_IO_INLINE TrainingState read_training_state(const FilePath& path);

/// Makes the model what `save_checkpoint` saved and returns the rest. With a `configuration` (not null) it must equal
/// the saved one. Throws Error, and leaves the model as it was, if the file cannot be read, is damaged, or is of
/// another network or configuration; the message names the first difference.
template <Real T, Device D>
TrainingState load_checkpoint(const FilePath& path, ModelState<T, D>& model, const Json& configuration = {});

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io)

#include <array>
#include <bit>
#include <charconv>
#include <cmath>

namespace stipple::detail {

inline constexpr std::int64_t checkpoint_version = 1;

// Detects damaged bytes, in the order in which they are added.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, 8);
      mix(word);
    }
    std::uint64_t last = bytes.size();
    for (; i < bytes.size(); ++i) last = last << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    mix(last);
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::string text() const { return std::to_string(sum_); }

 private:
  // One round of FNV-1a on words, with a rotation that brings the high bits back down.
  void mix(std::uint64_t word) { sum_ = std::rotl((sum_ ^ word) * 0x100000001b3u, 29); }

  std::uint64_t sum_ = 0xcbf29ce484222325u;
};

// Lets f see a tensor on the host, and with `writes` change it.
template <Element U, Device D, class F>
void visit_on_host(Tensor<U, D> tensor, bool writes, const F& f) {
  auto const host = to<Cpu>(tensor);
  f(host);
  if constexpr (!std::same_as<D, Cpu>)
    if (writes) tensor.copy_from(to<D>(host));
}

// Calls f(name, tensor) for every tensor of a checkpoint of a Model and of `moments` of its optimiser, on the host. On
// the CPU the tensors share the model's storage; on other devices an arena is copied at once, and back if f `writes`.
template <Real T, Device D, class Moments, class F>
void for_each_checkpoint_tensor(const ModelState<T, D>& model, const Moments& moments, bool writes, const F& f) {
  auto const arena = [&](const std::string& prefix, const auto& values) {
    visit_on_host(values, writes, [&](const Tensor<accumulate_t<T>>& host) {
      for (auto const& parameter : model.parameters())
        f(prefix + parameter.name, host.view(parameter.offset, parameter.shape));
    });
  };
  arena("weights.", model.weights());
  if (model.has_ema()) arena("ema.", model.ema_state().weights);
  for (std::size_t k = 0; k < moments.size(); ++k) arena("moments." + std::to_string(k) + ".", moments[k]);
  for (auto const& buffer : model.buffers())
    std::visit(
        [&](auto const& value) {
          visit_on_host(value, writes, [&](auto const& host) { f("buffers." + buffer.name, host); });
        },
        buffer.value);
}

inline Json state_to_json(const TrainingState& state) {
  bool finite = std::isfinite(state.loss_sum);
  for (double const loss : state.epoch_losses) finite = finite && std::isfinite(loss);
  require(finite, "save_checkpoint: given a loss that is not finite");
  Json json = Json::object({{"version", checkpoint_version},
                            {"step", state.step},
                            {"epoch", state.epoch},
                            {"position", state.position},
                            {"loss_sum", state.loss_sum},
                            {"epoch_losses", state.epoch_losses}});
  auto rngs = Json::array();
  for (auto const& rng : state.rngs)  // as text: JSON numbers end at 2^53
    rngs.push_back(Json::array({std::to_string(rng.seed()), std::to_string(rng.draws())}));
  json["rngs"] = rngs;
  json["configuration"] = state.configuration;
  if (!state.unfinished.is_null()) json["unfinished"] = state.unfinished;
  return json;
}

// A number of steps or the like: so small that its product with the batches of an epoch does not overflow.
inline std::int64_t get_count(const Json& json, const char* name, std::string_view what) {
  auto const count = get_integer(json, name, what);
  require(0 <= count && count < std::int64_t{1} << 40, what, ": given ", name, " ", count,
          ", wanted a number from 0 to below 2^40");
  return count;
}

inline TrainingState state_from_json(const Json& json) {
  TrainingState state;
  state.step = get_count(json, "step", "state");
  state.epoch = get_count(json, "epoch", "state");
  state.position = get_count(json, "position", "state");
  state.loss_sum = get_number(json, "loss_sum", "state");
  for (auto const& loss : get_array(json, "epoch_losses", "state")) {
    require(loss.is_number(), "given ", loss.type_name(), " for the loss of an epoch");
    state.epoch_losses.push_back(loss.get<double>());
  }
  for (auto const& rng : get_array(json, "rngs", "state")) {
    require(rng.is_array() && rng.size() == 2 && rng[0].is_string() && rng[1].is_string(),
            "given an Rng that is not two numbers as text");
    std::array<std::uint64_t, 2> value{};
    for (std::size_t i = 0; i < 2; ++i) {
      auto const& text = rng[i].get_ref<const std::string&>();
      auto const* const end = text.data() + text.size();
      auto const read = std::from_chars(text.data(), end, value[i]);
      require(read.ec == std::errc() && read.ptr == end, "given '", text, "' for a number of an Rng");
    }
    state.rngs.emplace_back(value[0], value[1]);
  }
  state.configuration = get_field(json, "configuration", "state");
  if (json.contains("unfinished")) {
    state.unfinished = json.at("unfinished");
    auto const step = get_integer(state.unfinished, "step", "unfinished");
    require(step == state.step, "given step ", step, " unfinished, wanted ", state.step);
  }
  return state;
}

// Throws Error naming the first field in which two configurations differ.
inline void compare_configurations(const Json& given, const Json& wanted, const std::string& path) {
  require(given.is_object() && wanted.is_object(), "given a configuration that is not an object");
  auto const text = [](const Json& json, const std::string& name) {
    return json.contains(name) ? dump_json(json.at(name)) : std::string("nothing");
  };
  auto const is_object = [](const Json& json, const std::string& name) {
    return json.contains(name) && json.at(name).is_object();
  };
  auto const compare = [&](const std::string& name) {
    if (is_object(given, name) && is_object(wanted, name)) {
      compare_configurations(given.at(name), wanted.at(name), path + name + ".");
      return;
    }
    auto const a = text(given, name), b = text(wanted, name);
    require(a == b, "the checkpoint has ", path, name, " = ", a, ", this program ", b);
  };
  for (auto const& field : wanted.items()) compare(field.key());
  for (auto const& field : given.items()) compare(field.key());
}

// A checkpoint file whose content has been read and checked as far as that is possible without a model.
class CheckpointFile {
 public:
  explicit CheckpointFile(const FilePath& path) : file_(path) {
    auto const header = file_.metadata().find("stipple_checkpoint");
    require(header != file_.metadata().end(), "load_checkpoint: ", quoted(path), " is not a checkpoint");
    try {
      auto const json = parse_json(header->second, "state");
      auto const version = get_integer(json, "version", "state");
      require(version == checkpoint_version, "given version ", version, ", wanted ", checkpoint_version);
      state_ = state_from_json(json);
      auto const& optimizer = get_field(json, "optimizer", "state");
      kind_ = get_string(optimizer, "kind", "optimizer");
      state_.has_optimizer = !kind_.empty();
      optimizer_steps_ = get_count(optimizer, "steps", "optimizer");
      moments_ = get_integer(optimizer, "moments", "optimizer");
      require(0 <= moments_ && moments_ <= (kind_.empty() ? 0 : 3), "given ", moments_, " moments of '", kind_, "'");
      has_ema_ = json.contains("ema");
      if (has_ema_) {
        auto const& ema = json.at("ema");
        ema_.decay = get_number(ema, "decay", "ema");
        ema_.warmup = get_bool(ema, "warmup", "ema");
        ema_updates_ = get_count(ema, "updates", "ema");
        require(ema_.decay >= 0 && ema_.decay < 1, "given decay ", ema_.decay);
      }
    } catch (const Error& error) {
      fail("load_checkpoint: ", quoted(path), ": ", error.what());
    }
  }

  const TrainingState& state() const { return state_; }

  /// Compares with a model and a configuration.
  template <Real T, Device D>
  void check(const ModelState<T, D>& model, const Json& configuration) const {
    WeightCheck names(file_);
    Checksum checksum;
    checksum.add(file_.metadata().at("stipple_checkpoint"));
    auto const want = [&](const std::string& name, const Shape& shape, FileDtype dtype) {
      if (names.want(name, shape, dtype)) checksum.add(file_.raw(name));
    };
    auto const arena = [&](const std::string& prefix) {
      for (auto const& parameter : model.parameters())
        want(prefix + parameter.name, parameter.shape, file_dtype<accumulate_t<T>>());
    };
    arena("weights.");
    if (has_ema_) arena("ema.");
    for (std::int64_t k = 0; k < moments_; ++k) arena("moments." + std::to_string(k) + ".");
    for (auto const& buffer : model.buffers())
      std::visit(
          [&]<class U>(const Tensor<U, D>& value) { want("buffers." + buffer.name, value.shape(), file_dtype<U>()); },
          buffer.value);
    names.finish("load_checkpoint", true);
    auto const sum = file_.metadata().find("checksum");
    require(sum != file_.metadata().end() && sum->second == checksum.text(), "load_checkpoint: ", quoted(file_.path()),
            " is damaged: its checksum is not that of its tensors");
    if (configuration.is_null()) return;
    try {
      compare_configurations(state_.configuration, configuration, "");
    } catch (const Error& error) {
      fail("load_checkpoint: ", quoted(file_.path()), " is of another run: ", error.what());
    }
  }

  template <Real T, Device D>
  void copy_to(ModelState<T, D>& model) const {
    if (has_ema_) {
      if (!model.has_ema()) model.track_ema(ema_);
      model.ema_state().settings = ema_;
      model.ema_state().updates = ema_updates_;
    } else {
      model.drop_ema();
    }
    auto const moments = static_cast<std::size_t>(moments_);
    auto const& held = model.optimizer_state();
    if (held.kind != kind_ || held.moments.size() != moments) model.reset_optimizer();
    if (!kind_.empty()) model.optimizer_state(kind_, moments).steps = optimizer_steps_;
    for_each_checkpoint_tensor(model, held.moments, true, [&]<class U>(const std::string& name, Tensor<U> tensor) {
      auto const bytes = file_.raw(name);
      std::memcpy(static_cast<void*>(tensor.data()), bytes.data(), bytes.size());
    });
    model.weights_changed();
  }

 private:
  SafetensorsFile file_;
  TrainingState state_;
  std::string kind_;
  std::int64_t optimizer_steps_ = 0, moments_ = 0, ema_updates_ = 0;
  bool has_ema_ = false;
  Ema ema_;
};

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_IO_INLINE TrainingState read_training_state(const FilePath& path) {
  return detail::CheckpointFile(path).state();
}
#endif

template <Real T, Device D>
void save_checkpoint(const FilePath& path, const ModelState<T, D>& model, const TrainingState& state,
                     CheckpointContent content) {
  auto json = detail::state_to_json(state);
  typename std::remove_cvref_t<decltype(model.optimizer_state())> const none;
  auto const& optimizer = content == CheckpointContent::everything ? model.optimizer_state() : none;
  json["optimizer"] =
      Json::object({{"kind", optimizer.kind}, {"steps", optimizer.steps}, {"moments", optimizer.moments.size()}});
  if (model.has_ema()) {
    auto const& ema = model.ema_state();
    json["ema"] =
        Json::object({{"decay", ema.settings.decay}, {"warmup", ema.settings.warmup}, {"updates", ema.updates}});
  }
  SafetensorsWriter writer;
  detail::Checksum checksum;
  auto const text = dump_json(json);
  writer.metadata("stipple_checkpoint", text);
  checksum.add(text);
  detail::for_each_checkpoint_tensor(model, optimizer.moments, false, [&](const std::string& name, const auto& tensor) {
    writer.add(name, tensor);
    checksum.add(std::as_bytes(tensor.span()));
  });
  writer.metadata("checksum", checksum.text());
  writer.write(path);
}

template <Real T, Device D>
TrainingState load_checkpoint(const FilePath& path, ModelState<T, D>& model, const Json& configuration) {
  detail::CheckpointFile const file(path);
  file.check(model, configuration);
  file.copy_to(model);
  return file.state();
}

#define STIPPLE_INSTANCES(T, D)                                                                                     \
  template void save_checkpoint(const FilePath&, const ModelState<T, D>&, const TrainingState&, CheckpointContent); \
  template TrainingState load_checkpoint(const FilePath&, ModelState<T, D>&, const Json&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
