#include "relay/app/live.hpp"

#include <gtest/gtest.h>

#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/users.hpp"

namespace relay::app {
namespace {

config::Settings settings(std::map<std::string, std::string> more = {}) {
  more.insert(
    {{"SMTP_RELAY_SMARTHOST", "smtp.example.net:587"},
     {"SMTP_RELAY_ALLOWED_NETWORKS", "10.0.0.0/8"},
     {"SMTP_RELAY_HOSTNAME", "node1"},
     {"SMTP_RELAY_SPOOL_PATH", "/nowhere/spool"}}
  );
  auto loaded = config::load({std::nullopt, "", more});
  EXPECT_TRUE(loaded.faults.empty());
  return loaded.settings;
}
policy::Standing standing(const Live& live, const char* client) {
  return policy::standing(live.rules()->access, *IpAddress::parse(client));
}

std::shared_ptr<const oauth::TokenSource> no_token(oauth::Account, std::shared_ptr<net::TlsClient>) {
  return nullptr;
}
/// Files with this passwd.client.
Files passwords(const std::string& text) { return {{"/etc/exim4/passwd.client", text}}; }

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
    {}, {*Cidr::parse("10.140.1.1/32")}, log, no_token
  );
  EXPECT_EQ(standing(live, "10.1.40.70"), policy::Standing::allowed);
  for (const auto* hidden : {"10.1.40.50", "10.9.1.1", "10.1.40.60", "10.140.1.1"}) {
    EXPECT_EQ(standing(live, hidden), policy::Standing::hidden) << hidden;
  }
}

TEST_F(LiveTest, LearnsOfNodesThatComeAndForgetsNoneBecauseTheListIsGone) {
  const std::string path = settings().hidden_sources_file;
  Live live(settings(), {{path, "10.1.40.61\n10.140.2.0/31\n"}}, {}, log, no_token);
  EXPECT_EQ(standing(live, "10.1.40.61"), policy::Standing::hidden);
  EXPECT_EQ(standing(live, "10.140.2.1"), policy::Standing::hidden);
  EXPECT_EQ(standing(live, "10.1.40.62"), policy::Standing::allowed);
  EXPECT_FALSE(live.apply(settings(), {{path, "10.1.40.62\n"}})) << "no next hop is another";
  EXPECT_EQ(standing(live, "10.1.40.61"), policy::Standing::allowed);
  EXPECT_EQ(standing(live, "10.1.40.62"), policy::Standing::hidden);
  for (const auto* nothing : {"", "# nothing\n"}) {
    (void)live.apply(settings(), {{path, nothing}});
    EXPECT_EQ(standing(live, "10.1.40.62"), policy::Standing::hidden);
  }
}

TEST_F(LiveTest, PutsChangedCredentialsInForceAndSaysSo) {
  Live live(settings(), passwords("smtp.example.net:user:old"), {}, log, no_token);
  const auto before = live.plan();
  EXPECT_FALSE(live.apply(settings(), passwords("smtp.example.net:user:old")));
  EXPECT_TRUE(live.apply(settings(), passwords("smtp.example.net:user:new")));
  const auto& after = live.plan()->smarthosts[0];
  EXPECT_EQ(after.host.next_hop.policy.credentials->password, "new");
  EXPECT_GT(after.generation, before->smarthosts[0].generation)
    << "connections with the old ones take no further message";
  EXPECT_EQ(before->smarthosts[0].host.next_hop.policy.credentials->password, "old")
    << "a snapshot never changes";
}

TEST_F(LiveTest, HasPoliciesWhereTheSettingsDo) {
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_EQ(live.rules()->policies, nullptr) << "what costs a look at a pointer";
  EXPECT_FALSE(live.apply(settings({{"SMTP_RELAY_POLICIES", R"([{"name": "all", "action": "hold"}])"}}), {}));
  ASSERT_NE(live.rules()->policies, nullptr);
  EXPECT_EQ(live.rules()->policies->at(0).name, "all");
}

TEST_F(LiveTest, HasFiltersWhereTheSettingsDoAndRemembersWhichAreDown) {
  const auto with = [](const std::string& timeout) {
    return settings(
      {{"SMTP_RELAY_MILTERS", R"([{"name": "a", "host": "a.test", "port": 1, "on_failure": "reject",
      "command_timeout": ")" + timeout +
                                R"("}])"}}
    );
  };
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_EQ(live.rules()->milters, nullptr) << "what costs a look at a pointer";
  EXPECT_FALSE(live.apply(with("2s"), {}));
  const auto before = live.rules()->milters;
  ASSERT_NE(before, nullptr);
  const auto& milter = before->at(0);
  EXPECT_EQ(milter.address.to_text(), "a.test:1");
  EXPECT_EQ(milter.on_failure, session::OnFailure::reject);
  EXPECT_EQ(milter.timeouts.command, std::chrono::seconds{2});
  (void)live.apply(with("2s"), {});
  EXPECT_EQ(live.rules()->milters->at(0).circuit, milter.circuit);
  (void)live.apply(with("3s"), {});
  EXPECT_NE(live.rules()->milters->at(0).circuit, milter.circuit) << "another one";
}

TEST_F(LiveTest, ChangesRulesWithoutTouchingNextHops) {
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_FALSE(live.apply(settings({{"SMTP_RELAY_ALLOWED_NETWORKS", "192.168.0.0/16"}}), {}));
  EXPECT_EQ(standing(live, "10.1.40.70"), policy::Standing::not_listed);
  EXPECT_EQ(standing(live, "192.168.1.1"), policy::Standing::allowed);
}

TEST_F(LiveTest, GivesSessionsTheirLimits) {
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_EQ(live.rules()->max_connections_per_client, 50U);
  EXPECT_FALSE(live.rules()->logs_sessions);
  (void)live.apply(
    settings({{"SMTP_RELAY_MAX_CONNECTIONS_PER_CLIENT", "7"}, {"SMTP_RELAY_LOG_LEVEL", "debug"}}), {}
  );
  EXPECT_EQ(live.rules()->max_connections_per_client, 7U);
  EXPECT_TRUE(live.rules()->logs_sessions);
}

TEST_F(LiveTest, GivesSessionsTheCertificateOfTheMomentCase067) {
  const test::Folder folder;
  const auto write = [&folder] {
    const auto certificate = test::make_certificate({});
    test::write_text(folder.path("tls.crt"), test::pem(certificate));
    test::write_text(folder.path("tls.key"), test::key_pem(certificate));
  };
  const auto with = [&folder](const char* mode) {
    return settings(
      {{"SMTP_RELAY_TLS_MODE", mode},
       {"SMTP_RELAY_TLS_CERTIFICATE_FILE", folder.path("tls.crt")},
       {"SMTP_RELAY_TLS_KEY_FILE", folder.path("tls.key")}}
    );
  };
  write();
  Live live(with("opportunistic"), read_files(with("opportunistic")).value(), {}, log, no_token);
  const auto first = live.rules()->tls;
  EXPECT_NE(first, nullptr);
  EXPECT_FALSE(live.rules()->needs_tls);
  write();
  EXPECT_FALSE(live.apply(with("required"), read_files(with("required")).value()))
    << "no next hop changes by it";
  EXPECT_TRUE(live.rules()->needs_tls);
  EXPECT_NE(live.rules()->tls, first);
  EXPECT_TRUE(live.check_tls(with("required")));
  (void)live.apply(with("none"), {});
  EXPECT_EQ(live.rules()->tls, nullptr);
}

TEST_F(LiveTest, GivesSessionsTheUsersOfTheMoment) {
  const auto with = [](const char* requires_tls) {
    return settings(
      {{"SMTP_RELAY_AUTH_USERS_FILE", "/users"},
       {"SMTP_RELAY_AUTH_REQUIRES_TLS", requires_tls},
       {"SMTP_RELAY_AUTH_FAILURES_PER_CLIENT", "7"},
       {"SMTP_RELAY_TLS_CERTIFICATE_FILE", "/tls.crt"},
       {"SMTP_RELAY_TLS_KEY_FILE", "/tls.key"}}
    );
  };
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_EQ(live.rules()->users, nullptr);
  EXPECT_FALSE(live.rules()->wants_users);
  EXPECT_FALSE(live.apply(with("on"), {{"/users", "nonsense"}}));
  EXPECT_EQ(live.rules()->users, nullptr);
  EXPECT_TRUE(live.rules()->wants_users) << "which is no reason to refuse for good";
  EXPECT_EQ(live.users(), 0U);
  EXPECT_FALSE(live.apply(with("on"), {{"/users", test::kUserLine}})) << "no next hop changes by it";
  EXPECT_EQ(live.rules()->users->count(), 1U);
  EXPECT_TRUE(live.rules()->auth_needs_tls);
  EXPECT_EQ(live.rules()->max_failed_logins_per_client, 7U);
  (void)live.apply(with("off"), {{"/users", test::kUserLine + "\n" + test::user_line("other", "x")}});
  EXPECT_EQ(live.rules()->users->count(), 2U);
  EXPECT_FALSE(live.rules()->auth_needs_tls);
  (void)live.apply(with("off"), {{"/users", "nonsense"}});
  EXPECT_EQ(live.rules()->users->count(), 2U) << "those of before stay";
  EXPECT_EQ(live.users(), 2U);
}

TEST_F(LiveTest, LeavesSettingsThatNeedARestartAlone) {
  Live live(settings(), {}, {}, log, no_token);
  (void)live.apply(settings({{"SMTP_RELAY_LISTEN", "127.0.0.1:9"}, {"SMTP_RELAY_LAME_DUCK", "7s"}}), {});
  EXPECT_EQ(live.settings().listen.front().port, 2525);
  EXPECT_EQ(live.settings().lame_duck, std::chrono::seconds{7});
}

TEST_F(LiveTest, HurriesMailWhenItsRouteChanges) {
  const auto with = [](const char* smarthosts) {
    return settings({{"SMTP_RELAY_SMARTHOST", ""}, {"SMTP_RELAY_SMARTHOSTS", smarthosts}});
  };
  const auto* one = R"([{"name": "a", "host": "a.test"}])";
  Live live(with(one), {}, {}, log, no_token);
  EXPECT_FALSE(live.apply(with(one), {}));
  EXPECT_TRUE(live.apply(with(R"([{"name": "a", "host": "a.test", "recipient_domains": "b.test"}])"), {}));
  EXPECT_TRUE(live.apply(with(R"([{"name": "a", "host": "a.test", "sender_domains": "b.test"}])"), {}));
  EXPECT_TRUE(live.apply(with(one), {}));
  EXPECT_TRUE(live.apply(with(R"([{"name": "a", "host": "a.test"}, {"name": "b", "host": "b.test"}])"), {}));
  EXPECT_TRUE(live.apply(with(one), {})) << "one fewer";
  EXPECT_TRUE(live.apply(settings({{"SMTP_RELAY_SMARTHOST", ""}}), {})) << "by MX from now on";
  EXPECT_TRUE(live.apply(settings(), {}));
  EXPECT_FALSE(live.apply(settings({{"SMTP_RELAY_DELIVERY_CONNECTIONS", "3"}}), {})) << "a limit is no route";
}

TEST_F(LiveTest, GivesTheEngineTheRoutesOfThePlan) {
  Live live(settings(), {}, {}, log, no_token);
  EXPECT_EQ(live.limits()->routes, live.plan()->routes);
  (void)live.apply(settings({{"SMTP_RELAY_SMARTHOST", ""}}), {});
  EXPECT_EQ(live.limits()->routes, live.plan()->routes);
  EXPECT_TRUE(live.limits()->routes->smarthosts().empty());
}

TEST_F(LiveTest, GivesTheEngineItsLimits) {
  const Live live(
    settings(
      {{"SMTP_RELAY_BULK_SENDERS", "news@example.org,*.lists.test"},
       {"SMTP_RELAY_BOUNCE_FROM", "bounces@example.org"},
       {"SMTP_RELAY_BOUNCE_MAX_SIZE", "2Ki"},
       {"SMTP_RELAY_BOUNCE_RATE", "3/1m"},
       {"SMTP_RELAY_DEAD_LETTER_MAX_AGE", "1h"},
       {"SMTP_RELAY_SPOOL_MAX_SIZE", "1Gi"},
       {"SMTP_RELAY_SPOOL_MIN_FREE_PERCENT", "7"}}
    ),
    {}, {}, log, no_token
  );
  const auto limits = live.limits();
  EXPECT_EQ(limits->hostname, "node1");
  EXPECT_EQ(limits->bulk_senders, (std::vector<std::string>{"news@example.org", "*.lists.test"}));
  EXPECT_EQ(limits->reports.from.to_text(), "bounces@example.org");
  EXPECT_EQ(limits->reports.max_returned.count, 2048U);
  EXPECT_EQ(limits->reports.rate, (queue::Rate{3, std::chrono::minutes{1}}));
  EXPECT_EQ(limits->dead_letter_max_age, std::chrono::hours{1});
  EXPECT_EQ(limits->spool_max_size.count, 1U << 30U);
  EXPECT_EQ(limits->spool_min_free_percent, 7U);
  EXPECT_EQ(limits->signing, nullptr) << "nothing is signed";
}

TEST_F(LiveTest, TellsOfBadLinesWithoutTheirWords) {
  const Live live(
    settings(), passwords("smtp.example.net:canary-user-without-password\n"), {}, log, no_token
  );
  ASSERT_EQ(log.records("passwd_client").size(), 1U);
  EXPECT_EQ(log.text().find("canary"), std::string::npos);
}

TEST(Schedule, HasTheLimitsOfTheSettings) {
  const auto limits = schedule_of(
    settings({{"SMTP_RELAY_DELIVERY_MESSAGES_TOTAL", "11"}, {"SMTP_RELAY_DELIVERY_CONNECTIONS_TOTAL", "12"}})
  );
  EXPECT_EQ(limits.max_in_flight, 11U);
  EXPECT_EQ(limits.max_connections_total, 12U);
}

TEST_F(LiveTest, GivesEachListenerRulesOfItsOwn) {
  const test::Folder folder;
  const auto certificate = test::make_certificate({});
  test::write_text(folder.path("tls.crt"), test::pem(certificate));
  test::write_text(folder.path("tls.key"), test::key_pem(certificate));
  const auto with = [&folder](const char* listeners) {
    return settings(
      {{"SMTP_RELAY_LISTENERS", listeners},
       {"SMTP_RELAY_TLS_MODE", "none"},
       {"SMTP_RELAY_PROXY_TRUSTED", "10.1.40.50/32"},
       {"SMTP_RELAY_AUTH_USERS_FILE", "/users"},
       {"SMTP_RELAY_TLS_CERTIFICATE_FILE", folder.path("tls.crt")},
       {"SMTP_RELAY_TLS_KEY_FILE", folder.path("tls.key")}}
    );
  };
  const auto first = with(
    R"([{"name": "submissions", "listen": "127.0.0.1:465", "tls": "implicit", "auth": "required",
         "allowed_networks": "192.0.2.0/24", "proxy_protocol": "off"},
        {"name": "plain", "listen": "127.0.0.1:26", "tls": "none"}])"
  );
  Live live(first, read_files(first).value(), {}, log, no_token);
  const auto main = live.rules();
  EXPECT_EQ(main->listener, "smtp");
  EXPECT_EQ(main->tls, nullptr) << "by tls_mode";
  EXPECT_FALSE(main->tls_first || main->needs_auth);
  const auto submissions = live.listener(0).rules();
  EXPECT_EQ(submissions->listener, "submissions");
  EXPECT_NE(submissions->tls, nullptr);
  EXPECT_TRUE(submissions->tls_first && submissions->needs_auth);
  EXPECT_EQ(submissions->access.allowed, Networks{*Cidr::parse("192.0.2.0/24")});
  EXPECT_TRUE(submissions->access.hidden.contains(*IpAddress::parse("10.1.40.50")));
  EXPECT_TRUE(submissions->proxy_trusted.empty());
  const auto plain = live.listener(1).rules();
  EXPECT_EQ(plain->tls, nullptr);
  EXPECT_EQ(plain->access.allowed, main->access.allowed);
  EXPECT_EQ(plain->proxy_trusted, main->proxy_trusted);

  const auto second = with(R"([{"name": "plain", "listen": "127.0.0.1:26", "tls": "required"}])");
  (void)live.apply(second, read_files(second).value());
  EXPECT_TRUE(live.listener(1).rules()->needs_tls) << "live";
  EXPECT_FALSE(live.listener(1).rules()->is_withdrawn);
  const auto gone = live.listener(0).rules();
  EXPECT_TRUE(gone->is_withdrawn);
  EXPECT_TRUE(gone->tls_first && gone->needs_auth) << "its sessions end by the rules that they began with";
}

}  // namespace
}  // namespace relay::app
