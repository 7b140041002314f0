#include "relay/engine/outcome_log.hpp"

#include <gtest/gtest.h>

#include "relay/dsn/classify.hpp"
#include "relay/metrics/counters.hpp"

namespace relay::engine {
namespace {

TEST(BounceClasses, AreCalledAlikeInMetricsAndReports) {
  // Of a class behind the last there is no name to ask for: `other` is the last.
  ASSERT_EQ(metrics::kBounceClasses.size(), static_cast<std::size_t>(dsn::BounceClass::other) + 1);
  for (std::size_t i = 0; i < metrics::kBounceClasses.size(); ++i)
    EXPECT_EQ(metrics::kBounceClasses[i], dsn::to_label(static_cast<dsn::BounceClass>(i))) << i;
}

}  // namespace
}  // namespace relay::engine
