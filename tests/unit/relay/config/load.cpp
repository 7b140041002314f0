#include "relay/config/load.hpp"

#include <gmock/gmock.h>

namespace relay::config {
namespace {

using ::testing::HasSubstr;

Loaded from(std::string json, std::map<std::string, std::string> environment = {}) {
  return load({std::move(json), "relay.json", std::move(environment)});
}
const std::map<std::string, std::string> kMinimal{
  {"SMTP_RELAY_LISTEN", "127.0.0.1:2525"},
  {"SMTP_RELAY_SPOOL_PATH", "/tmp/spool"},
  {"SMTP_RELAY_ALLOWED_NETWORKS", "127.0.0.0/8"},
  {"SMTP_RELAY_SMARTHOST", "smtp.example.net:587"},
};
std::string text(const Loaded& loaded) {
  std::string text;
  for (const auto& fault : loaded.faults) text += fault.to_text() + "\n";
  return text;
}

TEST(Settings, NeedAFewValuesInTheEnvironmentAndNoFile) {
  const auto loaded = load({std::nullopt, "", kMinimal});
  EXPECT_EQ(text(loaded), "");
  EXPECT_EQ(loaded.settings.smarthost.front(), (Endpoint{"smtp.example.net", 587}));
  EXPECT_EQ(loaded.settings.smarthost_tls, smtp::TlsMode::required);
  EXPECT_EQ(loaded.settings.http_listen.front(), (Endpoint{"0.0.0.0", 8025}));
  EXPECT_EQ(loaded.settings.admin_listen.front(), (Endpoint{"127.0.0.1", 8026}));
  EXPECT_TRUE(loaded.settings.metrics_listen.empty());
}

TEST(Settings, WithoutASmarthostDeliverByMx) {
  const auto loaded = from("{}");
  EXPECT_EQ(text(loaded), "") << "nothing at all is enough";
  EXPECT_TRUE(all_smarthosts(loaded.settings).empty());
  EXPECT_EQ(loaded.settings.mx_tls, MxTls::policy);
}

TEST(Settings, CallTheSingleSmarthostDefault) {
  const auto loaded = from(
    R"({"smarthost": "a.test:25", "smarthost_tls": "opportunistic", "smarthost_ca": "/ca.pem",
        "delivery_connections": 7, "messages_per_connection": 8, "connect_timeout": "9s"})"
  );
  ASSERT_EQ(text(loaded), "");
  const auto all = all_smarthosts(loaded.settings);
  ASSERT_EQ(all.size(), 1U);
  const auto& single = all.front();
  EXPECT_EQ(single.name, "default");
  EXPECT_EQ(single.host, "a.test");
  EXPECT_EQ(single.port, 25U);
  EXPECT_EQ(single.tls, smtp::TlsMode::opportunistic);
  EXPECT_EQ(single.ca, "/ca.pem");
  EXPECT_EQ(single.auth, AuthMechanism::passwd_client);
  EXPECT_EQ(single.max_connections, 7U);
  EXPECT_EQ(single.messages_per_connection, 8U);
  EXPECT_EQ(single.connect_timeout, std::chrono::seconds{9});
  EXPECT_EQ(single.priority, 10U) << "as by default";
}

TEST(Settings, TakeEitherOneSmarthostOrSeveral) {
  EXPECT_THAT(
    text(from(R"({"smarthost": "a:25", "smarthosts": [{"name": "b", "host": "b.test"}]})")),
    HasSubstr("smarthost, smarthosts: only one of them")
  );
}

TEST(Settings, TakeObjectsAsJsonInTheEnvironmentToo) {
  const auto* array = R"([{"name": "a", "host": "a.test", "port": "25"}, {"name": "b", "host": "10.0.0.1"}])";
  const auto loaded = from("{}", {{"SMTP_RELAY_SMARTHOSTS", array}});
  ASSERT_EQ(text(loaded), "");
  EXPECT_EQ(
    loaded.settings.smarthosts, from(std::string(R"({"smarthosts": )") + array + "}").settings.smarthosts
  );
  ASSERT_EQ(loaded.settings.smarthosts.size(), 2U);
  EXPECT_EQ(loaded.settings.smarthosts[0].port, 25U);
  EXPECT_EQ(loaded.settings.smarthosts[1].port, 587U);
  EXPECT_EQ(text(from("{}", {{"SMTP_RELAY_SMARTHOSTS", " "}})), "") << "none";
  EXPECT_THAT(
    text(from("{}", {{"SMTP_RELAY_SMARTHOSTS", R"({"name": "a"})"}})),
    HasSubstr("environment: SMTP_RELAY_SMARTHOSTS: '{\"name\": \"a\"}' is not accepted (not a JSON array)")
  );
}

TEST(Settings, ReportEveryFaultOfObjectsWithItsPath) {
  const auto faults = text(from(
    R"({"smarthosts": [{"name": "a", "host": "a.test", "tls": "maybe", "colour": "red"}, {"port": 0}, 7],
        "destinations": [{"domains": ["*.*"], "tls": "implicit"}],
        "sources": [{"name": "s", "address": "not one"}], "providers": {"name": "p"}})"
  ));
  for (const auto* fault :
       {"[0].tls: 'maybe' is not accepted (not one of the words); accepted: none, opportunistic, required or",
        "[0].colour: unknown key", "[1].port: '0' is not accepted (outside the accepted range)",
        "[1].name: is missing", "[1].host: is missing", "[2]: not an object",
        "[0].domains: '*.*' is not accepted", "[0].tls: 'implicit' is not accepted",
        "[0].address: 'not one' is not accepted", "relay.json: providers: not a value of the right shape"})
    EXPECT_THAT(faults, HasSubstr(fault));
}

TEST(Settings, ReportWhatIsWrongWithEachObjectAsAWhole) {
  const auto faults = text(from(
    R"({"smarthosts": [{"name": "a", "host": "a.test", "port": 465}, {"name": "b", "host": "b.test"},
                       {"name": "c", "host": "c.test", "client_key": "/key.pem"}]})"
  ));
  EXPECT_THAT(faults, HasSubstr("[0]: port 465 speaks TLS from the first octet"));
  EXPECT_THAT(faults, HasSubstr("[2]: client_certificate and client_key are needed together"));
  EXPECT_EQ(faults.find("[1]:"), std::string::npos);
}

TEST(Settings, GiveEachNameToOneObject) {
  const auto faults = text(from(
    R"({"smarthosts": [{"name": "a", "host": "a.test"}, {"name": "a", "host": "b.test"}],
        "sources": [{"name": "s", "address": "192.0.2.1"}, {"name": "s", "address": "192.0.2.2"}],
        "providers": [{"name": "p", "mx": "*.p.test"}, {"name": "p", "mx": "*.q.test"}]})"
  ));
  EXPECT_THAT(faults, HasSubstr("smarthosts: the name 'a' is there twice"));
  EXPECT_THAT(faults, HasSubstr("sources: the name 's' is there twice"));
  EXPECT_THAT(faults, HasSubstr("providers: the name 'p' is there twice"));
}

TEST(Settings, NameInRulesOnlyWhatIsThere) {
  const auto rules = [](const std::string& rule) {
    return text(from(
      R"({"sources": [{"name": "s", "pool": "bulk", "address": "192.0.2.1"}],
          "providers": [{"name": "p", "mx": "*.p.test"}], "destinations": [)" +
      rule + "]}"
    ));
  };
  EXPECT_EQ(rules(R"({"providers": "p", "source_pool": "bulk"})"), "");
  EXPECT_THAT(rules(R"({"providers": ["p", "q"]})"), HasSubstr("there is no provider 'q' in `providers`"));
  EXPECT_THAT(
    rules(R"({"domains": "a.test", "source_pool": "other"})"),
    HasSubstr("there is no source with the pool 'other' in `sources`")
  );
}

TEST(Settings, FromTheEnvironmentWin) {
  const auto loaded = from(R"({"smarthost": "a:25", "lame_duck": "5s"})", {{"SMTP_RELAY_SMARTHOST", "b:26"}});
  EXPECT_EQ(loaded.settings.smarthost.front().host, "b");
  EXPECT_EQ(loaded.settings.lame_duck, std::chrono::seconds{5});
}

TEST(Settings, TakeListsAndNumbersInEitherShape) {
  const auto loaded = from(
    R"({"smarthost": ["a:25"], "allowed_networks": ["10.0.0.0/8", "192.168.0.0/16"], "max_recipients": 200,
        "max_message_size": 1048576, "content_memory": "1Mi", "hidden_sources": "10.1.1.1/32, 10.1.1.2/32"})"
  );
  EXPECT_EQ(text(loaded), "");
  EXPECT_EQ(loaded.settings.allowed_networks.size(), 2U);
  EXPECT_EQ(loaded.settings.hidden_sources.size(), 2U);
  EXPECT_EQ(loaded.settings.max_recipients, 200U);
  EXPECT_EQ(loaded.settings.max_message_size.count, 1U << 20U);
}

TEST(Settings, NameTheFieldWhoseAddressIsNone) {
  const auto loaded = from(
    R"({"tls_report_from": "tls-reports", "bounce_from": "postmaster@[192.0.2.1]"})",
    {{"SMTP_RELAY_BOUNCE_FROM", "Postmaster <postmaster@example.org>"}}
  );
  EXPECT_EQ(
    text(loaded),
    "relay.json: tls_report_from: 'tls-reports' is not accepted (<tls-reports>: no domain); accepted: an "
    "address "
    "such as tls-reports@example.org, or nothing\n"
    "relay.json: bounce_from: 'postmaster@[192.0.2.1]' is not accepted (its domain is not a name); accepted: "
    "an "
    "address such as postmaster@example.org, or nothing for MAILER-DAEMON at `hostname`\n"
    "environment: SMTP_RELAY_BOUNCE_FROM: 'Postmaster <postmaster@example.org>' is not accepted (<Postmaster "
    "<postmaster@example.org>>: local part holds a character that needs quotes); accepted: an address such "
    "as "
    "postmaster@example.org, or nothing for MAILER-DAEMON at `hostname`\n"
  );
  EXPECT_EQ(loaded.settings.tls_report_from, "");
  EXPECT_EQ(loaded.settings.bounce_from, "");
}

TEST(Settings, ReportEveryFaultAtOnceWithKeyValueAndRange) {
  const auto loaded = from(
    R"({"smarthost_tls": "maybe", "lame_duck": "soon", "max_recipients": 7, "no_such_key": 1, "allowed_networks": [[1]]})",
    {{"SMTP_RELAY_SPOOL_PATH", "relative"},
     {"SMTP_RELAY_PORT", "tcp://10.96.0.1:25"},
     {"SMTP_RELAY_HOSTNAME", "a b"},
     {"OTHER", "x"}}
  );
  const auto faults = text(loaded);
  EXPECT_EQ(loaded.faults.size(), 8U) << faults;
  EXPECT_THAT(faults, HasSubstr("relay.json: smarthost_tls: 'maybe' is not accepted"));
  EXPECT_THAT(faults, HasSubstr("accepted: none, opportunistic, required or implicit"));
  EXPECT_THAT(faults, HasSubstr("relay.json: lame_duck: 'soon'"));
  EXPECT_THAT(faults, HasSubstr("accepted: 0s to 10m"));
  EXPECT_THAT(
    faults,
    HasSubstr(
      "relay.json: max_recipients: '7' is not accepted (outside the accepted range); accepted: 100 to 50000"
    )
  );
  EXPECT_THAT(faults, HasSubstr("relay.json: no_such_key: unknown key"));
  EXPECT_THAT(faults, HasSubstr("relay.json: allowed_networks: not a value of the right shape"));
  EXPECT_THAT(faults, HasSubstr("environment: SMTP_RELAY_SPOOL_PATH: 'relative'"));
  EXPECT_THAT(faults, HasSubstr("environment: SMTP_RELAY_PORT: unknown setting"));
  EXPECT_THAT(faults, HasSubstr("environment: SMTP_RELAY_HOSTNAME: 'a b'"));
}

TEST(Settings, RefuseNamesThatWouldBreakTheProtocolCase048) {
  for (const auto* name : {"a\r\nb", "two words", "a\n", "-a", "."}) {
    const auto loaded = from("{}", {{"SMTP_RELAY_HOSTNAME", name}, {"SMTP_RELAY_SMARTHOST", "a:25"}});
    EXPECT_EQ(loaded.faults.size(), 1U) << name;
    EXPECT_EQ(text(loaded).find('\r'), std::string::npos);
  }
}

TEST(Settings, RefuseAnAdminListenerThatOthersReach) {
  EXPECT_THAT(
    text(from(R"({"smarthost": "a:25", "admin_listen": "0.0.0.0:8026"})")),
    HasSubstr("accepted: loopback host:port")
  );
  EXPECT_EQ(text(from(R"({"smarthost": "a:25", "admin_listen": "[::1]:8026"})")), "");
}

TEST(Settings, KeepDelaysInOrder) {
  EXPECT_THAT(
    text(from(R"({"smarthost": "a:25", "retry_initial_delay": "2h"})")), HasSubstr("2h <= 1h <= 120h")
  );
}

TEST(Settings, NeedAHostForTheSmarthost) {
  for (const auto* json :
       {R"({"smarthost": ":587"})", R"({"smarthost": "0.0.0.0:587"})", R"({"smarthost": "[::]:587"})"}) {
    EXPECT_THAT(text(from(json)), HasSubstr("smarthost: needs a host")) << json;
  }
}

TEST(Settings, NeedACertificateAndItsKeyForTls) {
  const auto faults = [](const char* json) {
    std::string all;
    for (const auto& fault : load({json, "relay.json", {}}).faults) all += fault.to_text() + "\n";
    return all;
  };
  const std::string pair = R"("tls_certificate_file": "/a.crt", "tls_key_file": "/a.key")";
  EXPECT_EQ(faults(("{" + pair + "}").c_str()), "");
  EXPECT_EQ(faults((R"({"tls_mode": "required", )" + pair + "}").c_str()), "");
  EXPECT_EQ(faults(R"({"tls_mode": "none"})"), "");
  for (const auto* half : {R"({"tls_certificate_file": "/a.crt"})", R"({"tls_key_file": "/a.key"})"})
    EXPECT_THAT(faults(half), HasSubstr("tls_certificate_file, tls_key_file: a certificate needs its key"));
  EXPECT_THAT(
    faults(R"({"tls_mode": "required"})"),
    HasSubstr("tls_mode: `required` needs a certificate: set tls_certificate_file and tls_key_file")
  );
}

TEST(Settings, NeedTlsForUsersUnlessToldOtherwise) {
  const auto faults = [](const std::string& more) {
    const auto json = R"({"auth_users_file": "/users")" + more + "}";
    std::string all;
    for (const auto& fault : load({json, "relay.json", {}}).faults) all += fault.to_text() + "\n";
    return all;
  };
  const std::string pair = R"(, "tls_certificate_file": "/a.crt", "tls_key_file": "/a.key")";
  EXPECT_EQ(faults(pair), "");
  EXPECT_EQ(faults(R"(, "auth_requires_tls": "off")"), "");
  EXPECT_THAT(
    faults(""), HasSubstr("auth_users_file: AUTH needs TLS: set tls_certificate_file and tls_key_file")
  );
  EXPECT_THAT(faults(pair + R"(, "tls_mode": "none")"), HasSubstr("auth_users_file: AUTH needs TLS"));
  EXPECT_EQ(
    load({R"({"auth_requires_tls": "on", "auth_failures_per_client": 5})", "", {}}).faults.size(), 0U
  );
  EXPECT_EQ(load({R"({"auth_failures_per_client": 0})", "", {}}).faults.size(), 1U);
}

/// @param listeners  as JSON, with commas between them
std::string faults_of_listeners(const std::string& listeners, const std::string& more = "") {
  std::string all;
  const auto json = R"({"listeners": [)" + listeners + "]" + more + "}";
  for (const auto& fault : load({json, "relay.json", {}}).faults) all += fault.to_text() + "\n";
  return all;
}
const std::string kPair = R"(, "tls_certificate_file": "/a.crt", "tls_key_file": "/a.key")";

TEST(Settings, HaveNoListenerThatNobodyCanUse) {
  const auto one = [](const std::string& rules) {
    return R"({"name": "a", "listen": "0.0.0.0:2526", )" + rules + "}";
  };
  for (const auto* tls : {"required", "implicit"}) {
    const auto listener = one(R"("tls": ")" + std::string(tls) + "\"");
    EXPECT_THAT(faults_of_listeners(listener), HasSubstr("the tls of 'a' needs a certificate"));
    EXPECT_EQ(faults_of_listeners(listener, kPair), "");
  }
  const std::string users = R"(, "auth_users_file": "/users")";
  EXPECT_THAT(
    faults_of_listeners(one(R"("auth": "required")"), kPair), HasSubstr("'a' needs users who can log in")
  );
  EXPECT_EQ(faults_of_listeners(one(R"("auth": "required")"), kPair + users), "");
  const auto in_clear = one(R"("auth": "required", "tls": "none")");
  EXPECT_THAT(faults_of_listeners(in_clear, kPair + users), HasSubstr("nobody could log in at 'a'"));
  EXPECT_EQ(faults_of_listeners(in_clear, kPair + users + R"(, "auth_requires_tls": "off")"), "");
}

TEST(Settings, NeedTlsForUsersAtOneListenerOnly) {
  const std::string users = kPair + R"(, "auth_users_file": "/users", "tls_mode": "none")";
  EXPECT_EQ(faults_of_listeners(R"({"name": "a", "listen": "0.0.0.0:465", "tls": "implicit"})", users), "");
  EXPECT_THAT(
    faults_of_listeners(R"({"name": "a", "listen": "0.0.0.0:2526", "tls": "none"})", users),
    HasSubstr("AUTH needs TLS")
  );
}

/// Shards share ports: two listeners at one would each get some of its clients.
TEST(Settings, GiveEachListenerAnAddressOfItsOwn) {
  const auto at = [](const std::string& name, const std::string& where) {
    return R"({"name": ")" + name + R"(", "listen": ")" + where + R"("})";
  };
  EXPECT_EQ(faults_of_listeners(at("a", "0.0.0.0:2526") + "," + at("b", "0.0.0.0:2527")), "");
  EXPECT_EQ(faults_of_listeners(at("a", "127.0.0.1:2526") + "," + at("b", "127.0.0.2:2526")), "");
  EXPECT_THAT(
    faults_of_listeners(at("a", "127.0.0.1:2526") + "," + at("b", "[::]:2526")),
    HasSubstr("'b' can't have [::]:2526: 'a' has 127.0.0.1:2526")
  );
  EXPECT_THAT(faults_of_listeners(at("a", "127.0.0.1:2525")), HasSubstr("another setting has 0.0.0.0:2525"));
  EXPECT_THAT(
    faults_of_listeners(at("a", "127.0.0.1:8026")), HasSubstr("another setting has 127.0.0.1:8026")
  );
  EXPECT_THAT(
    faults_of_listeners(at("a", "0.0.0.0:2526") + "," + at("a", "0.0.0.0:2527")),
    HasSubstr("the name 'a' is there twice")
  );
}

TEST(Settings, HaveEightListenersAtMost) {
  std::string all;
  for (int i = 0; i < 8; ++i) {
    const auto number = std::to_string(i);
    all += (i > 0 ? "," : "") + (R"({"name": "l)" + number + R"(", "listen": "0.0.0.0:300)" + number + "\"}");
  }
  EXPECT_EQ(faults_of_listeners(all), "");
  EXPECT_THAT(
    faults_of_listeners(all + R"(,{"name": "l8", "listen": "0.0.0.0:3008"})"),
    HasSubstr("more than 8 listeners")
  );
}

TEST(Settings, TellWhichListenersARunningRelayCannotChange) {
  const auto listeners = [](const std::string& json) {
    return load({R"({"listeners": )" + json + kPair + "}", "", {}}).settings.listeners;
  };
  const auto before = listeners(R"([{"name": "a", "listen": "0.0.0.0:2526"}])");
  EXPECT_FALSE(
    listen_elsewhere(before, listeners(R"([{"name": "a", "listen": "0.0.0.0:2526", "tls": "required"}])"))
  );
  EXPECT_TRUE(listen_elsewhere(before, listeners(R"([{"name": "a", "listen": "0.0.0.0:2527"}])")));
  EXPECT_TRUE(listen_elsewhere(before, listeners(R"([{"name": "b", "listen": "0.0.0.0:2526"}])")));
  EXPECT_TRUE(listen_elsewhere(before, {}));
}

TEST(Settings, SurviveFilesThatAreNoObject) {
  for (const auto* json : {"", "[]", "{", "null", "\xff"}) {
    EXPECT_THAT(text(from(json)), HasSubstr("relay.json: not a JSON object")) << json;
  }
}

TEST(Settings, RefuseWhatCannotBePrinted) {
  EXPECT_THAT(
    text(load({std::nullopt, "", {{"SMTP_RELAY_SPOOL_PATH", "/\xff"}}})),
    HasSubstr("environment: SMTP_RELAY_SPOOL_PATH: '/?' is not accepted (not UTF-8)")
  );
}

TEST(Settings, PrintAsTheyAreRead) {
  auto first = load({std::nullopt, "", kMinimal});
  const auto printed = print(first.settings);
  const auto second = from(printed);
  EXPECT_EQ(text(second), "");
  EXPECT_EQ(second.settings, first.settings);
  EXPECT_EQ(print(second.settings), printed);
}

TEST(Settings, WithObjectsPrintAsTheyAreRead) {
  const auto first = from(
    R"({"smarthosts": [{"name": "a", "host": "2001:db8::1", "port": 465, "tls": "implicit", "auth": "xoauth2",
          "username_file": "/user", "token_url": "https://login.test/token", "client_id_file": "/id",
          "client_secret_file": "/secret", "token_scope": "mail.send offline", "weight": 3,
          "recipient_domains": ["example.org", "*.example.org"], "message_rate": "100/1m", "connect_timeout": "90s"}],
        "destinations": [{"domains": "*", "max_connections": 3, "connection_rate": "1/10s", "retry_max_age": "1h",
          "retry_warn_after": "0s", "tls": "required", "source_pool": "default"}],
        "providers": [{"name": "p", "mx": ["*.p.test"], "message_rate": "5/1s"}],
        "sources": [{"name": "s", "address": "192.0.2.1", "messages_a_day": [50, 100], "warm_up_from": "2024-02-29"}],
        "dkim": [{"domain": "example.org", "selector": "a.b", "key": "/key", "headers": ["From", "To"],
          "canonicalization": "simple/relaxed", "expires": "48h"}]})"
  );
  ASSERT_EQ(text(first), "");
  const auto printed = print(first.settings);
  const auto second = from(printed);
  EXPECT_EQ(text(second), "");
  EXPECT_EQ(second.settings, first.settings);
  EXPECT_EQ(print(second.settings), printed);
  EXPECT_EQ(second.settings.sources[0].messages_a_day, (std::vector<std::uint64_t>{50, 100}));
  EXPECT_EQ(second.settings.destinations[0].retry_warn_after, milliseconds{0})
    << "never, which is not nothing";
}

TEST(Settings, TellLiveChangesFromThoseThatNeedARestart) {
  const auto before = from(R"({"smarthost": "a:25", "listen": ":25", "lame_duck": "1s"})").settings;
  const auto after = from(R"({"smarthost": "b:25", "listen": ":26", "lame_duck": "1s"})").settings;
  EXPECT_EQ(changed_keys(before, after, Reload::live), std::vector<std::string>{"smarthost"});
  EXPECT_EQ(changed_keys(before, after, Reload::restart), std::vector<std::string>{"listen"});
  const auto merged = with_live_settings(before, after);
  EXPECT_EQ(merged.smarthost.front().host, "b");
  EXPECT_EQ(merged.listen.front().port, 25);
}

}  // namespace
}  // namespace relay::config
