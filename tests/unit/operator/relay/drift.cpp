#include "operator/relay/drift.hpp"

#include <gtest/gtest.h>

#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

class DriftTest : public ::testing::Test {
 protected:
  /// As the API server returns what we applied: with marks of its own and of others.
  static Json stored(Json object) {
    object["metadata"]["uid"] = "d-1";
    object["metadata"]["resourceVersion"] = "50";
    object["metadata"]["generation"] = 1;
    object["metadata"]["managedFields"] = {1};
    object["metadata"]["annotations"]["deprecated.daemonset.template.generation"] = "1";
    object["metadata"]["labels"]["team"] = "mail";
    object["spec"]["template"]["metadata"]["creationTimestamp"] = nullptr;
    object["status"]["numberReady"] = 3;
    return object;
  }
  const Plan plan = make_plan(example(), kDefaults);
  const Child daemon_set = plan.apply.at(2);
  const Child config_map = plan.apply.at(1);
  const Child service_account = plan.apply.at(0);
  const Child service = plan.apply.at(3);
  Json live = stored(daemon_set.desired);
  Json& pod() { return live["spec"]["template"]["spec"]; }
  Json& container() { return pod()["containers"][0]; }
};

TEST_F(DriftTest, SeesNoneInWhatTheServerStoresOfOurWishes) { EXPECT_TRUE(agrees(daemon_set, live)); }

TEST_F(DriftTest, LeavesLabelsAndAnnotationsOfOthersAlone) {
  live["metadata"]["annotations"]["note"] = "theirs";
  EXPECT_TRUE(agrees(daemon_set, live));
}

TEST_F(DriftTest, LeavesTheMarkOfARolloutRestartAlone) {
  live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
    "2026-01-31T12:00:00Z";
  EXPECT_TRUE(agrees(daemon_set, live));
  const auto body = replacement(daemon_set, live);
  EXPECT_EQ(
    body["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"],
    "2026-01-31T12:00:00Z"
  );
}

TEST_F(DriftTest, LeavesAloneWhatTheServerAssignsToAService) {
  auto stored_service = service.desired;
  stored_service["metadata"]["uid"] = "s-1";
  stored_service["spec"]["clusterIP"] = "10.0.0.7";
  stored_service["spec"]["clusterIPs"] = {"10.0.0.7"};
  stored_service["spec"]["ipFamilies"] = {"IPv4"};
  stored_service["spec"]["ipFamilyPolicy"] = "SingleStack";
  EXPECT_TRUE(agrees(service, stored_service));
  stored_service["spec"]["externalIPs"] = {"192.0.2.1"};
  EXPECT_FALSE(agrees(service, stored_service));
  const auto body = replacement(service, stored_service);
  EXPECT_FALSE(body["spec"].contains("externalIPs"));
  EXPECT_EQ(body["spec"]["clusterIP"], "10.0.0.7");
}

TEST_F(DriftTest, SeesAnEditedImage) {
  container()["image"] = "evil:1";
  EXPECT_FALSE(agrees(daemon_set, live));
}

TEST_F(DriftTest, SeesAnAddedSidecarTolerationVariableVolumeOrAnnotation) {
  const auto untouched = live;
  pod()["containers"].push_back({{"name", "sidecar"}, {"image", "x"}});
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  pod()["tolerations"] = Json::array({{{"operator", "Exists"}}});
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  container()["env"].push_back({{"name", "SMTP_RELAY_DURABILITY"}, {"value", "relaxed"}});
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  pod()["volumes"].push_back({{"name", "x"}, {"emptyDir", Json::object()}});
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  live["spec"]["template"]["metadata"]["annotations"]["injected"] = "yes";
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  EXPECT_TRUE(agrees(daemon_set, live));
}

TEST_F(DriftTest, SeesADeletedField) {
  container().erase("livenessProbe");
  EXPECT_FALSE(agrees(daemon_set, live));
}

TEST_F(DriftTest, SeesRemovedLabelsAndOwners) {
  const auto untouched = live;
  live["metadata"]["labels"].erase("app.kubernetes.io/instance");
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  live["metadata"].erase("ownerReferences");
  EXPECT_FALSE(agrees(daemon_set, live));
  live = untouched;
  live["metadata"]["ownerReferences"].push_back({{"kind", "Other"}, {"uid", "9"}});
  EXPECT_TRUE(agrees(daemon_set, live)) << "another owner does no harm";
}

TEST_F(DriftTest, SeesAnAddedKeyInTheConfigMap) {
  auto map = config_map.desired;
  EXPECT_TRUE(agrees(config_map, map));
  map["data"]["more"] = "x";
  EXPECT_FALSE(agrees(config_map, map));
  map = config_map.desired;
  map["binaryData"]["more"] = "eA==";
  EXPECT_FALSE(agrees(config_map, map));
}

TEST_F(DriftTest, LeavesWhatOthersAddToTheServiceAccount) {
  auto account = service_account.desired;
  account["imagePullSecrets"] = Json::array({{{"name", "registry"}}});
  EXPECT_TRUE(agrees(service_account, account));
  account["automountServiceAccountToken"] = true;
  EXPECT_FALSE(agrees(service_account, account));
}

TEST_F(DriftTest, ComparesWhatIsLongByItsDigestWhicheverSideHasOne) {
  auto board = config_map;
  board.is_digested = true;
  auto map = board.desired;
  EXPECT_TRUE(agrees(board, map)) << "as the server gives it";
  map["data"] = digested(map["data"]);
  EXPECT_TRUE(agrees(board, map)) << "as a cache keeps it";
  EXPECT_EQ(digested(map["data"]), map["data"]);
  map = board.desired;
  map["data"]["more"] = "x";
  EXPECT_FALSE(agrees(board, map));
  map["data"] = digested(map["data"]);
  EXPECT_FALSE(agrees(board, map));
  EXPECT_EQ(replacement(board, map)["data"], board.desired["data"]) << "nobody stores a digest";
}

TEST_F(DriftTest, ReplacesOurFieldsAndKeepsTheRest) {
  live["spec"]["template"]["spec"]["containers"].push_back({{"name", "sidecar"}, {"image", "x"}});
  live["metadata"]["ownerReferences"] = Json::array({{{"kind", "Other"}, {"uid", "9"}}});
  live["metadata"]["finalizers"] = {"theirs"};
  const auto body = replacement(daemon_set, live);
  EXPECT_EQ(body["spec"]["template"]["spec"]["containers"].size(), 1U);
  EXPECT_EQ(body["metadata"]["resourceVersion"], "50")
    << "a state that has changed since must not be replaced";
  EXPECT_EQ(body["metadata"]["labels"]["team"], "mail");
  EXPECT_EQ(body["metadata"]["finalizers"], (Json{"theirs"}));
  EXPECT_EQ(body["metadata"]["ownerReferences"].size(), 2U);
  EXPECT_FALSE(body.contains("status"));
  EXPECT_FALSE(body["metadata"].contains("managedFields"));
  EXPECT_TRUE(agrees(daemon_set, body));
}

}  // namespace
}  // namespace op::smtp_relay
