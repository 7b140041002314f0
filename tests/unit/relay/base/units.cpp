#include "relay/base/units.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Octets, AreReadAsKubernetesWritesThem) {
  EXPECT_EQ(parse_octets("25Mi")->count, 25ULL << 20U);
  EXPECT_EQ(parse_octets("1500")->count, 1500U);
  EXPECT_EQ(parse_octets("2k")->count, 2000U);
  EXPECT_EQ(parse_octets("1Ti")->count, 1ULL << 40U);
}

TEST(Octets, RefuseWhatIsNoSize) {
  for (const auto* text : {"", "Mi", "1.5Mi", "-1", "1 Mi", "1mi", "1KiB", "99999999999999Ti"}) {
    EXPECT_FALSE(parse_octets(text)) << text;
  }
}

TEST(Octets, AreWrittenInTheLargestUnitThatFits) {
  for (const auto* text : {"25Mi", "1500", "1Gi", "0", "65Ki"}) EXPECT_EQ(to_text(*parse_octets(text)), text);
}

TEST(Duration, IsReadInHoursMinutesSecondsAndMilliseconds) {
  EXPECT_EQ(*parse_duration("1m30s"), milliseconds{90'000});
  EXPECT_EQ(*parse_duration("120h"), milliseconds{432'000'000});
  EXPECT_EQ(*parse_duration("1s500ms"), milliseconds{1500});
  EXPECT_EQ(*parse_duration("0"), milliseconds{0});
  EXPECT_EQ(*parse_duration("0s"), milliseconds{0});
}

TEST(Duration, RefusesWhatIsNoDuration) {
  for (const auto* text : {"", "1", "s", "1.5s", "-1s", "1s1m", "1m1m", "1d", "1 s", "99999999h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const auto* text : {"1m30s", "120h", "0s", "250ms", "1h1ms"})
    EXPECT_EQ(to_text(*parse_duration(text)), text);
}

}  // namespace
}  // namespace relay
