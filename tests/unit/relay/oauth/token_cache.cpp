#include "relay/oauth/token_cache.hpp"

#include <gtest/gtest.h>

namespace relay::oauth {
namespace {

using namespace std::chrono_literals;

const Error kFailure{Errc::unavailable, Fate::transient, "no answer"};

class TokenCacheTest : public ::testing::Test {
 protected:
  /// `use T`, `use T and renew`, `request`, `join`, or `refuse: why`.
  std::string want() {
    const auto step = cache.want(now);
    if (const auto* use = std::get_if<cache_step::Use>(&step))
      return "use " + use->token + (use->and_renew ? " and renew" : "");
    if (const auto* refuse = std::get_if<cache_step::Refuse>(&step))
      return "refuse: " + refuse->error.context;
    return std::holds_alternative<cache_step::Request>(step) ? "request" : "join";
  }
  void grant(const std::string& token, std::optional<std::chrono::seconds> lifetime) {
    ASSERT_EQ(want(), "request");
    cache.granted({token, lifetime, ""}, now);
  }

  TokenCache cache;
  SteadyTime now{1000h};
};

TEST_F(TokenCacheTest, AsksOnceAndLetsTheOthersWait) {
  EXPECT_EQ(want(), "request");
  EXPECT_EQ(want(), "join");
  cache.granted({"A", 3600s, ""}, now);
  EXPECT_EQ(want(), "use A");
}

TEST_F(TokenCacheTest, RenewsAtFourFifthsOfALongLife) {
  grant("A", 3600s);
  now += 3600s * 8 / 10 - 1ms;
  EXPECT_EQ(want(), "use A");
  now += 1ms;
  EXPECT_EQ(want(), "use A and renew");
  EXPECT_EQ(want(), "use A") << "one request at a time";
  cache.granted({"B", 3600s, ""}, now);
  EXPECT_EQ(want(), "use B");
}

TEST_F(TokenCacheTest, RenewsAMinuteBeforeTheEndOfAShortLifeButNotInItsFirstHalf) {
  for (const auto& [lifetime, renewal] : {std::pair{200s, 140s}, {100s, 50s}, {10s, 5s}}) {
    cache = {};
    grant("A", lifetime);
    now += renewal - 1ms;
    EXPECT_EQ(want(), "use A") << lifetime.count();
    now += 1ms;
    EXPECT_EQ(want(), "use A and renew") << lifetime.count();
  }
}

TEST_F(TokenCacheTest, UsesNoTokenThatWouldEndOnItsWay) {
  grant("A", 3600s);
  now += 3570s;
  EXPECT_EQ(want(), "request");
}

TEST_F(TokenCacheTest, AssumesAShortLifeWhenItIsToldNone) {
  grant("A", std::nullopt);
  now += 239s;
  EXPECT_EQ(want(), "use A");
  now += 1s;
  EXPECT_EQ(want(), "use A and renew");
}

TEST_F(TokenCacheTest, CountsTheLifeFromWhenItAsked) {
  ASSERT_EQ(want(), "request");
  const auto asked_at = now;
  now += 20s;
  cache.granted({"A", 100s, ""}, asked_at);
  now = asked_at + 75s;
  EXPECT_EQ(want(), "request");
}

TEST_F(TokenCacheTest, KeepsAValidTokenWhenRenewalFails) {
  grant("A", 3600s);
  now += 2880s;
  ASSERT_EQ(want(), "use A and renew");
  cache.failed(kFailure, now, 0.5);
  EXPECT_EQ(want(), "use A") << "it backs off";
  now += 5s;
  EXPECT_EQ(want(), "use A and renew");
  cache.failed(kFailure, now, 0.5);
  now += 9s;
  EXPECT_EQ(want(), "use A");
  now += 1s;
  EXPECT_EQ(want(), "use A and renew");
}

TEST_F(TokenCacheTest, SaysWhyThereIsNoneWhileItBacksOff) {
  ASSERT_EQ(want(), "request");
  cache.failed(kFailure, now, 0.0);
  EXPECT_EQ(want(), "refuse: no answer");
  now += 3749ms;
  EXPECT_EQ(want(), "refuse: no answer");
  now += 1ms;
  EXPECT_EQ(want(), "request");
}

TEST_F(TokenCacheTest, BacksOffForFiveMinutesAtMost) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(want(), "request") << i;
    cache.failed(kFailure, now, 0.5);
    now += 5min;
  }
  ASSERT_EQ(want(), "request");
  cache.failed(kFailure, now, 0.5);
  now += 5min - 1ms;
  EXPECT_EQ(want(), "refuse: no answer");
}

TEST_F(TokenCacheTest, AsksAnewForARefusedTokenOnceAMinute) {
  grant("A", 3600s);
  now += 10min;
  cache.invalidate("A", now);
  grant("B", 3600s);
  now += 5s;
  cache.invalidate("A", now);
  EXPECT_EQ(want(), "use B") << "the first was replaced already";
  cache.invalidate("B", now);
  EXPECT_TRUE(want().starts_with("refuse: the server refused a fresh access token"));
  now += 55s;
  EXPECT_EQ(want(), "request");
}

TEST_F(TokenCacheTest, ARefusalShortensNoBackOff) {
  grant("A", 3600s);
  now += 3000s;
  ASSERT_EQ(want(), "use A and renew");
  cache.failed(kFailure, now, 0.5);
  now += 5s;
  ASSERT_EQ(want(), "use A and renew");
  cache.invalidate("A", now);
  EXPECT_EQ(want(), "join") << "the renewal is under way";
  cache.failed(kFailure, now, 0.5);
  EXPECT_EQ(want(), "refuse: no answer");
}

}  // namespace
}  // namespace relay::oauth
