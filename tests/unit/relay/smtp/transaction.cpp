#include "relay/smtp/transaction.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

MailArguments mail_from(std::string_view text) { return *parse_mail(text, Grammar::strict); }

RcptArguments rcpt_to(std::string_view text, mail::Charset charset = mail::Charset::ascii) {
  return *parse_rcpt(text, Grammar::strict, charset);
}

/// What is sent with this header by who wrote `MAIL arguments`.
mail::Envelope finished(
  std::string_view arguments, std::string_view recipient = "TO:<b@c.test>", std::string_view header = ""
) {
  Transaction transaction(mail_from(arguments), {});
  transaction.add_recipient(rcpt_to(recipient, transaction.charset()));
  mail::HeaderScan scan("node1.example");
  std::string out;
  scan.feed(header, out);
  scan.finish(out);
  return transaction.finish(scan, 7);
}

TEST(TransactionOfMail, BecomesTheEnvelopeThatWasNamed) {
  mail::Origin origin;
  origin.helo = "app";
  Transaction transaction(mail_from("FROM:<a@b.test> BODY=8BITMIME RET=HDRS ENVID=x"), origin);
  transaction.add_recipient(rcpt_to("TO:<b@c.test>"));
  const auto envelope = transaction.finish(mail::HeaderScan("node1.example"), 7);
  EXPECT_EQ(envelope.reverse_path.to_text(), "a@b.test");
  EXPECT_EQ(envelope.body, mail::Body::eight_bit_mime);
  EXPECT_EQ(envelope.dsn.ret, mail::Ret::headers);
  EXPECT_EQ(envelope.dsn.envelope_id, "x");
  EXPECT_EQ(envelope.origin.helo, "app");
  EXPECT_EQ(envelope.size, 7U);
  EXPECT_EQ(envelope.recipients.size(), 1U);
}

TEST(TransactionOfMail, CountsARecipientOnceAndKeepsWhatItSaidFirst) {
  Transaction transaction(mail_from("FROM:<a@b.test>"), {});
  transaction.add_recipient(rcpt_to("TO:<b@c.test>"));
  transaction.add_recipient(rcpt_to("TO:<d@c.test> NOTIFY=NEVER"));
  transaction.add_recipient(rcpt_to("TO:<b@c.test> ORCPT=rfc822;x@y"));
  transaction.add_recipient(rcpt_to("TO:<b@c.test> ORCPT=rfc822;z@y"));
  EXPECT_EQ(transaction.recipient_count(), 2U);
  const auto dsn = transaction.finish(mail::HeaderScan("node1.example"), 0).dsn;
  ASSERT_EQ(dsn.recipients.size(), 2U);
  EXPECT_EQ(
    dsn.recipients[0].original_recipient, rcpt_to("TO:<b@c.test> ORCPT=rfc822;x@y").dsn.original_recipient
  );
  EXPECT_FALSE(dsn.recipients[1].is_unset());
}

TEST(TransactionOfMail, SaysWhyThereIsNoRecipient) {
  Transaction transaction(mail_from("FROM:<a@b.test>"), {});
  EXPECT_EQ(transaction.no_recipients().to_line(), "503 5.5.1 RCPT comes first");
  transaction.note_refused_recipient();
  EXPECT_EQ(transaction.no_recipients().to_line(), "554 5.5.1 No valid recipients");
}

TEST(TransactionOfMail, NeedsSmtputf8FurtherOnOnlyWhereItWasDeclaredAndUsedCase051) {
  EXPECT_FALSE(finished("FROM:<a@b.test> SMTPUTF8").smtputf8);
  EXPECT_TRUE(finished("FROM:<\xc3\xbc@b.test> SMTPUTF8").smtputf8);
  EXPECT_TRUE(finished("FROM:<a@b.test> SMTPUTF8", "TO:<\xc3\xbc@b.test>").smtputf8);
  EXPECT_TRUE(finished("FROM:<a@b.test> SMTPUTF8", "TO:<b@c.test> ORCPT=utf-8;\xc3\xbc@d").smtputf8);
  EXPECT_TRUE(finished("FROM:<a@b.test> SMTPUTF8", "TO:<b@c.test>", "Subject: \xc3\xbc\r\n").smtputf8);
  EXPECT_FALSE(finished("FROM:<a@b.test>", "TO:<b@c.test>", "Subject: \xc3\xbc\r\n").smtputf8);
}

TEST(TransactionOfMail, NotesTheMessageId) {
  EXPECT_EQ(finished("FROM:<a@b.test>", "TO:<b@c.test>", "Message-ID: <1@a>\r\n\r\n").message_id, "<1@a>");
}

}  // namespace
}  // namespace relay::smtp
