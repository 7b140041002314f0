#include "relay/sasl/server.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "relay/sasl/scram.hpp"
#include "tests/support/users.hpp"

namespace relay::sasl {
namespace {

using namespace server_step;
using std::string_literals::operator""s;
using ::testing::StartsWith;

const std::string kClientNonce = "rOprNGfwEbeRWgbNEkqO";
const std::string kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kFinal =
  "c=biws,r=" + kClientNonce + kServerNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

/// A step in words: `challenge ...`, `check user password`, `right proof`, `wrong proof`, `accepted user`, `refused user`,
/// `refused user acting as another`, `malformed`.
std::string words(const ServerStep& step) {
  struct {
    std::string operator()(const Challenge& it) const { return "challenge " + it.octets; }
    std::string operator()(const CheckPassword& it) const { return "check " + it.user + " " + it.password; }
    std::string operator()(const CheckProof& it) const { return it.is_right ? "right proof" : "wrong proof"; }
    std::string operator()(const Accepted& it) const { return "accepted " + it.user; }
    std::string operator()(const Refused& it) const {
      return "refused " + it.user + (it.acts_as_another ? " acting as another" : "");
    }
    std::string operator()(const Malformed&) const { return "malformed"; }
  } say;
  return std::visit(say, step);
}
std::unique_ptr<ServerMechanism> make(Name name) { return make_server(name, test::users(), kServerNonce); }
std::string first_answer(Name name, std::string_view response) {
  return words(make(name)->respond(response));
}

TEST(Servers, AreThereForWhatIsOffered) {
  for (const auto offered : split(kServerMechanisms, ' ')) {
    const auto name = parse_name(offered);
    ASSERT_TRUE(name) << offered;
    EXPECT_EQ(make(*name)->name(), *name);
  }
  EXPECT_EQ(make(Name::xoauth2), nullptr);
}

TEST(PlainServer, TakesTheExampleOfRfc4616) {
  const auto plain = make(Name::plain);
  EXPECT_EQ(plain->first_challenge(), "");
  EXPECT_EQ(words(plain->respond("\0tim\0tanstaaftanstaaf"s)), "check tim tanstaaftanstaaf");
  EXPECT_EQ(words(plain->password_checked(true)), "accepted tim");
  EXPECT_EQ(words(plain->password_checked(true)), "malformed") << "it is over";
  EXPECT_EQ(words(plain->respond("\0tim\0tanstaaftanstaaf"s)), "malformed");
}

TEST(PlainServer, RefusesAWrongPassword) {
  const auto plain = make(Name::plain);
  (void)plain->respond("\0tim\0x"s);
  EXPECT_EQ(words(plain->password_checked(false)), "refused tim");
}

TEST(PlainServer, LetsNobodyActAsSomebodyElse) {
  EXPECT_EQ(first_answer(Name::plain, "Ursel\0Kurt\0xipj3plmq"s), "refused Kurt acting as another");
  EXPECT_EQ(first_answer(Name::plain, "Kurt\0Kurt\0xipj3plmq"s), "check Kurt xipj3plmq");
}

TEST(PlainServer, TakesNoMessageThatIsNone) {
  for (const auto& message :
       {""s, "user"s, "\0user"s, "\0\0pencil"s, "\0user\0"s, "\0us\ner\0pencil"s, "\0user\0pen\0cil"s,
        "\0user\0pen\rcil"s, "\0"s + std::string(256, 'u') + "\0p"s, "\0u\0"s + std::string(1025, 'p')})
    EXPECT_EQ(first_answer(Name::plain, message), "malformed") << message;
}

TEST(PlainServer, HasNoAnswerToAPasswordThatNobodyChecked) {
  EXPECT_EQ(words(make(Name::plain)->password_checked(true)), "malformed");
  EXPECT_EQ(words(make(Name::login)->password_checked(true)), "malformed");
  EXPECT_EQ(words(make(Name::scram_sha_256)->password_checked(true)), "malformed");
}

TEST(LoginServer, AsksForUserAndPassword) {
  const auto login = make(Name::login);
  EXPECT_EQ(login->first_challenge(), "Username:");
  EXPECT_EQ(words(login->respond("user")), "challenge Password:");
  EXPECT_EQ(words(login->respond("pencil")), "check user pencil");
  EXPECT_EQ(words(login->password_checked(true)), "accepted user");
  EXPECT_EQ(words(login->respond("more")), "malformed");
}

TEST(LoginServer, TakesNeitherAnEmptyNameNorAnEmptyPassword) {
  EXPECT_EQ(first_answer(Name::login, ""), "malformed");
  const auto login = make(Name::login);
  (void)login->respond("user");
  EXPECT_EQ(words(login->respond("")), "malformed");
  EXPECT_EQ(words(login->respond("pencil")), "malformed") << "it is over";
}

TEST(ScramServer, PlaysTheExampleOfRfc7677) {
  const auto scram = make(Name::scram_sha_256);
  EXPECT_EQ(scram->first_challenge(), "");
  EXPECT_EQ(
    words(scram->respond("n,,n=user,r=" + kClientNonce)),
    "challenge r=" + kClientNonce + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
  );
  EXPECT_EQ(words(scram->respond(kFinal)), "right proof");
  EXPECT_EQ(words(scram->password_checked(true)), "challenge v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  EXPECT_EQ(words(scram->respond("")), "accepted user");
  EXPECT_EQ(words(scram->respond("")), "malformed");
}

/// Plays our own client against it. @return  the last step
std::string play(const std::string& user, const std::string& password) {
  const auto server = make(Name::scram_sha_256);
  const auto client = std::move(*make_scram_sha_256({user, password}, kClientNonce));
  auto step = server->respond(client->initial_response());
  while (const auto* challenge = std::get_if<Challenge>(&step)) {
    auto response = client->respond(challenge->octets);
    if (!response) return "the client gives up: " + response.error().context;
    step = server->respond(*response);
    if (const auto* proof = std::get_if<CheckProof>(&step)) step = server->password_checked(proof->is_right);
  }
  return words(step);
}

TEST(ScramServer, LetsInWhoKnowsThePasswordAndNobodyElse) {
  EXPECT_EQ(play("user", "pencil"), "accepted user");
  EXPECT_EQ(play("user", "Pencil"), "refused user");
  EXPECT_EQ(play("stranger", "pencil"), "refused stranger") << "as late as a user with a wrong password";
  EXPECT_EQ(play("a=b,c", "pencil"), "refused a=b,c") << "names are unescaped";
}

TEST(ScramServer, TakesNoFirstMessageThatIsNone) {
  for (const auto& message :
       {""s, "n"s, "n,"s, "n,,"s, "n,,n=user"s, "n,,n=user,r="s, "n,,n=,r=abc"s, "n,,r=abc,n=user"s,
        "x,,n=user,r=abc"s, "n,x,n=user,r=abc"s, "n,a=,n=user,r=abc"s, "p=tls-unique,,n=user,r=abc"s,
        "n,,m=ext,n=user,r=abc"s, "n,,n=us=2Xer,r=abc"s, "n,,n=user=,r=abc"s, "n,,n=us\ner,r=abc"s,
        "n,,n=user,r=a\x7f"s, "n,,n=user,r="s + std::string(129, 'r'),
        "n,,n="s + std::string(256, 'u') + ",r=abc"})
    EXPECT_EQ(first_answer(Name::scram_sha_256, message), "malformed") << message;
}

TEST(ScramServer, TakesWhatAClientMaySayBesides) {
  for (const auto* message : {"y,,n=user,r=abc", "n,a=user,n=user,r=abc", "n,,n=user,r=abc,x=extension"})
    EXPECT_THAT(first_answer(Name::scram_sha_256, message), StartsWith("challenge r=abc" + kServerNonce))
      << message;
}

std::string second_answer(const std::string& message) {
  const auto scram = make(Name::scram_sha_256);
  (void)scram->respond("n,,n=user,r=" + kClientNonce);
  return words(scram->respond(message));
}

TEST(ScramServer, TakesNoFinalMessageThatIsNoneOrAnotherExchanges) {
  const auto nonce = ",r=" + kClientNonce + kServerNonce;
  const auto proof = ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="s;
  for (const auto& message :
       {""s, "c=biws"s, "c=biws" + nonce, "c=biws" + nonce + ",p=", "c=biws" + nonce + ",p=AAAA",
        "c=biws" + nonce + proof + "x", "r=x,c=biws" + proof})
    EXPECT_EQ(second_answer(message), "malformed") << message;
  for (const auto& message :
       {"c=eSws" + nonce + proof, "c=biws,r=" + kClientNonce + proof, "c=biws" + nonce + "x" + proof,
        "c=biws" + nonce + ",x=extension" + proof,
        "c=biws" + nonce + ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="})
    EXPECT_EQ(second_answer(message), "wrong proof") << message;
}

TEST(ScramServer, TellsNothingOfAProofBeforeItIsAllowedTo) {
  const auto scram = make(Name::scram_sha_256);
  (void)scram->respond("n,,n=user,r=" + kClientNonce);
  EXPECT_EQ(words(scram->respond(kFinal)), "right proof");
  EXPECT_EQ(words(scram->respond(kFinal)), "malformed") << "nobody asked for it";
  EXPECT_EQ(words(scram->password_checked(true)), "malformed") << "it is over";
}

TEST(ScramServer, TakesNoWordForAProofThatIsWrong) {
  const auto scram = make(Name::scram_sha_256);
  (void)scram->respond("n,,n=user,r=" + kClientNonce);
  auto wrong = kFinal;
  wrong[wrong.find(",p=") + 3] = 'e';
  EXPECT_EQ(words(scram->respond(wrong)), "wrong proof");
  EXPECT_EQ(words(scram->password_checked(true)), "refused user");
}

TEST(ScramServer, LetsNobodyActAsSomebodyElse) {
  const auto scram = make(Name::scram_sha_256);
  EXPECT_EQ(words(scram->respond("n,a=other,n=user,r=" + kClientNonce)), "refused user acting as another")
    << "before anything is tried";
}

TEST(ScramServer, ExpectsNothingBehindItsOwnProof) {
  const auto scram = make(Name::scram_sha_256);
  (void)scram->respond("n,,n=user,r=" + kClientNonce);
  (void)scram->respond(kFinal);
  (void)scram->password_checked(true);
  EXPECT_EQ(words(scram->respond("x")), "malformed");
  EXPECT_EQ(words(scram->respond("")), "malformed");
}

TEST(ScramServer, LooksTheSameToStrangers) {
  const auto known = first_answer(Name::scram_sha_256, "n,,n=user,r=abc");
  const auto stranger = first_answer(Name::scram_sha_256, "n,,n=stranger,r=abc");
  EXPECT_EQ(stranger, first_answer(Name::scram_sha_256, "n,,n=stranger,r=abc"));
  EXPECT_EQ(stranger.size(), known.size());
  EXPECT_THAT(stranger, ::testing::EndsWith(",i=4096"));
}

}  // namespace
}  // namespace relay::sasl
