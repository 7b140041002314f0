/// policy/glob, header_fields, rules and sender_bindings, mail/mailboxes and field_filter. Input: a line of pieces (their sizes, as digits), a pattern, a text, a sender and a
/// recipient, a line each; then a block of octets, two a rule, that say what it asks for and does; then a header.

#include <string>
#include <vector>

#include "relay/mail/field_filter.hpp"
#include "relay/mail/mailboxes.hpp"
#include "relay/policy/glob.hpp"
#include "relay/policy/rules.hpp"
#include "relay/policy/sender_bindings.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::policy {
namespace {

using fuzz::require;

/// The plain reading of a pattern, one row of a table for each of its octets.
bool matches_plainly(std::string_view pattern, std::string_view text) {
  std::vector<bool> row(text.size() + 1);
  row[0] = true;
  for (const char p : pattern) {
    std::vector<bool> next(text.size() + 1);
    next[0] = row[0] && p == '*';
    for (std::size_t t = 1; t <= text.size(); ++t) {
      if (p == '*') next[t] = next[t - 1] || row[t];
      else next[t] = row[t - 1] && (p == '?' || ascii_lower(p) == ascii_lower(text[t - 1]));
    }
    row = std::move(next);
  }
  return row[text.size()];
}

Rules rules_of(std::string_view octets, const std::string& pattern) {
  Rules rules;
  for (; octets.size() >= 2; octets.remove_prefix(2)) {
    const auto asks = static_cast<std::uint8_t>(octets[0]);
    Rule rule;
    rule.name = std::to_string(rules.size());
    rule.action = static_cast<Action>(static_cast<std::uint8_t>(octets[1]) % 13);
    if ((asks & 1U) != 0)
      rule.match.clients = {*Cidr::parse((asks & 64U) != 0 ? "10.0.0.0/8" : "11.0.0.0/8")};
    if ((asks & 2U) != 0) rule.match.senders = {pattern};
    if ((asks & 4U) != 0) rule.match.recipients = {pattern};
    if ((asks & 8U) != 0) rule.match.tls = (asks & 64U) != 0;
    if ((asks & 16U) != 0) rule.match.larger_than = Octets{asks};
    if ((asks & 32U) != 0) rule.match.header = "Subject";
    rule.match.header_value = pattern;
    rule.limit.unit = (asks & 128U) != 0 ? LimitUnit::recipients : LimitUnit::messages;
    rules.push_back(std::move(rule));
  }
  return rules;
}

/// Says the same of a rule each time, and no to every second one.
class SteadyMeter : public Meter {
 public:
  bool take(const Rule& rule, const Facts& facts) override {
    require(rule.action == Action::limit && facts.sender != nullptr, "what is counted is known");
    require(rule.limit.unit == LimitUnit::messages || facts.recipient != nullptr, "recipients too");
    return rule.name.back() % 2 == 0;
  }
};

/// Whether a decision holds with each fact that is learnt behind it, and is the first rule that matches in the end.
void check(const Rules& rules, const std::vector<Facts>& stages) {
  Decision before{nullptr, false};
  for (const auto& facts : stages) {
    std::vector<Finding> looked;
    SteadyMeter meter;
    const auto now = decide(rules, facts, &looked, &meter);
    if (before.is_final) require(now.is_final && now.rule == before.rule, "what is final stays so");
    require(looked.size() <= rules.size(), "each rule is looked at once");
    before = now;
  }
  require(before.is_final, "with all facts it is decided");
  for (const auto& rule : rules) {
    const bool matches = look_at(rule.match, stages.back()).answer == Answer::yes;
    const bool is_within = rule.action == Action::limit && rule.name.back() % 2 == 0;
    const bool is_it = matches && !always_goes_on(rule.action) && !is_within;
    if (is_it) return require(before.rule == &rule, "the first that matches and decides does");
  }
  require(before.rule == nullptr, "none decides where none matches");
}

HeaderFields header_of(std::string_view content, std::string_view cuts) {
  HeaderFields header({"Subject"});
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { header.feed(piece); });
  header.finish();
  return header;
}

void check_rules(
  const Rules& rules, const mail::Address& sender, const mail::Address& recipient, const HeaderFields& header
) {
  Facts facts;
  facts.client = *IpAddress::parse("10.0.0.1");
  std::vector<Facts> stages{facts};
  facts.user = "";
  facts.helo = "";
  facts.tls = true;
  facts.sender = &sender;
  stages.push_back(facts);
  facts.recipient = &recipient;
  stages.push_back(facts);
  facts.size = 50;
  facts.header = &header;
  stages.push_back(facts);
  check(rules, stages);
}

/// Fields that are left out are what is missing, whatever the pieces.
void check_filter(std::string_view content, std::string_view cuts) {
  mail::FieldFilter filter({"Subject", "X"});
  std::string passed;
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { filter.feed(piece, passed); });
  filter.finish(passed);
  require(passed.size() + filter.octets()[0] + filter.octets()[1] == content.size(), "each octet is counted");
  mail::FieldFilter whole({"X", "Subject"});
  std::string again;
  whole.feed(content, again);
  whole.finish(again);
  require(passed == again, "pieces of any size pass the same");
}

/// Nobody sends as somebody whom a binding names, unless the binding names him too.
void check_bindings(std::string_view content, const std::string& pattern, const mail::Address& sender) {
  const SenderBindings bindings{{"all", {"user"}, {}, {pattern}, true}};
  const Sending stranger{*IpAddress::parse("10.0.0.1"), false, ""};
  const bool is_bound = !sender.is_null() && matches_address(pattern, sender);
  require(
    refuse_sender(bindings, stranger, sender).has_value() == is_bound, "a bound sender is not for strangers"
  );
  HeaderFields from({"From"});
  from.feed(content);
  from.finish();
  const bool may = !refuse_from(bindings, stranger, from).has_value();
  for (const auto& [name, value] : from.all()) {
    const auto mailboxes = mail::mailboxes_of(value);
    require(!may || mailboxes.has_value(), "what cannot be read is refused");
    if (!mailboxes) continue;
    for (const auto& mailbox : *mailboxes) {
      require(!mailbox.domain().empty(), "mailboxes have domains");
      require(!may || !matches_address(pattern, mailbox), "no mailbox is bound");
    }
  }
}

}  // namespace
}  // namespace relay::policy

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::policy;
  using relay::mail::Address;
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();
  const std::string pattern(input.line().substr(0, 320));
  const auto text = input.line().substr(0, 1000);
  require(matches_glob(pattern, text) == matches_plainly(pattern, text), "a pattern is read plainly");
  const auto sender = Address::parse(input.line(), relay::mail::Charset::utf8);
  const auto recipient = Address::parse(input.line(), relay::mail::Charset::utf8);
  const auto rules = rules_of(input.block(), pattern);
  const auto content = input.rest();
  const auto header = header_of(content, cuts);
  const auto whole = header_of(content, "o");  // 63 octets at a time
  require(header.has("subject", pattern) == whole.has("Subject", pattern), "pieces of any size say the same");
  check_filter(content, cuts);
  check_bindings(content, pattern, sender.value_or(Address()));
  check_rules(rules, sender.value_or(Address()), recipient.value_or(Address()), header);
  return 0;
}
