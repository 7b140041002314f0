#include "relay/mail/mime_fields.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

TEST(MediaType, IsReadWithItsBoundary) {
  EXPECT_EQ(parse_media_type(" multipart/mixed; boundary=abc"), (MediaType{"multipart", "mixed", "abc"}));
  EXPECT_EQ(
    parse_media_type("\r\n\tMultipart/MIXED;\r\n charset=x;\r\n BOUNDARY=\"a b\\\"c \"; x=y\r\n"),
    (MediaType{"multipart", "mixed", "a b\"c"})
  ) << "folded, in any case, quoted, and without blanks behind it";
  EXPECT_EQ(
    parse_media_type("multipart/mixed (or (nested \\) so)); boundary = (this) b (that)\r\n"),
    (MediaType{"multipart", "mixed", "b"})
  ) << "comments";
  EXPECT_EQ(parse_media_type("multipart/mixed; boundary=_=/?:@1;x").boundary, "_=/?:@1")
    << "as many write it";
  EXPECT_EQ(parse_media_type("text/plain; name=\"; boundary=no\"").boundary, "") << "in quotes";
  EXPECT_EQ(parse_media_type("multipart/mixed; boundary=\"fol\r\n ded\"").boundary, "fol ded");
  EXPECT_EQ(parse_media_type("multipart/mixed; boundary=a; boundary=b").boundary, "a")
    << "the first one counts";
  EXPECT_EQ(parse_media_type("multipart/mixed; boundary=\"open").boundary, "open");
  EXPECT_EQ(parse_media_type("multipart/mixed; boundary=\"a\"junk; x").boundary, "a");
}

TEST(MediaType, IsTextWhereNoneIsNamed) {
  for (const auto* text : {"", "  ", "text", "/", "/plain", "text/", "multipart; boundary=x", "(", "\""})
    EXPECT_EQ(parse_media_type(text), MediaType{}) << text;
}

TEST(MediaType, TellsOfABoundaryThatIsNotRead) {
  EXPECT_TRUE(parse_media_type("multipart/mixed; boundary*0=a; boundary*1=b").has_extended_boundary);
  EXPECT_FALSE(parse_media_type("multipart/mixed; boundary=a").has_extended_boundary);
}

TEST(TransferEncoding, IsTheFirstWord) {
  EXPECT_EQ(parse_transfer_encoding(" BINARY\r\n"), "binary");
  EXPECT_EQ(parse_transfer_encoding("\r\n (so to say) binary (it is)"), "binary");
  EXPECT_EQ(parse_transfer_encoding("base64;x"), "base64");
  EXPECT_EQ(parse_transfer_encoding("\"binary\""), "\"binary\"");
  EXPECT_EQ(parse_transfer_encoding(" "), "");
}

}  // namespace
}  // namespace relay::mail
