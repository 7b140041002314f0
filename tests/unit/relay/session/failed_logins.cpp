#include "relay/session/failed_logins.hpp"

#include <gtest/gtest.h>
#include <string>

namespace relay::session {
namespace {

using namespace std::chrono_literals;
using Failure = FailedLogins::Failure;
using Guess = std::optional<FailedLogins::Guess>;

constexpr std::size_t kLimit = 4;

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }
/// The `number`th of many clients.
std::string one_of_many(unsigned number) {
  return "10." + std::to_string(1 + number / 62'500) + "." + std::to_string(number / 250 % 250) + "." +
         std::to_string(number % 250 + 1);
}

class FailedLoginsTest : public ::testing::Test {
 protected:
  Guess begin(const FailedLogins::Mark& mark = std::nullopt, const std::string& client = "10.0.0.1") {
    return failures.begin(address(client), kLimit, mark, now);
  }
  /// Begins and fails; what `begin()` let through.
  std::optional<Failure> fail(
    const FailedLogins::Mark& mark = std::nullopt, const std::string& client = "10.0.0.1"
  ) {
    auto guess = begin(mark, client);
    if (!guess) return std::nullopt;
    return guess->fail(now);
  }
  void fail_all(const std::string& client = "10.0.0.1") {
    for (std::size_t i = 0; i < kLimit; ++i) EXPECT_TRUE(fail(std::nullopt, client)) << i;
  }
  bool are_too_many(const std::string& client = "10.0.0.1") {
    return failures.are_too_many(address(client), kLimit, now);
  }

  FailedLogins failures;
  SteadyTime now{1h};
};

TEST_F(FailedLoginsTest, AreTooManyFromTheLimitOnAndForThatClientAlone) {
  for (std::size_t i = 0; i < kLimit; ++i) {
    EXPECT_FALSE(are_too_many());
    EXPECT_EQ(fail()->is_last, i + 1 == kLimit);
  }
  EXPECT_TRUE(are_too_many());
  EXPECT_FALSE(begin());
  EXPECT_FALSE(are_too_many("10.0.0.2"));
  EXPECT_TRUE(begin(std::nullopt, "10.0.0.2"));
}

TEST_F(FailedLoginsTest, AreForgottenOneByOneAndAllWithinTenMinutes) {
  fail_all();
  now += seconds(FailedLogins::kWindow) / kLimit - 1s;
  EXPECT_TRUE(are_too_many());
  now += 1s;
  EXPECT_FALSE(are_too_many()) << "one guess is back";
  EXPECT_FALSE(fail()->is_last) << "that is recorded once";
  EXPECT_TRUE(are_too_many());
  now += FailedLogins::kWindow;
  for (std::size_t i = 0; i < kLimit; ++i) EXPECT_EQ(fail()->is_last, i + 1 == kLimit) << "as at first";
  EXPECT_FALSE(fail());
}

TEST_F(FailedLoginsTest, CountTheSameGuessOnce) {
  EXPECT_TRUE(fail(7)->is_new);
  for (int i = 0; i < 100; ++i) {
    auto again = begin(7);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->is_known_wrong());
    const auto failure = again->fail(now);
    EXPECT_FALSE(failure.is_new);
    EXPECT_FALSE(failure.is_last);
  }
  for (std::uint64_t mark = 8; mark < 7 + kLimit; ++mark) EXPECT_TRUE(fail(mark)->is_new);
  EXPECT_FALSE(begin(100)) << "others count";
  EXPECT_TRUE(begin(7)->is_known_wrong()) << "it is answered still, since nobody learns from it";
}

TEST_F(FailedLoginsTest, CountAGuessOfWhichNothingTellsItFromOthersEachTime) {
  fail_all();
  EXPECT_FALSE(fail());
}

TEST_F(FailedLoginsTest, KnowAGuessOfThatClientAloneAndForNoLongerThanTheFailureCounts) {
  (void)fail(7);
  EXPECT_FALSE(begin(7, "10.0.0.2")->is_known_wrong());
  now += seconds(FailedLogins::kWindow) / kLimit;
  EXPECT_FALSE(begin(7)->is_known_wrong());
}

TEST_F(FailedLoginsTest, CountGuessesUnderWay) {
  std::vector<Guess> under_way;
  for (std::uint64_t mark = 0; mark < kLimit; ++mark) under_way.push_back(begin(mark));
  EXPECT_TRUE(are_too_many());
  EXPECT_FALSE(begin(100));
  EXPECT_FALSE(begin());
  under_way.pop_back();
  auto last = begin(100);
  EXPECT_TRUE(last) << "one was right, and was given back";
  EXPECT_FALSE(begin(101));
  for (auto& guess : under_way) EXPECT_TRUE(guess->fail(now).is_new);
  (void)last->fail(now);
  EXPECT_TRUE(are_too_many());
  EXPECT_FALSE(begin(101));
}

TEST_F(FailedLoginsTest, CountTheSameGuessUnderWayOnceHoweverItEnds) {
  {
    std::vector<Guess> same;
    for (int i = 0; i < 50; ++i) same.push_back(begin(7));
    for (const auto& guess : same) ASSERT_TRUE(guess);
    EXPECT_FALSE(are_too_many());
  }
  EXPECT_EQ(failures.clients(), 0U) << "they were right";
  std::vector<Guess> same;
  for (int i = 0; i < 50; ++i) same.push_back(begin(7));
  same.pop_back();  // nobody could find out
  std::size_t is_new = 0;
  for (auto& guess : same) is_new += guess->fail(now).is_new ? 1U : 0U;
  EXPECT_EQ(is_new, 1U);
  for (std::uint64_t mark = 8; mark < 7 + kLimit; ++mark) EXPECT_TRUE(fail(mark));
  EXPECT_TRUE(are_too_many());
}

TEST_F(FailedLoginsTest, AreNotTakenBackByASuccess) {
  for (std::size_t i = 0; i + 1 < kLimit; ++i) (void)fail();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(begin()) << "given back at once";
  (void)fail();
  EXPECT_TRUE(are_too_many());
}

TEST_F(FailedLoginsTest, RememberNobodyWhoSucceeds) {
  (void)begin(7);
  (void)begin();
  EXPECT_EQ(failures.clients(), 0U);
}

TEST_F(FailedLoginsTest, TakeA64OfIpv6ForOneClient) {
  for (std::size_t i = 0; i < kLimit; ++i) (void)fail(std::nullopt, "2001:db8:0:1::" + std::to_string(i));
  EXPECT_TRUE(are_too_many("2001:db8:0:1:ffff::3"));
  EXPECT_FALSE(are_too_many("2001:db8:0:2::1"));
}

TEST_F(FailedLoginsTest, FollowALimitThatChanges) {
  fail_all();
  const auto client = address("10.0.0.1");
  EXPECT_FALSE(failures.are_too_many(client, kLimit + 1, now));
  EXPECT_TRUE(failures.are_too_many(client, 1, now));
  EXPECT_TRUE(failures.begin(client, kLimit + 1, std::nullopt, now));
  now += FailedLogins::kWindow;
  EXPECT_FALSE(failures.are_too_many(client, 1, now)) << "ten minutes, whatever the limit was";
}

TEST_F(FailedLoginsTest, TakeBoundedMemoryAndForgetWhoFailedLongestAgoFirst) {
  fail_all("10.0.0.1");
  now += 1s;
  fail_all("10.0.0.2");
  now += 1s;
  for (unsigned i = 2; i < FailedLogins::kMaxClients; ++i) (void)fail(std::nullopt, one_of_many(i));
  EXPECT_EQ(failures.clients(), FailedLogins::kMaxClients);
  (void)fail(std::nullopt, "10.200.0.1");
  EXPECT_EQ(failures.clients(), FailedLogins::kMaxClients);
  EXPECT_FALSE(are_too_many("10.0.0.1"));
  EXPECT_TRUE(are_too_many("10.0.0.2"));
  now += FailedLogins::kWindow;
  (void)fail(std::nullopt, "10.200.0.2");
  EXPECT_EQ(failures.clients(), FailedLogins::kMaxClients - 1)
    << "two that are over went, and no more at once";
}

TEST_F(FailedLoginsTest, KnowABoundedNumberOfGuessesAgain) {
  constexpr auto kGuesses = FailedLogins::kMaxGuesses + 1;
  const auto begin_one = [&](std::uint64_t mark) {
    return failures.begin(address("10.0.0.1"), 1000, mark, now);
  };
  for (std::uint64_t mark = 0; mark < kGuesses; ++mark) (void)begin_one(mark)->fail(now);
  EXPECT_TRUE(begin_one(1)->is_known_wrong());
  EXPECT_FALSE(begin_one(0)->is_known_wrong()) << "the oldest";
}

TEST_F(FailedLoginsTest, CountAGuessWhoseClientWasForgottenMeanwhile) {
  auto guess = begin(7);
  for (unsigned i = 0; i < FailedLogins::kMaxClients; ++i) (void)fail(std::nullopt, one_of_many(i));
  auto right = begin(8, "10.0.0.2");
  EXPECT_TRUE(guess->fail(now).is_new);
  EXPECT_TRUE(begin(7)->is_known_wrong());
  for (std::size_t i = 0; i + 1 < kLimit; ++i) {
    EXPECT_FALSE(are_too_many());
    (void)fail();
  }
  EXPECT_TRUE(are_too_many());
}

}  // namespace
}  // namespace relay::session
