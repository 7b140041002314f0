#include <gmock/gmock.h>

#include "relay/smtp/server_session.hpp"
#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

ServerLimits with_tls() {
  ServerLimits limits;
  limits.has_tls = true;
  return limits;
}
ServerLimits needing_tls() {
  auto limits = with_tls();
  limits.needs_tls = true;
  return limits;
}
constexpr auto kMessage =
  "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n";

TEST(StartTls, IsTheDialogueOfRfc3207Section5) {
  Conversation talk(test::foreign_client(), with_tls());
  EXPECT_THAT(talk.said(), StartsWith("220 node1.example ESMTP"));
  EXPECT_THAT(talk.send("EHLO mail.example.com\r\n"), HasSubstr("\r\n250 STARTTLS\r\n"));
  EXPECT_EQ(talk.send("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
  EXPECT_EQ(talk.handshakes(), 1U);
  EXPECT_THAT(talk.send("EHLO mail.example.com\r\n"), StartsWith("250-node1.example\r\n"));
  EXPECT_EQ(talk.send("QUIT\r\n"), "221 2.0.0 node1.example closing\r\n");
}

TEST(StartTls, StandsInTheEnvelopeOfWhatComesOverIt) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.begin_message().send("DATA\r\nin the clear\r\n.\r\n");
  talk.send("STARTTLS\r\n");
  talk.begin_message().send("DATA\r\nover TLS\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 2U);
  EXPECT_FALSE(talk.messages()[0].envelope.origin.tls);
  EXPECT_EQ(talk.messages()[1].envelope.origin.tls, (mail::TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"}));
}

TEST(StartTls, ExecutesNothingThatStandsBehindItInTheClearCase052) {
  for (const auto* more : {"NOOP\r\n", "EHLO evil\r\nMAIL FROM:<evil@example.com>\r\n", "\r\n", "M"}) {
    for (const auto& client : {test::allowed_client(), test::foreign_client()}) {
      Conversation talk(client, with_tls());
      talk.send("EHLO app\r\n");
      const auto said = talk.send("STARTTLS\r\n" + std::string(more));
      EXPECT_EQ(said, "554 5.5.0 Nothing may follow STARTTLS, closing\r\n") << more;
      EXPECT_EQ(talk.close_reason(), "sent more behind STARTTLS");
      EXPECT_TRUE(talk.was_injected());
      EXPECT_EQ(talk.handshakes(), 0U);
    }
  }
}

TEST(StartTls, MayEndAGroup) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.send("EHLO app\r\n");
  EXPECT_EQ(
    talk.send("NOOP\r\nRSET\r\nSTARTTLS\r\n"),
    "250 2.0.0 OK\r\n250 2.0.0 OK\r\n220 2.0.0 Ready to start TLS\r\n"
  );
  EXPECT_EQ(talk.handshakes(), 1U);
  EXPECT_FALSE(talk.was_injected());
}

TEST(StartTls, ForgetsAllThatWasSaidBeforeCase053Case055) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.begin_message();
  talk.send("STARTTLS\r\n");
  EXPECT_THAT(talk.send("DATA\r\n"), StartsWith("503 5.5.1")) << "the transaction is gone";
  EXPECT_THAT(talk.send("MAIL FROM:<a@example.com>\r\n"), StartsWith("503 5.5.1 Say HELO or EHLO first"));
  talk.send("HELO other\r\n");
  talk.send(kMessage);
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages().front().envelope.origin.helo, "other");
  EXPECT_FALSE(talk.messages().front().envelope.origin.extended);
  EXPECT_EQ(talk.messages().front().envelope.recipients.size(), 1U);
}

TEST(StartTls, IsNeitherOfferedNorServedInsideTlsCase054) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.send("STARTTLS\r\n");
  EXPECT_THAT(talk.send("EHLO app\r\n"), Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(talk.send("STARTTLS\r\n"), StartsWith("554 5.5.1"));
  EXPECT_EQ(talk.handshakes(), 1U);
}

TEST(StartTls, TakesNoArgumentCase035) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.said();
  EXPECT_THAT(talk.send("STARTTLS now\r\n"), StartsWith("501 5.5.4"));
  EXPECT_EQ(talk.handshakes(), 0U);
  EXPECT_FALSE(talk.is_closed());
}

TEST(StartTls, CountsAsAnErrorWhereItIsRefusedCase063) {
  for (auto limits : {ServerLimits{}, with_tls()}) {
    limits.max_errors = 2;
    Conversation talk(test::allowed_client(), limits);
    for (int i = 0; i < 4; ++i) talk.send("STARTTLS\r\n");
    EXPECT_EQ(talk.close_reason(), "too many errors") << limits.has_tls;
    EXPECT_LE(talk.handshakes(), 1U);
  }
}

/// Errors of before count on: no client gets rid of them by a handshake.
TEST(StartTls, ForgivesNoErrors) {
  auto limits = with_tls();
  limits.max_errors = 2;
  Conversation talk(test::allowed_client(), limits);
  talk.send("EXPN x\r\n");
  talk.send("EXPN x\r\n");
  talk.send("STARTTLS\r\n");
  EXPECT_FALSE(talk.is_closed());
  talk.send("EXPN x\r\n");
  EXPECT_EQ(talk.close_reason(), "too many errors");
}

TEST(StartTls, ThatFailsEndsTheSessionWithoutAWordCase057) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.tls.reset();
  talk.said();
  EXPECT_EQ(talk.send("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
  EXPECT_EQ(talk.close_reason(), "no TLS");
  EXPECT_EQ(talk.said(), "");
}

TEST(StartTls, BeginsNoHandshakeWithAClientThatIsGone) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.is_deaf = true;
  talk.send("STARTTLS\r\n");
  EXPECT_EQ(talk.handshakes(), 0U);
  EXPECT_EQ(talk.close_reason(), "lost");
}

TEST(StartTls, HasAMinuteOrTheIdleTime) {
  Conversation patient(test::allowed_client(), with_tls());
  patient.tls.reset();
  patient.send("STARTTLS\r\n");
  EXPECT_EQ(patient.timeout(), milliseconds{1min});
  auto limits = with_tls();
  limits.idle_timeout = 7s;
  Conversation short_lived(test::allowed_client(), limits);
  short_lived.tls.reset();
  short_lived.send("STARTTLS\r\n");
  EXPECT_EQ(short_lived.timeout(), milliseconds{7s});
}

TEST(StartTls, IsFollowedByAGoodbyeOverTlsWhereTheRelayStops) {
  Conversation talk(test::allowed_client(), with_tls());
  talk.begin_message();
  talk.send("STARTTLS\r\n");
  EXPECT_THAT(talk.event(server_event::Stopping{}), StartsWith("421 4.3.2"));
  EXPECT_EQ(talk.close_reason(), "stopping");
}

TEST(StartTls, ThatIsRequiredLetsNoMailPassInTheClear) {
  Conversation talk(test::allowed_client(), needing_tls());
  EXPECT_THAT(talk.send("EHLO app\r\n"), HasSubstr("STARTTLS"));
  for (const auto* line :
       {"MAIL FROM:<a@example.com>\r\n", "RCPT TO:<b@example.net>\r\n", "VRFY a\r\n", "EXPN a\r\n",
        "ETRN a\r\n", "TURN\r\n", "AUTH PLAIN AAA=\r\n", "DATA\r\n"})
    EXPECT_EQ(talk.send(line), "530 5.7.0 Must issue a STARTTLS command first\r\n") << line;
  for (const auto* line : {"NOOP\r\n", "HELP\r\n", "RSET\r\n", "HELO app\r\n", "EHLO app\r\n"})
    EXPECT_THAT(talk.send(line), StartsWith("2")) << line;
  EXPECT_THAT(talk.send("STARTTLS\r\n"), StartsWith("220"));
  talk.send("EHLO app\r\n");
  talk.send(kMessage);
  EXPECT_EQ(talk.messages().size(), 1U);
}

TEST(StartTls, ThatIsRequiredRunsNoContentAsCommands) {
  Conversation talk(test::allowed_client(), needing_tls());
  talk.send("EHLO app\r\n");
  talk.send(std::string(kMessage) + "QUIT\r\n");
  EXPECT_EQ(talk.close_reason(), "sent content behind a refused DATA");
  EXPECT_TRUE(talk.messages().empty());
}

TEST(StartTls, ThatIsRequiredAndNotToBeHadTakesNoMail) {
  ServerLimits limits;
  limits.needs_tls = true;
  Conversation talk(test::allowed_client(), limits);
  EXPECT_THAT(talk.send("EHLO app\r\n"), Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(talk.send("STARTTLS\r\n"), StartsWith("454 4.7.0"));
  EXPECT_THAT(talk.send("MAIL FROM:<a@example.com>\r\n"), StartsWith("530 5.7.0"));
  EXPECT_EQ(talk.handshakes(), 0U);
}

TEST(StartTls, IsNotBegunByAClientHelloAtOnceCase056) {
  for (const auto& client : {test::allowed_client(), test::foreign_client()}) {
    Conversation talk(client, with_tls());
    talk.said();
    const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00", 12);
    EXPECT_EQ(talk.send(hello), "500 5.5.2 This is SMTP, closing\r\n") << "though no line has ended";
    EXPECT_EQ(talk.close_reason(), "TLS without STARTTLS");
  }
}

// ---- TLS before the greeting ----

ServerLimits tls_first() {
  auto limits = with_tls();
  limits.tls_first = true;
  return limits;
}

TEST(TlsOfALoadBalancer, IsInUseFromTheStart) {
  auto client = test::allowed_client();
  client.tls = mail::TlsUse{"TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"};
  Conversation talk(client, needing_tls());
  const auto offer = talk.send("EHLO app\r\n");
  EXPECT_THAT(offer, Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(offer, Not(HasSubstr("REQUIRETLS"))) << "from the load balancer on it came in the clear";
  EXPECT_THAT(talk.send("MAIL FROM:<a@example.com> REQUIRETLS\r\n"), StartsWith("555 "));
  EXPECT_THAT(talk.send("STARTTLS\r\n"), StartsWith("554 "));
  talk.begin_message().send("DATA\r\nover TLS\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages()[0].envelope.origin.tls, client.tls);
}

TEST(ImplicitTls, SaysNothingBeforeTheHandshakeAndGreetsBehindIt) {
  ServerSession session("node1.example", test::allowed_client(), tls_first());
  const auto first = session.resume(server_event::Opened{});
  ASSERT_TRUE(std::holds_alternative<server_step::StartTls>(first));
  EXPECT_EQ(std::get<server_step::StartTls>(first).timeout, kHandshakeTimeout);
  const auto greeting = session.resume(server_event::TlsStarted{mail::TlsUse{"TLSv1.3", "x"}});
  EXPECT_EQ(std::get<server_step::Write>(greeting).octets, "220 node1.example ESMTP\r\n");
  EXPECT_TRUE(session.has_tls());
}

TEST(ImplicitTls, TakesMailAsBehindStartTlsAndOffersNone) {
  Conversation talk(test::allowed_client(), tls_first());
  EXPECT_THAT(talk.said(), StartsWith("220 "));
  const auto offered = talk.send("EHLO app\r\n");
  EXPECT_THAT(offered, Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(offered, HasSubstr("REQUIRETLS"));
  EXPECT_THAT(talk.send("STARTTLS\r\n"), StartsWith("554 5.5.1 TLS is in use already"));
  talk.send(kMessage);
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages()[0].envelope.origin.tls, (mail::TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"}));
  EXPECT_EQ(talk.handshakes(), 1U);
}

TEST(ImplicitTls, WatchesWhoSpeaksFirstBehindTheHandshake) {
  Conversation waits(test::foreign_client(), tls_first());
  EXPECT_THAT(waits.said(), StartsWith("220 "));
  Conversation hasty{ServerSession("node1.example", test::foreign_client(), tls_first())};
  EXPECT_EQ(hasty.said(), "") << "it is watched";
  EXPECT_THAT(hasty.send("EHLO app\r\n"), StartsWith("554 5.5.0"));
  EXPECT_EQ(hasty.close_reason(), server_step::kSpokeFirst);
}

TEST(ImplicitTls, ThatFailsEndsTheSessionWithoutAWordCase057) {
  ServerSession session("node1.example", test::allowed_client(), tls_first());
  (void)session.resume(server_event::Opened{});
  const auto last = session.resume(server_event::TlsStarted{});
  ASSERT_TRUE(std::holds_alternative<server_step::Close>(last));
  EXPECT_EQ(std::get<server_step::Close>(last).why, "no TLS");
}

TEST(ImplicitTls, TellsARefusedClientBehindTheHandshake) {
  ServerSession session("node1.example", Reply{554, EnhancedStatus{5, 7, 1}, "No"}, tls_first());
  ASSERT_TRUE(std::holds_alternative<server_step::StartTls>(session.resume(server_event::Opened{})));
  const auto told = session.resume(server_event::TlsStarted{mail::TlsUse{"TLSv1.3", "x"}});
  EXPECT_EQ(std::get<server_step::Write>(told).octets, "554 5.7.1 No\r\n");
  EXPECT_TRUE(std::holds_alternative<server_step::Close>(session.resume(server_event::Written{})));
}

TEST(ImplicitTls, SaysGoodbyeOverTlsWhenTheRelayStops) {
  Conversation talk(test::allowed_client(), tls_first());
  talk.said();
  EXPECT_THAT(talk.event(server_event::Stopping{}), StartsWith("421 4.3.2"));
}

}  // namespace
}  // namespace relay::smtp
