#include <gmock/gmock.h>

#include "relay/smtp/server_session.hpp"
#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Conversation with_tls() {
  ServerLimits limits;
  limits.has_tls = true;
  return Conversation(test::allowed_client(), limits);
}

TEST(RequireTls, IsOfferedOverTlsAlone) {
  auto talk = with_tls();
  EXPECT_THAT(talk.send("EHLO a\r\n"), Not(HasSubstr("REQUIRETLS")));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> REQUIRETLS\r\n"), StartsWith("555 5.5.4"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b>\r\n"), StartsWith("250 ")) << "no transaction was begun";
  talk.send("STARTTLS\r\n");
  EXPECT_THAT(talk.send("EHLO a\r\n"), HasSubstr("\r\n250 REQUIRETLS\r\n"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> REQUIRETLS\r\n"), StartsWith("250 "));
}

TEST(RequireTls, StandsInTheEnvelopeOfWhoAsksForIt) {
  auto talk = with_tls();
  talk.send("STARTTLS\r\n");
  talk.send("EHLO a\r\n");
  for (const auto* parameter : {"", " requiretls", " SIZE=10 REQUIRETLS BODY=8BITMIME", ""}) {
    talk.send("MAIL FROM:<a@b>" + std::string(parameter) + "\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n.\r\n");
  }
  ASSERT_EQ(talk.messages().size(), 4U);
  EXPECT_FALSE(talk.messages()[0].envelope.requires_tls);
  EXPECT_TRUE(talk.messages()[1].envelope.requires_tls);
  EXPECT_TRUE(talk.messages()[2].envelope.requires_tls);
  EXPECT_FALSE(talk.messages()[3].envelope.requires_tls) << "the next one is another";
}

TEST(RequireTls, TakesNoValueAndIsGivenOnce) {
  auto talk = with_tls();
  talk.send("STARTTLS\r\n");
  talk.send("EHLO a\r\n");
  for (const auto* parameter : {"REQUIRETLS=1", "REQUIRETLS REQUIRETLS"})
    EXPECT_THAT(talk.send("MAIL FROM:<a@b> " + std::string(parameter) + "\r\n"), StartsWith("501 5.5.4"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@b> REQUIRETLSX\r\n"), StartsWith("555 5.5.4"));
}

}  // namespace
}  // namespace relay::smtp
