#include "relay/app/live.hpp"

#include <gtest/gtest.h>

#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

config::Settings settings(std::map<std::string, std::string> more = {}) {
  more.insert(
    {{"SMTP_RELAY_SMARTHOST", "smtp.example.net:587"},
     {"SMTP_RELAY_ALLOWED_NETWORKS", "10.0.0.0/8"},
     {"SMTP_RELAY_HOSTNAME", "node1"}}
  );
  auto loaded = config::load({std::nullopt, "", more});
  EXPECT_TRUE(loaded.faults.empty());
  return loaded.settings;
}
policy::Standing standing(const Live& live, const char* client) {
  return policy::standing(live.rules()->access, *IpAddress::parse(client));
}

class LiveTest : public ::testing::Test {
 protected:
  test::QuietLog log;
};

TEST_F(LiveTest, NeverLetsHiddenAddressesRelay) {
  const Live live(
    settings(
      {{"SMTP_RELAY_PROXY_TRUSTED", "10.1.40.50/32"},
       {"SMTP_RELAY_HIDDEN_SOURCES", "10.9.0.0/16"},
       {"SMTP_RELAY_HOST_ADDRESSES", "10.1.40.60"}}
    ),
    {}, {*Cidr::parse("10.140.1.1/32")}, log
  );
  EXPECT_EQ(standing(live, "10.1.40.70"), policy::Standing::allowed);
  for (const auto* hidden : {"10.1.40.50", "10.9.1.1", "10.1.40.60", "10.140.1.1"}) {
    EXPECT_EQ(standing(live, hidden), policy::Standing::hidden) << hidden;
  }
}

TEST_F(LiveTest, PutsChangedCredentialsInForceAndSaysSo) {
  Live live(settings(), {"smtp.example.net:user:old", ""}, {}, log);
  const auto before = live.hop();
  EXPECT_FALSE(live.apply(settings(), {"smtp.example.net:user:old", ""}));
  EXPECT_TRUE(live.apply(settings(), {"smtp.example.net:user:new", ""}));
  EXPECT_EQ(live.hop()->next_hop.policy.credentials->password, "new");
  EXPECT_GT(live.hop()->generation, before->generation)
    << "connections with the old ones take no further message";
  EXPECT_EQ(before->next_hop.policy.credentials->password, "old") << "a snapshot never changes";
}

TEST_F(LiveTest, ChangesRulesWithoutTouchingTheHop) {
  Live live(settings(), {}, {}, log);
  EXPECT_FALSE(live.apply(settings({{"SMTP_RELAY_ALLOWED_NETWORKS", "192.168.0.0/16"}}), {}));
  EXPECT_EQ(standing(live, "10.1.40.70"), policy::Standing::not_listed);
  EXPECT_EQ(standing(live, "192.168.1.1"), policy::Standing::allowed);
}

TEST_F(LiveTest, LeavesSettingsThatNeedARestartAlone) {
  Live live(settings(), {}, {}, log);
  (void)live.apply(settings({{"SMTP_RELAY_LISTEN", "127.0.0.1:9"}, {"SMTP_RELAY_LAME_DUCK", "7s"}}), {});
  EXPECT_EQ(live.settings().listen.front().port, 2525);
  EXPECT_EQ(live.settings().lame_duck, std::chrono::seconds{7});
}

TEST_F(LiveTest, KeepsTheLastGoodAuthoritiesWhenAFileIsBroken) {
  Live live(settings(), {}, {}, log);
  const auto good = live.hop()->tls;
  (void)live.apply(settings({{"SMTP_RELAY_SMARTHOST_CA", "/nonexistent/ca.pem"}}), {});
  EXPECT_EQ(live.hop()->tls, good);
  EXPECT_EQ(log.records("smarthost_ca").size(), 1U);
}

TEST_F(LiveTest, TellsOfBadLinesWithoutTheirWords) {
  const Live live(settings(), {"smtp.example.net:canary-user-without-password\n", ""}, {}, log);
  ASSERT_EQ(log.records("passwd_client").size(), 1U);
  EXPECT_EQ(log.text().find("canary"), std::string::npos);
}

}  // namespace
}  // namespace relay::app
