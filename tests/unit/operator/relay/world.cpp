#include "operator/relay/world.hpp"

#include <gtest/gtest.h>

#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

TEST(World, KnowsWhatAResourceNames) {
  const auto world = example();
  std::set<std::string> names;
  for (const auto& reference : references_of(world.relay)) names.insert(reference.to_text());
  EXPECT_EQ(
    names,
    (std::set<std::string>{"Secret mail/credentials", "ConfigMap mail/authorities", "ConfigMap mail/extra"})
  );
  EXPECT_EQ(keys_of(world.relay).size(), 2U);
}

TEST(World, KnowsAllThatOutgoingMailNames) {
  auto world = example();
  auto& spec = world.relay.spec;
  spec.passwd_client.reset();
  spec.env_from.clear();
  spec.smarthosts[0].auth = api::Auth{"Plain", "user"};
  spec.smarthosts[0].tls.client_certificate = "client";
  spec.delivery.trust_anchors = "anchors";
  spec.dkim.emplace_back().key.name = "dkim";
  spec.redaction_key = api::KeyReference{api::KeyReference::Kind::secret, "log", "key"};
  std::set<std::string> names;
  for (const auto& reference : references_of(world.relay)) names.insert(reference.to_text());
  EXPECT_EQ(
    names, (std::set<std::string>{
             "Secret mail/user", "Secret mail/client", "Secret mail/dkim", "Secret mail/log",
             "ConfigMap mail/authorities", "ConfigMap mail/anchors"
           })
  );
}

TEST(World, KnowsTheCertificateForClients) {
  api::SmtpRelay relay;
  relay.name_space = "mail";
  relay.spec.tls_certificate = "smtp-tls";
  const Reference secret{api::KeyReference::Kind::secret, {"mail", "smtp-tls"}};
  EXPECT_EQ(references_of(relay), std::set<Reference>{secret});
}

TEST(World, OfAResourceThatNamesNothingIsEmpty) {
  api::SmtpRelay relay;
  relay.spec.smarthosts = {{"primary", "smtp.test"}};
  EXPECT_TRUE(references_of(relay).empty());
}

}  // namespace
}  // namespace op::smtp_relay
