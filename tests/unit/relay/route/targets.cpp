#include "relay/route/targets.hpp"

#include <gtest/gtest.h>

namespace relay::route {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
Networks networks(const std::vector<const char*>& texts) {
  Networks parsed;
  for (const auto* text : texts) parsed.push_back(Cidr::parse(text).value());
  return parsed;
}

TEST(Targets, InsideAreForbiddenCase127) {
  for (const auto* text :
       {"0.0.0.0",         "0.1.2.3",         "127.0.0.1",   "127.9.9.9",     "10.1.2.3",
        "172.16.0.1",      "172.31.255.255",  "192.168.1.1", "100.64.0.1",    "100.100.100.200",
        "169.254.169.254", "192.0.0.192",     "198.18.0.1",  "224.0.0.1",     "239.1.1.1",
        "240.0.0.1",       "255.255.255.255", "::",          "::1",           "fe80::1",
        "febf::1",         "fec0::1",         "fc00::1",     "fd00:ec2::254", "ff02::1",
        "64:ff9b:1::1",    "100::1"}) {
    EXPECT_TRUE(is_forbidden_target(ip(text), {}, {})) << text;
  }
}

TEST(Targets, InsideAreForbiddenAlsoInDisguiseCase127) {
  for (const auto* text :
       {"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:c0a8:101::5"}) {
    EXPECT_TRUE(is_forbidden_target(ip(text), {}, {})) << text;
  }
}

TEST(Targets, OnTheInternetAreNot) {
  for (const auto* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1", "172.15.255.255", "172.32.0.0", "192.0.2.1", "192.167.255.255", "198.20.0.1",
        "223.255.255.255", "2001:db8::1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101",
        "2002:101:101::1"}) {
    EXPECT_FALSE(is_forbidden_target(ip(text), {}, {})) << text;
  }
}

TEST(Targets, AreAllowedByConfiguration) {
  const auto allowed = networks({"10.20.0.0/16", "fd00:1::/32", "127.0.0.1"});
  EXPECT_FALSE(is_forbidden_target(ip("10.20.1.1"), {}, allowed));
  EXPECT_FALSE(is_forbidden_target(ip("::ffff:10.20.1.1"), {}, allowed));
  EXPECT_FALSE(is_forbidden_target(ip("64:ff9b::10.20.1.1"), {}, allowed));
  EXPECT_FALSE(is_forbidden_target(ip("fd00:1::5"), {}, allowed));
  EXPECT_FALSE(is_forbidden_target(ip("127.0.0.1"), {}, allowed));
  EXPECT_TRUE(is_forbidden_target(ip("10.21.1.1"), {}, allowed));
  EXPECT_TRUE(is_forbidden_target(ip("127.0.0.2"), {}, allowed));
}

TEST(Targets, ThatAreOurOwnNeedToBeListedAloneCase127) {
  const auto own = networks({"203.0.113.7", "10.20.0.7"});
  EXPECT_TRUE(is_forbidden_target(ip("203.0.113.7"), own, {}));
  EXPECT_FALSE(is_forbidden_target(ip("203.0.113.8"), own, {}));
  EXPECT_TRUE(is_forbidden_target(ip("10.20.0.7"), own, networks({"10.0.0.0/8"})));
  EXPECT_FALSE(is_forbidden_target(ip("10.20.0.7"), own, networks({"10.20.0.7"})));
  EXPECT_TRUE(is_forbidden_target(ip("64:ff9b::203.0.113.7"), own, {}));
}

}  // namespace
}  // namespace relay::route
