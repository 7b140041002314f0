#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "relay/smtp/server_session.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/users.hpp"

namespace relay::smtp {
namespace {

using test::Conversation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kPlain = "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n";       // user, pencil
constexpr auto kWrongPlain = "AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n";  // user, wrong
constexpr auto kRight = "235 2.7.0 Authentication successful\r\n";
constexpr auto kWrong = "535 5.7.8 Authentication credentials invalid\r\n";

ServerLimits with_auth() {
  ServerLimits limits;
  limits.has_tls = true;
  limits.has_auth = true;
  return limits;
}
/// Behind EHLO over TLS, with RFC 7677's user.
Conversation secured(ServerLimits limits = with_auth(), smtp::Client client = test::foreign_client()) {
  Conversation talk(client, limits);
  talk.users = test::users();
  talk.send("EHLO app\r\n");
  talk.send("STARTTLS\r\n");
  talk.send("EHLO app\r\n");
  return talk;
}

TEST(Auth, IsOfferedOverTlsAloneUnlessToldOtherwise) {
  Conversation talk(test::foreign_client(), with_auth());
  EXPECT_THAT(talk.send("EHLO app\r\n"), Not(HasSubstr("AUTH")));
  talk.send("STARTTLS\r\n");
  EXPECT_THAT(talk.send("EHLO app\r\n"), HasSubstr("\r\n250 AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
  auto limits = with_auth();
  limits.auth_needs_tls = false;
  Conversation in_the_clear(test::foreign_client(), limits);
  EXPECT_THAT(in_the_clear.send("EHLO app\r\n"), HasSubstr("\r\n250 AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
  limits.needs_tls = true;
  Conversation needing_tls(test::foreign_client(), limits);
  EXPECT_THAT(needing_tls.send("EHLO app\r\n"), Not(HasSubstr("AUTH")));
  EXPECT_THAT(needing_tls.send(kPlain), StartsWith("530 5.7.0 Must issue a STARTTLS command first"));
}

TEST(Auth, IsNeitherOfferedNorServedWithoutUsers) {
  ServerLimits limits;
  limits.auth_needs_tls = false;
  Conversation talk(test::foreign_client(), limits);
  EXPECT_THAT(talk.send("EHLO app\r\n"), Not(HasSubstr("AUTH")));
  EXPECT_EQ(talk.send(kPlain), "502 5.5.1 Command not offered\r\n");
}

TEST(Auth, InTheClearIsRefusedWhereItNeedsTlsCase066) {
  Conversation talk(test::allowed_client(), with_auth());
  talk.send("EHLO app\r\n");
  EXPECT_EQ(talk.send(kPlain), "538 5.7.11 Encryption required for requested authentication mechanism\r\n");
  EXPECT_THAT(talk.logins(), IsEmpty()) << "nothing was tried";
}

TEST(Auth, ByPlainWithAnInitialResponse) {
  auto talk = secured();
  EXPECT_EQ(talk.send(kPlain), kRight);
  EXPECT_THAT(talk.logins(), ElementsAre("PLAIN user yes"));
}

TEST(Auth, ByPlainWithoutOne) {
  auto talk = secured();
  EXPECT_EQ(talk.send("AUTH PLAIN\r\n"), "334 \r\n");
  EXPECT_EQ(talk.send("AHVzZXIAcGVuY2ls\r\n"), kRight);
}

TEST(Auth, ByLogin) {
  auto talk = secured();
  EXPECT_EQ(talk.send("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
  EXPECT_EQ(talk.send("dXNlcg==\r\n"), "334 UGFzc3dvcmQ6\r\n");
  EXPECT_EQ(talk.send("cGVuY2ls\r\n"), kRight);
  EXPECT_THAT(talk.logins(), ElementsAre("LOGIN user yes"));
}

TEST(Auth, ByScramAsRfc7677HasIt) {
  auto talk = secured();
  talk.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const auto first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
  EXPECT_EQ(
    talk.send("AUTH SCRAM-SHA-256 " + base64(first) + "\r\n"),
    "334 " +
      base64("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096") +
      "\r\n"
  );
  const auto final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  EXPECT_EQ(
    talk.send(base64(final) + "\r\n"),
    "334 " + base64("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") + "\r\n"
  );
  EXPECT_EQ(talk.send("\r\n"), kRight);
  EXPECT_THAT(talk.logins(), ElementsAre("SCRAM-SHA-256 user yes"));
}

TEST(Auth, TakesLinesThatCameAhead) {
  auto talk = secured();
  EXPECT_EQ(
    talk.send("AUTH LOGIN\r\ndXNlcg==\r\ncGVuY2ls\r\nNOOP\r\n"),
    "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" + std::string(kRight) + "250 2.0.0 OK\r\n"
  );
  auto in_pieces = secured();
  EXPECT_THAT(in_pieces.send_in_pieces("AUTH LOGIN\r\ndXNlcg==\r\ncGVuY2ls\r\n", 1), HasSubstr(kRight));
}

TEST(Auth, EndsWithoutAnAnswerWhereThePasswordCannotBeChecked) {
  auto talk = secured();
  talk.check_refusal = reply(454, {4, 7, 0}, "Temporary authentication failure");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(talk.send(kPlain), "454 4.7.0 Temporary authentication failure\r\n");
  EXPECT_THAT(talk.logins(), IsEmpty()) << "nobody has failed";
  talk.check_refusal.reset();
  EXPECT_EQ(talk.send(kPlain), kRight);
}

TEST(Auth, IsOverForAWholeConnectionWhereTheDriverSaysSo) {
  auto talk = secured();
  talk.send(kPlain);
  talk.recipient_verdict = [](const auto&) { return reply(421, {4, 7, 0}, "Connect again"); };
  EXPECT_EQ(
    talk.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"),
    "250 2.1.0 Sender OK\r\n421 4.7.0 Connect again\r\n"
  );
  EXPECT_TRUE(talk.is_closed());
}

TEST(Auth, StandsInTheEnvelopeOfWhatFollows) {
  auto talk = secured();
  talk.begin_message().send("DATA\r\n");
  talk.send("x\r\n.\r\n");
  talk.send(kPlain);
  talk.begin_message().send("DATA\r\n");
  talk.send("x\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 2U) << "EHLO once more changes nothing";
  EXPECT_EQ(talk.messages()[0].envelope.origin.user, "");
  EXPECT_EQ(talk.messages()[1].envelope.origin.user, "user");
}

TEST(Auth, IsForgottenBehindAHandshakeCase053) {
  auto limits = with_auth();
  limits.auth_needs_tls = false;
  Conversation talk(test::allowed_client(), limits);
  talk.users = test::users();
  talk.send("EHLO app\r\n");
  EXPECT_EQ(talk.send(kPlain), kRight);
  talk.send("STARTTLS\r\n");
  talk.begin_message().send("DATA\r\nx\r\n.\r\n");
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages()[0].envelope.origin.user, "");
  EXPECT_EQ(talk.send(kPlain), kRight);
}

TEST(Auth, HappensOnceOutsideATransactionAndBehindEhloCase065) {
  Conversation early(test::foreign_client(), with_auth());
  early.send("STARTTLS\r\n");
  EXPECT_EQ(early.send(kPlain), "503 5.5.1 Say EHLO first\r\n");
  early.send("HELO app\r\n");
  EXPECT_EQ(early.send(kPlain), "503 5.5.1 Say EHLO first\r\n");
  auto talk = secured();
  talk.send("MAIL FROM:<a@example.com>\r\n");
  EXPECT_EQ(talk.send(kPlain), "503 5.5.1 A transaction is open, RSET ends it\r\n");
  talk.send("RSET\r\n");
  EXPECT_EQ(talk.send(kPlain), kRight);
  EXPECT_EQ(talk.send(kPlain), "503 5.5.1 You are logged in already\r\n");
}

TEST(Auth, ThatIsNoneTriesNothingCase064Case065) {
  auto limits = with_auth();
  limits.max_errors = 100;
  auto talk = secured(limits);
  EXPECT_THAT(talk.send("AUTH\r\n"), StartsWith("501 5.5.4"));
  EXPECT_THAT(talk.send("AUTH CRAM-MD5\r\n"), StartsWith("504 5.5.4"));
  EXPECT_THAT(talk.send("AUTH PLAIN =\r\n"), StartsWith("501 5.5.2"));
  EXPECT_THAT(talk.send("AUTH PLAIN *\r\n"), StartsWith("501 5.5.2"));
  for (const auto* line : {"*\r\n", "AHV=ZXIA\r\n", "not base64\r\n", "\r\n", "\xff\r\n"}) {
    talk.send("AUTH PLAIN\r\n");
    EXPECT_THAT(talk.send(line), StartsWith("501 5.5.2")) << line;
    EXPECT_THAT(talk.send("NOOP\r\n"), StartsWith("250")) << "commands are commands again";
  }
  EXPECT_THAT(talk.logins(), IsEmpty());
  EXPECT_EQ(talk.send(kPlain), kRight);
}

TEST(Auth, LinesAreReadUpTo12288OctetsCase064) {
  auto talk = secured();
  talk.send("AUTH LOGIN\r\n");
  EXPECT_THAT(talk.send(std::string(12288 - 2, 'A') + "\r\n"), StartsWith("501 5.5.2"));
  talk.send("AUTH LOGIN\r\n");
  EXPECT_EQ(
    talk.send(std::string(12289 - 2, 'A') + "\r\n"), "500 5.5.6 Authentication exchange line is too long\r\n"
  );
  EXPECT_THAT(talk.send("NOOP\r\n"), StartsWith("250")) << "it is over";
  EXPECT_EQ(
    talk.send("AUTH PLAIN " + std::string(12289 - 13, 'A') + "\r\n"),
    "500 5.5.6 Authentication exchange line is too long\r\n"
  );
  EXPECT_EQ(talk.send(kPlain), kRight);
}

TEST(Auth, LinesOfStrangersEndInCrLf) {
  auto talk = secured();
  talk.send("AUTH PLAIN\r\n");
  EXPECT_THAT(talk.send("AHVzZXIAcGVuY2ls\n"), StartsWith("500 5.5.2"));
  EXPECT_THAT(talk.logins(), IsEmpty());
  auto allowed = secured(with_auth(), test::allowed_client());
  allowed.send("AUTH PLAIN\n");
  EXPECT_EQ(allowed.send("AHVzZXIAcGVuY2ls\n"), kRight);
}

TEST(Auth, SaysNoMoreOfAFailureThanThatItIsOne) {
  auto talk = secured();
  EXPECT_EQ(talk.send(kWrongPlain), kWrong);
  EXPECT_EQ(talk.send("AUTH PLAIN " + base64(std::string("\0nobody\0pencil", 14)) + "\r\n"), kWrong);
  EXPECT_THAT(talk.logins(), ElementsAre("PLAIN user no", "PLAIN nobody no"));
  EXPECT_EQ(talk.send(kPlain), kRight) << "another try is free";
}

TEST(Auth, SaysWhatIsWrongToWhoWouldActAsAnother) {
  auto talk = secured();
  const auto line = "AUTH PLAIN " + base64(std::string("other\0user\0pencil", 17)) + "\r\n";
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(talk.send(line), StartsWith("535 5.7.8 No user may act as another one\r\n"));
  EXPECT_TRUE(talk.is_closed()) << "a failure as any other, of the connection";
}

TEST(Auth, TellsNothingOfAProofWhereTheDriverSaysSo) {
  auto talk = secured();
  talk.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  talk.check_refusal = reply(454, {4, 7, 0}, "Not now");
  talk.send("AUTH SCRAM-SHA-256 " + base64("n,,n=user,r=rOprNGfwEbeRWgbNEkqO") + "\r\n");
  const auto final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  EXPECT_EQ(talk.send(base64(final) + "\r\n"), "454 4.7.0 Not now\r\n");
  EXPECT_THAT(talk.logins(), IsEmpty());
}

TEST(Auth, EndsTheConnectionAtTheThirdFailure) {
  auto talk = secured();
  talk.send(kWrongPlain);
  talk.send(kWrongPlain);
  EXPECT_FALSE(talk.is_closed());
  EXPECT_EQ(
    talk.send(kWrongPlain),
    kWrong + std::string("421 4.7.0 node1.example Too many failed logins, closing\r\n")
  );
  EXPECT_EQ(talk.close_reason(), "too many failed logins");
}

TEST(Auth, CountsErrorsAsAllCommandsDo) {
  auto limits = with_auth();
  limits.max_errors = 2;
  auto talk = secured(limits);
  for (int i = 0; i < 3; ++i) talk.send("AUTH NTLM\r\n");
  EXPECT_EQ(talk.close_reason(), "too many errors");
  auto failing = secured(limits);
  for (int i = 0; i < 2; ++i) failing.send("AUTH NTLM\r\n");
  EXPECT_EQ(failing.send(kWrongPlain), kWrong + std::string("421 4.7.0 node1.example Too many errors\r\n"));
}

TEST(Auth, IsRefusedWhereTheDriverSaysSo) {
  auto talk = secured();
  talk.auth_refusal = reply(454, {4, 7, 0}, "Not now");
  EXPECT_EQ(talk.send(kPlain), "454 4.7.0 Not now\r\n");
  EXPECT_THAT(talk.logins(), IsEmpty());
  talk.auth_refusal.reset();
  EXPECT_EQ(talk.send(kPlain), kRight);
}

TEST(Auth, GivesWayWhenTheRelayStopsOrTheClientGoes) {
  auto stopped = secured();
  stopped.send("AUTH PLAIN\r\n");
  EXPECT_THAT(stopped.event(server_event::Stopping{}), StartsWith("421 4.3.2"));
  auto gone = secured();
  gone.send("AUTH LOGIN\r\n");
  gone.event(server_event::Ended{});
  EXPECT_EQ(gone.close_reason(), "lost");
  auto idle = secured();
  idle.send("AUTH LOGIN\r\n");
  EXPECT_THAT(idle.event(server_event::TimedOut{}), StartsWith("421 4.4.2"));
}

TEST(AuthParameter, IsTakenAndCheckedWhereAuthIsServedCase043) {
  for (const bool is_logged_in : {false, true}) {
    auto limits = with_auth();
    limits.max_errors = 100;
    auto talk = secured(limits);
    if (is_logged_in) talk.send(kPlain);
    for (const auto* value : {"<>", "e+3Dmc2@example.com", "user"}) {
      EXPECT_EQ(
        talk.send("MAIL FROM:<a@example.com> AUTH=" + std::string(value) + "\r\n"), "250 2.1.0 Sender OK\r\n"
      );
      talk.send("RSET\r\n");
    }
    for (const auto& value :
         {std::string(), std::string("a+0Ab"), std::string("+3"), std::string("+G1"), std::string("a=b"),
          std::string(501, 'a')})
      EXPECT_THAT(talk.send("MAIL FROM:<a@example.com> AUTH=" + value + "\r\n"), StartsWith("501 5.5.4"))
        << value;
  }
}

TEST(AuthParameter, IsNoneWhereAuthIsNotServed) {
  Conversation talk;
  talk.send("EHLO app\r\n");
  EXPECT_EQ(talk.send("MAIL FROM:<a@example.com> AUTH=<>\r\n"), "555 5.5.4 Parameter not supported\r\n");
}

TEST(Auth, ComesBeforeMailWhereItIsRequired) {
  auto limits = with_auth();
  limits.needs_auth = true;
  auto talk = secured(limits, test::allowed_client());
  EXPECT_EQ(talk.send("MAIL FROM:<a@example.com>\r\n"), "530 5.7.0 Authentication required\r\n");
  EXPECT_EQ(talk.send(kWrongPlain), kWrong);
  EXPECT_THAT(talk.send("MAIL FROM:<a@example.com>\r\n"), StartsWith("530 5.7.0"));
  EXPECT_EQ(talk.send(kPlain), kRight);
  EXPECT_THAT(talk.send("MAIL FROM:<a@example.com>\r\n"), StartsWith("250 "));
}

TEST(Auth, IsOfferedAtOnceWhereTlsComesFirst) {
  auto limits = with_auth();
  limits.tls_first = true;
  limits.needs_auth = true;
  Conversation talk(test::foreign_client(), limits);
  talk.users = test::users();
  EXPECT_THAT(talk.send("EHLO app\r\n"), HasSubstr("AUTH SCRAM-SHA-256 PLAIN LOGIN"));
  EXPECT_EQ(talk.send(kPlain), kRight);
}

}  // namespace
}  // namespace relay::smtp
