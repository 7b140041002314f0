#include "relay/mail/binary_mime.hpp"

#include <gtest/gtest.h>
#include <random>

#include "tests/support/binary_mime_reference.hpp"

namespace relay::mail {
namespace {

using test::convert;
using test::Converted;

/// What comes out, the same at every split and by the reference. Empty when refused.
std::string converted(std::string_view message) {
  const auto expected = test::BinaryMimeReference(message).convert();
  const auto whole = convert(message, message.size() + 1);
  EXPECT_EQ(whole, expected) << testing::PrintToString(message);
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U})
    EXPECT_EQ(convert(message, piece), expected) << testing::PrintToString(message);
  if (!expected.is_refused) {
    const auto again = convert(expected.content, 11);
    EXPECT_EQ(again.content, expected.content) << "what is made of lines stays as it is";
    EXPECT_FALSE(again.met_bare_line_ending);
  }
  return expected.content;
}

std::string why_refused(std::string_view message) {
  EXPECT_EQ(converted(message), "");
  BinaryMime converter;
  std::string out;
  converter.feed(message, out);
  converter.finish(out);
  const std::string_view prefix = "Binary content can't be converted: ";
  if (!converter.refusal() || !converter.refusal()->text.starts_with(prefix)) return "not refused";
  return converter.refusal()->text.substr(prefix.size());
}

std::string all_octets() {
  std::string octets;
  for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
  return octets;
}

const std::string kBinary = "Content-Transfer-Encoding: binary\r\n";
const std::string kMixed = "Content-Type: multipart/mixed; boundary=b\r\n" + kBinary + "\r\n";
const std::string kMixed8 =
  "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
/// A binary part, with the CRLF that belongs to the delimiter behind it.
std::string part(const std::string& octets) { return "--b\r\n" + kBinary + "\r\n" + octets + "\r\n"; }
std::string part64(const std::string& encoded) {
  return "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded;
}

TEST(BinaryMime, EncodesABinaryPartOctetByOctet) {
  const auto octets = all_octets();
  auto lines = std::string();
  for (std::size_t i = 0; i < octets.size(); i += 57) lines += base64(octets.substr(i, 57)) + "\r\n";
  EXPECT_EQ(converted(kMixed + part(octets) + "--b--\r\n"), kMixed8 + part64(lines) + "--b--\r\n");
}

TEST(BinaryMime, LeavesTheCrlfBeforeADelimiterToIt) {
  EXPECT_EQ(converted(kMixed + part("abc") + "--b--\r\n"), kMixed8 + part64("YWJj\r\n") + "--b--\r\n");
  EXPECT_EQ(
    converted(kMixed + part("abc\r\n") + "--b--\r\n"), kMixed8 + part64("YWJjDQo=\r\n") + "--b--\r\n"
  );
  EXPECT_EQ(converted(kMixed + part("a\r") + "--b--\r\n"), kMixed8 + part64("YQ0=\r\n") + "--b--\r\n");
  EXPECT_EQ(converted(kMixed + part("") + "--b--\r\n"), kMixed8 + part64("") + "--b--\r\n");
  EXPECT_EQ(converted(kMixed + "--b\r\n" + kBinary + "\r\n--b--\r\n"), kMixed8 + part64("") + "--b--\r\n")
    << "a part that is a header alone";
}

TEST(BinaryMime, EncodesAWholeMessageThatIsBinary) {
  EXPECT_EQ(
    converted("Subject: x\r\n" + kBinary + "\r\na\nb\rc"),
    "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpiDWM=\r\n"
  ) << "text/plain, with no type of its own";
  EXPECT_EQ(converted(kBinary + "\r\n"), "Content-Transfer-Encoding: base64\r\n\r\n");
  EXPECT_EQ(converted(kBinary), "Content-Transfer-Encoding: base64\r\n");
  EXPECT_EQ(
    converted("Content-Type: image/png\r\n" + kBinary + "\r\nx\r\n--b\r\n"),
    "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\neA0KLS1iDQo=\r\n"
  ) << "no delimiter ends it";
}

TEST(BinaryMime, TreatsTheRestAsLines) {
  EXPECT_EQ(converted("A: b\n\nbare\rends\r\r\nlast"), "A: b\r\n\r\nbare\r\nends\r\n\r\nlast\r\n");
  EXPECT_EQ(converted("no field\nx"), "no field\r\nx\r\n");
  EXPECT_EQ(converted(""), "");
  EXPECT_EQ(
    converted(kMixed + "pre\namble\r\n--b\n\n\xff\n" + std::string(1, '\0') + "\r\n--b--\r\nepi\rlogue"),
    kMixed8 + "pre\r\namble\r\n--b\r\n\r\n\xff\r\n" + std::string(1, '\0') + "\r\n--b--\r\nepi\r\nlogue\r\n"
  );
  EXPECT_TRUE(convert(kMixed + "a\nb", 1).met_bare_line_ending);
  EXPECT_FALSE(convert(kMixed + part("a\nb\rc") + "--b--\r\n", 1).met_bare_line_ending)
    << "there they are data";
  EXPECT_EQ(convert(kMixed + part(std::string(5000, 'x')) + "--b--\r\n", 9).longest_line, 41U);
  EXPECT_EQ(convert("A: b\r\n\r\n" + std::string(5000, 'x'), 9).longest_line, 5000U);
  const std::string no_boundary =
    "Content-Type: multipart/mixed\r\n\r\n--b\r\n" + kBinary + "\r\nx\r\n--b--\r\n";
  EXPECT_EQ(converted(no_boundary), no_boundary);
}

TEST(BinaryMime, FindsDelimitersWhereverTheyMayStand) {
  const auto found = [](const std::string& behind) {
    const auto out = converted(kMixed + "--b\r\n" + kBinary + "\r\nabc" + behind);
    return out == kMixed8 + part64("YWJj\r\n") + behind.substr(2) ||
           out == kMixed8 + part64("YWJj\r\n") + behind.substr(2) + "\r\n";
  };
  EXPECT_TRUE(found("\r\n--b\r\n\r\nnext\r\n"));
  EXPECT_TRUE(found("\r\n--b--\r\n"));
  EXPECT_TRUE(found("\r\n--b--")) << "the end of the content may be its line's";
  EXPECT_TRUE(found("\r\n--b \t \r\n\r\n--b--\t\r\n")) << "blanks behind it";
  EXPECT_FALSE(found("\n--b--\r\n")) << "in binary data bare LF ends no line";
  EXPECT_FALSE(found("\r--b--\r\n"));
  EXPECT_FALSE(found("\r\n--bb--\r\n"));
  EXPECT_FALSE(found("\r\n--b-\r\n"));
  EXPECT_FALSE(found("\r\n--b--x\r\n"));
  EXPECT_FALSE(found("\r\n --b--\r\n"));
  EXPECT_FALSE(found("\r\n--B--\r\n"));
  // What only looks like one is data, and what stands right behind it may be one.
  EXPECT_EQ(
    converted(kMixed + part("\r\n--bx\r\n--b-\r\n\r\r\n-\r\n") + "--b--\r\n"),
    kMixed8 + part64("DQotLWJ4DQotLWItDQoNDQotDQo=\r\n") + "--b--\r\n"
  );
}

TEST(BinaryMime, TellsABoundaryFromOneThatItBegins) {
  const std::string inner = "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n" + kBinary + "\r\n";
  const std::string inner8 =
    "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
  const std::string one = "--bb\r\n" + kBinary + "\r\nx\r\n";
  const std::string one64 = "--bb\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n";
  EXPECT_EQ(
    converted(kMixed + inner + one + one + "--bb--\r\n" + part("y") + "--b--\r\n"),
    kMixed8 + inner8 + one64 + one64 + "--bb--\r\n" + part64("eQ==\r\n") + "--b--\r\n"
  );
  EXPECT_EQ(
    converted(kMixed + inner + one + "--b--\r\nend\r\n"), kMixed8 + inner8 + one64 + "--b--\r\nend\r\n"
  ) << "the outer delimiter ends the inner parts, too";
}

TEST(BinaryMime, TakesADelimiterInAHeaderForWhatItIs) {
  EXPECT_EQ(
    converted(kMixed + "--b\r\n" + kBinary + "--b--\r\n"),
    kMixed8 + "--b\r\nContent-Transfer-Encoding: base64\r\n--b--\r\n"
  );
  const std::string no_empty_line = "Content-Type: multipart/mixed; boundary=b\r\n";
  EXPECT_EQ(
    converted(no_empty_line + part("x") + "--b--\r\n"), no_empty_line + part64("eA==\r\n") + "--b--\r\n"
  ) << "the body begins with what is no field";
}

TEST(BinaryMime, LooksIntoMessages) {
  const std::string message = "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n";
  EXPECT_EQ(
    converted(kMixed + message + kBinary + "\r\nx\r\n--b--\r\n"),
    kMixed8 + message + "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--\r\n"
  ) << "also into one that does not say that it is binary";
  const std::string digest = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n";
  EXPECT_EQ(
    converted(digest + kBinary + "\r\nx\r\n--b--\r\n"),
    digest + "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--\r\n"
  );
}

TEST(BinaryMime, LeavesWhatIsNotEndedAsItIs) {
  const std::string open = kMixed8 + "--b\r\n\r\ntext\r\n";
  EXPECT_EQ(converted(kMixed + "--b\r\n\r\ntext\r\n"), open) << "no close delimiter";
  EXPECT_EQ(converted(kMixed + "nothing\r\n"), kMixed8 + "nothing\r\n") << "no delimiter at all";
  EXPECT_EQ(why_refused(kMixed + part("x")), "a part has no delimiter behind it")
    << "where it ends nobody knows";
  EXPECT_EQ(why_refused(kMixed + "--b\r\n" + kBinary + "\r\n"), "a part has no delimiter behind it");
  EXPECT_EQ(why_refused(kMixed + part("x\n--b--\n")), "a part has no delimiter behind it");
}

TEST(BinaryMime, RefusesWhatItWouldHarm) {
  const std::string signed_mail = "Content-Type: multipart/signed; boundary=b\r\n\r\n";
  EXPECT_EQ(why_refused(signed_mail + part("x") + "--b--\r\n"), "it is signed; sign what is encoded");
  EXPECT_EQ(converted(signed_mail + "--b\r\n\r\nx\r\n--b--\r\n"), signed_mail + "--b\r\n\r\nx\r\n--b--\r\n");
  EXPECT_EQ(
    why_refused(kMixed + "--b\r\nContent-Type: multipart/mixed; boundary=\"b--\"\r\n\r\n"),
    "a boundary is that of a multipart around it"
  );
  EXPECT_EQ(
    why_refused(kMixed + "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
    "a boundary is that of a multipart around it"
  );
  EXPECT_EQ(why_refused(kBinary + "no field\r\n\r\nx"), "a line of a header is no field");
  EXPECT_EQ(
    why_refused(kMixed + part("\r\n--b" + std::string(1000, ' ')) + "--b--\r\n"),
    "a delimiter has too many blanks behind it"
  );
  EXPECT_EQ(
    why_refused(kMixed + "--b" + std::string(1000, ' ') + "\r\n"), "a delimiter has too many blanks behind it"
  );
}

/// Readers that see a header there would find other octets than were sent.
TEST(BinaryMime, RefusesToChangeWhatSaysThatItIsBinaryWhereNoHeaderIsRead) {
  const std::string why = "something says that it is binary where no header is read";
  const std::string forwarded =
    "Content-Type: message/rfc822\r\n" + kBinary + "\r\nFrom x@y Mon\r\n" + kBinary;
  EXPECT_EQ(why_refused(forwarded + "\r\na\nb"), why) << "behind the line of a mailbox";
  EXPECT_NE(converted(forwarded + "\r\na\r\nb"), "") << "nothing is changed";
  EXPECT_EQ(why_refused(kMixed + "--b\r\nX Foo: bar\r\n" + kBinary + "\r\na\rb\r\n--b--\r\n"), why);
  EXPECT_EQ(why_refused(kMixed + "--b\r\n folded\r\n" + kBinary + "\r\na\r"), why);
  EXPECT_EQ(why_refused(kMixed + "--b ; x\r\n" + kBinary + "\r\na\nb"), why) << "no delimiter";
  const std::string quoted =
    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  EXPECT_EQ(why_refused(quoted + part("a\nb")), why) << "a multipart with an encoding that it can't have";
  EXPECT_EQ(why_refused("\r\ncontent-transfer-encoding:  \"Binary\"\r\na\nb"), why);
  EXPECT_NE(converted("\r\nContent-Transfer-Encoding: 8bit\r\na\nb"), "");
  EXPECT_NE(converted("a: b\n\n" + kBinary + "\r\nb"), "") << "changed before, not behind it";
}

TEST(BinaryMime, LooksNoDeeperThan32) {
  std::string message;
  for (int i = 0; i < 32; ++i) message += "Content-Type: message/rfc822\r\n\r\n";
  EXPECT_EQ(converted(message + "Subject: deep\r\n"), message + "Subject: deep\r\n");
  EXPECT_EQ(
    why_refused(message + "Content-Type: message/rfc822\r\n\r\nx"), "parts are nested more than 32 deep"
  );
  std::string parts;
  for (int i = 0; i < 40; ++i) {
    const auto boundary = std::to_string(i);
    parts += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n";
  }
  EXPECT_EQ(why_refused(parts), "parts are nested more than 32 deep");
}

TEST(BinaryMime, EndsItOnce) {
  for (const auto& message :
       {std::string("A: b"), kBinary, kBinary + "\r\nx", kMixed + "x\r", kMixed + part("x") + "--b--",
        kMixed + part("x") + "--b", std::string()}) {
    BinaryMime converter;
    std::string out;
    converter.feed(message, out);
    converter.finish(out);
    EXPECT_EQ(out, convert(message, 1).content);
    const auto once = out;
    converter.finish(out);
    EXPECT_EQ(out, once) << message;
    EXPECT_FALSE(converter.refusal());
  }
}

TEST(BinaryMime, SaysWhyAtOnceAndThenGivesNothing) {
  BinaryMime converter;
  std::string out;
  converter.feed(kBinary + kBinary + "\r\n", out);
  ASSERT_TRUE(converter.refusal());
  EXPECT_EQ(converter.refusal()->code, 554);
  EXPECT_EQ(converter.refusal()->status, (EnhancedStatus{5, 6, 3}));
  const auto before = out;
  converter.feed("more", out);
  converter.finish(out);
  EXPECT_EQ(out, before);
}

TEST(BinaryMime, AgreesWithTheRuleHoweverAMessageIsCut) {
  const std::vector<std::string> words{
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "--b",
    "--b\r\n",
    "\r\n--b\r\n",
    "--b--\r\n",
    "--c\r\n",
    "\r\n--c--\r\n",
    "--bb\r\n",
    "-",
    " ",
    "x",
    "a: b\r\n",
    kBinary,
    kBinary + "\r\n",
    kMixed,
    "Content-Type: multipart/signed; boundary=c\r\n",
    "\r\n\r\n",
    "Content-Type: multipart/digest; boundary=bb\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "no field\r\n",
    "Content-Type: image/png\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    std::string(60, 'y'),
    std::string("\0\xff", 2)
  };
  std::mt19937 random(20261129);
  for (int round = 0; round < 20'000; ++round) {
    std::string message = round % 2 == 0 ? kMixed + "--b\r\n" : "";
    for (auto n = random() % 14; n > 0; --n) message += words[random() % words.size()];
    const auto expected = test::BinaryMimeReference(message).convert();
    for (const std::size_t piece : {1U, 2U, 3U, 1000U})
      ASSERT_EQ(convert(message, piece), expected) << testing::PrintToString(message);
  }
}

}  // namespace
}  // namespace relay::mail
