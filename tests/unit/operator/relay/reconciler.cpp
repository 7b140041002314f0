/// What a reconcile does with answers that a real API server gives only when something is wrong. All else is tested
/// against a real one (tests/system/operator).

#include "operator/relay/reconciler.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using runtime::Occurrence;

const Key kEdge{"mail", "edge"};

Json resource() {
  return {
    {"metadata",
     {{"namespace", "mail"}, {"name", "edge"}, {"uid", "u-1"}, {"resourceVersion", "100"}, {"generation", 3}}
    },
    {"spec",
     {{"access", {{"allowedNetworks", Json::array({"10.20.0.0/16"})}}},
      {"smarthosts", Json::array({{{"name", "primary"}, {"host", "smtp.test"}}})}}},
  };
}

/// Keeps what is told.
class Told : public runtime::EventSink {
 public:
  void record(Occurrence occurrence) override { all.push_back(std::move(occurrence)); }
  [[nodiscard]] std::vector<std::string> reasons() const {
    std::vector<std::string> found;
    for (const auto& each : all) found.push_back(each.reason);
    return found;
  }
  std::vector<Occurrence> all;
};

class ReconcilerTest : public ::testing::Test {
 protected:
  void exists(const Json& object) { caches.relays.feed("mail")->upsert(object); }
  /// As if the children had been applied and seen.
  /// @param generation  of the DaemonSet; 0: its rollout is complete
  void has_children(int generation = 0) {
    World world;
    world.relay = *api::parse_smtp_relay(resource());
    const auto plan = make_plan(world, kDefaults);
    std::vector<std::pair<runtime::Store*, Json>> children{
      {&caches.service_accounts, plan.apply.at(0).desired},
      {&caches.config_maps, plan.apply.at(1).desired},
      {&caches.daemon_sets, plan.apply.at(2).desired},
      {&caches.services, plan.apply.at(3).desired},
    };
    for (auto& [store, child] : children) {
      child["metadata"]["uid"] = "d-1";
      child["metadata"]["generation"] = generation;
      store->feed("mail")->upsert(child);
    }
    auto pod = plan.apply.at(2).desired["spec"]["template"];
    pod["metadata"].update(
      {{"namespace", "mail"},
       {"name", "edge-1"},
       {"uid", "p-1"},
       {"ownerReferences", Json::array({{{"kind", "DaemonSet"}, {"uid", "d-1"}, {"controller", true}}})}}
    );
    pod["spec"]["nodeName"] = "node-1";
    caches.pods.feed("mail")->upsert(pod);
  }
  void answers(std::initializer_list<unsigned> statuses) {
    for (const auto status : statuses) transport.answers(status, resource().dump());
  }
  kube::Answer<runtime::Outcome> reconcile() { return reconciler.reconcile(kEdge, {}); }
  /// What the last request said of a condition.
  [[nodiscard]] Json condition(const std::string& type) const {
    const auto body = Json::parse(transport.requests.back().body);
    for (const auto& each : body["status"]["conditions"]) {
      if (each["type"] == type) return each;
    }
    return {};
  }

  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate};
  runtime::VirtualClock clock;
  relay::test::QuietLog log;
  Caches caches{client, [](const Key&) {}};
  Told told;
  RelayReconciler reconciler{kDefaults, {caches, client, told, clock, log}};
};

TEST_F(ReconcilerTest, MakesNoChildOfARelayThatIsGone) {
  exists(resource());
  answers({404});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_FALSE(answer->requeue_after);
  EXPECT_THAT(transport.requests, SizeIs(1)) << "the status, and nothing behind it";
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(ReconcilerTest, LeavesARelayWithAnotherControllersIdAlone) {
  auto theirs = resource();
  theirs["metadata"]["labels"] = {{"smtp.buildinglink.com/controller-id", "blue"}};
  exists(theirs);
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(transport.requests, IsEmpty());
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(ReconcilerTest, SaysWhichFieldOfAResourceItCannotRead) {
  auto broken = resource();
  broken["spec"]["network"] = {{"port", "smtp"}};
  exists(broken);
  answers({200});
  const auto answer = reconcile();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.fate, relay::Fate::permanent) << "only a change mends it";
  EXPECT_EQ(condition("ConfigValid")["status"], "False");
  EXPECT_THAT(condition("ConfigValid")["message"].get<std::string>(), HasSubstr("spec.network.port"));
  EXPECT_EQ(condition("SecretsResolved")["status"], "Unknown");
}

TEST_F(ReconcilerTest, LooksAgainSoonWhenItMayNotApply) {
  exists(resource());
  answers({200, 404, 404, 404, 404, 200, 403, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30}) << "no event tells of a right that is granted";
  EXPECT_EQ(condition("Ready")["reason"], "Forbidden");
}

TEST_F(ReconcilerTest, TellsWhatItMadeAndOfWhatAConditionSays) {
  exists(resource());
  answers({200, 404, 404, 404, 404, 200, 201, 403, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(told.reasons(), ElementsAre("Created", "Applied", "Forbidden"));
  EXPECT_EQ(told.all.at(1).regarding.key.to_text(), "mail/edge");
  EXPECT_EQ(told.all.at(1).regarding.uid, "u-1");
  EXPECT_EQ(told.all.at(1).note, "ServiceAccount edge-smtp-relay: it did not exist");
}

TEST_F(ReconcilerTest, TellsWhatBecomesOfTheMailOfARelayThatIsDeletedAndOnceOnly) {
  exists(resource());
  has_children();
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  told.all.clear();
  caches.relays.feed("mail")->erase(resource());
  EXPECT_TRUE(reconcile());
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_EQ(told.all[0].regarding.uid, "u-1");
  EXPECT_THAT(told.all[0].note, HasSubstr("/var/lib/smtp-relay/mail/edge on nodes node-1"));
}

TEST_F(ReconcilerTest, TellsNothingOfARelayThatItNeverServed) {
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(ReconcilerTest, LooksAgainWhileTheNamespaceRefusesItsPods) {
  exists(resource());
  has_children();
  transport.answers(200, resource().dump());
  transport.answers(
    200, R"({"metadata":{"name":"mail","labels":{"pod-security.kubernetes.io/enforce":"baseline"}}})"
  );
  answers({200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30}) << "no event tells of a namespace's labels";
  EXPECT_EQ(condition("PodSecurityAllowed")["reason"], "LevelTooStrict");
  EXPECT_THAT(told.reasons(), Contains("LevelTooStrict"));
}

TEST_F(ReconcilerTest, TellsNothingOfAStatusThatIsRefused) {
  auto broken = resource();
  broken["spec"]["network"] = {{"port", "smtp"}};
  exists(broken);
  answers({409});
  EXPECT_FALSE(reconcile());
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(ReconcilerTest, WritesNothingButTheStatusWhileItIsPaused) {
  auto paused = resource();
  paused["spec"]["managementState"] = "Paused";
  exists(paused);
  has_children();
  answers({200, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_FALSE(answer->requeue_after) << "no pod waits for a stamp";
  ASSERT_THAT(transport.requests, SizeIs(3));
  EXPECT_THAT(transport.requests[0].target, HasSubstr("edge/status"));
  EXPECT_EQ(transport.requests[1].asked(), "GET /api/v1/namespaces/mail");
  EXPECT_THAT(transport.requests[2].target, HasSubstr("edge/status"));
  EXPECT_EQ(condition("Paused")["status"], "True");
}

TEST_F(ReconcilerTest, LooksAgainWhenARolloutWouldHaveStalledAndThenSaysSo) {
  exists(resource());
  has_children(1);
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  clock.advance(kSettleTime);
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{600} - kSettleTime);
  EXPECT_EQ(condition("Progressing")["reason"], "RolloutInProgress");
  clock.advance(relay::seconds{600});
  answers({200, 200, 200, 200});
  EXPECT_FALSE(reconcile()->requeue_after);
  EXPECT_EQ(condition("Progressing")["reason"], "RolloutStalled");
  EXPECT_THAT(condition("Progressing")["message"].get<std::string>(), HasSubstr("Pending"));
}

TEST_F(ReconcilerTest, RemovesAServiceThatIsNotWantedAnyMore) {
  auto without = resource();
  without["spec"]["network"]["service"]["type"] = "None";
  exists(without);
  has_children();
  answers({200, 200, 404, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(transport.requests.at(2).asked(), "DELETE /api/v1/namespaces/mail/services/edge-smtp-relay")
    << "and one that is gone already is no failure";
}

TEST_F(ReconcilerTest, TellsThatPodsCouldNotBeStampedAndTriesAgain) {
  exists(resource());
  has_children();
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, kSettleTime);
  clock.advance(kSettleTime);
  answers({200, 403, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30});
  const auto message = condition("Progressing")["message"].get<std::string>();
  EXPECT_THAT(message, HasSubstr("could not be told to read their files again"));
  EXPECT_THAT(message, HasSubstr("pods/edge-1"));
}

TEST_F(ReconcilerTest, PublishesBeforeItRepeatsAStampThatFailed) {
  exists(resource());
  has_children();
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  clock.advance(kSettleTime);
  answers({200, 500, 200});
  EXPECT_EQ(reconcile().error().kind, kube::Kind::server);
  EXPECT_THAT(transport.requests.back().target, HasSubstr("smtprelays/edge/status"));
}

}  // namespace
}  // namespace op::smtp_relay
