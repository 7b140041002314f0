// What old applications leave out, put in on the way: addresses without a domain, and header fields.

#include <gmock/gmock.h>

#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ServerLimits mending_limits() {
  ServerLimits limits;
  limits.unqualified_domain = "corp.test";
  return limits;
}
const mail::Mending kAll{"corp.test", "Thu, 1 Jan 1970 00:00:00 +0000", "<1@h>", "app@corp.test"};

TEST(ServerSessionMending, QualifiesTheEnvelopeOfClientsThatMayRelay) {
  Conversation talk(test::allowed_client(), mending_limits());
  talk.send("HELO app\r\n");
  EXPECT_EQ(talk.send("MAIL FROM:<root>\r\n"), "250 2.1.0 Sender OK\r\n");
  EXPECT_EQ(talk.send("RCPT TO: root\r\n"), "250 2.1.5 Recipient OK\r\n");
  EXPECT_EQ(talk.send("RCPT TO:<Postmaster>\r\n"), "250 2.1.5 Recipient OK\r\n");
  EXPECT_THAT(talk.send("RCPT TO:<a b>\r\n"), StartsWith("501"));
  EXPECT_THAT(talk.send("RCPT TO:<a@>\r\n"), StartsWith("501"));
  talk.send("DATA\r\nA: b\r\n\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  const auto& envelope = talk.messages()[0].envelope;
  EXPECT_EQ(envelope.reverse_path.to_text(), "root@corp.test");
  EXPECT_EQ(envelope.recipients[0].to_text(), "root@corp.test");
  EXPECT_EQ(envelope.recipients[1].to_text(), "Postmaster@corp.test");
}

TEST(ServerSessionMending, LeavesTheNullSenderAlone) {
  Conversation talk(test::allowed_client(), mending_limits());
  talk.send("HELO app\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nA: b\r\n\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_TRUE(talk.messages()[0].envelope.reverse_path.is_null());
}

TEST(ServerSessionMending, GivesStrangersRfc5321sGrammar) {
  Conversation talk(test::foreign_client(), mending_limits());
  talk.send("HELO app\r\n");
  EXPECT_THAT(talk.send("MAIL FROM:<root>\r\n"), StartsWith("501 5.1.7"));
}

TEST(ServerSessionMending, AddsWhatAMessageLacks) {
  for (const std::size_t piece : {1U, 5U, 1000U}) {
    Conversation talk;
    talk.mending = kAll;
    talk.begin_message();
    talk.send("DATA\r\n");
    talk.send_in_pieces("Subject: s\r\nTo: root\r\n\r\n..x\r\n.\r\n", piece);
    ASSERT_EQ(talk.messages().size(), 1U);
    const auto& [envelope, content, named] = talk.messages()[0];
    EXPECT_EQ(
      content,
      "Subject: s\r\nTo: root@corp.test\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: app@corp.test\r\n"
      "Message-ID: <1@h>\r\n\r\n.x\r\n"
    );
    EXPECT_EQ(envelope.size, content.size());
    EXPECT_EQ(envelope.message_id, "<1@h>");
  }
}

TEST(ServerSessionMending, MendsTheSeedsQuickTest) {
  Conversation talk;
  talk.mending = kAll;
  talk.send(
    "HELO 1\r\nMAIL FROM: a@b\r\nRCPT TO: c@d\r\nDATA\r\nSubject: A Test\r\nThis is just a test\r\n.\r\n"
  );
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(
    talk.messages()[0].content,
    "Subject: A Test\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: app@corp.test\r\nMessage-ID: "
    "<1@h>\r\n\r\n"
    "This is just a test\r\n"
  );
}

TEST(ServerSessionMending, MendsWhatComesInChunks) {
  Conversation talk;
  talk.mending = kAll;
  talk.begin_message();
  talk.send("BDAT 3\r\nA: BDAT 9 LAST\r\nb\r\n\r\nxyz\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_THAT(talk.messages()[0].content, StartsWith("A: b\r\nDate: "));
  EXPECT_THAT(talk.messages()[0].content, HasSubstr("\r\n\r\nxyz"));
}

TEST(ServerSessionMending, CountsOnlyWhatTheClientSent) {
  ServerLimits limits;
  limits.max_message_size = Octets{100};
  const std::string header = "Subject: s\r\n\r\n";
  for (const bool fits : {true, false}) {
    Conversation talk(test::allowed_client(), limits);
    talk.mending = kAll;
    talk.begin_message();
    const std::string body(100 - header.size() - 2 + (fits ? 0 : 1), 'x');
    const auto heard = talk.send("DATA\r\n" + header + body + "\r\n.\r\n");
    EXPECT_THAT(heard, HasSubstr(fits ? "250 2.0.0" : "552 5.3.4")) << heard;
  }
}

TEST(ServerSessionMending, LooksAtEachMessageAnew) {
  Conversation talk;
  talk.mending = kAll;
  talk.begin_message();
  talk.send("DATA\r\nDate: x\r\nFrom: a@b\r\nMessage-ID: <x@y>\r\n\r\n.\r\n");
  talk.mending = {};
  talk.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: s\r\n\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 2U);
  EXPECT_EQ(talk.messages()[0].content, "Date: x\r\nFrom: a@b\r\nMessage-ID: <x@y>\r\n\r\n");
  EXPECT_EQ(talk.messages()[1].content, "Subject: s\r\n\r\n");
}

TEST(ServerSessionMending, HoldsNoMoreOfALongHeaderThanOneField) {
  Conversation talk;
  talk.mending = kAll;
  talk.begin_message();
  std::string to = "To: root";
  for (int i = 0; i < 20'000; ++i) to += ",\r\n a@b";
  talk.send("DATA\r\n" + to + "\r\n\r\nx\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_THAT(talk.messages()[0].content, StartsWith("To: root,\r\n")) << "too long to be mended";
  EXPECT_LE(talk.largest_chunk(), 2 * kChunkSize);
}

}  // namespace
}  // namespace relay::smtp
