#include "relay/ctl/user_line.hpp"

#include <gmock/gmock.h>
#include <sstream>

#include "relay/sasl/users.hpp"

namespace relay::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string run(const UserRequest& request, const std::string& input) {
  std::istringstream in(input);
  std::ostringstream out;
  const auto done = write_user_line(request, [&in] { return first_line(in); }, out);
  return done ? out.str() : "failed: " + done.error().context;
}

TEST(UserLine, IsOneThatTheRelayTakes) {
  for (const auto* input : {"pencil", "pencil\n", "pencil\r\nmore\n"}) {
    const auto line = run({"app@example.com"}, input);
    EXPECT_THAT(line, StartsWith("app@example.com:SCRAM-SHA-256$4096:"));
    EXPECT_THAT(line, Not(HasSubstr("pencil")));
    EXPECT_TRUE((*sasl::Users::parse(line, {}))->check("app@example.com", "pencil")) << line;
  }
}

TEST(UserLine, HasASaltOfItsOwnAndTheIterationsAskedFor) {
  const auto line = run({"user", 10'000}, "pencil\n");
  EXPECT_THAT(line, StartsWith("user:SCRAM-SHA-256$10000:"));
  EXPECT_NE(line, run({"user", 10'000}, "pencil\n"));
  EXPECT_TRUE((*sasl::Users::parse(line, {}))->check("user", "pencil"));
}

TEST(UserLine, IsRefusedForWhatTheRelayWouldNotTake) {
  for (const auto* name : {"", "a:b", " a", "a\n", "#a"})
    EXPECT_THAT(run({name}, "pencil"), StartsWith("failed: a user's name ")) << name;
  for (const std::uint64_t iterations : {0U, 4095U, 600'001U})
    EXPECT_EQ(run({"user", iterations}, "pencil"), "failed: the number of iterations is from 4096 to 600000");
  for (const auto* input : {"", "\n", "\r\n"})
    EXPECT_EQ(run({"user"}, input), "failed: no password: it is the first line of standard input");
  EXPECT_EQ(run({"user"}, std::string(1025, 'x')), "failed: a password has 1024 octets at most");
  EXPECT_EQ(run({"user"}, "pen\tcil"), "failed: the password holds a control character");
}

TEST(UserLine, AsksForNoPasswordThatItCouldNotUse) {
  std::ostringstream out;
  const auto done = write_user_line({"a:b"}, [] { return ADD_FAILURE(), std::string("x"); }, out);
  EXPECT_FALSE(done);
  const auto unasked =
    write_user_line({"user"}, [] { return permanent(Errc::unavailable, "no terminal"); }, out);
  EXPECT_EQ(unasked.error().context, "no terminal");
  EXPECT_EQ(out.str(), "");
}

TEST(StandInLine, IsAKeyOfItsOwnThatTheRelayTakes) {
  std::ostringstream one;
  std::ostringstream other;
  ASSERT_TRUE(write_stand_in_line(one));
  ASSERT_TRUE(write_stand_in_line(other));
  EXPECT_THAT(one.str(), StartsWith("# stand-in: "));
  EXPECT_NE(one.str(), other.str());
  const auto stranger = [](const std::string& file) {
    return (*sasl::Users::parse(file, {}))->keys_or_stand_in("stranger");
  };
  EXPECT_EQ(stranger(one.str()), stranger(one.str()));
  EXPECT_NE(stranger(one.str()), stranger(other.str()));
  EXPECT_NE(stranger(one.str()), stranger("")) << "it is used";
}

}  // namespace
}  // namespace relay::ctl
