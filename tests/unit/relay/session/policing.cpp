#include "relay/session/policing.hpp"

#include <gmock/gmock.h>
#include <map>

#include "tests/support/exchange.hpp"
#include "tests/support/live_session.hpp"

namespace relay::session {
namespace {

using policy::Action;
using policy::Rule;
using test::address;
using test::LiveSession;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Rule rule(std::string name, Action action, std::vector<std::string> recipients = {}) {
  Rule rule;
  rule.name = std::move(name);
  rule.match.recipients = std::move(recipients);
  rule.action = action;
  if (action == Action::reject) rule.reply = {550, mail::EnhancedStatus{5, 7, 1}, "no"};
  if (action == Action::defer) rule.reply = {451, mail::EnhancedStatus{4, 7, 1}, "later"};
  if (action == Action::redirect) rule.redirect_to = address("test@t.test");
  if (action == Action::route) rule.smarthost = "primary";
  return rule;
}
/// Decided at the end of data alone.
Rule on_subject(Rule rule, std::string value) {
  rule.match.header = "Subject";
  rule.match.header_value = std::move(value);
  return rule;
}
Rule from_loopback(Rule rule) {
  rule.match.clients = {*Cidr::parse("127.0.0.0/8")};
  return rule;
}
Rule from_sender(Rule rule, std::string sender) {
  rule.match.senders = {std::move(sender)};
  return rule;
}

Policing policing(policy::Rules rules) {
  return {
    std::make_shared<const policy::Rules>(std::move(rules)),
    {*IpAddress::parse("10.0.0.7"), "app", false},
    address("a@a.test")
  };
}
mail::Envelope envelope(const std::vector<std::string>& recipients) {
  mail::Envelope envelope;
  for (const auto& recipient : recipients) envelope.recipients.push_back(address(recipient));
  envelope.size = 100;
  return envelope;
}
std::vector<std::string> texts(const std::vector<mail::Address>& addresses) {
  std::vector<std::string> texts;
  for (const auto& one : addresses) texts.push_back(one.to_text());
  return texts;
}

TEST(Policing, JudgesEachRecipientByItself) {
  auto rules = policing(
    {rule("held", Action::hold, {"h@b.test"}), rule("gone", Action::discard, {"d@b.test"}),
     rule("by", Action::route, {"r@b.test"}), rule("fine", Action::accept, {"f@b.test"}),
     rule("test", Action::redirect, {"b.test"})}
  );
  auto mail = envelope({"x@b.test", "d@b.test", "h@b.test", "r@b.test", "f@b.test", "y@c.test"});
  mail.dsn.recipients.resize(6);
  mail.dsn.recipients[2].original_recipient = "rfc822;h";
  const auto ending = rules.finish(mail);
  EXPECT_FALSE(ending.instead);
  EXPECT_THAT(
    texts(mail.recipients), ElementsAre("test@t.test", "h@b.test", "r@b.test", "f@b.test", "y@c.test")
  );
  EXPECT_THAT(mail.held, ElementsAre(1U));
  EXPECT_THAT(mail.smarthosts, ElementsAre("", "", "primary", "", ""));
  ASSERT_EQ(mail.dsn.recipients.size(), 5U);
  EXPECT_EQ(mail.dsn.recipients[1].original_recipient, "rfc822;h") << "it goes with its recipient";
  ASSERT_EQ(ending.deeds.size(), 4U) << "what was accepted is nothing to tell";
  EXPECT_EQ(ending.deeds[0].rule->name, "held");
  EXPECT_EQ(ending.deeds[1].rule->name, "gone");
  EXPECT_THAT(ending.deeds[1].recipients, ElementsAre("d@b.test"));
  EXPECT_EQ(ending.deeds[3].rule->name, "test");
  EXPECT_THAT(ending.deeds[3].recipients, ElementsAre("x@b.test")) << "as its client named it";
}

TEST(Policing, LeavesAnEnvelopeAloneThatNoRuleSpeaksOf) {
  auto rules = policing({rule("held", Action::hold, {"other.test"}), rule("fine", Action::accept)});
  auto mail = envelope({"a@b.test", "c@d.test"});
  const auto before = mail;
  const auto ending = rules.finish(mail);
  EXPECT_FALSE(ending.instead);
  EXPECT_TRUE(ending.deeds.empty());
  EXPECT_EQ(mail, before);
}

TEST(Policing, SaysWhomTheClientNamedWhereARulePutsInOthers) {
  Rule renames = rule("rename", Action::rewrite_sender);
  renames.new_sender = address("noreply@a.test");
  Rule copies = rule("copy", Action::copy);
  copies.copy_to = address("archive@a.test");
  const policy::Rules changing{
    renames, copies, rule("test", Action::redirect, {"b.test"}), rule("gone", Action::discard, {"b.test"})
  };
  for (const auto& one : changing) {
    auto mail = envelope({"a@b.test", "c@d.test"});
    mail.reverse_path = address("a@a.test");
    const mail::Parties named{mail.reverse_path, mail.recipients};
    EXPECT_EQ(policing({one}).finish(mail).named, named) << one.name;
  }
  auto mail = envelope({"a@b.test", "c@d.test"});
  const auto ending =
    policing({rule("held", Action::hold, {"b.test"}), rule("by", Action::route)}).finish(mail);
  EXPECT_EQ(ending.deeds.size(), 2U);
  EXPECT_FALSE(ending.named) << "these change nobody";
}

TEST(Policing, GivesOneCopyToWhomSeveralAreRedirectedTo) {
  auto rules = policing({rule("test", Action::redirect, {"b.test"})});
  auto mail = envelope({"a@b.test", "c@b.test", "test@t.test", "d@c.test"});
  (void)rules.finish(mail);
  EXPECT_THAT(texts(mail.recipients), ElementsAre("test@t.test", "d@c.test"));
}

TEST(Policing, HoldsOneCopyAndSendsTheOtherWhereARedirectMeetsAHold) {
  const policy::Rules rules{
    rule("held", Action::hold, {"test@t.test"}), rule("test", Action::redirect, {"b.test"})
  };
  auto mail = envelope({"a@b.test", "test@t.test", "c@b.test"});
  (void)policing(rules).finish(mail);
  EXPECT_THAT(texts(mail.recipients), ElementsAre("test@t.test", "test@t.test"));
  EXPECT_THAT(mail.held, ElementsAre(1U)) << "the copy that was redirected is not kept";
  auto other = envelope({"test@t.test", "a@b.test"});
  (void)policing(rules).finish(other);
  EXPECT_THAT(texts(other.recipients), ElementsAre("test@t.test", "test@t.test"));
  EXPECT_THAT(other.held, ElementsAre(0U)) << "whoever comes first";
}

/// What the end of data makes of each recipient is what deciding of it alone would.
TEST(Policing, AsksOncePerRuleAndJudgesEachRecipientAllTheSame) {
  auto large = rule("large", Action::hold, {"a.test"});
  large.match.larger_than = Octets{50};
  auto small = rule("small", Action::hold);
  small.match.larger_than = Octets{200};
  const policy::Rules rules{
    small,
    on_subject(rule("no", Action::hold, {"a.test"}), "*other*"),
    large,
    on_subject(rule("subject", Action::hold, {"b.test"}), "*x*"),
    from_sender(rule("sender", Action::hold, {"c.test"}), "b@b.test"),
    from_sender(rule("rest", Action::hold, {"c.test", "d.test"}), "a@a.test")
  };
  auto asked = policing(rules);
  asked.see("Subject: axa\r\n\r\n");
  auto mail = envelope({"1@a.test", "2@b.test", "3@c.test", "4@d.test", "5@e.test", "6@a.test"});
  const auto ending = asked.finish(mail);
  std::map<std::string, std::vector<std::string>> by_rule;
  for (const auto& deed : ending.deeds) by_rule[deed.rule->name] = deed.recipients;
  const std::map<std::string, std::vector<std::string>> expected{
    {"large", {"1@a.test", "6@a.test"}}, {"subject", {"2@b.test"}}, {"rest", {"3@c.test", "4@d.test"}}
  };
  EXPECT_EQ(by_rule, expected);
  EXPECT_THAT(mail.held, ElementsAre(0U, 1U, 2U, 3U, 5U));
}

Rule adding(std::string name, std::string field, std::vector<std::string> recipients = {}) {
  auto added = rule(std::move(name), Action::add_header, std::move(recipients));
  added.field_name = std::move(field);
  added.field_value = "yes";
  return added;
}
Rule removing(std::string field) {
  auto removed = rule("remove", Action::remove_header);
  removed.field_name = std::move(field);
  return removed;
}
Rule renaming(std::string sender, bool rewrites_from = false) {
  auto renamed = rule("rename", Action::rewrite_sender);
  renamed.new_sender = address(sender);
  renamed.rewrites_from = rewrites_from;
  return renamed;
}
Rule copying(std::string to, std::vector<std::string> recipients = {}) {
  auto copied = rule("copy", Action::copy, std::move(recipients));
  copied.copy_to = address(to);
  return copied;
}

TEST(Policing, DoesAllThatGoesOnInTheOrderOfTheRulesUpToTheOneThatDecides) {
  auto rules = policing(
    {adding("first", "X-First"), adding("second", "X-Second", {"a@b.test"}),
     rule("fine", Action::accept, {"b.test"}), adding("behind", "X-Behind")}
  );
  auto mail = envelope({"a@b.test"});
  const auto ending = rules.finish(mail);
  EXPECT_EQ(mail.edits.added, "X-First: yes\r\nX-Second: yes\r\n");
  ASSERT_EQ(ending.deeds.size(), 2U);
  EXPECT_TRUE(ending.deeds[0].recipients.empty()) << "it is of the whole message";
  auto other = envelope({"a@c.test", "c@b.test"});
  (void)rules.finish(other);
  EXPECT_EQ(other.edits.added, "X-First: yes\r\nX-Behind: yes\r\n") << "for one of them is enough";
}

TEST(Policing, LeavesOutFieldsAndKnowsHowManyOctetsGo) {
  auto rules =
    policing({removing("X-Secret"), removing("x-secret"), removing("Missing"), adding("add", "X-Secret")});
  const std::string content = "X-Secret: a\r\nSubject: x\r\nx-SECRET: b\r\n c\r\n\r\nX-Secret: body\r\n";
  rules.see(content.substr(0, 5));
  rules.see(content.substr(5));
  auto mail = envelope({"a@b.test"});
  mail.size = content.size();
  (void)rules.finish(mail);
  EXPECT_THAT(mail.edits.removed, ElementsAre("X-Secret", "Missing"));
  EXPECT_EQ(mail.edits.removed_octets, 13U + 17U);
  EXPECT_EQ(mail.edits.added, "X-Secret: yes\r\n") << "what rules add stays";
  EXPECT_EQ(mail.size, content.size()) << "the content is as it came";
}

TEST(Policing, CountsWhatGoesOfTheHeaderThatFiltersLeft) {
  auto rules = policing({removing("X-Secret")});
  rules.see("X-Secret: a\r\nSubject: x\r\n\r\nbody\r\n");
  rules.measure_again("Subject: x\r\n\r\n");
  auto mail = envelope({"a@b.test"});
  mail.size = 20;
  (void)rules.finish(mail);
  EXPECT_EQ(mail.edits.removed_octets, 0U);
  EXPECT_EQ(mail::sent_size(mail), 20U);
}

TEST(Policing, GivesTheMessageAnotherSenderAndFromWhereItIsAsked) {
  auto mail = envelope({"a@b.test"});
  mail.reverse_path = address("app@a.test");
  (void)policing({renaming("first@s.test"), renaming("last@s.test")}).finish(mail);
  EXPECT_EQ(mail.reverse_path.to_text(), "last@s.test");
  EXPECT_EQ(mail.edits, mail::HeaderEdits{}) << "the header is nobody's business unless asked";
  auto both = policing({renaming("noreply@s.test", true)});
  both.see("From: Boss <boss@a.test>\r\n\r\n");
  auto other = envelope({"a@b.test"});
  other.reverse_path = address("app@a.test");
  (void)both.finish(other);
  EXPECT_THAT(other.edits.removed, ElementsAre("From"));
  EXPECT_EQ(other.edits.removed_octets, 26U);
  EXPECT_EQ(other.edits.added, "From: <noreply@s.test>\r\n");
  auto report = envelope({"a@b.test"});
  (void)both.finish(report);
  EXPECT_TRUE(report.reverse_path.is_null()) << "reports must not be answered by reports";
  EXPECT_EQ(report.edits, mail::HeaderEdits{});
}

TEST(Policing, AddsOneWhoGetsACopyAndIsToldOfNothing) {
  auto rules = policing({copying("archive@c.test"), rule("held", Action::hold, {"h@b.test"})});
  auto mail = envelope({"a@b.test", "h@b.test"});
  (void)rules.finish(mail);
  EXPECT_THAT(texts(mail.recipients), ElementsAre("a@b.test", "h@b.test", "archive@c.test"));
  EXPECT_THAT(mail.held, ElementsAre(1U)) << "a copy is not held";
  ASSERT_EQ(mail.dsn.recipients.size(), 3U);
  EXPECT_TRUE(mail.dsn.recipients[2].notify.never);
  EXPECT_TRUE(mail.dsn.recipients[0].is_unset());
  auto known = envelope({"archive@c.test", "a@b.test"});
  (void)rules.finish(known);
  EXPECT_THAT(texts(known.recipients), ElementsAre("archive@c.test", "a@b.test"))
    << "who has it gets no other";
  EXPECT_TRUE(known.dsn.recipients.empty());
}

TEST(Policing, CopiesWhatIsThrownAwayAndNotWhatIsRefused) {
  auto gone = policing({copying("archive@c.test"), adding("tag", "X-Tag"), rule("gone", Action::discard)});
  auto mail = envelope({"a@b.test"});
  EXPECT_FALSE(gone.finish(mail).instead) << "something is left to store";
  EXPECT_THAT(texts(mail.recipients), ElementsAre("archive@c.test"));
  EXPECT_EQ(mail.edits.added, "") << "of who is gone";
  auto refused = policing({copying("archive@c.test"), on_subject(rule("no", Action::reject), "*")});
  refused.see("Subject: x\r\n\r\n");
  auto other = envelope({"a@b.test"});
  EXPECT_EQ(refused.finish(other).instead->code, 550);
  EXPECT_EQ(other.recipients.size(), 1U);
}

TEST(Policing, SetsWhoGoesFirst) {
  auto bulk = rule("bulk", Action::set_priority);
  bulk.priority = mail::Priority::bulk;
  auto mail = envelope({"a@b.test"});
  (void)policing({bulk}).finish(mail);
  EXPECT_EQ(mail.priority, mail::Priority::bulk);
}

TEST(Policing, SaysOkWhereAllIsThrownAway) {
  auto rules = policing({rule("gone", Action::discard)});
  auto mail = envelope({"a@b.test", "c@b.test"});
  const auto ending = rules.finish(mail);
  ASSERT_TRUE(ending.instead);
  EXPECT_EQ(ending.instead->to_line(), "250 2.0.0 OK");
  EXPECT_THAT(ending.deeds.at(0).recipients, ElementsAre("a@b.test", "c@b.test"));
}

TEST(Policing, RefusesTheWholeMessageForARefusalThatComesAtTheEnd) {
  const auto later = on_subject(rule("later", Action::defer, {"c@b.test"}), "*");
  const auto never = on_subject(rule("never", Action::reject, {"d@b.test"}), "*");
  const auto held = rule("held", Action::hold, {"a@b.test"});
  auto both = policing({later, never, held});
  both.see("Subject: x\r\n\r\n");
  auto mail = envelope({"a@b.test", "c@b.test", "d@b.test"});
  EXPECT_FALSE(policy::refusal_of(both.judge_recipient(mail.recipients[1]))) << "not known yet";
  auto ending = both.finish(mail);
  EXPECT_EQ(ending.instead->to_line(), "550 5.7.1 no") << "for good where one says so";
  ASSERT_EQ(ending.deeds.size(), 2U) << "nothing is held";
  EXPECT_EQ(mail.recipients.size(), 3U);
  auto one = policing({later, held});
  one.see("Subject: x\r\n\r\n");
  EXPECT_EQ(one.finish(mail).instead->to_line(), "451 4.7.1 later");
}

TEST(Policing, KnowsTheSizeAtTheEnd) {
  auto large = rule("large", Action::reject);
  large.match.larger_than = Octets{99};
  auto rules = policing({large});
  EXPECT_FALSE(rules.judge_sender().is_final);
  auto mail = envelope({"a@b.test"});
  EXPECT_TRUE(rules.finish(mail).instead);
  mail.size = 99;
  EXPECT_FALSE(rules.finish(mail).instead);
}

// ---- over a socket ----

session::Rules with(policy::Rules rules) {
  auto all = LiveSession::allowing_loopback();
  all.policies = std::make_shared<const policy::Rules>(std::move(rules));
  return all;
}
/// All that a client hears that sends one message.
std::string answers(
  LiveSession& relay, const std::vector<std::string>& recipients, const std::string& subject = "x",
  const std::string& body = "body\r\n"
) {
  auto client = relay.client();
  std::string all = "HELO app\r\nMAIL FROM:<a@a.test>\r\n";
  for (const auto& recipient : recipients) all += "RCPT TO:<" + recipient + ">\r\n";
  client.send(all);
  std::string heard;
  for (std::size_t i = 0; i < recipients.size() + 3; ++i) heard += client.reply() + "\n";
  client.send("DATA\r\n");
  const auto go = client.reply();
  if (!go.starts_with("354")) return heard + go;
  client.send("Subject: " + subject + "\r\n\r\n" + body + ".\r\nQUIT\r\n");
  return heard + go + client.rest();
}

TEST(PolicingOfSessions, RefuseWhomTheAllowlistDoesNotNameWhereItIsToReject) {
  auto rules = LiveSession::allowing_loopback();
  rules.guard.mode = policy::Mode::allowlist;
  rules.guard.allowed = {"qa.test"};
  rules.guard.others = policy::Others::reject;
  LiveSession relay(rules);
  const auto heard = answers(relay, {"c@b.test", "x@qa.test"});
  EXPECT_THAT(heard, HasSubstr("550 5.7.1 This relay is not in production"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_THAT(texts(relay.messages()[0].envelope.recipients), ElementsAre("x@qa.test"));
  EXPECT_EQ(relay.metrics.total(metrics::Counter::recipients_refused_mode), 1U);
}

TEST(PolicingOfSessions, RefusesRecipientsAndTakesTheOthers) {
  LiveSession relay(
    with({rule("never", Action::reject, {"bad@b.test"}), rule("later", Action::defer, {"d@b.test"})})
  );
  const auto heard = answers(relay, {"bad@b.test", "good@b.test", "d@b.test"});
  EXPECT_THAT(heard, HasSubstr("550 5.7.1 no\n250 2.1.5 Recipient OK\n451 4.7.1 later\n"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_THAT(texts(relay.messages()[0].envelope.recipients), ElementsAre("good@b.test"));
  EXPECT_EQ(relay.metrics.total(metrics::Counter::recipients_refused_rule), 2U);
  const auto records = relay.log.records("policy");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0]["rule"], "never");
  EXPECT_EQ(records[0]["action"], "reject");
  EXPECT_EQ(records[0]["sender"], "a@a.test");
  EXPECT_EQ(records[0]["recipient"], "bad@b.test");
  EXPECT_EQ(records[0]["reply"], "550 5.7.1 no");
}

Rule limited(policy::LimitUnit unit, std::uint64_t count) {
  auto limited = rule("limit", Action::limit);
  limited.limit = {count, std::chrono::hours{1}, policy::LimitKey::client, unit};
  limited.reply = {451, mail::EnhancedStatus{4, 7, 1}, "too many"};
  return limited;
}

TEST(PolicingOfSessions, DefersMessagesAboveALimitAtMail) {
  LiveSession relay(with({limited(policy::LimitUnit::messages, 2)}));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(answers(relay, {"a@b.test"}), HasSubstr("250 2.0.0 OK queued"));
  auto client = relay.client();
  client.send("HELO app\r\nMAIL FROM:<a@a.test>\r\nQUIT\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("451 4.7.1 too many"));
  EXPECT_EQ(relay.log.records("policy").at(0)["rule"], "limit");
}

TEST(PolicingOfSessions, DefersRecipientsAboveALimitAndTakesTheOthers) {
  LiveSession relay(with({limited(policy::LimitUnit::recipients, 2)}));
  const auto heard = answers(relay, {"a@b.test", "b@b.test", "c@b.test"});
  EXPECT_THAT(heard, HasSubstr("250 2.1.5 Recipient OK\n250 2.1.5 Recipient OK\n451 4.7.1 too many\n"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_EQ(relay.messages()[0].envelope.recipients.size(), 2U);
}

TEST(PolicingOfSessions, CountsNothingThatWasNotAccepted) {
  LiveSession relay(
    with({limited(policy::LimitUnit::messages, 1), on_subject(rule("no", Action::reject), "bad")})
  );
  EXPECT_THAT(answers(relay, {"a@b.test"}, "bad"), HasSubstr("550 5.7.1 no"));
  EXPECT_THAT(answers(relay, {"a@b.test"}, "bad"), HasSubstr("550 5.7.1 no"));
  EXPECT_THAT(answers(relay, {"a@b.test"}, "good"), HasSubstr("250 2.0.0 OK queued"));
  EXPECT_THAT(answers(relay, {"a@b.test"}, "good"), HasSubstr("451 4.7.1 too many"));
}

TEST(PolicingOfSessions, CountNothingForWhoMayNotRelay) {
  auto rules = with({limited(policy::LimitUnit::messages, 1)});
  rules.access.allowed = {*Cidr::parse("10.0.0.0/8")};
  LiveSession relay(rules);
  auto first = relay.client();
  EXPECT_THAT(first.reply(), StartsWith("220"));
  first.send("HELO app\r\nMAIL FROM:<a@a.test>\r\n");
  for (int i = 0; i < 2; ++i) EXPECT_THAT(first.reply(), StartsWith("250"));
  auto second = relay.client();
  EXPECT_THAT(second.reply(), StartsWith("220"));
  second.send("HELO app\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n");
  for (int i = 0; i < 2; ++i) EXPECT_THAT(second.reply(), StartsWith("250")) << "the first holds no token";
  EXPECT_THAT(second.reply(), StartsWith("550 5.7.1 Relaying denied"));
  EXPECT_EQ(relay.rate_limits.buckets(), 0U);
}

TEST(PolicingOfSessions, WritesDownWhatWasDoneToTheMessage) {
  LiveSession relay(with({renaming("noreply@s.test"), copying("archive@c.test"), adding("tag", "X-Tag")}));
  EXPECT_THAT(answers(relay, {"a@b.test"}), HasSubstr("250 2.0.0 OK queued"));
  const auto records = relay.log.records("policy");
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0]["sender"], "a@a.test");
  EXPECT_EQ(records[0]["new_sender"], "noreply@s.test");
  EXPECT_EQ(records[1]["copy_to"], "archive@c.test");
  EXPECT_EQ(records[2]["field"], "X-Tag");
  EXPECT_FALSE(records[2].contains("recipients"));
  EXPECT_EQ(relay.messages().at(0).envelope.reverse_path.to_text(), "noreply@s.test");
}

session::Rules bound(bool covers_header) {
  auto all = LiveSession::allowing_loopback();
  all.sender_bindings = std::make_shared<const policy::SenderBindings>(
    policy::SenderBindings{{"own", {}, {*Cidr::parse("127.0.0.0/8")}, {"a.test"}, covers_header}}
  );
  return all;
}

TEST(SenderCheckOfSessions, RefusesASenderThatIsAnothersAtMail) {
  LiveSession relay(bound(false));
  auto client = relay.client();
  client.send("HELO app\r\nMAIL FROM:<a@bank.test>\r\nMAIL FROM:<a@a.test>\r\nQUIT\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("as a user who may\r\n250 2.1.0 Sender OK\r\n"));
  const auto records = relay.log.records("rejection");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["sender"], "a@bank.test");
}

TEST(SenderCheckOfSessions, RefusesAFromThatIsAnothersAtTheEndOfData) {
  LiveSession relay(bound(true));
  const auto heard = answers(relay, {"a@b.test"}, "x\r\nFrom: boss@bank.test");
  EXPECT_THAT(heard, HasSubstr("550 5.7.1 From in the header is not for 127.0.0.1"));
  EXPECT_TRUE(relay.messages().empty());
  EXPECT_THAT(answers(relay, {"a@b.test"}, "x\r\nFrom: me@a.test"), HasSubstr("250 2.0.0 OK queued"));
}

TEST(PolicingOfSessions, RefusesASenderAtMail) {
  LiveSession relay(with({from_sender(rule("never", Action::reject), "a.test")}));
  auto client = relay.client();
  client.send("HELO app\r\nMAIL FROM:<a@a.test>\r\nMAIL FROM:<b@b.test>\r\nQUIT\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("550 5.7.1 no\r\n250 2.1.0 Sender OK\r\n"));
}

TEST(PolicingOfSessions, GreetsAClientWithItsRefusal) {
  LiveSession relay(with({from_loopback(rule("never", Action::reject))}));
  auto client = relay.client();
  EXPECT_EQ(client.rest(), "554 5.7.1 node1.example no\r\n");
  LiveSession other(with({from_loopback(rule("later", Action::defer))}));
  auto second = other.client();
  EXPECT_EQ(second.rest(), "421 4.7.1 node1.example later\r\n");
  EXPECT_EQ(other.log.records("policy").at(0)["client"], "127.0.0.1");
}

TEST(PolicingOfSessions, RefusesAtTheEndOfDataWhatTheHeaderSays) {
  LiveSession relay(with({on_subject(rule("never", Action::reject), "*invoice*")}));
  EXPECT_THAT(
    answers(relay, {"b@b.test"}, "your INVOICE", std::string(200'000, 'x') + "\r\n"),
    HasSubstr("550 5.7.1 no\r\n221")
  );
  EXPECT_TRUE(relay.messages().empty());
  EXPECT_THAT(answers(relay, {"b@b.test"}), HasSubstr("250 2.0.0 OK queued as"));
  EXPECT_EQ(relay.messages().size(), 1U);
}

TEST(PolicingOfSessions, ThrowsAwayWithAnOkAndARecord) {
  LiveSession relay(with({rule("gone", Action::discard)}));
  EXPECT_THAT(answers(relay, {"b@b.test"}), HasSubstr("250 2.0.0 OK\r\n221"));
  EXPECT_TRUE(relay.messages().empty());
  const auto records = relay.log.records("policy");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["action"], "discard");
  EXPECT_EQ(records[0]["recipients"][0], "b@b.test");
  EXPECT_FALSE(records[0].contains("queue_id"));
  EXPECT_THAT(relay.log.levels("policy"), ElementsAre(log::Level::warning))
    << "a log that tells nothing less has it";
  EXPECT_GT(records[0]["size"], 0);
  EXPECT_EQ(relay.metrics.total(metrics::Counter::recipients_discarded), 1U);
}

TEST(PolicingOfSessions, WarnOfWhatGoesElsewhereWithWhatItIsFoundBy) {
  LiveSession relay(with({rule("test", Action::redirect, {"b.test"}), rule("held", Action::hold)}));
  answers(relay, {"b@b.test", "c@c.test"}, "x\r\nMessage-ID: <1@a.test>");
  const auto records = relay.log.records("policy");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_THAT(relay.log.levels("policy"), ElementsAre(log::Level::warning, log::Level::info));
  EXPECT_THAT(records[0]["message_id"].get<std::string>(), HasSubstr("1@a.test"));
  EXPECT_EQ(records[0]["size"], relay.messages().at(0).envelope.size);
  EXPECT_EQ(relay.metrics.total(metrics::Counter::recipients_discarded), 0U);
}

TEST(PolicingOfSessions, HandsOnWhatIsHeldWithItsRecord) {
  LiveSession relay(with({rule("held", Action::hold, {"b@b.test"})}));
  EXPECT_THAT(answers(relay, {"c@b.test", "b@b.test"}), HasSubstr("250 2.0.0 OK queued as"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_THAT(relay.messages()[0].envelope.held, ElementsAre(1U));
  EXPECT_EQ(relay.log.records("policy").at(0)["queue_id"], (QueueId{1, 1}.to_text()));
}

TEST(PolicingOfSessions, OpensNothing) {
  auto rules = with({rule("fine", Action::accept)});
  rules.access.allowed = {*Cidr::parse("10.0.0.0/8")};
  LiveSession relay(rules);
  auto client = relay.client();
  client.reply();
  client.send("EHLO stranger\r\n");
  client.reply();
  client.send("MAIL FROM:<a@a.test>\r\n");
  client.reply();
  client.send("RCPT TO:<b@b.test>\r\n");
  EXPECT_THAT(client.reply(), StartsWith("550 5.7.1 Relaying denied"));
}

TEST(PolicingOfSessions, TakesTheRulesOfTheMomentWithEachTransaction) {
  LiveSession relay(LiveSession::allowing_loopback());
  auto client = relay.client();
  client.reply();
  const auto ask = [&](const std::string& command) {
    client.send(command + "\r\n");
    return client.reply();
  };
  ask("HELO app");
  ask("MAIL FROM:<a@a.test>");
  relay.change(with({rule("never", Action::reject, {"b.test"})}));
  EXPECT_THAT(ask("RCPT TO:<b@b.test>"), StartsWith("250")) << "it began before";
  ask("RSET");
  ask("MAIL FROM:<a@a.test>");
  EXPECT_THAT(ask("RCPT TO:<b@b.test>"), StartsWith("550 5.7.1 no"));
}

}  // namespace
}  // namespace relay::session
