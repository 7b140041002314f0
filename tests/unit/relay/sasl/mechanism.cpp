#include "relay/sasl/mechanism.hpp"

#include <gmock/gmock.h>

namespace relay::sasl {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const Credentials kCredentials{"user", "secret"};
constexpr std::string_view kNonce = "rOprNGfwEbeRWgbNEkqO";

std::string chosen(const std::vector<std::string>& offered, const Credentials& credentials = kCredentials) {
  const auto mechanism = choose(offered, credentials, kNonce);
  return mechanism ? std::string(to_text((*mechanism)->name())) : mechanism.error().context;
}
std::unique_ptr<Mechanism> make(const std::string& name) {
  return std::move(*choose({name}, {"user", "secret", parse_name(name)}, kNonce));
}

TEST(Mechanisms, AreChosenByPreferenceNotByTheServersOrder) {
  EXPECT_EQ(chosen({"LOGIN", "plain", "scram-sha-256"}), "SCRAM-SHA-256");
  EXPECT_EQ(chosen({"LOGIN", "plain"}), "PLAIN");
  EXPECT_EQ(chosen({"CRAM-MD5", "LOGIN", "XOAUTH2"}), "LOGIN");
}

TEST(Mechanisms, SayWhatIsOfferedWhenNoneWillDo) {
  EXPECT_EQ(chosen({"GSSAPI", "XOAUTH2"}), "offers AUTH GSSAPI XOAUTH2, no mechanism that we have");
  EXPECT_EQ(chosen({}), "offers no AUTH, no mechanism that we have");
  EXPECT_EQ(
    chosen({"PLAIN", "LOGIN"}, {"user", "token", Name::xoauth2}), "offers AUTH PLAIN LOGIN, not XOAUTH2"
  );
  EXPECT_EQ(choose({}, kCredentials, kNonce).error().code, Errc::not_permitted);
}

TEST(Mechanisms, AreTheOneThatWasAskedFor) {
  const std::vector<std::string> all{"SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2"};
  for (const auto& name : all) EXPECT_EQ(chosen(all, {"user", "secret", parse_name(name)}), name);
  EXPECT_EQ(parse_name("xoauth2"), Name::xoauth2);
  EXPECT_EQ(parse_name("CRAM-MD5"), std::nullopt);
}

TEST(Mechanisms, GiveWayWhenTheyCannotCarryTheCredentials) {
  EXPECT_EQ(chosen({"SCRAM-SHA-256", "PLAIN"}, {"user", "se\tcret"}), "PLAIN");
  EXPECT_EQ((*choose({"SCRAM-SHA-256", "PLAIN"}, kCredentials, ""))->name(), Name::plain) << "no nonce";
  const auto none = choose({"SCRAM-SHA-256"}, {"user", "se\tcret"}, kNonce);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::invalid_argument);
  EXPECT_THAT(none.error().message(), Not(HasSubstr("cret")));
}

TEST(Plain, SaysAllAtOnce) {
  const auto plain = make("PLAIN");
  EXPECT_EQ(plain->initial_response(), "\0user\0secret"s);
  EXPECT_EQ(plain->respond(""), "\0user\0secret"s) << "a server that ignores initial responses";
  EXPECT_FALSE(plain->respond(""));
  EXPECT_TRUE(plain->conclude("whatever it says"));
}

TEST(Login, AnswersTwoPromptsAndNoThird) {
  const auto login = make("LOGIN");
  EXPECT_EQ(login->initial_response(), "");
  EXPECT_EQ(login->respond("Username:"), "user");
  EXPECT_EQ(login->respond("Password:"), "secret");
  const auto third = login->respond("Once more:");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().message().find("secret"), std::string::npos);
}

TEST(Xoauth2, SendsTheTokenAndAnswersARefusalWithNothing) {
  const auto xoauth2 = make("XOAUTH2");
  EXPECT_EQ(xoauth2->initial_response(), "user=user\1auth=Bearer secret\1\1");
  EXPECT_EQ(xoauth2->respond(""), xoauth2->initial_response()) << "it did not go with the command";
  EXPECT_EQ(xoauth2->respond(R"({"status":"401"})"), "");
  EXPECT_FALSE(xoauth2->respond(R"({"status":"401"})"));
}

TEST(Xoauth2, IsNotAskedTwiceAndTakesNoTokenThatEndsItself) {
  const auto xoauth2 = make("XOAUTH2");
  EXPECT_TRUE(xoauth2->respond(""));
  EXPECT_FALSE(xoauth2->respond(""));
  const auto injected = choose({"XOAUTH2"}, {"user", "to\1ken", Name::xoauth2}, kNonce);
  ASSERT_FALSE(injected);
  EXPECT_THAT(injected.error().message(), Not(HasSubstr("ken")));
}

}  // namespace
}  // namespace relay::sasl
