#include "relay/dsn/decide.hpp"

#include <gtest/gtest.h>

namespace relay::dsn {
namespace {

using smtp::Disposition;

/// The actions of one recipient, as a word.
struct World {
  const char* sender = "a@b";
  bool dsn_was_passed_on = false;
  Handover handover = Handover::to_next_hop;
  bool is_delay_due = true;
};

std::string told(Disposition disposition, std::string_view notify, World world = {}) {
  const auto reverse_path = *world.sender == '\0' ? mail::Address{} : *mail::Address::parse(world.sender);
  mail::DsnRequest request;
  if (!notify.empty()) request.recipients = {{*mail::parse_notify(notify), ""}};
  smtp::MessageOutcome outcome;
  outcome.recipients.resize(1);
  outcome.recipients[0].disposition = disposition;
  outcome.recipients[0].dsn_was_passed_on = world.dsn_was_passed_on;
  const auto notices = decide({reverse_path, request, outcome, world.handover, world.is_delay_due});
  return notices.empty() ? "" : std::string(name(notices.front().action));
}

TEST(Decision, FollowsNotifyCase134) {
  struct Row {
    const char* notify;
    const char* failed;
    const char* deferred;
    const char* delivered;
  };
  for (const auto& row : {
         Row{"", "failed", "delayed", ""},
         Row{"NEVER", "", "", ""},
         Row{"SUCCESS", "", "", "relayed"},
         Row{"FAILURE", "failed", "", ""},
         Row{"DELAY", "", "delayed", ""},
         Row{"SUCCESS,FAILURE", "failed", "", "relayed"},
         Row{"SUCCESS,FAILURE,DELAY", "failed", "delayed", "relayed"},
       }) {
    EXPECT_EQ(told(Disposition::failed, row.notify), row.failed) << row.notify;
    EXPECT_EQ(told(Disposition::deferred, row.notify), row.deferred) << row.notify;
    EXPECT_EQ(told(Disposition::untried, row.notify), row.deferred) << row.notify;
    EXPECT_EQ(told(Disposition::delivered, row.notify), row.delivered) << row.notify;
  }
}

TEST(Decision, NeverReportsToANullSenderCase132Case135) {
  for (const auto disposition :
       {Disposition::failed, Disposition::deferred, Disposition::delivered, Disposition::untried}) {
    for (const auto* notify : {"", "SUCCESS,FAILURE,DELAY", "NEVER"})
      EXPECT_EQ(told(disposition, notify, {.sender = ""}), "") << notify;
  }
}

TEST(Decision, LeavesReportsOfSuccessToAHopThatWasAskedForThem) {
  EXPECT_EQ(told(Disposition::delivered, "SUCCESS", {.dsn_was_passed_on = true}), "");
  EXPECT_EQ(told(Disposition::failed, "FAILURE", {.dsn_was_passed_on = true}), "failed")
    << "what the hop refused is ours to report";
}

TEST(Decision, ReportsTheSuccessOfThoseWhoseHopWasNotAskedTo) {
  const auto reverse_path = *mail::Address::parse("a@b");
  mail::DsnRequest request;
  request.recipients.assign(2, {*mail::parse_notify("SUCCESS"), ""});
  smtp::MessageOutcome outcome;  // the first host took one recipient, the next host the other
  for (const bool was_asked : {true, false})
    outcome.recipients.push_back({Disposition::delivered, smtp::Stage::data_end, {}, was_asked});
  EXPECT_EQ(
    decide({reverse_path, request, outcome, Handover::to_next_hop, false}),
    (std::vector<Notice>{{1, Action::relayed}})
  );
}

TEST(Decision, CallsAMailboxDelivered) {
  EXPECT_EQ(told(Disposition::delivered, "SUCCESS", {.handover = Handover::into_mailbox}), "delivered");
  EXPECT_EQ(told(Disposition::delivered, "", {.handover = Handover::into_mailbox}), "");
}

TEST(Decision, TellsOfADelayOnlyOnceItIsDue) {
  EXPECT_EQ(told(Disposition::deferred, "DELAY", {.is_delay_due = false}), "");
}

TEST(Decision, TakesEachRecipientByItselfCase136) {
  const auto sender = *mail::Address::parse("a@b");
  mail::DsnRequest request;
  request.recipients = {{mail::Notify{.never = true}, ""}, {}, {mail::Notify{.success = true}, ""}};
  smtp::MessageOutcome outcome;
  outcome.recipients.resize(3);
  outcome.recipients[0].disposition = Disposition::failed;
  outcome.recipients[1].disposition = Disposition::failed;
  outcome.recipients[2].disposition = Disposition::delivered;
  EXPECT_EQ(
    decide({sender, request, outcome}), (std::vector<Notice>{{1, Action::failed}, {2, Action::relayed}})
  );
}

}  // namespace
}  // namespace relay::dsn
