#include "operator/relay/port_ledger.hpp"

#include <gmock/gmock.h>
#include <utility>

#include "operator/relay/trouble.hpp"
#include "operator/resources/daemon_set.hpp"
#include "tests/unit/operator/relay/claimants.hpp"
#include "tests/unit/operator/runtime/whole_list.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using runtime::Change;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kOld{"mail", "old"};
const Key kYoung{"mail", "young"};

class PortLedgerTest : public ::testing::Test {
 protected:
  PortLedgerTest() {
    const auto feed = nodes.feed();
    runtime::give_all(*feed, {object("node1"), object("node2")});
    old = relay("old", "2026-01-01T00:00:00Z");
    young = relay("young", "2026-01-02T00:00:00Z");
  }
  static Json object(const std::string& name) {
    return {{"metadata", {{"name", name}, {"labels", {{"kubernetes.io/os", "linux"}}}}}};
  }
  static Json relay(const std::string& name, const std::string& created) {
    return {
      {"metadata",
       {{"namespace", "mail"},
        {"name", name},
        {"uid", "u-" + name},
        {"creationTimestamp", created},
        {"generation", 1}}},
      {"spec", {{"access", {{"allowedNetworks", Json::array({"10.20.0.0/16"})}}}}},
    };
  }
  static Json daemon_set(const Json& relay, const resources::Exclusions& exclusions = {}) {
    const auto parsed = *api::parse_smtp_relay(relay);
    resources::Blueprint blueprint{parsed, "relay:1", "/var/lib/smtp-relay", "", {}};
    blueprint.exclusions = exclusions;
    auto made = resources::daemon_set(blueprint);
    made["metadata"]["uid"] = "d-" + parsed.name;
    return made;
  }
  /// A pod of the relay's DaemonSet, as the cache keeps it.
  static Json pod(const std::string& relay, const std::string& node) {
    Json made{
      {"metadata",
       {{"namespace", "mail"},
        {"name", relay + "-" + node},
        {"labels", {{"app.kubernetes.io/instance", relay}}},
        {"ownerReferences",
         Json::array({{{"kind", "DaemonSet"}, {"uid", "d-" + relay}, {"controller", true}}})}}},
      {"spec", {{"nodeName", node}}},
    };
    summarize(made);
    return made;
  }
  void both_are_applied() {
    ledger.relay_changed({nullptr, &old});
    ledger.relay_changed({nullptr, &young});
    for (const auto& each : {daemon_set(old), daemon_set(young)}) ledger.daemon_set_changed({nullptr, &each});
  }
  [[nodiscard]] std::vector<std::string> lost(const Key& key) const {
    std::vector<std::string> names;
    for (const auto& loss : ledger.verdict(key, *nodes.now(), {}).lost) names.push_back(loss.node);
    return names;
  }
  /// Who was woken since this was asked last.
  std::vector<Key> woken() { return std::exchange(woken_, {}); }

  std::vector<Key> woken_;
  NodeCache nodes{[] {}};
  PortLedger ledger{nodes, [this](const Key& key) { woken_.push_back(key); }};
  Json old;
  Json young;
};

TEST_F(PortLedgerTest, KnowsWhatRelaysWantByTheirSpec) {
  ledger.relay_changed({nullptr, &old});
  EXPECT_THAT(woken(), IsEmpty());
  ledger.relay_changed({nullptr, &young});
  EXPECT_THAT(woken(), ElementsAre(kOld));
  EXPECT_THAT(lost(kYoung), ElementsAre("node1", "node2"));
  EXPECT_THAT(lost(kOld), IsEmpty());
}

TEST_F(PortLedgerTest, WakesTheRivalWhenARelayGoesOrTakesAnotherPort) {
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  auto moved = old;
  moved["spec"]["network"] = {{"port", 2525}};
  moved["spec"]["health"] = {{"hostPort", 8125}};
  woken();
  ledger.relay_changed({&old, &moved});
  EXPECT_THAT(woken(), ElementsAre(kYoung));
  EXPECT_THAT(lost(kYoung), IsEmpty());
  ledger.relay_changed({&moved, &old});
  EXPECT_THAT(woken(), ElementsAre(kYoung));
  ledger.relay_changed({&old, nullptr});
  EXPECT_THAT(woken(), ElementsAre(kYoung));
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortLedgerTest, WakesNobodyOverAStatusThatChangesNothing) {
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  woken();
  auto next = old;
  next["status"] = {{"readyNodes", 2}};
  ledger.relay_changed({&old, &next});
  EXPECT_THAT(woken(), IsEmpty());
}

TEST_F(PortLedgerTest, GivesNothingToARelayWhoseStatusSaysThatNothingIsApplied) {
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  auto blocked = old;
  blocked["status"]["conditions"] = Json::array(
    {{{"type", "Progressing"}, {"status", "False"}, {"reason", "Blocked"}, {"observedGeneration", 1}}}
  );
  woken();
  ledger.relay_changed({&old, &blocked});
  EXPECT_THAT(woken(), ElementsAre(kYoung));
  EXPECT_THAT(lost(kYoung), IsEmpty());
  auto mended = blocked;
  mended["metadata"]["generation"] = 2;
  ledger.relay_changed({&blocked, &mended});
  EXPECT_THAT(lost(kYoung), SizeIs(2)) << "that was said of a former spec";
  mended["spec"]["managementState"] = "Paused";
  ledger.relay_changed({&mended, &mended});
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortLedgerTest, KnowsWhatDaemonSetsHaveAndWakesTheOtherWhenTheyGo) {
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  const auto made = daemon_set(young);
  woken();
  ledger.daemon_set_changed({nullptr, &made});
  EXPECT_THAT(woken(), ElementsAre(kOld));
  EXPECT_THAT(lost(kOld), SizeIs(2));
  EXPECT_THAT(lost(kYoung), IsEmpty());
  const auto without = daemon_set(young, {false, {"node1"}});
  ledger.daemon_set_changed({&made, &without});
  EXPECT_THAT(lost(kOld), ElementsAre("node2"));
  ledger.daemon_set_changed({&without, nullptr});
  EXPECT_THAT(lost(kOld), IsEmpty());
}

TEST_F(PortLedgerTest, KnowsWherePodsAreAndNotWhereTheyWaitForTheScheduler) {
  both_are_applied();
  auto waits = pod("young", "node1");
  waits["spec"]["unbound"] = true;
  ledger.pod_changed({nullptr, &waits});
  EXPECT_THAT(lost(kOld), IsEmpty());
  const auto runs = pod("young", "node1");
  woken();
  ledger.pod_changed({&waits, &runs});
  EXPECT_THAT(woken(), ElementsAre(kOld));
  EXPECT_THAT(lost(kOld), ElementsAre("node1"));
  ledger.pod_changed({&runs, nullptr});
  EXPECT_THAT(lost(kOld), IsEmpty());
}

TEST_F(PortLedgerTest, WakesNobodyOverAPodThatTakesAnothersPlaceOnItsNode) {
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  const auto made = daemon_set(young);
  ledger.daemon_set_changed({nullptr, &made});
  const auto first = pod("young", "node1");
  auto second = first;
  second["metadata"]["name"] = "young-again";
  ledger.pod_changed({nullptr, &first});
  EXPECT_THAT(woken(), Contains(kOld));
  ledger.pod_changed({nullptr, &second});
  ledger.pod_changed({&first, nullptr});
  EXPECT_THAT(woken(), IsEmpty()) << "there is one all the time";
  ledger.pod_changed({&second, nullptr});
  EXPECT_THAT(woken(), ElementsAre(kOld));
}

TEST_F(PortLedgerTest, KnowsAPodNoMoreOnTheNodeWhereOneOfItsNameWas) {
  both_are_applied();
  const auto first = pod("young", "node1");
  auto moved = pod("young", "node2");
  moved["metadata"]["name"] = first["metadata"]["name"];
  ledger.pod_changed({nullptr, &first});
  ledger.pod_changed({&first, &moved});
  EXPECT_THAT(lost(kOld), ElementsAre("node2"));
  auto waits = moved;
  waits["spec"]["unbound"] = true;
  ledger.pod_changed({&moved, &waits});
  EXPECT_THAT(lost(kOld), IsEmpty());
}

TEST_F(PortLedgerTest, ForgetsARelayOfWhichNothingIsLeftAndKnowsItAgainWhenItReturns) {
  const auto made = daemon_set(old);
  const auto there = pod("old", "node1");
  ledger.relay_changed({nullptr, &old});
  ledger.daemon_set_changed({nullptr, &made});
  ledger.pod_changed({nullptr, &there});
  ledger.relay_changed({&old, nullptr});
  ledger.daemon_set_changed({&made, nullptr});
  ledger.pod_changed({&there, nullptr});
  ledger.relay_changed({nullptr, &young});
  EXPECT_THAT(lost(kYoung), IsEmpty());
  ledger.relay_changed({nullptr, &old});
  EXPECT_THAT(lost(kYoung), SizeIs(2));
}

TEST_F(PortLedgerTest, TakesNoInterestInARelayThatItCannotRead) {
  old["spec"]["network"] = {{"port", "smtp"}};
  ledger.relay_changed({nullptr, &old});
  ledger.relay_changed({nullptr, &young});
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortLedgerTest, LetsARelayThatIsBeingDeletedKeepWhatItHasUntilItIsGone) {
  const auto made = daemon_set(old);
  ledger.relay_changed({nullptr, &old});
  ledger.daemon_set_changed({nullptr, &made});
  ledger.relay_changed({nullptr, &young});
  auto going = old;
  going["metadata"]["deletionTimestamp"] = "2026-01-03T00:00:00Z";
  ledger.relay_changed({&old, &going});
  EXPECT_THAT(lost(kYoung), SizeIs(2));
  ledger.relay_changed({&going, nullptr});
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

}  // namespace
}  // namespace op::smtp_relay
