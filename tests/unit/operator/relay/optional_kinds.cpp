#include "operator/relay/optional_kinds.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using resources::Optional;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A server whose kinds come and go. A watch of one shows its single object, `edge-smtp-relay`, and is silent then until it
/// is stopped.
class Cluster : public kube::Transport {
 public:
  relay::Result<kube::Response> send(const kube::Request& request, std::stop_token) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request.target);
    if (is_away_) return kube::Response{503, "{}"};
    if (request.target.starts_with("/apis/authorization.k8s.io/"))
      return kube::Response{201, Json{{"status", {{"allowed", may_look_}}}}.dump()};
    if (request.target.starts_with("/apis/networking.k8s.io/"))
      return may_list_ ? kube::Response{200, R"({"metadata":{},"items":[)" + policies_ + "]}"}
                       : kube::Response{403, "{}"};
    if (monitoring_.empty()) return kube::Response{404, "404 page not found"};
    auto kinds = Json::array();
    for (const auto& kind : monitoring_) kinds.push_back({{"name", kind}});
    return kube::Response{200, Json{{"resources", kinds}}.dump()};
  }
  relay::Result<kube::Response> stream(
    const kube::Request& request, const kube::OnBytes& on_bytes, std::stop_token stop
  ) override {
    {
      const std::lock_guard lock(mutex_);
      watched_.push_back(request.target.substr(0, request.target.find('?')));
    }
    on_bytes(R"({"type":"ADDED","object":{"metadata":{"namespace":"mail","name":"edge-smtp-relay",)"
             R"("resourceVersion":"7"},"spec":{}}})"
             "\n"
             R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8",)"
             R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"
             "\n");
    runtime::wait_for(std::chrono::hours{1}, stop);
    return relay::transient(relay::Errc::cancelled, "stopped");
  }

  void serves(std::set<std::string> kinds) {
    change([&] { monitoring_ = std::move(kinds); });
  }
  void is_away(bool away) {
    change([&] { is_away_ = away; });
  }
  void has_policies(std::string items) {
    change([&] { policies_ = std::move(items); });
  }
  void lets_look(bool may) {
    change([&] { may_look_ = may; });
  }
  void forbids_policies() {
    change([&] { may_list_ = false; });
  }
  [[nodiscard]] std::vector<std::string> watched() const {
    const std::lock_guard lock(mutex_);
    return watched_;
  }
  [[nodiscard]] std::size_t questions(std::string_view about) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(asked_.begin(), asked_.end(), [&](const auto& target) {
      return target.starts_with(about);
    }));
  }

 private:
  template <class How>
  void change(How how) {
    const std::lock_guard lock(mutex_);
    how();
  }
  mutable std::mutex mutex_;
  std::set<std::string> monitoring_;
  std::string policies_;
  bool is_away_ = false;
  bool may_list_ = true;
  bool may_look_ = true;
  std::vector<std::string> asked_;
  std::vector<std::string> watched_;
};

template <class Is>
bool becomes(Is is) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!is() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return is();
}

class OptionalKindsTest : public ::testing::Test {
 protected:
  ~OptionalKindsTest() override { kinds.stop(); }
  void look() { kinds.look({}); }
  [[nodiscard]] bool is_seen(runtime::Store& store) {
    return becomes([&] { return store.get({"mail", "edge-smtp-relay"}).has_value(); });
  }

  Cluster cluster;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{cluster, gate, "smtp-relay-operator"};
  runtime::Metrics metrics{{"smtprelay", "lease", "smtp_relay_operator"}, 1, "test"};
  runtime::VirtualClock clock;
  runtime::FixedJitter jitter;
  relay::test::QuietLog log;
  OptionalCaches caches{{}, {}};
  std::atomic<int> changes{0};
  OptionalKinds kinds{
    {"mail"},
    caches,
    {client, client, metrics, clock, jitter, log,
     [](relay::milliseconds, const std::stop_token&) { std::this_thread::yield(); }},
    [this] { ++changes; }
  };
};

TEST_F(OptionalKindsTest, AreAbsentWithoutAWatchAndWithoutMuchAdo) {
  look();
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::absent);
  EXPECT_EQ(caches.presence_of(Optional::prometheus_rule), Presence::absent);
  EXPECT_THAT(cluster.watched(), IsEmpty());
  EXPECT_EQ(changes, 0) << "relays took that for granted";
  look();
  EXPECT_THAT(log.records("kind_absent"), SizeIs(2)) << "each is told once";
}

TEST_F(OptionalKindsTest, AreWatchedFromWhenTheyCome) {
  look();
  cluster.serves({"podmonitors", "probes"});
  look();
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::served);
  EXPECT_EQ(caches.presence_of(Optional::prometheus_rule), Presence::absent);
  EXPECT_EQ(changes, 1);
  EXPECT_TRUE(is_seen(caches.pod_monitors));
  look();
  EXPECT_THAT(cluster.watched(), ElementsAre("/apis/monitoring.coreos.com/v1/namespaces/mail/podmonitors"))
    << "once";
  EXPECT_EQ(changes, 1);
}

TEST_F(OptionalKindsTest, AreForgottenWhenTheyGoAndSeenAgainWhenTheyReturn) {
  cluster.serves({"podmonitors", "prometheusrules"});
  look();
  EXPECT_TRUE(is_seen(caches.pod_monitors));
  EXPECT_TRUE(is_seen(caches.prometheus_rules));
  cluster.serves({});
  look();
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::absent);
  EXPECT_FALSE(caches.pod_monitors.get({"mail", "edge-smtp-relay"}));
  EXPECT_FALSE(caches.prometheus_rules.get({"mail", "edge-smtp-relay"}));
  EXPECT_FALSE(kinds.stuck()) << "nothing hangs that has ended";
  cluster.serves({"podmonitors"});
  look();
  EXPECT_TRUE(is_seen(caches.pod_monitors));
}

TEST_F(OptionalKindsTest, StayAsTheyWereWhileTheServerDoesNotAnswer) {
  cluster.serves({"podmonitors"});
  look();
  cluster.is_away(true);
  look();
  look();
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::served);
  EXPECT_THAT(log.records("discovery_failed"), SizeIs(1)) << "the same is told once";
  EXPECT_EQ(changes, 1);
}

TEST_F(OptionalKindsTest, ThatMayNotBeLookedForAreToldAndNotAskedForUntilTheyMay) {
  cluster.serves({"podmonitors"});
  cluster.lets_look(false);
  look();
  EXPECT_TRUE(becomes([&] { return !caches.refusal_of(Optional::pod_monitor, "mail").empty(); }));
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "no right to list podmonitors");
  EXPECT_TRUE(becomes([&] { return changes == 2; })) << "it came, and may not be looked for";
  EXPECT_THAT(cluster.watched(), IsEmpty()) << "the server never had to refuse";
  EXPECT_THAT(log.records("list_failed"), SizeIs(0));
  EXPECT_TRUE(becomes([&] { return !log.records("watch_failed").empty(); }))
    << "it is told behind the change";
  EXPECT_THAT(log.records("watch_failed"), SizeIs(1)) << "told once";
  cluster.lets_look(true);
  EXPECT_TRUE(is_seen(caches.pod_monitors));
  EXPECT_TRUE(becomes([&] { return changes == 3; }));
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "");
}

TEST_F(OptionalKindsTest, ThatGoAreNotForbiddenAnyMore) {
  cluster.serves({"podmonitors"});
  cluster.lets_look(false);
  look();
  EXPECT_TRUE(becomes([&] { return !caches.refusal_of(Optional::pod_monitor, "mail").empty(); }));
  cluster.serves({});
  look();
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "");
}

TEST_F(OptionalKindsTest, AreMissedWhereARelayInsists) {
  caches.want(Optional::prometheus_rule);
  look();
  EXPECT_EQ(changes, 1) << "its status has something to say";
}

TEST_F(OptionalKindsTest, OfNetworkPoliciesAreWatchedWhenARelayWantsOne) {
  look();
  look();
  EXPECT_THAT(cluster.watched(), IsEmpty());
  EXPECT_EQ(cluster.questions("/apis/networking.k8s.io/"), 1U) << "it is asked once whether there are some";
  caches.want(Optional::network_policy);
  look();
  EXPECT_TRUE(is_seen(caches.network_policies));
}

TEST_F(OptionalKindsTest, OfNetworkPoliciesAreWatchedWhereThereAreSomeOfOurs) {
  cluster.is_away(true);
  look();
  cluster.is_away(false);
  cluster.has_policies(R"({"metadata":{"namespace":"mail","name":"edge-smtp-relay"}})");
  look();
  EXPECT_TRUE(is_seen(caches.network_policies));
  look();
  look();
  EXPECT_EQ(cluster.questions("/apis/networking.k8s.io/"), 2U)
    << "when it was away, and when there were some";
}

TEST_F(OptionalKindsTest, OfNetworkPoliciesThatMayNotBeListedAreNone) {
  cluster.forbids_policies();
  look();
  look();
  EXPECT_EQ(cluster.questions("/apis/networking.k8s.io/"), 1U);
  EXPECT_THAT(cluster.watched(), IsEmpty());
}

TEST_F(OptionalKindsTest, AreLookedForAtOnceWhenOneIsWanted) {
  kinds.start();
  EXPECT_TRUE(becomes([&] { return cluster.questions("/apis/monitoring.coreos.com/") == 1; }));
  caches.want(Optional::network_policy);
  EXPECT_TRUE(is_seen(caches.network_policies));
}

}  // namespace
}  // namespace op::smtp_relay
