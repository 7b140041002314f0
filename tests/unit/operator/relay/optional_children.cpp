#include "operator/relay/optional_children.hpp"

#include <gmock/gmock.h>

#include "operator/relay/effective.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using resources::Optional;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OptionalChildrenTest : public ::testing::Test {
 protected:
  OptionalChildrenTest() {
    for (const auto child : resources::kOptionals) world.optional[child].presence = Presence::served;
  }
  [[nodiscard]] OptionalPlan plan() const {
    return plan_optional(world, kDefaults, effective_settings(world).settings);
  }
  [[nodiscard]] std::vector<Optional> made() const {
    std::vector<Optional> found;
    for (const auto& [child, wanted] : plan().apply) found.push_back(child);
    return found;
  }
  [[nodiscard]] std::vector<Optional> removed() const {
    std::vector<Optional> found;
    for (const auto& [child, removal] : plan().remove) found.push_back(child);
    return found;
  }
  static Json owned_by(const std::string& uid) {
    return {
      {"metadata",
       {{"ownerReferences", Json::array({{{"uid", uid}, {"controller", true}, {"kind", "SmtpRelay"}}})}}}
    };
  }
  World world = example();
};

TEST_F(OptionalChildrenTest, AreMadeWhereTheirKindsAre) {
  EXPECT_THAT(made(), ElementsAre(Optional::pod_monitor, Optional::prometheus_rule));
  world.relay.spec.dashboard = "Always";
  world.relay.spec.network_policy = "Managed";
  EXPECT_THAT(
    made(), ElementsAre(
              Optional::pod_monitor, Optional::prometheus_rule, Optional::dashboard, Optional::network_policy
            )
  );
  EXPECT_THAT(plan().lost, IsEmpty());
  EXPECT_FALSE(plan().look_in);
}

TEST_F(OptionalChildrenTest, HaveTheLabelsOfTheOperatorsFlags) {
  auto defaults = kDefaults;
  defaults.pod_monitor_labels = {{"release", "one"}};
  defaults.rule_labels = {{"release", "other"}};
  const auto all = plan_optional(world, defaults, effective_settings(world).settings).apply;
  EXPECT_EQ(all.at(0).second.desired["metadata"]["labels"]["release"], "one");
  EXPECT_EQ(all.at(1).second.desired["metadata"]["labels"]["release"], "other");
}

TEST_F(OptionalChildrenTest, AreNotMissedWhereTheirKindIsNotUnlessTheResourceInsists) {
  world.optional[Optional::pod_monitor].presence = Presence::absent;
  world.optional[Optional::prometheus_rule].presence = Presence::absent;
  EXPECT_THAT(made(), IsEmpty());
  EXPECT_THAT(plan().lost, IsEmpty());
  world.relay.spec.rules = "Always";
  EXPECT_THAT(made(), IsEmpty());
  EXPECT_THAT(
    plan().lost, ElementsAre(AllOf(
                   HasSubstr("spec.metrics.rules"), HasSubstr("PrometheusRule (monitoring.coreos.com/v1)"),
                   HasSubstr("say Auto")
                 ))
  );
  EXPECT_FALSE(plan().look_in) << "who looks for kinds tells when it comes";
}

TEST_F(OptionalChildrenTest, AreNotMissedBeforeAnybodyHasLooked) {
  world.relay.spec.rules = "Always";
  world.optional[Optional::prometheus_rule].presence = Presence::unknown;
  EXPECT_THAT(made(), ElementsAre(Optional::pod_monitor));
  EXPECT_THAT(plan().lost, IsEmpty());
}

TEST_F(OptionalChildrenTest, AreRemovedWhereTheyAreNotWantedAndOurs) {
  world.relay.spec.pod_monitor = "Never";
  world.optional[Optional::pod_monitor].live = owned_by("u-1");
  world.optional[Optional::network_policy].live = owned_by("u-1");
  world.optional[Optional::dashboard].live = owned_by("u-2");
  EXPECT_THAT(removed(), ElementsAre(Optional::pod_monitor, Optional::network_policy));
  EXPECT_EQ(plan().remove[1].second.resource.plural, "networkpolicies");
}

TEST_F(OptionalChildrenTest, LeaveWhatIsSomebodyElsesAndSaySo) {
  world.optional[Optional::pod_monitor].live = owned_by("u-2");
  EXPECT_THAT(made(), ElementsAre(Optional::prometheus_rule));
  EXPECT_THAT(
    plan().lost, ElementsAre(AllOf(
                   HasSubstr("spec.metrics.podMonitor"), HasSubstr("PodMonitor edge-smtp-relay belongs to")
                 ))
  );
  ASSERT_THAT(plan().conflicts, SizeIs(1)) << "no event tells of another's object";
  EXPECT_EQ(plan().conflicts[0].first, Optional::pod_monitor);
}

TEST_F(OptionalChildrenTest, ThatFailedLatelyAreLostAndLeftAloneUntilTheirTime) {
  world.optional[Optional::pod_monitor].failure = "PATCH ...: 500";
  world.optional[Optional::pod_monitor].look_in = relay::seconds{90};
  world.optional[Optional::prometheus_rule].look_in = relay::seconds{120};
  EXPECT_THAT(made(), ElementsAre(Optional::prometheus_rule));
  EXPECT_THAT(plan().lost, ElementsAre("spec.metrics.podMonitor: PATCH ...: 500"));
  EXPECT_EQ(plan().look_in, relay::seconds{90}) << "the sooner of both";
  world.relay.spec.pod_monitor = "Never";
  EXPECT_THAT(plan().lost, IsEmpty()) << "there is none";
  world.optional[Optional::pod_monitor].live = owned_by("u-1");
  EXPECT_THAT(removed(), IsEmpty());
  EXPECT_THAT(plan().lost, SizeIs(1)) << "it could not be removed";
}

TEST_F(OptionalChildrenTest, ThatTheOperatorHasNoRightToAreAsIfTheirKindWereAbsent) {
  auto& monitor = world.optional[Optional::pod_monitor];
  monitor.presence = Presence::forbidden;
  monitor.failure = "no right to create podmonitors";
  monitor.look_in = relay::seconds{600};
  EXPECT_THAT(made(), ElementsAre(Optional::prometheus_rule));
  EXPECT_THAT(plan().lost, IsEmpty());
  EXPECT_EQ(plan().look_in, relay::seconds{600});
  world.relay.spec.pod_monitor = "Always";
  EXPECT_THAT(
    plan().lost,
    ElementsAre("spec.metrics.podMonitor: no right to create podmonitors; see the operator's RBAC")
  );
  world.relay.spec.pod_monitor = "Never";
  monitor.live = owned_by("u-1");
  EXPECT_THAT(removed(), IsEmpty());
}

TEST_F(OptionalChildrenTest, FollowWhatTheEnvironmentSaysOfTheNetwork) {
  world.relay.spec.network_policy = "Managed";
  environment_of(world).environment = {{"SMTP_RELAY_ALLOWED_NETWORKS", "192.0.2.0/24"}};
  const auto policy = plan().apply.back().second.desired;
  EXPECT_EQ(policy["spec"]["ingress"][0]["from"][0]["ipBlock"]["cidr"], "192.0.2.0/24");
}

TEST_F(OptionalChildrenTest, AreLeftAloneWithAllElseWhileAnythingIsWrong) {
  EXPECT_THAT(make_plan(world, kDefaults).optional.apply, SizeIs(2));
  secret_of(world) = {};
  EXPECT_THAT(make_plan(world, kDefaults).optional.apply, IsEmpty());
  EXPECT_THAT(make_plan(world, kDefaults).optional.remove, IsEmpty());
}

}  // namespace
}  // namespace op::smtp_relay
