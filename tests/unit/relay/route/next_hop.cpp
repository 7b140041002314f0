#include "relay/route/next_hop.hpp"

#include <gtest/gtest.h>

namespace relay::route {
namespace {

TEST(Smarthost, CarriesTheCredentialsOfItsHost) {
  const auto passwords = PasswdClient::parse("smtp.example.net:user:pass");
  const SmarthostSettings settings{{"smtp.example.net", 587}, smtp::TlsMode::none, "node1", {}};
  const auto hop = smarthost(settings, passwords);
  EXPECT_EQ(hop.policy.credentials->user, "user");
  EXPECT_TRUE(hop.policy.needs_verified_tls()) << "credentials imply verified TLS";
  EXPECT_FALSE(
    smarthost({{"other.example.net", 25}, smtp::TlsMode::none, "node1", {}}, passwords).policy.credentials
  );
}

TEST(Destination, OfUnroutedMailIsANameThatOldSpoolsHold) {
  EXPECT_EQ(kUnroutedDestination, "smarthost/default");
}

}  // namespace
}  // namespace relay::route
