#include "operator/runtime/lease_record.hpp"

#include <gtest/gtest.h>

namespace op::runtime {
namespace {

TEST(LeaseRecord, IsReadBackAsItWasWritten) {
  const LeaseRecord record{"me", seconds{15}, "2026-01-31T12:00:00.000000Z", "2026-01-31T12:00:02.000000Z",
                           3,    "9"};
  const auto object = to_lease(record, {"mail", "smtp-relay-operator"});
  EXPECT_EQ(parse_lease(object), record);
  EXPECT_EQ(kube::key_of(object).to_text(), "mail/smtp-relay-operator");
  EXPECT_EQ(object["apiVersion"], "coordination.k8s.io/v1");
}

TEST(LeaseRecord, OfALeaseWithoutSpecIsFree) { EXPECT_EQ(parse_lease(kube::Json::object()).holder, ""); }

TEST(LeaseRecord, WritesTimesWithMicroseconds) {
  EXPECT_EQ(to_micro_time(WallTime{milliseconds{1'769'860'800'250}}), "2026-01-31T12:00:00.250000Z");
}

}  // namespace
}  // namespace op::runtime
