#include "operator/relay/source_watch.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using relay::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Key kEdge{"mail", "edge"};

/// Answers when the test says so.
class SlowSources : public SourceInspector {
 public:
  void inspect(const std::vector<Json>& pods, Done done) override {
    asked.emplace_back();
    reports.clear();
    for (const auto& pod : pods) {
      reports.push_back({kube::text_at(pod, "/spec/nodeName"), kube::text_at(pod, "/metadata/uid")});
      asked.back().push_back(reports.back().node);
    }
    answer = std::move(done);
  }
  /// Of the last question: these nodes' relays answer, and see clients' own addresses or not.
  void say(const std::map<std::string, bool>& nodes) {
    for (auto& report : reports) {
      const auto found = nodes.find(report.node);
      report.is_known = found != nodes.end();
      report.has_seen_own_addresses = report.is_known && found->second;
    }
    answer(reports);
  }
  std::vector<std::vector<std::string>> asked;  // nodes, by question
  SourceReports reports;
  Done answer;
};

class SourceWatchTest : public ::testing::Test {
 protected:
  SourceWatchTest() { world.daemon_set = Json{{"metadata", {{"uid", "d-1"}}}}; }

  void has_pod(const std::string& node, const std::string& owner = "d-1", const char* address = "10.0.0.1") {
    world.pods.push_back(
      {{"metadata",
        {{"uid", "p-" + node},
         {"ownerReferences", Json::array({{{"kind", "DaemonSet"}, {"uid", owner}, {"controller", true}}})}}},
       {"spec", {{"nodeName", node}}},
       {"address", address}}
    );
  }
  std::optional<relay::milliseconds> look() {
    world.source_reports.clear();
    return watch.look(world);
  }
  /// Nodes of which it is known that clients come with addresses of their own.
  std::vector<std::string> preserved() {
    (void)look();
    std::vector<std::string> found;
    for (const auto& report : world.source_reports) {
      if (report.is_known && report.has_seen_own_addresses) found.push_back(report.node);
    }
    return found;
  }

  runtime::VirtualClock clock;
  SlowSources sources;
  std::vector<Key> enqueued;
  SourceWatch watch{sources, clock, [this](const Key& key) { enqueued.push_back(key); }};
  World world = example();
};

TEST_F(SourceWatchTest, AsksNobodyWhereThereIsNoPodOfTheRelay) {
  EXPECT_FALSE(look());
  has_pod("node-1", "d-2");
  has_pod("node-2", "d-1", "");
  EXPECT_FALSE(look()) << "another's, and one without an address";
  world.daemon_set.reset();
  has_pod("node-3");
  EXPECT_FALSE(look());
  EXPECT_THAT(sources.asked, IsEmpty());
}

TEST_F(SourceWatchTest, AsksAllPodsAtOnceAndThenTwiceAMinute) {
  has_pod("node-1");
  has_pod("node-2");
  EXPECT_EQ(look(), SourceWatch::kInterval);
  EXPECT_THAT(sources.asked, ElementsAre(ElementsAre("node-1", "node-2")));
  EXPECT_THAT(world.source_reports, SizeIs(2));
  EXPECT_FALSE(world.source_reports[0].is_known) << "nobody waits for an answer";
  clock.advance(seconds{10});
  EXPECT_EQ(look(), seconds{20});
  clock.advance(seconds{20});
  EXPECT_EQ(look(), SourceWatch::kInterval);
  EXPECT_THAT(sources.asked, SizeIs(2));
}

TEST_F(SourceWatchTest, TellsOnlyWhatIsNews) {
  has_pod("node-1");
  has_pod("node-2");
  (void)look();
  sources.say({{"node-1", true}});
  EXPECT_THAT(enqueued, ElementsAre(kEdge));
  EXPECT_THAT(preserved(), ElementsAre("node-1"));
  sources.say({{"node-1", true}});
  EXPECT_THAT(enqueued, SizeIs(1));
  sources.say({{"node-1", false}, {"node-2", true}});
  EXPECT_THAT(enqueued, SizeIs(2));
  EXPECT_THAT(preserved(), ElementsAre("node-2"));
}

TEST_F(SourceWatchTest, KeepsWhatAPodSaidThatDoesNotAnswerAndForgetsOneThatIsGone) {
  has_pod("node-1");
  has_pod("node-2");
  (void)look();
  sources.say({{"node-1", true}, {"node-2", true}});
  sources.say({});
  EXPECT_THAT(preserved(), ElementsAre("node-1", "node-2"));
  world.pods.pop_back();
  EXPECT_THAT(preserved(), ElementsAre("node-1"));
  has_pod("node-2");
  EXPECT_THAT(preserved(), ElementsAre("node-1")) << "it said nothing since";
}

TEST_F(SourceWatchTest, HearsNothingOfARelayThatIsForgotten) {
  has_pod("node-1");
  (void)look();
  watch.forget(kEdge);
  sources.say({{"node-1", true}});
  EXPECT_THAT(enqueued, IsEmpty());
}

}  // namespace
}  // namespace op::smtp_relay
