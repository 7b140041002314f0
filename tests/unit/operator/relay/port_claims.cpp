#include "operator/relay/port_claims.hpp"

#include <gmock/gmock.h>
#include <random>

#include "operator/relay/port_index.hpp"
#include "tests/unit/operator/relay/claimants.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kOld{"mail", "old"};
const Key kYoung{"mail", "young"};
const std::string kEarlier = "2026-01-01T00:00:00Z";
const std::string kLater = "2026-01-02T00:00:00Z";

TEST(HostPort, ClashesAsTheSchedulerJudgesIt) {
  EXPECT_TRUE(clash(tcp(25), tcp(25)));
  EXPECT_FALSE(clash(tcp(25), tcp(26)));
  EXPECT_FALSE(clash(tcp(25), HostPort{"UDP", "0.0.0.0", 25}));
  EXPECT_FALSE(clash(tcp(25, "192.0.2.1"), tcp(25, "192.0.2.2")));
  EXPECT_TRUE(clash(tcp(25, "192.0.2.1"), tcp(25, "192.0.2.1")));
  EXPECT_TRUE(clash(tcp(25, "192.0.2.1"), tcp(25)));
  EXPECT_TRUE(clash(tcp(25), tcp(25, "192.0.2.1")));
}

TEST(Stake, HoldsThePortsOfANodeThatAPodTakes) {
  const kube::Json pod{
    {"containers",
     kube::Json::array(
       {{{"name", "relay"},
         {"ports",
          kube::Json::array(
            {{{"containerPort", 2525}, {"hostPort", 25}, {"hostIP", "192.0.2.1"}, {"protocol", "TCP"}},
             {{"containerPort", 8025}, {"hostPort", 8025}},
             {{"containerPort", 9090}}}
          )}},
        {{"name", "without"}}}
     )}
  };
  EXPECT_THAT(parse_stake(pod).ports, ElementsAre(tcp(25, "192.0.2.1"), tcp(8025)));
  EXPECT_THAT(parse_stake(kube::Json::object()).ports, IsEmpty());
}

class PortClaimsTest : public ::testing::Test {
 protected:
  PortClaimsTest() {
    claimants[kOld] = wants(stake_in({tcp(25), tcp(8025)}), "u-1", kEarlier);
    claimants[kYoung] = wants(stake_in({tcp(25), tcp(8026)}), "u-2", kLater);
  }
  [[nodiscard]] PortVerdict verdict(const Key& key, const resources::Exclusions& live = {}) const {
    return judge(everyone(claimants), nodes, key, live);
  }
  [[nodiscard]] std::vector<std::string> lost(const Key& key) const {
    std::vector<std::string> names;
    for (const auto& loss : verdict(key).lost) names.push_back(loss.node);
    return names;
  }
  Nodes nodes = some_nodes(3);
  Claimants claimants;
  Claimant& old = claimants[kOld];
  Claimant& young = claimants[kYoung];
};

TEST_F(PortClaimsTest, GiveAPortToTheOlderOneWhereNobodyHasItYet) {
  EXPECT_THAT(lost(kOld), IsEmpty());
  const auto said = verdict(kYoung);
  EXPECT_TRUE(said.wants);
  EXPECT_EQ(said.nodes, 3U);
  ASSERT_THAT(said.lost, SizeIs(3));
  EXPECT_EQ(said.lost[0], (Loss{"node1", kOld, tcp(25)}));
}

TEST_F(PortClaimsTest, GiveAPortByUidToThoseOfTheSameSecond) {
  young.created = kEarlier;
  EXPECT_THAT(lost(kOld), IsEmpty());
  EXPECT_THAT(lost(kYoung), SizeIs(3));
  old.uid = "u-3";
  EXPECT_THAT(lost(kOld), SizeIs(3));
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortClaimsTest, LeaveAPortToTheOneThatHasItThoughItIsYounger) {
  applied(young);
  runs_on(young, "node1");
  EXPECT_THAT(lost(kYoung), IsEmpty());
  EXPECT_THAT(lost(kOld), SizeIs(3)) << "on nodes without a pod too: it is being replaced";
}

TEST_F(PortClaimsTest, LeaveANodeToTheOneThatRunsThereWhereBothWereAppliedAlready) {
  applied(old);
  applied(young);
  runs_on(young, "node2");
  EXPECT_THAT(lost(kOld), ElementsAre("node2"));
  EXPECT_THAT(lost(kYoung), ElementsAre("node1", "node3"));
}

TEST_F(PortClaimsTest, StayAsTheyWereDecidedWhateverPodsComeAndGo) {
  applied(young);
  applied(old, {"node1", "node2", "node3"});
  // The pod of the one that was left out is on its way out, and the other's is not made yet.
  runs_on(old, "node2");
  EXPECT_THAT(lost(kYoung), IsEmpty());
  EXPECT_THAT(lost(kOld), SizeIs(3));
}

TEST_F(PortClaimsTest, CountWhatADaemonSetHasUntilItIsAppliedAnew) {
  applied(young);
  young.wanted = stake_in({tcp(2525), tcp(8026)});
  EXPECT_THAT(lost(kOld), SizeIs(3)) << "its pods still have port 25";
  applied(young);
  EXPECT_THAT(lost(kOld), IsEmpty());
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortClaimsTest, GiveNoPortThatIsInUseToOneThatOnlyMovedThere) {
  old.wanted = stake_in({tcp(2525), tcp(8025)});
  applied(old);
  runs_on(old, "node1");
  applied(young);
  old.wanted = stake_in({tcp(25), tcp(8025)});
  EXPECT_THAT(lost(kYoung), IsEmpty()) << "that the other runs there says nothing of this port";
  EXPECT_THAT(lost(kOld), SizeIs(3));
}

TEST_F(PortClaimsTest, CountPortsOfProbesToo) {
  young.wanted = stake_in({tcp(2525), tcp(8025)});
  EXPECT_EQ(verdict(kYoung).lost.at(0), (Loss{"node1", kOld, tcp(8025)}));
}

TEST_F(PortClaimsTest, ConcernNobodyOnOtherNodesOrAddresses) {
  old.wanted = stake_in({tcp(25)}, {"node1"});
  young.wanted = stake_in({tcp(25)}, {"node2"});
  EXPECT_THAT(lost(kYoung), IsEmpty());
  old.wanted = stake_in({tcp(25, "192.0.2.1")});
  young.wanted = stake_in({tcp(25, "192.0.2.2")});
  EXPECT_THAT(lost(kYoung), IsEmpty());
}

TEST_F(PortClaimsTest, LetNobodyLoseToOneThatLostItself) {
  const Key third{"mail", "third"};
  claimants[third] = wants(stake_in({tcp(8026)}), "u-3", "2026-01-03T00:00:00Z");
  EXPECT_THAT(lost(kYoung), SizeIs(3));
  EXPECT_THAT(lost(third), IsEmpty()) << "the one before it has lost by port 25";
}

TEST_F(PortClaimsTest, GiveNothingToOneOfWhichNothingIsApplied) {
  old.is_idle = true;
  EXPECT_THAT(lost(kYoung), IsEmpty());
  EXPECT_THAT(lost(kOld), SizeIs(3)) << "and yet it is told who would be in its way";
  applied(old);
  EXPECT_THAT(lost(kYoung), SizeIs(3)) << "what it has it keeps";
}

TEST_F(PortClaimsTest, BelieveNoIntentOfAnotherOperatorButWhatItsDaemonSetHas) {
  old.controller_id = "blue";
  EXPECT_THAT(lost(kYoung), IsEmpty());
  applied(old);
  EXPECT_THAT(lost(kYoung), SizeIs(3));
}

TEST_F(PortClaimsTest, EndWithTheRelay) {
  applied(old);
  old.uid = "";
  old.wanted.reset();
  EXPECT_THAT(lost(kYoung), IsEmpty());
  old.uid = "u-9";
  EXPECT_THAT(lost(kYoung), IsEmpty()) << "the DaemonSet was made for a former one of that name";
}

TEST_F(PortClaimsTest, LastUntilARelayThatIsBeingDeletedIsGone) {
  applied(old);
  old.wanted.reset();
  EXPECT_THAT(lost(kYoung), SizeIs(3));
  EXPECT_FALSE(verdict(kOld).wants);
}

TEST_F(PortClaimsTest, CountAPodThatStaysOnANodeWithANewTaint) {
  nodes.by_name["node1"] = a_node("node1", {}, {{"gpu", "", "NoSchedule"}});
  young.wanted->placement.tolerations = {{"", "Exists", "", ""}};
  applied(old);
  EXPECT_THAT(lost(kYoung), ElementsAre("node2", "node3"));
  runs_on(old, "node1");
  EXPECT_THAT(lost(kYoung), SizeIs(3));
}

TEST_F(PortClaimsTest, CountANodeWithANewTaintAsOnesOwnWhileThePodStays) {
  nodes.by_name["node1"] = a_node("node1", {}, {{"gpu", "", "NoSchedule"}});
  old.wanted = stake_in({tcp(25)}, {"node2", "node3"});
  applied(old);
  applied(young);
  EXPECT_EQ(verdict(kYoung).nodes, 2U);
  runs_on(young, "node1");
  EXPECT_EQ(verdict(kYoung).nodes, 3U) << "or it would run nowhere, and that pod would end";
  EXPECT_THAT(lost(kYoung), ElementsAre("node2", "node3"));
}

TEST_F(PortClaimsTest, SaySoWhereNoPortOfANodeIsWanted) {
  young.wanted = stake_in({});
  EXPECT_EQ(verdict(kYoung), PortVerdict{});
  EXPECT_EQ(verdict({"mail", "unknown"}), PortVerdict{});
}

TEST_F(PortClaimsTest, SayWhichOfTheNodesLeftToOthersCouldBeHad) {
  applied(old);
  applied(young, {"node1", "node2", "node3"});
  EXPECT_THAT(verdict(kYoung, {false, {"node1", "node2", "node3"}}).to_be_had, IsEmpty());
  old.wanted = stake_in({tcp(25)}, {"node3"});
  applied(old);
  EXPECT_THAT(
    verdict(kYoung, {false, {"node1", "node2", "node3", "node4"}}).to_be_had, ElementsAre("node1", "node2")
  );
}

TEST_F(PortClaimsTest, WakeThoseWhoClashOnANode) {
  const Key elsewhere{"mail", "elsewhere"};
  claimants[elsewhere] = wants(stake_in({tcp(25)}, {"node9"}), "u-3");
  claimants[{"mail", "other-port"}] = wants(stake_in({tcp(587)}), "u-4");
  std::vector<const Node*> all;
  for (const auto& [name, node] : nodes.by_name) all.push_back(node.get());
  EXPECT_THAT(rivals(everyone(claimants), all, kYoung, young), ElementsAre(kOld));
  EXPECT_THAT(rivals(everyone(claimants), all, kYoung, {}), IsEmpty());
  EXPECT_THAT(rivals(everyone(claimants), {}, kYoung, young), IsEmpty());
}

class ExclusionsTest : public ::testing::Test {
 protected:
  [[nodiscard]] resources::Exclusions next(const resources::Exclusions& live) const {
    return exclusions_by(verdict, live, nodes);
  }
  void loses(const std::string& node) { verdict.lost.push_back({node, kOld, tcp(25)}); }
  Nodes nodes = some_nodes(3);
  PortVerdict verdict{true, 3, {}, {}};
};

TEST_F(ExclusionsTest, AreTheNodesThatWereLost) {
  EXPECT_EQ(next({}), resources::Exclusions{});
  loses("node2");
  EXPECT_EQ(next({}), (resources::Exclusions{false, {"node2"}}));
}

TEST_F(ExclusionsTest, AreAllOnceNoNodeIsWon) {
  for (const auto* node : {"node1", "node2", "node3"}) loses(node);
  EXPECT_EQ(next({false, {"node1"}}), (resources::Exclusions{true, {}})) << "nodes that come later too";
  verdict = {true, 0, {}, {}};
  EXPECT_EQ(next({true, {}}), (resources::Exclusions{true, {}})) << "none can be had";
  EXPECT_EQ(next({}), resources::Exclusions{}) << "and none was ever lost";
}

TEST_F(ExclusionsTest, EndWhereANodeIsToBeHad) {
  verdict.to_be_had = {"node1"};
  EXPECT_EQ(next({false, {"node1"}}), resources::Exclusions{});
  verdict.to_be_had.clear();
  EXPECT_EQ(next({true, {}}), resources::Exclusions{});
  loses("node3");
  EXPECT_EQ(next({true, {}}), (resources::Exclusions{false, {"node3"}}));
}

TEST_F(ExclusionsTest, StayWhereNothingElseChanges) {
  const resources::Exclusions live{false, {"node1", "node9"}};
  EXPECT_EQ(next(live), live) << "node1 is not selected just now, and node9 is gone: both may come back";
  loses("node1");
  EXPECT_EQ(next(live), live);
  loses("node2");
  EXPECT_EQ(next(live), (resources::Exclusions{false, {"node1", "node2"}})) << "pods are replaced anyway";
}

TEST_F(ExclusionsTest, AreNoneOfARelayThatWantsNoPort) {
  verdict.wants = false;
  EXPECT_EQ(next({true, {}}), resources::Exclusions{});
}

/// Random relays that are decided about, applied, and get and lose pods.
class Struggle {
 public:
  explicit Struggle(unsigned seed) : random_(seed) {
    for (int number = 0; number < 5; ++number) enter(number);
  }
  void step() {
    auto& [key, claimant] = *std::next(claimants.begin(), pick(static_cast<int>(claimants.size())));
    switch (pick(7)) {
      case 0: return enter(std::stoi(key.name));
      case 1: claimant.wanted = some_stake(); return;
      case 2: claimant.pods.clear(); return;
      case 3: claimant.is_idle = pick(2) == 0; return;
      case 4: return apply_unseen(key, claimant);
      default: decide(key, claimant);
    }
  }
  /// What an operator does: applies what it may, and the DaemonSet controller and scheduler follow.
  void decide(const Key& key, Claimant& claimant) {
    if (claimant.is_idle || !claimant.wanted) return;
    const auto live = left_out[key];
    const auto next = exclusions_by(judge(everyone(claimants), nodes, key, live), live, nodes);
    left_out[key] = next;
    auto without = next.nodes;
    if (next.all)
      for (const auto& [name, node] : nodes.by_name) without.insert(name);
    applied(claimant, without);
    std::erase_if(claimant.pods, [&](const auto& pod) { return !has(claimant, pod.first); });
    for (const auto& [name, node] : nodes.by_name) {
      if (has(claimant, name) && pick(2) == 0) runs_on(claimant, name);
    }
  }
  /// As one does who does not know of the others yet.
  void apply_unseen(const Key& key, Claimant& claimant) {
    left_out.erase(key);
    applied(claimant);
  }
  void come_to_rest() {
    for (auto& [key, claimant] : claimants) claimant.is_idle = false;
    for (int rounds = 0; rounds < 4; ++rounds) decide_all();
  }
  void decide_all() {
    for (auto& [key, claimant] : claimants) decide(key, claimant);
  }
  [[nodiscard]] bool has(const Claimant& claimant, const std::string& node) const {
    return claimant.held && fit(claimant.held->stake.placement, *nodes.find(node)) == Fit::runs;
  }
  /// Pairs that both have a port of a node.
  [[nodiscard]] int doubly_held() const {
    int count = 0;
    for (const auto& [name, node] : nodes.by_name) {
      for (const auto& [key, one] : claimants) {
        for (const auto& [other_key, other] : claimants) {
          if (key < other_key && has(one, name) && has(other, name) &&
              clash(one.held->stake, other.held->stake))
            ++count;
        }
      }
    }
    return count;
  }

  Nodes nodes = some_nodes(4);
  Claimants claimants;
  std::map<Key, resources::Exclusions> left_out;

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  Stake some_stake() {
    std::vector<HostPort> ports;
    for (int count = 1 + pick(2); count > 0; --count)
      ports.push_back(tcp(25 + pick(3), pick(3) == 0 ? "192.0.2.1" : "0.0.0.0"));
    std::vector<std::string> on;
    for (const auto& [name, node] : nodes.by_name) {
      if (pick(2) == 0) on.push_back(name);
    }
    return stake_in(std::move(ports), on);
  }
  /// A relay appears, in the place of one of its name.
  void enter(int number) {
    const Key key{"mail", std::to_string(number)};
    claimants[key] =
      wants(some_stake(), "u-" + std::to_string(++uids_), "2026-01-0" + std::to_string(1 + pick(3)));
    left_out.erase(key);
  }
  std::mt19937 random_;
  int uids_ = 0;
};

TEST(PortClaims, HaveOneWinnerAtMostForAPortOfANodeWhoeverDecidesFirst) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Struggle struggle(seed);
    for (int steps = 0; steps < 60; ++steps) struggle.step();
    struggle.come_to_rest();
    ASSERT_EQ(struggle.doubly_held(), 0) << "seed " << seed;
  }
}

TEST(PortClaims, AreJudgedByThoseWhoReachARelayAsByAll) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Struggle struggle(seed);
    for (int steps = 0; steps < 20; ++steps) struggle.step();
    PortIndex index;
    for (const auto& entry : struggle.claimants) index.add(entry);
    for (const auto& [key, claimant] : struggle.claimants)
      ASSERT_EQ(
        judge(index.around(claimant), struggle.nodes, key, struggle.left_out[key]),
        judge(everyone(struggle.claimants), struggle.nodes, key, struggle.left_out[key])
      ) << "seed "
        << seed;
  }
}

TEST(PortClaims, ComeToRestAndChangeNothingWhenTheyAreDecidedAgain) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Struggle struggle(seed);
    for (int steps = 0; steps < 60; ++steps) struggle.step();
    struggle.come_to_rest();
    const auto before = struggle.left_out;
    for (auto& [key, claimant] : struggle.claimants) claimant.pods.clear();
    struggle.decide_all();
    ASSERT_EQ(struggle.left_out, before) << "seed " << seed;
  }
}

TEST(PortClaims, NeverTakeAPortFromTheOnlyOneThatHasIt) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Struggle struggle(seed);
    for (int steps = 0; steps < 60; ++steps) struggle.step();
    struggle.come_to_rest();
    // Whoever comes now, and however old it is, those that have their ports keep them.
    const auto before = struggle.claimants;
    for (int number = 0; number < 3; ++number)
      struggle.claimants[{"mail", "new" + std::to_string(number)}] =
        wants(stake_in({tcp(25), tcp(26)}), "u-0" + std::to_string(number), "2025-01-01");
    struggle.decide_all();
    for (const auto& [key, claimant] : before) {
      for (const auto& [name, node] : struggle.nodes.by_name)
        ASSERT_EQ(struggle.has(claimant, name), struggle.has(struggle.claimants[key], name))
          << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace op::smtp_relay
