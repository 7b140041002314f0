#include "operator/relay/trouble.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;

class TroubleTest : public ::testing::Test {
 protected:
  /// A pod of the DaemonSet d-1 on this node, of which nothing is known yet.
  static Json pod(const std::string& node) {
    return {
      {"metadata",
       {{"name", "edge-" + node}, {"ownerReferences", Json::array({{{"uid", "d-1"}, {"controller", true}}})}}
      },
      {"spec", {{"nodeName", node}, {"containers", Json::array()}}},
      {"status", {{"phase", "Pending"}}},
    };
  }
  static Json ready(const std::string& node) {
    auto made = pod(node);
    made["status"] = {
      {"phase", "Running"}, {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}
    };
    return made;
  }
  static Json with_container(const Json& state, const char* list = "containerStatuses") {
    auto made = pod("node1");
    made["status"][list] = Json::array({state});
    return made;
  }
  static Trouble found(const Json& pod) {
    const auto trouble = trouble_of(pod);
    EXPECT_TRUE(trouble);
    return trouble.value_or(Trouble{});
  }
  static std::vector<Trouble> found_among(std::vector<Json> pods) {
    for (auto& pod : pods) summarize(pod);
    return troubles_of(pods, "d-1");
  }
};

TEST_F(TroubleTest, HasNoneOfAPodThatIsReady) { EXPECT_FALSE(trouble_of(ready("node1"))); }

TEST_F(TroubleTest, TellsWhatAContainerWaitsFor) {
  const auto image = found(with_container(
    {{"state", {{"waiting", {{"reason", "ImagePullBackOff"}, {"message", "Back-off pulling image \"x\""}}}}}}
  ));
  EXPECT_EQ(image, (Trouble{"node1", "ImagePullBackOff", "Back-off pulling image \"x\""}));
}

TEST_F(TroubleTest, TellsWhyAContainerEndedThatIsTriedAgain) {
  const auto crash = found(with_container(
    {{"state", {{"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off 40s"}}}}},
     {"lastState", {{"terminated", {{"exitCode", 2}, {"message", "relay.json: listen:\nnot accepted"}}}}}}
  ));
  EXPECT_EQ(crash.reason, "CrashLoopBackOff");
  EXPECT_NE(crash.message.find("relay.json: listen:"), std::string::npos);
  EXPECT_EQ(crash.message.find('\n'), std::string::npos);
}

TEST_F(TroubleTest, TellsOfAContainerThatEndedAndOfOneBeforeTheRelay) {
  const Json killed{{"state", {{"terminated", {{"exitCode", 137}, {"reason", "OOMKilled"}}}}}};
  EXPECT_EQ(found(with_container(killed)).reason, "OOMKilled");
  const Json failed{{"state", {{"waiting", {{"reason", "CreateContainerError"}}}}}};
  auto pod = with_container(failed, "initContainerStatuses");
  pod["status"]["containerStatuses"] =
    Json::array({{{"state", {{"waiting", {{"reason", "PodInitializing"}}}}}}});
  EXPECT_EQ(found(pod).reason, "CreateContainerError");
}

TEST_F(TroubleTest, PassesOverAContainerThatDidWhatItShould) {
  auto pod = with_container(
    {{"state", {{"terminated", {{"exitCode", 0}, {"reason", "Completed"}}}}}}, "initContainerStatuses"
  );
  pod["status"]["phase"] = "Running";
  pod["status"]["containerStatuses"] = Json::array({{{"state", {{"running", Json::object()}}}}});
  pod["status"]["conditions"] = Json::array(
    {{{"type", "Ready"}, {"status", "False"}, {"message", "containers with unready status: [relay]"}}}
  );
  EXPECT_EQ(found(pod), (Trouble{"node1", "NotReady", "containers with unready status: [relay]"}));
}

TEST_F(TroubleTest, NamesTheNodeThatAPodCouldNotBeScheduledTo) {
  auto pending = pod("");
  pending["spec"] = {
    {"affinity",
     {{"nodeAffinity",
       {{"requiredDuringSchedulingIgnoredDuringExecution",
         {{"nodeSelectorTerms",
           Json::array(
             {{{"matchFields", Json::array({{{"key", "metadata.name"}, {"operator", "In"}, {"values", {"node2"}}}})}
             }}
           )}}}}}}},
  };
  pending["status"]["conditions"] = Json::array(
    {{{"type", "PodScheduled"},
      {"status", "False"},
      {"reason", "Unschedulable"},
      {"message", "1 node(s) didn't have free ports"}}}
  );
  EXPECT_EQ(found(pending), (Trouble{"node2", "Unschedulable", "1 node(s) didn't have free ports"}));
}

TEST_F(TroubleTest, TellsANodeThatHasAPodFromOneThatItIsMeantFor) {
  auto bound = pod("node1");
  summarize(bound);
  EXPECT_EQ(bound_to(bound), "node1");
  auto pending = pod("");
  pending["spec"] =
    Json::parse(R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{
    "nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["node2"]}]}]}}}})");
  summarize(pending);
  EXPECT_EQ(text_at(pending, "/spec/nodeName"), "node2");
  EXPECT_EQ(bound_to(pending), "");
  EXPECT_EQ(bound_to(Json::object()), "");
}

TEST_F(TroubleTest, TellsOfAPodThatItsNodeRefused) {
  auto evicted = pod("node1");
  evicted["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}, {"message", "low on memory"}};
  EXPECT_EQ(found(evicted), (Trouble{"node1", "Evicted", "low on memory"}));
}

TEST_F(TroubleTest, CutsAMessageThatIsLong) {
  auto evicted = pod("node1");
  evicted["status"] = {{"reason", "Evicted"}, {"message", std::string(10'000, 'x')}};
  EXPECT_LT(found(evicted).message.size(), 400U);
}

TEST_F(TroubleTest, KeepsOfAPodItsMetadataAndItsTroubleAlone) {
  auto kept = with_container({{"state", {{"waiting", {{"reason", "ErrImagePull"}}}}}});
  const auto metadata = kept["metadata"];
  summarize(kept);
  EXPECT_EQ(kept["metadata"], metadata);
  EXPECT_EQ(kept["spec"], (Json{{"nodeName", "node1"}}));
  EXPECT_EQ(kept["status"], (Json{{"reason", "ErrImagePull"}, {"message", ""}}));
  auto well = ready("node1");
  summarize(well);
  EXPECT_FALSE(well.contains("status"));
}

TEST_F(TroubleTest, KeepsOfAPodItsAddress) {
  auto pod = ready("node1");
  summarize(pod);
  EXPECT_EQ(address_of(pod), "");
  pod = ready("node1");
  pod["status"]["podIP"] = "10.1.2.3";
  summarize(pod);
  EXPECT_EQ(address_of(pod), "10.1.2.3");
}

TEST_F(TroubleTest, CountsEachNodeOnceAndByItsName) {
  auto leaving = ready("node2");
  leaving["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  const auto troubles = found_among({leaving, pod("node2"), pod("node1"), ready("node3")});
  ASSERT_EQ(troubles.size(), 2U);
  EXPECT_EQ(troubles[0].node, "node1");
  EXPECT_EQ(troubles[1], (Trouble{"node2", "Pending", ""})) << "not that another one goes";
}

TEST_F(TroubleTest, LeavesPodsOfOthersOut) {
  auto other = pod("node1");
  other["metadata"]["ownerReferences"][0]["uid"] = "d-2";
  EXPECT_TRUE(found_among({other}).empty());
}

TEST(Troubles, AreToldByTheirFirst) {
  EXPECT_EQ(to_text(std::vector<Trouble>{}), "");
  EXPECT_EQ(to_text({{"node1", "NotReady", ""}}), "node1: NotReady");
  EXPECT_EQ(
    to_text({{"", "Unschedulable", "no room"}, {"node2", "NotReady", ""}, {"node3", "NotReady", ""}}),
    "a pod: Unschedulable (no room), and 2 more"
  );
}

TEST(Troubles, MayPassWhileAPodOnlyBeginsOrEnds) {
  for (const auto* reason : {"ContainerCreating", "PodInitializing", "Pending", "NotReady", "Terminating"})
    EXPECT_TRUE(may_pass({"node1", reason, ""})) << reason;
  for (const auto* reason : {"CrashLoopBackOff", "ErrImagePull", "Unschedulable", "Evicted", "Unknown"})
    EXPECT_FALSE(may_pass({"node1", reason, ""})) << reason;
}

}  // namespace
}  // namespace op::smtp_relay
