#include "relay/engine/settlement.hpp"

#include <gtest/gtest.h>
#include <set>

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

Attempt attempt(
  std::size_t recipients, std::map<std::uint32_t, spool::Settled> before = {},
  std::vector<std::uint32_t> share = {}
) {
  Attempt attempt;
  attempt.place = {
    {{"smarthost/default"}, queue::Lane::normal},
    {{kArrival, kId}, kArrival, 2, 100, kArrival},
    std::move(share)
  };
  attempt.settled_before = std::move(before);
  for (std::size_t i = 0; i < recipients; ++i) {
    attempt.stored.envelope.recipients.push_back(
      *mail::Address::parse("r" + std::to_string(i) + "@example.net")
    );
  }
  attempt.stored.chunks = 2;
  attempt.pending = pending_recipients(attempt.stored, attempt.place.share, attempt.settled_before);
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

Terms terms() {
  Terms terms;
  terms.schedule = kSchedule;
  terms.now = kNow;
  terms.fraction = 0.5;
  terms.hop = "hop";
  return terms;
}

Settlement settled(const Attempt& attempt, std::initializer_list<Disposition> dispositions) {
  return settle(attempt, outcome(dispositions), terms());
}
/// Its sender is told of each failure, or wants to hear nothing.
Settlement settled_and_closed(const Attempt& attempt, std::initializer_list<Disposition> dispositions) {
  auto closed = terms();
  closed.is_closed.assign(dispositions.size(), true);
  return settle(attempt, outcome(dispositions), closed);
}
spool::Settled result(bool is_delivered, bool is_closed) {
  return {is_delivered, "text", "hop", kArrival, is_closed};
}

/// The value of the record that is put into this family.
std::string put_into(Family family, const Settlement& settlement) {
  for (const auto& operation : settlement.operations) {
    if (operation.family == family && operation.kind == Operation::Kind::put)
      return std::string(*spool::open_record(family, operation.key, operation.value));
  }
  ADD_FAILURE() << "nothing is put into " << spool::name(family);
  return {};
}
spool::Waiting place_in(const Settlement& settlement) {
  return *spool::parse_waiting(put_into(Family::due, settlement));
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
  hurried.place.item.key.due = kNow + 1h;
  const auto result = settled(hurried, {Disposition::failed, Disposition::untried});
  ASSERT_TRUE(result.again);
  EXPECT_EQ(result.again->key.due, kNow + 1ms);
  hurried.place.item.key.due = kNow + 1ms;
  EXPECT_EQ(settled(hurried, {Disposition::failed, Disposition::untried}).again->key.due, kNow + 2ms)
    << "not the key that the same batch removes";
}

TEST(Settlement, RemovesAMessageThatEveryRecipientGot) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::delivered});
  EXPECT_TRUE(result.is_complete);
  EXPECT_FALSE(result.has_failed);
  EXPECT_FALSE(result.is_dead_letter);
  EXPECT_EQ(result.sync, spool::Sync::soon);
  EXPECT_EQ(
    changes(result),
    (std::multiset<std::string>{"remove due", "remove envelope", "remove content", "remove content"})
  );
}

TEST(Settlement, RecordsWhoGotItAndTriesTheOthersLater) {
  const auto result =
    settled(attempt(3), {Disposition::delivered, Disposition::deferred, Disposition::failed});
  EXPECT_FALSE(result.is_complete);
  EXPECT_EQ(result.sync, spool::Sync::soon) << "a delivered recipient must not be forgotten";
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
  EXPECT_EQ(place_in(result).last, "451 text");
}

TEST(Settlement, KeepsAMessageOfWhichARecipientFailed) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::failed});
  EXPECT_TRUE(result.is_complete);
  EXPECT_TRUE(result.is_dead_letter);
  EXPECT_EQ(spool::parse_failed(put_into(Family::failed, result))->recipients, 1U);
  EXPECT_EQ(
    changes(result), (std::multiset<std::string>{"put failed", "put result", "put result", "remove due"})
  );
}

TEST(Settlement, RemembersFailuresOfEarlierAttempts) {
  const spool::Settled failed{false, "550 no", "hop", kArrival, false};
  const spool::Settled delivered{true, "250 ok", "hop", kArrival, true};
  const auto with_failure = attempt(2, {{0, failed}});
  EXPECT_EQ(with_failure.pending, std::vector<std::uint32_t>{1});
  const auto kept = settled(with_failure, {Disposition::delivered});
  EXPECT_TRUE(kept.is_complete);
  EXPECT_TRUE(kept.is_dead_letter);
  EXPECT_EQ(changes(kept), (std::multiset<std::string>{"put failed", "put result", "remove due"}));
  const auto gone = settled(attempt(2, {{0, delivered}}), {Disposition::delivered});
  EXPECT_EQ(
    changes(gone), (std::multiset<std::string>{
                     "remove due", "remove envelope", "remove content", "remove content", "remove result"
                   })
  );
}

TEST(Settlement, OfNothingTriedMarksTheSenderAsWarnedAndLeavesAllElse) {
  auto late_one = attempt(2);
  late_one.last = "450 4.2.1 busy";
  const auto result = settled(late_one, {Disposition::untried, Disposition::untried});
  EXPECT_EQ(changes(result), (std::multiset<std::string>{"put due", "remove due"}));
  EXPECT_TRUE(result.is_as_before);
  EXPECT_EQ(result.sync, spool::Sync::no);
  auto as_before = late_one.place.item;
  as_before.key.due += 1ms;  // a key is put once
  as_before.sender_was_warned = true;
  EXPECT_EQ(result.again, as_before);
  EXPECT_TRUE(place_in(result).sender_was_warned);
  EXPECT_EQ(place_in(result).last, "450 4.2.1 busy");
  EXPECT_EQ(place_in(result).at, late_one.place.item.scheduled);
  EXPECT_FALSE(settled(late_one, {Disposition::deferred, Disposition::untried}).is_as_before);
}

TEST(Settlement, OfNothingTriedIsSyncedWithTheReport) {
  auto told = terms();
  told.sender_is_warned = true;
  told.reports = {spool::put(Family::envelope, "report", "of a message of our own")};
  const auto result = settle(attempt(1), outcome({Disposition::untried}), told);
  EXPECT_EQ(changes(result), (std::multiset<std::string>{"put due", "put envelope", "remove due"}));
  EXPECT_EQ(result.sync, spool::Sync::yes);
}

TEST(Late, SaysWhatAMessageWaitsFor) {
  const auto reply = [](const Attempt& attempt, const std::string& obstacle) {
    const auto made = late(attempt, obstacle);
    EXPECT_EQ(made.recipients.size(), 2U);
    EXPECT_EQ(made.recipients.back().disposition, Disposition::untried);
    return made.recipients.back().reply.to_line();
  };
  auto waiting = attempt(2);
  EXPECT_EQ(reply(waiting, ""), "451 4.4.7 It waits for its turn");
  waiting.last = "450 4.2.1 busy";
  EXPECT_EQ(reply(waiting, ""), "450 4.2.1 busy");
  EXPECT_EQ(reply(waiting, "hop: connecting: refused"), "451 4.4.1 hop: connecting: refused");
}

TEST(Settlement, TriesAtOnceWhatTheHopDidNotGetTo) {
  const auto result = settled(attempt(2), {Disposition::delivered, Disposition::untried});
  ASSERT_TRUE(result.again);
  EXPECT_LE(result.again->key.due, kNow + 1s);
  EXPECT_EQ(result.again->attempts, 2U) << "not an attempt of that recipient";
}

TEST(Settlement, NeverPutsTheKeyThatItRemoves) {
  auto late = attempt(1);
  late.place.item.key.due = kNow + 24h;  // the clock was set back meanwhile
  const auto result = settled(late, {Disposition::deferred});
  EXPECT_NE(result.again->key.due, late.place.item.key.due);
  EXPECT_LE(result.again->key.due, kNow + 10min)
    << "a due time so far ahead would be taken for no wait at all";
}

TEST(Settlement, RemovesAMessageWhoseFailuresTheirSenderIsToldOf) {
  auto told = terms();
  told.is_closed = {true, true};
  const Operation report = spool::put(Family::envelope, "report", "of a message of our own");
  told.reports = {report};
  const auto result = settle(attempt(2), outcome({Disposition::delivered, Disposition::failed}), told);
  EXPECT_TRUE(result.is_complete);
  EXPECT_TRUE(result.has_failed);
  EXPECT_FALSE(result.is_dead_letter);
  EXPECT_EQ(
    changes(result), (std::multiset<std::string>{
                       "put envelope", "remove due", "remove envelope", "remove content", "remove content"
                     })
  ) << "the report in the same batch";
  EXPECT_EQ(result.sync, spool::Sync::yes);
}

TEST(Settlement, SyncsTheReportThatAMessageIsLate) {
  auto told = terms();
  told.reports = {spool::put(Family::envelope, "report", "of a message of our own")};
  told.sender_is_warned = true;
  const auto result = settle(attempt(1), outcome({Disposition::deferred}), told);
  EXPECT_EQ(result.sync, spool::Sync::yes) << "or it would be made once more";
  EXPECT_TRUE(place_in(result).sender_was_warned);
}

TEST(Settlement, RemembersThatTheSenderWasWarned) {
  auto warned = attempt(1);
  warned.place.item.sender_was_warned = true;
  EXPECT_TRUE(place_in(settled(warned, {Disposition::deferred})).sender_was_warned);
  EXPECT_FALSE(place_in(settled(attempt(1), {Disposition::deferred})).sender_was_warned);
}

TEST(Settlement, KeepsForItsOpenFailuresOnly) {
  const auto told_before = attempt(2, {{0, result(false, true)}});
  const auto kept = settled(told_before, {Disposition::failed});
  EXPECT_TRUE(kept.is_dead_letter);
  EXPECT_EQ(spool::parse_failed(put_into(Family::failed, kept))->recipients, 1U);
  const auto gone = settled_and_closed(told_before, {Disposition::failed});
  EXPECT_TRUE(gone.is_complete);
  EXPECT_FALSE(gone.is_dead_letter);
  EXPECT_TRUE(gone.has_failed);
  const auto open_before = attempt(2, {{0, result(false, false)}});
  EXPECT_TRUE(settled_and_closed(open_before, {Disposition::failed}).is_dead_letter);
}

TEST(Settlement, SaysInTheResultWhetherAnybodyIsLeftToBeTold) {
  const auto open = settled(attempt(2), {Disposition::failed, Disposition::deferred});
  EXPECT_FALSE(spool::parse_settled(put_into(Family::result, open))->is_closed);
  const auto closed = settled_and_closed(attempt(2), {Disposition::failed, Disposition::deferred});
  EXPECT_TRUE(spool::parse_settled(put_into(Family::result, closed))->is_closed);
  const auto delivered = settled(attempt(2), {Disposition::delivered, Disposition::deferred});
  EXPECT_TRUE(spool::parse_settled(put_into(Family::result, delivered))->is_closed);
}

// ---- divided messages ----

TEST(Share, LeavesTheMessageUntilTheOthersAreSettledToo) {
  const auto first = attempt(3, {}, {0, 2});
  EXPECT_EQ(first.pending, (std::vector<std::uint32_t>{0, 2}));
  const auto waits = settled(first, {Disposition::delivered, Disposition::delivered});
  EXPECT_FALSE(waits.is_complete);
  EXPECT_FALSE(waits.again) << "nothing of this share is left";
  EXPECT_EQ(changes(waits), (std::multiset<std::string>{"put result", "put result", "remove due"}));
  EXPECT_EQ(waits.sync, spool::Sync::soon);
  const auto last = attempt(3, {{0, result(true, true)}, {2, result(true, true)}}, {1});
  EXPECT_EQ(
    changes(settled(last, {Disposition::delivered})),
    (std::multiset<std::string>{
      "remove due", "remove envelope", "remove content", "remove content", "remove result", "remove result"
    })
  );
}

TEST(Share, OfTheLastDecidesWithTheOpenFailuresOfAll) {
  const auto last = attempt(2, {{0, result(false, false)}}, {1});
  const auto kept = settled(last, {Disposition::delivered});
  EXPECT_TRUE(kept.is_complete);
  EXPECT_TRUE(kept.is_dead_letter);
  EXPECT_EQ(changes(kept), (std::multiset<std::string>{"put failed", "put result", "remove due"}));
  EXPECT_FALSE(settled(attempt(2, {{0, result(false, true)}}, {1}), {Disposition::delivered}).is_dead_letter);
}

TEST(Share, KeepsItsPlaceForItsOwnRecipientsOnly) {
  const auto result = settled(attempt(3, {}, {0, 2}), {Disposition::delivered, Disposition::deferred});
  ASSERT_TRUE(result.again);
  EXPECT_EQ(place_in(result).share, (std::vector<std::uint32_t>{0, 2}));
}

TEST(PendingRecipients, AreThoseOfTheShareWithoutAResult) {
  const auto some = attempt(4);
  using List = std::vector<std::uint32_t>;
  EXPECT_EQ(pending_recipients(some.stored, {}, {{1, result(true, true)}}), (List{0, 2, 3}));
  EXPECT_EQ(pending_recipients(some.stored, {1, 3}, {{1, result(true, true)}}), List{3});
  EXPECT_EQ(pending_recipients(some.stored, {3, 4}, {}), List{3}) << "there is no fifth";
}

// ---- signatures ----

Attempt signed_attempt(std::size_t recipients, bool is_stored, std::vector<std::uint32_t> share = {}) {
  auto signed_one = attempt(recipients, {}, std::move(share));
  signed_one.signature = "DKIM-Signature: x\r\n";
  signed_one.has_signature = true;
  signed_one.signature_is_stored = is_stored;
  return signed_one;
}

TEST(Signature, IsStoredOnceWhenTheMessageWaitsOn) {
  const auto first = settled(signed_attempt(1, false), {Disposition::deferred});
  EXPECT_EQ(put_into(Family::signature, first), "DKIM-Signature: x\r\n");
  EXPECT_EQ(
    changes(settled(signed_attempt(1, true), {Disposition::deferred})),
    (std::multiset<std::string>{"put due", "remove due"})
  );
}

TEST(Signature, IsStoredForTheOthersWhenAShareIsDone) {
  const auto result = settled(signed_attempt(2, false, {0}), {Disposition::delivered});
  EXPECT_EQ(changes(result), (std::multiset<std::string>{"put result", "put signature", "remove due"}));
}

TEST(Signature, IsNotStoredOfAMessageThatIsDone) {
  EXPECT_EQ(changes(settled(signed_attempt(1, false), {Disposition::delivered})).count("put signature"), 0U);
  EXPECT_EQ(
    changes(settled(signed_attempt(1, false), {Disposition::delivered})).count("remove signature"), 0U
  );
}

TEST(Signature, GoesWithTheMessage) {
  EXPECT_EQ(
    changes(settled(signed_attempt(1, true), {Disposition::delivered})).count("remove signature"), 1U
  );
}

TEST(Expiry, FailsEveryPendingRecipient) {
  const auto old = attempt(2);
  const auto result = settle(old, expired(old, 120h), terms());
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(spool::parse_failed(put_into(Family::failed, result))->recipients, 2U);
  EXPECT_EQ(
    expired(old, 120h).recipients.front().reply.to_line(),
    "554 5.4.7 Delivery was tried for 120h without success"
  );
}

}  // namespace
}  // namespace relay::engine
