#include "relay/smtp/command.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

/// Every octet in every place of a command that uses all parameters: whatever is taken can be written into a
/// command again.
TEST(CommandArguments, TakeAnyOctetsCase043) {
  const auto is_one_word = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0 ", 4)) == std::string_view::npos;
  };
  const std::string mail = "FROM:<\xc3\xbc@d> SIZE=1 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=a+2Bb";
  const std::string rcpt = "TO:<\xc3\xbc@d> NOTIFY=SUCCESS,DELAY ORCPT=utf-8;\xc3\xbc\\x{FC}@d";
  ASSERT_TRUE(parse_mail(mail, Grammar::strict));
  ASSERT_TRUE(parse_rcpt(rcpt, Grammar::strict, mail::Charset::utf8));
  for (const auto& valid : {mail, rcpt}) {
    for (std::size_t at = 0; at < valid.size(); ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        auto text = valid;
        text[at] = static_cast<char>(octet);
        for (const auto grammar : {Grammar::strict, Grammar::lenient}) {
          if (const auto read = parse_mail(text, grammar))
            EXPECT_TRUE(is_one_word(read->envelope_id)) << text;
          const auto read = parse_rcpt(text, grammar, mail::Charset::utf8);
          if (read) EXPECT_TRUE(is_one_word(read->dsn.original_recipient)) << text;
        }
      }
    }
  }
}

TEST(CommandArguments, SayWhatTheBodyIsAndBecomes) {
  const auto read = [](const std::string& body) {
    return parse_mail("FROM:<a@b> BODY=" + body, Grammar::strict);
  };
  EXPECT_EQ(read("7bit")->body, mail::Body::seven_bit);
  EXPECT_EQ(read("8BITMIME")->body, mail::Body::eight_bit_mime);
  EXPECT_FALSE(read("8BITMIME")->is_binary);
  EXPECT_EQ(read("BinaryMime")->body, mail::Body::eight_bit_mime);
  EXPECT_TRUE(read("BinaryMime")->is_binary);
  EXPECT_FALSE(read("BINARY"));
}

TEST(CommandArguments, SayWhatIsWrongWithAnAddressBeforeItsParameters) {
  EXPECT_EQ(parse_mail("FROM:<a b@c> RET=X", Grammar::strict).error().status, (EnhancedStatus{5, 1, 7}));
  EXPECT_EQ(
    parse_rcpt("TO:<> NOTIFY=X", Grammar::strict, mail::Charset::ascii).error().status,
    (EnhancedStatus{5, 1, 3})
  );
}

TEST(CommandArguments, StandWhereTheyBelongAloneCase035) {
  const auto refusal = [](std::string_view line) { return refuse_argument(parse_command(line)); };
  for (const auto* line : {"RSET x", "QUIT x", "VRFY", "HELO", "EHLO"}) {
    ASSERT_TRUE(refusal(line)) << line;
    EXPECT_EQ(refusal(line)->code, 501) << line;
  }
  for (const auto* line : {"RSET", "QUIT ", "VRFY a", "EHLO a", "NOOP", "NOOP x", "HELP x", "DATA x"})
    EXPECT_FALSE(refusal(line)) << line;
}

TEST(Commands, OfMailWaitForTls) {
  for (const auto verb : {Verb::mail, Verb::rcpt, Verb::data, Verb::auth, Verb::vrfy})
    EXPECT_FALSE(may_be_in_the_clear(verb));
  for (const auto verb : {Verb::ehlo, Verb::starttls, Verb::noop, Verb::quit, Verb::bdat, Verb::unknown})
    EXPECT_TRUE(may_be_in_the_clear(verb));
}

}  // namespace
}  // namespace relay::smtp
