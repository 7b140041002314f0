#include "operator/resources/optional.hpp"

#include <gtest/gtest.h>
#include <set>

namespace op::resources {
namespace {

TEST(OptionalChildren, AreMadeWhereTheirKindIsUnlessTheResourceSaysOtherwise) {
  api::Spec spec;
  EXPECT_EQ(wish_for(Optional::pod_monitor, spec), Wish::if_possible);
  EXPECT_EQ(wish_for(Optional::prometheus_rule, spec), Wish::if_possible);
  spec.pod_monitor = "Always";
  spec.rules = "Never";
  EXPECT_EQ(wish_for(Optional::pod_monitor, spec), Wish::yes);
  EXPECT_EQ(wish_for(Optional::prometheus_rule, spec), Wish::no);
}

TEST(OptionalChildren, OfWhichTheChartHasOneForAllAreMadeOnRequestAlone) {
  api::Spec spec;
  EXPECT_EQ(wish_for(Optional::dashboard, spec), Wish::no);
  EXPECT_EQ(wish_for(Optional::network_policy, spec), Wish::no);
  spec.dashboard = "Always";
  spec.network_policy = "Managed";
  EXPECT_EQ(wish_for(Optional::dashboard, spec), Wish::yes);
  EXPECT_EQ(wish_for(Optional::network_policy, spec), Wish::yes);
}

TEST(OptionalChildren, HaveFieldsOfTheirOwnAndNamesThatNoOtherChildOfTheirKindHas) {
  api::SmtpRelay relay;
  relay.name = "edge";
  std::set<std::string_view> fields;
  for (const auto child : kOptionals) fields.insert(field_of(child));
  EXPECT_EQ(fields.size(), kOptionals.size());
  EXPECT_EQ(name_of(Optional::pod_monitor, relay), "edge-smtp-relay");
  EXPECT_NE(name_of(Optional::dashboard, relay), child_name(relay)) << "the settings' name";
}

}  // namespace
}  // namespace op::resources
