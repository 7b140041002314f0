#include "relay/mail/mime_header.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

struct Read {
  std::string out;
  BodyKind kind = BodyKind::lines;
  std::string refusal;
};

/// Lines end in LF here; the last one that is read is empty, or broken.
Read read(
  std::string_view lines, MimeHeader::Place place = MimeHeader::Place::plain, bool is_signed = false
) {
  MimeHeader header(place, is_signed);
  Read read;
  for (const char c : lines) {
    if (c != '\n') EXPECT_TRUE(header.feed({&c, 1}, read.out));
    else if (header.end_line(read.out) == MimeHeader::Step::over) break;
  }
  read.kind = header.kind();
  if (header.refusal()) read.refusal = header.refusal()->text;
  return read;
}

TEST(MimeHeader, ChangesNothingButTheEncodingThatIsBinary) {
  const auto leaf =
    read("A : b\nContent-Type: image/png;\n name=x\nContent-transfer-encoding : Binary (8)\n \nC:d\n\n");
  EXPECT_EQ(leaf.kind, BodyKind::binary);
  EXPECT_EQ(
    leaf.out,
    "A : b\r\nContent-Type: image/png;\r\n name=x\r\nContent-transfer-encoding : base64\r\nC:d\r\n\r\n"
  );
  const std::string other = "Content-Type: image/png\r\nContent-Transfer-Encoding:  BASE64 \r\n\r\n";
  EXPECT_EQ(read("Content-Type: image/png\nContent-Transfer-Encoding:  BASE64 \n\n").out, other);
}

TEST(MimeHeader, WaitsForTheTypeToSayHowItIsEncoded) {
  EXPECT_EQ(
    read("Content-Transfer-Encoding: binary\nA: b\nContent-Type: multipart/mixed; boundary=x\n\n").out,
    "Content-Transfer-Encoding: 8bit\r\nA: b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
  );
  EXPECT_EQ(
    read("Content-Transfer-Encoding: binary\nA: b\n\n").out,
    "Content-Transfer-Encoding: base64\r\nA: b\r\n\r\n"
  );
}

TEST(MimeHeader, SaysWhatTheBodyIs) {
  const auto kind = [](std::string_view lines) { return read(lines).kind; };
  EXPECT_EQ(kind("\n"), BodyKind::lines);
  EXPECT_EQ(kind("Content-Transfer-Encoding: binary\n\n"), BodyKind::binary) << "text/plain";
  EXPECT_EQ(kind("Content-Type: multipart/mixed; boundary=x\n\n"), BodyKind::multipart);
  EXPECT_EQ(kind("Content-Type: multipart/mixed\n\n"), BodyKind::lines) << "no boundary";
  EXPECT_EQ(
    kind("Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\n"), BodyKind::lines
  );
  EXPECT_EQ(kind("Content-Type: message/rfc822\n\n"), BodyKind::message);
  EXPECT_EQ(kind("Content-Type: message/global\nContent-Transfer-Encoding: 8bit\n\n"), BodyKind::message);
  EXPECT_EQ(kind("Content-Type: message/global\nContent-Transfer-Encoding: base64\n\n"), BodyKind::lines);
  EXPECT_EQ(kind("Content-Type: message/delivery-status\n\n"), BodyKind::lines);
  EXPECT_EQ(read("\n", MimeHeader::Place::digest).kind, BodyKind::message) << "RFC 2046 section 5.1.5";
}

TEST(MimeHeader, RefusesWhatCannotBeTold) {
  const std::string binary = "Content-Transfer-Encoding: binary\n";
  const auto refusal = [](const std::string& lines) { return read(lines + "\n").refusal; };
  EXPECT_EQ(
    refusal(binary + binary),
    "Binary content can't be converted: a header has two Content-Types or Content-Transfer-Encodings"
  );
  EXPECT_NE(refusal("Content-Transfer-Encoding: 7bit\n" + binary), "");
  EXPECT_NE(refusal(binary + "Content-Type: a/b\nContent-Type: c/d\n"), "");
  EXPECT_EQ(refusal("Content-Type: a/b\nContent-Type: c/d\n"), "") << "not binary: as by DATA";
  EXPECT_NE(refusal(binary + "Content-Type: message/partial; id=x\n"), "");
  EXPECT_EQ(refusal("Content-Type: message/partial; id=x\n"), "");
  EXPECT_NE(refusal(binary + "Content-Type: multipart/mixed\n"), "");
  EXPECT_NE(refusal("Content-Type: multipart/mixed; boundary*0=x\n"), "");
  EXPECT_NE(refusal("Content-Type: multipart/mixed; boundary=" + std::string(71, 'x') + "\n"), "");
  EXPECT_EQ(refusal("Content-Type: multipart/mixed; boundary=" + std::string(70, 'x') + "\n"), "");
  EXPECT_NE(read(binary + "\n", MimeHeader::Place::plain, true).refusal, "") << "in what is signed";
  EXPECT_NE(refusal("Content-Type: a/b; c=" + std::string(MimeHeader::kMaxField, 'x') + "\n"), "");
  EXPECT_NE(refusal(binary + "A: " + std::string(MimeHeader::kMaxHeld, 'x') + "\n"), "");
  EXPECT_EQ(refusal("Content-Type: a/b\n" + binary + "A: " + std::string(100'000, 'x') + "\n"), "")
    << "nothing waits behind the type";
}

TEST(MimeHeader, GivesBackTheLineThatIsNoField) {
  for (const std::string_view line : {"no field", "two words: no", " folds into nothing"}) {
    MimeHeader header(MimeHeader::Place::plain, false);
    std::string out;
    const bool is_fed = header.feed(line, out);
    if (is_fed) EXPECT_EQ(header.end_line(out), MimeHeader::Step::broken) << line;
    EXPECT_EQ(header.take_back(), line);
    EXPECT_EQ(out, "");
  }
}

}  // namespace
}  // namespace relay::mail
