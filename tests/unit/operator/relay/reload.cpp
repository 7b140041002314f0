#include "operator/relay/reload.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

using runtime::milliseconds;
using runtime::seconds;
using runtime::SteadyTime;

Json pod(const std::string& name, const std::string& owner, const std::string& stamp) {
  Json made{
    {"metadata",
     {{"name", name},
      {"namespace", "mail"},
      {"uid", "uid-" + name},
      {"ownerReferences",
       Json::array({{{"kind", "DaemonSet"}, {"name", "d"}, {"uid", owner}, {"controller", true}}})}}},
  };
  made["metadata"]["annotations"] = {{"smtp.buildinglink.com/settings", "relay-1.json"}};
  if (!stamp.empty()) made["metadata"]["annotations"]["smtp.buildinglink.com/reload"] = stamp;
  return made;
}

const Stamp kNew{"d-1", "relay-1.json", "new"};

TEST(Reload, StampsThePodsThatHaveAnotherStampOrNone) {
  const auto found =
    pods_to_stamp({pod("a", "d-1", "new"), pod("b", "d-1", "old"), pod("c", "d-1", "")}, kNew);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(kube::key_of(found[0]).name, "b");
  EXPECT_EQ(kube::key_of(found[1]).name, "c");
}

TEST(Reload, LeavesPodsOfOthersAndThoseThatGoAlone) {
  auto leaving = pod("a", "d-1", "old");
  leaving["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  EXPECT_TRUE(pods_to_stamp({leaving, pod("b", "d-2", "old")}, kNew).empty());
}

TEST(Reload, LeavesPodsThatReadOtherSettingsAlone) {
  auto older = pod("a", "d-1", "old");
  older["metadata"]["annotations"]["smtp.buildinglink.com/settings"] = "relay-0.json";
  EXPECT_TRUE(pods_to_stamp({older}, kNew).empty());
}

TEST(Reload, PatchesNothingButItsAnnotationOfThatVeryPod) {
  EXPECT_EQ(
    stamping(pod("a", "d-1", "old"), "new"),
    (Json{{"metadata", {{"uid", "uid-a"}, {"annotations", {{"smtp.buildinglink.com/reload", "new"}}}}}})
  );
}

TEST(Reload, WaitsUntilAStampHasSettled) {
  Settling settling;
  const Key key{"mail", "edge"};
  const SteadyTime now{seconds{1000}};
  EXPECT_EQ(settling.time_left(key, "a", now), seconds{1});
  EXPECT_EQ(settling.time_left(key, "a", now + milliseconds{400}), milliseconds{600});
  EXPECT_EQ(settling.time_left(key, "a", now + seconds{2}), milliseconds{0});
  EXPECT_EQ(settling.time_left(key, "b", now + seconds{2}), seconds{1}) << "another change begins anew";
  settling.forget(key);
  EXPECT_EQ(settling.time_left(key, "b", now + seconds{5}), seconds{1});
}

}  // namespace
}  // namespace op::smtp_relay
