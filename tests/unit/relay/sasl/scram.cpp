#include "relay/sasl/scram.hpp"

#include <gmock/gmock.h>

namespace relay::sasl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The example of RFC 7677 section 3.
const Credentials kCredentials{"user", "pencil"};
const std::string kNonce = "rOprNGfwEbeRWgbNEkqO";
const std::string kFullNonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kServerFirst = "r=" + kFullNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const std::string kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

std::unique_ptr<Mechanism> make(const Credentials& credentials = kCredentials) {
  return std::move(*make_scram_sha_256(credentials, kNonce));
}
/// Behind the client's proof.
std::unique_ptr<Mechanism> proven() {
  auto scram = make();
  EXPECT_TRUE(scram->respond(kServerFirst));
  return scram;
}

TEST(Scram, PlaysTheExampleOfRfc7677) {
  const auto scram = make();
  EXPECT_EQ(scram->initial_response(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(
    scram->respond(kServerFirst), "c=biws,r=" + kFullNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
  );
  EXPECT_EQ(scram->respond(kServerFinal), "");
  EXPECT_TRUE(scram->conclude(""));
  EXPECT_FALSE(scram->respond("")) << "there is no more";
}

TEST(Scram, TakesTheServersProofWithItsYes) {
  EXPECT_TRUE(proven()->conclude(kServerFinal));
  EXPECT_TRUE(proven()->conclude(kServerFinal + ",x=extension"));
}

TEST(Scram, SaysItsFirstWordsAgainToAServerThatIgnoresThem) {
  const auto scram = make();
  EXPECT_EQ(scram->respond(""), scram->initial_response());
  EXPECT_THAT(scram->respond(kServerFirst).value_or(""), StartsWith("c=biws,"));
  const auto twice = make();
  EXPECT_TRUE(twice->respond(""));
  EXPECT_FALSE(twice->respond(""));
}

TEST(Scram, TrustsNoYesWithoutAProof) {
  for (const auto* data :
       {"", "v=", "v=AAAA", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
        "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "OK"}) {
    const auto concluded = proven()->conclude(data);
    ASSERT_FALSE(concluded) << data;
    EXPECT_EQ(concluded.error().code, Errc::protocol_error);
  }
  EXPECT_FALSE(make()->conclude(kServerFinal)) << "before anything was asked";
}

TEST(Scram, EndsWithAServerThatProvesTheWrongThing) {
  const auto scram = proven();
  const auto answer = scram->respond("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::protocol_error);
  EXPECT_FALSE(scram->respond(kServerFinal)) << "there is no second try";
}

TEST(Scram, LetsTheServerSayItsRefusalButNotThenYes) {
  const auto scram = proven();
  EXPECT_EQ(scram->respond("e=invalid-proof"), "");
  EXPECT_FALSE(scram->conclude(""));
}

TEST(Scram, ProvesNothingToAHostileServer) {
  const std::string salt = ",s=W22ZaJ0SNY7soEsUEjb6gQ==";
  const std::string good = "r=" + kFullNonce;
  for (const auto& message : {
         "m=mandatory," + kServerFirst,              // an extension that must be understood
         "r=" + kNonce + salt + ",i=4096",           // a nonce that adds nothing
         "r=x" + kFullNonce + salt + ",i=4096",      // another's nonce
         "r=" + kNonce + "\x80" + salt + ",i=4096",  // a nonce of odd octets
         good + salt + ",i=4095",
         good + salt + ",i=600001",
         good + salt + ",i=-1",
         good + salt + ",i=99999999999999999999999",
         good + salt + ",i=",
         good + salt,
         good + ",s=,i=4096",
         good + ",s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096",
         good + ",i=4096" + salt,
         std::string("r"),
         std::string("e=other-error"),
         std::string(","),
         kServerFinal,
       }) {
    const auto scram = make();
    const auto answer = scram->respond(message);
    ASSERT_FALSE(answer) << message;
    EXPECT_EQ(answer.error().code, Errc::protocol_error) << message;
    EXPECT_FALSE(scram->respond(kServerFirst)) << "there is no second try";
  }
}

TEST(Scram, EscapesWhatWouldEndAName) {
  EXPECT_EQ(make({"a=b,c", "x"})->initial_response(), "n,,n=a=3Db=2Cc,r=" + kNonce);
}

TEST(Scram, NeedsANonceThatIsOne) {
  for (const auto* nonce : {"", "a,b", "a b", "a\nb", "\xc3\xa4"}) {
    EXPECT_FALSE(make_scram_sha_256(kCredentials, nonce)) << nonce;
  }
}

TEST(Preparation, KeepsTextAndRefusesControlCharacters) {
  EXPECT_EQ(prepare("p\xc3\xa4ss word~"), "p\xc3\xa4ss word~");
  for (const auto* text : {"a\tb", "a\nb", "\x7f"}) {
    const auto refused = prepare(text);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  }
  EXPECT_FALSE(prepare(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace relay::sasl
