#include "operator/api/status.hpp"

#include <gtest/gtest.h>

namespace op::api {
namespace {

using std::chrono::milliseconds;

constexpr relay::WallTime kNoon{std::chrono::seconds{1'769'860'800}};

TEST(Status, KeepsTheTransitionTimeWhileTheStatusStays) {
  Status status;
  status.set({"Ready", "False", "NotCreated", "a", 1, ""}, kNoon);
  status.set({"Ready", "False", "PodsNotAvailable", "b", 2, ""}, kNoon + std::chrono::seconds{60});
  ASSERT_EQ(status.conditions.size(), 1U);
  EXPECT_EQ(status.find("Ready")->last_transition_time, "2026-01-31T12:00:00Z");
  EXPECT_EQ(status.find("Ready")->reason, "PodsNotAvailable");
  status.set({"Ready", "True", "AllNodesAvailable", "c", 2, ""}, kNoon + std::chrono::seconds{90});
  EXPECT_EQ(status.find("Ready")->last_transition_time, "2026-01-31T12:01:30Z");
}

TEST(Status, FindsNothingOfATypeThatWasNotSet) { EXPECT_EQ(Status{}.find("Ready"), nullptr); }

TEST(Status, IsReadBackAsItWasWritten) {
  Status status;
  status.observed_generation = 4;
  status.set({"Ready", "True", "AllNodesAvailable", "3 of 3 nodes", 4, ""}, kNoon);
  status.set({"ConfigValid", "Unknown", "Pending", "", 4, ""}, kNoon);
  status.desired_nodes = 3;
  status.updated_nodes = 2;
  status.ready_nodes = 1;
  status.available_nodes = 1;
  status.misscheduled_nodes = 4;
  status.degraded_nodes = {{"node1", "CrashLoopBackOff"}};
  status.selector = "app.kubernetes.io/instance=edge";
  status.image = "relay:1";
  status.config_hash = "abc";
  status.observed_secrets = {{"credentials", "12"}};
  EXPECT_EQ(parse_status(to_json(status)), status);
}

TEST(KubernetesTime, IsReadBackAsItWasWritten) {
  EXPECT_EQ(parse_kubernetes_time("2026-01-31T12:00:00Z"), kNoon);
  EXPECT_EQ(parse_kubernetes_time(to_kubernetes_time(kNoon)), kNoon);
  for (const auto* wrong :
       {"", "soon", "2026-01-31", "2026-02-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z+"})
    EXPECT_FALSE(parse_kubernetes_time(wrong)) << wrong;
}

TEST(Status, IsEmptyWhereNothingOrSomethingElseIsFound) {
  EXPECT_EQ(parse_status(nlohmann::json()), Status{});
  EXPECT_EQ(parse_status({{"conditions", "none"}, {"image", 7}, {"desiredNodes", "three"}}), Status{});
}

}  // namespace
}  // namespace op::api
