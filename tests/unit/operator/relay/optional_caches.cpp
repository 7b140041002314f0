#include "operator/relay/optional_caches.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

using resources::Optional;

class OptionalCachesTest : public ::testing::Test {
 protected:
  OptionalCaches caches{{}, {}};
};

TEST_F(OptionalCachesTest, KnowOfKindsOnlyWhatSomebodyFound) {
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::unknown);
  caches.set_presence(Optional::pod_monitor, Presence::served);
  EXPECT_EQ(caches.presence_of(Optional::pod_monitor), Presence::served);
  EXPECT_EQ(caches.presence_of(Optional::prometheus_rule), Presence::unknown);
}

TEST_F(OptionalCachesTest, TakeForGrantedWhatEveryClusterHas) {
  EXPECT_EQ(caches.presence_of(Optional::network_policy), Presence::served);
  EXPECT_EQ(caches.presence_of(Optional::dashboard), Presence::served);
}

TEST_F(OptionalCachesTest, KnowWhereAKindMayNotBeLookedFor) {
  caches.set_refusal(Optional::pod_monitor, "mail", "no right");
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "no right");
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "post"), "");
  EXPECT_EQ(caches.refusal_of(Optional::prometheus_rule, "mail"), "");
  caches.set_refusal(Optional::pod_monitor, "mail", "");
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "");
  caches.set_refusal(Optional::pod_monitor, "", "no right at all");
  EXPECT_EQ(caches.refusal_of(Optional::pod_monitor, "mail"), "no right at all") << "all are watched as one";
}

TEST_F(OptionalCachesTest, WakeWhoLooksWhenAKindIsWantedForTheFirstTime) {
  int woken = 0;
  caches.on_want([&] { ++woken; });
  EXPECT_FALSE(caches.is_wanted(Optional::network_policy));
  caches.want(Optional::network_policy);
  caches.want(Optional::network_policy);
  EXPECT_TRUE(caches.is_wanted(Optional::network_policy));
  EXPECT_EQ(woken, 1);
}

TEST_F(OptionalCachesTest, HaveAStoreForEachKindThatIsWatchedForThemAlone) {
  EXPECT_EQ(caches.store_of(Optional::pod_monitor), &caches.pod_monitors);
  EXPECT_EQ(caches.store_of(Optional::prometheus_rule), &caches.prometheus_rules);
  EXPECT_EQ(caches.store_of(Optional::network_policy), &caches.network_policies);
  EXPECT_EQ(caches.store_of(Optional::dashboard), nullptr) << "among the ConfigMaps";
}

}  // namespace
}  // namespace op::smtp_relay
