#include "relay/app/inbound_users.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "relay/config/load.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/users.hpp"

namespace relay::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InboundUsersTest : public ::testing::Test {
 protected:
  void write(const std::string& text) const { test::write_text(path, text); }
  std::shared_ptr<const sasl::Users> make(const std::string& named) {
    const auto loaded = config::load(
      {std::nullopt,
       "",
       {{"SMTP_RELAY_AUTH_USERS_FILE", named},
        {"SMTP_RELAY_AUTH_REQUIRES_TLS", "off"},
        {"SMTP_RELAY_PASSWD_CLIENT", folder.path("passwd")}}}
    );
    for (const auto& fault : loaded.faults) ADD_FAILURE() << fault.to_text();
    return users.make(loaded.settings, read_files(loaded.settings).value());
  }
  std::shared_ptr<const sasl::Users> make() { return make(path); }
  std::vector<nlohmann::ordered_json> said() const { return log.records("users"); }

  test::Folder folder;
  std::string text;
  std::string path = folder.path("users");
  test::QuietLog log;
  InboundUsers users{log};
};

TEST_F(InboundUsersTest, AreNoneWithoutAFile) {
  EXPECT_EQ(make(""), nullptr);
  EXPECT_TRUE(said().empty());
  write(test::kUserLine);
  EXPECT_NE(make(), nullptr);
  EXPECT_EQ(make(""), nullptr);
  EXPECT_NE(make(), nullptr) << "named again";
}

TEST_F(InboundUsersTest, StayTheSameAsLongAsTheFileDoes) {
  write(test::kUserLine);
  const auto first = make();
  EXPECT_EQ(make(), first);
  ASSERT_EQ(said().size(), 1U);
  EXPECT_EQ(said()[0].at("users"), 1);
  write(test::kUserLine + "\n" + test::user_line("other", "x"));
  const auto second = make();
  EXPECT_NE(second, first);
  EXPECT_EQ(second->count(), 2U);
  EXPECT_EQ(first->count(), 1U) << "who holds them keeps them";
}

TEST_F(InboundUsersTest, BeginWithAFileThatComesLater) {
  EXPECT_EQ(make(), nullptr);
  EXPECT_EQ(make(), nullptr);
  ASSERT_EQ(said().size(), 1U) << "it is told once";
  EXPECT_EQ(said()[0].at("error"), "the file is missing");
  EXPECT_EQ(said()[0].at("message"), "nobody can log in yet: AUTH gets 454 4.7.0");
  write(test::kUserLine);
  EXPECT_NE(make(), nullptr);
}

TEST_F(InboundUsersTest, ThatCannotBeUsedLeaveThoseOfBefore) {
  write(test::kUserLine);
  const auto good = make();
  write(test::kUserLine + "\nother:in the clear\n");
  EXPECT_EQ(make(), good);
  ASSERT_EQ(said().size(), 2U);
  EXPECT_THAT(said()[1].at("error").get<std::string>(), HasSubstr("line 2: "));
  EXPECT_EQ(said()[1].at("message"), "the users of before stay");
  EXPECT_THAT(log.text(), Not(HasSubstr("in the clear")));
  std::remove(path.c_str());
  EXPECT_EQ(make(), good) << "a file that is gone says nothing of its users";
}

TEST_F(InboundUsersTest, AreNoneWhenTheFileSaysSo) {
  for (const auto* nobody : {"", "# nobody any more\n"}) {
    write(test::kUserLine);
    EXPECT_EQ(make()->count(), 1U);
    write(nobody);
    EXPECT_EQ(make()->count(), 0U);
    EXPECT_EQ(said().back().at("users"), 0);
  }
}

TEST_F(InboundUsersTest, HaveAKeyForStrangersOfTheProcessUnlessTheFileHoldsOne) {
  InboundUsers elsewhere{log};
  const auto made = [&](InboundUsers& by) {
    config::Settings settings;
    settings.auth_users_file = path;
    return by.make(settings, {{path, text}})->keys_or_stand_in("stranger");
  };
  text = test::kUserLine;
  const auto random = made(users);
  EXPECT_NE(random, made(elsewhere));
  EXPECT_NE(random, test::users(text)->keys_or_stand_in("stranger")) << "some key";
  text += "\n";
  EXPECT_EQ(random, made(users)) << "as long as the process lives";
  text += "# stand-in: " + base64(std::string(32, 'k')) + "\n";
  EXPECT_EQ(made(users), made(elsewhere));
}

}  // namespace
}  // namespace relay::app
