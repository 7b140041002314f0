#include "relay/sasl/mechanism.hpp"

#include <gtest/gtest.h>

namespace relay::sasl {
namespace {

using namespace std::string_literals;

const Credentials kCredentials{"user", "secret"};

TEST(Mechanisms, AreChosenByPreferenceNotByTheServersOrder) {
  EXPECT_EQ(choose({"LOGIN", "plain"}, kCredentials)->name(), "PLAIN");
  EXPECT_EQ(choose({"CRAM-MD5", "LOGIN"}, kCredentials)->name(), "LOGIN");
  EXPECT_EQ(choose({"GSSAPI"}, kCredentials), nullptr);
  EXPECT_EQ(choose({}, kCredentials), nullptr);
}

TEST(Plain, SaysAllAtOnce) {
  const auto plain = choose({"PLAIN"}, kCredentials);
  EXPECT_EQ(plain->initial_response(), "\0user\0secret"s);
  EXPECT_EQ(plain->respond(""), "\0user\0secret"s) << "a server that ignores initial responses";
  EXPECT_FALSE(plain->respond(""));
}

TEST(Login, AnswersTwoPromptsAndNoThird) {
  const auto login = choose({"LOGIN"}, kCredentials);
  EXPECT_EQ(login->initial_response(), "");
  EXPECT_EQ(login->respond("Username:"), "user");
  EXPECT_EQ(login->respond("Password:"), "secret");
  const auto third = login->respond("Once more:");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().message().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace relay::sasl
