#include "relay/base/clock.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Time, IsWrittenForHeadersAndLogs) {
  const WallTime time{milliseconds{1'772'323'199'999}};
  EXPECT_EQ(to_rfc3339(time), "2026-02-28T23:59:59.999Z");
  EXPECT_EQ(to_rfc5322(time), "Sat, 28 Feb 2026 23:59:59 +0000");
  EXPECT_EQ(to_rfc3339(WallTime{}), "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace relay
