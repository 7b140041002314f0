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

TEST(World, OfAResourceThatNamesNothingIsEmpty) {
  api::SmtpRelay relay;
  relay.spec.smarthosts = {{"primary", "smtp.test"}};
  EXPECT_TRUE(references_of(relay).empty());
}

}  // namespace
}  // namespace op::smtp_relay
