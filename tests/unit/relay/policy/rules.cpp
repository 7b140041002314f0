#include "relay/policy/rules.hpp"

#include <gtest/gtest.h>

namespace relay::policy {
namespace {

const mail::Address kSender = *mail::Address::parse("app@a.test");
const mail::Address kRecipient = *mail::Address::parse("bob@b.test");

Facts at_connection() {
  Facts facts;
  facts.client = *IpAddress::parse("10.0.0.7");
  return facts;
}
Facts at_mail() {
  auto facts = at_connection();
  facts.user = "";
  facts.helo = "app.a.test";
  facts.tls = false;
  facts.sender = &kSender;
  return facts;
}
Facts at_rcpt() {
  auto facts = at_mail();
  facts.recipient = &kRecipient;
  return facts;
}
Facts at_end(const HeaderFields& header, std::uint64_t size = 100) {
  auto facts = at_rcpt();
  facts.size = size;
  facts.header = &header;
  return facts;
}

Rule rule(std::string name, Action action, Match match = {}) {
  Rule rule;
  rule.name = std::move(name);
  rule.match = std::move(match);
  rule.action = action;
  if (action == Action::reject) rule.reply = {550, mail::EnhancedStatus{5, 7, 1}, "no"};
  if (action == Action::defer) rule.reply = {451, mail::EnhancedStatus{4, 7, 1}, "later"};
  return rule;
}
Match recipients(std::string pattern) {
  Match match;
  match.recipients = {std::move(pattern)};
  return match;
}
Match senders(std::string pattern) {
  Match match;
  match.senders = {std::move(pattern)};
  return match;
}
Match subject(std::string pattern) {
  Match match;
  match.header = "Subject";
  match.header_value = std::move(pattern);
  return match;
}

std::string name_of(const Decision& decision) {
  if (!decision.is_final) return "open";
  return decision.rule == nullptr ? "none" : decision.rule->name;
}

TEST(Rules, WithoutAConditionMatchAllMail) {
  EXPECT_EQ(look_at(Match{}, at_connection()), Finding{});
  const Rules all{rule("all", Action::hold)};
  EXPECT_EQ(name_of(decide(all, at_connection())), "all");
  EXPECT_EQ(name_of(decide({}, at_connection())), "none");
}

TEST(Rules, NeedEachOfTheirConditions) {
  HeaderFields header({"Subject"});
  header.feed("Subject: May invoice\r\n\r\n");
  header.finish();
  Match match;
  match.clients = {*Cidr::parse("10.0.0.0/8")};
  match.helo = {"*.a.test"};
  match.senders = {"a.test"};
  match.recipients = {"bob@*"};
  match.tls = false;
  match.larger_than = Octets{99};
  match.header = "Subject";
  match.header_value = "*invoice";
  const auto facts = at_end(header);
  EXPECT_EQ(look_at(match, facts).answer, Answer::yes);
  const auto without = [&](std::string_view condition, auto change) {
    auto other = match;
    change(other);
    EXPECT_EQ(look_at(other, facts), (Finding{Answer::no, condition}));
  };
  without("clients", [](Match& m) { m.clients = {*Cidr::parse("10.1.0.0/16")}; });
  without("helo", [](Match& m) { m.helo = {"a.test"}; });
  without("senders", [](Match& m) { m.senders = {"<>"}; });
  without("recipients", [](Match& m) { m.recipients = {"ann@*"}; });
  without("tls", [](Match& m) { m.tls = true; });
  without("larger_than", [](Match& m) { m.larger_than = Octets{100}; });
  without("header", [](Match& m) { m.header_value = "invoice"; });
  without("users", [](Match& m) { m.users = {"*"}; });
}

TEST(Rules, OnUsersMatchWhoeverHasLoggedIn) {
  Match match;
  match.users = {"billing-*"};
  auto facts = at_mail();
  facts.user = "billing-7";
  EXPECT_EQ(look_at(match, facts).answer, Answer::yes);
  facts.user = "sales";
  EXPECT_EQ(look_at(match, facts).answer, Answer::no);
  facts.user.reset();
  EXPECT_EQ(look_at(match, facts), (Finding{Answer::unknown, "users"}));
  match.users = {"*"};
  facts.user = "";
  EXPECT_EQ(look_at(match, facts).answer, Answer::no) << "nobody has";
}

TEST(Rules, TellClientsThatHaveLoggedInFromOthers) {
  Match match;
  match.authenticated = false;
  auto facts = at_connection();
  EXPECT_EQ(look_at(match, facts), (Finding{Answer::unknown, "authenticated"}));
  facts.user = "";
  EXPECT_EQ(look_at(match, facts).answer, Answer::yes);
  facts.user = "billing";
  EXPECT_EQ(look_at(match, facts), (Finding{Answer::no, "authenticated"}));
  match.authenticated = true;
  EXPECT_EQ(look_at(match, facts).answer, Answer::yes);
}

TEST(Rules, KnowTheListenerFromTheBegin) {
  Match match;
  match.listeners = {"submission", "smtp"};
  auto facts = at_connection();
  EXPECT_EQ(look_at(match, facts).answer, Answer::yes) << "it has no name of its own";
  facts.listener = "other";
  EXPECT_EQ(look_at(match, facts), (Finding{Answer::no, "listeners"}));
}

TEST(Rules, GoOnBehindThoseThatNeverDecideKnownOrNot) {
  const Rules rules{
    rule("tag", Action::add_header, subject("*")), rule("copy", Action::copy),
    rule("closed", Action::reject, recipients("b.test"))
  };
  std::vector<Finding> looked;
  EXPECT_EQ(name_of(decide(rules, at_rcpt(), &looked)), "closed");
  EXPECT_EQ(looked, (std::vector<Finding>{{Answer::unknown, "header"}, {}, {}}));
  const Rules alone{rule("tag", Action::add_header), rule("copy", Action::copy)};
  EXPECT_EQ(name_of(decide(alone, at_connection())), "none") << "they leave all as it is";
}

class CountingMeter : public Meter {
 public:
  bool take(const Rule& rule, const Facts& facts) override {
    asked.push_back(rule.name + " " + counted_for(rule.limit, facts).value_or("nobody"));
    return asked.size() <= allowed;
  }
  std::size_t allowed = 0;
  std::vector<std::string> asked;
};

Rule limit(LimitKey key, LimitUnit unit) {
  auto limited = rule("limit", Action::limit);
  limited.limit = {10, milliseconds{1000}, key, unit};
  limited.reply = {451, mail::EnhancedStatus{4, 7, 1}, "too many"};
  return limited;
}

TEST(Rules, WithALimitDecideOnceItIsExceeded) {
  const Rules rules{limit(LimitKey::client, LimitUnit::messages), rule("closed", Action::reject)};
  CountingMeter meter;
  meter.allowed = 1;
  EXPECT_EQ(name_of(decide(rules, at_mail(), nullptr, &meter)), "closed");
  const auto exceeded = decide(rules, at_mail(), nullptr, &meter);
  EXPECT_EQ(name_of(exceeded), "limit");
  EXPECT_EQ(refusal_of(exceeded)->to_line(), "451 4.7.1 too many");
  EXPECT_EQ(name_of(decide(rules, at_mail())), "closed") << "nobody counts";
}

TEST(Rules, WithALimitWaitForWhatIsCounted) {
  const Rules messages{limit(LimitKey::client, LimitUnit::messages), rule("closed", Action::reject)};
  CountingMeter meter;
  EXPECT_EQ(name_of(decide(messages, at_connection(), nullptr, &meter)), "open") << "no message yet";
  const Rules recipients{limit(LimitKey::client, LimitUnit::recipients), rule("closed", Action::reject)};
  std::vector<Finding> looked;
  EXPECT_EQ(name_of(decide(recipients, at_mail(), &looked, &meter)), "open");
  EXPECT_EQ(looked, (std::vector<Finding>{{Answer::unknown, "limit"}}));
  EXPECT_TRUE(meter.asked.empty()) << "nothing was counted";
  EXPECT_EQ(name_of(decide(recipients, at_rcpt(), nullptr, &meter)), "limit");
}

TEST(Rules, WithALimitCountForWhomTheyAreMeant) {
  auto facts = at_rcpt();
  const auto counted = [&](LimitKey key) { return counted_for({1, milliseconds{1}, key, {}}, facts); };
  EXPECT_EQ(counted(LimitKey::client), "10.0.0.7");
  EXPECT_EQ(counted(LimitKey::user), std::nullopt) << "nobody has logged in";
  facts.user = "billing";
  EXPECT_EQ(counted(LimitKey::user), "billing");
  const auto quoted = *mail::Address::parse("\"App\"@A.test");
  facts.sender = &quoted;
  EXPECT_EQ(counted(LimitKey::sender), "app@a.test") << "quotes and case are no way around";
  EXPECT_EQ(counted(LimitKey::sender_domain), "a.test");
  const mail::Address null;
  facts.sender = &null;
  EXPECT_EQ(counted(LimitKey::sender), "<>");
  EXPECT_EQ(counted(LimitKey::sender_domain), "<>");
}

TEST(Rules, DecideInTheirOrder) {
  const Rules rules{
    rule("first", Action::accept, recipients("bob@b.test")),
    rule("second", Action::reject, recipients("b.test"))
  };
  EXPECT_EQ(name_of(decide(rules, at_rcpt())), "first");
}

TEST(Rules, DecideAtTheEarliestStageThatHasTheFacts) {
  const Rules on_sender{rule("s", Action::reject, senders("a.test"))};
  EXPECT_EQ(name_of(decide(on_sender, at_connection())), "open");
  EXPECT_EQ(name_of(decide(on_sender, at_mail())), "s");
  const Rules on_recipient{rule("r", Action::reject, recipients("b.test"))};
  EXPECT_EQ(name_of(decide(on_recipient, at_mail())), "open");
  EXPECT_EQ(name_of(decide(on_recipient, at_rcpt())), "r");
  HeaderFields header({"Subject"});
  header.finish();
  const Rules on_header{rule("h", Action::reject, subject("*"))};
  EXPECT_EQ(name_of(decide(on_header, at_rcpt())), "open");
  EXPECT_EQ(name_of(decide(on_header, at_end(header))), "none");
}

TEST(Rules, WaitForARuleBeforeThemThatMayMatchYet) {
  const Rules rules{
    rule("newsletter", Action::accept, subject("News*")), rule("closed", Action::reject, recipients("b.test"))
  };
  std::vector<Finding> looked;
  EXPECT_EQ(name_of(decide(rules, at_rcpt(), &looked)), "open");
  EXPECT_EQ(looked, (std::vector<Finding>{{Answer::unknown, "header"}})) << "the second does not speak";
  HeaderFields header({"Subject"});
  header.feed("Subject: News of May\r\n\r\n");
  header.finish();
  EXPECT_EQ(name_of(decide(rules, at_end(header))), "newsletter");
}

TEST(Rules, DoNotWaitForARuleThatIsOutAlready) {
  auto match = subject("News*");
  match.senders = {"other.test"};
  const Rules rules{
    rule("newsletter", Action::accept, match), rule("closed", Action::reject, recipients("b.test"))
  };
  std::vector<Finding> looked;
  EXPECT_EQ(name_of(decide(rules, at_rcpt(), &looked)), "closed");
  EXPECT_EQ(looked, (std::vector<Finding>{{Answer::no, "senders"}, {Answer::yes, ""}}));
}

TEST(Rules, RefuseWithTheirReply) {
  const Rules rules{rule("r", Action::reject)};
  EXPECT_EQ(refusal_of(decide(rules, at_mail()))->to_line(), "550 5.7.1 no");
  const Rules deferring{rule("d", Action::defer)};
  EXPECT_EQ(refusal_of(decide(deferring, at_mail()))->to_line(), "451 4.7.1 later");
  for (const auto action : {Action::accept, Action::discard, Action::hold, Action::redirect, Action::route}) {
    const Rules others{rule("x", action)};
    EXPECT_FALSE(refusal_of(decide(others, at_mail()))) << to_text(action);
  }
  EXPECT_FALSE(refusal_of(decide({}, at_mail())));
  EXPECT_FALSE(refusal_of({nullptr, false}));
}

TEST(Rules, NameTheHeaderFieldsThatTheyAskFor) {
  EXPECT_EQ(
    headers_of({rule("a", Action::accept, subject("*")), rule("b", Action::accept)}),
    std::vector<std::string>{"Subject"}
  );
}

}  // namespace
}  // namespace relay::policy
