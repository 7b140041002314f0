#include "relay/engine/reports.hpp"

#include "tests/unit/relay/engine/reports_fixture.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReportsTest : public ReportsFixture {
 protected:
  Reported reported(const Attempt& attempt, const smtp::MessageOutcome& outcome) {
    EXPECT_TRUE(reports->is_wanted(attempt, outcome));
    auto made = reports->report(attempt, outcome, "hop.example");
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }
  /// As it would be stored.
  static std::string content_of(const Reported& reported) {
    std::string content;
    for (const auto& operation : reported.operations) {
      if (operation.family == Family::content)
        content += *spool::open_record(Family::content, operation.key, operation.value);
    }
    return content;
  }
};

TEST_F(ReportsTest, OfAFailureComeFromNobodyToItsSender) {
  const auto made = reported(attempt(), outcome({kFailed}));
  ASSERT_EQ(made.messages.size(), 1U);
  const auto& report = made.messages.front();
  EXPECT_TRUE(report.fresh.stored.envelope.reverse_path.is_null());
  ASSERT_EQ(report.fresh.stored.envelope.recipients.size(), 1U);
  EXPECT_EQ(report.fresh.stored.envelope.recipients.front().to_text(), "a@example.com");
  EXPECT_EQ(report.places.size(), 1U);
  EXPECT_EQ(made.actions, std::vector<std::string>{"failed"});
  EXPECT_EQ(made.is_closed, std::vector{true});
  const auto content = content_of(made);
  EXPECT_EQ(report.fresh.stored.envelope.size, content.size());
  EXPECT_THAT(content, HasSubstr("Final-Recipient: rfc822; c0@d.example\r\n"));
  EXPECT_THAT(content, HasSubstr("Action: failed\r\n"));
  EXPECT_THAT(content, HasSubstr("hop.example"));
  EXPECT_THAT(content, HasSubstr("Subject: the original\r\n"));
}

TEST_F(ReportsTest, DemandTlsWhereTheMessageDid) {
  auto demanding = attempt();
  EXPECT_FALSE(reported(demanding, outcome({kFailed})).messages.front().fresh.stored.envelope.requires_tls);
  demanding.stored.envelope.requires_tls = true;
  EXPECT_TRUE(reported(demanding, outcome({kFailed})).messages.front().fresh.stored.envelope.requires_tls);
}

TEST_F(ReportsTest, TellOfAllRecipientsOfAnAttemptAtOnce) {
  const auto made = reported(attempt(3), outcome({kFailed, kDelivered, kFailed}));
  ASSERT_EQ(made.messages.size(), 1U);
  const auto content = content_of(made);
  EXPECT_THAT(content, HasSubstr("c0@d.example"));
  EXPECT_THAT(content, Not(HasSubstr("Final-Recipient: rfc822; c1@d.example")));
  EXPECT_THAT(content, HasSubstr("Final-Recipient: rfc822; c2@d.example"));
}

TEST_F(ReportsTest, AnswerNoMessageOfNobodyCase132) {
  const auto of_nobody = attempt(1, "");
  EXPECT_FALSE(reports->is_wanted(of_nobody, outcome({kFailed})));
  const auto made = reports->report(of_nobody, outcome({kFailed}), "");
  EXPECT_TRUE(made->messages.empty());
  EXPECT_EQ(made->is_closed, std::vector{false}) << "a person is left to be told";
}

TEST_F(ReportsTest, AreNotMadeWhenTheSenderWantsNone) {
  auto quiet = attempt(2);
  quiet.stored.envelope.dsn.recipients = {
    {mail::Notify{.never = true}, ""}, {mail::Notify{.delay = true}, ""}
  };
  const auto made = reported(quiet, outcome({kFailed, kFailed}));
  EXPECT_TRUE(made.messages.empty());
  EXPECT_TRUE(made.operations.empty());
  EXPECT_EQ(made.is_closed, (std::vector{true, true}));
}

TEST_F(ReportsTest, OfSuccessAreMadeWhenAsked) {
  auto curious = attempt(2);
  curious.stored.envelope.dsn.recipients = {{mail::Notify{.success = true}, "rfc822;orig"}, {}};
  const auto made = reported(curious, outcome({kDelivered, kDelivered}));
  EXPECT_EQ(made.actions, std::vector<std::string>{"relayed"});
  EXPECT_THAT(content_of(made), HasSubstr("Original-Recipient: rfc822; orig\r\n"));
  EXPECT_FALSE(reports->is_wanted(attempt(), outcome({kDelivered})));
}

TEST_F(ReportsTest, OfADelayComeOnce) {
  EXPECT_FALSE(reports->is_wanted(attempt(), outcome({kDeferred}))) << "too early";
  auto late = attempt();
  late.place.item.arrival -= 5h;
  const auto made = reported(late, outcome({kDeferred}));
  EXPECT_EQ(made.actions, std::vector<std::string>{"delayed"});
  EXPECT_TRUE(made.sender_is_warned);
  EXPECT_THAT(content_of(made), HasSubstr("Will-Retry-Until: "));
  late.place.item.sender_was_warned = true;
  EXPECT_FALSE(reports->is_wanted(late, outcome({kDeferred})));
  const auto failed = reported(late, outcome({kFailed}));
  EXPECT_FALSE(failed.sender_is_warned);
  EXPECT_EQ(failed.actions, std::vector<std::string>{"failed"}) << "that it failed is news";
}

TEST_F(ReportsTest, OfADelayNameNoAttemptWhereNoneWasMade) {
  auto waiting = attempt();
  waiting.place.item.arrival -= 5h;
  const auto made = reported(waiting, late(waiting, "hop: connecting: refused"));
  EXPECT_EQ(made.actions, std::vector<std::string>{"delayed"});
  EXPECT_TRUE(made.sender_is_warned);
  EXPECT_THAT(content_of(made), HasSubstr("Status: 4.4.1\r\n"));
  EXPECT_THAT(content_of(made), HasSubstr("hop: connecting: refused"));
  EXPECT_THAT(content_of(made), Not(HasSubstr("Last-Attempt-Date: ")));
  EXPECT_THAT(content_of(reported(waiting, outcome({kDeferred}))), HasSubstr("Last-Attempt-Date: "));
}

TEST_F(ReportsTest, OfADelayAreOffWithoutATimeForThem) {
  settings.reshape([](queue::Shape& shape) { shape.warn_after = 0ms; });
  auto late = attempt();
  late.place.item.arrival -= 5h;
  EXPECT_FALSE(reports->is_wanted(late, outcome({kDeferred})));
}

TEST_F(ReportsTest, ToOneAddressAreSpreadOverTimeCase137) {
  settings.change([](Limits& limits) { limits.reports.rate = {1, 1h}; });
  const auto due = [&](const Attempt& attempt) {
    const auto made = reported(attempt, outcome({kFailed}));
    return made.messages.front().places.front().item.key.due - clock->now();
  };
  EXPECT_LE(due(attempt()), 0ms);
  EXPECT_GT(due(attempt()), 59min);
  EXPECT_GT(due(attempt()), 119min);
  EXPECT_LE(due(attempt(1, "other@example.com")), 0ms) << "others do not wait for it";
  settings.change([](Limits& limits) { limits.reports.rate = {1000, 1h}; });
  EXPECT_LE(due(attempt()), 0ms) << "in force at once";
}

TEST_F(ReportsTest, OfADamagedOriginalComeWithoutIt) {
  const auto damaged = attempt();
  const auto key = spool::indexed_key(damaged.id(), 0);
  write({spool::remove(Family::content, key)});
  write({spool::put(Family::content, key, "garbage")});
  const auto content = content_of(reported(damaged, outcome({kFailed})));
  EXPECT_THAT(content, HasSubstr("Final-Recipient: rfc822; c0@d.example\r\n"));
  EXPECT_THAT(content, Not(HasSubstr("the original")));
}

TEST_F(ReportsTest, WaitForAnOriginalThatCannotBeReadJustNow) {
  const auto original = attempt();
  close();
  open();  // what was in the log stands in tables now
  relay::test::BrokenFiles broken(folder.path("spool"), ".sst");
  const auto made = reports->report(original, outcome({kFailed}), "");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fate, Fate::transient);
  broken.mend();
  EXPECT_THAT(content_of(reported(original, outcome({kFailed}))), HasSubstr("the original"));
}

TEST_F(ReportsTest, BringBackNoMoreThanTheyMay) {
  settings.change([](Limits& limits) { limits.reports.max_returned = Octets{30}; });
  const auto content = content_of(reported(attempt(), outcome({kFailed})));
  EXPECT_THAT(content, Not(HasSubstr("its body")));
}

TEST_F(ReportsTest, GoWhereTheRoutesOfTheSenderLead) {
  settings.set_routes({test::smarthost("back", {"example.com"})});
  const auto made = reported(attempt(), outcome({kFailed}));
  EXPECT_EQ(made.messages.front().places.front().queue.to_key(), "smarthost/back");
}

}  // namespace
}  // namespace relay::engine
