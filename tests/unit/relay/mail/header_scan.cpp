#include "relay/mail/header_scan.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

std::string scanned(std::string_view content, std::size_t piece = 1 << 20) {
  HeaderScan scan("node1.example");
  std::string out;
  for (std::size_t i = 0; i < content.size(); i += piece) scan.feed(content.substr(i, piece), out);
  scan.finish(out);
  return out;
}

/// The same result however the content was cut.
void expect_scanned(std::string_view content, std::string_view expected) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 100U, 1U << 20U}) {
    EXPECT_EQ(scanned(content, piece), expected) << "in pieces of " << piece;
  }
}

void expect_unchanged(std::string_view content) { expect_scanned(content, content); }

HeaderScan scan_of(std::string_view content, HeaderLimits limits = {}) {
  HeaderScan scan("node1.example", limits);
  std::string out;
  scan.feed(content, out);
  scan.finish(out);
  return scan;
}

TEST(HeaderScan, PutsAnEmptyLineBeforeTheFirstLineThatIsNoFieldCase085) {
  expect_scanned(
    "Subject: A Test\r\nThis is just a test\r\n", "Subject: A Test\r\n\r\nThis is just a test\r\n"
  );
  expect_scanned("no header at all\r\n", "\r\nno header at all\r\n");
  expect_scanned(
    "From x@y Thu Jan  1 00:00:00 2026\r\nA: b\r\n", "\r\nFrom x@y Thu Jan  1 00:00:00 2026\r\nA: b\r\n"
  );
}

TEST(HeaderScan, LetsNothingFoldIntoOurLineCase085) {
  expect_scanned(" starts with a space: x\r\n", "\r\n starts with a space: x\r\n");
  expect_scanned("\tstarts with a tab\r\n\r\nbody\r\n", "\r\n\tstarts with a tab\r\n\r\nbody\r\n");
}

TEST(HeaderScan, LeavesWholeMessagesAloneCase085) {
  expect_unchanged("");
  expect_unchanged("\r\n");
  expect_unchanged("\r\nonly a body\r\n");
  expect_unchanged("Subject: x\r\n");
  expect_unchanged("A: b\r\n folded\r\n\tfolded: too\r\nC: d\r\n\r\nbody\r\nno: field\r\nplain\r\n");
  expect_unchanged("A : blank before the colon\r\nB\t:\tx\r\n\r\n");
}

TEST(HeaderScan, PassesOddNamesAsTheyAreCase086) {
  expect_unchanged("__proto__: x\r\n\r\n");
  expect_unchanged(": empty name\r\n\r\n");
  expect_unchanged("\xc3\x9c: eight bits\r\n\r\n");
  expect_unchanged(std::string_view("N\0L: x\r\n\r\n", 10));
}

TEST(HeaderScan, TakesANameOnlyUpToALimit) {
  const std::string long_name(2000, 'n');
  expect_scanned(long_name + ": x\r\n", "\r\n" + long_name + ": x\r\n");
  expect_unchanged(std::string(1000, 'n') + ": x\r\n");
}

TEST(HeaderScan, CountsReceivedFieldsCase087) {
  std::string content;
  for (int i = 0; i < 99; ++i) content += "received : from a\r\n\tby b; date\r\n";
  EXPECT_FALSE(scan_of(content + "\r\nReceived: in the body\r\n").is_looping());
  EXPECT_TRUE(scan_of(content + "Received: from a\r\n\r\n").is_looping());
}

TEST(HeaderScan, CountsHopsThroughItselfCase088) {
  const std::string own =
    "Received: from b ([10.0.0.1])\r\n\tby NODE1.example with ESMTP id x;\r\n\tdate\r\n";
  const std::string other = "Received: from node1.example by node1.example.net; date\r\n";
  std::string content;
  for (int i = 0; i < 9; ++i) content += own + other;
  EXPECT_FALSE(scan_of(content + "\r\n").is_looping());
  EXPECT_TRUE(scan_of(content + own + "\r\n").is_looping());
  EXPECT_TRUE(scan_of(content + own).is_looping()) << "also when the header ends with the content";
}

TEST(HeaderScan, NotesEightBitsInHeaderFieldsOnly) {
  EXPECT_TRUE(scan_of("Subject: \xc3\xbc\r\n\r\n").has_8bit_header());
  EXPECT_TRUE(scan_of("A: b\r\n folded \xc3\xbc\r\n").has_8bit_header());
  EXPECT_TRUE(scan_of("\xc3\xbc: b\r\n\r\n").has_8bit_header());
  EXPECT_FALSE(scan_of("A: b\r\n\r\n\xc3\xbc: x\r\n").has_8bit_header());
  EXPECT_FALSE(scan_of("A: b\r\nno field \xc3\xbc\r\n").has_8bit_header());
}

TEST(HeaderScan, MeasuresTheHeaderOnlyCase084) {
  const HeaderLimits limits{.max_octets = 100, .max_received = 100, .max_own_received = 10};
  EXPECT_FALSE(scan_of("A: b\r\n\r\n" + std::string(1000, 'x'), limits).is_too_large());
  EXPECT_TRUE(scan_of("A: " + std::string(100, 'x') + "\r\n\r\n", limits).is_too_large());
  EXPECT_TRUE(scan_of(std::string(50, 'A') + ":\r\n" + std::string(60, 'B') + ":\r\n", limits).is_too_large()
  );
}

TEST(HeaderScan, KeepsTheFirstMessageId) {
  EXPECT_EQ(scan_of("Message-Id : <a@b>\r\nMessage-ID: <c@d>\r\n\r\n").message_id(), "<a@b>");
  EXPECT_EQ(scan_of("A: b\r\nMESSAGE-ID:\r\n <a@b>\r\n").message_id(), "<a@b>");
  EXPECT_EQ(scan_of("A: b\r\n\r\nMessage-ID: <a@b>\r\n").message_id(), "");
  EXPECT_EQ(scan_of("Message-ID: <\x1b@b>\r\n").message_id(), "<?@b>");
  EXPECT_EQ(scan_of("Message-ID: " + std::string(5000, 'x') + "\r\n").message_id().size(), 250U);
}

TEST(HeaderScan, NotesFieldsThatItWatchesFor) {
  const std::vector<std::string> watched{"Precedence: bulk", "List-Id", "X-Any:"};
  const auto is_found = [&](std::string_view content) {
    for (const std::size_t piece : {1U, 5U, 1U << 20U}) {
      HeaderScan scan("node1.example", {}, &watched);
      std::string out;
      for (std::size_t i = 0; i < content.size(); i += piece) scan.feed(content.substr(i, piece), out);
      scan.finish(out);
      EXPECT_EQ(out, content);
      if (!scan.has_watched_field()) return false;
    }
    return true;
  };
  EXPECT_TRUE(is_found("A: b\r\nPRECEDENCE: \r\n Bulk \r\n\r\n"));
  EXPECT_TRUE(is_found("List-Id: <a.b>\r\nA: b\r\n\r\n"));
  EXPECT_TRUE(is_found("X-Any:\r\n"));
  EXPECT_FALSE(is_found("Precedence: bulky\r\n\r\nPrecedence: bulk\r\n"));
  EXPECT_FALSE(is_found("X-Precedence: bulk\r\n\r\n"));
  EXPECT_FALSE(scan_of("Precedence: bulk\r\n\r\n").has_watched_field());
}

}  // namespace
}  // namespace relay::mail
