#include "relay/route/site.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace relay::route {
namespace {

const std::vector<SiteRule> kRules{
  {"microsoft", {"*.mail.protection.outlook.com", "*.mx.microsoft"}},
  {"google", {"aspmx.l.google.com", "*.aspmx.l.google.com", "*.googlemail.com"}},
};

TEST(MxPattern, StandsForAllNamesBelow) {
  EXPECT_TRUE(matches_mx_pattern("*.outlook.com", "example-org.mail.protection.Outlook.com."));
  EXPECT_TRUE(matches_mx_pattern("MX.example.org", "mx.Example.org"));
  EXPECT_FALSE(matches_mx_pattern("*.outlook.com", "outlook.com"));
  EXPECT_FALSE(matches_mx_pattern("*.outlook.com", "notoutlook.com"));
  EXPECT_FALSE(matches_mx_pattern("mx.example.org", "a.mx.example.org"));
  EXPECT_FALSE(matches_mx_pattern("", "mx.example.org"));
}

TEST(RegistrableDomain, IsGuessed) {
  EXPECT_EQ(registrable_domain("mx1.mail.Example.org."), "example.org");
  EXPECT_EQ(registrable_domain("mx1.example.co.uk"), "example.co.uk");
  EXPECT_EQ(registrable_domain("mx.example.com.au"), "example.com.au");
  EXPECT_EQ(registrable_domain("mx.co.org"), "co.org") << "no country";
  EXPECT_EQ(registrable_domain("co.uk"), "co.uk");
  EXPECT_EQ(registrable_domain("localhost"), "localhost");
}

TEST(Site, IsTheProviderOfAllHosts) {
  EXPECT_EQ(site_of({"example-org.mail.protection.outlook.com"}, kRules), "microsoft");
  EXPECT_EQ(
    site_of({"alt1.aspmx.l.google.com", "ASPMX.L.google.com", "aspmx2.googlemail.com"}, kRules), "google"
  );
  EXPECT_EQ(site_of({"aspmx.l.google.com", "backup.example.org"}, kRules), "example.org+google.com")
    << "not the provider alone";
}

TEST(Site, IsWhereTheHostsAreRegisteredOtherwise) {
  EXPECT_EQ(site_of({"mx1.example.org", "mx2.mail.example.org"}, {}), "example.org");
  EXPECT_EQ(site_of({"b.test", "e.test", "d.test", "a.test", "c.test"}, {}), "a.test+b.test+c.test+d.test");
  EXPECT_EQ(site_of({}, kRules), "");
}

TEST(Site, DoesNotDependOnTheOrderOfHostsCase128) {
  std::vector<std::string> hosts{"a.one.test", "b.one.test", "c.two.test"};
  const auto site = site_of(hosts, kRules);
  do {
    EXPECT_EQ(site_of(hosts, kRules), site);
  } while (std::next_permutation(hosts.begin(), hosts.end()));
}

}  // namespace
}  // namespace relay::route
