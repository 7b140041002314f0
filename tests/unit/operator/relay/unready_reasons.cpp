#include "operator/relay/unready_reasons.hpp"

#include <gmock/gmock.h>

#include "operator/relay/trouble.hpp"
#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using relay::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kEdge{"mail", "edge"};
const std::string kKubelets = "containers with unready status: [relay]";

/// Answers when the test says so.
class SlowInspector : public SpoolInspector {
 public:
  void inspect(const std::vector<Json>& pods, Done done) override {
    asked.emplace_back();
    reports.clear();
    for (const auto& pod : pods) {
      reports.push_back(report_of(pod, "no answer"));
      asked.back().push_back(reports.back().node);
    }
    answer = std::move(done);
  }
  /// Of the last question.
  void say(const std::map<std::string, std::string>& words) {
    for (auto& report : reports) {
      const auto found = words.find(report.node);
      report.unready = found == words.end() ? "" : found->second;
    }
    answer(reports);
  }
  std::vector<std::vector<std::string>> asked;  // nodes, by question
  SpoolReports reports;
  Done answer;
};

class UnreadyReasonsTest : public ::testing::Test {
 protected:
  UnreadyReasonsTest() { world.daemon_set = Json{{"metadata", {{"uid", "d-1"}}}}; }

  void has_pod(
    const std::string& node, const std::string& reason = "NotReady", const std::string& owner = "d-1"
  ) {
    pods.push_back(
      {{"metadata",
        {{"uid", "p-" + node},
         {"ownerReferences", Json::array({{{"kind", "DaemonSet"}, {"uid", owner}, {"controller", true}}})}}},
       {"spec", {{"nodeName", node}}},
       {"address", "10.0.0.1"},
       {"status", {{"reason", reason}, {"message", kKubelets}}}}
    );
  }
  /// As a reconcile has them from the cache each time.
  std::optional<relay::milliseconds> look() {
    world.pods = pods;
    return reasons.look(world);
  }
  /// What the status would say of each.
  std::vector<std::string> words() {
    (void)look();
    std::vector<std::string> found;
    for (const auto& trouble : troubles_of(world.pods, "d-1")) found.push_back(trouble.message);
    return found;
  }
  /// From the first look to the first question.
  void ask() {
    (void)look();
    clock.advance(UnreadyReasons::kFirstLook);
    (void)look();
  }

  runtime::VirtualClock clock;
  SlowInspector inspector;
  std::vector<Key> enqueued;
  UnreadyReasons reasons{inspector, clock, [this](const Key& key) { enqueued.push_back(key); }};
  World world = example();
  std::vector<Json> pods;
};

TEST_F(UnreadyReasonsTest, AreNotAskedForWhileNoPodIsUnready) {
  EXPECT_FALSE(look());
  has_pod("node-1", "CrashLoopBackOff");
  has_pod("node-2", "NotReady", "d-2");
  pods.push_back(pods[0]);
  pods.back().erase("status");
  EXPECT_FALSE(look()) << "kubelet has the words of one that ends, another's is not ours, and one is ready";
  world.daemon_set.reset();
  has_pod("node-3");
  EXPECT_FALSE(look());
  EXPECT_THAT(inspector.asked, IsEmpty());
}

TEST_F(UnreadyReasonsTest, StandInThePlaceOfKubeletsWords) {
  has_pod("node-1");
  has_pod("node-2");
  ask();
  EXPECT_THAT(inspector.asked, ElementsAre(ElementsAre("node-1", "node-2")));
  EXPECT_THAT(words(), ElementsAre(kKubelets, kKubelets)) << "nobody waits for an answer";
  EXPECT_THAT(enqueued, IsEmpty());
  inspector.say({{"node-1", "7 % free"}});
  EXPECT_THAT(enqueued, ElementsAre(kEdge));
  EXPECT_THAT(words(), ElementsAre("7 % free", kKubelets)) << "the other did not answer";
}

TEST_F(UnreadyReasonsTest, AreAskedForAMomentLaterAndThenTwiceAMinute) {
  has_pod("node-1");
  EXPECT_EQ(look(), seconds{2}) << "it may only just begin";
  clock.advance(seconds{1});
  EXPECT_EQ(look(), seconds{1});
  clock.advance(seconds{1});
  EXPECT_EQ(look(), seconds{30});
  clock.advance(seconds{29});
  EXPECT_EQ(look(), seconds{1});
  EXPECT_THAT(inspector.asked, SizeIs(1));
  clock.advance(seconds{1});
  EXPECT_EQ(look(), seconds{30});
  EXPECT_THAT(inspector.asked, SizeIs(2));
}

TEST_F(UnreadyReasonsTest, AreNewsOnlyInOtherWords) {
  has_pod("node-1");
  ask();
  inspector.say({{"node-1", "7 % free"}});
  clock.advance(UnreadyReasons::kNextLook);
  (void)look();
  inspector.say({{"node-1", "7 % free"}});
  EXPECT_THAT(enqueued, SizeIs(1));
  clock.advance(UnreadyReasons::kNextLook);
  (void)look();
  inspector.say({{"node-1", "6 % free"}});
  EXPECT_THAT(enqueued, SizeIs(2));
  clock.advance(UnreadyReasons::kNextLook);
  (void)look();
  inspector.say({});
  EXPECT_THAT(enqueued, SizeIs(3));
  EXPECT_THAT(words(), ElementsAre(kKubelets)) << "one that does not answer any more";
}

TEST_F(UnreadyReasonsTest, AreForgottenWhenAPodIsReadyOrGone) {
  has_pod("node-1");
  has_pod("node-2");
  ask();
  inspector.say({{"node-1", "one"}, {"node-2", "two"}});
  const auto before = pods;
  pods.pop_back();
  EXPECT_THAT(words(), ElementsAre("one"));
  pods = before;
  EXPECT_THAT(words(), ElementsAre("one", kKubelets)) << "it is unready anew";
  pods.clear();
  EXPECT_FALSE(look());
  pods = before;
  EXPECT_EQ(look(), UnreadyReasons::kFirstLook);
  EXPECT_THAT(words(), ElementsAre(kKubelets, kKubelets));
  inspector.say({{"node-1", "late"}});
  reasons.forget(kEdge);
  inspector.say({{"node-1", "later"}});
  EXPECT_THAT(words(), ElementsAre(kKubelets, kKubelets)) << "of a relay that is gone nothing is kept";
}

TEST_F(UnreadyReasonsTest, OfAnotherPodAreAskedForTenSecondsBehindTheLastQuestion) {
  has_pod("node-2");
  ask();
  clock.advance(seconds{1});
  has_pod("node-1");
  EXPECT_EQ(look(), seconds{9});
  clock.advance(seconds{9});
  EXPECT_EQ(look(), seconds{30});
  EXPECT_THAT(inspector.asked, ElementsAre(ElementsAre("node-2"), ElementsAre("node-1", "node-2")));
  clock.advance(seconds{20});
  has_pod("node-3");
  EXPECT_EQ(look(), UnreadyReasons::kFirstLook);
}

TEST_F(UnreadyReasonsTest, AreAskedForInTimeThoughOnePodBehindTheOtherBecomesUnready) {
  for (int number = 0; number < 4; ++number) {
    has_pod("node-" + std::to_string(number));
    (void)look();
    clock.advance(relay::milliseconds{500});
  }
  (void)look();
  EXPECT_THAT(inspector.asked, SizeIs(1));
}

TEST_F(UnreadyReasonsTest, AreThoseOfTheFirstSixteenNodes) {
  for (int number = 40; number > 10; --number) has_pod("node-" + std::to_string(number));
  ask();
  ASSERT_THAT(inspector.asked, SizeIs(1));
  EXPECT_THAT(inspector.asked[0], SizeIs(16));
  EXPECT_EQ(inspector.asked[0].front(), "node-11");
  EXPECT_EQ(inspector.asked[0].back(), "node-26");
}

TEST_F(UnreadyReasonsTest, OfPodsOnCordonedNodesAreKnown) {
  auto nodes = std::make_shared<Nodes>();
  nodes->is_listed = true;
  nodes->by_name["node-1"] = std::make_shared<const Node>(Node{"node-1", {}, {}, true, {}});
  world.nodes = nodes;
  has_pod("node-1");
  EXPECT_FALSE(look());
  has_pod("node-2");
  ask();
  EXPECT_THAT(inspector.asked, ElementsAre(ElementsAre("node-2")));
}

TEST(UnreadyReasonsEnd, MayComeBeforeTheAnswer) {
  SlowInspector inspector;
  auto world = example();
  world.daemon_set = Json{{"metadata", {{"uid", "d-1"}}}};
  int enqueued = 0;
  {
    runtime::VirtualClock moving;
    UnreadyReasons reasons(inspector, moving, [&enqueued](const Key&) { ++enqueued; });
    world.pods = {
      {{"metadata",
        {{"uid", "p-1"}, {"ownerReferences", Json::array({{{"uid", "d-1"}, {"controller", true}}})}}},
       {"spec", {{"nodeName", "node-1"}}},
       {"status", {{"reason", "NotReady"}, {"message", ""}}}}
    };
    (void)reasons.look(world);
    moving.advance(UnreadyReasons::kFirstLook);
    (void)reasons.look(world);
  }
  inspector.say({{"node-1", "late"}});
  EXPECT_EQ(enqueued, 1);
}

}  // namespace
}  // namespace op::smtp_relay
