#include "relay/route/domain_pattern.hpp"

#include <gtest/gtest.h>

namespace relay::route {
namespace {

TEST(DomainPattern, NamesOneDomainInAnyCase) {
  EXPECT_EQ(match_domain({"example.org"}, "Example.ORG"), Match::exact);
  EXPECT_EQ(match_domain({"EXAMPLE.org"}, "example.org"), Match::exact);
  EXPECT_EQ(match_domain({"example.org"}, "mail.example.org"), Match::none);
  EXPECT_EQ(match_domain({"example.org"}, "badexample.org"), Match::none);
  EXPECT_EQ(match_domain({"example.org"}, ""), Match::none);
}

TEST(DomainPattern, WithAStarStandsForAllNamesBelow) {
  EXPECT_EQ(match_domain({"*.example.org"}, "a.Example.org"), Match::below);
  EXPECT_EQ(match_domain({"*.example.org"}, "a.b.c.example.org"), Match::below);
  EXPECT_EQ(match_domain({"*.example.org"}, "example.org"), Match::none) << "not the domain itself";
  EXPECT_EQ(match_domain({"*.example.org"}, "badexample.org"), Match::none);
  EXPECT_EQ(match_domain({"*.example.org"}, ".example.org"), Match::none) << "there is no label in front";
  EXPECT_EQ(match_domain({"*.example.org"}, "org"), Match::none);
}

TEST(DomainPattern, OfNothingOrAStarMatchesEverything) {
  EXPECT_EQ(match_domain({}, "example.org"), Match::everything);
  EXPECT_EQ(match_domain({"*"}, "example.org"), Match::everything);
  EXPECT_EQ(match_domain({"*"}, ""), Match::everything) << "the null sender too";
}

TEST(DomainPattern, GivesTheMostExactMatchOfAll) {
  EXPECT_EQ(match_domain({"*", "*.example.org", "a.example.org"}, "a.example.org"), Match::exact);
  EXPECT_EQ(match_domain({"a.example.org", "*.example.org", "*"}, "b.example.org"), Match::below);
  EXPECT_EQ(match_domain({"a.example.org", "*.example.org", "*"}, "example.net"), Match::everything);
  EXPECT_LT(Match::none, Match::everything);
  EXPECT_LT(Match::everything, Match::below);
  EXPECT_LT(Match::below, Match::exact);
}

TEST(SenderPattern, WithAnAtSignIsOneAddress) {
  const std::vector<std::string> patterns{"News@Example.org"};
  EXPECT_TRUE(matches_sender(patterns, "news@example.org", "example.org"));
  EXPECT_FALSE(matches_sender(patterns, "sales@example.org", "example.org"));
  EXPECT_FALSE(matches_sender(patterns, "xnews@example.org", "example.org"));
}

TEST(SenderPattern, WithoutOneIsADomain) {
  EXPECT_TRUE(matches_sender({"a@b.test", "example.org"}, "news@example.org", "example.org"));
  EXPECT_TRUE(matches_sender({"*.example.org"}, "news@lists.example.org", "lists.example.org"));
  EXPECT_FALSE(matches_sender({"example.org"}, "", "")) << "the null sender has no domain";
  EXPECT_FALSE(matches_sender({}, "news@example.org", "example.org")) << "no pattern, no sender";
}

}  // namespace
}  // namespace relay::route
