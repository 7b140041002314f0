#include "relay/smtp/auth_dialogue.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "tests/support/users.hpp"

namespace relay::smtp {
namespace {

using namespace auth_turn;
using std::string_literals::operator""s;
using ::testing::StartsWith;

/// A turn in words: a reply's line, `check user password`, `end user yes`.
std::string words(const AuthTurn& turn) {
  struct {
    std::string operator()(const Say& it) const { return it.challenge.to_line(); }
    std::string operator()(const CheckPassword& it) const { return "check " + it.user + " " + it.password; }
    std::string operator()(const CheckProof& it) const { return it.is_right ? "right proof" : "wrong proof"; }
    std::string operator()(const Cancel& it) const { return it.reply.to_line(); }
    std::string operator()(const End& it) const {
      return "end " + it.user + (it.is_right ? " yes" : " no") + (it.acts_as_another ? ", for another" : "");
    }
  } say;
  return std::visit(say, turn);
}

AuthDialogue dialogue(sasl::Name mechanism) { return {mechanism, test::users(), "nonce"}; }

TEST(AuthCommand, NamesAMechanismAndMayBringAResponse) {
  auto arguments = parse_auth("plain");
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->mechanism, sasl::Name::plain);
  EXPECT_FALSE(arguments->initial_response);
  arguments = parse_auth("SCRAM-SHA-256  biws");
  EXPECT_EQ(arguments->mechanism, sasl::Name::scram_sha_256);
  EXPECT_EQ(arguments->initial_response, "biws");
}

TEST(AuthCommand, IsRefusedForAMechanismThatIsNotOfferedCase065) {
  for (const auto* name : {"XOAUTH2", "CRAM-MD5", "SCRAM-SHA-256-PLUS", "EXTERNAL x", "NTLM", "="})
    EXPECT_EQ(parse_auth(name).error().to_line(), "504 5.5.4 Mechanism not offered") << name;
}

TEST(AuthCommand, IsRefusedForWrongSyntax) {
  for (const auto* argument : {"", "  ", "PLAIN one two"})
    EXPECT_THAT(parse_auth(argument).error().to_line(), StartsWith("501 5.5.4 Syntax: AUTH")) << argument;
}

TEST(AuthDialogues, BeginWithAnEmptyChallengeOrThePromptOfLogin) {
  EXPECT_EQ(words(dialogue(sasl::Name::plain).begin(std::nullopt)), "334");
  EXPECT_EQ(words(dialogue(sasl::Name::login).begin(std::nullopt)), "334 VXNlcm5hbWU6");
  EXPECT_EQ(words(dialogue(sasl::Name::scram_sha_256).begin(std::nullopt)), "334");
}

TEST(AuthDialogues, TakeTheFirstResponseWithTheCommand) {
  auto plain = dialogue(sasl::Name::plain);
  EXPECT_EQ(words(plain.begin(base64("\0user\0pencil"s))), "check user pencil");
  EXPECT_EQ(words(plain.password_checked(true)), "end user yes");
  EXPECT_EQ(words(dialogue(sasl::Name::login).begin(base64("user"))), "334 UGFzc3dvcmQ6");
}

TEST(AuthDialogues, SayNoToAWrongPassword) {
  auto login = dialogue(sasl::Name::login);
  (void)login.begin(std::nullopt);
  EXPECT_EQ(words(login.receive("dXNlcg==")), "334 UGFzc3dvcmQ6");
  EXPECT_EQ(words(login.receive("eA==")), "check user x");
  EXPECT_EQ(words(login.password_checked(false)), "end user no");
  EXPECT_EQ(credentials_refused().to_line(), "535 5.7.8 Authentication credentials invalid");
}

TEST(AuthDialogues, SayWhoWouldActAsAnother) {
  EXPECT_EQ(
    words(dialogue(sasl::Name::plain).begin(base64("other\0user\0pencil"s))), "end user no, for another"
  );
  EXPECT_EQ(acting_refused().to_line(), "535 5.7.8 No user may act as another one");
}

TEST(AuthDialogues, AskWhetherAProofMayBeAnswered) {
  auto scram = dialogue(sasl::Name::scram_sha_256);
  (void)scram.begin(base64("n,,n=user,r=abc"));
  EXPECT_EQ(
    words(scram.receive(base64("c=biws,r=abcnonce,p=" + base64(std::string(32, 'x'))))), "wrong proof"
  );
  EXPECT_EQ(words(scram.password_checked(true)), "end user no");
}

/// RFC 4954 section 4: `=` stands for a response that is there and empty; no mechanism of ours begins with one.
TEST(AuthDialogues, TakeAnEqualsSignForAnEmptyResponse) {
  for (const auto mechanism : {sasl::Name::plain, sasl::Name::login, sasl::Name::scram_sha_256})
    EXPECT_EQ(words(dialogue(mechanism).begin("=")), "501 5.5.2 Not a response of this mechanism");
}

TEST(AuthDialogues, AreCancelledByAnAsteriskCase065) {
  auto plain = dialogue(sasl::Name::plain);
  (void)plain.begin(std::nullopt);
  EXPECT_EQ(words(plain.receive("*")), "501 5.5.2 Authentication cancelled");
  EXPECT_EQ(words(plain.receive("AHVzZXIAcGVuY2ls")), "501 5.5.2 Authentication cancelled") << "it is over";
}

TEST(AuthDialogues, EndAtWhatIsNotBase64Case064) {
  for (const auto* line :
       {"AHVzZXIAcGVuY2ls!", "AHV=ZXIA", "AHVzZXIAcGVuY2l", "=AAA", "====", "A", "**", "AHVz ZXIA"}) {
    auto plain = dialogue(sasl::Name::plain);
    (void)plain.begin(std::nullopt);
    EXPECT_EQ(words(plain.receive(line)), "501 5.5.2 Not base64") << line;
    EXPECT_EQ(words(dialogue(sasl::Name::plain).begin(line)), "501 5.5.2 Not base64") << line;
  }
}

TEST(AuthDialogues, FitIntoALineOfAReplyWhateverTheClientSays) {
  auto scram = dialogue(sasl::Name::scram_sha_256);
  const auto turn = scram.begin(base64("n,,n=user,r=" + std::string(128, 'r')));
  ASSERT_TRUE(std::holds_alternative<Say>(turn));
  const auto line = to_wire(std::get<Say>(turn).challenge);
  EXPECT_LE(line.size(), kMaxReplyLine);
  const auto challenge = parse_base64(line.substr(4, line.size() - 6));
  ASSERT_TRUE(challenge) << "nothing of it was cut";
  EXPECT_TRUE(challenge->ends_with(",i=4096"));
}

}  // namespace
}  // namespace relay::smtp
