#include "relay/dsn/classify.hpp"

#include <gtest/gtest.h>
#include <set>

namespace relay::dsn {
namespace {

using smtp::Stage;

std::string label(std::uint16_t code, std::string_view text, Stage stage = Stage::rcpt) {
  mail::Reply reply{code, mail::EnhancedStatus::parse_prefix(text), std::string(text)};
  return std::string(to_label(classify({reply, stage})));
}

TEST(BounceClasses, HaveALabelAndAdviceEach) {
  std::set<std::string_view> labels;
  for (int i = 0; i <= static_cast<int>(BounceClass::other); ++i) {
    const auto bounce_class = static_cast<BounceClass>(i);
    labels.insert(to_label(bounce_class));
    EXPECT_FALSE(advice(bounce_class).empty());
  }
  EXPECT_EQ(labels.size(), static_cast<std::size_t>(BounceClass::other) + 1);
}

TEST(Classification, KnowsWhatLargeReceiversSay) {
  struct Row {
    std::uint16_t code;
    const char* text;
    const char* expected;
  };
  for (const auto& row : {
         Row{550, "5.1.1 The email account that you tried to reach does not exist.", "invalid_recipient"},
         Row{
           550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
           "invalid_recipient"
         },
         Row{552, "5.2.2 The email account that you tried to reach is over quota", "mailbox_full"},
         Row{550, "5.2.1 The email account that you tried to reach is inactive", "inactive_mailbox"},
         Row{
           550,
           "5.7.26 This mail has been blocked because the sender is unauthenticated. DKIM = did not pass",
           "authentication_failed"
         },
         Row{550, "5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus", "blocklisted"},
         Row{421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "rate_limited"},
         Row{450, "4.2.0 <b@d>: Recipient address rejected: Greylisted", "greylisted"},
         Row{554, "5.7.1 <b@d>: Relay access denied", "relaying_denied"},
         Row{554, "5.4.6 Too many hops", "routing_loop"},
         Row{552, "5.3.4 Message size exceeds fixed limit", "message_too_large"},
         Row{554, "5.7.1 Message rejected as spam", "content_rejected"},
         Row{530, "5.7.0 Must issue a STARTTLS command first", "tls"},
         Row{550, "5.7.1 Not today", "policy"},
         Row{451, "4.4.3 Temporary server error", "dns"},
         Row{550, "5.1.2 bad", "invalid_domain"},
         Row{554, "5.4.7 Not delivered within 5 days, last: 450 greylisted", "expired"},
       }) {
    EXPECT_EQ(label(row.code, row.text), row.expected) << row.text;
  }
}

TEST(Classification, FallsBackToCodeAndStage) {
  EXPECT_EQ(label(550, "no"), "invalid_recipient");
  EXPECT_EQ(label(550, "no", Stage::mail), "policy");
  EXPECT_EQ(label(554, "no", Stage::data_end), "content_rejected");
  EXPECT_EQ(label(552, "no"), "mailbox_full");
  EXPECT_EQ(label(552, "no", Stage::data_end), "message_too_large");
  EXPECT_EQ(label(501, "no"), "protocol_error");
  EXPECT_EQ(label(451, "later"), "other");
}

TEST(Classification, GoesByWhatFailedWhereNobodyAnswered) {
  const auto of = [](Errc error) {
    return std::string(to_label(classify({{451, std::nullopt, ""}, Stage::connect, error})));
  };
  EXPECT_EQ(of(Errc::timed_out), "network");
  EXPECT_EQ(of(Errc::name_not_found), "dns");
  EXPECT_EQ(of(Errc::tls_failed), "tls");
  EXPECT_EQ(of(Errc::protocol_error), "protocol_error");
}

TEST(Classification, TakesAnyText) {
  for (const auto& text : {std::string("\xff\0\r\n", 4), std::string(100'000, 's'), std::string()}) {
    EXPECT_EQ(label(599, text), "other");
    EXPECT_EQ(label(0, text), "other");
  }
  EXPECT_EQ(label(550, "Mailbox\nFull", Stage::mail), "mailbox_full") << "lines are one text, case is none";
}

}  // namespace
}  // namespace relay::dsn
