#include "relay/session/client_counts.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace relay::session {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }

TEST(ClientCounts, LetEachClientHaveItsConnectionsAndNoMoreCase111) {
  ClientCounts counts;
  const auto first = counts.enter(address("10.0.0.1"), 2);
  auto second = counts.enter(address("10.0.0.1"), 2);
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(counts.enter(address("10.0.0.1"), 2));
  EXPECT_TRUE(counts.enter(address("10.0.0.2"), 2)) << "another client";
  second.reset();
  EXPECT_TRUE(counts.enter(address("10.0.0.1"), 2)) << "one of its connections ended";
}

TEST(ClientCounts, TakeA64OfIpv6ForOneClientCase111) {
  ClientCounts counts;
  const auto first = counts.enter(address("2001:db8:0:1::1"), 1);
  ASSERT_TRUE(first);
  EXPECT_FALSE(counts.enter(address("2001:db8:0:1:ffff::2"), 1));
  EXPECT_TRUE(counts.enter(address("2001:db8:0:2::1"), 1));
  EXPECT_TRUE(counts.enter(address("0.0.0.0"), 1)) << "IPv4 is none of it";
}

TEST(ClientCounts, TakeEachLinkLocalAddressForAClientOfItsOwnCase111) {
  ClientCounts counts;
  const auto first = counts.enter(address("fe80::1"), 1);
  EXPECT_FALSE(counts.enter(address("fe80::1"), 1));
  EXPECT_TRUE(counts.enter(address("fe80::2"), 1)) << "another machine of the link";
  EXPECT_EQ(client_of(address("febf::1:2")), address("febf::1:2")) << "to the end of fe80::/10";
  EXPECT_EQ(client_of(address("fec0::1:2")), address("fec0::")) << "and no further";
  EXPECT_EQ(client_of(address("fd80::1:2")), address("fd80::"));
}

TEST(ClientCounts, FollowALimitThatChanges) {
  ClientCounts counts;
  std::vector<std::optional<ClientCounts::Place>> places;
  for (int i = 0; i < 3; ++i) places.push_back(counts.enter(address("10.0.0.1"), 3));
  EXPECT_FALSE(counts.enter(address("10.0.0.1"), 1));
  EXPECT_TRUE(counts.enter(address("10.0.0.1"), 4));
  places.pop_back();
  places.pop_back();
  EXPECT_FALSE(counts.enter(address("10.0.0.1"), 1)) << "one is left";
}

TEST(ClientCounts, RememberNobodyWithoutAConnection) {
  ClientCounts counts;
  {
    auto place = counts.enter(address("10.0.0.1"), 1);
    const auto moved = std::move(place);
    EXPECT_FALSE(counts.enter(address("10.0.0.1"), 1)) << "moved, and still there";
    EXPECT_EQ(counts.clients(), 1U);
  }
  EXPECT_EQ(counts.clients(), 0U);
}

}  // namespace
}  // namespace relay::session
