#include "relay/smtp/server_session.hpp"

#include <gmock/gmock.h>

#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kQuickTest =
  "HELO 1\nMAIL FROM: marc@buildinglink.com\nRCPT TO: codemarc@gmail.com\nDATA\nSubject: A Test\n"
  "This is just a test\n.\nQUIT\n";

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

std::string codes(const std::string& replies) {
  std::string codes;
  for (std::size_t at = 0; at < replies.size(); at = replies.find('\n', at) + 1) {
    if (replies[at + 3] == ' ') codes += (codes.empty() ? "" : " ") + replies.substr(at, 3);
  }
  return codes;
}

// ---- the seed's quick test, section 0 ----

TEST(QuickTest, WorksAllAtOnceWithEitherLineEnd) {
  for (const auto& text : {std::string(kQuickTest), with_crlf(kQuickTest)}) {
    Conversation talk;
    EXPECT_EQ(codes(talk.said() + talk.send(text)), "220 250 250 250 354 250 221");
    EXPECT_EQ(talk.close_reason(), "quit");
    ASSERT_EQ(talk.messages().size(), 1U);
    const auto& [envelope, content, named] = talk.messages().front();
    EXPECT_EQ(envelope.reverse_path.to_text(), "marc@buildinglink.com");
    EXPECT_EQ(envelope.recipients.front().to_text(), "codemarc@gmail.com");
    EXPECT_EQ(content, "Subject: A Test\r\n\r\nThis is just a test\r\n");
    EXPECT_EQ(envelope.size, content.size());
    EXPECT_FALSE(named);
    EXPECT_FALSE(envelope.origin.extended);
  }
}

TEST(QuickTest, WorksHoweverItIsCutIntoSegments) {
  for (std::size_t size = 1; size < 40; ++size) {
    Conversation talk;
    EXPECT_EQ(codes(talk.said() + talk.send_in_pieces(kQuickTest, size)), "220 250 250 250 354 250 221")
      << size;
    EXPECT_EQ(talk.messages().size(), 1U);
  }
}

TEST(QuickTest, IsKeptWhenTheClientNeverReadsCase074) {
  Conversation talk;
  talk.is_deaf = true;
  talk.send(kQuickTest);
  EXPECT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.close_reason(), "quit");
}

TEST(Figure1, IsTheDialogueOfTheSeed) {
  Conversation talk;
  EXPECT_THAT(talk.said(), MatchesRegex("220 node1\\.example [^\r\n]*\r\n"));
  EXPECT_EQ(codes(talk.send("HELO client\r\n")), "250");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<rome@buildinglink.com>\r\n")), "250");
  EXPECT_EQ(codes(talk.send("RCPT TO:<mintgreenbug@gmail.com>\r\n")), "250");
  EXPECT_EQ(codes(talk.send("DATA\r\n")), "354");
  EXPECT_EQ(talk.send("message content\r\n"), "");
  EXPECT_THAT(talk.send(".\r\n"), StartsWith("250 2.0.0 OK queued as "));
  EXPECT_EQ(codes(talk.send("QUIT\r\n")), "221");
}

// ---- A. line endings and the end of data ----

struct EndOfData {
  const char* name;
  std::string bytes;
};
const std::vector<EndOfData>& smuggling_sequences() {
  static const std::vector<EndOfData> sequences{
    {"Case001", "\n.\n"},
    {"Case002", "\n.\r\n"},
    {"Case003", "\r\n.\n"},
    {"Case004", "\r.\r"},
    {"Case005", "\r.\n"},
    {"Case006", "\n.\r"},
    {"Case007", "\r.\r\n"},
    {"Case008", "\r\n.\rx"},
    {"Case009", "\r\n.\r\r\n"},
    {"Case010", "\r\r\n.\r\r\n"},
    {"Case011", std::string("\r\n\0.\r\n", 6)},
    {"Case012", std::string("\r\n.\0\r\n", 6)},
    {"Case014a", std::string("\r\0\n.\r\n", 6)},
    {"Case014b", std::string("\r\n.\r\0\n", 6)},
  };
  return sequences;
}

class Smuggling : public ::testing::TestWithParam<EndOfData> {};

/// One message, whatever the client hid behind a false end; what we hold sends on as one message too (case
/// 16).
TEST_P(Smuggling, NeverEndsTheDataBehindDataCrlf) {
  const std::string smuggled =
    "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nsmuggled\r\n.\r\n";
  const std::string stream = "DATA\r\nSubject: x\r\n\r\nbody" + GetParam().bytes + smuggled;
  for (const std::size_t size : {1U, 2U, 3U, 5U, 4096U}) {
    Conversation talk;
    talk.begin_message();
    const auto replies = talk.send_in_pieces(stream, size);
    ASSERT_EQ(talk.messages().size(), 1U) << "in pieces of " << size;
    EXPECT_EQ(codes(replies), "354 250");
    EXPECT_EQ(talk.messages().front().envelope.recipients.size(), 1U);
    const auto& content = talk.messages().front().content;
    EXPECT_THAT(content, HasSubstr("RCPT TO:<victim@example.com>\r\n"));
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (content[i] == '\n') EXPECT_TRUE(i > 0 && content[i - 1] == '\r') << "bare LF at " << i;
      if (content[i] == '\r')
        EXPECT_TRUE(i + 1 < content.size() && content[i + 1] == '\n') << "bare CR at " << i;
    }
  }
}

TEST_P(Smuggling, IsRefusedAndTheConnectionClosedWhenSetToReject) {
  const bool has_bare_ending = GetParam().bytes.find('\0') == std::string::npos ||
                               GetParam().bytes.starts_with(std::string("\r\0", 2)) ||
                               GetParam().bytes.find(std::string("\r\0", 2)) != std::string::npos;
  if (!has_bare_ending) return;  // a NUL beside a dot breaks no line end: covered above
  ServerLimits limits;
  limits.bare_line_endings = BareLineEndings::reject;
  Conversation talk(test::allowed_client(), limits);
  talk.begin_message();
  const auto replies = talk.send("DATA\r\nbody" + GetParam().bytes + "MAIL FROM:<evil@example.com>\r\n");
  EXPECT_THAT(replies, HasSubstr("550 5.5.2"));
  EXPECT_EQ(codes(replies), "354 550");
  EXPECT_TRUE(talk.is_closed());
  EXPECT_TRUE(talk.messages().empty());
}

INSTANTIATE_TEST_SUITE_P(
  Sequences, Smuggling, ::testing::ValuesIn(smuggling_sequences()),
  [](const auto& sequence) { return sequence.param.name; }
);

TEST(EndOfDataRule, ANulBeforeTheTrueEndDoesNotHideItCase013) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  EXPECT_EQ(codes(talk.send(std::string("A: b\r\n\r\nx\0\r\n.\r\n", 15))), "250");
  EXPECT_EQ(talk.messages().front().content, std::string("A: b\r\n\r\nx\0\r\n", 12));
}

TEST(EndOfDataRule, ANulBehindTheTrueEndBelongsToTheNextCommandCase014) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  EXPECT_EQ(codes(talk.send(std::string("x\r\n.\r\n\0NOOP\r\nNOOP\r\n", 19))), "250 500 250");
}

TEST(EndOfDataRule, BehindDataLfALoneDotOnEitherLineEndEndsIt) {
  for (const std::string end : {".\n", ".\r\n"}) {
    Conversation talk;
    talk.begin_message();
    EXPECT_EQ(codes(talk.send("DATA\nA: b\n\n..stuffed\nmixed\r\n" + end)), "354 250");
    EXPECT_EQ(talk.messages().front().content, "A: b\r\n\r\n.stuffed\r\nmixed\r\n");
  }
}

TEST(EndOfDataRule, DotsAreUnstuffedOnlyBehindTrueLineEnds) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  talk.send("\r\n..two\r\n.one\r\nbare\n..kept\r\n.\r\n");
  EXPECT_EQ(talk.messages().front().content, "\r\n.two\r\none\r\nbare\r\n..kept\r\n");
}

TEST(CommandLine, EndedByBareLfRunsForAllowedClientsOnlyCase017) {
  Conversation allowed;
  EXPECT_EQ(codes(allowed.send("EHLO a\n")), "220 250");
  Conversation foreign(test::foreign_client());
  foreign.said();
  EXPECT_THAT(foreign.send("EHLO a\n"), StartsWith("500 5.5.2"));
  EXPECT_EQ(codes(foreign.send("MAIL FROM:<a@b>\r\n")), "503") << "the EHLO was not executed";
  ServerLimits strict;
  strict.bare_line_endings = BareLineEndings::reject;
  Conversation rejecting(test::allowed_client(), strict);
  rejecting.said();
  EXPECT_THAT(rejecting.send("EHLO a\n"), StartsWith("500 5.5.2"));
}

// ---- B. the command stream ----

TEST(CommandStream, RefusesUnknownCommandsAtAnyCountCase021) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  for (int i = 0; i < 19; ++i) EXPECT_THAT(talk.send("XYZZY\r\n"), StartsWith("500 5.5.1"));
  EXPECT_EQ(codes(talk.send("DATA\r\n")), "503") << "the 20th error";
  EXPECT_EQ(codes(talk.send("DATA\r\n")), "503 421") << "and the 21st";
}

TEST(CommandStream, ReadsLinesUpToTheCapAndDropsLongerOnesCase022Case023Case024) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  for (const std::size_t size : {511U, 512U, 513U, 2046U}) {
    EXPECT_EQ(codes(talk.send("NOOP " + std::string(size - 7, 'x') + "\r\n")), "250") << size;
  }
  for (const std::size_t size : {10'000U, 1'000'000U}) {
    EXPECT_THAT(
      talk.send("EHLO " + std::string(size, 'x') + "\r\n"), MatchesRegex("500 5\\.5\\.2 [^\r]*too long\r\n")
    );
  }
  EXPECT_EQ(codes(talk.send("NOOP\r\n")), "250");
  EXPECT_FALSE(talk.is_closed());
  EXPECT_EQ(codes(talk.send(std::string(4'000'000, 'x'))), "500 421");
  EXPECT_EQ(talk.close_reason(), "endless line");
}

TEST(CommandStream, ReadsLongerLinesOfAuthCase023) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_EQ(codes(talk.send("AUTH PLAIN " + std::string(12'270, 'x') + "\r\n")), "502")
    << "read whole, not offered";
  EXPECT_EQ(codes(talk.send("AUTH PLAIN " + std::string(12'290, 'x') + "\r\n")), "500");
  EXPECT_EQ(codes(talk.send("NOOP\r\n")), "250");
}

TEST(CommandStream, RefusesForeignOctetsAndLivesOnCase025) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  for (const std::string line : {"NOOP \x80\xff", "\x07", "\x0b", "NO\x7fOP"}) {
    EXPECT_THAT(talk.send(line + "\r\n"), StartsWith("500 5.5.2"));
  }
  EXPECT_THAT(talk.send(std::string("NO\0OP\r\n", 7)), StartsWith("500 5.5.2"));
  EXPECT_EQ(codes(talk.send("NOOP\r\n")), "250");
}

TEST(CommandStream, EchoesNothingUnescapedAndKeepsReplyLinesShortCase026) {
  Conversation talk;
  talk.recipient_verdict = [](const auto&) {
    return Reply{550, EnhancedStatus{5, 7, 1}, "no\r\n250 forged \xff" + std::string(900, 'x')};
  };
  const auto replies =
    talk.said() + talk.send("EHLO a\r\nEHLO \x1b[31m<evil>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
  EXPECT_EQ(codes(replies), "220 250 500 250 550");
  std::size_t begin = 0;
  for (auto end = replies.find("\r\n"); end != std::string::npos;
       begin = end + 2, end = replies.find("\r\n", begin)) {
    const auto line = replies.substr(begin, end - begin);
    EXPECT_LE(line.size() + 2, 512U);
    EXPECT_THAT(line, MatchesRegex("[2-5][0-9][0-9][ -][ -~]*"));
  }
}

TEST(CommandStream, EndsBehindTwentyErrorsCase027) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  std::string replies;
  for (int i = 0; i < 30; ++i) replies += talk.send("XYZZY\r\n");
  EXPECT_THAT(replies, HasSubstr("421 4.7.0"));
  EXPECT_TRUE(talk.is_closed());
}

TEST(CommandStream, WhoOnlyGreetsIsSentAwayCase081) {
  Conversation talk;
  std::string replies;
  for (int i = 0; i < 125 && !talk.is_closed(); ++i)
    replies += talk.send("EHLO a\r\nMAIL FROM:<a@example.com>\r\n");
  EXPECT_THAT(replies, HasSubstr("421 4.7.0"));
  EXPECT_EQ(talk.close_reason(), "too many errors");
}

TEST(CommandStream, TakesAThousandRecipientsAndNoMoreCase028) {
  Conversation talk;
  talk.send("EHLO a\r\nMAIL FROM:<a@b>\r\n");
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(codes(talk.send("RCPT TO:<r" + std::to_string(i) + "@d>\r\n")), "250") << i;
  for (int i = 0; i < 100; ++i) EXPECT_THAT(talk.send("RCPT TO:<more@d>\r\n"), StartsWith("452 4.5.3"));
  EXPECT_EQ(codes(talk.send("DATA\r\n")), "354");
  talk.send("x\r\n.\r\n");
  EXPECT_EQ(talk.messages().front().envelope.recipients.size(), 1000U);
}

TEST(CommandStream, TakesARecipientOnce) {
  Conversation talk;
  talk.begin_message();
  EXPECT_EQ(codes(talk.send("RCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\n")), "250 354 250");
  EXPECT_EQ(talk.messages().front().envelope.recipients.size(), 1U);
}

TEST(CommandStream, CountsIdleCommandsAsErrorsBehindAHundredCase029) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  for (int i = 0; i < 119; ++i)
    ASSERT_EQ(codes(talk.send("NOOP\r\n")), "250") << i << ": the greeting is one";
  EXPECT_EQ(codes(talk.send("NOOP\r\n")), "250 421");
  Conversation busy;  // a message in between begins the count anew
  for (int i = 0; i < 5; ++i) {
    busy.begin_message().send("DATA\r\nx\r\n.\r\n");
    for (int k = 0; k < 60; ++k) EXPECT_EQ(codes(busy.send("RSET\r\n")), "250");
  }
}

TEST(CommandStream, RefusesForeignEarlyTalkersCase030) {
  Conversation talk{ServerSession("node1.example", test::foreign_client(), {})};
  EXPECT_EQ(talk.said(), "") << "not greeted before it was watched";
  EXPECT_THAT(talk.send("EHLO a\r\n"), StartsWith("554 5.5.0"));
  EXPECT_TRUE(talk.is_closed());
}

TEST(CommandStream, RefusesForeignContentBefore354Case031) {
  Conversation talk(test::foreign_client());  // a policy may let it relay all the same
  talk.said();
  const auto replies =
    talk.send("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n");
  EXPECT_THAT(replies, HasSubstr("554 5.5.0 SMTP protocol synchronization"));
  EXPECT_TRUE(talk.is_closed());
  EXPECT_TRUE(talk.messages().empty());
}

TEST(CommandStream, AnswersAGroupInOneWriteCase032) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")), "250 250 354");
}

TEST(CommandStream, ExecutesAGroupInOrderCase033) {
  Conversation talk;
  EXPECT_EQ(
    codes(talk.send("EHLO a\r\nNOOP\r\nMAIL FROM:<a@b>\r\nNOOP\r\nRSET\r\nRCPT TO:<c@d>\r\nQUIT\r\nNOOP\r\n")
    ),
    "220 250 250 250 250 250 503 221"
  );
}

TEST(CommandStream, RefusesCommandsOutOfOrderCase034) {
  Conversation talk;
  talk.said();
  EXPECT_THAT(talk.send("MAIL FROM:<a@b>\r\n"), StartsWith("503 5.5.1"));
  talk.send("EHLO a\r\n");
  EXPECT_THAT(talk.send("RCPT TO:<a@b>\r\n"), StartsWith("503 5.5.1"));
  EXPECT_THAT(talk.send("DATA\r\n"), StartsWith("503 5.5.1"));
  talk.send("MAIL FROM:<a@b>\r\n");
  EXPECT_THAT(talk.send("MAIL FROM:<a@b>\r\n"), StartsWith("503 5.5.1"));
  EXPECT_THAT(talk.send("DATA\r\n"), StartsWith("503 5.5.1"));
  talk.recipient_verdict = [](const auto&) { return Reply{550, EnhancedStatus{5, 7, 1}, "no"}; };
  talk.send("RCPT TO:<c@d>\r\n");
  EXPECT_THAT(talk.send("DATA\r\n"), StartsWith("554 5.5.1"));
}

TEST(CommandStream, RefusesArgumentsWhereNoneBelongCase035) {
  Conversation talk;
  talk.begin_message();
  for (const auto* line : {"DATA x\r\n", "RSET x\r\n", "QUIT x\r\n"})
    EXPECT_THAT(talk.send(line), StartsWith("501 5.5.4"));
  EXPECT_EQ(codes(talk.send("DATA\r\n")), "354") << "the transaction is still open";
}

TEST(CommandStream, ClosesOnOtherProtocolsCase036) {
  for (const auto* line :
       {"GET / HTTP/1.1\r\n", "CONNECT a:25 HTTP/1.1\r\n", "POST / HTTP/1.0\r\n", "Subject: x\r\n"}) {
    Conversation first;
    EXPECT_EQ(codes(first.send(line)), "220 500") << line;
    EXPECT_TRUE(first.is_closed()) << line;
    Conversation later;
    later.send("EHLO a\r\n");
    later.send(line);
    EXPECT_TRUE(later.is_closed()) << line;
  }
}

TEST(CommandStream, ClosesWhenTheFirstLineIsNoVerb) {
  for (const auto& client : {test::allowed_client(), test::foreign_client()}) {
    for (const std::string line : {"\r\n", "XYZZY\r\n", "\x16\x03\x01\x02\x01\r\n"}) {
      Conversation talk(client);
      talk.send(line);
      EXPECT_TRUE(talk.is_closed()) << line;
    }
  }
}

TEST(CommandStream, LeavesTheTransactionAloneOnVrfyAndItsKindCase037) {
  Conversation talk;
  talk.begin_message();
  EXPECT_EQ(codes(talk.send("VRFY b\r\n")), "252");
  EXPECT_EQ(codes(talk.send("EXPN list\r\n")), "502");
  EXPECT_EQ(codes(talk.send("HELP\r\n")), "214");
  EXPECT_EQ(codes(talk.send("ETRN x\r\n")), "502");
  EXPECT_EQ(codes(talk.send("TURN\r\n")), "502");
  EXPECT_EQ(codes(talk.send("DATA\r\nx\r\n.\r\n")), "354 250");
}

TEST(CommandStream, NeverRunsTheContentOfADataThatIsNotExecutedAsCommands) {
  const std::string evil = "Dear Sir\r\nMAIL FROM:<evil@example.com>\r\n";
  for (const std::string line : {"DATA\n", "DATA \x01\r\n"}) {
    Conversation ahead(test::foreign_client());
    ahead.said();
    ahead.send("EHLO a\r\n");
    EXPECT_EQ(codes(ahead.send(line + evil)), "500") << "sent ahead";
    EXPECT_TRUE(ahead.is_closed());
    Conversation waiting(test::foreign_client());
    waiting.said();
    waiting.send("EHLO a\r\n");
    EXPECT_EQ(codes(waiting.send(line)), "500");
    EXPECT_EQ(codes(waiting.send(evil)), "500") << "sent all the same";
    EXPECT_TRUE(waiting.is_closed());
  }
}

TEST(CommandStream, NeverRunsTheContentOfARefusedDataAsCommands) {
  const std::string content =
    "Subject: x\r\nRSET\r\nMAIL FROM:<evil@example.com>\r\nRCPT "
    "TO:<victim@d>\r\nDATA\r\ngotcha\r\n.\r\nQUIT\r\n";
  Conversation at_once;  // all in one segment
  at_once.recipient_verdict = [&](const auto& to) {
    return to.to_text() == "victim@d" ? std::nullopt
                                      : std::optional(Reply{550, EnhancedStatus{5, 7, 1}, "no"});
  };
  at_once.send("HELO 1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + content);
  EXPECT_TRUE(at_once.is_closed());
  EXPECT_TRUE(at_once.messages().empty());
  EXPECT_EQ(at_once.asked_recipients(), std::vector<std::string>{"c@d"});

  Conversation in_two;  // its content comes a segment later
  in_two.recipient_verdict = at_once.recipient_verdict;
  in_two.send("HELO 1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  EXPECT_TRUE(in_two.is_closed()) << "it sent ahead of HELO's answer: what follows is content";

  Conversation by_line;  // waits for HELO's answer only
  by_line.recipient_verdict = at_once.recipient_verdict;
  by_line.send("HELO 1\r\n");
  by_line.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  EXPECT_TRUE(by_line.is_closed()) << "after HELO nobody may send ahead";

  Conversation polite;  // waits for 554, as RFC 2920 has it
  polite.recipient_verdict = at_once.recipient_verdict;
  polite.send("EHLO a\r\n");
  EXPECT_EQ(codes(polite.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")), "250 550 554");
  EXPECT_EQ(codes(polite.send("RSET\r\n")), "250");

  Conversation lost;  // pipelined within its rights, then sends content all the same
  lost.recipient_verdict = at_once.recipient_verdict;
  lost.send("EHLO a\r\n");
  lost.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  lost.send("Hello there\r\nMAIL FROM:<evil@example.com>\r\n");
  EXPECT_TRUE(lost.is_closed());
}

TEST(CommandStream, LetsNobodyClaimAnotherAddressCase070) {
  for (const auto* line :
       {"XCLIENT ADDR=10.1.40.70\r\n", "XFORWARD ADDR=10.1.40.70\r\n",
        "PROXY TCP4 10.1.40.70 10.1.40.60 1 25\r\n"}) {
    Conversation talk(test::foreign_client());
    talk.said();
    EXPECT_THAT(talk.send(line), StartsWith("550 5.7.1"));
    EXPECT_TRUE(talk.is_closed());
  }
}

TEST(CommandStream, TakesAProxyV2HeaderFromAStrangerForGarbageCase070) {
  Conversation talk(test::foreign_client());
  talk.said();
  talk.send(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16));
  EXPECT_TRUE(talk.is_closed());
  EXPECT_EQ(talk.close_reason(), "not an SMTP command");
}

// ---- C. addresses ----

TEST(Addresses, OfForeignClientsFollowTheGrammarCase040) {
  Conversation talk(test::foreign_client());
  talk.send("EHLO a\r\n");
  for (const auto* path : {" <a@b>", "a@b", "<a b@c>", "<a@b@c>", "<@>", "<user@>", "<@d>", "a@b>", "<a@b"}) {
    EXPECT_THAT(talk.send("MAIL FROM:" + std::string(path) + "\r\n"), StartsWith("501 5.1.7")) << path;
  }
}

TEST(Addresses, OfAllowedClientsMayBeBareOrSpacedCase040) {
  for (const auto* path : {" <a@b>", "a@b", " a@b", "<a@b>", "  <a@b> "}) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    EXPECT_EQ(codes(talk.send("MAIL FROM:" + std::string(path) + "\r\n")), "250") << path;
  }
}

TEST(Addresses, MayBeNullForTheSenderOnlyCase039) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<>\r\n")), "250");
  EXPECT_THAT(talk.send("RCPT TO:<>\r\n"), StartsWith("501 5.1.3"));
}

TEST(Addresses, AcceptPostmasterFromAStrangerToo) {
  Conversation talk(test::foreign_client());
  talk.send("EHLO a\r\n");
  talk.send("MAIL FROM:<a@example.com>\r\n");
  EXPECT_EQ(codes(talk.send("RCPT TO:<Postmaster>\r\n")), "250") << "the grammar; whether it may is policy's";
}

TEST(Addresses, AcceptPostmasterWithoutADomainAsRecipient) {
  Conversation talk;
  talk.begin_message();
  EXPECT_EQ(codes(talk.send("RCPT TO:<Postmaster>\r\n")), "250");
  EXPECT_EQ(codes(talk.send("RSET\r\nMAIL FROM:<postmaster>\r\n")), "250 501");
}

TEST(Addresses, AreRelayedWithoutTheirSourceRoute) {
  Conversation talk;
  talk.send("EHLO a\r\nMAIL FROM:<@one.example,@two.example:a@b>\r\n");
  talk.send("RCPT TO:<@srv.example:to@example.net>\r\nDATA\r\nx\r\n.\r\n");
  EXPECT_EQ(talk.messages().front().envelope.reverse_path.to_text(), "a@b");
  EXPECT_EQ(talk.messages().front().envelope.recipients.front().to_text(), "to@example.net");
}

TEST(Addresses, BeyondAsciiNeedSmtputf8Case051) {
  const std::string sender = "\xc3\xbcser@example.com";
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_THAT(talk.send("MAIL FROM:<" + sender + ">\r\n"), StartsWith("553 5.6.7"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> SMTPUTF8=1\r\n"), StartsWith("501 5.5.4"));
  EXPECT_EQ(codes(talk.send("MAIL FROM:<a@b>\r\n")), "250");
  EXPECT_THAT(
    talk.send("RCPT TO:<c@b\xc3\xbc"
              "cher.example>\r\n"),
    StartsWith("553 5.6.7")
  );
  EXPECT_THAT(talk.send("RCPT TO:<c@d> ORCPT=utf-8;\xc3\xbc@d\r\n"), StartsWith("501 5.5.4"))
    << "nor an ORCPT";
  talk.send("RSET\r\n");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<" + sender + "> SMTPUTF8 BODY=8BITMIME\r\n")), "250");
  EXPECT_EQ(
    codes(talk.send("RCPT TO:<c@b\xc3\xbc"
                    "cher.example>\r\n")),
    "250"
  );
  talk.send("DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  const auto& envelope = talk.messages().front().envelope;
  EXPECT_TRUE(envelope.smtputf8);
  EXPECT_EQ(envelope.reverse_path.to_text(), sender);
  EXPECT_EQ(
    envelope.recipients.front().domain(),
    "b\xc3\xbc"
    "cher.example"
  );
}

TEST(Addresses, ThatAreNoUtf8AreSyntaxErrorsCase051) {
  const std::vector<std::string> broken{"\xc0\xaf@d",     "\xe0\x80\xaf@d", "\xed\xa0\x80@d",
                                        "\xff@d",         "\xc3@d",         std::string("a\0b@d", 5),
                                        "a@\xc3\xbc\x80", "a\x07@d",        "\xc2\x85@d",
                                        "a@\xc0\xaf"};
  for (const auto& path : broken) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    EXPECT_THAT(talk.send("MAIL FROM:<" + path + ">\r\n"), StartsWith("501 5.1.7")) << path;
    EXPECT_THAT(talk.send("MAIL FROM:<" + path + "> SMTPUTF8\r\n"), StartsWith("501 5.1.7")) << path;
    talk.send("MAIL FROM:<a@b> SMTPUTF8\r\n");
    EXPECT_THAT(talk.send("RCPT TO:<" + path + ">\r\n"), StartsWith("501 5.1.3")) << path;
  }
}

TEST(Addresses, NeedSmtputf8FurtherOnOnlyWhenSomethingIsBeyondAsciiCase051) {
  const auto needs = [](const std::string& parameters, const std::string& content) {
    Conversation talk;
    talk.send("EHLO a\r\nMAIL FROM:<a@b>" + parameters + "\r\nRCPT TO:<c@d>\r\nDATA\r\n" + content + ".\r\n");
    return talk.messages().at(0).envelope.smtputf8;
  };
  EXPECT_FALSE(needs(" SMTPUTF8", "Subject: x\r\n\r\nbody \xc3\xbc\r\n"));
  EXPECT_FALSE(needs(" SMTPUTF8", "no header \xc3\xbc\r\n"));
  EXPECT_TRUE(needs(" SMTPUTF8", "Subject: \xc3\xbc\r\n\r\nbody\r\n"));
  EXPECT_FALSE(needs("", "Subject: \xc3\xbc\r\n\r\nbody\r\n")) << "nobody declared it: it goes as it came";
}

TEST(Parameters, AreCheckedOneByOneCase042) {
  const auto answer = [](const std::string& parameters) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    return talk.send("MAIL FROM:<a@b>" + parameters + "\r\n").substr(0, 9);
  };
  EXPECT_EQ(answer(" SIZE=100 BODY=8BITMIME"), "250 2.1.0");
  EXPECT_EQ(answer(" ="), "555 5.5.4");
  EXPECT_EQ(answer(" \" ="), "555 5.5.4");
  EXPECT_EQ(answer(" SIZE"), "501 5.5.4");
  EXPECT_EQ(answer(" SIZE="), "501 5.5.4");
  EXPECT_EQ(answer(" SIZE=1 SIZE=1"), "501 5.5.4");
  EXPECT_EQ(answer(" BODY=9BIT"), "501 5.5.4");
  EXPECT_EQ(answer(" AUTH=<>"), "555 5.5.4");
  EXPECT_EQ(answer("SIZE=1"), "501 5.1.7");
  std::string many;
  for (int i = 0; i < 300; ++i) many += " P" + std::to_string(i);
  EXPECT_EQ(answer(many), "501 5.5.4");
}

std::string rcpt_answer(const std::string& parameters) {
  Conversation talk;
  talk.send("EHLO a\r\nMAIL FROM:<a@b>\r\n");
  return talk.send("RCPT TO:<c@d>" + parameters + "\r\n").substr(0, 9);
}

TEST(Parameters, OfRcptAreCheckedOneByOneCase042) {
  EXPECT_EQ(rcpt_answer(" NOTIFY=SUCCESS,failure,Delay ORCPT=rfc822;c@d"), "250 2.1.5");
  EXPECT_EQ(rcpt_answer(" NOTIFY=NEVER"), "250 2.1.5");
  for (const auto* wrong :
       {" NOTIFY", " NOTIFY=", " NOTIFY=NEVER,SUCCESS", " NOTIFY=SUCCESS,SUCCESS", " NOTIFY=SUCCESS,",
        " NOTIFY=,", " NOTIFY=ALWAYS", " NOTIFY=NEVER NOTIFY=NEVER", " ORCPT", " ORCPT=", " ORCPT=rfc822",
        " ORCPT=rfc822;", " ORCPT=;c@d", " ORCPT=rf(c;c@d"}) {
    EXPECT_EQ(rcpt_answer(wrong), "501 5.5.4") << wrong;
  }
  EXPECT_EQ(rcpt_answer(" RET=FULL"), "555 5.5.4") << "belongs to MAIL";
  std::string many;
  for (int i = 0; i < 300; ++i) many += " P" + std::to_string(i);
  EXPECT_EQ(rcpt_answer(many), "501 5.5.4");
}

TEST(Parameters, CarryNoLineBreakCase043) {
  for (const auto* octets : {"+0D+0A", "x+0Ay", "+00", "a+0D"}) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    EXPECT_THAT(talk.send("MAIL FROM:<a@b> ENVID=" + std::string(octets) + "\r\n"), StartsWith("501 5.5.4"));
    EXPECT_EQ(rcpt_answer(" ORCPT=rfc822;" + std::string(octets)), "501 5.5.4") << octets;
  }
}

TEST(Parameters, HoldXtextWithinItsLimitsCase044) {
  const auto mail_answer = [](const std::string& id) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    return talk.send("MAIL FROM:<a@b> ENVID=" + id + "\r\n").substr(0, 9);
  };
  for (const auto* wrong : {"+G1", "+", "a+2", "+2b", "a=b", ""}) {
    EXPECT_EQ(mail_answer(wrong), "501 5.5.4") << wrong;
    EXPECT_EQ(rcpt_answer(" ORCPT=rfc822;" + std::string(wrong)), "501 5.5.4") << wrong;
  }
  EXPECT_EQ(mail_answer(std::string(100, 'x')), "250 2.1.0");
  EXPECT_EQ(mail_answer(std::string(101, 'x')), "501 5.5.4");
  std::string encoded;
  for (int i = 0; i < 100; ++i) encoded += "+2B";
  EXPECT_EQ(mail_answer(encoded), "250 2.1.0") << "what counts is the length when decoded";
  EXPECT_EQ(rcpt_answer(" ORCPT=rfc822;" + std::string(493, 'x')), "250 2.1.5");
  EXPECT_EQ(rcpt_answer(" ORCPT=rfc822;" + std::string(494, 'x')), "501 5.5.4");
}

TEST(Parameters, OfReportsStandInTheEnvelopeAsReceived) {
  Conversation talk;
  talk.send("EHLO a\r\nMAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B1\r\n");
  talk.send("RCPT TO:<plain@d>\r\nRCPT TO:<c@d> NOTIFY=FAILURE,DELAY ORCPT=rfc822;user+2Bx@example.org\r\n");
  talk.send("RCPT TO:<c@d> NOTIFY=NEVER\r\nRCPT TO:<plain@d> NOTIFY=NEVER\r\nRCPT TO:<last@d>\r\n");
  talk.send("DATA\r\nx\r\n.\r\n");
  const auto& dsn = talk.messages().front().envelope.dsn;
  EXPECT_EQ(dsn.ret, mail::Ret::headers);
  EXPECT_EQ(dsn.envelope_id, "QQ+2B1");
  ASSERT_EQ(dsn.recipients.size(), 3U);
  EXPECT_TRUE(dsn.recipients[0].notify.never) << "it had said nothing before";
  EXPECT_EQ(mail::to_text(dsn.recipients[1].notify), "FAILURE,DELAY") << "what it said first holds";
  EXPECT_EQ(dsn.recipients[1].original_recipient, "rfc822;user+2Bx@example.org");
  EXPECT_TRUE(dsn.recipients[2].is_unset());

  talk.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
  EXPECT_EQ(talk.messages().back().envelope.dsn, mail::DsnRequest{}) << "nothing is left of the last message";
}

TEST(Parameters, OfARefusedRecipientAreForgotten) {
  Conversation talk;
  talk.recipient_verdict = [](const auto& to) {
    return to.domain() == "refused" ? std::optional(Reply{550, EnhancedStatus{5, 7, 1}, "no"}) : std::nullopt;
  };
  talk.send("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@refused> NOTIFY=NEVER\r\nRCPT TO:<c@d>\r\n");
  talk.send("DATA\r\nx\r\n.\r\n");
  EXPECT_TRUE(talk.messages().front().envelope.dsn.recipients.empty());
}

TEST(Sessions, RelayNothingForTheSixteenOpenRelayFormsCase069) {
  const std::vector<std::string> forms{
    "<user@example.net>",
    "<user%example.net@[10.1.40.60]>",
    "<user%example.net@node1.example>",
    "<\"user@example.net\">",
    "<\"user%example.net\">",
    "<user@example.net@[10.1.40.60]>",
    "<\"user@example.net\"@[10.1.40.60]>",
    "<user@example.net@node1.example>",
    "<@[10.1.40.60]:user@example.net>",
    "<@node1.example:user@example.net>",
    "<example.net!user>",
    "<example.net!user@[10.1.40.60]>",
    "<example.net!user@node1.example>",
    "<user%example.net>",
    "<user@[203.0.113.1]>",
    "<\"user%example.net\"@node1.example>"
  };
  for (const auto* sender : {"<>", "<spam@example.com>", "<spam@node1.example>", "<spam@[10.1.40.60]>"}) {
    Conversation talk(test::foreign_client(), ServerLimits{.max_errors = 100});
    talk.recipient_verdict = [](const auto&) {
      return Reply{550, EnhancedStatus{5, 7, 1}, "Relaying denied"};
    };
    talk.send("EHLO a\r\nMAIL FROM:" + std::string(sender) + "\r\n");
    for (const auto& form : forms)
      EXPECT_THAT(talk.send("RCPT TO:" + form + "\r\n"), StartsWith("5")) << form;
    EXPECT_EQ(codes(talk.send("DATA\r\n")), "554");
    EXPECT_TRUE(talk.messages().empty());
  }
}

TEST(Sessions, RefuseWhatThePolicyRefusesCase068) {
  Conversation talk(test::foreign_client());
  talk.recipient_verdict = [](const auto&) { return Reply{550, EnhancedStatus{5, 7, 1}, "Relaying denied"}; };
  talk.send("EHLO a\r\n");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<a@b>\r\n")), "250");
  EXPECT_THAT(talk.send("RCPT TO:<c@d>\r\n"), StartsWith("550 5.7.1 Relaying denied"));
}

// ---- F. content ----

TEST(Content, OfAClientThatVanishesIsForgottenCase073Case075) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n" + std::string(200'000, 'x') + "\r\nalmost done\r\n.\r");
  EXPECT_TRUE(talk.has_unfinished_message()) << "the driver lets go of it when the session closes";
  talk.event(server_event::Ended{});
  EXPECT_TRUE(talk.is_closed());
  EXPECT_TRUE(talk.messages().empty());
}

TEST(Content, MayEndAtEveryOctetWithoutHarmCase076) {
  const auto stream = with_crlf(kQuickTest);
  const auto end_of_data = stream.find("\r\n.\r\n") + 5;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Conversation talk;
    talk.send(stream.substr(0, cut));
    if (!talk.is_closed()) talk.event(server_event::Ended{});
    EXPECT_TRUE(talk.is_closed());
    EXPECT_EQ(talk.messages().size(), cut >= end_of_data ? 1U : 0U) << cut;
  }
}

TEST(Content, LargerThanAnnouncedOrAllowedIsRefusedCase077) {
  ServerLimits limits;
  limits.max_message_size = Octets{100'000};
  Conversation talk(test::allowed_client(), limits);
  talk.send("EHLO a\r\n");
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> SIZE=100001\r\n"), StartsWith("552 5.3.4"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> SIZE=abc\r\n"), StartsWith("501 5.5.4"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> SIZE=99999999999999999999999\r\n"), StartsWith("501 5.5.4"));
  talk.send("MAIL FROM:<a@b> SIZE=5\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  EXPECT_EQ(codes(talk.send("A: b\r\n\r\n" + std::string(50'000, 'x') + "\r\n.\r\n")), "250")
    << "SIZE does not end data";
  talk.send("MAIL FROM:<a@b> SIZE=5\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  EXPECT_THAT(talk.send("\r\n" + std::string(100'001, 'x') + "\r\n.\r\n"), StartsWith("552 5.3.4"));
}

TEST(Content, OverTheLimitIsSwallowedToItsEndCase078) {
  ServerLimits limits;
  limits.max_message_size = Octets{100'000};
  Conversation talk(test::allowed_client(), limits);
  talk.begin_message().send("DATA\r\n");
  EXPECT_EQ(talk.send(std::string(150'000, 'x')), "") << "no answer before the end of data";
  EXPECT_FALSE(talk.has_unfinished_message()) << "nothing of it stays stored";
  EXPECT_THAT(talk.send("\r\nMAIL FROM:<evil@x>\r\n.\r\n"), StartsWith("552 5.3.4"));
  EXPECT_EQ(codes(talk.send("MAIL FROM:<a@b>\r\n")), "250") << "the session is usable";
  EXPECT_TRUE(talk.messages().empty());

  Conversation endless(test::allowed_client(), limits);
  endless.begin_message().send("DATA\r\n");
  EXPECT_EQ(codes(endless.send(std::string(3'000'000, 'x'))), "552");
  EXPECT_EQ(endless.close_reason(), "went on and on");
}

TEST(Content, CountsAnMboxLineToTheSizeCase078) {
  const std::string from = "From x@y Thu Jan  1 00:00:00 2026\r\n";
  const std::string rest = "Subject: x\r\n\r\nbody\r\n";
  ServerLimits limits;
  limits.max_message_size = Octets{from.size() + rest.size() + 2};  // and the empty line that goes before it
  Conversation fits(test::allowed_client(), limits);
  EXPECT_EQ(codes(fits.begin_message().send("DATA\r\n" + from + rest + ".\r\n")), "354 250");
  limits.max_message_size = Octets{from.size() + rest.size() + 1};
  Conversation does_not(test::allowed_client(), limits);
  EXPECT_EQ(codes(does_not.begin_message().send("DATA\r\n" + from + rest + ".\r\n")), "354 552");
}

TEST(Content, ThatTricklesIsEndedCase080) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  EXPECT_EQ(talk.timeout(), 5min);
  for (int i = 0; i < 299 && !talk.is_closed(); ++i) talk.send("x", 1s);
  EXPECT_LT(talk.timeout(), 2s) << "five minutes of credit are used up at one octet a second";
  EXPECT_THAT(talk.event(server_event::TimedOut{}), StartsWith("421 4.4.2"));
  Conversation steady;
  steady.begin_message().send("DATA\r\n");
  for (int i = 0; i < 1000; ++i) steady.send(std::string(600, 'x') + "\r\n", 1s);
  EXPECT_EQ(steady.timeout(), 5min);
}

TEST(Content, MayHoldLongLinesUpToAMebibyteCase082) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  const std::string line(1'000'000, 'x');
  EXPECT_EQ(codes(talk.send("A: b\r\n\r\n" + line + "\r\n.\r\n")), "250");
  EXPECT_EQ(talk.messages().front().content, "A: b\r\n\r\n" + line + "\r\n");
  talk.begin_message().send("DATA\r\n");
  EXPECT_THAT(
    talk.send("A: b\r\n\r\n" + std::string(10'000'000, 'x') + "\r\n.\r\n"), StartsWith("554 5.6.0")
  );
}

TEST(Content, IsNeverHeldBeyond64KiB) {
  for (const std::string& unit : {std::string("x"), std::string("\n"), std::string("line\r\n")}) {
    Conversation talk;
    talk.begin_message().send("DATA\r\nA: b\r\n\r\n");
    std::string content;
    while (content.size() < 300'000) content += unit;
    talk.send(content + "\r\n.\r\n");
    ASSERT_EQ(talk.messages().size(), 1U);
    EXPECT_LE(talk.largest_chunk() + kReadSize, 64U << 10U);
  }
}

TEST(Content, IsForgottenWithItsTransactionCase083) {
  for (const auto* line : {"RSET\r\n", "EHLO again\r\n", "HELO again\r\n"}) {
    Conversation talk;
    talk.begin_message();
    EXPECT_EQ(codes(talk.send(line)), "250");
    EXPECT_EQ(codes(talk.send("DATA\r\n")), "503") << line;
  }
  Conversation talk;
  talk.begin_message();
  EXPECT_EQ(codes(talk.send("QUIT\r\n")), "221");
  EXPECT_TRUE(talk.messages().empty());
}

TEST(Content, WithAHugeHeaderIsRefusedCase084) {
  const auto answer = [](const std::string& content) {
    Conversation talk;
    talk.begin_message().send("DATA\r\n");
    return talk.send(content + ".\r\n").substr(0, 9);
  };
  EXPECT_EQ(answer("A: " + std::string(100'000, 'x') + "\r\n\r\n"), "250 2.0.0");
  EXPECT_EQ(answer("A: " + std::string(1'000'000, 'x') + "\r\n\r\n"), "552 5.3.4");
  std::string many;
  for (int i = 0; i < 1'000'000; ++i) many += "A:\r\n";
  EXPECT_EQ(answer(many), "552 5.3.4");
}

TEST(Content, ThatLoopsIsRefusedCase087Case088) {
  Conversation talk;
  talk.begin_message().send("DATA\r\n");
  std::string hops;
  for (int i = 0; i < 100; ++i) hops += "Received: from a by b; date\r\n";
  EXPECT_THAT(talk.send(hops + "\r\nx\r\n.\r\n"), StartsWith("554 5.4.6"));
  talk.begin_message().send("DATA\r\n");
  std::string own;
  for (int i = 0; i < 10; ++i) own += "Received: from a\r\n by node1.example with ESMTP; date\r\n";
  EXPECT_THAT(talk.send(own + "\r\nx\r\n.\r\n"), StartsWith("554 5.4.6"));
  EXPECT_TRUE(talk.messages().empty());
}

TEST(Content, ThatCannotBeStoredIsRefusedWithWhatFits) {
  Conversation full;
  full.commit_error = Error{Errc::storage_full, Fate::transient, "no space left on /var/spool"};
  full.begin_message();
  const auto replies = full.send("DATA\r\nx\r\n.\r\n");
  EXPECT_THAT(replies, HasSubstr("452 4.3.1"));
  EXPECT_THAT(replies, Not(HasSubstr("/var/spool"))) << "the cause stays with us";
  full.commit_error = Error{Errc::storage_failed, Fate::terminal, "EIO"};
  EXPECT_THAT(full.begin_message().send("DATA\r\nx\r\n.\r\n"), HasSubstr("451 4.3.0"));
  full.commit_error.reset();
  EXPECT_THAT(full.begin_message().send("DATA\r\nx\r\n.\r\n"), HasSubstr("250 2.0.0"))
    << "the session is usable";

  Conversation early;  // the first chunk already fails
  early.storing = transient(Errc::storage_full, "no space");
  early.begin_message().send("DATA\r\n" + std::string(100'000, 'x'));
  EXPECT_THAT(early.send("\r\n.\r\n"), StartsWith("452 4.3.1"));
  EXPECT_FALSE(early.has_unfinished_message());
}

// ---- ends ----

TEST(Ends, SilenceIsAnsweredWith421) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_EQ(talk.timeout(), 5min);
  EXPECT_THAT(talk.event(server_event::TimedOut{}), StartsWith("421 4.4.2"));
  EXPECT_TRUE(talk.is_closed());
}

TEST(Ends, ALineHasTheTimeOfSilenceFromItsFirstOctetOnCase081) {
  Conversation talk;
  talk.send("EHLO a\r\n", 299s);
  talk.send("N", 299s);
  EXPECT_EQ(talk.timeout(), 5min) << "until a line begins";
  talk.send("O", 200s);
  EXPECT_EQ(talk.timeout(), 100s);
  EXPECT_EQ(codes(talk.send("OP\r\nNO", 99s)), "250");
  EXPECT_EQ(talk.timeout(), 5min) << "the next one";
  for (int i = 0; i < 299; ++i) EXPECT_EQ(talk.send("x", 1s), "");
  EXPECT_EQ(talk.timeout(), 1s);
  EXPECT_THAT(talk.send("x", 1s), StartsWith("421 4.4.2")) << "there is always an octet to read";
  EXPECT_TRUE(talk.is_closed());
}

TEST(Ends, ASessionWithoutAMessageIsNotForEverCase081) {
  Conversation talk;
  talk.begin_message();
  for (int i = 0; i < 14; ++i) EXPECT_EQ(codes(talk.send("RSET\r\n", 250s)), "250");
  EXPECT_EQ(talk.timeout(), 100s) << "of an hour";
  talk.begin_message().send("DATA\r\nx\r\n.\r\n", 50s);
  EXPECT_EQ(talk.timeout(), 5min) << "a message begins it anew";
  for (int i = 0; i < 14; ++i) talk.send("RSET\r\n", 250s);
  EXPECT_THAT(talk.event(server_event::TimedOut{}), StartsWith("421 4.4.2"));
}

TEST(Ends, ALineThatIsTooLongHasNoMoreTimeThanOthersCase081) {
  Conversation talk;
  EXPECT_EQ(codes(talk.send(std::string(kMaxCommandLine, 'x'))), "220 500");
  for (int i = 0; i < 5; ++i) talk.send("x", 50s);
  EXPECT_EQ(talk.timeout(), 50s);
  EXPECT_EQ(talk.send("\r\n", 40s), "");
  EXPECT_EQ(talk.timeout(), 5min);
  talk.send(std::string(kMaxCommandLine, 'x'));
  EXPECT_THAT(talk.send("x", 5min), StartsWith("421 4.4.2"));
}

TEST(Ends, LinesBetweenChunksHaveTheirTimeAsWellCase081) {
  ServerLimits limits;
  limits.min_data_rate = 1;
  Conversation talk(test::allowed_client(), limits);
  talk.begin_message().send("BDAT 1\r\nx");
  talk.send("N", 10s);
  EXPECT_EQ(talk.timeout(), 291s) << "of content, which has earned one";
  for (int i = 0; i < 280; ++i) talk.send("x", 1s);
  EXPECT_EQ(talk.timeout(), 20s) << "of the line";
}

TEST(Ends, WhatThrowsIsAnsweredWith421BehindWhatWasSaidCase113) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  EXPECT_EQ(
    talk.event(server_event::Failed{}), "421 4.3.0 node1.example Internal error, try again later\r\n"
  );
  EXPECT_TRUE(talk.is_closed());
  ServerSession session("node1.example", test::allowed_client(), {});
  static_cast<void>(session.resume(server_event::Opened{}));
  static_cast<void>(session.resume(server_event::Written{}));
  // MAIL is being judged, and EHLO is not answered yet.
  static_cast<void>(session.resume(server_event::Received{"EHLO a\r\nMAIL FROM:<a@b>\r\n", {}}));
  const auto step = session.resume(server_event::Failed{});
  ASSERT_TRUE(std::holds_alternative<server_step::Write>(step));
  EXPECT_EQ(codes(std::get<server_step::Write>(step).octets), "250 421");
  EXPECT_TRUE(std::holds_alternative<server_step::Close>(session.resume(server_event::Written{})));
}

TEST(Ends, StoppingClosesIdleSessionsAndLetsTransactionsFinish) {
  Conversation idle;
  idle.send("EHLO a\r\n");
  EXPECT_THAT(idle.event(server_event::Stopping{}), StartsWith("421 4.3.2"));
  Conversation busy;
  busy.begin_message().send("DATA\r\nhalf");
  EXPECT_EQ(busy.event(server_event::Stopping{}), "");
  EXPECT_EQ(codes(busy.send("\r\n.\r\n")), "250 421");
  EXPECT_EQ(busy.messages().size(), 1U);
}

TEST(Ends, ARefusedClientIsToldWhyAndClosed) {
  Conversation talk{
    ServerSession("node1.example", Reply{421, EnhancedStatus{4, 3, 2}, "Too many connections"})
  };
  EXPECT_THAT(talk.said(), StartsWith("421 4.3.2 Too many connections"));
  EXPECT_TRUE(talk.is_closed());
}

TEST(Ehlo, OffersWhatIsServedAndNothingElse) {
  Conversation talk;
  talk.said();
  EXPECT_EQ(
    talk.send("EHLO a\r\n"),
    "250-node1.example\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
    "250-DSN\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"
  );
  EXPECT_EQ(talk.send("HELO a\r\n"), "250 node1.example\r\n");
  EXPECT_EQ(codes(talk.send("EHLO\r\n")), "501");
  for (const auto* line : {"STARTTLS\r\n", "AUTH PLAIN AAA=\r\n"})
    EXPECT_THAT(talk.send(line), StartsWith("502 5.5.1"));
}

}  // namespace
}  // namespace relay::smtp
