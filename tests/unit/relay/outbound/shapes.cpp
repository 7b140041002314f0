#include "relay/outbound/shapes.hpp"

#include "tests/unit/relay/outbound/fixture.hpp"

namespace relay::outbound {
namespace {

class ShapesTest : public ::testing::Test {
 protected:
  ShapesTest() {
    plan.routes = std::make_shared<route::RouteTable>(std::vector<route::SmarthostRule>{});
    plan.retry = {1min, 1h, 120h};
    plan.mx_retry_initial = 30min;
    plan.warn_after = 4h;
    plan.mx.max_connections = 17;
  }
  queue::Shape shape(const std::string& destination, const std::string& provider = "") {
    plans.set(plan);
    return Shapes(plans).shape({destination}, provider);
  }

  Plan plan;
  Plans plans;
};

TEST_F(ShapesTest, OfADomainAreAsForAll) {
  const auto made = shape("mx/example.org");
  EXPECT_EQ(made.max_connections, 17U);
  EXPECT_FALSE(made.message_rate);
  EXPECT_FALSE(made.connection_rate);
  EXPECT_EQ(made.retry.initial, milliseconds{30min});
  EXPECT_EQ(made.retry.max, milliseconds{1h});
  EXPECT_EQ(made.retry.max_age, milliseconds{120h});
  EXPECT_EQ(made.warn_after, milliseconds{4h});
}

TEST_F(ShapesTest, OfADomainAreWhatItsRuleSays) {
  DomainRule rule;
  rule.domains = {"example.org"};
  rule.max_connections = 3;
  rule.message_rate = queue::Rate{100, 1min};
  rule.connection_rate = queue::Rate{1, 10s};
  rule.retry_initial = 5min;
  rule.retry_max = 2h;
  rule.max_age = 24h;
  rule.warn_after = 0ms;
  plan.rules = {rule};
  const auto made = shape("mx/example.org");
  EXPECT_EQ(made.max_connections, 3U);
  EXPECT_EQ(made.message_rate, (queue::Rate{100, 1min}));
  EXPECT_EQ(made.connection_rate, (queue::Rate{1, 10s}));
  EXPECT_EQ(made.retry.initial, milliseconds{5min});
  EXPECT_EQ(made.retry.max, milliseconds{2h});
  EXPECT_EQ(made.retry.max_age, milliseconds{24h});
  EXPECT_EQ(made.warn_after, milliseconds{0});
  EXPECT_EQ(shape("mx/example.net").max_connections, 17U);
}

TEST_F(ShapesTest, OfADomainBeyondAsciiAreThoseOfItsALabel) {
  plan.rules.resize(1);
  plan.rules[0].domains = {"xn--bcher-kva.example"};
  plan.rules[0].max_connections = 1;
  EXPECT_EQ(
    shape("mx/b\xc3\xbc"
          "cher.example")
      .max_connections,
    1U
  );
}

TEST_F(ShapesTest, AreThoseOfTheFirstRuleThatMatches) {
  plan.rules.resize(3);
  plan.rules[0].domains = {"*.example.org"};
  plan.rules[0].max_connections = 1;
  plan.rules[1].providers = {"big", "bigger"};
  plan.rules[1].max_connections = 2;
  plan.rules[2].domains = {"*"};
  plan.rules[2].max_connections = 3;
  EXPECT_EQ(shape("mx/a.example.org", "big").max_connections, 1U);
  EXPECT_EQ(shape("mx/example.org", "bigger").max_connections, 2U);
  EXPECT_EQ(shape("mx/example.org").max_connections, 3U) << "nobody knows its provider yet";
  EXPECT_EQ(shape("mx/example.org", "small").max_connections, 3U);
}

TEST_F(ShapesTest, AreNotThoseOfARuleForProvidersAlone) {
  plan.rules.resize(1);
  plan.rules[0].providers = {"big"};
  plan.rules[0].max_connections = 2;
  EXPECT_EQ(shape("mx/example.org").max_connections, 17U) << "no domains are not all domains here";
}

TEST_F(ShapesTest, OfASmarthostAreItsOwn) {
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}});
  plan.smarthosts[0].max_connections = 5;
  plan.smarthosts[0].message_rate = queue::Rate{7, 1s};
  plan.rules.resize(1);
  plan.rules[0].domains = {"*"};
  plan.rules[0].max_connections = 1;
  const auto made = shape("smarthost/one");
  EXPECT_EQ(made.max_connections, 5U) << "rules are for domains";
  EXPECT_EQ(made.message_rate, (queue::Rate{7, 1s}));
  EXPECT_EQ(made.retry.initial, milliseconds{1min});
  EXPECT_EQ(made.warn_after, milliseconds{4h});
}

TEST_F(ShapesTest, OfAGroupHaveRoomForAllOfItsHosts) {
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}, {"two", 10, 1, {}, {}}, {"other", 10, 1, {"a.test"}, {}}});
  for (std::size_t i = 0; i < 3; ++i) plan.smarthosts[i].max_connections = i + 2;
  EXPECT_EQ(shape("smarthost/one").max_connections, 5U);
  EXPECT_EQ(shape("smarthost/other").max_connections, 4U);
}

TEST_F(ShapesTest, OfASmarthostThatIsGoneLetItsMailFindOut) {
  const auto made = shape("smarthost/gone");
  EXPECT_GE(made.max_connections, 1U);
  EXPECT_EQ(made.retry.max_age, milliseconds{120h});
}

TEST_F(ShapesTest, OfAProviderAreThoseOfItsRule) {
  plan.providers = {{{"big", {"*.big.test"}}, {50, queue::Rate{10, 1s}}}};
  plans.set(plan);
  const Shapes shapes(plans);
  ASSERT_TRUE(shapes.provider_shape("big"));
  EXPECT_EQ(shapes.provider_shape("big")->max_connections, 50U);
  EXPECT_EQ(shapes.provider_shape("big")->message_rate, (queue::Rate{10, 1s}));
  EXPECT_FALSE(shapes.provider_shape("example.org")) << "a site without a rule has no limit";
}

TEST_F(ShapesTest, FollowThePlan) {
  plans.set(plan);
  const Shapes shapes(plans);
  EXPECT_EQ(shapes.shape({"mx/example.org"}, "").max_connections, 17U);
  plan.mx.max_connections = 4;
  plans.set(plan);
  EXPECT_EQ(shapes.shape({"mx/example.org"}, "").max_connections, 4U);
}

}  // namespace
}  // namespace relay::outbound
