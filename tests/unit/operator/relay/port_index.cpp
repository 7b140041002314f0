#include "operator/relay/port_index.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/relay/claimants.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class PortIndexTest : public ::testing::Test {
 protected:
  void enters(const std::string& name, std::vector<HostPort> ports) {
    auto& entry = *claimants.emplace(Key{"mail", name}, wants(stake_in(std::move(ports)), "u-" + name)).first;
    index.add(entry);
  }
  static std::vector<std::string> names(const Contenders& contenders) {
    std::vector<std::string> found;
    for (const auto* each : contenders) found.push_back(each->first.name);
    return found;
  }
  const Claimant& at(const std::string& name) { return claimants.at({"mail", name}); }

  Claimants claimants;
  PortIndex index;
};

TEST_F(PortIndexTest, FindsThoseWhoShareANumberAndNoOthers) {
  enters("a", {tcp(25), tcp(8025)});
  enters("b", {tcp(25, "192.0.2.1"), tcp(8026)});
  enters("c", {tcp(587), tcp(8026)});
  EXPECT_THAT(names(index.sharing(at("a"))), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(names(index.sharing(at("b"))), UnorderedElementsAre("a", "b", "c"));
  EXPECT_THAT(index.sharing({}), IsEmpty());
}

TEST_F(PortIndexTest, FindsThoseBehindOthersOnce) {
  enters("a", {tcp(25), tcp(8025)});
  enters("b", {tcp(25), tcp(8025), tcp(8026)});
  enters("c", {tcp(587), tcp(8026)});
  enters("d", {tcp(2525)});
  EXPECT_THAT(names(index.around(at("a"))), UnorderedElementsAre("a", "b", "c"));
  EXPECT_THAT(names(index.around(at("d"))), UnorderedElementsAre("d"));
  EXPECT_THAT(index.around({}), IsEmpty());
}

TEST_F(PortIndexTest, KnowsWhatADaemonSetHasUnlessItWasAFormerRelays) {
  Claimant holder = wants(stake_in({tcp(25)}), "u-holder");
  applied(holder);
  holder.wanted = stake_in({tcp(2525)});
  index.add(*claimants.emplace(Key{"mail", "holder"}, holder).first);
  holder.uid = "u-successor";
  index.add(*claimants.emplace(Key{"mail", "successor"}, holder).first);
  enters("a", {tcp(25)});
  EXPECT_THAT(names(index.sharing(at("a"))), UnorderedElementsAre("a", "holder"));
}

TEST_F(PortIndexTest, ForgetsWhoGoes) {
  enters("a", {tcp(25)});
  enters("b", {tcp(25)});
  index.remove(*claimants.find({"mail", "b"}));
  EXPECT_THAT(names(index.around(at("a"))), UnorderedElementsAre("a"));
  index.remove(*claimants.find({"mail", "b"}));
  EXPECT_THAT(names(index.around(at("a"))), UnorderedElementsAre("a")) << "nor is once more a fault";
}

}  // namespace
}  // namespace op::smtp_relay
