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

TEST(Settings, NeedFourValuesInTheEnvironmentAndNoFile) {
  const auto loaded = load({std::nullopt, "", kMinimal});
  EXPECT_EQ(text(loaded), "");
  EXPECT_EQ(loaded.settings.smarthost.front(), (Endpoint{"smtp.example.net", 587}));
  EXPECT_EQ(loaded.settings.smarthost_tls, smtp::TlsMode::required);
  EXPECT_EQ(loaded.settings.http_listen.front(), (Endpoint{"0.0.0.0", 8025}));
  EXPECT_EQ(loaded.settings.admin_listen.front(), (Endpoint{"127.0.0.1", 8026}));
  EXPECT_TRUE(loaded.settings.metrics_listen.empty());
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

TEST(Settings, ReportEveryFaultAtOnceWithKeyValueAndRange) {
  const auto loaded = from(
    R"({"smarthost_tls": "maybe", "lame_duck": "soon", "max_recipients": 7, "no_such_key": 1, "allowed_networks": [1]})",
    {{"SMTP_RELAY_SPOOL_PATH", "relative"},
     {"SMTP_RELAY_PORT", "tcp://10.96.0.1:25"},
     {"SMTP_RELAY_HOSTNAME", "a b"},
     {"OTHER", "x"}}
  );
  const auto faults = text(loaded);
  EXPECT_EQ(loaded.faults.size(), 9U) << faults;
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
  EXPECT_THAT(faults, HasSubstr("smarthost: none is set"));
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
