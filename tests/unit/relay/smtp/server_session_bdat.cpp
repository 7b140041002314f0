#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "relay/smtp/server_session.hpp"
#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kBegin = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n";

std::string chunk(std::string_view octets) {
  return "BDAT " + std::to_string(octets.size()) + "\r\n" + std::string(octets);
}
std::string last_chunk(std::string_view octets) {
  return "BDAT " + std::to_string(octets.size()) + " LAST\r\n" + std::string(octets);
}
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
ServerLimits at_most(std::uint64_t octets) {
  ServerLimits limits;
  limits.max_message_size = Octets{octets};
  return limits;
}
/// What is stored of one message in one chunk.
std::string stored(std::string_view octets) {
  Conversation talk;
  talk.begin_message();
  EXPECT_EQ(codes(talk.send(last_chunk(octets))), "250");
  return talk.messages().empty() ? "" : talk.messages().front().content;
}

TEST(Bdat, CarriesAMessageInOneChunkOrMany) {
  Conversation talk;
  talk.begin_message();
  EXPECT_THAT(talk.send(last_chunk("A: b\r\n\r\none\r\n")), StartsWith("250 2.0.0 OK queued as "));
  talk.begin_message();
  EXPECT_EQ(talk.send("BDAT 7\r\nA: b\r\n\r"), "250 2.0.0 7 octets received\r\n");
  EXPECT_EQ(talk.send("BDAT 6\r\n\n.\r\nab"), "250 2.0.0 6 octets received\r\n");
  EXPECT_THAT(talk.send("bdat 2 last\r\n\r\n"), StartsWith("250 2.0.0 OK queued as "));
  EXPECT_EQ(codes(talk.send("QUIT\r\n")), "221");
  ASSERT_EQ(talk.messages().size(), 2U);
  EXPECT_EQ(talk.messages()[0].content, "A: b\r\n\r\none\r\n");
  EXPECT_EQ(talk.messages()[1].content, "A: b\r\n\r\n.\r\nab\r\n");
  EXPECT_EQ(talk.messages()[1].envelope.size, talk.messages()[1].content.size());
}

TEST(Bdat, MayBePipelinedWithAllThatStandsBeforeAndBehind) {
  const auto group = std::string(kBegin) + chunk("A: b\r\n") + chunk("\r\n.\r\n") + "BDAT 0 LAST\r\n" +
                     std::string(kBegin) + last_chunk("C: d\r\n") + "QUIT\r\n";
  for (std::size_t size = 1; size < 40; ++size) {
    for (const auto& client : {test::allowed_client(), test::foreign_client()}) {
      Conversation talk(client);
      talk.said();
      talk.send("EHLO a\r\n");
      EXPECT_EQ(codes(talk.send_in_pieces(group, size)), "250 250 250 250 250 250 250 250 221") << size;
      ASSERT_EQ(talk.messages().size(), 2U);
      EXPECT_EQ(talk.messages()[0].content, "A: b\r\n\r\n.\r\n");
      EXPECT_EQ(talk.messages()[1].content, "C: d\r\n");
    }
  }
}

TEST(Bdat, KeepsContentAsDataDoes) {
  EXPECT_EQ(stored("A: b\n\nbare\rends\r\r\n"), "A: b\r\n\r\nbare\r\nends\r\n\r\n");
  EXPECT_EQ(stored("no field\r\n"), "\r\nno field\r\n");
  EXPECT_EQ(stored("A: b\r\n\r\nno end"), "A: b\r\n\r\nno end\r\n");
  EXPECT_EQ(stored(""), "");
  EXPECT_EQ(
    stored(std::string("A: b\r\n\r\n\0.\0\r\n\xff", 14)), std::string("A: b\r\n\r\n\0.\0\r\n\xff\r\n", 16)
  );
}

TEST(Bdat, NotesInTheEnvelopeWhatDataNotes) {
  ServerLimits limits;
  limits.bulk_headers = std::make_shared<const std::vector<std::string>>(1, "Precedence: bulk");
  Conversation talk(test::allowed_client(), limits);
  talk.send("EHLO a\r\nMAIL FROM:<a@b> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<c@d>\r\n");
  talk.send(
    chunk("Precedence: bu") + chunk("lk\r\nMessage-ID: <1@a") + last_chunk(">\r\nSubject: \xc3\xbc\r\n")
  );
  ASSERT_EQ(talk.messages().size(), 1U);
  const auto& envelope = talk.messages().front().envelope;
  EXPECT_TRUE(envelope.is_bulk);
  EXPECT_TRUE(envelope.smtputf8);
  EXPECT_EQ(envelope.message_id, "<1@a>");
  EXPECT_EQ(envelope.body, mail::Body::eight_bit_mime);
}

/// Nothing in a chunk ends it: what a client hides in it goes on as content.
TEST(Bdat, HoldsNoEndOfDataCase016) {
  for (const auto* end : {"\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r"}) {
    Conversation talk;
    talk.begin_message();
    const auto octets =
      "A: b\r\n\r\nx" + std::string(end) + "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@d>\r\n";
    EXPECT_EQ(codes(talk.send(last_chunk(octets) + "NOOP\r\n")), "250 250");
    ASSERT_EQ(talk.messages().size(), 1U);
    DotStuffer stuffer;
    std::string sent;
    stuffer.feed(talk.messages().front().content, sent);
    sent += stuffer.terminator();
    Conversation next_hop;
    next_hop.begin_message().send("DATA\r\n");
    EXPECT_EQ(codes(next_hop.send(sent)), "250") << "one message to the next hop, too";
    EXPECT_EQ(next_hop.messages().front().content, talk.messages().front().content);
  }
}

TEST(Bdat, WithBareLineEndsIsRefusedWhenSetToRejectAndTheSessionGoesOn) {
  ServerLimits limits;
  limits.bare_line_endings = BareLineEndings::reject;
  for (const auto* octets : {"A: b\n", "A: b\rc\r\n", "A: b\r", "\nA: b\r\n"}) {
    Conversation talk(test::allowed_client(), limits);
    talk.begin_message();
    EXPECT_EQ(talk.send(last_chunk(octets)), "550 5.5.2 Lines end in CR LF, bare CR or LF refused\r\n");
    talk.send(kBegin);
    EXPECT_EQ(codes(talk.send(chunk("A: b\r") + last_chunk("\n"))), "250 250");
    ASSERT_EQ(talk.messages().size(), 1U);
  }
}

// ---- refusals: the octets are read whatever the answer ----

TEST(Bdat, WithoutATransactionIsSwallowedCase079) {
  Conversation talk;
  talk.said();
  talk.send("EHLO a\r\n");
  const std::string evil = "MAIL FROM:<evil@example.com>\r\n";
  EXPECT_EQ(talk.send(last_chunk(evil)), "503 5.5.1 MAIL and RCPT come first\r\n");
  talk.send("MAIL FROM:<a@example.com>\r\n");
  EXPECT_EQ(
    talk.send(chunk(evil) + chunk(evil)),
    "503 5.5.1 RCPT comes first\r\n503 5.5.1 MAIL and RCPT come first\r\n"
  );
  EXPECT_EQ(codes(talk.send(kBegin)), "250 250") << "the session is usable, and its transaction was over";
}

TEST(Bdat, WithoutAValidRecipientIsSwallowedChunkByChunk) {
  Conversation talk;
  talk.recipient_verdict = [](const auto&) { return Reply{550, EnhancedStatus{5, 7, 1}, "no"}; };
  talk.send("EHLO a\r\n");
  const auto group =
    std::string(kBegin) + chunk("RSET\r\n") + chunk("QUIT\r\n") + last_chunk("DATA\r\n") + "NOOP\r\n";
  EXPECT_EQ(codes(talk.send(group)), "250 550 554 503 503 250");
  EXPECT_FALSE(talk.is_closed());
  EXPECT_TRUE(talk.messages().empty());
}

TEST(Bdat, OverTheLimitIsSwallowedAndRefusedOnceCase078Case079) {
  for (const bool is_told_before : {true, false}) {
    Conversation talk(test::allowed_client(), at_most(100'000));
    talk.begin_message();
    EXPECT_EQ(codes(talk.send(chunk(std::string(60'000, 'x')))), "250");
    EXPECT_TRUE(talk.has_unfinished_message());
    // Bare line ends become two octets: then the size shows only as it comes.
    const auto more = std::string(is_told_before ? 60'000 : 30'000, '\n');
    EXPECT_EQ(talk.send("BDAT " + std::to_string(more.size()) + "\r\n" + more.substr(1)), "")
      << "not before its end";
    EXPECT_FALSE(talk.has_unfinished_message()) << "nothing of it stays stored";
    EXPECT_THAT(talk.send(more.substr(0, 1)), StartsWith("552 5.3.4"));
    EXPECT_EQ(codes(talk.send(chunk("RSET\r\n") + last_chunk("QUIT\r\n"))), "503 503")
      << "the transaction is gone";
    EXPECT_EQ(codes(talk.send(std::string(kBegin) + last_chunk("A: b\r\n"))), "250 250 250");
    ASSERT_EQ(talk.messages().size(), 1U);
    EXPECT_EQ(talk.messages().front().content, "A: b\r\n");
  }
}

TEST(Bdat, MayBeAsLargeAsDataMayBe) {
  const std::string content = "A: b\r\n\r\n" + std::string(49'990, 'x') + "\r\n";
  Conversation fits(test::allowed_client(), at_most(50'000));
  fits.begin_message();
  EXPECT_EQ(
    codes(fits.send(chunk(content.substr(0, 25'000)) + last_chunk(content.substr(25'000)))), "250 250"
  );
  Conversation does_not(test::allowed_client(), at_most(49'999));
  does_not.begin_message();
  EXPECT_EQ(
    codes(does_not.send(chunk(content.substr(0, 25'000)) + last_chunk(content.substr(25'000)))), "250 552"
  );
  Conversation grows(test::allowed_client(), at_most(50'000));  // by the end of its last line
  grows.begin_message();
  EXPECT_EQ(codes(grows.send(last_chunk("A: b\r\n\r\n" + std::string(49'991, 'x')))), "552");
}

TEST(Bdat, OfNoSizeOrOneBeyondMeasureClosesCase079) {
  for (const auto* size :
       {"", "-1", "LAST", "18446744073709551616", "some", "5 FIRST", "5 LAST 5",
        "99999999999999999999999 LAST"}) {
    Conversation talk;
    talk.begin_message();
    const auto said = talk.send("BDAT " + std::string(size) + "\r\nMAIL FROM:<evil@example.com>\r\n");
    EXPECT_EQ(said, "501 5.5.4 Syntax: BDAT octets [LAST], closing\r\n") << size;
    EXPECT_TRUE(talk.is_closed());
  }
  for (const auto* size : {"18446744073709551615", "18446744073709551615 LAST", "60000000"}) {
    Conversation talk;
    talk.begin_message();
    talk.send(chunk("A: b\r\n"));
    EXPECT_THAT(
      talk.send("BDAT " + std::string(size) + "\r\nMAIL FROM:<evil@example.com>\r\n"), StartsWith("552 5.3.4")
    );
    EXPECT_EQ(talk.close_reason(), "BDAT beyond measure") << "before an octet was read";
  }
}

/// Whatever is wrong with the command, its chunk follows.
TEST(Bdat, ThatIsNotUnderstoodNeverRunsItsChunkAsCommands) {
  const std::string evil = "\r\nMAIL FROM:<evil@example.com>\r\n";
  for (const auto& line : {std::string("BDAT 30\x01"), "BDAT " + std::string(3000, '0')}) {
    Conversation talk;
    talk.send("EHLO a\r\n");
    EXPECT_EQ(codes(talk.send(line + evil)), "500") << line;
    EXPECT_TRUE(talk.is_closed());
  }
  Conversation strict(test::foreign_client());
  strict.send("EHLO a\r\n");
  EXPECT_EQ(
    strict.send("BDAT 30\nMAIL FROM:<evil@example.com>\r\n"), "500 5.5.2 A command ends in CR LF, closing\r\n"
  );
  EXPECT_TRUE(strict.is_closed());
  Conversation lenient;
  lenient.begin_message();
  EXPECT_EQ(codes(lenient.send("BDAT 6 LAST\nA: b\r\nNOOP\n")), "250 250") << "nc sends bare LF";
}

TEST(Bdat, IsRefusedInTheClearWhereTlsIsNeeded) {
  ServerLimits limits;
  limits.has_tls = limits.needs_tls = true;
  Conversation talk(test::allowed_client(), limits);
  talk.send("EHLO a\r\n");
  EXPECT_THAT(talk.send(last_chunk("RSET\r\n")), StartsWith("530 5.7.0"));
  EXPECT_FALSE(talk.is_closed());
  talk.send("STARTTLS\r\n");
  talk.begin_message();
  EXPECT_EQ(codes(talk.send(last_chunk("A: b\r\n"))), "250");
}

TEST(Bdat, GoesTogetherWithNoOtherContentCase079) {
  Conversation talk;
  talk.begin_message();
  talk.send(chunk(std::string(100'000, 'x')));
  EXPECT_EQ(talk.send("RCPT TO:<c@d>\r\n"), "503 5.5.1 The content has begun, RSET ends it\r\n");
  EXPECT_EQ(codes(talk.send("MAIL FROM:<c@d>\r\nNOOP\r\nVRFY x\r\n")), "503 250 252");
  EXPECT_EQ(talk.send("DATA\r\n"), "503 5.5.1 The content has begun by BDAT\r\n");
  EXPECT_FALSE(talk.has_unfinished_message());
  EXPECT_EQ(codes(talk.send("BDAT 0 LAST\r\n")), "503") << "half a message is none";
  talk.send(kBegin);
  EXPECT_EQ(codes(talk.send("DATA\r\nA: b\r\n.\r\n")), "354 250");

  talk.begin_message();
  talk.send(chunk("A: b\r\n"));
  talk.send("DATA\r\nMAIL FROM:<evil@example.com>\r\n");
  EXPECT_TRUE(talk.is_closed()) << "what comes behind a refused DATA may be content";
  EXPECT_EQ(talk.messages().size(), 1U);
}

TEST(Bdat, IsForgottenWithItsTransactionCase079Case083) {
  for (const auto* line : {"RSET\r\n", "EHLO again\r\n", "HELO again\r\n", "STARTTLS\r\n"}) {
    for (const std::size_t size : {10U, 100'000U}) {
      ServerLimits limits;
      limits.has_tls = true;
      Conversation talk(test::allowed_client(), limits);
      talk.begin_message();
      talk.send(chunk(std::string(size, 'x')));
      EXPECT_THAT(talk.send(line), StartsWith("2"));
      EXPECT_FALSE(talk.has_unfinished_message()) << line;
      EXPECT_THAT(talk.send("BDAT 0 LAST\r\n"), StartsWith("503 5.5.1"));
      talk.begin_message();
      talk.send(last_chunk("A: b\r\n"));
      ASSERT_EQ(talk.messages().size(), 1U);
      EXPECT_EQ(talk.messages().front().content, "A: b\r\n");
    }
  }
}

TEST(Bdat, ThatNeverHasALastOneIsNothingCase079) {
  Conversation talk;
  talk.begin_message();
  talk.send(chunk("A: b\r\n"));
  EXPECT_EQ(codes(talk.send("QUIT\r\n")), "221");
  EXPECT_TRUE(talk.messages().empty());
}

TEST(Bdat, MayBeCutOffAtEveryOctetWithoutHarmCase076Case079) {
  const auto stream =
    with_crlf("EHLO a\n") + std::string(kBegin) + chunk("A: b\r\n") + last_chunk("\r\nbody\r\n") + "QUIT\r\n";
  const auto end = stream.find("QUIT");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Conversation talk;
    talk.send(stream.substr(0, cut));
    if (!talk.is_closed()) talk.event(server_event::Ended{});
    EXPECT_TRUE(talk.is_closed());
    EXPECT_EQ(talk.messages().size(), cut >= end ? 1U : 0U) << cut;
  }
}

TEST(Bdat, IsKeptWhenTheClientNeverReadsCase074) {
  Conversation talk;
  talk.is_deaf = true;
  talk.send("EHLO a\r\n" + std::string(kBegin) + chunk("A: b\r\n") + "BDAT 0 LAST\r\n");
  EXPECT_EQ(talk.messages().size(), 1U);
}

// ---- limits ----

TEST(Bdat, IsNeverHeldBeyond64KiB) {
  for (const std::string& unit : {std::string("x"), std::string("\n"), std::string("line\r\n")}) {
    Conversation talk;
    talk.begin_message();
    std::string content;
    while (content.size() < 300'000) content += unit;
    EXPECT_EQ(codes(talk.send("BDAT 8\r\nA: b\r\n\r\n" + last_chunk(content))), "250 250");
    ASSERT_EQ(talk.messages().size(), 1U);
    EXPECT_LE(talk.largest_chunk() + kReadSize, 64U << 10U);
  }
}

TEST(Bdat, ThatTricklesIsEndedCase080) {
  Conversation within;
  within.begin_message().send("BDAT 10000\r\n");
  EXPECT_EQ(within.timeout(), 5min);
  for (int i = 0; i < 299 && !within.is_closed(); ++i) within.send("x", 1s);
  EXPECT_LT(within.timeout(), 2s) << "five minutes of credit are used up at one octet a second";
  EXPECT_THAT(within.event(server_event::TimedOut{}), StartsWith("421 4.4.2"));

  Conversation between;  // a chunk a minute
  between.begin_message();
  for (int i = 0; i < 5; ++i) between.send("BDAT 1\r\nx", 60s);
  EXPECT_LT(between.timeout(), 65s) << "time runs between chunks as well";

  Conversation steady;
  steady.begin_message();
  for (int i = 0; i < 1000; ++i) steady.send(chunk(std::string(600, 'x')), 1s);
  EXPECT_EQ(steady.timeout(), 5min);
  steady.send("BDAT 0 LAST\r\n");
  EXPECT_EQ(steady.timeout(), 5min);
  EXPECT_EQ(steady.messages().size(), 1U);
}

TEST(Bdat, OfNothingCountsAsAnIdleCommandCase029) {
  Conversation talk;
  talk.begin_message();
  for (int i = 0; i < 500 && !talk.is_closed(); ++i) talk.send("BDAT 0\r\n");
  EXPECT_EQ(talk.close_reason(), "too many errors");
}

TEST(Bdat, WithAnEndlessLineAHugeHeaderOrALoopIsRefused) {
  const auto answer = [](const std::string& content) {
    Conversation talk;
    talk.begin_message();
    const auto half = content.size() / 2;
    const auto said = talk.send(chunk(content.substr(0, half)) + last_chunk(content.substr(half)));
    EXPECT_FALSE(talk.has_unfinished_message());
    return said;
  };
  EXPECT_THAT(answer("A: b\r\n\r\n" + std::string(1'500'000, 'x')), HasSubstr("554 5.6.0"));
  EXPECT_THAT(answer("A: " + std::string(1'000'000, 'x')), HasSubstr("552 5.3.4 Header too large"));
  std::string hops;
  for (int i = 0; i < 100; ++i) hops += "Received: from a by b; date\r\n";
  EXPECT_THAT(answer(hops + "\r\n" + std::string(100'000, 'x')), HasSubstr("554 5.4.6"));
}

TEST(Bdat, ThatCannotBeStoredIsRefusedAtTheEndOfItsChunk) {
  Conversation talk;
  talk.storing = transient(Errc::storage_full, "no space");
  talk.begin_message();
  EXPECT_EQ(talk.send("BDAT 100001\r\n" + std::string(100'000, 'x')), "");
  EXPECT_THAT(talk.send("x"), StartsWith("452 4.3.1"));
  EXPECT_FALSE(talk.has_unfinished_message());
  talk.storing = Result<void>{};
  talk.commit_error = Error{Errc::storage_failed, Fate::terminal, "EIO"};
  talk.send(kBegin);
  EXPECT_THAT(talk.send(last_chunk("A: b\r\n")), StartsWith("451 4.3.0"));
}

TEST(Bdat, IsFinishedWhenTheRelayStops) {
  Conversation talk;
  talk.begin_message();
  talk.send(chunk("A: b\r\n"));
  EXPECT_EQ(talk.event(server_event::Stopping{}), "");
  EXPECT_EQ(codes(talk.send("BDAT 2 LAST\r\n\r\n")), "250 421");
  EXPECT_EQ(talk.messages().size(), 1U);
}

/// A chunk behind a BDAT that is none must not run as commands.
TEST(Bdat, NeverLeavesAChunkToTheCommandsWhateverIsWrongWithItsLine) {
  const std::string evil = "MAIL FROM:<evil@example.com>\r\n";
  const auto size = std::to_string(evil.size());
  for (const std::string& line :
       {"BDAT\x01" + size, "BDATA " + size, "BDAT" + size + " LAST", "BDATX\t" + size}) {
    Conversation talk;
    talk.begin_message();
    const auto said = talk.send(line + "\r\n" + evil);
    EXPECT_THAT(said, HasSubstr("closing\r\n")) << line;
    EXPECT_EQ(codes(said), "500") << line << ": " << said;
    EXPECT_TRUE(talk.messages().empty());
  }
  for (const std::string& line : {"BDAT\t" + size, "bdat\t" + size, " BDAT \t " + size}) {
    Conversation talk;
    talk.begin_message();
    EXPECT_EQ(talk.send(line + "\r\n" + evil), "250 2.0.0 " + size + " octets received\r\n") << line;
  }
}

// ---- BINARYMIME (RFC 3030 section 3) ----

constexpr std::string_view kBeginBinary =
  "MAIL FROM:<a@example.com> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n";
const std::string kBinaryHeader = "Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n";
const std::string kBase64Header = "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n";

TEST(BinaryMimeBdat, IsKeptAsLinesThatHoldEachOctet) {
  std::string octets;
  for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
  std::string lines;
  for (std::size_t i = 0; i < octets.size(); i += 57) lines += base64(octets.substr(i, 57)) + "\r\n";
  const auto message = kBinaryHeader + octets;
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    Conversation talk;
    talk.send("EHLO a\r\n" + std::string(kBeginBinary));
    EXPECT_EQ(codes(talk.send(chunk(message.substr(0, cut)) + last_chunk(message.substr(cut)))), "250 250");
    ASSERT_EQ(talk.messages().size(), 1U);
    const auto& stored = talk.messages().front();
    EXPECT_EQ(stored.content, kBase64Header + lines) << cut;
    EXPECT_EQ(stored.envelope.size, stored.content.size());
    EXPECT_EQ(stored.envelope.body, mail::Body::eight_bit_mime) << "to hops it is nothing else";
  }
}

TEST(BinaryMimeBdat, IsOneMessageAndTheNextMayBeLines) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  const auto group = std::string(kBeginBinary) + last_chunk(kBinaryHeader + "\n") + std::string(kBegin) +
                     last_chunk(kBinaryHeader + "\n") + std::string(kBegin) + "DATA\r\n";
  EXPECT_EQ(codes(talk.send(group)), "250 250 250 250 250 250 250 250 354");
  EXPECT_EQ(codes(talk.send("A: b\r\n.\r\n")), "250");
  ASSERT_EQ(talk.messages().size(), 3U);
  EXPECT_EQ(talk.messages()[0].content, kBase64Header + "Cg==\r\n");
  EXPECT_EQ(talk.messages()[1].content, kBinaryHeader + "\r\n") << "it was not declared";
}

TEST(BinaryMimeBdat, DoesNotComeByData) {
  Conversation talk;
  talk.send("EHLO a\r\n");
  talk.send(kBeginBinary);
  EXPECT_EQ(talk.send("DATA\r\n"), "503 5.5.1 BINARYMIME comes by BDAT\r\n");
  EXPECT_EQ(codes(talk.send(last_chunk(kBinaryHeader))), "503") << "the transaction is over";
  EXPECT_EQ(codes(talk.send(std::string(kBegin) + "DATA\r\n")), "250 250 354");
  Conversation ahead;
  ahead.send("EHLO a\r\n");
  ahead.send(kBeginBinary);
  EXPECT_EQ(codes(ahead.send("DATA\r\nMAIL FROM:<evil@example.com>\r\n")), "503");
  EXPECT_TRUE(ahead.is_closed()) << "what comes behind it may be content";
}

TEST(BinaryMimeBdat, ThatCannotBeConvertedIsSwallowedAndRefused) {
  const std::string twice = "Content-Transfer-Encoding: binary\r\n" + kBinaryHeader;
  Conversation talk;
  talk.send("EHLO a\r\n" + std::string(kBeginBinary));
  EXPECT_THAT(talk.send(chunk(twice + std::string(100'000, 'x'))), StartsWith("554 5.6.3 Binary content"));
  EXPECT_EQ(codes(talk.send(last_chunk("QUIT\r\n") + std::string(kBegin))), "503 250 250");
  Conversation unended;  // seen at the end alone
  unended.send("EHLO a\r\n" + std::string(kBeginBinary));
  const std::string part =
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + kBinaryHeader + std::string(100'000, 'x');
  EXPECT_EQ(codes(unended.send(chunk(part))), "250");
  EXPECT_TRUE(unended.has_unfinished_message());
  EXPECT_THAT(unended.send("BDAT 0 LAST\r\n"), StartsWith("554 5.6.3"));
  EXPECT_FALSE(unended.has_unfinished_message());
  EXPECT_TRUE(unended.messages().empty());
}

TEST(BinaryMimeBdat, IsAsLargeAsItBecomes) {
  const auto answers = [](std::uint64_t limit) {
    Conversation talk(test::allowed_client(), at_most(limit));
    talk.send("EHLO a\r\n" + std::string(kBeginBinary));
    return codes(talk.send(last_chunk(kBinaryHeader + std::string(57'000, '\0'))));
  };
  const auto size = kBase64Header.size() + 78'000;
  EXPECT_EQ(answers(size), "250");
  EXPECT_EQ(answers(size - 1), "552");
}

TEST(BinaryMimeBdat, HasBareLineEndsRefusedWhereItHasLines) {
  ServerLimits limits;
  limits.bare_line_endings = BareLineEndings::reject;
  Conversation talk(test::allowed_client(), limits);
  talk.send("EHLO a\r\n" + std::string(kBeginBinary));
  EXPECT_EQ(codes(talk.send(last_chunk(kBinaryHeader + "\n\r"))), "250") << "here they are data";
  talk.send(kBeginBinary);
  EXPECT_THAT(talk.send(last_chunk("A: b\n")), StartsWith("550 5.5.2"));
}

TEST(BinaryMimeBdat, IsNeverHeldBeyond64KiB) {
  const std::string waits =
    "Content-Transfer-Encoding: binary\r\n" + std::string("A: ") + std::string(8'000, 'x') + "\r\n";
  const auto one = "--b\r\n" + waits + "\r\n" + std::string(30'000, '\0') + "\r\n";
  std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 20; ++i) message += one;
  Conversation talk;
  talk.send("EHLO a\r\n" + std::string(kBeginBinary));
  EXPECT_EQ(codes(talk.send(last_chunk(message + "--b--\r\n"))), "250");
  EXPECT_LE(talk.largest_chunk() + kReadSize, 64U << 10U);
}

/// The last line comes at the end alone, and may be what fills a chunk.
TEST(BinaryMimeBdat, IsEndedOnceWhereverAChunkOfItIsFull) {
  const auto lines = (kChunkSize - kBase64Header.size()) / 78;
  for (auto size = (lines - 2) * 57; size < (lines + 3) * 57; ++size) {
    Conversation talk;
    talk.send("EHLO a\r\n" + std::string(kBeginBinary));
    EXPECT_EQ(codes(talk.send(last_chunk(kBinaryHeader + std::string(size, '\0')))), "250");
    ASSERT_EQ(talk.messages().size(), 1U);
    const auto rest = size % 57 == 0 ? 0 : (size % 57 + 2) / 3 * 4 + 2;
    EXPECT_EQ(talk.messages().front().content.size(), kBase64Header.size() + size / 57 * 78 + rest);
  }
}

TEST(BinaryMimeBdat, HasItsHeaderSeenAsItGoesOn) {
  Conversation talk;
  talk.mending.date = "today";
  talk.send("EHLO a\r\n" + std::string(kBeginBinary));
  EXPECT_EQ(codes(talk.send(last_chunk("Message-ID: <1@a>\r\n" + kBinaryHeader + "x"))), "250");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages().front().envelope.message_id, "<1@a>");
  EXPECT_EQ(
    talk.messages().front().content,
    "Message-ID: <1@a>\r\nSubject: x\r\nContent-Transfer-Encoding: base64\r\nDate: today\r\n\r\neA==\r\n"
  );
}

}  // namespace
}  // namespace relay::smtp
