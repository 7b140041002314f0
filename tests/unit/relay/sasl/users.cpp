#include "relay/sasl/users.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "tests/support/users.hpp"

namespace relay::sasl {
namespace {

using test::kUserLine;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kStandInLine = std::string(kStandIn) + " " + base64(std::string(32, 'k'));
/// A key that some process made.
const Digest kOwnKey = sha256("of this process");

std::string wrong(const std::string& file) {
  const auto users = Users::parse(file, {});
  return users ? "nothing" : users.error().context;
}

TEST(Users, AreReadOneALineWithoutCommentsAndEmptyOnes) {
  const auto users = test::users(
    "# who may log in\n\n  " + kUserLine + "  \r\n" + test::user_line("app@mail.example", "secret") +
    test::user_line("beyond \xc3\xa4scii", "x") + "#end"
  );
  EXPECT_EQ(users->count(), 3U);
  EXPECT_TRUE(users->check("user", "pencil"));
  EXPECT_TRUE(users->check("app@mail.example", "secret"));
  EXPECT_TRUE(users->check("beyond \xc3\xa4scii", "x"));
  EXPECT_FALSE(users->check("user", "secret"));
  EXPECT_FALSE(users->check("USER", "pencil")) << "names are compared octet by octet";
}

TEST(Users, HaveAFingerprintOfWhatWasRead) {
  const auto fingerprint = [](const std::string& file) { return test::users(file)->fingerprint(); };
  EXPECT_EQ(fingerprint(test::kUserLine), fingerprint(test::kUserLine));
  EXPECT_NE(fingerprint(test::kUserLine), fingerprint(test::user_line("user", "pen")));
}

TEST(Users, MayBeNone) {
  const auto users = test::users("# nobody\n");
  EXPECT_EQ(users->count(), 0U);
  EXPECT_FALSE(users->check("user", "pencil"));
  EXPECT_EQ(users->keys_or_stand_in("user").iterations, kMinIterations);
}

TEST(Users, AreRefusedAsAWholeWithTheLineThatIsWrong) {
  const auto keys = kUserLine.substr(5);
  const std::map<std::string, std::string> faults{
    {"user", "no colon behind the user's name"},
    {":" + keys, "the user's name is empty"},
    {std::string(256, 'x') + ":" + keys, "too long"},
    {"a\tb:" + keys, "a control character"},
    {"user :" + keys, "a blank at an end"},
    {"user:pencil", "not followed by SCRAM-SHA-256$: `relayctl user NAME` makes such a line"},
    {"user:scram-sha-256$4096:c2FsdHNhbHQ=$x:y", "not followed by SCRAM-SHA-256$"},
    {"user:SCRAM-SHA-256$4096", "not of the form"},
    {"user:SCRAM-SHA-256$4096:c2FsdHNhbHQ=$x", "not of the form"},
    {"user:SCRAM-SHA-256$4095:c2FsdHNhbHQ=$x:y", "not within 4096 to 600000"},
    {"user:SCRAM-SHA-256$600001:c2FsdHNhbHQ=$x:y", "not within 4096 to 600000"},
    {"user:SCRAM-SHA-256$many:c2FsdHNhbHQ=$x:y", "not within 4096 to 600000"},
    {"user:SCRAM-SHA-256$99999999999999999999999:c2FsdHNhbHQ=$x:y", "not within 4096 to 600000"},
    {"user:SCRAM-SHA-256$4096:salt!$x:y", "the salt is not base64 of 8 to 64 octets"},
    {"user:SCRAM-SHA-256$4096:c2FsdA==$x:y", "the salt is not base64 of 8 to 64 octets"},
    {"user:SCRAM-SHA-256$4096:c2FsdHNhbHQ=$x:y", "not base64 of 32 octets"},
    {kUserLine.substr(0, kUserLine.size() - 4), "not base64 of 32 octets"},
    {kUserLine + ":more", "not base64 of 32 octets"},
    {"# stand-in:",
     "the stand-in key is not base64 of 32 octets: `relayctl user --stand-in` makes such a line"},
    {"# stand-in: c2FsdHNhbHQ=", "the stand-in key is not base64 of 32 octets"},
    {kStandInLine + "\n#\n#\n" + kStandInLine, "line 6: there is a stand-in key already"},
    {test::user_line("other", "x") + "\n#\n" + test::user_line("other", "y"),
     "line 6: this user has a line already"},
  };
  for (const auto& [line, what] : faults) {
    const auto said = wrong("# one\n\n" + line);
    EXPECT_THAT(said, HasSubstr(what)) << line;
    EXPECT_THAT(said, what.starts_with("line") ? StartsWith("line 6: ") : StartsWith("line 3: ")) << line;
    EXPECT_THAT(said, Not(HasSubstr("c2FsdHNhbHQ="))) << "nothing of the line";
  }
  EXPECT_THAT(wrong("user:pencil"), Not(HasSubstr("pencil")));
}

TEST(Strangers, LookTheSameEveryTimeAndInEveryRelayWhoseFileHoldsTheKey) {
  const auto file = kStandInLine + "\n" + kUserLine + "\n";
  const auto one = test::users(file + test::user_line("a", "x"), kOwnKey);
  const auto other = test::users(kUserLine + "\n  " + kStandInLine + "\r\n");
  const auto keys = one->keys_or_stand_in("stranger");
  EXPECT_EQ(one->count(), 2U) << "a key is no user";
  EXPECT_EQ(keys, one->keys_or_stand_in("stranger"));
  EXPECT_EQ(keys, other->keys_or_stand_in("stranger"));
  EXPECT_NE(keys.salt, one->keys_or_stand_in("another").salt);
  EXPECT_EQ(keys.salt.size(), one->find("user")->salt.size());
  EXPECT_EQ(keys.iterations, 4096U);
  EXPECT_NE(keys, test::users(kUserLine, kOwnKey)->keys_or_stand_in("stranger"));
}

TEST(Strangers, LookAsTheProcessHasItWhereTheFileHoldsNoKey) {
  const auto keys = test::users(kUserLine, kOwnKey)->keys_or_stand_in("stranger");
  EXPECT_EQ(keys, test::users(kUserLine, kOwnKey)->keys_or_stand_in("stranger"));
  EXPECT_NE(keys.salt, test::users(kUserLine, sha256("of another"))->keys_or_stand_in("stranger").salt);
}

TEST(Strangers, TellNothingOfAUsersPassword) {
  const auto salt = [](const std::string& password) {
    const auto line = "user:" + to_text(derive_keys(password, "salt of user", kMinIterations));
    return test::users(line, kOwnKey)->keys_or_stand_in("stranger").salt;
  };
  EXPECT_EQ(salt("pencil"), salt("another")) << "whoever asks could test passwords by it";
}

TEST(Strangers, HaveASaltAsLongAsTheFirstUsers) {
  for (const std::size_t size : {kMinSalt, std::size_t{33}, kMaxSalt}) {
    const auto line = "user:" + to_text(derive_keys("x", std::string(size, 's'), 4096));
    EXPECT_EQ(test::users(line)->keys_or_stand_in("stranger").salt.size(), size);
  }
}

}  // namespace
}  // namespace relay::sasl
