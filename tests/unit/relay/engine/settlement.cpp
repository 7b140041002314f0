#include "relay/engine/settlement.hpp"

#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using smtp::Disposition;
using spool::Family;
using spool::Operation;

const WallTime kArrival{milliseconds{1'000'000'000}};
const WallTime kNow = kArrival + 10s;
const queue::RetrySchedule kSchedule{1min, 1h, 120h};
const QueueId kId{1, 7};

Attempt attempt(std::size_t recipients, std::map<std::uint32_t, spool::Settled> before = {}) {
  Attempt attempt{{{kArrival, kId}, kArrival, 2, 100}, {"smarthost/default"}, {}, std::move(before), {}};
  for (std::size_t i = 0; i < recipients; ++i) {
    attempt.stored.envelope.recipients.push_back(
      *mail::Address::parse("r" + std::to_string(i) + "@example.net")
    );
  }
  attempt.stored.chunks = 2;
  attempt.pending = pending_recipients(attempt.stored, attempt.settled_before);
  return attempt;
}

smtp::MessageOutcome outcome(std::initializer_list<Disposition> dispositions) {
  smtp::MessageOutcome outcome;
  for (const auto disposition : dispositions) {
    const auto code = disposition == Disposition::delivered ? 250
                      : disposition == Disposition::failed  ? 550
                                                            : 451;
    outcome.recipients.push_back(
      {disposition, smtp::Stage::data_end, {static_cast<std::uint16_t>(code), std::nullopt, "text"}}
    );
  }
  return outcome;
}

Settlement settled(const Attempt& attempt, std::initializer_list<Disposition> dispositions) {
  return settle(attempt, outcome(dispositions), kSchedule, kNow, 0.5, "hop");
}

/// `put due`, `remove envelope`, ...: one word pair for each operation, sorted.
std::multiset<std::string> changes(const Settlement& settlement) {
  std::multiset<std::string> changes;
  for (const auto& operation : settlement.operations) {
    changes.insert(
      (operation.kind == Operation::Kind::put ? "put " : "remove ") +
      std::string(spool::name(operation.family))
    );
  }
  return changes;
}

TEST(Settlement, LetsTheRestOfAMessageThatHurriedGoOnAtOnce) {
  auto hurried = attempt(2);
  hurried.item.key.due = kNow + 1h;
  const auto result = settled(hurried, {Disposition::failed, Disposition::untried});
  ASSERT_TRUE(result.again);
  EXPECT_EQ(result.again->key.due, kNow + 1ms);
  hurried.item.key.due = kNow + 1ms;
  EXPECT_EQ(settled(hurried, {Disposition::failed, Disposition::untried}).again->key.due, kNow + 2ms)
    << "not the key that the same batch removes";
}

TEST(Settlement, RemovesAMessageThatEveryRecipientGot) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::delivered});
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.failed_recipients, 0U);
  EXPECT_EQ(result.sync, spool::Sync::yes);
  EXPECT_EQ(
    changes(result),
    (std::multiset<std::string>{"remove due", "remove envelope", "remove content", "remove content"})
  );
}

TEST(Settlement, RecordsWhoGotItAndTriesTheOthersLater) {
  const auto result =
    settled(attempt(3), {Disposition::delivered, Disposition::deferred, Disposition::failed});
  EXPECT_FALSE(result.is_complete);
  EXPECT_EQ(result.sync, spool::Sync::yes) << "a delivered recipient must not be forgotten";
  EXPECT_EQ(
    changes(result), (std::multiset<std::string>{"put due", "put result", "put result", "remove due"})
  );
  ASSERT_TRUE(result.again);
  EXPECT_EQ(result.again->key.due, kNow + 4min) << "the third attempt: two doublings";
  EXPECT_EQ(result.again->attempts, 3U);
}

TEST(Settlement, OfADeferralRidesTheNextSync) {
  const auto result = settled(attempt(1), {Disposition::deferred});
  EXPECT_EQ(result.sync, spool::Sync::no);
  EXPECT_EQ(changes(result), (std::multiset<std::string>{"put due", "remove due"}));
  const auto payload =
    spool::open_record(Family::due, result.operations.back().key, result.operations.back().value);
  EXPECT_EQ(spool::parse_waiting(*payload)->last, "451 text");
}

TEST(Settlement, KeepsAMessageOfWhichARecipientFailed) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::failed});
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.failed_recipients, 1U);
  EXPECT_EQ(
    changes(result), (std::multiset<std::string>{"put failed", "put result", "put result", "remove due"})
  );
}

TEST(Settlement, RemembersFailuresOfEarlierAttempts) {
  const spool::Settled failed{false, "550 no", "hop", kArrival};
  const spool::Settled delivered{true, "250 ok", "hop", kArrival};
  const auto with_failure = attempt(2, {{0, failed}});
  EXPECT_EQ(with_failure.pending, std::vector<std::uint32_t>{1});
  const auto kept = settled(with_failure, {Disposition::delivered});
  EXPECT_TRUE(kept.is_complete);
  EXPECT_EQ(kept.failed_recipients, 1U);
  EXPECT_EQ(changes(kept), (std::multiset<std::string>{"put failed", "put result", "remove due"}));
  const auto gone = settled(attempt(2, {{0, delivered}}), {Disposition::delivered});
  EXPECT_EQ(
    changes(gone), (std::multiset<std::string>{
                     "remove due", "remove envelope", "remove content", "remove content", "remove result"
                   })
  );
}

TEST(Settlement, OfNothingJudgedChangesNothing) {
  const auto result = settled(attempt(2), {Disposition::untried, Disposition::untried});
  EXPECT_TRUE(result.operations.empty());
  EXPECT_FALSE(result.again);
}

TEST(Settlement, TriesAtOnceWhatTheHopDidNotGetTo) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::untried});
  ASSERT_TRUE(result.again);
  EXPECT_LE(result.again->key.due, kNow + 1s);
  EXPECT_EQ(result.again->attempts, 2U) << "not an attempt of that recipient";
}

TEST(Settlement, NeverPutsTheKeyThatItRemoves) {
  auto late = attempt(1);
  late.item.key.due = kNow + 24h;  // the clock was set back meanwhile
  const auto result = settle(late, outcome({Disposition::deferred}), kSchedule, kNow, 0.5, "hop");
  EXPECT_NE(result.again->key.due, late.item.key.due);
  EXPECT_LE(result.again->key.due, kNow + 10min)
    << "a due time so far ahead would be taken for no wait at all";
}

TEST(Expiry, FailsEveryPendingRecipient) {
  const auto old = attempt(2);
  const auto result = settle(old, expired(old, 120h), kSchedule, kNow, 0, "");
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.failed_recipients, 2U);
  EXPECT_EQ(
    expired(old, 120h).recipients.front().reply.to_line(),
    "554 5.4.7 Delivery was tried for 120h without success"
  );
}

}  // namespace
}  // namespace relay::engine
