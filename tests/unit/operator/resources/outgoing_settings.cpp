#include "operator/resources/outgoing_settings.hpp"

#include <gtest/gtest.h>

#include "relay/config/object_tables.hpp"

namespace op::resources {
namespace {

using Kind = api::KeyReference::Kind;

api::Spec with_smarthost() {
  api::Spec spec;
  spec.smarthosts = {{"primary", "smtp.test"}};
  return spec;
}

/// What the relay makes of a list.
template <class Object>
std::vector<Object> read(const OrderedJson& list) {
  auto objects = relay::config::read_objects(relay::config::fields_of<Object>(), list.dump());
  EXPECT_TRUE(objects) << objects.error().context;
  if (!objects) return {};
  for (const auto& object : *objects) EXPECT_EQ(relay::config::wrong_with(object), "");
  return *objects;
}

TEST(OutgoingSettings, AreNotWrittenWhereThereIsNothing) {
  const api::Spec spec;
  for (const auto list : {smarthosts, dkim, destinations, providers, sources})
    EXPECT_TRUE(list(spec).is_null());
}

TEST(OutgoingSettings, HaveTheRelaysOwnDefaults) {
  using relay::config::Smarthost;
  const auto ours = read<Smarthost>(smarthosts(with_smarthost()));
  const auto theirs = read<Smarthost>(OrderedJson::parse(R"([{"name": "primary", "host": "smtp.test"}])"));
  ASSERT_EQ(ours.size(), 1U);
  EXPECT_EQ(
    relay::config::write_objects(relay::config::fields_of<Smarthost>(), ours),
    relay::config::write_objects(relay::config::fields_of<Smarthost>(), theirs)
  );
}

TEST(OutgoingSettings, NameEachMechanismAsTheRelayDoes) {
  auto spec = with_smarthost();
  const std::map<std::string, std::string> words{
    {"Any", "any"}, {"Plain", "plain"}, {"Login", "login"}, {"ScramSha256", "scram-sha-256"}
  };
  for (const auto& [mechanism, word] : words) {
    spec.smarthosts[0].auth = api::Auth{mechanism, "credentials"};
    const auto list = smarthosts(spec);
    EXPECT_EQ(list[0]["auth"], word);
    EXPECT_EQ(list[0]["username_file"], "/etc/smtp-relay/refs/secret-credentials/username");
    EXPECT_EQ(list[0]["password_file"], "/etc/smtp-relay/refs/secret-credentials/password");
    EXPECT_EQ(read<relay::config::Smarthost>(list).size(), 1U);
  }
}

TEST(OutgoingSettings, GiveXOAuth2AnEndpointInsteadOfAPassword) {
  auto spec = with_smarthost();
  spec.smarthosts[0].auth = api::Auth{"XOAuth2", "office"};
  spec.smarthosts[0].auth->token = api::Token{"https://login.test/token", "mail", "id", "", "refresh"};
  const auto list = smarthosts(spec);
  EXPECT_EQ(list[0]["auth"], "xoauth2");
  EXPECT_EQ(list[0]["refresh_token_file"], "/etc/smtp-relay/refs/secret-office/refresh");
  EXPECT_FALSE(list[0].contains("password_file"));
  EXPECT_FALSE(list[0].contains("client_secret_file"));
  EXPECT_EQ(read<relay::config::Smarthost>(list).size(), 1U);
}

TEST(OutgoingSettings, NameAnAuthorityOnlyWhereThereIsOne) {
  auto spec = with_smarthost();
  EXPECT_FALSE(smarthosts(spec)[0].contains("ca"));
  spec.smarthosts[0].tls.ca = api::KeyReference{Kind::config_map, "ca", "ca.crt"};
  EXPECT_EQ(smarthosts(spec)[0]["ca"], "/etc/smtp-relay/refs/configmap-ca/ca.crt");
}

TEST(OutgoingSettings, LeaveWhatADestinationDoesNotSayToTheRelay) {
  api::Spec spec;
  spec.delivery.destinations.emplace_back().domains = {"a.test"};
  EXPECT_EQ(destinations(spec), OrderedJson::parse(R"([{"domains": ["a.test"]}])"));
}

TEST(OutgoingSettings, WarmASourceUp) {
  api::Spec spec;
  spec.delivery.sources.push_back({"a", "default", "192.0.2.1", 1, "", "2026-11-25", {50, 100}});
  const auto read_sources = read<relay::config::Source>(sources(spec));
  ASSERT_EQ(read_sources.size(), 1U);
  EXPECT_EQ(read_sources[0].messages_a_day, (std::vector<std::uint64_t>{50, 100}));
  EXPECT_EQ(read_sources[0].warm_up_from, "2026-11-25");
}

TEST(OutgoingSettings, SignWithTheKeyThatIsMounted) {
  api::Spec spec;
  spec.dkim = {{"a.test", "s1", {Kind::secret, "dkim", "private.key"}}};
  const auto keys = read<relay::config::DkimKey>(dkim(spec));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].key, "/etc/smtp-relay/refs/secret-dkim/private.key");
}

}  // namespace
}  // namespace op::resources
