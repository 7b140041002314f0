#include "relay/app/plan_maker.hpp"

#include <gmock/gmock.h>

#include "relay/config/load.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class PlanMakerTest : public ::testing::Test, public Clock, public Jitter {
 protected:
  [[nodiscard]] WallTime wall() const override { return {}; }
  [[nodiscard]] SteadyTime steady() const override { return {}; }
  double fraction() override { return 0.5; }
  void TearDown() override { loop.thread.stop(); }

  std::string path(const std::string& name) const { return folder.path(name); }
  void write(const std::string& name, const std::string& text) const { test::write_text(path(name), text); }
  /// The JSON with each `$` made the test's folder.
  config::Settings settings(std::string json) const {
    for (auto at = json.find('$'); at != std::string::npos; at = json.find('$', at))
      json.replace(at, 1, folder.path());
    const auto loaded = config::load({json, "relay.json", {{"SMTP_RELAY_PASSWD_CLIENT", path("passwd")}}});
    for (const auto& fault : loaded.faults) ADD_FAILURE() << fault.to_text();
    return loaded.settings;
  }
  std::shared_ptr<const outbound::Plan> make(const std::string& json) {
    const auto made = settings(json);
    return maker.make(made, read_files(made).value());
  }
  std::shared_ptr<const dkim::Rules> rules(const std::string& json) {
    const auto made = settings(json);
    return maker.make_rules(made, read_files(made).value());
  }
  std::size_t said(const std::string& event) const { return log.records(event).size(); }

  test::Folder folder;
  test::QuietLog log;
  test::Loop loop;
  net::Resolver resolver{loop.thread.context(), {}};
  std::vector<oauth::Account> accounts;
  PlanMaker maker{log, [this](oauth::Account account, std::shared_ptr<net::TlsClient> tls) {
                    accounts.push_back(account);
                    return std::make_shared<const oauth::TokenSource>(
                      oauth::TokenSource::Services{loop.thread.context(), resolver, *this, *this, log},
                      std::move(tls), std::move(account)
                    );
                  }};
};

const std::string kTwo =
  R"({"smarthosts": [{"name": "a", "host": "a.test"}, {"name": "b", "host": "b.test"}]})";

// ---- smarthosts ----

TEST_F(PlanMakerTest, CallsTheSingleSmarthostDefault) {
  write("passwd", "smtp.test:user:pass\n");
  const auto plan =
    make(R"({"smarthost": "smtp.test:25", "hostname": "relay.test", "banner_timeout": "7s"})");
  ASSERT_EQ(plan->smarthosts.size(), 1U);
  const auto& only = plan->smarthosts[0];
  EXPECT_EQ(only.name, "default");
  EXPECT_EQ(only.host.name, "default");
  EXPECT_EQ(only.host.next_hop.endpoint, (Endpoint{"smtp.test", 25}));
  EXPECT_EQ(only.host.next_hop.policy.helo_name, "relay.test");
  EXPECT_EQ(only.host.next_hop.policy.timeouts.banner, milliseconds{7s});
  EXPECT_EQ(only.host.next_hop.policy.credentials, (sasl::Credentials{"user", "pass"}));
  EXPECT_EQ(only.max_connections, 20U);
  EXPECT_FALSE(only.host.is_mx);
  EXPECT_EQ(plan->routes->members({"smarthost/default"}).size(), 1U);
}

TEST_F(PlanMakerTest, TakesCredentialsFromWhereTheSmarthostSays) {
  write("passwd", "a.test:of-file:word\nb.test:of-file:word\n");
  write("user", "user\n");
  write("password", "pass\r\n");
  const auto plan = make(
    R"({"smarthosts": [{"name": "a", "host": "a.test"}, {"name": "b", "host": "b.test", "auth": "none"},
      {"name": "c", "host": "c.test"},
      {"name": "d", "host": "a.test", "auth": "any", "username_file": "$/user", "password_file": "$/password"},
      {"name": "e", "host": "a.test", "auth": "scram-sha-256", "username_file": "$/user", "password_file": "$/password"}
    ]})"
  );
  const auto of = [&](std::size_t i) { return plan->smarthosts[i].host.next_hop.policy.credentials; };
  EXPECT_EQ(of(0), (sasl::Credentials{"of-file", "word"}));
  EXPECT_FALSE(of(1));
  EXPECT_FALSE(of(2)) << "no line for its host";
  EXPECT_EQ(of(3), (sasl::Credentials{"user", "pass"}));
  EXPECT_EQ(of(4), (sasl::Credentials{"user", "pass", sasl::Name::scram_sha_256}));
}

TEST_F(PlanMakerTest, RaisesTheGenerationOfTheSmarthostThatChangedAlone) {
  write("passwd", "a.test:user:old\nb.test:user:pass\n");
  const auto before = make(kTwo);
  const auto same = make(kTwo);
  EXPECT_FALSE(has_other_hops(*before, *same));
  write("passwd", "a.test:user:new\nb.test:user:pass\n");
  const auto after = make(kTwo);
  EXPECT_GT(after->smarthosts[0].generation, before->smarthosts[0].generation);
  EXPECT_EQ(after->smarthosts[1].generation, before->smarthosts[1].generation);
  EXPECT_EQ(after->generation, before->generation) << "MX is another thing";
  EXPECT_TRUE(has_other_hops(*before, *after));
}

TEST_F(PlanMakerTest, RaisesGenerationsForWhatConnectionsAreMadeOf) {
  auto last = make(R"({"smarthosts": [{"name": "a", "host": "a.test"}]})");
  for (const auto* fields :
       {R"("port": 25)", R"("tls": "opportunistic")", R"("server_name": "c.test")",
        R"("tls_min_version": "1.3")"}) {
    const auto next =
      make(R"({"smarthosts": [{"name": "a", "host": "a.test", )" + std::string(fields) + "}]}");
    EXPECT_GT(next->smarthosts[0].generation, last->smarthosts[0].generation) << fields;
    last = next;
  }
  const auto base = make(R"({"smarthosts": [{"name": "a", "host": "a.test"}]})");
  const auto limited =
    make(R"({"smarthosts": [{"name": "a", "host": "a.test", "max_connections": 3, "message_rate": "1/1s"}]})"
    );
  EXPECT_FALSE(has_other_hops(*base, *limited)) << "limits are for those that are open, too";
}

TEST_F(PlanMakerTest, TellsOtherHopsByTheirNames) {
  const auto two = make(kTwo);
  const auto one = make(R"({"smarthosts": [{"name": "a", "host": "a.test"}]})");
  EXPECT_TRUE(has_other_hops(*two, *one));
  const auto none = make("{}");
  EXPECT_TRUE(has_other_hops(*one, *none));
}

// ---- TLS ----

TEST_F(PlanMakerTest, KeepsATlsClientWhileItsFilesStayTheSame) {
  const auto authority = test::make_authority("one");
  write("ca", test::pem(authority));
  const std::string json = R"({"smarthosts": [{"name": "a", "host": "a.test", "ca": "$/ca"}]})";
  const auto first = make(json)->smarthosts[0];
  const auto same = make(json)->smarthosts[0];
  EXPECT_EQ(same.host.tls, first.host.tls);
  EXPECT_EQ(same.generation, first.generation);
  write("ca", test::pem(test::make_authority("two")));
  const auto second = make(json);
  EXPECT_NE(second->smarthosts[0].host.tls, first.host.tls);
  EXPECT_GT(second->smarthosts[0].generation, first.generation);
}

TEST_F(PlanMakerTest, MakesOneTlsClientForAllSmarthostsWithTheSameTerms) {
  write("ca", test::pem(test::make_authority("one")));
  const auto plan = make(
    R"({"smarthosts": [{"name": "a", "host": "a.test"}, {"name": "b", "host": "b.test"},
                       {"name": "c", "host": "c.test", "ca": "$/ca"}, {"name": "d", "host": "d.test", "ca": "$/ca"},
                       {"name": "e", "host": "e.test", "tls_min_version": "1.3"}]})"
  );
  const auto& made = plan->smarthosts;
  EXPECT_EQ(made[0].host.tls, made[1].host.tls);
  EXPECT_EQ(made[2].host.tls, made[3].host.tls);
  EXPECT_EQ(plan->mx.tls_client, made[0].host.tls);
  EXPECT_NE(made[0].host.tls, made[2].host.tls);
  EXPECT_NE(made[0].host.tls, made[4].host.tls);
}

TEST_F(PlanMakerTest, LendsNobodyTheLastGoodAuthoritiesOfAnotherSmarthost) {
  write("ca", test::pem(test::make_authority("one")));
  const auto good = make(R"({"smarthosts": [{"name": "a", "host": "a.test", "ca": "$/ca"}]})");
  write("ca", "canary, and no certificate");
  const std::string two =
    R"({"smarthosts": [{"name": "a", "host": "a.test", "ca": "$/ca"}, {"name": "b", "host": "b.test", "ca": "$/ca"}]})";
  const auto bad = make(two);
  EXPECT_EQ(bad->smarthosts[0].host.tls, good->smarthosts[0].host.tls);
  EXPECT_NE(bad->smarthosts[1].host.tls, good->smarthosts[0].host.tls);
  EXPECT_EQ(said("smarthost_tls"), 2U) << "one for each that uses it";
}

TEST_F(PlanMakerTest, KeepsASmarthostThatIsCalledMxApartFromDeliveryByMx) {
  const std::string json = R"({"smarthosts": [{"name": "mx", "host": "a.test", "tls_min_version": "1.3"}]})";
  const auto before = make(json);
  const auto after = make(json);
  EXPECT_NE(before->smarthosts[0].host.tls, before->mx.tls_client);
  EXPECT_FALSE(has_other_hops(*before, *after));
}

TEST_F(PlanMakerTest, KeepsTheLastGoodAuthoritiesWhenTheFileBreaks) {
  write("ca", test::pem(test::make_authority("one")));
  const std::string json =
    R"({"smarthosts": [{"name": "a", "host": "a.test", "ca": "$/ca"}], "mx_ca": "$/ca"})";
  const auto good = make(json);
  write("ca", "canary, and no certificate");
  const auto bad = make(json);
  EXPECT_EQ(bad->smarthosts[0].host.tls, good->smarthosts[0].host.tls);
  EXPECT_EQ(bad->mx.tls_client, good->mx.tls_client);
  EXPECT_FALSE(has_other_hops(*good, *bad));
  ASSERT_EQ(said("smarthost_tls"), 2U) << "one for each that uses it";
  EXPECT_THAT(log.text(), HasSubstr("the last good authorities and certificate stay in force"));
  EXPECT_THAT(log.text(), HasSubstr(path("ca")));
  EXPECT_THAT(log.text(), Not(HasSubstr("canary")));
  (void)make(json);
  EXPECT_EQ(said("smarthost_tls"), 2U) << "once is enough";
  write("ca", test::pem(test::make_authority("two")));
  EXPECT_NE(make(json)->smarthosts[0].host.tls, good->smarthosts[0].host.tls);
}

TEST_F(PlanMakerTest, KeepsTheLastGoodClientCertificateWhenTheKeyBreaks) {
  const auto certificate = test::make_certificate({});
  write("certificate", test::pem(certificate));
  write("key", test::key_pem(certificate));
  const std::string json =
    R"({"smarthosts": [{"name": "a", "host": "a.test", "client_certificate": "$/certificate", "client_key": "$/key"}]})";
  const auto good = make(json)->smarthosts[0].host.tls;
  EXPECT_EQ(said("smarthost_tls"), 0U) << log.text();
  write("key", "canary");
  EXPECT_EQ(make(json)->smarthosts[0].host.tls, good);
  write("key", test::key_pem(test::make_certificate({})));
  EXPECT_EQ(make(json)->smarthosts[0].host.tls, good) << "of another certificate";
  EXPECT_EQ(said("smarthost_tls"), 2U);
  EXPECT_THAT(log.text(), Not(HasSubstr("canary")));
  EXPECT_THAT(log.text(), Not(HasSubstr("BEGIN")));
}

TEST_F(PlanMakerTest, TrustsNobodyUntilThereAreAuthorities) {
  const std::string json = R"({"smarthosts": [{"name": "a", "host": "a.test", "ca": "$/ca"}]})";
  const auto without = make(json);
  ASSERT_NE(without->smarthosts[0].host.tls, nullptr) << "better than a relay that does not start";
  EXPECT_THAT(log.text(), HasSubstr("no certificate can be verified: mail waits"));
  write("ca", test::pem(test::make_authority("one")));
  const auto with = make(json);
  EXPECT_NE(with->smarthosts[0].host.tls, without->smarthosts[0].host.tls);
  EXPECT_TRUE(has_other_hops(*without, *with)) << "mail that waits is due";
}

// ---- tokens ----

TEST_F(PlanMakerTest, MakesOneTokenSourceUntilItsAccountChanges) {
  write("user", "user\n");
  write("id", "id\n");
  write("secret", "canary\n");
  const std::string json =
    R"({"smarthosts": [{"name": "a", "host": "a.test", "auth": "xoauth2", "username_file": "$/user",
        "token_url": "https://login.test/token", "token_scope": "send", "client_id_file": "$/id",
        "client_secret_file": "$/secret"}]})";
  const auto first = make(json);
  const auto second = make(json);
  ASSERT_NE(first->smarthosts[0].token, nullptr);
  EXPECT_EQ(second->smarthosts[0].token, first->smarthosts[0].token) << "its token is kept";
  ASSERT_EQ(accounts.size(), 1U);
  EXPECT_EQ(accounts[0], (oauth::Account{"a", "https://login.test/token", "id", "canary", "send", ""}));
  const auto& credentials = first->smarthosts[0].host.next_hop.policy.credentials;
  EXPECT_EQ(credentials, (sasl::Credentials{"user", "", sasl::Name::xoauth2}));
  write("secret", "canary2\n");
  const auto third = make(json);
  EXPECT_NE(third->smarthosts[0].token, first->smarthosts[0].token);
  EXPECT_GT(third->smarthosts[0].generation, first->smarthosts[0].generation);
  EXPECT_THAT(log.text(), Not(HasSubstr("canary")));
  EXPECT_EQ(make(R"({"smarthosts": [{"name": "a", "host": "a.test"}]})")->smarthosts[0].token, nullptr);
}

// ---- MX, rules, sources ----

TEST_F(PlanMakerTest, TakesOverWhatConcernsDeliveryByMx) {
  const auto plan = make(
    R"({"hostname": "relay.test", "mx_tls": "required", "mx_max_connections": 7, "mx_allowed_networks": "10.0.0.0/8",
        "host_addresses": "192.0.2.9", "connect_timeout": "9s", "messages_per_connection": 8,
        "mx_retry_initial_delay": "20m", "retry_initial_delay": "2m", "retry_max_delay": "2h", "retry_max_age": "48h",
        "retry_warn_after": "1h", "retry_multiplier": 1.5, "connection_idle_time": "3s"})"
  );
  EXPECT_TRUE(plan->smarthosts.empty());
  EXPECT_EQ(plan->mx.tls, outbound::MxTls::required);
  EXPECT_EQ(plan->mx.policy.tls, smtp::TlsMode::opportunistic);
  EXPECT_EQ(plan->mx.policy.helo_name, "relay.test");
  EXPECT_FALSE(plan->mx.policy.credentials);
  EXPECT_EQ(plan->mx.max_connections, 7U);
  EXPECT_EQ(plan->mx.allowed.size(), 1U);
  EXPECT_EQ(plan->mx.own.size(), 1U);
  EXPECT_EQ(plan->mx.own_names, std::vector<std::string>{"relay.test"});
  EXPECT_EQ(plan->mx.port, 25);
  EXPECT_EQ(plan->mx.connect_timeout, milliseconds{9s});
  EXPECT_EQ(plan->mx.messages_per_connection, 8U);
  EXPECT_EQ(plan->mx_retry_initial, milliseconds{20min});
  EXPECT_EQ(plan->retry.initial, milliseconds{2min});
  EXPECT_EQ(plan->retry.max, milliseconds{2h});
  EXPECT_EQ(plan->retry.max_age, milliseconds{48h});
  EXPECT_EQ(plan->retry.multiplier, queue::Factor{150});
  EXPECT_EQ(plan->warn_after, milliseconds{1h});
  EXPECT_EQ(plan->idle_time, milliseconds{3s});
}

TEST_F(PlanMakerTest, RaisesTheGenerationOfMxForWhatConnectionsAreMadeOf) {
  const auto first = make("{}");
  const auto other_tls = make(R"({"mx_tls": "required"})");
  EXPECT_GT(other_tls->generation, first->generation);
  EXPECT_TRUE(has_other_hops(*first, *other_tls));
  const auto limited = make(R"({"mx_tls": "required", "mx_max_connections": 3})");
  EXPECT_EQ(limited->generation, other_tls->generation);
  const auto allowed = make(R"({"mx_tls": "required", "mx_allowed_networks": "10.0.0.0/8"})");
  EXPECT_GT(allowed->generation, limited->generation);
}

TEST_F(PlanMakerTest, TakesOverRulesProvidersAndSources) {
  const auto plan = make(
    R"({"providers": [{"name": "big", "mx": "*.big.test", "max_connections": 50, "message_rate": "10/1s"}],
        "sources": [{"name": "s", "address": "2001:db8::1", "pool": "bulk", "weight": 3, "helo_name": "s.test",
          "messages_a_day": [50, 100], "warm_up_from": "2026-02-28"}],
        "destinations": [{"domains": "*.example.org", "tls": "none", "max_connections": 2, "connection_rate": "1/1s",
          "message_rate": "2/1s", "retry_initial_delay": "1m", "retry_max_delay": "2m", "retry_max_age": "3m",
          "retry_warn_after": "0s", "source_pool": "bulk"}, {"providers": "big"}]})"
  );
  ASSERT_EQ(plan->providers.size(), 1U);
  EXPECT_EQ(plan->providers[0].site.provider, "big");
  EXPECT_EQ(plan->providers[0].site.mx_patterns, std::vector<std::string>{"*.big.test"});
  EXPECT_EQ(plan->providers[0].shape.max_connections, 50U);
  EXPECT_EQ(plan->providers[0].shape.message_rate, (queue::Rate{10, 1s}));
  ASSERT_EQ(plan->sources.size(), 1U);
  EXPECT_EQ(plan->sources[0].address.to_text(), "2001:db8::1");
  EXPECT_EQ(plan->sources[0].pool, "bulk");
  EXPECT_EQ(plan->sources[0].weight, 3U);
  EXPECT_EQ(plan->sources[0].helo_name, "s.test");
  EXPECT_EQ(plan->sources[0].messages_a_day, (std::vector<std::uint64_t>{50, 100}));
  EXPECT_EQ(plan->sources[0].warm_up_from, std::chrono::sys_days{std::chrono::year{2026} / 2 / 28});
  ASSERT_EQ(plan->rules.size(), 2U);
  const auto& rule = plan->rules[0];
  EXPECT_EQ(rule.tls, outbound::MxTls::none);
  EXPECT_EQ(rule.max_connections, 2U);
  EXPECT_EQ(rule.connection_rate, (queue::Rate{1, 1s}));
  EXPECT_EQ(rule.message_rate, (queue::Rate{2, 1s}));
  EXPECT_EQ(rule.retry_initial, milliseconds{1min});
  EXPECT_EQ(rule.retry_max, milliseconds{2min});
  EXPECT_EQ(rule.max_age, milliseconds{3min});
  EXPECT_EQ(rule.warn_after, milliseconds{0});
  EXPECT_EQ(rule.source_pool, "bulk");
  EXPECT_FALSE(plan->rules[1].tls);
  EXPECT_EQ(plan->rules[1].providers, std::vector<std::string>{"big"});
}

// ---- DKIM ----

const std::string kSigning = R"({"dkim": [{"domain": "Example.org", "selector": "s", "key": "$/key"}]})";

TEST_F(PlanMakerTest, SignsNothingWithoutAKey) {
  EXPECT_EQ(rules("{}"), nullptr);
  EXPECT_EQ(rules(kSigning), nullptr);
  ASSERT_EQ(said("dkim_key"), 1U);
  EXPECT_THAT(log.text(), HasSubstr("there is no such file, or it is empty"));
  EXPECT_THAT(log.text(), HasSubstr("its signature is left out"));
}

TEST_F(PlanMakerTest, MakesASignatureOfEachKey) {
  write("key", test::key_pem(test::make_certificate({.name = "a", .alternative = "", .rsa_bits = 2048})));
  const auto made = rules(
    R"({"dkim": [{"domain": "Example.org", "selector": "s", "key": "$/key"},
                 {"domain": "example.net", "selector": "t", "key": "$/key", "senders": "*", "headers": ["From", "To"],
                  "canonicalization": "simple/relaxed", "expires": "48h"}]})"
  );
  ASSERT_NE(made, nullptr);
  ASSERT_EQ(made->size(), 2U);
  const auto& first = (*made)[0];
  EXPECT_EQ(first.domain, "example.org") << "in lower case";
  EXPECT_EQ(first.headers, dkim::default_headers());
  EXPECT_EQ(first.header, dkim::Canonicalization::relaxed);
  EXPECT_EQ(first.body, dkim::Canonicalization::relaxed);
  EXPECT_FALSE(first.expires);
  const auto& second = (*made)[1];
  EXPECT_EQ(second.key, first.key) << "one file, one key";
  EXPECT_EQ(second.senders, std::vector<std::string>{"*"});
  EXPECT_EQ(second.headers, (std::vector<std::string>{"From", "To"}));
  EXPECT_EQ(second.header, dkim::Canonicalization::simple);
  EXPECT_EQ(second.body, dkim::Canonicalization::relaxed);
  EXPECT_EQ(second.expires, seconds{48h});
  ASSERT_EQ(said("dkim_key"), 1U);
  EXPECT_THAT(log.records("dkim_key")[0].at("record").get<std::string>(), HasSubstr("k=rsa; p="));
  EXPECT_EQ(rules(kSigning)->front().key, first.key) << "kept while the file stays the same";
}

TEST_F(PlanMakerTest, KeepsTheLastGoodSignatureKeyWhenTheFileBreaks) {
  write("key", test::key_pem(test::make_certificate({.name = "a", .alternative = "", .rsa_bits = 2048})));
  const auto good = rules(kSigning)->front().key;
  for (const auto* text : {"canary", "canary", ""}) {
    write("key", text);
    const auto made = rules(kSigning);
    ASSERT_NE(made, nullptr);
    EXPECT_EQ(made->front().key, good);
  }
  EXPECT_EQ(said("dkim_key"), 3U) << "the good one, the bad one once, the empty one";
  EXPECT_THAT(log.text(), HasSubstr("the last good key stays in force"));
  EXPECT_THAT(log.text(), Not(HasSubstr("canary")));
  EXPECT_THAT(log.text(), Not(HasSubstr("BEGIN")));
}

TEST_F(PlanMakerTest, WarnsOfAShortSignatureKey) {
  write("key", test::key_pem(test::make_certificate({.name = "a", .alternative = "", .rsa_bits = 1024})));
  ASSERT_NE(rules(kSigning), nullptr);
  EXPECT_THAT(log.text(), HasSubstr("a key below 2048 bits may count for nothing"));
}

TEST_F(PlanMakerTest, LeavesOutASignatureThatCannotBe) {
  write("key", test::key_pem(test::make_certificate({.name = "a", .alternative = "", .rsa_bits = 2048})));
  EXPECT_EQ(
    rules(R"({"dkim": [{"domain": "example.org", "selector": "s", "key": "$/key", "headers": "Received"}]})"),
    nullptr
  );
  EXPECT_EQ(said("dkim_rule"), 1U);
}

}  // namespace
}  // namespace relay::app
