#include "relay/smtp/extensions.hpp"

#include <gmock/gmock.h>

namespace relay::smtp {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ExtensionsOffered, AreALineEach) {
  EXPECT_EQ(
    to_wire(ehlo_reply("node1.example", {.max_message_size = {1000}})),
    "250-node1.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
    "250-DSN\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"
  );
}

TEST(ExtensionsOffered, AreThoseOfTheMoment) {
  const auto in_the_clear = to_wire(ehlo_reply("n", {.max_message_size = {1}, .starttls = true}));
  EXPECT_THAT(in_the_clear, EndsWith("\r\n250 STARTTLS\r\n"));
  EXPECT_THAT(in_the_clear, Not(HasSubstr("REQUIRETLS")));
  const auto over_tls = to_wire(ehlo_reply("n", {.max_message_size = {1}, .requiretls = true, .auth = true}));
  EXPECT_THAT(over_tls, EndsWith("\r\n250-REQUIRETLS\r\n250 AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
}

TEST(ExtensionsOffered, AreNoneForWhoSaysHelo) {
  EXPECT_EQ(to_wire(helo_reply("node1.example")), "250 node1.example\r\n");
}

}  // namespace
}  // namespace relay::smtp
