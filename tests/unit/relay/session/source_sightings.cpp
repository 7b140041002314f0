#include "relay/session/source_sightings.hpp"

#include <gtest/gtest.h>

namespace relay::session {
namespace {

constexpr SteadyTime kStart{std::chrono::hours{1}};
IpAddress address(const std::string& text) { return *IpAddress::parse(text); }

TEST(SourceSightings, CountRefusalsOfEachHiddenSource) {
  SourceSightings sightings;
  sightings.note_hidden(address("10.140.1.1"), kStart);
  sightings.note_hidden(address("10.1.40.12"), kStart);
  sightings.note_hidden(address("10.140.1.1"), kStart + std::chrono::seconds{5});
  const auto seen = sightings.at(kStart + std::chrono::seconds{7});
  ASSERT_EQ(seen.hidden.size(), 2U);
  EXPECT_EQ(seen.hidden[0].address, address("10.1.40.12"));
  EXPECT_EQ(seen.hidden[0].refusals, 1U);
  EXPECT_EQ(seen.hidden[0].since_last, std::chrono::seconds{7});
  EXPECT_EQ(seen.hidden[1].refusals, 2U);
  EXPECT_EQ(seen.hidden[1].since_last, std::chrono::seconds{2});
}

TEST(SourceSightings, AreForgottenAWhileAfterTheLast) {
  SourceSightings sightings;
  sightings.note_hidden(address("10.140.1.1"), kStart);
  const auto just_before = kStart + SourceSightings::kRemembered - std::chrono::milliseconds{1};
  EXPECT_EQ(sightings.at(just_before).hidden.size(), 1U);
  EXPECT_TRUE(sightings.at(kStart + SourceSightings::kRemembered).hidden.empty());
  sightings.note_hidden(address("10.140.1.1"), kStart + SourceSightings::kRemembered);
  EXPECT_EQ(sightings.at(kStart + SourceSightings::kRemembered).hidden[0].refusals, 1U) << "counted anew";
}

TEST(SourceSightings, ProveThatAddressesArePreservedUntilAHiddenSourceIsMet) {
  SourceSightings sightings;
  const auto has_seen_own = [&] { return sightings.at(kStart).has_seen_own_addresses; };
  EXPECT_FALSE(has_seen_own()) << "nobody came";
  sightings.note_own(address("127.0.0.1"));
  sightings.note_own(address("::1"));
  EXPECT_FALSE(has_seen_own()) << "loopback is no network";
  sightings.note_own(address("10.1.40.70"));
  EXPECT_TRUE(has_seen_own());
  sightings.note_hidden(address("10.140.1.1"), kStart);
  EXPECT_FALSE(has_seen_own());
  sightings.note_own(address("10.1.40.70"));
  EXPECT_TRUE(has_seen_own());
}

TEST(SourceSightings, TakeNoMoreMemoryForMoreSources) {
  SourceSightings sightings;
  for (std::size_t i = 0; i <= SourceSightings::kMaxSources; ++i)
    sightings.note_hidden(address("10.0.0." + std::to_string(i)), kStart + std::chrono::milliseconds{i});
  const auto seen = sightings.at(kStart + std::chrono::seconds{1});
  ASSERT_EQ(seen.hidden.size(), SourceSightings::kMaxSources);
  EXPECT_EQ(seen.hidden[0].address, address("10.0.0.1")) << "the one that was quiet for longest made room";
}

}  // namespace
}  // namespace relay::session
