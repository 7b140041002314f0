#include "operator/relay/failed_creates.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const Json kDaemonSet{{"metadata", {{"namespace", "mail"}, {"name", "edge-smtp-relay"}, {"uid", "d-1"}}}};
constexpr const char* kQuota =
  R"(Error creating: pods "edge-smtp-relay-x7k2p" is forbidden: exceeded quota: few, requested: pods=1)";

Json event(const std::string& note, const std::string& time) {
  return {{"note", note}, {"metadata", {{"name", "edge-smtp-relay.1"}, {"creationTimestamp", time}}}};
}

Json pod(const std::string& time, const std::string& owner = "d-1") {
  return {
    {"metadata",
     {{"creationTimestamp", time},
      {"ownerReferences", Json::array({{{"kind", "DaemonSet"}, {"uid", owner}, {"controller", true}}})}}}
  };
}

TEST(Refusal, IsInTheServersWordsWithoutWhatDiffersFromPodToPod) {
  const auto words = "pods is forbidden: exceeded quota: few, requested: pods=1";
  EXPECT_EQ(refusal_in({event(kQuota, "2026-01-31T08:00:00Z")}, kDaemonSet, {}), words);
  EXPECT_EQ(
    refusal_in(
      {event("(combined from similar events): " + std::string(kQuota), "2026-01-31T08:00:00Z")}, kDaemonSet,
      {}
    ),
    words
  );
  EXPECT_EQ(
    refusal_in(
      {event(R"(Error creating: admission webhook "no" denied: not "here)", "2026-01-31T08:00:00Z")},
      kDaemonSet, {}
    ),
    R"(admission webhook "no" denied: not "here)"
  );
}

TEST(Refusal, IsTheNewestOfAll) {
  auto repeated = event("again", "2026-01-31T07:00:00Z");
  repeated["deprecatedLastTimestamp"] = "2026-01-31T08:00:05Z";
  auto series = event("series", "2026-01-31T07:00:00Z");
  series["series"] = {{"count", 3}, {"lastObservedTime", "2026-01-31T08:00:06.000000Z"}};
  const auto first = event("first", "2026-01-31T08:00:01Z");
  EXPECT_EQ(refusal_in({first, repeated}, kDaemonSet, {}), "again");
  EXPECT_EQ(refusal_in({series, first, repeated}, kDaemonSet, {}), "series");
}

TEST(Refusal, IsOverWhenAPodWasMadeSince) {
  const std::vector events{event("no", "2026-01-31T08:00:00Z")};
  EXPECT_EQ(refusal_in(events, kDaemonSet, {pod("2026-01-31T08:00:00Z")}), "no") << "the one before it";
  EXPECT_EQ(refusal_in(events, kDaemonSet, {pod("2026-01-31T08:00:01Z")}), "");
  EXPECT_EQ(refusal_in(events, kDaemonSet, {pod("2026-01-31T08:00:01Z", "d-2")}), "no") << "another's";
}

TEST(Refusal, IsNoneWithoutAnEvent) {
  EXPECT_EQ(refusal_in({}, kDaemonSet, {}), "");
  EXPECT_EQ(refusal_in({Json{{"note", 7}}}, kDaemonSet, {}), "");
}

TEST(Refusal, IsCutAndPrintable) {
  const auto words =
    refusal_in({event(std::string(5000, 'x') + "\n", "2026-01-31T08:00:00Z")}, kDaemonSet, {});
  EXPECT_EQ(words.size(), 1000U);
}

TEST(Refusal, NamesTheLevelOfPodSecurity) {
  EXPECT_EQ(
    level_in(R"(pods is forbidden: violates PodSecurity "restricted:latest": hostPort)"), "restricted"
  );
  EXPECT_EQ(level_in(R"(pods is forbidden: violates PodSecurity "baseline": hostPort)"), "baseline");
  EXPECT_EQ(level_in("pods is forbidden: exceeded quota"), "");
  EXPECT_EQ(level_in(""), "");
}

class FailedCreatesTest : public ::testing::Test {
 protected:
  void counts(int desired, int current, int observed_generation = 1) {
    auto daemon_set = kDaemonSet;
    daemon_set["metadata"]["generation"] = 1;
    daemon_set["status"] = {
      {"observedGeneration", observed_generation},
      {"desiredNumberScheduled", desired},
      {"currentNumberScheduled", current}
    };
    world.daemon_set = daemon_set;
  }
  void tells(const std::string& note) {
    transport.answers(200, Json{{"items", Json::array({event(note, "2026-01-31T08:00:00Z")})}}.dump());
  }
  FailedCreates::Found look(bool is_stalled = false) { return failed_creates.of(world, is_stalled, {}); }
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  runtime::VirtualClock clock;
  FailedCreates failed_creates{client, clock};
  World world = example();
};

TEST_F(FailedCreatesTest, AreNotLookedForWhileNoPodIsMissing) {
  EXPECT_FALSE(look().look_in);
  counts(3, 3);
  EXPECT_FALSE(look().look_in);
  counts(3, 1, 0);
  EXPECT_FALSE(look().look_in) << "counts of an older state";
  EXPECT_THAT(transport.requests, SizeIs(0));
}

TEST_F(FailedCreatesTest, AreLookedForAMomentLaterAndThenTwiceAMinute) {
  counts(3, 1);
  EXPECT_EQ(look().look_in, relay::seconds{2}) << "it may be on its way";
  EXPECT_THAT(transport.requests, SizeIs(0));
  clock.advance(relay::seconds{2});
  tells(kQuota);
  auto found = look();
  EXPECT_THAT(found.words, HasSubstr("exceeded quota"));
  EXPECT_EQ(found.look_in, relay::seconds{30});
  EXPECT_EQ(
    transport.requests.at(0).target,
    "/apis/events.k8s.io/v1/namespaces/mail/"
    "events?fieldSelector=reason%3DFailedCreate%2Cregarding.kind%3DDaemonSet"
    "%2Cregarding.name%3Dedge-smtp-relay%2Cregarding.uid%3Dd-1&limit=100"
  );
  clock.advance(relay::seconds{29});
  found = look();
  EXPECT_THAT(found.words, HasSubstr("exceeded quota")) << "remembered";
  EXPECT_EQ(found.look_in, relay::seconds{1});
  clock.advance(relay::seconds{1});
  tells("Error creating: another");
  EXPECT_EQ(look().words, "another");
  EXPECT_THAT(transport.requests, SizeIs(2));
}

TEST_F(FailedCreatesTest, AreForgottenWhenAllPodsAreThere) {
  counts(3, 1);
  (void)look();
  clock.advance(relay::seconds{2});
  tells(kQuota);
  (void)look();
  counts(3, 3);
  EXPECT_EQ(look().words, "");
  counts(3, 2);
  EXPECT_EQ(look().look_in, relay::seconds{2}) << "and looked for anew";
}

TEST_F(FailedCreatesTest, AreLookedForAtOnceWhereTheControllerHasLongSaidNothing) {
  counts(0, 0, 0);
  tells("Error creating: no");
  EXPECT_EQ(look(true).words, "no");
}

TEST_F(FailedCreatesTest, AreNoneWhereTheyCannotBeReadAndSeldomAskedForWhereThatIsForbidden) {
  counts(3, 1);
  (void)look();
  clock.advance(relay::seconds{30});
  transport.answers(500, "");
  auto found = look();
  EXPECT_EQ(found.words, "");
  EXPECT_EQ(found.look_in, relay::seconds{30});
  clock.advance(relay::seconds{30});
  transport.answers(403, "");
  found = look();
  EXPECT_EQ(found.words, "");
  EXPECT_EQ(found.look_in, std::chrono::minutes{10});
}

}  // namespace
}  // namespace op::smtp_relay
