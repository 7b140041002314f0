#include "relay/session/passwords.hpp"

#include <gtest/gtest.h>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/support/loop.hpp"
#include "tests/support/users.hpp"

namespace relay::session {
namespace {

class PasswordChecksTest : public ::testing::Test {
 protected:
  bool is_right(const std::string& user, const std::string& password) {
    return loop.run(passwords.check(users, user, password)).value();
  }

  std::shared_ptr<const sasl::Users> users = test::users();
  test::Loop loop;
  PasswordChecks passwords;
};

TEST_F(PasswordChecksTest, TellRightFromWrong) {
  EXPECT_TRUE(is_right("user", "pencil"));
  EXPECT_FALSE(is_right("user", "Pencil"));
  EXPECT_FALSE(is_right("stranger", "pencil"));
}

TEST_F(PasswordChecksTest, KnowARightOneAgainAndNoWrongOne) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_right("user", "pencil"));
  EXPECT_EQ(passwords.derived(), 1U);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(is_right("user", "Pencil"));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(is_right("stranger", "pencil"));
  EXPECT_EQ(passwords.derived(), 7U) << "guesses cost what they always do";
  EXPECT_TRUE(is_right("user", "pencil"));
  EXPECT_EQ(passwords.derived(), 7U);
}

TEST_F(PasswordChecksTest, ForgetThePasswordOfAUserWhoHasAnother) {
  EXPECT_TRUE(is_right("user", "pencil"));
  users = test::users(test::user_line("user", "pen"));
  EXPECT_FALSE(is_right("user", "pencil"));
  EXPECT_TRUE(is_right("user", "pen"));
  users = test::users(test::user_line("other", "x"));
  EXPECT_FALSE(is_right("user", "pen"));
  EXPECT_TRUE(is_right("other", "x"));
}

TEST_F(PasswordChecksTest, TellGuessesApartByWhatWasSaidAndToWhichUsers) {
  const auto mark = [this](const std::string& user, const std::string& password) {
    return passwords.mark_of_guess(*users, user, password);
  };
  const auto first = mark("user", "Pencil");
  EXPECT_EQ(mark("user", "Pencil"), first);
  EXPECT_NE(mark("user", "pencil"), first);
  EXPECT_NE(mark("userP", "encil"), first);
  EXPECT_NE(mark("stranger", "Pencil"), mark("stranger", "pencil"));
  EXPECT_NE(PasswordChecks().mark_of_guess(*users, "user", "Pencil"), first) << "a key of its own";
  users = test::users();
  EXPECT_EQ(mark("user", "Pencil"), first);
  users = test::users(test::kUserLine + "\n" + test::user_line("other", "x"));
  EXPECT_NE(mark("user", "Pencil"), first) << "it may be right now";
}

TEST_F(PasswordChecksTest, AreNotTriedBeyondSomeThatWait) {
  constexpr auto kBeyond = 3;
  std::vector<std::future<std::optional<bool>>> answers;
  // The loop's own turn: none that was answered goes on before the last one has begun.
  net::ask(loop.thread, [&] {
    for (std::size_t i = 0; i < PasswordChecks::kMaxWaiting + kBeyond; ++i)
      answers.push_back(loop.start(passwords.check(users, "user", "wrong")));
  });
  std::map<std::optional<bool>, std::size_t> counts;
  for (auto& answer : answers) {
    ASSERT_EQ(answer.wait_for(test::kDeadline), std::future_status::ready);
    ++counts[answer.get()];
  }
  EXPECT_EQ(counts[std::nullopt], kBeyond);
  EXPECT_EQ(counts[false], PasswordChecks::kMaxWaiting);
  EXPECT_EQ(passwords.derived(), PasswordChecks::kMaxWaiting);
  EXPECT_TRUE(is_right("user", "pencil")) << "the places are free again";
}

TEST_F(PasswordChecksTest, AreAnsweredWhenDerivingFails) {
  bool fails = true;
  PasswordChecks failing([&](const sasl::Users& known, const std::string& user, const std::string& password) {
    if (fails) throw std::runtime_error("libcrypto has no PBKDF2");
    return known.check(user, password);
  });
  EXPECT_EQ(loop.run(failing.check(users, "user", "pencil")), std::nullopt);
  fails = false;
  EXPECT_EQ(loop.run(failing.check(users, "user", "pencil")), true) << "the thread goes on";
}

}  // namespace
}  // namespace relay::session
