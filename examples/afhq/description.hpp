// What a checkpoint says of its network, so that it alone is enough to sample.
#pragma once

#include <string>
#include <vector>

#include <stipple/diffusion/schedule.hpp>
#include <stipple/io/json.hpp>
#include <stipple/models/kaist_unet.hpp>

namespace afhq {

namespace st = stipple;

struct Description {
  st::Index height = 64, width = 64;
  std::vector<std::string> classes;  ///< that the network is told, labels 1, 2, ...; empty: it is told none
  int timesteps = 1000;
  st::KaistUnetConfig net;

  bool is_conditional() const { return !classes.empty(); }
  st::Shape images(st::Index count) const { return {count, height, width, net.channels}; }
  st::Schedule schedule() const { return st::linear_schedule({.num_train_timesteps = timesteps}); }

  st::Json to_json() const {
    return st::Json::object({{"example", "afhq"},
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
    d.net.width = st::get_integer(net, "width", what);
    d.net.mults = st::get_array(net, "multipliers", what).get<std::vector<st::Index>>();
    d.net.attention_levels = st::get_array(net, "attention_levels", what).get<std::vector<st::Index>>();
    d.net.res_blocks = st::get_integer(net, "res_blocks", what);
    d.net.dropout = st::get_number(net, "dropout", what);
    d.net.groups = st::get_integer(net, "groups", what);
    d.net.classes = static_cast<st::Index>(d.classes.size());
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
