#include "relay/policy/relay_access.hpp"

#include <gtest/gtest.h>

namespace relay::policy {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }
Networks networks(std::initializer_list<const char*> texts) {
  Networks parsed;
  for (const auto* text : texts) parsed.push_back(*Cidr::parse(text));
  return parsed;
}

TEST(RelayAccess, IsForListedNetworksOnlyCase068) {
  const RelayAccess access{networks({"10.1.40.0/24", "2001:db8::/32"}), {}};
  EXPECT_EQ(standing(access, address("10.1.40.70")), Standing::allowed);
  EXPECT_EQ(standing(access, address("2001:db8::7")), Standing::allowed);
  EXPECT_EQ(standing(access, address("10.1.41.70")), Standing::not_listed);
  EXPECT_EQ(standing(access, address("127.0.0.1")), Standing::not_listed)
    << "no address is trusted by nature";
  EXPECT_EQ(standing({}, address("10.1.40.70")), Standing::not_listed) << "nothing listed, nobody allowed";
}

TEST(RelayAccess, ClosesForAddressesThatHideClientsCase071) {
  const RelayAccess access{networks({"10.0.0.0/8"}), networks({"10.1.40.60/32", "10.244.1.1/32"})};
  EXPECT_EQ(standing(access, address("10.1.40.60")), Standing::hidden);
  EXPECT_EQ(standing(access, address("::ffff:10.244.1.1")), Standing::hidden) << "mapped or not";
  EXPECT_EQ(standing(access, address("10.1.40.70")), Standing::allowed);
}

TEST(RelayAccess, TellsAHiddenClientSoThoughWhatHidesItIsInNoAllowedNetwork) {
  const RelayAccess access{networks({"10.1.40.0/24"}), networks({"10.244.1.1/32"})};
  EXPECT_EQ(standing(access, address("10.244.1.1")), Standing::hidden);
  EXPECT_EQ(standing(access, address("10.244.1.2")), Standing::not_listed);
}

TEST(RelayAccess, OpensForAHiddenAddressListedAlone) {
  const RelayAccess access{
    networks({"10.1.40.60/32", "10.0.0.0/8"}), networks({"10.1.40.60/32", "10.1.40.61/32"})
  };
  EXPECT_EQ(standing(access, address("10.1.40.60")), Standing::allowed);
  EXPECT_EQ(standing(access, address("10.1.40.61")), Standing::hidden)
    << "a /31 would not do: each one by itself";
  const RelayAccess pair{networks({"10.1.40.60/31"}), networks({"10.1.40.60/32"})};
  EXPECT_EQ(standing(pair, address("10.1.40.60")), Standing::hidden);
}

TEST(RelayAccess, SaysWhyAndWhatToDo) {
  const RelayAccess access{networks({"10.0.0.0/8"}), networks({"10.1.40.60/32"})};
  EXPECT_FALSE(refuse_client(access, address("10.1.40.70")));
  EXPECT_EQ(
    refuse_client(access, address("192.0.2.1"))->to_line(),
    "550 5.7.1 Relaying denied: 192.0.2.1 is not in the allowed networks"
  );
  const auto hidden = refuse_client(access, address("10.1.40.60"));
  EXPECT_EQ(hidden->code, 550);
  EXPECT_NE(hidden->text.find("the network hides the client behind 10.1.40.60"), std::string::npos);
}

TEST(RelayAccess, TellsAddressesThatHideClientsListedAloneOrNotCase111) {
  const RelayAccess access{{*Cidr::parse("10.0.0.1/32")}, {*Cidr::parse("10.0.0.0/30")}};
  EXPECT_TRUE(hides_clients(access, *IpAddress::parse("10.0.0.1")));
  EXPECT_TRUE(hides_clients(access, *IpAddress::parse("10.0.0.2")));
  EXPECT_FALSE(hides_clients(access, *IpAddress::parse("10.0.0.4")));
}

TEST(Recipients, AtAddressLiteralsAreRefusedCase050) {
  EXPECT_EQ(refuse_recipient(*mail::Address::parse("a@[127.0.0.1]"))->code, 550);
  EXPECT_EQ(refuse_recipient(*mail::Address::parse("a@[IPv6:::1]"))->code, 550);
  EXPECT_FALSE(refuse_recipient(*mail::Address::parse("a@example.com")));
}

}  // namespace
}  // namespace relay::policy
