#include "relay/session/rate_limits.hpp"

#include <gtest/gtest.h>

namespace relay::session {
namespace {

using policy::LimitKey;
using policy::LimitUnit;
using std::chrono::seconds;

const policy::Limit kTenAMinute{10, seconds{60}, LimitKey::client, LimitUnit::messages};

int taken(
  RateLimits& limits, const std::string& bucket, SteadyTime now, const policy::Limit& limit = kTenAMinute
) {
  int count = 0;
  while (count < 1000 && limits.take(bucket, limit, now)) ++count;
  return count;
}

TEST(RateLimits, AllowSoManyAtOnceAndGiveThemBackEvenly) {
  RateLimits limits;
  const SteadyTime begin{seconds{1000}};
  EXPECT_EQ(taken(limits, "a", begin), 10);
  EXPECT_EQ(taken(limits, "b", begin), 10) << "each by itself";
  EXPECT_EQ(taken(limits, "a", begin + seconds{5}), 0);
  EXPECT_EQ(taken(limits, "a", begin + seconds{13}), 2);
  EXPECT_EQ(taken(limits, "a", begin + seconds{1000}), 10) << "no more are saved";
}

TEST(RateLimits, TakeBackWhatDidNotComeToPass) {
  RateLimits limits;
  const SteadyTime now{seconds{1000}};
  EXPECT_EQ(taken(limits, "a", now), 10);
  limits.give_back("a");
  EXPECT_EQ(taken(limits, "a", now), 1);
  for (int i = 0; i < 10; ++i) limits.give_back("a");
  EXPECT_EQ(limits.buckets(), 0U) << "nothing is known of it";
  limits.give_back("a");
  EXPECT_EQ(taken(limits, "a", now), 10) << "no more than there are";
}

TEST(RateLimits, FollowALimitThatChanges) {
  RateLimits limits;
  const SteadyTime now{seconds{1000}};
  EXPECT_EQ(taken(limits, "a", now), 10);
  auto other = kTenAMinute;
  other.count = 20;
  EXPECT_EQ(taken(limits, "a", now, other), 10);
  other.count = 2;
  EXPECT_EQ(taken(limits, "a", now, other), 0);
  EXPECT_EQ(taken(limits, "a", now + seconds{60}, other), 2) << "and it owes no more than that";
}

TEST(RateLimits, ForgetWhoWasNotCountedForTheLongest) {
  RateLimits limits;
  const SteadyTime now{seconds{1000}};
  for (std::size_t i = 0; i < RateLimits::kMaxBuckets + 10; ++i)
    (void)limits.take(std::to_string(i), kTenAMinute, now);
  EXPECT_LE(limits.buckets(), RateLimits::kMaxBuckets);
  EXPECT_EQ(taken(limits, std::to_string(RateLimits::kMaxBuckets + 9), now), 9);
  EXPECT_EQ(taken(limits, "0", now), 10) << "forgotten";
  (void)limits.take("late", kTenAMinute, now + seconds{120});
  (void)limits.take("later", kTenAMinute, now + seconds{120});
  EXPECT_LT(limits.buckets(), RateLimits::kMaxBuckets) << "what is full again goes";
}

// ---- of one message ----

const mail::Address kSender = *mail::Address::parse("a@a.test");
const mail::Address kOne = *mail::Address::parse("one@b.test");
const mail::Address kTwo = *mail::Address::parse("two@b.test");

policy::Rule rule(LimitUnit unit, std::uint64_t count, LimitKey key = LimitKey::client) {
  policy::Rule rule;
  rule.name = "limit";
  rule.action = policy::Action::limit;
  rule.limit = {count, std::chrono::hours{1}, key, unit};
  return rule;
}
policy::Facts facts(const mail::Address& recipient, const char* client = "10.0.0.7") {
  policy::Facts facts;
  facts.client = *IpAddress::parse(client);
  facts.user = "";
  facts.sender = &kSender;
  facts.recipient = &recipient;
  return facts;
}

TEST(Allowance, CountsAMessageOnceAndSaysTheSameAgain) {
  RateLimits limits;
  const auto messages = rule(LimitUnit::messages, 1);
  Allowance first(limits);
  EXPECT_TRUE(first.take(messages, facts(kOne)));
  EXPECT_TRUE(first.take(messages, facts(kTwo)));
  Allowance second(limits);
  EXPECT_FALSE(second.take(messages, facts(kOne)));
  first.keep();
  EXPECT_FALSE(second.take(messages, facts(kTwo)));
}

TEST(Allowance, CountsEachRecipientOnce) {
  RateLimits limits;
  const auto recipients = rule(LimitUnit::recipients, 1);
  Allowance message(limits);
  EXPECT_TRUE(message.take(recipients, facts(kOne)));
  EXPECT_FALSE(message.take(recipients, facts(kTwo)));
  EXPECT_TRUE(message.take(recipients, facts(kOne)));
}

TEST(Allowance, GivesBackWhatWasNotKept) {
  RateLimits limits;
  const auto messages = rule(LimitUnit::messages, 1);
  { EXPECT_TRUE(Allowance(limits).take(messages, facts(kOne))); }
  {
    Allowance kept(limits);
    EXPECT_TRUE(kept.take(messages, facts(kOne))) << "the first was given back";
    kept.keep();
  }
  EXPECT_FALSE(Allowance(limits).take(messages, facts(kOne)));
}

TEST(Allowance, CountsANetworkOfIPv6AsOneClient) {
  RateLimits limits;
  const auto messages = rule(LimitUnit::messages, 1);
  Allowance first(limits), second(limits), other(limits);
  EXPECT_TRUE(first.take(messages, facts(kOne, "2001:db8::1")));
  EXPECT_FALSE(second.take(messages, facts(kOne, "2001:db8::2")));
  EXPECT_TRUE(other.take(messages, facts(kOne, "2001:db8:0:1::1")));
}

TEST(Allowance, LeavesThoseAloneWhomALimitOfUsersIsNotFor) {
  RateLimits limits;
  const auto of_users = rule(LimitUnit::messages, 1, LimitKey::user);
  for (int i = 0; i < 3; ++i) {
    Allowance message(limits);
    EXPECT_TRUE(message.take(of_users, facts(kOne)));
    message.keep();
  }
  EXPECT_EQ(limits.buckets(), 0U);
}

}  // namespace
}  // namespace relay::session
