#include "relay/outbound/ways.hpp"

#include "tests/support/https_server.hpp"
#include "tests/unit/relay/outbound/ways_fixture.hpp"

namespace relay::outbound {
namespace {

constexpr int kServfail = 2;

// ---- domains ----

TEST_F(WaysTest, OfADomainAreItsMailServersInTheirOrderCase128) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(20, "c.example.org"));
  server.add("example.org", net::kTypeMx, test::mx_rdata(5, "a.example.org"));
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "b.example.org"));
  plan.mx.messages_per_connection = 9;
  plan.generation = 4;
  const auto found = find("mx/example.org");
  ASSERT_EQ(text(found), "a.example.org b.example.org c.example.org");
  const auto& route = **found;
  EXPECT_EQ(route.domain, "example.org");
  EXPECT_EQ(route.generation, 4U);
  EXPECT_EQ(route.idle_time, milliseconds{5s});
  EXPECT_FALSE(route.is_secure);
  const auto& host = route.hosts.front();
  EXPECT_TRUE(host.is_mx);
  EXPECT_EQ(host.next_hop.endpoint.port, 25);
  EXPECT_EQ(host.next_hop.policy.helo_name, "relay.test");
  EXPECT_FALSE(host.next_hop.policy.credentials) << "a stranger is shown none";
  EXPECT_EQ(host.messages_per_connection, 9U);
}

TEST_F(WaysTest, OfEqualMailServersAreShuffledCase128) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "a.example.org"));
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "b.example.org"));
  std::set<std::string> orders;
  for (int i = 0; i < 60; ++i) orders.insert(text(find("mx/example.org")));
  EXPECT_EQ(orders, (std::set<std::string>{"a.example.org b.example.org", "b.example.org a.example.org"}));
}

TEST_F(WaysTest, AreFiveMailServersAtMost) {
  for (int i = 1; i < 9; ++i)
    server.add(
      "example.org", net::kTypeMx,
      test::mx_rdata(static_cast<std::size_t>(i), "m" + std::to_string(i) + ".test")
    );
  EXPECT_EQ(text(find("mx/example.org")), "m1.test m2.test m3.test m4.test m5.test");
}

TEST_F(WaysTest, OfADomainThatDoesNotExistAreNoneForGoodCase126) {
  const auto found = find("mx/gone.test");
  EXPECT_EQ(text(found), "550 5.1.2");
  EXPECT_EQ(found.error().error.fate, Fate::permanent);
}

TEST_F(WaysTest, WaitForADnsThatFailsCase126) {
  server.fail("example.org", kServfail);
  EXPECT_EQ(text(find("mx/example.org")), "waits");
}

TEST_F(WaysTest, OfADomainWithoutMxLeadToTheDomainItselfCase126) {
  add_a("example.org", "192.0.2.5");
  const auto found = find("mx/example.org");
  ASSERT_EQ(text(found), "example.org");
  EXPECT_EQ(text(resolve(*found)), "192.0.2.5");
}

TEST_F(WaysTest, OfADomainThatTakesNoMailAreNoneForGoodCase126) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(0, "."));
  EXPECT_EQ(text(find("mx/example.org")), "556 5.1.10");
}

TEST_F(WaysTest, FollowTheAliasOfADomainCase126) {
  server.add("example.org", net::kTypeCname, test::wire_name("real.test"));
  server.add("real.test", net::kTypeMx, test::mx_rdata(10, "mx.real.test"));
  const auto found = find("mx/example.org");
  ASSERT_EQ(text(found), "mx.real.test");
  EXPECT_EQ((*found)->domain, "example.org") << "policies and rules are the recipient's domain's";
}

TEST_F(WaysTest, OfWhatIsNoDomainAreNoneForGoodCase126) {
  for (const auto* domain : {"mx/", "mx/[192.0.2.1]", "mx/192.0.2.1", "mx/a b.test"})
    EXPECT_EQ(text(find(domain)), "550 5.1.2") << domain;
}

TEST_F(WaysTest, OfADomainBeyondAsciiGoByItsALabel) {
  add_domain("xn--bcher-kva.example");
  const auto found = find(
    "mx/B\xc3\xbc"
    "cher.example"
  );
  ASSERT_EQ(text(found), "mx.xn--bcher-kva.example");
  EXPECT_EQ((*found)->domain, "xn--bcher-kva.example");
  EXPECT_EQ(text(find("mx/\xe2\x80\xae.example")), "550 5.1.2") << "RFC 5892: no such label";
}

TEST_F(WaysTest, NeverLeadToUsCase127) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "Relay.test"));
  server.add("example.org", net::kTypeMx, test::mx_rdata(20, "backup.test"));
  EXPECT_EQ(text(find("mx/example.org")), "550 5.4.6");
  EXPECT_EQ(text(find("mx/relay.test")), "550 5.1.2");
}

TEST_F(WaysTest, NeverLeadInsideCase127) {
  int number = 0;
  for (const auto* address : {"127.0.0.1", "169.254.169.254", "10.1.2.3", "192.168.1.1", "203.0.113.9"}) {
    const auto domain = "d" + std::to_string(++number) + ".test";
    add_domain(domain, address);
    plan.mx.own = {*Cidr::parse("203.0.113.9")};
    const auto resolved = resolve_first("mx/" + domain);
    EXPECT_EQ(text(resolved), "550 5.4.4") << address;
  }
}

TEST_F(WaysTest, LeadInsideWhereTheSettingsAllowItCase127) {
  add_domain("example.org", "10.1.2.3");
  plan.mx.allowed = {*Cidr::parse("10.1.0.0/16")};
  EXPECT_EQ(text(resolve_first("mx/example.org")), "10.1.2.3");
}

TEST_F(WaysTest, LeaveOutTheAddressesInsideCase127) {
  add_domain("example.org", "127.0.0.1");
  add_a("mx.example.org", "192.0.2.7");
  EXPECT_EQ(text(resolve_first("mx/example.org")), "192.0.2.7");
}

TEST_F(WaysTest, OfAHostWithoutAnAddressAreNoneForGood) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "mx.gone.test"));
  EXPECT_EQ(text(resolve_first("mx/example.org")), "550 5.4.4");
}

TEST_F(WaysTest, WaitForAHostWhoseAddressesAreNotToBeHad) {
  server.add("example.org", net::kTypeMx, test::mx_rdata(10, "mx.example.org"));
  server.fail("mx.example.org", kServfail);
  EXPECT_EQ(text(resolve_first("mx/example.org")), "waits");
}

TEST_F(WaysTest, TellWhoseMailServersADomainHas) {
  add_domain("example.org");
  server.add("customer.test", net::kTypeMx, test::mx_rdata(10, "customer.big.test"));
  plan.providers = {{{"big", {"*.big.test"}}, {}}};
  auto& from = made();
  EXPECT_EQ(loop.run(from.provider({"mx/customer.test"})).provider, "big");
  EXPECT_EQ(loop.run(from.provider({"mx/example.org"})).provider, "example.org");
  const auto none = loop.run(from.provider({"mx/gone.test"}));
  EXPECT_EQ(none.provider, "");
  EXPECT_LT(none.valid_for, loop.run(from.provider({"mx/example.org"})).valid_for) << "asked again sooner";
  EXPECT_EQ((*find("mx/customer.test"))->provider, "big");
}

// ---- smarthosts ----

TEST_F(WaysTest, OfASmarthostAreItsGroup) {
  set_smarthosts(
    plan, {{"backup", 20, 1, {}, {}}, {"first", 10, 1, {}, {}}, {"other", 1, 1, {"a.test"}, {}}}
  );
  plan.smarthosts[0].generation = 2;
  const auto found = find("smarthost/first");
  ASSERT_EQ(text(found), "first.example.org backup.example.org");
  EXPECT_FALSE((*found)->hosts.front().is_mx);
  EXPECT_EQ((*found)->domain, "");
  EXPECT_EQ((*found)->generation, made().generation({"smarthost/first"}));
  const auto before = made().generation({"smarthost/first"});
  ++plan.smarthosts[0].generation;
  EXPECT_GT(made().generation({"smarthost/first"}), before);
  ++plan.smarthosts[2].generation;
  EXPECT_EQ(made().generation({"smarthost/first"}), before + 1) << "another group's host is nothing to it";
}

TEST_F(WaysTest, WaitForASmarthostThatIsGone) {
  EXPECT_EQ(text(find("smarthost/gone")), "waits");
  EXPECT_EQ(text(find("nonsense")), "waits");
}

TEST_F(WaysTest, OfASmarthostAskForItsCertificateByItsName) {
  hosts_file = "127.0.0.1 one.example.org\n192.0.2.9 two.example.org\n";
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}, {"two", 20, 1, {}, {}}});
  plan.smarthosts[0].host.server_name = "certificate.test";
  plan.smarthosts[0].host.next_hop.policy.credentials = sasl::Credentials{"user", "pass"};
  const auto route = find("smarthost/one").value();
  const auto one = resolve(route, 0);
  ASSERT_EQ(text(one), "127.0.0.1") << "an administrator may name what is inside";
  EXPECT_EQ(one->demand.server_name, "certificate.test");
  EXPECT_EQ(one->demand.verify, net::Verify::certificate);
  EXPECT_EQ(one->policy.credentials->password, "pass");
  EXPECT_EQ(resolve(route, 1)->demand.server_name, "two.example.org");
}

TEST_F(WaysTest, WaitForTheNameOfASmarthost) {
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}});
  EXPECT_EQ(text(resolve_first("smarthost/one")), "waits") << "configuration gets mended";
}

/// A smarthost whose password is a token.
class TokenWaysTest : public WaysTest {
 protected:
  TokenWaysTest() {
    hosts_file = "192.0.2.9 one.example.org\n";
    set_smarthosts(plan, {{"one", 10, 1, {}, {}}});
    plan.smarthosts[0].host.next_hop.policy.credentials = sasl::Credentials{"user", "", sasl::Name::xoauth2};
    auto tls = net::TlsClient::make({.ca_file = endpoint.ca_file(), .certificate_file = {}, .key_file = {}});
    EXPECT_TRUE(tls);
    plan.smarthosts[0].token = std::make_shared<oauth::TokenSource>(
      oauth::TokenSource::Services{loop.thread.context(), token_resolver, clock, jitter, log}, *tls,
      oauth::Account{
        "one", "https://127.0.0.1:" + std::to_string(endpoint.port()) + "/", "id", "secret", "", ""
      }
    );
  }
  std::string password() {
    const auto target = resolve_first("smarthost/one");
    return target ? target->policy.credentials->password : text(target.error());
  }

  struct Middle : Jitter {
    double fraction() override { return 0.5; }
  } jitter;
  std::atomic<int> served{0};
  std::atomic<bool> is_down{false};
  test::HttpsServer endpoint{[this](const std::string&) {
    if (is_down) return test::HttpsServer::answer("500 Down", "{}");
    return test::HttpsServer::answer(
      "200 OK", R"({"access_token":"token)" + std::to_string(++served) + R"(","expires_in":3600})"
    );
  }};
  net::Resolver token_resolver{loop.thread.context(), {}};
};

TEST_F(TokenWaysTest, FillInTheToken) {
  EXPECT_EQ(password(), "token1");
  EXPECT_EQ(password(), "token1");
  EXPECT_EQ(find("smarthost/one").value()->hosts[0].next_hop.policy.credentials->password, "")
    << "it belongs to a connection, not to the route";
}

TEST_F(TokenWaysTest, AskForAnotherTokenWhenOneIsRefused) {
  const auto route = find("smarthost/one").value();
  const auto target = resolve(route).value();
  clock.pass(2min);
  made().credentials_refused(*route, 0, target);
  ASSERT_TRUE(test::eventually([this] { return password() == "token2"; }));
  made().credentials_refused(*route, 0, target);
  EXPECT_EQ(password(), "token2") << "token1 is not what is in force";
}

TEST_F(TokenWaysTest, WaitForAToken) {
  is_down = true;
  EXPECT_EQ(password(), "waits");
}

TEST_F(WaysTest, TakeRefusedCredentialsWithoutATokenAsTheyAre) {
  hosts_file = "192.0.2.9 one.example.org\n";
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}});
  plan.smarthosts[0].host.next_hop.policy.credentials = sasl::Credentials{"user", "pass"};
  const auto route = find("smarthost/one").value();
  const auto target = resolve(route).value();
  made().credentials_refused(*route, 0, target);
  EXPECT_EQ(resolve(route)->policy.credentials->password, "pass");
}

TEST_F(WaysTest, TellWhichSmarthostRefusesItsCredentials) {
  hosts_file = "192.0.2.9 one.example.org\n192.0.2.10 two.example.org\n192.0.2.11 far.example.org\n";
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}, {"two", 20, 1, {}, {}}, {"far", 10, 1, {"far.test"}, {}}});
  const auto route = find("smarthost/one").value();
  ASSERT_EQ(route->hosts.size(), 2U);
  made().credentials_refused(*route, 0, {});
  made().credentials_refused(*route, 1, {});
  made().credentials_accepted(*route, 1);
  const std::vector<route::Destination> waited_for{{"smarthost/one"}};
  EXPECT_EQ(made().refusing_smarthosts(waited_for), std::vector<std::string>{"one"});
  made().credentials_accepted(*find("smarthost/far").value(), 0);
  EXPECT_EQ(made().refusing_smarthosts(waited_for), std::vector<std::string>{"one"}) << "another's success";
  clock.pass(RefusedCredentials::kUnused);
  EXPECT_EQ(made().refusing_smarthosts(waited_for), std::vector<std::string>{"one"}) << "its mail waits";
  plan.smarthosts[0].generation = plan.smarthosts[0].host.generation = 1;
  EXPECT_TRUE(made().refusing_smarthosts(waited_for).empty()) << "it has others now";
}

TEST_F(WaysTest, TellOfNoSmarthostThatRefusedItsCredentialsAndIsNoLongerNeeded) {
  hosts_file = "192.0.2.9 one.example.org\n";
  set_smarthosts(plan, {{"one", 10, 1, {}, {}}});
  const auto route = find("smarthost/one").value();
  made().credentials_refused(*route, 0, {});
  EXPECT_EQ(made().refusing_smarthosts({}), std::vector<std::string>{"one"});
  clock.pass(RefusedCredentials::kUnused);
  EXPECT_TRUE(made().refusing_smarthosts({}).empty());
}

TEST_F(WaysTest, TakeAMailServerThatAsksForCredentialsForNoSmarthost) {
  add_domain("example.org");
  const auto route = find("mx/example.org").value();
  made().credentials_refused(*route, 0, {});
  EXPECT_TRUE(made().refusing_smarthosts({{"mx/example.org"}}).empty());
}

// ---- sources ----

TEST_F(WaysTest, ComeFromWhereTheSystemChooses) {
  add_domain("example.org");
  const auto target = resolve_first("mx/example.org").value();
  EXPECT_FALSE(target.source);
  EXPECT_TRUE(made().may_send(target));
}

TEST_F(WaysTest, ComeFromThePoolOfTheirRule) {
  add_domain("example.org");
  add_domain("bulk.test");
  server.add("customer.test", net::kTypeMx, test::mx_rdata(10, "customer.big.test"));
  add_a("customer.big.test", "192.0.2.3");
  plan.providers = {{{"big", {"*.big.test"}}, {}}};
  plan.sources = {source("a", "default", "192.0.2.101"), source("b", "second", "192.0.2.102")};
  plan.sources[1].helo_name = "b.relay.test";
  plan.rules.resize(2);
  plan.rules[0].domains = {"bulk.test"};
  plan.rules[0].source_pool = "second";
  plan.rules[1].providers = {"big"};
  plan.rules[1].source_pool = "second";
  const auto all = resolve_first("mx/example.org").value();
  EXPECT_EQ(all.source, ip("192.0.2.101"));
  EXPECT_EQ(all.policy.helo_name, "relay.test");
  const auto bulk = resolve_first("mx/bulk.test").value();
  EXPECT_EQ(bulk.source, ip("192.0.2.102"));
  EXPECT_EQ(bulk.source_name, "b");
  EXPECT_EQ(bulk.policy.helo_name, "b.relay.test");
  EXPECT_EQ(resolve_first("mx/customer.test")->source_name, "b") << "by the provider";
}

TEST_F(WaysTest, ComeFromWhereTheSystemChoosesWhereNoPoolIsForThem) {
  add_domain("example.org");
  plan.sources = {source("b", "second", "192.0.2.102")};
  const auto target = resolve_first("mx/example.org");
  ASSERT_TRUE(target) << target.error().error.message();
  EXPECT_FALSE(target->source);
}

TEST_F(WaysTest, WarmASourceUpOverSeveralDays) {
  add_domain("example.org");
  plan.sources = {source("a", "default", "192.0.2.101")};
  plan.sources[0].messages_a_day = {1, 2};
  plan.sources[0].warm_up_from = kDay;
  const auto route = find("mx/example.org").value();
  for (int allowed : {1, 2}) {
    const auto target = resolve(route).value();
    for (int i = 0; i < allowed; ++i) EXPECT_TRUE(made().may_send(target)) << i;
    EXPECT_FALSE(made().may_send(target)) << "on a connection that is open, too";
    const auto exhausted = resolve(route);
    EXPECT_EQ(text(exhausted), "waits");
    EXPECT_EQ(exhausted.error().error.code, Errc::unavailable);
    clock.pass(24h);
  }
  const auto target = resolve(route).value();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(made().may_send(target));
}

TEST_F(WaysTest, CountASourcesMessagesAnewFromMidnightUtc) {
  add_domain("example.org");
  plan.sources = {source("a", "default", "192.0.2.101")};
  plan.sources[0].messages_a_day = {3, 2};
  plan.sources[0].warm_up_from = kDay;
  const auto route = find("mx/example.org").value();
  const auto before = resolve(route).value();
  EXPECT_TRUE(made().may_send(before)) << "two of the first day are left";
  clock.pass(12h - 1ms);
  ASSERT_EQ(to_rfc3339(clock.wall()), "2026-11-25T23:59:59.999Z");
  EXPECT_TRUE(made().may_send(before));
  EXPECT_EQ(made().ledger(), R"({"day":20782,"sent":{"a":2}})") << "the same day, the same count";
  clock.pass(1ms);
  ASSERT_EQ(to_rfc3339(clock.wall()), "2026-11-26T00:00:00.000Z");
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(made().may_send(before)) << "over a connection from the day before";
  EXPECT_EQ(made().ledger(), R"({"day":20783,"sent":{"a":2}})") << "what was left over is not carried on";
  EXPECT_FALSE(made().may_send(before)) << "the step of the second day";
  EXPECT_EQ(text(resolve(route)), "waits");
  clock.pass(24h - 1ms);
  ASSERT_EQ(to_rfc3339(clock.wall()), "2026-11-26T23:59:59.999Z");
  EXPECT_EQ(text(resolve(route)), "waits") << "to the end of the day";
  clock.pass(1ms);
  const auto behind = resolve(route).value();
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(made().may_send(behind)) << "behind the last step there is no limit";
}

TEST_F(WaysTest, BeginAWarmUpAtMidnightUtc) {
  add_domain("example.org");
  plan.sources = {source("a", "default", "192.0.2.101")};
  plan.sources[0].messages_a_day = {1};
  plan.sources[0].warm_up_from = kDay + std::chrono::days{1};
  const auto route = find("mx/example.org").value();
  clock.pass(12h - 1ms);
  EXPECT_EQ(text(resolve(route)), "waits");
  clock.pass(1ms);
  const auto target = resolve(route).value();
  EXPECT_TRUE(made().may_send(target));
  EXPECT_FALSE(made().may_send(target));
}

TEST_F(WaysTest, ForgetWhatASourceHasSentTheDayBeforeARestart) {
  add_domain("example.org");
  plan.sources = {source("a", "default", "192.0.2.101")};
  plan.sources[0].messages_a_day = {2, 1};
  plan.sources[0].warm_up_from = kDay;
  ledger = R"({"day": 20782, "sent": {"a": 2}})";
  clock.pass(12h);
  const auto target = resolve_first("mx/example.org").value();
  EXPECT_TRUE(made().may_send(target));
  EXPECT_FALSE(made().may_send(target)) << "the second day's step, not the first's";
}

TEST_F(WaysTest, RememberWhatASourceHasSent) {
  add_domain("example.org");
  plan.sources = {source("a", "default", "192.0.2.101")};
  plan.sources[0].messages_a_day = {2};
  plan.sources[0].warm_up_from = kDay;
  ledger = R"({"day": 20782, "sent": {"a": 1}})";
  const auto target = resolve_first("mx/example.org").value();
  EXPECT_TRUE(made().may_send(target));
  EXPECT_FALSE(made().may_send(target));
  EXPECT_EQ(made().ledger(), R"({"day":20782,"sent":{"a":2}})");
}

TEST_F(WaysTest, SendNothingMoreFromASourceThatIsGone) {
  delivery::Target target;
  target.source_name = "gone";
  EXPECT_FALSE(made().may_send(target));
}

}  // namespace
}  // namespace relay::outbound
