#include "relay/app/redaction.hpp"

#include <gtest/gtest.h>

#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

class RedactingSinkTest : public ::testing::Test {
 protected:
  void follow(config::AddressLog addresses, const std::string& key) {
    settings.log_addresses = addresses;
    settings.log_redaction_key = "/key";
    sink.follow(settings, {{"/key", key}});
  }
  std::string shown(const std::string& address) {
    sink.write(log::info("test").with("sender", address));
    return log.records("test").back().at("sender").get<std::string>();
  }

  test::QuietLog log;
  RedactingSink sink{log};
  config::Settings settings;
};

TEST_F(RedactingSinkTest, HandsRecordsOnAsTheyAreUnlessToldOtherwise) {
  EXPECT_EQ(shown("alice@a.b"), "alice@a.b");
  follow(config::AddressLog::plain, "0123456789abcdef");
  EXPECT_EQ(shown("alice@a.b"), "alice@a.b");
}

TEST_F(RedactingSinkTest, WritesWhatIsGraveEnough) {
  const auto events = [&] { return log.records("quiet").size() + log.records("loud").size(); };
  const auto write = [&] {
    sink.write(log::debug("quiet"));
    sink.write(log::info("quiet"));
    sink.write(log::warning("loud"));
    sink.write(log::error("loud"));
  };
  write();
  EXPECT_EQ(events(), 3U) << "from info on, unless told otherwise";
  settings.log_level = log::Level::debug;
  sink.follow(settings, {});
  write();
  EXPECT_EQ(events(), 7U);
  settings.log_level = log::Level::error;
  sink.follow(settings, {});
  write();
  EXPECT_EQ(events(), 8U);
}

TEST_F(RedactingSinkTest, FollowsTheSettings) {
  follow(config::AddressLog::redacted, "0123456789abcdef");
  const auto token = (*redaction::Tokens::make("0123456789abcdef"))->seal("alice");
  EXPECT_EQ(shown("alice@a.b"), token + "@a.b");
  follow(config::AddressLog::redacted, "another key of many octets");
  EXPECT_NE(shown("alice@a.b"), token + "@a.b");
  follow(config::AddressLog::redacted, "");
  EXPECT_EQ(shown("alice@a.b"), "~@a.b");
  follow(config::AddressLog::plain, "");
  EXPECT_EQ(shown("alice@a.b"), "alice@a.b");
}

TEST_F(RedactingSinkTest, CutsOutAndComplainsOnceWithAKeyThatIsTooShort) {
  follow(config::AddressLog::redacted, "short");
  follow(config::AddressLog::redacted, "short");
  EXPECT_EQ(shown("alice@a.b"), "~@a.b");
  ASSERT_EQ(log.records("redaction_key").size(), 1U);
  EXPECT_EQ(log.first("redaction_key").at("path"), "/key");
  EXPECT_EQ(log.text().find("short\""), std::string::npos);
}

}  // namespace
}  // namespace relay::app
