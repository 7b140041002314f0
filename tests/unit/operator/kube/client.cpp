#include "operator/kube/client.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/kube/scripted_transport.hpp"

namespace op::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Lets nothing pass.
class ClosedGate : public WriteGate {
 public:
  Answer<std::unique_ptr<WritePermit>> admit(std::stop_token) override {
    return tl::unexpected(
      Failure{Kind::cancelled, {relay::Errc::cancelled, relay::Fate::transient, "not the leader"}}
    );
  }
};

class ClientTest : public ::testing::Test {
 protected:
  [[nodiscard]] const Request& asked() const { return transport.requests.back(); }
  ScriptedTransport transport;
  OpenGate gate{seconds{4}};
  Client client{transport, gate, "smtp-relay-operator"};
  const Json pod{{"kind", "Pod"}, {"metadata", {{"namespace", "mail"}, {"name", "p"}}}};
};

TEST_F(ClientTest, GetsAnObject) {
  transport.answers(200, pod.dump());
  EXPECT_EQ(client.get(kPods, {"mail", "p"}, {}).value(), pod);
  EXPECT_EQ(asked().asked(), "GET /api/v1/namespaces/mail/pods/p");
  EXPECT_EQ(asked().accept, "application/json");
}

TEST_F(ClientTest, ListsWithTheVersionToWatchFrom) {
  transport.answers(
    200,
    R"({"metadata":{"resourceVersion":"12"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]})"
  );
  const auto list = client.list({kPods, "mail", "x=1", View::full}, "0", {}).value();
  EXPECT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.resource_version, "12");
  EXPECT_EQ(asked().target, "/api/v1/namespaces/mail/pods?labelSelector=x%3D1&resourceVersion=0");
}

TEST_F(ClientTest, ListsNoMoreThanItIsToldOfWhatAFieldSays) {
  transport.answers(200, R"({"items":[]})");
  EXPECT_TRUE(client.list({kEvents, "mail", "", View::full, "reason=FailedCreate", 100}, "", {}));
  EXPECT_EQ(
    asked().target,
    "/apis/events.k8s.io/v1/namespaces/mail/events?fieldSelector=reason%3DFailedCreate&limit=100"
  );
}

TEST_F(ClientTest, TakesAListWithoutItemsAsEmpty) {
  transport.answers(200, R"({"metadata":{"resourceVersion":"12"},"items":null})");
  EXPECT_TRUE(client.list({kPods, "mail", "", View::full}, "", {})->items.empty());
}

TEST_F(ClientTest, TakesWhatIsNoListForAFailureAndNotForAnEmptyOne) {
  for (const auto* answer :
       {"{}", R"({"kind":"Status","status":"Success"})", R"({"items":{}})", R"({"items":"none"})",
        R"({"items":[null]})", R"({"items":["a"]})", R"({"items":[{}]})", R"({"items":[{"metadata":"a"}]})",
        R"({"items":[{"metadata":{"name":"a"}},{"metadata":{"name":7}}]})"}) {
    transport.answers(200, answer);
    const auto list = client.list({kPods, "mail", "", View::full}, "", {});
    ASSERT_FALSE(list) << answer;
    EXPECT_EQ(list.error().error.code, relay::Errc::protocol_error) << answer;
    EXPECT_EQ(list.error().error.fate, relay::Fate::transient) << answer;
  }
}

TEST_F(ClientTest, AsksWhichKindsAGroupHas) {
  transport.answers(
    200, R"({"kind":"APIResourceList","resources":[{"name":"podmonitors"},{"name":"probes"}]})"
  );
  EXPECT_THAT(client.kinds_beside(kPodMonitors, {}).value(), ElementsAre("podmonitors", "probes"));
  EXPECT_EQ(asked().asked(), "GET /apis/monitoring.coreos.com/v1");
}

TEST_F(ClientTest, TakesWhatNamesNoKindsForAFailureAndNotForAGroupWithout) {
  for (const auto* answer : {"{}", R"({"resources":"none"})", R"({"resources":{}})"}) {
    transport.answers(200, answer);
    EXPECT_EQ(client.kinds_beside(kPodMonitors, {}).error().kind, Kind::server) << answer;
  }
  transport.answers(200, R"({"resources":null})");
  EXPECT_TRUE(client.kinds_beside(kPodMonitors, {}).value().empty());
}

TEST_F(ClientTest, TakesAGroupThatTheServerDoesNotKnowForOneWithoutKinds) {
  transport.answers(404, "404 page not found");
  EXPECT_TRUE(client.kinds_beside(kPodMonitors, {}).value().empty());
  transport.answers(503, "{}");
  EXPECT_EQ(client.kinds_beside(kPodMonitors, {}).error().kind, Kind::server)
    << "which says nothing of kinds";
}

TEST_F(ClientTest, DeletesTheObjectThatItSawAndNoOtherOfItsName) {
  auto seen = pod;
  seen["metadata"]["uid"] = "p-1";
  seen["metadata"]["resourceVersion"] = "7";
  transport.answers(200, R"({"kind":"Status","status":"Success"})");
  EXPECT_TRUE(client.remove(kPods, seen, {}));
  EXPECT_EQ(asked().asked(), "DELETE /api/v1/namespaces/mail/pods/p");
  EXPECT_EQ(Json::parse(asked().body)["preconditions"], (Json{{"uid", "p-1"}, {"resourceVersion", "7"}}));
}

TEST_F(ClientTest, AsksForMetadataAloneWhereThatIsEnough) {
  transport.answers(200, R"({"metadata":{},"items":[]})");
  (void)client.list({kSecrets, "mail", "", View::metadata}, "0", {});
  EXPECT_EQ(asked().accept, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  transport.streams({});
  (void)client.watch(
    {kSecrets, "mail", "", View::metadata}, "5", seconds{300}, [](WatchEvent&) { return true; }, {}
  );
  EXPECT_EQ(asked().accept, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
}

TEST_F(ClientTest, WatchesFromAVersionWithBookmarks) {
  transport.streams(
    {R"({"type":"ADDED","object":{"metadata":{"na)", R"(me":"a"}}})"
                                                     "\n"
                                                     R"({"type":"BOOKMARK","object":{}})"
                                                     "\n"}
  );
  std::vector<WatchEvent::Type> seen;
  const auto ended = client.watch(
    {kPods, "mail", "", View::full}, "5", seconds{301},
    [&](WatchEvent& event) {
      seen.push_back(event.type);
      return true;
    },
    {}
  );
  EXPECT_TRUE(ended);
  EXPECT_THAT(seen, ElementsAre(WatchEvent::Type::added, WatchEvent::Type::bookmark));
  EXPECT_EQ(
    asked().target,
    "/api/v1/namespaces/mail/pods?watch=1&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=301"
  );
}

TEST_F(ClientTest, TakesAListAsTheBeginningOfAWatch) {
  transport.streams({});
  EXPECT_TRUE(client.list_and_watch(
    {kSecrets, "", "", View::metadata}, "0", seconds{300}, [](WatchEvent&) { return true; }, {}
  ));
  EXPECT_EQ(
    asked().target,
    "/api/v1/"
    "secrets?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    "&resourceVersion=0&timeoutSeconds=300"
  );
}

TEST_F(ClientTest, AsksForItsRightsThoughItMayNotWrite) {
  ClosedGate closed;
  Client standby(transport, closed, "smtp-relay-operator");
  transport.answers(201, R"({"status":{"allowed":true}})");
  EXPECT_TRUE(standby.may_we({"mail", "create", "apps", "daemonsets", "", ""}, {}).value());
  EXPECT_EQ(asked().asked(), "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
  EXPECT_EQ(Json::parse(asked().body)["spec"]["resourceAttributes"]["verb"], "create");
  transport.answers(201, R"({"status":{"allowed":false,"denied":true}})");
  EXPECT_FALSE(standby.may_we({"mail", "create", "apps", "daemonsets", "", ""}, {}).value());
  transport.answers(500, "");
  EXPECT_EQ(standby.may_we({}, {}).error().kind, Kind::server);
}

TEST_F(ClientTest, EndsAWatchAtAnErrorEvent) {
  transport.streams({R"({"type":"ERROR","object":{"code":410,"message":"too old"}})"
                     "\n"
                     R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})"
                     "\n"});
  int seen = 0;
  const auto ended = client.watch(
    {kPods, "mail", "", View::full}, "5", seconds{300}, [&](WatchEvent&) { return ++seen > 0; }, {}
  );
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, Kind::gone);
  EXPECT_EQ(seen, 0);
}

TEST_F(ClientTest, TellsWhyAWatchWasRefusedOrLost) {
  const Selection all{kPods, "mail", "", View::full};
  const auto watch = [&] {
    return client.watch(all, "5", seconds{300}, [](WatchEvent&) { return true; }, {});
  };
  transport.answers(410, R"({"message":"too old resource version"})");
  EXPECT_EQ(watch().error().kind, Kind::gone);
  transport.answers(429, "", 2);
  EXPECT_EQ(watch().error().retry_after, seconds{2});
  transport.fails(relay::Errc::connection_lost);
  EXPECT_EQ(watch().error().kind, Kind::unreachable);
  transport.streams({"garbage\n"});
  EXPECT_EQ(watch().error().error.code, relay::Errc::protocol_error);
}

TEST_F(ClientTest, AppliesByForceUnderItsName) {
  transport.answers(200, pod.dump());
  EXPECT_TRUE(client.apply(kPods, pod, {}));
  EXPECT_EQ(
    asked().asked(), "PATCH /api/v1/namespaces/mail/pods/p?fieldManager=smtp-relay-operator&force=true"
  );
  EXPECT_EQ(asked().content_type, "application/apply-patch+yaml");
  EXPECT_EQ(Json::parse(asked().body), pod);
}

TEST_F(ClientTest, AppliesStatusToItsOwnPath) {
  transport.answers(200, pod.dump());
  (void)client.apply_status(kPods, pod, {});
  EXPECT_THAT(asked().target, HasSubstr("/pods/p/status?"));
}

TEST_F(ClientTest, ReplacesForRealOrOnlyToSee) {
  transport.answers(200, pod.dump());
  (void)client.replace(kPods, pod, DryRun::yes, {});
  EXPECT_EQ(
    asked().asked(), "PUT /api/v1/namespaces/mail/pods/p?fieldManager=smtp-relay-operator&dryRun=All"
  );
  transport.answers(200, pod.dump());
  (void)client.replace(kPods, pod, DryRun::no, {});
  EXPECT_EQ(asked().target, "/api/v1/namespaces/mail/pods/p?fieldManager=smtp-relay-operator");
}

TEST_F(ClientTest, SendsNoWriteThatTheGateRefuses) {
  ClosedGate closed;
  Client standby(transport, closed, "smtp-relay-operator");
  EXPECT_EQ(standby.apply(kPods, pod, {}).error().kind, Kind::cancelled);
  EXPECT_EQ(standby.create(kPods, pod, {}).error().kind, Kind::cancelled);
  EXPECT_EQ(standby.merge_patch(kPods, {"mail", "p"}, {}, {}).error().kind, Kind::cancelled);
  EXPECT_TRUE(transport.requests.empty());
}

TEST_F(ClientTest, GivesAWriteNoMoreTimeThanTheGateDoes) {
  transport.answers(201, pod.dump());
  (void)client.create(kPods, pod, {});
  EXPECT_EQ(asked().deadline, seconds{4});
  transport.answers(200, pod.dump());
  (void)client.get(kPods, {"mail", "p"}, {});
  EXPECT_EQ(asked().deadline, seconds{30});
}

TEST_F(ClientTest, TakesAnAnswerThatIsNoObjectAsAFailure) {
  transport.answers(200, "[]");
  EXPECT_EQ(client.get(kPods, {"mail", "p"}, {}).error().error.code, relay::Errc::protocol_error);
}

}  // namespace
}  // namespace op::kube
