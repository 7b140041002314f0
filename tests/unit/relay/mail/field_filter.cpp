#include "relay/mail/field_filter.hpp"

#include <gmock/gmock.h>

#include "relay/mail/envelope.hpp"
#include "relay/mail/header_scan.hpp"

namespace relay::mail {
namespace {

using ::testing::ElementsAre;

const std::string kContent =
  "Subject: one\r\n two\r\nX-Secret: a\r\n\tb\r\nTo: c@d.test\r\nx-secret : again\r\n\r\nX-Secret: body\r\n";

std::string filtered(FieldFilter& filter, const std::string& content, std::size_t piece) {
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += piece) filter.feed(content.substr(at, piece), out);
  filter.finish(out);
  return out;
}

TEST(FieldFilter, LeavesOutFieldsWithTheirFoldedLinesWhateverThePieces) {
  for (std::size_t piece = 1; piece <= kContent.size(); ++piece) {
    FieldFilter filter({"X-Secret", "Missing"});
    EXPECT_EQ(
      filtered(filter, kContent, piece), "Subject: one\r\n two\r\nTo: c@d.test\r\n\r\nX-Secret: body\r\n"
    ) << piece;
    EXPECT_THAT(filter.octets(), ElementsAre(35U, 0U));
  }
}

TEST(FieldFilter, CountsWhatItLeavesOut) {
  FieldFilter filter({"subject", "X-SECRET"});
  const auto left = filtered(filter, kContent, 7);
  EXPECT_EQ(left.size() + filter.octets()[0] + filter.octets()[1], kContent.size());
}

TEST(FieldFilter, PassesAllWithoutNames) {
  FieldFilter filter({});
  EXPECT_TRUE(filter.is_over());
  EXPECT_EQ(filtered(filter, kContent, 3), kContent);
}

TEST(FieldFilter, EndsWhereTheHeaderDoes) {
  for (const auto* content :
       {"\r\nX: body\r\n", "no header\r\nX: body\r\n", "a b: c\r\nX: body\r\n", "X", "X : y z"}) {
    FieldFilter filter({"X"});
    const bool is_field = std::string_view(content) == "X : y z";
    EXPECT_EQ(filtered(filter, content, 1), is_field ? "" : content) << content;
  }
  const std::string long_name(2000, 'x');
  FieldFilter filter({"X"});
  EXPECT_EQ(filtered(filter, long_name + ": y\r\nX: body\r\n", 100), long_name + ": y\r\nX: body\r\n");
}

/// What the scan took for a header field the filter does too, and nothing else.
TEST(FieldFilter, SeesTheHeaderAsTheScanLeftIt) {
  HeaderScan scan("relay.test");
  std::string stored;
  scan.feed("Subject: a\r\nnonsense\r\nX: body\r\n", stored);
  scan.finish(stored);
  FieldFilter filter({"X"});
  EXPECT_EQ(filtered(filter, stored, 5), stored);
}

TEST(HeaderEdits, TellTheSizeOfWhatIsSentOn) {
  Envelope envelope;
  envelope.size = 100;
  EXPECT_EQ(sent_size(envelope), 100U);
  envelope.edits = {"X: y\r\n", {"Subject"}, 20};
  EXPECT_EQ(sent_size(envelope), 86U);
}

TEST(HeaderEdits, AddNothingThatEndsAHeader) {
  EXPECT_TRUE(are_plain_fields(""));
  EXPECT_TRUE(are_plain_fields("X: y\r\nX-Z: \r\n"));
  for (const auto* text :
       {"X: y", "X: y\n", "X: y\r\n\r\n", "X: y\r\n folded\r\n", ": y\r\n", "X y\r\n", "X: \xC3\xA4\r\n",
        "X: a\rb\r\n", "X Y: z\r\n"}) {
    EXPECT_FALSE(are_plain_fields(text)) << text;
  }
  EXPECT_FALSE(is_field_name(""));
  EXPECT_FALSE(is_field_name("a:"));
  EXPECT_FALSE(is_field_name(std::string(65, 'a')));
  EXPECT_TRUE(is_field_name("X-Ok_1"));
}

}  // namespace
}  // namespace relay::mail
