#include "relay/base/network_set.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }
Networks networks(std::initializer_list<const char*> texts) {
  Networks parsed;
  for (const auto* text : texts) parsed.push_back(*Cidr::parse(text));
  return parsed;
}

TEST(NetworkSet, HoldsWhatAnyOfItsNetworksHolds) {
  const auto listed = networks(
    {"10.1.40.0/23", "10.9.0.0/16", "10.1.40.7/32", "192.0.2.128/25", "2001:db8::/32", "fd00::1/128",
     "fe80::/10"}
  );
  const NetworkSet set(listed);
  for (const auto* text :
       {"10.1.39.255", "10.1.40.0", "10.1.41.255", "10.1.42.0", "10.9.255.1", "10.10.0.0", "192.0.2.127",
        "192.0.2.128", "::ffff:10.9.1.1", "2001:db8:ffff::1", "2001:db9::", "fd00::1", "fd00::2", "febf::1",
        "fec0::1", "0.0.0.0", "::"}) {
    EXPECT_EQ(set.contains(address(text)), contains(listed, address(text))) << text;
  }
}

TEST(NetworkSet, OfNothingHoldsNothing) {
  EXPECT_TRUE(NetworkSet().empty());
  EXPECT_FALSE(NetworkSet().contains(address("10.0.0.1")));
  EXPECT_FALSE(NetworkSet(Networks{}).contains(address("::1")));
}

TEST(NetworkSet, OfAllAddressesHoldsThoseOfItsFamily) {
  const NetworkSet all{*Cidr::parse("0.0.0.0/0")};
  EXPECT_FALSE(all.empty());
  EXPECT_TRUE(all.contains(address("255.1.2.3")));
  EXPECT_FALSE(all.contains(address("2001:db8::1")));
}

}  // namespace
}  // namespace relay
