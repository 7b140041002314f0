#include "relay/route/route_table.hpp"

#include <gtest/gtest.h>

namespace relay::route {
namespace {

using Indices = std::vector<std::size_t>;

mail::Address address(const std::string& text) {
  return text.empty() ? mail::Address() : mail::Address::parse(text).value();
}
std::string routed(const RouteTable& table, const std::string& recipient, const std::string& sender = "") {
  return table.route(address(sender), address(recipient)).name;
}
SmarthostRule rule(
  const std::string& name, std::vector<std::string> recipients, std::vector<std::string> senders = {}
) {
  return {name, 10, 1, std::move(recipients), std::move(senders)};
}

TEST(RouteTable, WithoutSmarthostsGoesByMx) {
  const RouteTable table({});
  EXPECT_EQ(routed(table, "a@Example.ORG"), "mx/example.org") << "one queue, however it is written";
  EXPECT_EQ(routed(table, "a@example.net"), "mx/example.net");
}

TEST(RouteTable, GivesAllToOneSmarthost) {
  const RouteTable table({rule("default", {})});
  EXPECT_EQ(routed(table, "a@example.org"), "smarthost/default");
  EXPECT_EQ(routed(table, "postmaster"), "smarthost/default") << "the one recipient without a domain";
}

TEST(RouteTable, GoesByTheSmarthostThatARuleNamed) {
  const RouteTable table({rule("all", {}), rule("spare", {}), rule("ours", {"ours.test"})});
  mail::Envelope envelope;
  envelope.recipients = {
    address("a@ours.test"), address("b@ours.test"), address("c@ours.test"), address("d@e.test")
  };
  envelope.smarthosts = {"", "all", "spare", "gone"};
  EXPECT_EQ(table.route(envelope, 0).name, "smarthost/ours") << "no rule named one";
  EXPECT_EQ(table.route(envelope, 1).name, "smarthost/all");
  EXPECT_EQ(table.route(envelope, 2).name, "smarthost/all") << "they stand in for each other";
  EXPECT_EQ(table.route(envelope, 3).name, "smarthost/all") << "as if no rule had named one";
  using Split = std::map<Destination, std::vector<std::uint32_t>>;
  EXPECT_EQ(table.split(envelope), (Split{{{"smarthost/all"}, {1, 2, 3}}, {{"smarthost/ours"}, {0}}}));
}

TEST(RouteTable, GoesByTheMostExactRecipient) {
  const RouteTable table(
    {rule("all", {"*"}), rule("below", {"*.example.org"}), rule("exact", {"a.example.org", "b.test"})}
  );
  EXPECT_EQ(routed(table, "x@a.example.org"), "smarthost/exact");
  EXPECT_EQ(routed(table, "x@c.example.org"), "smarthost/below");
  EXPECT_EQ(routed(table, "x@example.org"), "smarthost/all");
}

TEST(RouteTable, GoesBySenderWhereRecipientsMatchAlike) {
  const RouteTable table(
    {rule("all", {}), rule("ours", {}, {"ours.test"}), rule("theirs", {"theirs.test"}),
     rule("both", {"theirs.test"}, {"*.ours.test"})}
  );
  EXPECT_EQ(routed(table, "x@example.org", "y@ours.test"), "smarthost/ours");
  EXPECT_EQ(routed(table, "x@example.org", "y@example.net"), "smarthost/all");
  EXPECT_EQ(routed(table, "x@example.org"), "smarthost/all") << "the null sender is nobody's";
  EXPECT_EQ(routed(table, "x@theirs.test", "y@ours.test"), "smarthost/theirs") << "the recipient counts more";
  EXPECT_EQ(routed(table, "x@theirs.test", "y@a.ours.test"), "smarthost/both");
}

TEST(RouteTable, FindsADomainThatIsNamedWhateverPatternsStandBesideIt) {
  const RouteTable table(
    {rule("a-mixed", {"*.example.org", "named.test"}), rule("b-named", {"a.example.org"}),
     rule("c-ours", {"a.example.org"}, {"ours.test"}), rule("d-only-ours", {"d.example.org"}, {"ours.test"})}
  );
  EXPECT_EQ(routed(table, "x@A.Example.ORG"), "smarthost/b-named");
  EXPECT_EQ(routed(table, "x@a.example.org", "y@ours.test"), "smarthost/c-ours");
  EXPECT_EQ(routed(table, "x@named.test"), "smarthost/a-mixed");
  EXPECT_EQ(routed(table, "x@b.example.org"), "smarthost/a-mixed");
  EXPECT_EQ(routed(table, "x@d.example.org"), "smarthost/a-mixed") << "whose name is for others' mail alone";
}

TEST(RouteTable, GoesByMxForWhatNoneMatches) {
  const RouteTable table({rule("one", {"example.org"}), rule("two", {"example.net"}, {"ours.test"})});
  EXPECT_EQ(routed(table, "x@other.test"), "mx/other.test");
  EXPECT_EQ(routed(table, "x@example.net", "y@theirs.test"), "mx/example.net") << "both must match";
}

TEST(RouteTable, MakesOneDestinationOfSmarthostsWithTheSameDomains) {
  const RouteTable table(
    {{"zulu", 10, 1, {"A.test", "b.test"}, {}},
     {"backup", 20, 1, {"b.test", "a.test"}, {}},
     {"alpha", 10, 1, {"a.test", "b.test"}, {}},
     {"alone", 1, 1, {"a.test"}, {}}}
  );
  EXPECT_EQ(routed(table, "x@b.test"), "smarthost/alpha") << "the first by priority and name";
  EXPECT_EQ(table.members({"smarthost/alpha"}), (Indices{2, 0, 1})) << "by priority, then by name";
  EXPECT_EQ(table.members({"smarthost/alone"}), (Indices{3}));
  EXPECT_TRUE(table.members({"smarthost/zulu"}).empty()) << "it is in alpha's group";
  EXPECT_TRUE(table.members({"mx/a.test"}).empty());
}

TEST(RouteTable, SplitsAnEnvelopeByDestination) {
  const RouteTable table({rule("one", {"example.org"})});
  mail::Envelope envelope;
  for (const auto* recipient : {"a@example.org", "b@other.test", "c@Example.org", "d@OTHER.test"})
    envelope.recipients.push_back(address(recipient));
  const std::map<Destination, std::vector<std::uint32_t>> all{
    {{"mx/other.test"}, {1, 3}}, {{"smarthost/one"}, {0, 2}}
  };
  EXPECT_EQ(table.split(envelope), all);
  const std::map<Destination, std::vector<std::uint32_t>> some{{{"mx/other.test"}, {3}}};
  EXPECT_EQ(table.split(envelope, {3}), some);
  EXPECT_TRUE(table.split(envelope, {}).empty());
}

TEST(RouteOrder, IsByPriorityWhateverChanceSays) {
  const RouteTable table({{"third", 30, 1, {}, {}}, {"first", 0, 1, {}, {}}, {"second", 10, 1000, {}, {}}});
  for (const double chance : {0.0, 0.5, 0.999999})
    EXPECT_EQ(table.order({"smarthost/first"}, [=] { return chance; }), (Indices{1, 2, 0})) << chance;
}

TEST(RouteOrder, IsByWeightAmongEquals) {
  const RouteTable table({{"a", 10, 1, {}, {}}, {"b", 10, 3, {}, {}}, {"backup", 20, 1000, {}, {}}});
  const auto first = [&](double chance) {
    return table.order({"smarthost/a"}, [=] { return chance; }).front();
  };
  EXPECT_EQ(first(0), 0U);
  EXPECT_EQ(first(0.2499), 0U) << "a quarter";
  EXPECT_EQ(first(0.25), 1U);
  EXPECT_EQ(first(0.999999), 1U);
  EXPECT_EQ(table.order({"smarthost/a"}, [] { return 0.9; }), (Indices{1, 0, 2})) << "each once";
}

TEST(RouteOrder, OfAnotherDestinationIsEmpty) {
  const RouteTable table({rule("a", {})});
  EXPECT_TRUE(table.order({"mx/example.org"}, [] { return 0.0; }).empty());
}

TEST(DestinationName, SaysWhatItIs) {
  EXPECT_EQ(mx_destination("Example.ORG").name, "mx/example.org");
  EXPECT_EQ(mx_domain({"mx/example.org"}), "example.org");
  EXPECT_EQ(mx_domain({"smarthost/mx"}), "");
  EXPECT_EQ(smarthost_name({"smarthost/default"}), "default");
  EXPECT_EQ(smarthost_name({"mx/smarthost"}), "");
}

}  // namespace
}  // namespace relay::route
