#include "relay/delivery/offer.hpp"

#include <gtest/gtest.h>

#include "tests/support/exchange.hpp"

namespace relay::delivery {
namespace {

using smtp::Disposition;

constexpr auto kDelivered = Disposition::delivered;
constexpr auto kDeferred = Disposition::deferred;
constexpr auto kFailed = Disposition::failed;
constexpr auto kUntried = Disposition::untried;

Job job(std::size_t recipients) {
  Job job;
  for (std::size_t i = 0; i < recipients; ++i)
    job.message.recipients.push_back(test::address("r" + std::to_string(i) + "@example.net"));
  return job;
}

smtp::MessageOutcome said(const std::string& host, std::initializer_list<Disposition> dispositions) {
  smtp::MessageOutcome outcome;
  for (const auto disposition : dispositions)
    outcome.recipients.push_back({disposition, smtp::Stage::rcpt, {250, std::nullopt, host}});
  return outcome;
}

/// `<disposition> <who said so>` of each recipient.
std::vector<std::string> texts(const smtp::MessageOutcome& outcome) {
  static constexpr const char* kNames[] = {"delivered", "deferred", "failed", "untried"};
  std::vector<std::string> texts;
  for (const auto& recipient : outcome.recipients)
    texts.push_back(kNames[static_cast<int>(recipient.disposition)] + (" " + recipient.reply.text));
  return texts;
}

std::vector<std::string> recipients(const Job& job) {
  std::vector<std::string> texts;
  for (const auto& recipient : job.message.recipients) texts.push_back(recipient.to_text());
  return texts;
}

/// A host was asked, and the next will be.
void offer(Job& job, const smtp::MessageOutcome& outcome) {
  note_answers(job, outcome);
  keep_deferred(job, outcome);
}

using Texts = std::vector<std::string>;

TEST(Offer, IsMadeAgainWhenAReplyDeferredARecipient) {
  EXPECT_TRUE(may_offer_again(said("first", {kDelivered, kDeferred})));
  EXPECT_FALSE(may_offer_again(said("first", {kDelivered, kFailed})));
  EXPECT_FALSE(may_offer_again(said("first", {kUntried, kUntried}))) << "the hop failed: nobody was judged";
}

TEST(Offer, IsMadeAgainOfWhatThisHostAloneCannotTake) {
  auto first = said("first", {kFailed, kFailed, kDelivered});
  first.recipients[1].is_of_this_host = true;
  EXPECT_TRUE(may_offer_again(first));
  auto offered = job(3);
  offer(offered, first);
  EXPECT_EQ(recipients(offered), Texts{"r1@example.net"});
  EXPECT_EQ(texts(whole_outcome(offered, {})), (Texts{"failed first", "failed first", "delivered first"}))
    << "without another host it is final";
  note_answers(offered, said("second", {kDelivered}));
  EXPECT_EQ(
    texts(whole_outcome(offered, {})), (Texts{"failed first", "delivered second", "delivered first"})
  );
}

TEST(Offer, LeavesOpenWhatThisHostAloneCannotTakeWhereAnotherWasNotAsked) {
  auto first = said("first", {kFailed, kFailed, kDelivered});
  first.recipients[0].is_of_this_host = true;
  first.recipients[0].reply = {550, mail::EnhancedStatus{5, 7, 30}, "first"};
  auto offered = job(3);
  offer(offered, first);
  leave_open(offered);
  const auto whole = whole_outcome(offered, {});
  EXPECT_EQ(texts(whole), (Texts{"deferred first", "failed first", "delivered first"}));
  EXPECT_EQ(whole.recipients[0].reply.to_line(), "450 4.7.30 first") << "no log says that it is final";
}

TEST(Offer, IsNotFinalWhereOneHostAskedToComeAgainAndTheNextLacksWhatIsDemanded) {
  auto offered = job(2);
  auto first = said("first", {kFailed, kFailed});
  for (auto& recipient : first.recipients) recipient.is_of_this_host = true;
  EXPECT_TRUE(is_of_that_host(first));
  offer(offered, first);
  const auto second = said("second", {kDeferred, kFailed});
  EXPECT_FALSE(is_of_that_host(second));
  offer(offered, second);
  auto third = said("third", {kFailed});
  third.recipients[0].is_of_this_host = true;
  EXPECT_TRUE(is_of_that_host(third));
  note_answers(offered, third);
  EXPECT_EQ(texts(whole_outcome(offered, {})), (Texts{"deferred second", "failed second"}));
  EXPECT_FALSE(is_of_that_host({})) << "nobody said anything";
}

TEST(Offer, IsNotMadeAgainBehindALostEndOfDataCase119) {
  auto lost = said("first", {kDeferred});
  lost.may_be_duplicated = true;
  EXPECT_FALSE(may_offer_again(lost));
}

TEST(Offer, IsNotMadeAgainOfContentThatCannotBeRead) {
  auto unreadable = said("first", {kDeferred});
  unreadable.unreadable = Error{Errc::corrupt, Fate::permanent, "checksum"};
  EXPECT_FALSE(may_offer_again(unreadable));
}

TEST(Offer, LeavesToTheNextHostWhomTheFirstDeferred) {
  auto offered = job(4);
  offer(offered, said("first", {kDelivered, kDeferred, kFailed, kDeferred}));
  EXPECT_EQ(recipients(offered), (Texts{"r1@example.net", "r3@example.net"}));
  offer(offered, said("second", {kDelivered, kDeferred}));
  EXPECT_EQ(recipients(offered), Texts{"r3@example.net"});
  note_answers(offered, said("third", {kFailed}));
  EXPECT_EQ(
    texts(whole_outcome(offered, {})),
    (Texts{"delivered first", "delivered second", "failed first", "failed third"})
  );
}

TEST(Offer, KeepsWhatOneHostSaidOfWhomTheNextDidNotJudge) {
  auto offered = job(2);
  offer(offered, said("first", {kDeferred, kDeferred}));
  const auto ended = said("second", {kDelivered, kUntried});
  note_answers(offered, ended);
  EXPECT_EQ(texts(whole_outcome(offered, ended)), (Texts{"delivered second", "deferred first"}));
}

TEST(Offer, OfContentUnreadableForTheSecondKeepsWhatTheFirstSaid) {
  auto offered = job(2);
  offer(offered, said("first", {kDeferred, kDeferred}));
  auto unreadable = said("second", {kFailed, kDeferred});
  unreadable.recipients[1].stage = smtp::Stage::content;
  unreadable.unreadable = Error{Errc::corrupt, Fate::permanent, "checksum"};
  note_answers(offered, unreadable);
  const auto whole = whole_outcome(offered, unreadable);
  EXPECT_EQ(texts(whole), (Texts{"failed second", "deferred first"}));
  EXPECT_FALSE(whole.unreadable) << "it was offered whole to the first: the next attempt finds out";
}

TEST(Offer, OfContentUnreadableForTheFirstSaysSo) {
  auto offered = job(1);
  auto unreadable = said("first", {kDeferred});
  unreadable.unreadable = Error{Errc::corrupt, Fate::permanent, "checksum"};
  note_answers(offered, unreadable);
  EXPECT_TRUE(whole_outcome(offered, unreadable).unreadable);
}

TEST(Offer, TakesWhatTheSenderWantsToHearAlong) {
  auto offered = job(3);
  offered.message.dsn.envelope_id = "id";
  for (const auto* original : {"rfc822;r0", "rfc822;r1", "rfc822;r2"})
    offered.message.dsn.recipients.push_back({mail::Notify{.success = true}, original});
  offer(offered, said("first", {kDelivered, kFailed, kDeferred}));
  ASSERT_EQ(offered.message.dsn.recipients.size(), 1U);
  EXPECT_EQ(offered.message.dsn.recipients.front().original_recipient, "rfc822;r2");
  EXPECT_EQ(offered.message.dsn.envelope_id, "id");
}

TEST(Offer, OfAMessageWithoutWishesHasNone) {
  auto offered = job(2);
  offer(offered, said("first", {kDelivered, kDeferred}));
  EXPECT_TRUE(offered.message.dsn.recipients.empty());
}

TEST(Offer, MayBeADuplicateOnceOneHostMayHaveDelivered) {
  auto offered = job(1);
  offer(offered, said("first", {kDeferred}));
  auto second = said("second", {kDeferred});
  second.may_be_duplicated = true;
  note_answers(offered, second);
  const auto whole = whole_outcome(offered, second);
  EXPECT_TRUE(whole.may_be_duplicated);
}

TEST(Offer, KnowsOfEachRecipientWhetherItsHostWasToldWhatTheSenderWantsToHear) {
  auto offered = job(3);
  auto first = said("first", {kDelivered, kDeferred, kDeferred});
  for (auto& recipient : first.recipients) recipient.dsn_was_passed_on = true;
  offer(offered, first);
  const auto second = said("second", {kDelivered, kUntried});
  note_answers(offered, second);
  const auto whole = whole_outcome(offered, second);
  std::vector<bool> told;
  for (const auto& recipient : whole.recipients) told.push_back(recipient.dsn_was_passed_on);
  EXPECT_EQ(told, (std::vector{true, false, true}));
}

TEST(Verdict, FailsEveryRecipient) {
  const mail::Reply verdict{556, mail::EnhancedStatus{5, 1, 10}, "no mail"};
  const auto outcome = judged(job(2), verdict);
  EXPECT_EQ(texts(outcome), (Texts{"failed no mail", "failed no mail"}));
  EXPECT_EQ(outcome.recipients.front().reply.code, 556);
}

TEST(Verdict, LeavesWhatAHostSaid) {
  auto offered = job(2);
  offer(offered, said("first", {kDelivered, kDeferred}));
  const auto outcome = judged(offered, {556, mail::EnhancedStatus{5, 1, 10}, "no mail"});
  EXPECT_EQ(texts(whole_outcome(offered, outcome)), (Texts{"delivered first", "deferred first"}));
}

}  // namespace
}  // namespace relay::delivery
