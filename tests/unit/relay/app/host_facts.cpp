#include "relay/app/host_facts.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

TEST(DefaultGateways, AreReadFromTheKernelsTables) {
  const auto* route =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t01018C0A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t00018C0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
  const auto* ipv6 =
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
  const auto gateways = parse_default_gateways(route, ipv6);
  ASSERT_EQ(gateways.size(), 2U);
  EXPECT_EQ(gateways[0].to_text(), "10.140.1.1/32");
  EXPECT_EQ(gateways[1].to_text(), "2001:db8::1/128");
}

TEST(DefaultGateways, MayBeMissing) {
  EXPECT_TRUE(parse_default_gateways("", "").empty());
  EXPECT_TRUE(parse_default_gateways("garbage\neth0 00000000 xyz\n", "more garbage\n").empty());
}

TEST(PodAnnotations, AskForADrain) {
  EXPECT_TRUE(asks_for_drain("a=\"b\"\nsmtp.buildinglink.com/drain=\"true\"\n"));
  EXPECT_TRUE(asks_for_drain("smtp.buildinglink.com/drain=\"2026-01-01 node1 is cordoned\""));
  EXPECT_FALSE(asks_for_drain("smtp.buildinglink.com/drain=\"false\"\n"));
  EXPECT_FALSE(asks_for_drain("smtp.buildinglink.com/drain=\"\"\n"));
  EXPECT_FALSE(asks_for_drain("smtp.buildinglink.com/reload=\"abc\"\nnote=\"smtp.buildinglink.com/drain=x\"\n"
  ));
  EXPECT_FALSE(asks_for_drain(""));
}

TEST(PodAnnotations, SayWhyTheNodeIsCordoned) {
  const auto* both =
    "smtp.buildinglink.com/cordoned=\"unschedulable\"\nsmtp.buildinglink.com/drain=\"true\"\n";
  EXPECT_EQ(cordon_in(both), "unschedulable");
  EXPECT_TRUE(asks_for_drain(both)) << "one says nothing of the other";
  EXPECT_FALSE(asks_for_drain("smtp.buildinglink.com/cordoned=\"unschedulable\"\n"));
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=\"karpenter.sh/disrupted\""), "karpenter.sh/disrupted");
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/drain=\"true\"\n"), std::nullopt);
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=\"\"\n"), std::nullopt);
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=\"False\"\n"), std::nullopt);
  EXPECT_EQ(cordon_in(""), std::nullopt);
}

TEST(PodAnnotations, OfTheCordonArePrintableAndShort) {
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=\"a\tb\xc3\xa4\""), "a?b??");
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=\"" + std::string(1000, 'x') + "\"")->size(), 200U);
  EXPECT_EQ(cordon_in("smtp.buildinglink.com/cordoned=unquoted"), "unquoted");
}

TEST(PodAnnotations, AskToRetireByAKeyOfItsOwn) {
  EXPECT_TRUE(asks_to_retire("smtp.buildinglink.com/drain=\"\"\nsmtp.buildinglink.com/retire=\"true\"\n"));
  EXPECT_FALSE(asks_to_retire("smtp.buildinglink.com/retire=\"false\"\n"));
  EXPECT_FALSE(asks_to_retire("smtp.buildinglink.com/drain=\"true\"\n"));
  EXPECT_FALSE(asks_for_drain("smtp.buildinglink.com/retire=\"true\"\n"));
}

}  // namespace
}  // namespace relay::app
