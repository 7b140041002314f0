#include "relay/smtp/client_session.hpp"

#include <gmock/gmock.h>

#include "tests/support/exchange.hpp"

namespace relay::smtp {
namespace {

using test::Exchange;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr std::string_view kEhlo =
  "250-hop\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 STARTTLS\r\n";
constexpr std::string_view kEhloTls = "250-hop\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH LOGIN PLAIN\r\n";

HopPolicy plain() { return {"relay.example", TlsMode::none, std::nullopt, {}}; }
HopPolicy with(TlsMode tls, std::optional<sasl::Credentials> credentials = std::nullopt) {
  return {"relay.example", tls, std::move(credentials), {}};
}
const sasl::Credentials kCredentials{"user", "pass:word"};

/// Greeted in plain text, pipelining offered, waiting for a message.
Exchange ready(HopPolicy policy = plain(), std::string_view ehlo = kEhlo) {
  Exchange exchange(std::move(policy));
  exchange.open();
  exchange.says("220 hop\r\n");
  exchange.says(ehlo);
  EXPECT_TRUE(exchange.awaits_message());
  return exchange;
}

// ---- greeting ----

TEST(Greeting, SaysEhloAndFallsBackToHelo) {
  Exchange hop(plain());
  EXPECT_EQ(hop.open(), "");
  EXPECT_EQ(hop.timeout(), 5min);
  EXPECT_EQ(hop.says("220-two\r\n220 lines\r\n"), "EHLO relay.example\r\n");
  EXPECT_EQ(hop.says("502 what?\r\n"), "HELO relay.example\r\n");
  EXPECT_EQ(hop.says("250 hello\r\n"), "");
  EXPECT_TRUE(hop.awaits_message());
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com>\r\n") << "no pipelining, no SIZE behind HELO";
}

TEST(Greeting, RefusedJudgesTheHopNotAMessageCase120) {
  for (const auto* banner :
       {"554 go away\r\n", "421 busy\r\n", "220\xff garbage\r\n", "hello\r\n", "22 x\r\n", "150 x\r\n", "\r\n"
       }) {
    Exchange hop(plain());
    hop.open();
    hop.says(banner);
    if (std::string_view(banner).starts_with("220")) continue;  // odd text behind a good code is a good reply
    EXPECT_TRUE(hop.is_closed()) << banner;
    ASSERT_TRUE(hop.failure()) << banner;
    EXPECT_EQ(hop.failure()->error.fate, Fate::transient);
    EXPECT_TRUE(hop.outcomes().empty());
  }
}

// ---- TLS ----

TEST(Tls, IsStartedAndAllFromBeforeForgotten) {
  Exchange hop(with(TlsMode::required));
  hop.open();
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says(kEhlo), "STARTTLS\r\n");
  EXPECT_EQ(hop.says("220 go\r\n"), "<TLS>EHLO relay.example\r\n");
  hop.says("250 hop\r\n");
  EXPECT_TRUE(hop.awaits_message());
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com>\r\n")
    << "PIPELINING and SIZE were offered before TLS only";
}

TEST(Tls, WithPlainTextBehindItsAnswerIsNotStartedCase059) {
  Exchange hop(with(TlsMode::required, kCredentials));
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  EXPECT_EQ(hop.says("220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n"), "");
  EXPECT_TRUE(hop.is_closed());
  EXPECT_EQ(hop.failure()->error.code, Errc::tls_failed);
}

TEST(Tls, ThatIsRequiredAndNotOfferedSendsNothingCase060) {
  for (const auto& policy :
       {with(TlsMode::required), with(TlsMode::encrypted), with(TlsMode::none, kCredentials),
        with(TlsMode::opportunistic, kCredentials), with(TlsMode::encrypted, kCredentials)}) {
    Exchange hop(policy);
    hop.open();
    hop.says("220 hop\r\n");
    EXPECT_EQ(hop.says("250-hop\r\n250 AUTH PLAIN LOGIN\r\n"), "") << "AUTH offered in the clear is no offer";
    EXPECT_TRUE(hop.is_closed());
    EXPECT_EQ(hop.failure()->error.code, Errc::tls_failed);
  }
}

TEST(Tls, ThatIsRequiredAndRefusedSendsNothingCase060) {
  for (const auto mode : {TlsMode::required, TlsMode::encrypted}) {
    Exchange hop(with(mode));
    hop.open();
    hop.says("220 hop\r\n");
    hop.says(kEhlo);
    EXPECT_EQ(hop.says("454 not now\r\n"), "");
    EXPECT_TRUE(hop.is_closed());
    EXPECT_EQ(hop.failure()->stage, Stage::starttls);
  }
}

TEST(Tls, ThatIsRequiredNeverFallsBackToHeloCase060) {
  for (const auto mode : {TlsMode::required, TlsMode::encrypted}) {
    Exchange hop(with(mode));
    hop.open();
    hop.says("220 hop\r\n");
    EXPECT_EQ(hop.says("502 no EHLO\r\n"), "");
    EXPECT_TRUE(hop.is_closed());
  }
}

TEST(Tls, WithAnUnverifiedCertificateCarriesNothing) {
  Exchange hop(with(TlsMode::required));
  hop.tls_is_verified = false;
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  EXPECT_EQ(hop.says("220 go\r\n"), "<TLS>");
  EXPECT_EQ(hop.failure()->error.code, Errc::tls_failed);
}

TEST(Tls, ThatIsEncryptedCarriesMailToWhomeverItIs) {
  Exchange hop(with(TlsMode::encrypted));
  hop.tls_is_verified = false;
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  EXPECT_EQ(hop.says("220 go\r\n"), "<TLS>EHLO relay.example\r\n");
  hop.says(kEhloTls);
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Tls, ThatIsEncryptedDoesNotDoForCredentialsCase060) {
  Exchange hop(with(TlsMode::encrypted, kCredentials));
  hop.tls_is_verified = false;
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  EXPECT_EQ(hop.says("220 go\r\n"), "<TLS>");
  EXPECT_TRUE(hop.is_closed());
  EXPECT_EQ(hop.failure()->error.code, Errc::tls_failed);
}

TEST(Tls, ThatIsDeclinedWithAGoodbyeCarriesNothingCase122) {
  Exchange hop(with(TlsMode::opportunistic));
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  EXPECT_EQ(hop.says("421 4.3.2 shutting down\r\n"), "");
  EXPECT_TRUE(hop.is_closed()) << "no message is begun that would be lost with the connection";
  ASSERT_TRUE(hop.failure());
  EXPECT_EQ(hop.failure()->error.code, Errc::unavailable);
}

TEST(Tls, ThatIsOpportunisticMayBeDeclined) {
  Exchange hop(with(TlsMode::opportunistic));
  hop.open();
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says(kEhlo), "STARTTLS\r\n");
  EXPECT_EQ(hop.says("454 not now\r\n"), "");
  EXPECT_TRUE(hop.awaits_message());
}

// ---- AUTH ----

TEST(Auth, GoesOutOverVerifiedTlsOnly) {
  Exchange hop(with(TlsMode::none, kCredentials));
  hop.open();
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says(kEhlo), "STARTTLS\r\n") << "credentials imply TLS, whatever the setting says";
  hop.says("220 go\r\n");
  EXPECT_EQ(hop.says(kEhloTls), "AUTH PLAIN AHVzZXIAcGFzczp3b3Jk\r\n");
  hop.says("235 ok\r\n");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Auth, LoginAnswersTwoPrompts) {
  Exchange hop(with(TlsMode::implicit, kCredentials));
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says("250-hop\r\n250 AUTH LOGIN\r\n"), "AUTH LOGIN\r\n");
  EXPECT_EQ(hop.says("334 VXNlcm5hbWU6\r\n"), "dXNlcg==\r\n");
  EXPECT_EQ(hop.says("334 UGFzc3dvcmQ6\r\n"), "cGFzczp3b3Jk\r\n");
  hop.says("235 ok\r\n");
  EXPECT_TRUE(hop.awaits_message());
}

// The example of RFC 7677 section 3 in base64.
constexpr std::string_view kScramFirst =
  "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcy"
  "MlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY=\r\n";
constexpr std::string_view kScramProof =
  "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVX"
  "Rl"
  "OXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==\r\n";
const std::string kScramFinal = "dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==";

/// Behind the client's proof.
Exchange scram_proven() {
  auto policy = with(TlsMode::implicit, sasl::Credentials{"user", "pencil"});
  policy.nonce = "rOprNGfwEbeRWgbNEkqO";
  Exchange hop(std::move(policy));
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(
    hop.says("250-hop\r\n250 AUTH LOGIN PLAIN SCRAM-SHA-256\r\n"),
    "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n"
  );
  EXPECT_EQ(hop.says(kScramFirst), kScramProof);
  return hop;
}

TEST(Auth, ScramTakesTheServersProofAsAChallengeOrWithTheYes) {
  auto challenged = scram_proven();
  EXPECT_EQ(challenged.says("334 " + kScramFinal + "\r\n"), "\r\n");
  challenged.says("235 2.7.0 welcome\r\n");
  EXPECT_TRUE(challenged.awaits_message());
  for (const auto* before : {"", "2.7.0 ", "2.7.0 Authentication successful "}) {
    auto at_once = scram_proven();
    at_once.says("235 " + std::string(before) + kScramFinal + "\r\n");
    EXPECT_TRUE(at_once.awaits_message()) << before;
  }
}

TEST(Auth, ScramTrustsNoServerThatDoesNotKnowThePassword) {
  for (const auto* yes : {"235 2.7.0 welcome\r\n", "334 dj1BQUFB\r\n", "235 dj1BQUFB\r\n"}) {
    auto hop = scram_proven();
    EXPECT_EQ(hop.says(yes), "");
    ASSERT_TRUE(hop.failure()) << yes;
    EXPECT_EQ(hop.failure()->error.code, Errc::protocol_error);
    EXPECT_FALSE(hop.failure()->credentials_refused);
  }
}

TEST(Auth, ScramRefusedJudgesTheCredentials) {
  auto hop = scram_proven();
  EXPECT_EQ(hop.says("334 ZT1pbnZhbGlkLXByb29m\r\n"), "\r\n") << "e=invalid-proof; the real answer follows";
  hop.says("535 5.7.8 bad credentials\r\n");
  EXPECT_TRUE(hop.failure()->credentials_refused);
}

TEST(Auth, Xoauth2AnswersTheErrorSoThatTheRefusalComes) {
  Exchange hop(with(TlsMode::implicit, sasl::Credentials{"user", "ya29.token", sasl::Name::xoauth2}));
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(
    hop.says("250-hop\r\n250 AUTH PLAIN XOAUTH2\r\n"),
    "AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHlhMjkudG9rZW4BAQ==\r\n"
  );
  EXPECT_EQ(hop.says("334 eyJzdGF0dXMiOiI0MDEifQ==\r\n"), "\r\n");
  hop.says("535 5.7.8 no token like ya29.token\r\n");
  EXPECT_TRUE(hop.failure()->credentials_refused);
  EXPECT_THAT(hop.failure()->error.message(), Not(HasSubstr("ya29")));
}

TEST(Auth, SendsATokenThatIsTooLongForTheCommandBehindIt) {
  Exchange hop(with(TlsMode::implicit, sasl::Credentials{"user", std::string(1500, 't'), sasl::Name::xoauth2})
  );
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says("250-hop\r\n250 AUTH XOAUTH2\r\n"), "AUTH XOAUTH2\r\n");
  EXPECT_THAT(hop.says("334 \r\n"), ::testing::StartsWith("dXNlcj11c2VyAWF1dGg9QmVhcmVyIHR0dHR0"));
  hop.says("235 ok\r\n");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Auth, NamesWhatIsOfferedWhenTheAskedMechanismIsNot) {
  Exchange hop(with(TlsMode::implicit, sasl::Credentials{"user", "token", sasl::Name::xoauth2}));
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says(kEhloTls), "");
  EXPECT_EQ(hop.failure()->error.context, "offers AUTH LOGIN PLAIN, not XOAUTH2");
}

TEST(Auth, RefusedJudgesTheCredentialsAndNoMessageCase120) {
  Exchange hop(with(TlsMode::implicit, kCredentials));
  hop.open(true);
  hop.says("220 hop\r\n");
  hop.says(kEhloTls);
  EXPECT_EQ(hop.says("535 5.7.8 bad credentials\r\n"), "");
  EXPECT_TRUE(hop.is_closed());
  EXPECT_TRUE(hop.failure()->credentials_refused);
  EXPECT_THAT(hop.failure()->error.message(), Not(HasSubstr("pass")));
}

TEST(Auth, ShowsNoReplyThatQuotesTheCredentials) {
  for (const auto* quote :
       {"unrecognized AUTH PLAIN AHVzZXIAcGFzczp3b3Jk", "bad token cGFzczp3b3Jk", "no pass:word here"}) {
    Exchange hop(with(TlsMode::implicit, kCredentials));
    hop.open(true);
    hop.says("220 hop\r\n");
    hop.says(kEhloTls);
    hop.says("535 5.7.8 " + std::string(quote) + "\r\n");
    ASSERT_TRUE(hop.failure());
    for (const auto& text : {hop.failure()->error.message(), hop.failure()->reply->to_line()}) {
      EXPECT_THAT(text, Not(HasSubstr("cGFzczp3b3Jk"))) << quote;
      EXPECT_THAT(text, Not(HasSubstr("pass:word"))) << quote;
      EXPECT_THAT(text, HasSubstr("535")) << quote;
    }
  }
}

TEST(Auth, ShowsNoReplyThatQuotesTheCredentialsAsAChallengeThatIsNone) {
  Exchange hop(with(TlsMode::implicit, kCredentials));
  hop.open(true);
  hop.says("220 hop\r\n");
  hop.says(kEhloTls);
  hop.says("235 ok\r\n");
  hop.send({"b@d"});
  hop.says("334 cGFzczp3b3Jk\r\n250 ok\r\n503 no\r\n");
  EXPECT_THAT(hop.outcomes().back().recipients.front().reply.to_line(), Not(HasSubstr("cGFzczp3b3Jk")));
}

TEST(Auth, TemporarilyRefusedIsNotABadPassword) {
  Exchange hop(with(TlsMode::implicit, kCredentials));
  hop.open(true);
  hop.says("220 hop\r\n");
  hop.says(kEhloTls);
  hop.says("454 4.7.0 try later\r\n");
  EXPECT_FALSE(hop.failure()->credentials_refused);
}

TEST(Auth, WithoutAMechanismInCommonDefers) {
  Exchange hop(with(TlsMode::implicit, kCredentials));
  hop.open(true);
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.says("250-hop\r\n250 AUTH GSSAPI\r\n"), "");
  EXPECT_EQ(hop.failure()->error.code, Errc::not_permitted);
}

TEST(Auth, DemandedInAnyReplyJudgesTheHopCase120) {
  for (const auto* code : {"530", "534", "535", "538"}) {
    auto hop = ready();
    hop.send({"b@d"});
    hop.says(std::string(code) + " 5.7.0 authenticate first\r\n");
    EXPECT_EQ(hop.dispositions(), "untried") << code;
    EXPECT_TRUE(hop.failure()->credentials_refused) << code;
  }
}

// ---- a message ----

TEST(Transfer, PipelinesTheEnvelopeAndStuffsTheContent) {
  auto hop = ready();
  hop.content = "A: b\r\n\r\n.dot\r\n..\r\n";
  EXPECT_EQ(
    hop.send({"b@d", "c@d"}),
    "MAIL FROM:<a@example.com> SIZE=18\r\nRCPT TO:<b@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
  );
  EXPECT_EQ(hop.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"), "A: b\r\n\r\n..dot\r\n...\r\n.\r\n");
  EXPECT_EQ(hop.timeout(), 10min);
  EXPECT_EQ(hop.says("250 2.0.0 queued\r\n"), "");
  EXPECT_EQ(hop.dispositions(), "delivered delivered");
  EXPECT_EQ(hop.outcomes().back().recipients[0].reply.to_line(), "250 2.0.0 queued");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Transfer, AsksOneByOneWithoutPipelining) {
  auto hop = ready(plain(), "250 hop\r\n");
  EXPECT_EQ(hop.send({"b@d", "c@d"}, ""), "MAIL FROM:<>\r\n");
  EXPECT_EQ(hop.says("250 ok\r\n"), "RCPT TO:<b@d>\r\n");
  EXPECT_EQ(hop.says("250 ok\r\n"), "RCPT TO:<c@d>\r\n");
  EXPECT_EQ(hop.says("250 ok\r\n"), "DATA\r\n");
  EXPECT_EQ(hop.timeout(), 2min);
  EXPECT_EQ(hop.says("354 go\r\n"), "Subject: x\r\n\r\nbody\r\n.\r\n");
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.dispositions(), "delivered delivered");
}

TEST(Transfer, JudgesEachRecipientByItsOwnReplyCase121) {
  auto hop = ready();
  hop.send({"a@d", "b@d", "c@d", "e@d"});
  hop.says("250 ok\r\n250 ok\r\n450 4.2.1 later\r\n550 5.1.1 unknown\r\n552 too many\r\n354 go\r\n");
  hop.says("250 queued\r\n");
  EXPECT_EQ(hop.dispositions(), "delivered deferred failed deferred");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Transfer, TakesTheReplyToTheDotForAllThatWereAcceptedCase121) {
  auto hop = ready();
  hop.send({"a@d", "b@d"});
  hop.says("250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n");
  hop.says("451 4.3.0 disk\r\n");
  EXPECT_EQ(hop.dispositions(), "deferred failed");
  auto other = ready();
  other.send({"a@d"});
  other.says("250 ok\r\n250 ok\r\n354 go\r\n");
  other.says("554 5.6.0 spam\r\n");
  EXPECT_EQ(other.dispositions(), "failed");
}

TEST(Transfer, RefusedAtMailResetsAndGoesOn) {
  auto hop = ready();
  hop.send({"a@d", "b@d"});
  EXPECT_EQ(hop.says("550 5.7.1 no\r\n503 x\r\n503 x\r\n503 x\r\n"), "RSET\r\n");
  EXPECT_EQ(hop.dispositions(), "failed failed");
  EXPECT_EQ(hop.outcomes().back().recipients[0].stage, Stage::mail);
  hop.says("250 ok\r\n");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Transfer, SendsALoneDotWhenAllWereRefusedAndItStillWaits) {
  auto hop = ready();
  hop.send({"a@d"});
  EXPECT_EQ(hop.says("250 ok\r\n550 no\r\n354 go\r\n"), ".\r\n");
  EXPECT_EQ(hop.says("554 no valid recipients\r\n"), "RSET\r\n");
  EXPECT_EQ(hop.dispositions(), "failed");
  hop.says("250 ok\r\n");
  EXPECT_TRUE(hop.awaits_message());
}

TEST(Transfer, SendsManyRecipientsInGroups) {
  auto hop = ready();
  std::vector<std::string> recipients;
  for (int i = 0; i < 250; ++i) recipients.push_back("r" + std::to_string(i) + "@d");
  auto output = hop.send(recipients);
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 100);
  const auto ok = [](int count) {
    std::string replies;
    for (int i = 0; i < count; ++i) replies += "250 ok\r\n";
    return replies;
  };
  output = hop.says(ok(100));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 100);
  output = hop.says(ok(100));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 52);
  hop.says(ok(51) + "354 go\r\n");
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.outcomes().back().recipients.size(), 250U);
  EXPECT_EQ(hop.outcomes().back().recipients[249].disposition, Disposition::delivered);
}

TEST(Transfer, NeedsEightBitMimeForWhatDeclaredItCase090) {
  auto hop = ready(plain(), "250 hop\r\n");
  EXPECT_EQ(hop.send({"b@d"}, "a@b", mail::Body::eight_bit_mime), "");
  EXPECT_EQ(hop.dispositions(), "failed");
  EXPECT_EQ(hop.outcomes().back().recipients[0].reply.status, (EnhancedStatus{5, 6, 3}));
  EXPECT_TRUE(hop.awaits_message());
  auto able = ready();
  EXPECT_THAT(able.send({"b@d"}, "a@b", mail::Body::eight_bit_mime), HasSubstr(" BODY=8BITMIME\r\n"));
}

OutgoingMessage with_requests() {
  OutgoingMessage message{test::address("a@b"), {test::address("c@d"), test::address("e@f")}, 1};
  message.dsn = {
    mail::Ret::headers,
    "QQ+2B1",
    {{mail::Notify{.success = true, .delay = true}, "rfc822;user+2Bx@example.org"},
     {mail::Notify{.never = true}, ""}}
  };
  return message;
}

constexpr std::string_view kEhloDsn = "250-hop\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 DSN\r\n";

TEST(Transfer, PassesOnWhatTheSenderWantsToHear) {
  auto hop = ready(plain(), kEhloDsn);
  EXPECT_EQ(
    hop.send(with_requests()),
    "MAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B1\r\n"
    "RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;user+2Bx@example.org\r\n"
    "RCPT TO:<e@f> NOTIFY=NEVER\r\nDATA\r\n"
  );
  hop.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("250 ok\r\n");
  EXPECT_TRUE(hop.outcomes().back().recipients.front().dsn_was_passed_on);
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@d>\r\nDATA\r\n")
    << "nothing is added where nobody asked";
}

TEST(Transfer, PassesOnNoRequestToAHopThatDoesNotOfferDsn) {
  auto hop = ready();
  EXPECT_EQ(
    hop.send(with_requests()), "MAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
  );
  hop.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("250 ok\r\n");
  EXPECT_FALSE(hop.outcomes().back().recipients.front().dsn_was_passed_on);
}

TEST(Transfer, NeedsSmtputf8ForWhatIsBeyondAsciiCase051) {
  OutgoingMessage message{test::address("\xc3\xbc@b"), {test::address("c@d"), test::address("e@f")}, 1};
  message.smtputf8 = true;
  auto hop = ready();
  EXPECT_EQ(hop.send(message), "") << "no downgrade";
  EXPECT_EQ(hop.dispositions(), "failed failed");
  EXPECT_EQ(hop.outcomes().back().recipients[1].reply.status, (EnhancedStatus{5, 6, 7}));
  EXPECT_FALSE(hop.outcomes().back().recipients.front().dsn_was_passed_on);
  EXPECT_TRUE(hop.awaits_message());
  auto able = ready(plain(), kEhloDsn);
  EXPECT_THAT(able.send(message), HasSubstr("MAIL FROM:<\xc3\xbc@b> SMTPUTF8\r\n"));
}

/// Over TLS, waiting for a message.
Exchange ready_over_tls(HopPolicy policy, std::string_view ehlo, bool is_verified = true) {
  Exchange hop(std::move(policy));
  hop.tls_is_verified = is_verified;
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  hop.says("220 go\r\n");
  hop.says(ehlo);
  EXPECT_TRUE(hop.awaits_message());
  return hop;
}
constexpr std::string_view kEhloRequireTls = "250-hop\r\n250-PIPELINING\r\n250 REQUIRETLS\r\n";

OutgoingMessage demanding_tls() {
  OutgoingMessage message{test::address("a@b"), {test::address("c@d"), test::address("e@f")}, 1};
  message.requires_tls = true;
  return message;
}

TEST(Transfer, GoesByRequireTlsToAHopThatPromisesTheSame) {
  auto hop = ready_over_tls(with(TlsMode::required), kEhloRequireTls);
  EXPECT_EQ(
    hop.send(demanding_tls()), "MAIL FROM:<a@b> REQUIRETLS\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
  );
  hop.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.dispositions(), "delivered delivered");
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@d>\r\nDATA\r\n")
    << "nobody demands it here";
}

TEST(Transfer, ThatDemandsTlsGoesToNoHopWithoutRequireTls) {
  auto hop = ready_over_tls(with(TlsMode::required), "250-hop\r\n250 PIPELINING\r\n");
  EXPECT_EQ(hop.send(demanding_tls()), "");
  EXPECT_EQ(hop.dispositions(), "failed failed");
  for (const auto& recipient : hop.outcomes().back().recipients) {
    EXPECT_EQ(recipient.reply.code, 550);
    EXPECT_EQ(recipient.reply.status, (EnhancedStatus{5, 7, 30}));
    EXPECT_TRUE(recipient.is_of_this_host) << "another host may promise it";
  }
  EXPECT_TRUE(hop.awaits_message()) << "other mail goes to it";
}

TEST(Transfer, ThatDemandsTlsGoesToNoHopThatIsNotVerifiedAndProven) {
  auto unproven = with(TlsMode::required);
  unproven.is_proven = false;
  auto hops = std::vector<Exchange>();
  hops.push_back(ready(plain(), kEhloRequireTls));
  hops.push_back(ready_over_tls(with(TlsMode::opportunistic), kEhloRequireTls, false));
  hops.push_back(ready_over_tls(unproven, kEhloRequireTls));
  for (auto& hop : hops) {
    EXPECT_EQ(hop.send(demanding_tls()), "");
    EXPECT_EQ(hop.dispositions(), "failed failed");
    EXPECT_EQ(hop.outcomes().back().recipients[1].reply.status, (EnhancedStatus{5, 7, 10}));
  }
}

TEST(Transfer, SendsUndeclaredEightBitContentAsItIsCase090) {
  auto hop = ready(plain(), "250 hop\r\n");
  hop.content = "Subject: \xc3\xbc\r\n\r\n\xff\r\n";
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com>\r\n");
  hop.says("250 ok\r\n");
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.says("354 go\r\n"), hop.content + ".\r\n");
}

TEST(Transfer, CarriesSeveralMessagesOverOneConnection) {
  auto hop = ready();
  for (int i = 0; i < 3; ++i) {
    hop.send({"b@d"});
    hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
    hop.says("250 ok\r\n");
    EXPECT_EQ(hop.dispositions(), "delivered");
  }
  EXPECT_EQ(hop.event(client_event::Quit{}), "QUIT\r\n");
  hop.says("221 bye\r\n");
  EXPECT_TRUE(hop.is_closed());
  EXPECT_FALSE(hop.failure());
}

// ---- faults ----

/// Loses the peer at every place of an exchange: nothing is ever taken for delivered, and only the loss
/// behind the final dot may have sent it.
TEST(Faults, ALostConnectionDefersTheMessageCase119) {
  const std::vector<std::string> replies{"250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  for (std::size_t stop = 0; stop <= replies.size(); ++stop) {
    for (const bool times_out : {false, true}) {
      auto hop = ready();
      hop.send({"b@d"});
      for (std::size_t i = 0; i < stop; ++i) hop.says(replies[i]);
      if (times_out) hop.event(client_event::TimedOut{});
      else hop.event(client_event::Lost{Error{Errc::connection_lost, Fate::transient, "reset"}});
      EXPECT_EQ(hop.dispositions(), "deferred") << stop;
      EXPECT_EQ(hop.outcomes().back().may_be_duplicated, stop == replies.size()) << stop;
      EXPECT_TRUE(hop.is_closed());
    }
  }
}

TEST(Faults, AnIdleConnectionThatWentAwayTriesNoMessageCase119) {
  auto hop = ready();
  hop.send({"b@d"});
  hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("250 ok\r\n");
  hop.send({"c@d"});
  hop.event(client_event::Lost{Error{Errc::connection_lost, Fate::transient, "reset"}});
  EXPECT_EQ(hop.dispositions(), "untried");
  auto polite = ready();
  polite.send({"b@d"});
  polite.says("250 ok\r\n250 ok\r\n354 go\r\n");
  polite.says("250 ok\r\n");
  polite.send({"c@d"});
  polite.says("421 idle for too long\r\n");
  EXPECT_EQ(polite.dispositions(), "untried");
}

TEST(Faults, GarbageDefersAtEveryStageCase120) {
  const std::vector<std::string> replies{"250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  for (const std::string garbage :
       {"hello\r\n", "2 ok\r\n", "250_ok\r\n", "999 x\r\n", "\r\n", "250-a\r\nxyz b\r\n"}) {
    for (std::size_t stop = 0; stop <= replies.size(); ++stop) {
      auto hop = ready();
      hop.send({"b@d"});
      for (std::size_t i = 0; i < stop; ++i) hop.says(replies[i]);
      hop.says(garbage);
      EXPECT_EQ(hop.dispositions(), "deferred") << garbage << stop;
      EXPECT_TRUE(hop.is_closed());
    }
  }
}

TEST(Faults, AnEndlessReplyIsGarbageCase120) {
  auto hop = ready();
  hop.send({"b@d"});
  for (int i = 0; i < 100 && !hop.is_closed(); ++i) hop.says(std::string(16'384, '2'));
  EXPECT_TRUE(hop.is_closed());
  EXPECT_EQ(hop.dispositions(), "deferred");
}

TEST(Faults, RepliesMayHoldNulAndOddTextCase120) {
  auto hop = ready();
  hop.send({"b@d"});
  hop.says(std::string("550 no\0such\xff\r\n", 14));
  hop.says("503 x\r\n503 x\r\n");
  EXPECT_EQ(hop.dispositions(), "failed");
  EXPECT_EQ(hop.outcomes().back().recipients[0].reply.text, "no?such?");
}

TEST(Faults, A421AtAnyTimeDefersAndClosesCase122) {
  const std::vector<std::string> replies{"250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  for (std::size_t stop = 0; stop <= replies.size(); ++stop) {
    auto hop = ready();
    hop.send({"b@d"});
    for (std::size_t i = 0; i < stop; ++i) hop.says(replies[i]);
    hop.says("421 4.3.2 shutting down\r\n");
    EXPECT_EQ(hop.dispositions(), "deferred") << stop;
    EXPECT_TRUE(hop.is_closed()) << stop;
  }
}

TEST(Faults, A421KeepsWhatWasAlreadyJudgedCase122) {
  auto hop = ready();
  hop.send({"a@d", "b@d"});
  hop.says("250 ok\r\n550 5.1.1 unknown\r\n421 bye\r\n");
  EXPECT_EQ(hop.dispositions(), "failed deferred");
}

TEST(Faults, AnAnswerBeforeTheDotIsNoDeliveryCase125) {
  auto behind_354 = ready();
  behind_354.send({"b@d"});
  EXPECT_EQ(behind_354.says("250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"), "") << "no content is sent";
  EXPECT_EQ(behind_354.dispositions(), "deferred");
  EXPECT_TRUE(behind_354.is_closed());

  auto during_content = ready();
  during_content.will_say_early("250 queued\r\n");
  during_content.send({"b@d"});
  EXPECT_EQ(during_content.says("250 ok\r\n250 ok\r\n354 go\r\n"), during_content.content)
    << "the data is not ended";
  EXPECT_EQ(during_content.dispositions(), "deferred");
  EXPECT_FALSE(during_content.outcomes().back().may_be_duplicated);
  EXPECT_TRUE(during_content.is_closed());
}

TEST(Faults, ARefusalInTheMiddleOfContentCountsAndClosesCase125) {
  auto hop = ready();
  hop.will_say_early("552 5.3.4 too large\r\n");
  hop.send({"b@d"});
  EXPECT_EQ(hop.says("250 ok\r\n250 ok\r\n354 go\r\n"), hop.content);
  EXPECT_EQ(hop.dispositions(), "failed");
  EXPECT_TRUE(hop.is_closed());
}

TEST(Faults, AnsweringTwiceEndsTheConnectionNotTheDeliveryCase125) {
  auto hop = ready();
  hop.send({"b@d"});
  hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("250 queued\r\n250 queued\r\n");
  EXPECT_EQ(hop.dispositions(), "delivered");
  EXPECT_TRUE(hop.is_closed());
}

/// Its hop has asked for the content of a message to c@d.
void until_content(ClientSession& session) {
  (void)session.resume(client_event::Opened{});
  (void)session.resume(client_event::Received{"220 hop\r\n"});
  (void)session.resume(client_event::Written{});
  (void)session.resume(client_event::Received{kEhlo});
  (void)session.resume(client_event::Message{
    OutgoingMessage{test::address("a@b"), {test::address("c@d")}, 1, mail::Body::undeclared}
  });
  (void)session.resume(client_event::Written{});
  (void)session.resume(client_event::Received{"250 ok\r\n250 ok\r\n354 go\r\n"});
}

TEST(Faults, ARefusalCountsThoughTheRestOfTheContentCouldNotBeSentCase125) {
  const client_event::Lost lost{Error{Errc::connection_lost, Fate::transient, "write: broken pipe"}};
  const auto outcome = [](ClientStep step) {
    EXPECT_TRUE(std::holds_alternative<client_step::Report>(step));
    return std::get<client_step::Report>(std::move(step)).outcome.recipients.at(0);
  };
  for (const ClientEvent& end : {ClientEvent(lost), ClientEvent(client_event::TimedOut{})}) {
    ClientSession refused(plain());
    until_content(refused);
    ASSERT_TRUE(std::holds_alternative<client_step::Listen>(refused.resume(end)));
    const auto why = outcome(refused.resume(client_event::Received{"552 5.3.4 too large\r\n"}));
    EXPECT_EQ(why.disposition, Disposition::failed);
    EXPECT_EQ(why.reply.text, "too large");
    EXPECT_TRUE(std::holds_alternative<client_step::Close>(refused.resume(client_event::Reported{})));

    for (const ClientEvent& nothing :
         {ClientEvent(client_event::Received{""}), ClientEvent(client_event::Received{"250 queued\r\n"}),
          ClientEvent(client_event::Lost{Error{Errc::connection_lost, Fate::transient, "read: end"}})}) {
      ClientSession silent(plain());
      until_content(silent);
      (void)silent.resume(end);
      const auto deferred = outcome(silent.resume(nothing));
      EXPECT_EQ(deferred.disposition, Disposition::deferred);
      EXPECT_THAT(
        deferred.reply.text, ::testing::AnyOf("write: broken pipe", "timed out while sending content")
      );
    }
  }
}

/// The dot goes together with the last of the content: a connection that is lost meanwhile was not told to end it.
TEST(Faults, WhatIsLostWhileTheLastOfTheContentIsWrittenWasNotEndedCase119) {
  const client_event::Lost lost{Error{Errc::connection_lost, Fate::transient, "write: broken pipe"}};
  const auto until_end = [](ClientSession& session) {
    until_content(session);
    (void)session.resume(client_event::ContentSent{});
    EXPECT_TRUE(std::holds_alternative<client_step::EndContent>(session.resume(client_event::Received{""})));
  };
  const auto outcome_of = [&](const ClientEvent& end, const char* heard) {
    ClientSession session(plain());
    until_end(session);
    EXPECT_TRUE(std::holds_alternative<client_step::Listen>(session.resume(end)));
    auto step = session.resume(client_event::Received{heard});
    EXPECT_TRUE(std::holds_alternative<client_step::Report>(step));
    return std::get<client_step::Report>(std::move(step)).outcome;
  };
  EXPECT_EQ(outcome_of(lost, "552 5.3.4 too large\r\n").recipients.at(0).disposition, Disposition::failed);
  EXPECT_EQ(outcome_of(lost, "").recipients.at(0).disposition, Disposition::deferred);
  EXPECT_FALSE(outcome_of(lost, "").may_be_duplicated);
  EXPECT_EQ(
    outcome_of(client_event::TimedOut{}, "552 5.3.4 too large\r\n").recipients.at(0).disposition,
    Disposition::failed
  );
  EXPECT_TRUE(outcome_of(client_event::TimedOut{}, "").may_be_duplicated) << "it may just have gone";
}

TEST(Faults, ARefusalInTheMiddleShowsNoPasswordThatItQuotes) {
  Exchange hop(with(TlsMode::required, kCredentials));
  hop.open();
  hop.says("220 hop\r\n");
  hop.says(kEhlo);
  hop.says("220 go\r\n");
  hop.says(kEhloTls);
  hop.says("235 yes\r\n");
  hop.will_say_early("552 I know pass:word\r\n");
  hop.send({"b@d"});
  hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_EQ(hop.dispositions(), "failed");
  EXPECT_THAT(hop.outcomes().back().recipients[0].reply.text, Not(HasSubstr("pass:word")));
}

TEST(Faults, AReplyTooManyJudgesNobodyCase125) {
  struct {
    const char* replies;
    const char* what;
  } const cases[] = {
    {"250 ok\r\n250 ok\r\n550 5.1.1 the first is unknown\r\n250 ok\r\n", "two replies to MAIL"},
    {"354 go\r\n", "that of DATA to MAIL"},
    {"250 ok\r\n550 no\r\n354 go\r\n", "that of DATA to RCPT"},
    {"250 ok\r\n550 no\r\n250 ok\r\n334 go\r\n", "that of AUTH to DATA"},
  };
  for (const auto& [replies, what] : cases) {
    auto hop = ready();
    hop.send({"a@d", "b@d"});
    EXPECT_EQ(hop.says(replies), "") << what;
    EXPECT_EQ(hop.dispositions(), "deferred deferred") << what;
    EXPECT_FALSE(hop.outcomes().back().may_be_duplicated) << what;
    EXPECT_TRUE(hop.is_closed()) << what;
    ASSERT_TRUE(hop.failure()) << what;
    EXPECT_THAT(hop.failure()->error.context, HasSubstr("out of step")) << what;
  }
}

TEST(Faults, AReplyTooManyIsSeenBeforeTheNextCommandCase125) {
  auto hop = ready(plain(), "250 hop\r\n");
  hop.send({"a@d", "b@d"});
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.says("550 no\r\n250 ok\r\n"), "") << "which of them is the recipient's?";
  EXPECT_EQ(hop.dispositions(), "deferred deferred");
  EXPECT_TRUE(hop.is_closed());

  auto leaves = ready(plain(), "250 hop\r\n");
  leaves.send({"a@d", "b@d"});
  leaves.says("250 ok\r\n");
  EXPECT_EQ(leaves.says("550 no\r\n421 bye\r\n"), "");
  EXPECT_EQ(leaves.dispositions(), "failed deferred") << "a goodbye is no reply too many";
  EXPECT_TRUE(leaves.is_closed());
}

TEST(Faults, WhatAnIdleConnectionSaysAnswersNothingCase125) {
  const auto kept = [] {
    auto hop = ready();
    hop.send({"b@d"});
    hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
    hop.says("250 queued\r\n");
    EXPECT_EQ(hop.dispositions(), "delivered");
    return hop;
  };
  for (const auto* said : {"250 queued\r\n", "421 4.4.2 idle for too long\r\n", "25"}) {
    auto hop = kept();
    hop.will_say_early(said);
    EXPECT_EQ(hop.send({"a@d", "b@d"}), "") << said;
    EXPECT_EQ(hop.dispositions(), "untried untried") << said;
    EXPECT_TRUE(hop.is_closed()) << said;
    EXPECT_TRUE(hop.failure()) << said;
  }
  auto hop = kept();
  EXPECT_EQ(hop.send({"b@d"}), "MAIL FROM:<a@example.com> SIZE=20\r\nRCPT TO:<b@d>\r\nDATA\r\n");
}

TEST(Faults, ADotThatIsAskedForMoreMayHaveDeliveredCase125) {
  auto hop = ready();
  hop.send({"b@d"});
  hop.says("250 ok\r\n250 ok\r\n354 go\r\n");
  hop.says("354 go\r\n");
  EXPECT_EQ(hop.dispositions(), "deferred");
  EXPECT_TRUE(hop.outcomes().back().may_be_duplicated) << "the true answer comes behind it";
  EXPECT_TRUE(hop.is_closed());
}

TEST(Faults, ContentThatCannotBeReadIsNeverEnded) {
  auto hop = ready();
  hop.send({"b@d"});
  // The driver reports it in place of ContentSent; the harness always sends, so the event comes before the
  // dot here.
  ClientSession session(plain());
  (void)session.resume(client_event::Opened{});
  (void)session.resume(client_event::Received{"220 hop\r\n"});
  (void)session.resume(client_event::Written{});
  (void)session.resume(client_event::Received{kEhlo});
  (void)session.resume(client_event::Message{
    OutgoingMessage{test::address("a@b"), {test::address("c@d")}, 1, mail::Body::undeclared}
  });
  (void)session.resume(client_event::Written{});
  auto step = session.resume(client_event::Received{"250 ok\r\n250 ok\r\n354 go\r\n"});
  ASSERT_TRUE(std::holds_alternative<client_step::SendContent>(step));
  step = session.resume(client_event::ContentUnreadable{Error{Errc::corrupt, Fate::permanent, "checksum"}});
  ASSERT_TRUE(std::holds_alternative<client_step::Report>(step));
  EXPECT_EQ(std::get<client_step::Report>(step).outcome.recipients[0].disposition, Disposition::deferred);
  EXPECT_TRUE(std::holds_alternative<client_step::Close>(session.resume(client_event::Reported{})));
}

TEST(Faults, TimeoutsAreThoseOfRfc5321Case123) {
  HopPolicy policy = plain();
  policy.timeouts = {1s, 2s, 3s, 4s, 5s};
  Exchange hop(policy);
  hop.open();
  EXPECT_EQ(hop.timeout(), 1s);
  hop.says("220 hop\r\n");
  EXPECT_EQ(hop.timeout(), 2s);
  hop.says("250 hop\r\n");
  hop.send({"b@d"});
  EXPECT_EQ(hop.timeout(), 2s);
  hop.says("250 ok\r\n");
  hop.says("250 ok\r\n");
  EXPECT_EQ(hop.timeout(), 3s);
  hop.says("354 go\r\n");
  EXPECT_EQ(hop.timeout(), 5s);
  hop.event(client_event::TimedOut{});
  EXPECT_THAT(hop.failure()->error.context, HasSubstr("message may be sent more than once"));
}

TEST(Faults, AReplyHasItsTimeOnceHoweverItDripsInCase123) {
  auto hop = ready();
  hop.send({"b@d"});
  EXPECT_FALSE(hop.goes_on());
  for (const auto* part : {"2", "50-still\r\n", "250-thinking\r\n250", " o"}) {
    hop.says(part);
    EXPECT_TRUE(hop.goes_on()) << part;
  }
  hop.says("k\r\n");
  EXPECT_FALSE(hop.goes_on()) << "the time of the next reply begins";
  hop.says("250 ok\r\n354 go\r\n");
  EXPECT_FALSE(hop.goes_on());
  hop.says("250");
  EXPECT_TRUE(hop.goes_on());
}

TEST(Faults, NoNameOrAddressCanWriteASecondCommandCase047) {
  for (const auto& name :
       {std::string("a\r\nRCPT TO:<evil@d>"), std::string("a\nb"), std::string("a\0b", 3)}) {
    HopPolicy policy = plain();
    policy.helo_name = name;
    Exchange hop(policy);
    hop.open();
    EXPECT_EQ(hop.says("220 hop\r\n"), "");
    EXPECT_TRUE(hop.is_closed());
  }
  EXPECT_FALSE(mail::Address::parse("a@b>\r\nRCPT TO:<evil@d"));
  EXPECT_FALSE(mail::Address::parse("a\nb@c"));
}

}  // namespace
}  // namespace relay::smtp
