#include "relay/policy/guard.hpp"

#include <gmock/gmock.h>

#include "tests/support/exchange.hpp"

namespace relay::policy {
namespace {

using test::address;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

mail::Envelope envelope(const std::vector<std::string>& recipients) {
  mail::Envelope envelope;
  for (const auto& recipient : recipients) envelope.recipients.push_back(address(recipient));
  return envelope;
}
std::vector<std::string> texts(const std::vector<mail::Address>& addresses) {
  std::vector<std::string> texts;
  for (const auto& each : addresses) texts.push_back(each.to_text());
  return texts;
}
Guard guard(Mode mode) {
  Guard guard;
  guard.mode = mode;
  guard.redirect_to = address("test@qa.test");
  guard.allowed = {"qa.test", "*.qa.test", "tester-*@a.test"};
  return guard;
}

TEST(Guard, LetsOutWhatItsModeSays) {
  const auto qa = address("x@QA.test");
  const auto tester = address("Tester-1@a.test");
  const auto customer = address("c@a.test");
  for (const auto& each : {qa, tester, customer}) {
    EXPECT_TRUE(lets_out(guard(Mode::deliver), each));
    EXPECT_FALSE(lets_out(guard(Mode::capture), each));
    EXPECT_FALSE(lets_out(guard(Mode::redirect), each));
  }
  EXPECT_TRUE(lets_out(guard(Mode::redirect), address("test@qa.test")));
  EXPECT_TRUE(lets_out(guard(Mode::allowlist), qa));
  EXPECT_TRUE(lets_out(guard(Mode::allowlist), tester));
  EXPECT_TRUE(lets_out(guard(Mode::allowlist), address("x@deep.qa.test")));
  EXPECT_FALSE(lets_out(guard(Mode::allowlist), customer));
  EXPECT_FALSE(lets_out(guard(Mode::allowlist), address("x@notqa.test")));
}

TEST(Guard, RefusesOnlyWhereAnAllowlistIsToReject) {
  auto strict = guard(Mode::allowlist);
  EXPECT_FALSE(refuse_recipient(strict, address("c@a.test")));
  strict.others = Others::reject;
  EXPECT_FALSE(refuse_recipient(strict, address("c@qa.test")));
  const auto refusal = refuse_recipient(strict, address("c@a.test"));
  ASSERT_TRUE(refusal);
  EXPECT_THAT(refusal->to_line(), HasSubstr("550 5.7.1 This relay is not in production"));
  for (const auto mode : {Mode::deliver, Mode::capture, Mode::redirect}) {
    strict.mode = mode;
    EXPECT_FALSE(refuse_recipient(strict, address("c@a.test")));
  }
}

TEST(Guard, ChangesNothingInProduction) {
  auto mail = envelope({"a@b.test", "c@d.test"});
  mail.captured = {};
  const auto before = mail;
  EXPECT_THAT(apply(guard(Mode::deliver), mail), IsEmpty());
  EXPECT_EQ(mail, before);
}

TEST(Guard, CapturesAllOrWhatTheAllowlistDoesNotName) {
  auto all = envelope({"a@b.test", "x@qa.test"});
  EXPECT_THAT(apply(guard(Mode::capture), all), IsEmpty());
  EXPECT_THAT(all.captured, ElementsAre(0, 1));
  EXPECT_EQ(all.recipients.size(), 2U);
  auto some = envelope({"a@b.test", "x@qa.test", "c@b.test"});
  EXPECT_THAT(apply(guard(Mode::allowlist), some), IsEmpty());
  EXPECT_THAT(some.captured, ElementsAre(0, 2));
}

TEST(Guard, CapturesNobodyWhomARuleHoldsAlready) {
  auto mail = envelope({"a@b.test", "c@d.test"});
  mail.held = {1};
  (void)apply(guard(Mode::capture), mail);
  EXPECT_THAT(mail.held, ElementsAre(1));
  EXPECT_THAT(mail.captured, ElementsAre(0));
}

TEST(Guard, RedirectsAllRecipientsToOne) {
  auto mail = envelope({"a@b.test", "c@d.test"});
  mail.smarthosts = {"", "partner"};
  mail.dsn.recipients.resize(2);
  mail.dsn.recipients[0].notify.never = true;
  EXPECT_THAT(texts(apply(guard(Mode::redirect), mail)), ElementsAre("a@b.test", "c@d.test"));
  EXPECT_THAT(texts(mail.recipients), ElementsAre("test@qa.test"));
  EXPECT_THAT(mail.captured, IsEmpty());
  EXPECT_THAT(mail.smarthosts, IsEmpty()) << "what was named was named for others";
  EXPECT_THAT(mail.dsn.recipients, IsEmpty());
}

TEST(Guard, KeepsTheOneOriginalRecipientInOrcpt) {
  auto mail = envelope({"a+b@b.test"});
  (void)apply(guard(Mode::redirect), mail);
  ASSERT_EQ(mail.dsn.recipients.size(), 1U);
  EXPECT_EQ(mail.dsn.recipients[0].original_recipient, "rfc822;a+2Bb@b.test");
  EXPECT_TRUE(mail::is_original_recipient(mail.dsn.recipients[0].original_recipient, mail::Charset::ascii));
  auto named = envelope({"a@b.test"});
  named.dsn.recipients = {{{}, "rfc822;first@b.test"}};
  (void)apply(guard(Mode::redirect), named);
  EXPECT_EQ(named.dsn.recipients[0].original_recipient, "rfc822;first@b.test") << "the client knows better";
}

TEST(Guard, HoldsWhatARuleHoldsAlsoWhereItRedirects) {
  auto some = envelope({"a@b.test", "c@d.test"});
  some.held = {0};
  (void)apply(guard(Mode::redirect), some);
  EXPECT_THAT(texts(some.recipients), ElementsAre("test@qa.test", "test@qa.test"));
  EXPECT_THAT(some.held, ElementsAre(1));
  auto all = envelope({"a@b.test", "c@d.test"});
  all.held = {0, 1};
  (void)apply(guard(Mode::redirect), all);
  EXPECT_THAT(texts(all.recipients), ElementsAre("test@qa.test"));
  EXPECT_THAT(all.held, ElementsAre(0));
}

TEST(Guard, LeavesMailForTheOneAddressAsItIs) {
  auto mail = envelope({"test@qa.test"});
  EXPECT_THAT(apply(guard(Mode::redirect), mail), IsEmpty());
  EXPECT_EQ(mail, envelope({"test@qa.test"}));
}

TEST(Guard, NamesOriginalRecipientsInHeaderFieldsOfWhichThereAreNotTooMany) {
  EXPECT_EQ(original_to_fields({}), "");
  EXPECT_EQ(
    original_to_fields({address("a@b.test"), address("\"x y\"@d.test")}),
    "X-Original-To: <a@b.test>\r\nX-Original-To: <\"x y\"@d.test>\r\n"
  );
  const std::vector<mail::Address> many(1000, address("a@b.test"));
  EXPECT_EQ(
    original_to_fields(many).size(), kMaxOriginalTo * std::string("X-Original-To: <a@b.test>\r\n").size()
  );
}

TEST(Guard, SaysWhyMailIsKeptIn) {
  EXPECT_EQ(why_captured(guard(Mode::capture)), "captured: mode capture lets no mail out");
  EXPECT_THAT(why_captured(guard(Mode::redirect)), HasSubstr("to test@qa.test only"));
  EXPECT_THAT(why_captured(guard(Mode::allowlist)), HasSubstr("does not name the recipient"));
}

}  // namespace
}  // namespace relay::policy
