/// AUTH over a socket: who may relay then, what is recorded and counted, and what it costs.

#include <future>
#include <gmock/gmock.h>
#include <map>
#include <stdexcept>

#include "relay/base/text.hpp"
#include "relay/sasl/scram.hpp"
#include "relay/session/login.hpp"
#include "tests/support/live_session.hpp"
#include "tests/support/users.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using test::LiveSession;
using test::Peer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kPlain = "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n";         // user, pencil
constexpr auto kWrongPlain = "AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n";    // user, wrong
constexpr auto kStranger = "AUTH PLAIN AGxldG1laW4AcGVuY2ls\r\n";  // letmein, pencil

/// Nobody may relay by address.
Rules with_users(const std::string& file = test::kUserLine) {
  Rules rules;
  rules.hostname = "node1.example";
  rules.users = test::users(file);
  rules.wants_users = true;
  rules.auth_needs_tls = false;
  return rules;
}
Peer greeted(LiveSession& relay) {
  auto client = relay.client();
  client.reply();
  client.send("EHLO app\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250"));
  return client;
}
/// The `number`th of many wrong passwords.
std::string guess(int number) {
  return "AUTH PLAIN " + base64(std::string("\0user\0", 6) + "guess " + std::to_string(number)) + "\r\n";
}
std::string say(Peer& client, const std::string& line) {
  client.send(line);
  return client.reply();
}
std::string offer(Peer& client) {
  (void)say(client, "MAIL FROM:<a@example.com>\r\n");
  return say(client, "RCPT TO:<b@example.net>\r\n");
}

TEST(ServeAuth, LetsWhoHasLoggedInRelayFromAnyAddress) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  EXPECT_EQ(
    offer(client),
    "530 5.7.0 Authentication required. Relaying denied: 127.0.0.1 is not in the allowed networks"
  );
  (void)say(client, "RSET\r\n");
  EXPECT_THAT(say(client, kPlain), StartsWith("235 2.7.0"));
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
  EXPECT_THAT(say(client, "RCPT TO:<b@[192.0.2.1]>\r\n"), StartsWith("550 5.1.2")) << "but not anywhere";
  (void)say(client, "DATA\r\n");
  EXPECT_THAT(say(client, "x\r\n.\r\n"), StartsWith("250 2.0.0"));
  EXPECT_EQ(relay.messages().front().envelope.origin.user, "user");
  const auto record = relay.log.first("login");
  EXPECT_EQ(record.at("client"), "127.0.0.1");
  EXPECT_EQ(record.at("user"), "user");
  EXPECT_EQ(record.at("mechanism"), "PLAIN");
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain), 1U);
}

TEST(ServeAuth, LetsClientsOfTheAllowedNetworksRelayWithoutIt) {
  auto rules = with_users();
  rules.access = LiveSession::allowing_loopback().access;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
}

TEST(ServeAuth, LetsWhoHasLoggedInRelayFromBehindAnAddressThatHidesClients) {
  auto rules = with_users();
  rules.access.allowed = {*Cidr::parse("127.0.0.0/8")};
  rules.access.hidden = rules.access.allowed;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(
    offer(client), StartsWith("530 5.7.0 Authentication required. Relaying denied: the network hides")
  );
  (void)say(client, "RSET\r\n");
  (void)say(client, kPlain);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
  (void)say(client, "QUIT\r\n");
  client.rest();
  test::eventually([&] { return relay.sessions() == 0; }, "the end of the session");
  EXPECT_EQ(relay.metrics.total(Counter::hidden_clients), 0U) << "it only asked whether it has to";
  EXPECT_TRUE(relay.sightings.at(std::chrono::steady_clock::now()).hidden.empty());
}

TEST(ServeAuth, EndsWithTheUser) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  (void)say(client, kPlain);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
  relay.change(with_users(test::kUserLine + "\n" + test::user_line("other", "x")));
  EXPECT_THAT(say(client, "RCPT TO:<c@example.net>\r\n"), StartsWith("250 2.1.5"))
    << "another's line is another's";
}

TEST(ServeAuth, AsksForAnotherConnectionWhereALoginIsNoLongerValid) {
  auto none = with_users();
  none.users = nullptr;
  none.wants_users = false;
  const std::map<std::string, Rules> changes{
    {"the password changed", with_users(test::user_line("user", "another"))},
    {"the user is gone", with_users(test::user_line("other", "x"))},
    {"all users are", with_users("")},
    {"nobody logs in any more", none},
  };
  for (const auto& [what, change] : changes) {
    LiveSession relay(with_users());
    auto client = greeted(relay);
    (void)say(client, kPlain);
    EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
    relay.change(change);
    client.send("RCPT TO:<d@example.net>\r\n");
    EXPECT_EQ(client.rest(), "421 4.7.0 node1.example Login no longer valid, connect again\r\n")
      << what << ": for good it would bounce mail";
  }
}

TEST(ServeAuth, NamesNoUserWhoIsGone) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  (void)say(client, kPlain);
  auto rules = with_users(test::user_line("other", "x"));
  rules.access = LiveSession::allowing_loopback().access;
  relay.change(rules);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5")) << "by its address";
  (void)say(client, "DATA\r\n");
  EXPECT_THAT(say(client, "x\r\n.\r\n"), StartsWith("250 2.0.0"));
  EXPECT_EQ(relay.messages().front().envelope.origin.user, "");
}

TEST(ServeAuth, TellsRulesWhoHasLoggedIn) {
  auto rules = with_users();
  policy::Rule rule;
  rule.name = "of the user";
  rule.match.users = {"us*"};
  rule.action = policy::Action::reject;
  rule.reply = {550, mail::EnhancedStatus{5, 7, 1}, "Not from you"};
  rules.policies = std::make_shared<const policy::Rules>(policy::Rules{rule});
  rules.access = LiveSession::allowing_loopback().access;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
  (void)say(client, "RSET\r\n");
  (void)say(client, kPlain);
  EXPECT_EQ(say(client, "MAIL FROM:<a@example.com>\r\n"), "550 5.7.1 Not from you");
  rules.users = test::users(test::user_line("other", "x"));
  relay.change(rules);
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5")) << "a user who is gone is none";
}

TEST(ServeAuth, RefusesForNowWhileThereAreNoUsableUsers) {
  auto rules = with_users();
  rules.users = nullptr;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_EQ(offer(client), "451 4.7.0 Nobody can log in at present, try again later");
  (void)say(client, "RSET\r\n");
  EXPECT_EQ(say(client, kPlain), "454 4.7.0 Temporary authentication failure");
  relay.change(with_users());
  EXPECT_THAT(say(client, kPlain), StartsWith("235 2.7.0")) << "as soon as there are some";
  EXPECT_THAT(offer(client), StartsWith("250 2.1.5"));
}

TEST(ServeAuth, HoldsWantOfUsersAgainstNoClientThatIsHidden) {
  auto rules = with_users();
  rules.users = nullptr;
  rules.access.hidden = {*Cidr::parse("127.0.0.0/8")};
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(offer(client), StartsWith("451 4.7.0"));
  (void)say(client, "QUIT\r\n");
  client.rest();
  test::eventually([&] { return relay.sessions() == 0; }, "the end of the session");
  EXPECT_EQ(relay.metrics.total(Counter::hidden_clients), 0U);
}

TEST(ServeAuth, AsksToTryAgainWhereAPasswordCannotBeChecked) {
  LiveSession relay(with_users(), [](const auto&, const auto&, const auto&) -> bool {
    throw std::runtime_error("libcrypto has no PBKDF2");
  });
  auto client = greeted(relay);
  EXPECT_EQ(say(client, kPlain), "454 4.7.0 Temporary authentication failure");
  EXPECT_EQ(relay.metrics.total(Counter::logins_unchecked), 1U);
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain_failed), 0U);
  EXPECT_TRUE(relay.log.records("login_failed").empty());
}

TEST(ServeAuth, AsksTheUsersOfTheMoment) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  relay.change(with_users(test::user_line("user", "another")));
  EXPECT_THAT(say(client, kPlain), StartsWith("535 5.7.8"));
  auto none = with_users();
  none.users = nullptr;
  relay.change(none);
  EXPECT_THAT(say(client, kPlain), StartsWith("454 4.7.0 Temporary authentication failure"));
}

TEST(ServeAuth, RecordsFailuresWithoutNamesThatAreNoUsersCase066) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  EXPECT_THAT(say(client, kWrongPlain), StartsWith("535 5.7.8"));
  EXPECT_THAT(say(client, kStranger), StartsWith("535 5.7.8"));
  const auto records = relay.log.records("login_failed");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].at("user"), "user");
  EXPECT_EQ(records[0].at("reason"), "wrong password");
  EXPECT_EQ(records[1].at("reason"), "no such user");
  EXPECT_EQ(records[1].at("mechanism"), "PLAIN");
  for (const auto* secret : {"letmein", "pencil", "wrong\"", "d3Jvbmc"})
    EXPECT_THAT(relay.log.text(), Not(HasSubstr(secret)));
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain_failed), 2U);
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain), 0U);
}

TEST(ServeAuth, CountsByMechanism) {
  LiveSession relay(with_users());
  auto client = greeted(relay);
  (void)say(client, "AUTH LOGIN dXNlcg==\r\n");
  EXPECT_THAT(say(client, "eA==\r\n"), StartsWith("535"));
  const auto challenge =
    parse_base64(say(client, "AUTH SCRAM-SHA-256 " + base64("n,,n=user,r=abc") + "\r\n").substr(4));
  ASSERT_TRUE(challenge);
  const auto nonce = challenge->substr(0, challenge->find(','));
  EXPECT_EQ(nonce.size(), std::string("r=abc").size() + 24) << "144 bits of ours";
  EXPECT_THAT(
    say(client, base64("c=biws," + nonce + ",p=" + base64(std::string(32, 'x'))) + "\r\n"), StartsWith("535")
  );
  EXPECT_EQ(relay.metrics.total(Counter::logins_login_failed), 1U);
  EXPECT_EQ(relay.metrics.total(Counter::logins_scram_failed), 1U);
}

TEST(ServeAuth, RefusesAClientThatFailedTooOftenAndSaysSoOnce) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 4;
  LiveSession relay(rules);
  for (int i = 0; i < 2; ++i) {
    auto client = greeted(relay);
    for (int j = 0; j < 2; ++j) EXPECT_THAT(say(client, guess(2 * i + j)), StartsWith("535"));
  }
  auto client = greeted(relay);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(say(client, kPlain), "454 4.7.0 Too many failed logins from 127.0.0.1, try again later");
  EXPECT_EQ(relay.metrics.total(Counter::logins_refused), 2U);
  ASSERT_EQ(relay.log.records("logins_refused").size(), 1U);
  EXPECT_EQ(relay.log.records("logins_refused")[0].at("failed"), 4);
  EXPECT_EQ(
    relay.log.records("logins_refused")[0].at("message"), "AUTH gets 454 4.7.0; one more guess each 150 s"
  );
}

TEST(ServeAuth, LetsAHostInAtOnceThatFailedOverAndOverWithThePasswordOfBefore) {
  auto rules = with_users(test::user_line("user", "another"));
  rules.max_failed_logins_per_client = 3;
  LiveSession relay(rules);
  for (int i = 0; i < 5; ++i) {
    auto client = greeted(relay);
    for (int j = 0; j < 2; ++j) EXPECT_THAT(say(client, kPlain), StartsWith("535"));
  }
  auto client = greeted(relay);
  EXPECT_THAT(
    say(client, "AUTH PLAIN " + base64(std::string("\0user\0another", 13)) + "\r\n"), StartsWith("235")
  );
  EXPECT_EQ(relay.passwords.derived(), 2U) << "the same guess again costs nobody anything";
  EXPECT_EQ(relay.log.records("login_failed").size(), 1U);
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain_failed), 10U);
}

TEST(ServeAuth, CountsTheSamePasswordAgainWhereTheUsersAreOthers) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 2;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(say(client, kWrongPlain), StartsWith("535"));
  rules.users = test::users(test::user_line("user", "another"));
  relay.change(rules);
  EXPECT_THAT(say(client, kWrongPlain), StartsWith("535")) << "it might have been right";
  EXPECT_THAT(say(client, kWrongPlain), StartsWith("454"));
}

/// Lets passwords be checked once the test says so.
class Gate {
 public:
  session::PasswordChecks::Derive derive() {
    return [opened = opened_](const auto& users, const auto& user, const auto& password) {
      opened.wait();
      return users.check(user, password);
    };
  }
  void open() { open_.set_value(); }

 private:
  std::promise<void> open_;
  std::shared_future<void> opened_{open_.get_future()};
};

TEST(ServeAuth, HoldsTheLimitAcrossConnectionsThatGuessAtOnce) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 2;
  Gate gate;
  LiveSession relay(rules, gate.derive());
  std::vector<Peer> waiting;
  std::vector<Peer> late;
  for (int i = 0; i < 2; ++i) waiting.push_back(greeted(relay));
  for (int i = 0; i < 3; ++i) {
    late.push_back(greeted(relay));
    EXPECT_EQ(say(late.back(), "AUTH PLAIN\r\n"), "334 ");
  }
  for (int i = 0; i < 2; ++i) waiting[static_cast<std::size_t>(i)].send(guess(i));
  test::eventually(
    [&] {
      return relay.failed_logins.are_too_many(
        *IpAddress::parse("127.0.0.1"), 2, std::chrono::steady_clock::now()
      );
    },
    "two guesses under way"
  );
  EXPECT_THAT(say(late[0], "AHVzZXIAcGVuY2ls\r\n"), StartsWith("454")) << "the right one";
  EXPECT_THAT(say(late[1], "AHVzZXIAd3Jvbmc=\r\n"), StartsWith("454")) << "a wrong one";
  gate.open();
  for (auto& client : waiting) EXPECT_THAT(client.reply(), StartsWith("535"));
  EXPECT_THAT(say(late[2], "AHVzZXIAcGVuY2ls\r\n"), StartsWith("454"));
  EXPECT_EQ(relay.passwords.derived(), 2U);
}

TEST(ServeAuth, LetsManyConnectionsLogInAtOnceWithOneUser) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 2;
  Gate gate;
  LiveSession relay(rules, gate.derive());
  std::vector<Peer> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(greeted(relay));
    clients.back().send(kPlain);
  }
  gate.open();
  for (auto& client : clients) EXPECT_THAT(client.reply(), StartsWith("235"));
}

/// Begins SCRAM. @return  what the client says to the challenge
std::string scram_answer(Peer& peer, const std::string& password) {
  const auto client = std::move(*sasl::make_scram_sha_256({"user", password}, "rOprNGfwEbeRWgbNEkqOAAAA"));
  const auto challenge =
    parse_base64(say(peer, "AUTH SCRAM-SHA-256 " + base64(client->initial_response()) + "\r\n").substr(4));
  return base64(*client->respond(challenge.value())) + "\r\n";
}

TEST(ServeAuth, TellsNothingOfAScramProofBeyondTheLimit) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 1;
  LiveSession relay(rules);
  std::vector<Peer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(greeted(relay));
  const auto wrong = scram_answer(peers[0], "wrong");
  const auto right = scram_answer(peers[1], "pencil");
  const auto other = scram_answer(peers[2], "other");
  EXPECT_THAT(say(peers[0], wrong), StartsWith("535"));
  EXPECT_THAT(say(peers[1], right), StartsWith("454 4.7.0 Too many failed logins"));
  EXPECT_THAT(say(peers[2], other), StartsWith("454 4.7.0 Too many failed logins"));
  EXPECT_EQ(relay.metrics.total(Counter::logins_scram), 0U);
}

TEST(ServeAuth, TakesWhoWouldActAsAnotherForNoGuess) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 1;
  LiveSession relay(rules);
  auto client = greeted(relay);
  const auto acting = "AUTH PLAIN " + base64(std::string("letmein\0user\0pencil", 19)) + "\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(say(client, acting), "535 5.7.8 No user may act as another one");
  EXPECT_THAT(say(client, kPlain), StartsWith("235"));
  const auto record = relay.log.first("login_failed");
  EXPECT_EQ(record.at("reason"), "wants to act as another user");
  EXPECT_EQ(record.at("user"), "user");
  EXPECT_THAT(relay.log.text(), Not(HasSubstr("letmein")));
  EXPECT_EQ(relay.metrics.total(Counter::logins_plain_failed), 2U);
}

TEST(ServeAuth, LimitsNoAddressThatHidesClients) {
  auto rules = with_users();
  rules.max_failed_logins_per_client = 1;
  rules.access.hidden = {*Cidr::parse("127.0.0.0/8")};
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_THAT(say(client, kWrongPlain), StartsWith("535"));
  EXPECT_THAT(say(client, kPlain), StartsWith("235")) << "others come from there too";
}

TEST(ServeAuth, IsAskedOfAllowedAddressesTooWhereItIsRequired) {
  auto rules = with_users();
  rules.access.allowed = {*Cidr::parse("127.0.0.0/8")};
  rules.needs_auth = true;
  LiveSession relay(rules);
  auto client = greeted(relay);
  EXPECT_EQ(say(client, "MAIL FROM:<a@example.com>\r\n"), "530 5.7.0 Authentication required");
  EXPECT_THAT(say(client, kPlain), StartsWith("235"));
  EXPECT_THAT(offer(client), StartsWith("250"));
  rules.users = test::users(test::user_line("other", "x"));
  relay.change(rules);
  EXPECT_THAT(say(client, "RCPT TO:<c@example.net>\r\n"), StartsWith("421 4.7.0"))
    << "who is no user any more is not let in by the address";
}

}  // namespace
}  // namespace relay::session
