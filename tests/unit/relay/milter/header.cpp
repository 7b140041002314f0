#include "relay/milter/header.hpp"

#include <gtest/gtest.h>

namespace relay::milter {
namespace {

using Kind = Edit::Kind;
constexpr std::string_view kHeader = "From: a@b\r\nX-A: one\r\n two\r\nx-a:three\r\nSubject: s\r\n\r\n";

std::string edited(const std::vector<Edit>& edits, bool with_space = false, std::string_view text = kHeader) {
  auto header = Header::parse(text);
  for (const auto& edit : edits) header.apply(edit, with_space);
  return header.to_text();
}

TEST(HeaderEnd, IsBehindTheEmptyLineHoweverItIsCut) {
  const std::string content = std::string(kHeader) + "body\r\n\r\nmore\r\n";
  for (std::size_t cut = 0; cut <= content.size(); ++cut) {
    HeaderEnd end;
    const auto first = end.feed(std::string_view(content).substr(0, cut));
    const auto second = end.feed(std::string_view(content).substr(cut));
    EXPECT_EQ(first + second, kHeader.size()) << "cut at " << cut;
    EXPECT_TRUE(end.is_met());
  }
}

TEST(HeaderEnd, IsNotMetInAHeaderAlone) {
  HeaderEnd end;
  EXPECT_EQ(end.feed("A: b\r\n"), 6U);
  EXPECT_FALSE(end.is_met());
}

TEST(HeaderEnd, MayBeTheFirstLine) {
  HeaderEnd end;
  EXPECT_EQ(end.feed("\r"), 1U);
  EXPECT_EQ(end.feed("\nbody"), 1U);
}

TEST(Header, StaysAsItWasWhenNobodyChangesIt) {
  for (const std::string_view text :
       {kHeader, std::string_view(""), std::string_view("\r\n"), std::string_view("A: b\r\n"),
        std::string_view("A : b"), std::string_view(":odd\r\n\tfold\r\n\r\n")}) {
    EXPECT_EQ(edited({}, false, text), text);
  }
}

TEST(Header, TellsValuesAsFiltersWantThem) {
  const auto header = Header::parse(kHeader);
  ASSERT_EQ(header.fields().size(), 4U);
  EXPECT_EQ(Header::value_of(header.fields()[1], false), "one\n two");
  EXPECT_EQ(Header::value_of(header.fields()[1], true), " one\n two");
  EXPECT_EQ(Header::value_of(header.fields()[2], true), "three");
}

TEST(Header, TakesNewFieldsAtTheEndAndAnywhere) {
  EXPECT_EQ(
    edited({{Kind::add_header, 0, "X-New", "n"}, {Kind::insert_header, 0, "X-Top", "t\n\tfolded"}}),
    "X-Top: t\r\n\tfolded\r\nFrom: a@b\r\nX-A: one\r\n two\r\nx-a:three\r\nSubject: s\r\nX-New: n\r\n\r\n"
  );
  EXPECT_EQ(
    edited({{Kind::insert_header, 1, "X", " 1"}, {Kind::insert_header, 99, "Y", "2"}}, true, "A: b\r\n"),
    "A: b\r\nX: 1\r\nY:2\r\n"
  );
}

TEST(Header, ChangesTheFieldThatIsCounted) {
  EXPECT_EQ(
    edited({{Kind::change_header, 2, "X-A", "3"}}),
    "From: a@b\r\nX-A: one\r\n two\r\nX-A: 3\r\nSubject: s\r\n\r\n"
  );
  EXPECT_EQ(
    edited({{Kind::change_header, 2, "x-a", ""}, {Kind::change_header, 1, "X-a", ""}}),
    "From: a@b\r\nSubject: s\r\n\r\n"
  );
  EXPECT_EQ(edited({{Kind::change_header, 3, "X-A", ""}}), kHeader) << "there is no third";
  EXPECT_TRUE(edited({{Kind::change_header, 3, "X-A", "z"}}).ends_with("Subject: s\r\nX-A: z\r\n\r\n"));
}

TEST(Header, LetsNoValueEndItOrBeginAField) {
  EXPECT_EQ(
    edited({{Kind::add_header, 0, "X", "a\r\nBcc: x@y\n\n\nbody\r\n\r\n"}}, false, "A: b\r\n\r\n"),
    "A: b\r\nX: a\r\n Bcc: x@y\r\n body\r\n\r\n"
  );
}

TEST(Header, EndsAFieldThatHadNoEnd) {
  EXPECT_EQ(edited({{Kind::add_header, 0, "X", "1"}}, false, "A: b"), "A: b\r\nX: 1\r\n");
}

}  // namespace
}  // namespace relay::milter
