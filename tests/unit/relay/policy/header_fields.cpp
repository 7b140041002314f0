#include "relay/policy/header_fields.hpp"

#include <gtest/gtest.h>

namespace relay::policy {
namespace {

HeaderFields read(std::string_view content, std::size_t piece = 1000) {
  HeaderFields fields({"Subject", "X-Kind"});
  for (std::size_t at = 0; at < content.size(); at += piece) fields.feed(content.substr(at, piece));
  fields.finish();
  return fields;
}

TEST(HeaderFields, AreFoundByNameInAnyCase) {
  const auto fields = read("From: a@b\r\nSUBJECT:  Hello  \r\nx-kind : news\r\n\r\nbody\r\n");
  EXPECT_TRUE(fields.has("subject", "hello"));
  EXPECT_TRUE(fields.has("X-Kind", "news"));
  EXPECT_FALSE(fields.has("From", "*")) << "nobody asked for it";
  EXPECT_FALSE(fields.has("subject", "hell"));
}

TEST(HeaderFields, AreUnfoldedWhereverThePiecesEnd) {
  for (std::size_t piece = 1; piece < 30; ++piece) {
    const auto fields = read("Subject: an\r\n invoice\r\n\tof May\r\nTo: x\r\n y\r\n\r\n", piece);
    EXPECT_TRUE(fields.has("Subject", "an invoice\tof May")) << piece;
  }
}

TEST(HeaderFields, EndWithTheHeader) {
  EXPECT_FALSE(read("To: x\r\n\r\nSubject: body\r\n").has("Subject", "*"));
  EXPECT_FALSE(read("\r\nSubject: body\r\n").has("Subject", "*"));
  EXPECT_TRUE(read("Subject: no body").has("Subject", "no body")) << "nothing behind the header";
}

TEST(HeaderFields, HaveEachTheirValue) {
  const auto fields = read("X-Kind: a\r\nX-Kind: b\r\nSubject:\r\n\r\n");
  EXPECT_TRUE(fields.has("X-Kind", "a"));
  EXPECT_TRUE(fields.has("X-Kind", "b"));
  EXPECT_FALSE(fields.has("X-Kind", "a*b"));
  EXPECT_TRUE(fields.has("Subject", "")) << "there, and empty";
}

TEST(HeaderFields, AreBounded) {
  const std::string content =
    "Subject: " + std::string(2 * HeaderFields::kMaxOctets, 'x') + "end\r\nX-Kind: a\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1000}, content.size()}) {
    const auto fields = read(content, piece);
    EXPECT_TRUE(fields.has("Subject", "xxx*"));
    EXPECT_FALSE(fields.has("Subject", "*end"));
  }
}

TEST(HeaderFields, AreNoMoreThanAFewWhenTheyAreEmpty) {
  std::string content;
  for (std::size_t i = 1; i < HeaderFields::kMaxFields; ++i) content += "Subject:\r\n";
  EXPECT_TRUE(read(content + "X-Kind: last\r\n\r\n").has("X-Kind", "last"));
  EXPECT_FALSE(read(content + "Subject:\r\nX-Kind: beyond\r\n\r\n").has("X-Kind", "*"));
}

}  // namespace
}  // namespace relay::policy
