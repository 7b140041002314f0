/// What a reconcile does with answers that a real API server gives only when something is wrong. All else is tested
/// against a real one (tests/system/operator).

#include "operator/relay/reconciler.hpp"

#include <gmock/gmock.h>
#include <set>

#include "operator/relay/status.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"
#include "tests/unit/operator/runtime/whole_list.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

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

/// Says of each pod what the test put down for it, at once or when told.
class ScriptedInspector : public SpoolInspector {
 public:
  void inspect(const std::vector<Json>& pods, Done done) override {
    ++asked;
    SpoolReports reports;
    for (const auto& pod : pods) {
      reports.push_back(report_of(pod, "no answer"));
      if (!does_answer) continue;
      reports.back().unknown.clear();
      reports.back().waiting = waiting;
      reports.back().takes_mail = takes_mail;
      reports.back().unready = unready;
    }
    done(std::move(reports));
  }
  bool does_answer = true;
  std::uint64_t waiting = 12;
  bool takes_mail = true;
  std::string unready;
  int asked = 0;
};

/// No relay says anything of its clients, unless the test does.
class ScriptedSources : public SourceInspector {
 public:
  void inspect(const std::vector<Json>& pods, Done done) override {
    ++asked;
    SourceReports reports;
    for (const auto& pod : pods) {
      auto report = says;
      report.node = kube::text_at(pod, "/spec/nodeName");
      report.pod_uid = kube::text_at(pod, "/metadata/uid");
      reports.push_back(std::move(report));
    }
    done(std::move(reports));
  }
  SourceReport says;
  int asked = 0;
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
  /// Another pod of the DaemonSet, on the first one's node.
  void has_pod(const std::string& name) {
    auto pod = *caches.pods.get({"mail", "edge-1"});
    pod["metadata"]["name"] = name;
    pod["metadata"]["uid"] = "uid-of-" + name;
    pod["metadata"]["resourceVersion"] = "7";
    caches.pods.feed("mail")->upsert(pod);
  }
  /// What the server says of a right.
  void may(bool is_allowed) { transport.answers(201, Json{{"status", {{"allowed", is_allowed}}}}.dump()); }
  void cordon(const std::string& node) {
    runtime::give_all(
      *caches.nodes.feed(),
      {{{"metadata", {{"name", node}, {"resourceVersion", "1"}}}, {"spec", {{"unschedulable", true}}}}}
    );
  }
  /// A look at what exists() and has_children() put down, which leaves a pod to stamp; then the time has come for it.
  void settle() {
    answers({200, 200, 200});
    EXPECT_EQ(reconcile()->requeue_after, kSettleTime);
    clock.advance(kSettleTime);
    transport.requests.clear();
    told.all.clear();
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
  kube::Client client{transport, gate, "smtp-relay-operator"};
  runtime::VirtualClock clock;
  relay::test::QuietLog log;
  Caches caches{client, [](const Key&) {}};
  Told told;
  ScriptedInspector inspector;
  ScriptedSources sources;
  std::vector<Key> enqueued;  // by the reconciler itself
  RelayReconciler reconciler{
    kDefaults,
    {caches, client, told, clock, log, inspector, sources, [this](const Key& key) { enqueued.push_back(key); }
    }
  };
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

TEST_F(ReconcilerTest, WritesTheListOfNodesBeforeThePodsThatReadIt) {
  runtime::give_all(
    *caches.nodes.feed(),
    {{{"metadata", {{"name", "node-1"}, {"resourceVersion", "1"}}},
      {"status", {{"addresses", Json::array({Json{{"type", "InternalIP"}, {"address", "10.1.40.11"}}})}}}}}
  );
  exists(resource());
  answers({200, 404, 404, 404, 404, 404, 200, 201, 200, 201, 201, 200, 201, 200, 201, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  const auto first_write = [&](const std::string& of) {
    const auto found =
      std::find_if(transport.requests.begin(), transport.requests.end(), [&](const auto& request) {
        return !request.asked().starts_with("GET") && request.target.find(of) != std::string::npos;
      });
    EXPECT_NE(found, transport.requests.end()) << of;
    return found - transport.requests.begin();
  };
  EXPECT_LT(first_write("configmaps/edge-smtp-relay-nodes"), first_write("daemonsets/edge-smtp-relay"));
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
  EXPECT_THAT(
    told.all[0].note, HasSubstr("12 messages wait in /var/lib/smtp-relay/mail/edge, node node-1 (12)")
  );
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
  EXPECT_EQ(reconcile()->requeue_after, kSettleTime) << "a pod is to be stamped sooner";
  EXPECT_EQ(condition("PodSecurityAllowed")["reason"], "LevelTooStrict");
  EXPECT_THAT(told.reasons(), Contains("LevelTooStrict"));
  clock.advance(kSettleTime);
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30}) << "no event tells of a namespace's labels";
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
  answers({200, 200, 200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30})
    << "for why the DaemonSet controller says nothing";
  EXPECT_EQ(condition("Progressing")["reason"], "RolloutStalled");
  EXPECT_THAT(condition("Progressing")["message"].get<std::string>(), HasSubstr("Pending"));
}

TEST_F(ReconcilerTest, WritesNothingForAnOlderStateThanTheServers) {
  auto seen = resource();
  seen["status"] = api::to_json(first_status(*api::parse_smtp_relay(resource()), clock.wall()));
  exists(seen);
  bool is_first = true;
  for (const auto& [field, value] : std::map<std::string, Json>{
         {"generation", 4},
         {"uid", "u-2"},
         {"deletionTimestamp", "2026-01-31T08:15:30Z"},
         {"labels", {{"smtp.buildinglink.com/controller-id", "blue"}}}
       }) {
    transport.requests.clear();
    answers({404, 404, 404, 404});
    if (is_first) answers({200});  // the namespace
    is_first = false;
    auto live = seen;
    live["metadata"][field] = value;
    transport.answers(200, live.dump());
    const auto answer = reconcile();
    ASSERT_FALSE(answer) << field;
    EXPECT_EQ(answer.error().kind, kube::Kind::conflict) << "it is tried again, and no error";
    EXPECT_EQ(transport.requests.back().asked(), "GET " + kSmtpRelays.path("mail", "edge"));
  }
  transport.requests.clear();
  answers({404, 404, 404, 404, 404});
  EXPECT_EQ(reconcile().error().kind, kube::Kind::conflict) << "gone";
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(ReconcilerTest, ShowsWhyAPodIsNotReadyInItsOwnWordsAndLooksAgain) {
  exists(resource());
  has_children();
  auto pod = *caches.pods.get({"mail", "edge-1"});
  pod["metadata"]["resourceVersion"] = "7";
  pod["status"] = {{"phase", "Running"}, {"podIP", "10.20.0.1"}};
  caches.pods.feed("mail")->upsert(pod);
  auto lacking = *caches.daemon_sets.get({"mail", "edge-smtp-relay"});
  lacking["status"] = {
    {"desiredNumberScheduled", 1}, {"currentNumberScheduled", 1}, {"updatedNumberScheduled", 1}
  };
  lacking["metadata"]["resourceVersion"] = "2";
  caches.daemon_sets.feed("mail")->upsert(lacking);
  inspector.unready = "the spool's file system has 7 % free";
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(condition("Ready")["message"].get<std::string>(), HasSubstr("; node-1: NotReady"));
  EXPECT_EQ(inspector.asked, 0) << "it may only just begin";
  clock.advance(kSettleTime + relay::seconds{2});
  answers({200, 200, 200});
  const auto look_in = reconcile()->requeue_after;
  ASSERT_TRUE(look_in);
  EXPECT_LE(*look_in, UnreadyReasons::kNextLook) << "others may want to look sooner";
  EXPECT_EQ(inspector.asked, 1);
  EXPECT_THAT(enqueued, ElementsAre(kEdge)) << "with the answer";
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(
    condition("Ready")["message"].get<std::string>(),
    HasSubstr("; node-1: NotReady (the spool's file system has 7 % free)")
  );
  EXPECT_EQ(inspector.asked, 1) << "not yet again";
}

TEST_F(ReconcilerTest, ShowsWhyTheServerRefusesPodsAndLooksAgain) {
  exists(resource());
  has_children();
  auto lacking = *caches.daemon_sets.get({"mail", "edge-smtp-relay"});
  lacking["status"] = {
    {"desiredNumberScheduled", 3}, {"currentNumberScheduled", 1}, {"updatedNumberScheduled", 1}
  };
  lacking["metadata"]["resourceVersion"] = "2";  // another than the one that is known
  caches.daemon_sets.feed("mail")->upsert(lacking);
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  clock.advance(relay::seconds{2});
  answers({200, 200});
  transport.answers(
    200, R"({"items":[{"note":"Error creating: pods \"edge-smtp-relay-x7\" is forbidden: exceeded quota: q",)"
         R"("metadata":{"name":"edge-smtp-relay.1","creationTimestamp":"2026-01-31T08:15:30Z"}}]})"
  );
  answers({200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30});
  EXPECT_EQ(condition("Degraded")["reason"], "FailedCreate");
  EXPECT_THAT(
    condition("Ready")["message"].get<std::string>(),
    HasSubstr("the API server refuses pods: pods is forbidden: exceeded quota: q")
  );
  EXPECT_THAT(told.reasons(), Contains("FailedCreate"));
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

/// Whatever becomes of its PodMonitor: a relay whose kind of monitors is there.
class OptionalChildTest : public ReconcilerTest {
 protected:
  OptionalChildTest() {
    exists(resource());
    has_children();
    settle();
    caches.optional.set_presence(resources::Optional::pod_monitor, Presence::served);
  }
  /// As often as it is about this child.
  [[nodiscard]] auto requests_for_monitors() const {
    return std::count_if(transport.requests.begin(), transport.requests.end(), [](const auto& request) {
      return request.target.find("podmonitors") != std::string::npos;
    });
  }
  /// There is one of ours.
  void is_wanted_no_more() {
    auto without = resource();
    without["spec"]["metrics"]["podMonitor"] = "Never";
    without["metadata"]["resourceVersion"] = "101";
    exists(without);
    World world;
    world.relay = *api::parse_smtp_relay(resource());
    world.optional[resources::Optional::pod_monitor].presence = Presence::served;
    caches.optional.pod_monitors.feed("mail")->upsert(
      make_plan(world, kDefaults).optional.apply.at(0).second.desired
    );
  }
  [[nodiscard]] std::string progressing() const { return condition("Progressing")["message"]; }
};

TEST_F(OptionalChildTest, IsMadeBehindAllElse) {
  answers({200, 404, 200, 200, 201, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  const auto monitor = "/apis/monitoring.coreos.com/v1/namespaces/mail/podmonitors/edge-smtp-relay";
  EXPECT_EQ(transport.requests.at(1).asked(), "GET " + std::string(monitor)) << "is there one after all?";
  EXPECT_THAT(transport.requests.at(3).target, HasSubstr(monitor));
  EXPECT_THAT(told.reasons(), Contains("Applied"));
}

TEST_F(OptionalChildTest, HoldsNothingBackWhenItIsRefused) {
  answers({200, 404, 200, 403});
  for (int right = 0; right < 3; ++right) may(true);  // so that it was admission
  answers({200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30}) << "no event tells that it is let through";
  EXPECT_EQ(condition("ConfigValid")["status"], "True");
  EXPECT_THAT(condition("Ready")["reason"], "NoNodes") << "nothing of the DaemonSet is held up";
  EXPECT_THAT(progressing(), HasSubstr("spec.metrics.podMonitor: PATCH"));
  EXPECT_THAT(
    condition("Degraded")["message"].get<std::string>(), HasSubstr("spec.metrics.podMonitor: PATCH")
  );
  EXPECT_THAT(told.reasons(), Contains("OptionalChildMissing"));
}

TEST_F(OptionalChildTest, IsTriedAgainBehindDelaysThatGrowWhateverWakesTheRelayMeanwhile) {
  answers({200, 404, 200, 500, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30});
  clock.advance(relay::seconds{20});
  transport.requests.clear();
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{10});
  EXPECT_EQ(requests_for_monitors(), 0);
  EXPECT_THAT(progressing(), HasSubstr("spec.metrics.podMonitor: PATCH")) << "it is missing still";
  clock.advance(relay::seconds{10});
  answers({200, 404, 200, 500, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{60});
  EXPECT_EQ(requests_for_monitors(), 2) << "looked for, and tried";
}

TEST_F(OptionalChildTest, IsTriedAtOnceWhenTheResourceIsEdited) {
  answers({200, 404, 200, 500, 200});
  EXPECT_TRUE(reconcile());
  auto edited = resource();
  edited["metadata"]["generation"] = 4;
  edited["metadata"]["resourceVersion"] = "101";
  exists(edited);
  answers({200, 404, 200, 200, 201, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(progressing(), ::testing::Not(HasSubstr("podMonitor")));
}

TEST_F(OptionalChildTest, ThatWeHaveNoRightToIsAsIfItsKindWereAbsent) {
  answers({200, 403});
  may(true);
  may(false);  // create
  answers({200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{600});
  EXPECT_THAT(progressing(), ::testing::Not(HasSubstr("podMonitor")));
  EXPECT_THAT(told.reasons(), ::testing::Not(Contains("OptionalChildMissing")));
  EXPECT_THAT(log.records("kind_forbidden"), SizeIs(1));
  auto insists = resource();
  insists["spec"]["metrics"]["podMonitor"] = "Always";
  insists["metadata"]["generation"] = 4;
  insists["metadata"]["resourceVersion"] = "101";
  exists(insists);
  transport.requests.clear();
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{600});
  EXPECT_EQ(requests_for_monitors(), 0) << "an edit grants no right";
  EXPECT_THAT(
    progressing(),
    HasSubstr("spec.metrics.podMonitor: no right to create podmonitors; see the operator's RBAC")
  );
  EXPECT_THAT(log.records("kind_forbidden"), SizeIs(1)) << "told once";
}

TEST_F(OptionalChildTest, WhoseKindMayNotBeLookedForIsNotAskedFor) {
  caches.optional.set_refusal(resources::Optional::pod_monitor, "mail", "no right to list podmonitors");
  answers({200, 200, 200});
  EXPECT_FALSE(reconcile()->requeue_after) << "who looks for kinds tells when it may";
  EXPECT_EQ(requests_for_monitors(), 0);
}

TEST_F(OptionalChildTest, OfAnothersIsAskedForBehindDelaysThatGrow) {
  auto theirs = resource();
  theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm";
  answers({200});
  transport.answers(200, theirs.dump());
  answers({200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30});
  EXPECT_THAT(progressing(), HasSubstr("managed by Helm"));
  clock.advance(relay::seconds{20});
  transport.requests.clear();
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{10});
  EXPECT_EQ(requests_for_monitors(), 0);
  EXPECT_THAT(progressing(), HasSubstr("managed by Helm"));
}

TEST_F(OptionalChildTest, ThatIsInvalidIsNotTriedForEver) {
  answers({200, 404, 200, 422, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_FALSE(answer->requeue_after);
  EXPECT_EQ(condition("ConfigValid")["status"], "True") << "the settings are in order";
  transport.requests.clear();
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_EQ(requests_for_monitors(), 0) << "whatever wakes the relay";
}

TEST_F(OptionalChildTest, ThatCannotBeReadHoldsNothingBackEither) {
  answers({200, 500, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30});
  EXPECT_THAT(progressing(), HasSubstr("spec.metrics.podMonitor: GET"));
}

TEST_F(OptionalChildTest, ThatMayNotBeRemovedIsToldAndKeepsNoOtherFromBeingMade) {
  is_wanted_no_more();
  answers({200, 200, 403, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{30});
  EXPECT_THAT(
    progressing(), AllOf(HasSubstr("spec.metrics.podMonitor: DELETE"), HasSubstr("see the operator's RBAC"))
  );
  EXPECT_THAT(log.records("kind_forbidden"), IsEmpty());
  transport.requests.clear();
  answers({200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_EQ(requests_for_monitors(), 0) << "it comes again behind its delay";
  EXPECT_THAT(progressing(), HasSubstr("spec.metrics.podMonitor: DELETE")) << "it is in force still";
}

TEST_F(OptionalChildTest, ThatSomebodyElseWroteToIsLookedAtAgainSoonAndNoFailure) {
  is_wanted_no_more();
  answers({200, 200, 409, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{1});
  EXPECT_THAT(progressing(), ::testing::Not(HasSubstr("podMonitor")));
  EXPECT_THAT(told.reasons(), ::testing::Not(Contains("OptionalChildMissing")));
}

TEST_F(OptionalChildTest, ThatWasForbiddenIsAskedForOnlyOnceTheRightIsThere) {
  answers({200, 403});
  may(true);
  may(false);  // create
  answers({200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{600});
  clock.advance(relay::seconds{600});
  transport.requests.clear();
  answers({200});
  may(true);
  may(false);
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{600});
  EXPECT_EQ(requests_for_monitors(), 0);
  clock.advance(relay::seconds{600});
  answers({200});
  for (int right = 0; right < 3; ++right) may(true);
  answers({404, 200, 200, 200, 201, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_GE(requests_for_monitors(), 2) << "looked for, and made";
  EXPECT_THAT(told.reasons(), Contains("Applied"));
}

TEST_F(OptionalChildTest, ThatIsWantedNoMoreIsRemovedWithoutBeingAskedFor) {
  is_wanted_no_more();
  answers({200, 200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_EQ(
    transport.requests.at(2).asked(),
    "DELETE /apis/monitoring.coreos.com/v1/namespaces/mail/podmonitors/edge-smtp-relay"
  );
}

TEST_F(ReconcilerTest, TellsThatPodsCouldNotBeStampedAndTriesAgain) {
  exists(resource());
  has_children();
  answers({200, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, kSettleTime);
  clock.advance(kSettleTime);
  answers({200, 403});
  may(false);
  answers({200});
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

TEST_F(ReconcilerTest, TellsAPodOfACordonFirstAndWhateverElseIsWrong) {
  auto broken = resource();
  broken["spec"]["passwdClientSecretRef"] = {{"name", "missing"}};
  exists(broken);
  has_children();
  cordon("node-1");
  transport.answers(200, broken.dump());
  answers({404, 200, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_THAT(transport.requests, SizeIs(5));
  EXPECT_THAT(transport.requests[3].asked(), HasSubstr("PATCH /api/v1/namespaces/mail/pods/edge-1?"));
  EXPECT_THAT(transport.requests[3].body, HasSubstr(R"("smtp.buildinglink.com/cordoned":"unschedulable")"));
  EXPECT_EQ(condition("SecretsResolved")["reason"], "SecretNotFound");
  EXPECT_EQ(condition("CordonAware")["reason"], "NodesCordoned");
  EXPECT_EQ(log.records("cordon").size(), 1U);
}

TEST_F(ReconcilerTest, SaysThatItMayNotTellOfACordonAndTriesAgain) {
  exists(resource());
  has_children();
  settle();
  cordon("node-1");
  has_pod("edge-2");
  answers({200, 403});
  may(false);  // and nobody else is told
  answers({200, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30});
  EXPECT_EQ(condition("CordonAware")["reason"], "NotTold");
  EXPECT_THAT(condition("CordonAware")["message"].get<std::string>(), HasSubstr("pods/edge-1"));
}

TEST_F(ReconcilerTest, TellsTheOtherPodsOfACordonAndDoesAllElseThoughOneCouldNotBeTold) {
  auto another = resource();
  another["spec"]["network"]["service"]["type"] = "None";
  exists(another);
  has_children();
  has_pod("edge-2");
  cordon("node-1");
  transport.answers(200, another.dump());
  answers({200, 500, 200, 200, 200});
  const auto answer = reconcile();
  EXPECT_EQ(answer.error().kind, kube::Kind::server);
  EXPECT_EQ(answer.error().retry_after, kSettleTime) << "the stamp that is due waits for no back-off";
  ASSERT_THAT(transport.requests, SizeIs(6));
  EXPECT_THAT(transport.requests[2].asked(), HasSubstr("PATCH /api/v1/namespaces/mail/pods/edge-1?"));
  EXPECT_THAT(transport.requests[3].asked(), HasSubstr("PATCH /api/v1/namespaces/mail/pods/edge-2?"));
  EXPECT_THAT(transport.requests[4].asked(), HasSubstr("DELETE /api/v1/namespaces/mail/services/"));
  EXPECT_THAT(transport.requests[5].target, HasSubstr("smtprelays/edge/status"));
  EXPECT_EQ(condition("CordonAware")["reason"], "NotTold");
  EXPECT_EQ(log.records("cordon").size(), 1U);
}

TEST_F(ReconcilerTest, RepeatsACordonThatAServerInTroubleRefusedRatherThanOneThatItForbids) {
  exists(resource());
  has_children();
  has_pod("edge-2");
  cordon("node-1");
  answers({200, 200, 403});
  may(true);  // so that it was admission
  answers({500, 200});
  EXPECT_EQ(reconcile().error().kind, kube::Kind::server);
}

TEST_F(ReconcilerTest, AsksAServerThatDoesNotAnswerForNoOtherPod) {
  exists(resource());
  has_children();
  has_pod("edge-2");
  cordon("node-1");
  answers({200, 200});
  transport.fails(relay::Errc::timed_out);
  EXPECT_EQ(reconcile().error().kind, kube::Kind::unreachable);
  EXPECT_THAT(transport.requests, SizeIs(3)) << "each might take as long, and so might all else";
}

TEST_F(ReconcilerTest, LeavesAPodAloneThatIsGoneWhenItIsToldOfACordon) {
  exists(resource());
  has_children();
  cordon("node-1");
  answers({200, 200, 404, 200});
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(condition("CordonAware")["reason"], "NodesCordoned");
  EXPECT_THAT(log.records("cordon"), IsEmpty());
}

TEST_F(ReconcilerTest, TellsNobodyOfACordonWhileItIsPaused) {
  auto paused = resource();
  paused["spec"]["managementState"] = "Paused";
  exists(paused);
  has_children();
  cordon("node-1");
  answers({200, 200, 200});
  ASSERT_TRUE(reconcile());
  EXPECT_THAT(transport.requests, SizeIs(3)) << "the status twice, and the namespace";
  EXPECT_EQ(condition("CordonAware")["reason"], "Paused");
}

/// A relay that is to be drained when it is deleted.
class DrainTest : public ReconcilerTest {
 protected:
  DrainTest() {
    relay["spec"]["spool"] = {{"onDelete", "DrainThenDelete"}};
    relay["metadata"]["finalizers"] = Json::array({"example.com/theirs"});
  }
  /// As the server shows it from the deletion on.
  void is_deleted() {
    relay["metadata"]["finalizers"].push_back(kFinalizer);
    relay["metadata"]["deletionTimestamp"] = api::to_kubernetes_time(clock.wall());
    exists(relay);
    has_children();
  }
  /// The namespace, then what else is asked.
  void answers_in_namespace(std::initializer_list<unsigned> statuses) {
    transport.answers(200, R"({"metadata":{"name":"mail"}})");
    answers(statuses);
  }
  [[nodiscard]] Json last_body() const { return Json::parse(transport.requests.back().body); }
  Json relay = resource();
};

TEST_F(DrainTest, HoldsTheResourceBeforeAnythingIsMadeOfIt) {
  exists(relay);
  has_children();
  answers({200, 200, 200, 200});
  EXPECT_TRUE(reconcile());
  ASSERT_THAT(transport.requests, SizeIs(4));
  EXPECT_THAT(
    transport.requests[1].asked(),
    StartsWith("PATCH /apis/smtp.buildinglink.com/v1alpha1/namespaces/mail/smtprelays/edge?")
  );
  const auto patch = Json::parse(transport.requests[1].body);
  EXPECT_EQ(patch["metadata"]["finalizers"], Json::array({"example.com/theirs", kFinalizer}));
  EXPECT_EQ(patch["metadata"]["resourceVersion"], "100");
}

TEST_F(DrainTest, LetsGoOfAResourceThatIsNotToBeDrainedAnyMore) {
  relay["spec"].erase("spool");
  relay["metadata"]["finalizers"].push_back(kFinalizer);
  exists(relay);
  has_children();
  answers({200, 200, 200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_EQ(
    Json::parse(transport.requests.at(1).body)["metadata"]["finalizers"], Json::array({"example.com/theirs"})
  );
}

TEST_F(DrainTest, ServesAResourceThatItMayNotHoldAndSaysSo) {
  exists(relay);
  has_children();
  answers({200, 403, 200, 200});
  EXPECT_EQ(reconcile()->requeue_after, kSettleTime) << "a pod is to be stamped sooner";
  clock.advance(kSettleTime);
  answers({200, 403, 200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{30}) << "no event tells of a right that is granted";
  EXPECT_THAT(
    condition("Progressing")["message"].get<std::string>(), HasSubstr("a deletion will not wait for the mail")
  );
}

TEST_F(DrainTest, RepeatsAStampThatFailedThoughItWouldLookAgainAnyway) {
  exists(relay);
  has_children();
  answers({200, 403, 200, 200});
  EXPECT_TRUE(reconcile());
  clock.advance(kSettleTime);
  answers({200, 403, 500, 200});
  const auto answer = reconcile();
  ASSERT_FALSE(answer) << "behind the delays of failures";
  EXPECT_EQ(answer.error().kind, kube::Kind::server);
}

TEST_F(DrainTest, TellsThePodsToRetireAsksThemAndSaysHowFarItIs) {
  is_deleted();
  answers_in_namespace({200, 200});
  const auto answer = reconcile();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->requeue_after, relay::seconds{1});
  ASSERT_THAT(transport.requests, SizeIs(3));
  EXPECT_THAT(transport.requests[1].asked(), StartsWith("PATCH /api/v1/namespaces/mail/pods/edge-1?"));
  EXPECT_EQ(
    Json::parse(transport.requests[1].body)["metadata"],
    (Json{{"uid", "p-1"}, {"annotations", {{"smtp.buildinglink.com/retire", "true"}}}})
  );
  EXPECT_EQ(inspector.asked, 1);
  EXPECT_EQ(condition("Ready")["reason"], "Draining");
  EXPECT_EQ(condition("Progressing")["status"], "True");
  EXPECT_THAT(told.reasons(), ElementsAre("Draining"));
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(
    condition("Progressing")["message"].get<std::string>(), HasSubstr("12 messages on 1 of 1 node remain")
  );
}

TEST_F(DrainTest, IsOverWhenAllPodsSayThatNothingWaitsAndNothingCanCome) {
  is_deleted();
  inspector.waiting = 0;
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile());
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile()->requeue_after) << "mail may still come";
  inspector.takes_mail = false;
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile()->requeue_after);
  told.all.clear();
  answers_in_namespace({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  EXPECT_EQ(last_body()["metadata"]["finalizers"], Json::array({"example.com/theirs"}));
  EXPECT_THAT(told.reasons(), ElementsAre("Drained"));
  const auto requests = transport.requests.size();
  EXPECT_TRUE(reconcile()) << "the cache has not seen it yet";
  caches.relays.feed("mail")->erase(relay);
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(told.reasons(), ElementsAre("Drained")) << "once";
  EXPECT_THAT(transport.requests, SizeIs(requests));
}

TEST_F(DrainTest, TellsWhatRemainsWhenTheTimeIsUp) {
  is_deleted();
  inspector.does_answer = false;
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile()->requeue_after);
  told.all.clear();
  clock.advance(relay::seconds{80});
  answers_in_namespace({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  ASSERT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_THAT(
    told.all[0].note,
    HasSubstr("not drained: the time for it (drain.lameDuck and drain.flushTimeout) was over at ")
  );
  EXPECT_THAT(told.all[0].note, HasSubstr("it is not known how many messages wait"));
}

TEST_F(DrainTest, DoesNotWaitWhenAnAnnotationForcesIt) {
  relay["metadata"]["annotations"] = {{"smtp.buildinglink.com/force-delete", "true"}};
  is_deleted();
  answers({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  EXPECT_EQ(last_body()["metadata"]["finalizers"], Json::array({"example.com/theirs"}));
  ASSERT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_THAT(told.all[0].note, HasSubstr("force-delete did not let it wait; 12 messages wait"));
}

TEST_F(DrainTest, DoesNotHoldANamespaceThatIsBeingDeleted) {
  is_deleted();
  transport.answers(200, R"({"metadata":{"name":"mail","deletionTimestamp":"2026-01-31T12:00:00Z"}})");
  answers({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  ASSERT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_THAT(told.all[0].note, HasSubstr("its namespace is being deleted"));
}

TEST_F(DrainTest, DrainsWhereItMayNotReadTheNamespace) {
  is_deleted();
  answers({403, 200, 200});
  EXPECT_TRUE(reconcile()->requeue_after);
  EXPECT_THAT(told.reasons(), ElementsAre("Draining"));
}

TEST_F(DrainTest, DoesNotHoldAResourceThatCannotBeRead) {
  relay["spec"]["network"] = {{"port", "smtp"}};
  is_deleted();
  answers({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  ASSERT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_THAT(told.all[0].note, HasSubstr("its spec can't be read: spec.network.port"));
  EXPECT_EQ(told.all[0].regarding.uid, "u-1");
}

TEST_F(DrainTest, DoesNotWaitAnyMoreWhenTheSpecIsChangedMeanwhile) {
  relay["spec"]["spool"]["onDelete"] = "Retain";
  is_deleted();
  answers({200});
  EXPECT_FALSE(reconcile()->requeue_after);
  ASSERT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
  EXPECT_THAT(told.all[0].note, HasSubstr("deleted; 12 messages wait"));
}

TEST_F(DrainTest, TriesAgainWhenSomebodyElseWroteFirst) {
  relay["metadata"]["annotations"] = {{"smtp.buildinglink.com/force-delete", "true"}};
  is_deleted();
  answers({409});
  EXPECT_EQ(reconcile().error().kind, kube::Kind::conflict);
  EXPECT_THAT(told.all, IsEmpty());
  answers({404});
  EXPECT_TRUE(reconcile()) << "gone is as good";
  EXPECT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
}

TEST_F(DrainTest, TellsAFleetInSlicesAndSaysHowManyAreLeft) {
  is_deleted();
  for (int i = 2; i <= 120; ++i) has_pod("edge-" + std::to_string(i));
  const auto told_in_a_step = [&](std::size_t count) {
    transport.requests.clear();
    answers_in_namespace({});
    for (std::size_t i = 0; i < count; ++i) answers({200});
    answers({200});
    const auto answer = reconcile();
    EXPECT_THAT(transport.requests, SizeIs(count + 2)) << "the namespace, the pods, the status";
    return answer->requeue_after.value();
  };
  EXPECT_EQ(told_in_a_step(50), relay::milliseconds{200}) << "others may go in between";
  EXPECT_EQ(inspector.asked, 1);
  EXPECT_THAT(
    condition("Progressing")["message"].get<std::string>(),
    HasSubstr("; 70 pods are still to be told to retire")
  );
  EXPECT_EQ(told_in_a_step(50), relay::milliseconds{200})
    << "those that the cache shows untold are not told again";
  EXPECT_EQ(told_in_a_step(20), relay::seconds{1});
  EXPECT_EQ(inspector.asked, 3);
  EXPECT_EQ(told_in_a_step(0), relay::seconds{1});
}

TEST_F(DrainTest, TellsTheOtherPodsAndAsksAllThoughOneCouldNotBeTold) {
  is_deleted();
  has_pod("edge-2");
  answers_in_namespace({500, 200, 200});
  const auto answer = reconcile();
  EXPECT_EQ(answer.error().kind, kube::Kind::server);
  EXPECT_EQ(answer.error().retry_after, relay::seconds{1}) << "the end of its time waits for no back-off";
  ASSERT_THAT(transport.requests, SizeIs(4));
  EXPECT_THAT(transport.requests[2].asked(), StartsWith("PATCH /api/v1/namespaces/mail/pods/edge-2?"));
  EXPECT_EQ(inspector.asked, 1);
  EXPECT_THAT(
    condition("Progressing")["message"].get<std::string>(), HasSubstr("pods could not be told to retire: ")
  );
}

TEST_F(DrainTest, GoesOnAtOnceToPodsThatNobodyHasTriedYetWhoeverFailed) {
  is_deleted();
  for (int i = 2; i <= 60; ++i) has_pod("edge-" + std::to_string(i));
  answers_in_namespace({});
  for (int i = 0; i < 50; ++i) answers({500});
  answers({200});
  EXPECT_EQ(reconcile().error().retry_after, relay::milliseconds{200});
  std::set<std::string> asked_before;
  for (const auto& request : transport.requests) asked_before.insert(request.target);
  transport.requests.clear();
  answers_in_namespace({});
  for (int i = 0; i < 50; ++i) answers({200});
  answers({200});
  EXPECT_EQ(reconcile()->requeue_after, relay::seconds{1});
  for (int i = 1; i <= 10; ++i)
    EXPECT_FALSE(asked_before.contains(transport.requests.at(static_cast<std::size_t>(i)).target)) << i;
}

TEST_F(DrainTest, SaysThatPodsCouldNotBeToldAndGoesOn) {
  is_deleted();
  has_pod("edge-2");
  answers_in_namespace({403});
  may(false);
  answers({200});
  EXPECT_TRUE(reconcile()->requeue_after);
  EXPECT_THAT(
    condition("Progressing")["message"].get<std::string>(), HasSubstr("pods could not be told to retire: ")
  );
}

TEST_F(DrainTest, LeavesTheFinalizerOfAnotherOperatorsRelayAlone) {
  relay["metadata"]["labels"] = {{"smtp.buildinglink.com/controller-id", "blue"}};
  is_deleted();
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(transport.requests, IsEmpty());
  EXPECT_THAT(told.all, IsEmpty());
}

TEST_F(DrainTest, TellsWhatIsLeftWhenSomebodyTookTheFinalizerAway) {
  exists(relay);
  has_children();
  answers({200, 200, 200, 200});
  EXPECT_TRUE(reconcile());
  is_deleted();
  answers_in_namespace({200, 200});
  EXPECT_TRUE(reconcile());
  told.all.clear();
  caches.relays.feed("mail")->erase(relay);
  EXPECT_TRUE(reconcile());
  EXPECT_THAT(told.reasons(), ElementsAre("SpoolRetained"));
}

}  // namespace
}  // namespace op::smtp_relay
