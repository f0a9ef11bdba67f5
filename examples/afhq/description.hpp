// What a checkpoint says of its network, so that it alone is enough to sample.
#pragma once

#include <string>
#include <vector>

#include <stipple/diffusion/schedule.hpp>
#include <stipple/io/json.hpp>
#include <stipple/models/kaist_unet.hpp>

#include "common/schedule_options.hpp"

namespace afhq {

namespace st = stipple;

struct Description {
  st::Index height = 64, width = 64;
  std::vector<std::string> classes;  ///< that the network is told, labels 1, 2, ...; empty: it is told none
  int timesteps = 1000;
  example::NoiseSchedule noise;
  st::KaistUnetConfig net;

  bool is_conditional() const { return !classes.empty(); }
  st::Shape images(st::Index count) const { return {count, height, width, net.channels}; }
  st::Schedule schedule() const { return noise(timesteps); }

  st::Json to_json() const {
    auto json = st::Json::object({{"example", "afhq"},
                                  {"height", height},
                                  {"width", width},
                                  {"classes", classes},
                                  {"num_train_timesteps", timesteps},
                                  {"net", st::Json::object({{"width", net.width},
                                                            {"multipliers", net.mults},
                                                            {"attention_levels", net.attention_levels},
                                                            {"res_blocks", net.res_blocks},
                                                            {"dropout", net.dropout},
                                                            {"groups", net.groups}})}});
    noise.add_to(json);
    if (net.class_form == st::KaistClasses::table) json["net"]["class_embedding"] = "table";  // older files: linear
    return json;
  }
  /// Throws Error, which begins with `what`, if this is not what `to_json` returns.
  static Description from_json(const st::Json& json, const std::string& what) {
    st::require(json.is_object() && json.contains("example") && json.at("example") == "afhq", what,
                ": is of another program, wanted a checkpoint of afhq train");
    auto const& net = st::get_field(json, "net", what);
    Description d;
    d.height = st::get_integer(json, "height", what);
    d.width = st::get_integer(json, "width", what);
    d.classes = st::get_array(json, "classes", what).get<std::vector<std::string>>();
    d.timesteps = static_cast<int>(st::get_integer(json, "num_train_timesteps", what));
    if (json.contains("noise_schedule")) {
      d.noise.name = st::get_string(json, "noise_schedule", what);
      if (d.noise.has_range()) {
        d.noise.beta_start = st::get_number(json, "beta_start", what);
        d.noise.beta_end = st::get_number(json, "beta_end", what);
      }
    }
    d.net.width = st::get_integer(net, "width", what);
    d.net.mults = st::get_array(net, "multipliers", what).get<std::vector<st::Index>>();
    d.net.attention_levels = st::get_array(net, "attention_levels", what).get<std::vector<st::Index>>();
    d.net.res_blocks = st::get_integer(net, "res_blocks", what);
    d.net.dropout = st::get_number(net, "dropout", what);
    d.net.groups = st::get_integer(net, "groups", what);
    d.net.classes = static_cast<st::Index>(d.classes.size());
    if (net.contains("class_embedding")) d.net.class_form = st::KaistClasses::table;
    return d;
  }
};

/// The network with its first weights.
template <class T, class D>
st::Model<st::KaistUnet<T, D>> make_net(const Description& description, std::uint64_t seed) {
  st::Rng rng(seed);
  return st::Model<st::KaistUnet<T, D>>(st::KaistUnet<T, D>(description.net, rng));
}

}  // namespace afhq
