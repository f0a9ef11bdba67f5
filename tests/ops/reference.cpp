// Operations against vectors made with PyTorch, in every instruction set.
#include <set>

#include "invariance.hpp"
#include "reference_suite.hpp"

using namespace stipple;

TEST_CASE("operations agree with the reference vectors", "[reference]") {
  for_each_product_isa([](Isa) { reference::check_operations<Cpu>(); });
}

TEST_CASE("no operation with reference vectors is left out", "[reference]") {
  std::set<std::string> checked;
  for (auto const& entry : reference::suite<Cpu>()) checked.insert(entry.op);
  for (auto const& [name, entry] : reference::index().at("cases").items()) {
    auto const op = entry.at("op").get<std::string>();
    INFO(name << " of " << op);
    CHECK((op.starts_with("torch.") || checked.contains(op)));  // torch.optim and clipping are the optimisers'
  }
}
