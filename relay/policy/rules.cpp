#include "relay/policy/rules.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"
#include "relay/policy/glob.hpp"

namespace relay::policy {
namespace {

Answer answer(bool holds) { return holds ? Answer::yes : Answer::no; }

Answer clients(const Match& match, const Facts& facts) {
  return answer(match.clients.empty() || contains(match.clients, facts.client));
}

/// Nobody's name matches nothing, whatever the pattern.
Answer users(const Match& match, const Facts& facts) {
  if (match.users.empty()) return Answer::yes;
  if (!facts.user) return Answer::unknown;
  return answer(!facts.user->empty() && matches_any_glob(match.users, *facts.user));
}

Answer authenticated(const Match& match, const Facts& facts) {
  if (!match.authenticated) return Answer::yes;
  return facts.user ? answer(facts.user->empty() != *match.authenticated) : Answer::unknown;
}

Answer listeners(const Match& match, const Facts& facts) {
  return answer(match.listeners.empty() || matches_any_glob(match.listeners, facts.listener));
}

Answer helo(const Match& match, const Facts& facts) {
  if (match.helo.empty()) return Answer::yes;
  return facts.helo ? answer(matches_any_glob(match.helo, *facts.helo)) : Answer::unknown;
}

Answer tls(const Match& match, const Facts& facts) {
  if (!match.tls) return Answer::yes;
  return facts.tls ? answer(*facts.tls == *match.tls) : Answer::unknown;
}

Answer address(const std::vector<std::string>& patterns, const mail::Address* address) {
  if (patterns.empty()) return Answer::yes;
  return address != nullptr ? answer(matches_any_address(patterns, *address)) : Answer::unknown;
}
Answer senders(const Match& match, const Facts& facts) { return address(match.senders, facts.sender); }
Answer recipients(const Match& match, const Facts& facts) {
  return address(match.recipients, facts.recipient);
}

Answer larger_than(const Match& match, const Facts& facts) {
  if (!match.larger_than) return Answer::yes;
  return facts.size ? answer(*facts.size > match.larger_than->count) : Answer::unknown;
}

Answer header(const Match& match, const Facts& facts) {
  if (match.header.empty()) return Answer::yes;
  return facts.header != nullptr ? answer(facts.header->has(match.header, match.header_value))
                                 : Answer::unknown;
}

struct Condition {
  std::string_view name;
  Answer (*holds)(const Match&, const Facts&);
};
constexpr std::array kConditions{
  Condition{"clients", clients},
  Condition{"listeners", listeners},
  Condition{"users", users},
  Condition{"authenticated", authenticated},
  Condition{"helo", helo},
  Condition{"tls", tls},
  Condition{"senders", senders},
  Condition{"recipients", recipients},
  Condition{"larger_than", larger_than},
  Condition{"header", header},
};

bool has_what_counts(const Limit& limit, const Facts& facts) {
  return (limit.unit == LimitUnit::recipients ? facts.recipient : facts.sender) != nullptr;
}

}  // namespace

bool always_goes_on(Action action) {
  switch (action) {
    case Action::accept:
    case Action::reject:
    case Action::defer:
    case Action::discard:
    case Action::hold:
    case Action::redirect:
    case Action::route:
    case Action::limit: return false;
    case Action::add_header:
    case Action::remove_header:
    case Action::rewrite_sender:
    case Action::set_priority:
    case Action::copy: break;
  }
  return true;
}

Finding look_at(const Match& match, const Facts& facts) {
  Finding finding;
  for (const auto& condition : kConditions) {
    const auto found = condition.holds(match, facts);
    if (found == Answer::no) return {found, condition.name};
    if (found == Answer::unknown && finding.answer == Answer::yes) finding = {found, condition.name};
  }
  return finding;
}

Finding look_at_rule(const Rule& rule, const Facts& facts) {
  const auto finding = look_at(rule.match, facts);
  if (finding.answer != Answer::yes || rule.action != Action::limit) return finding;
  return has_what_counts(rule.limit, facts) ? finding : Finding{Answer::unknown, "limit"};
}

std::optional<std::string> counted_for(const Limit& limit, const Facts& facts) {
  switch (limit.key) {
    case LimitKey::client: return facts.client.to_text();
    case LimitKey::user:
      if (!facts.user || facts.user->empty()) return std::nullopt;
      return std::string(*facts.user);
    case LimitKey::sender: return plain_text(*facts.sender);
    case LimitKey::sender_domain: return facts.sender->is_null() ? "<>" : lower(facts.sender->domain());
  }
  return std::nullopt;
}

Decision decide(const Rules& rules, const Facts& facts, std::vector<Finding>* looked, Meter* meter) {
  for (const auto& rule : rules) {
    const auto finding = look_at_rule(rule, facts);
    if (looked != nullptr) looked->push_back(finding);
    if (finding.answer == Answer::no || always_goes_on(rule.action)) continue;
    if (finding.answer == Answer::unknown) return {nullptr, false};
    const bool is_within = rule.action == Action::limit && (meter == nullptr || meter->take(rule, facts));
    if (!is_within) return {&rule, true};
  }
  return {};
}

std::optional<mail::Reply> refusal_of(const Decision& decision) {
  if (!decision.is_final || decision.rule == nullptr || !refuses(decision.rule->action)) return std::nullopt;
  return decision.rule->reply;
}

bool refuses(Action action) {
  return action == Action::reject || action == Action::defer || action == Action::limit;
}

std::string_view to_text(Action action) {
  switch (action) {
    case Action::accept: return "accept";
    case Action::reject: return "reject";
    case Action::defer: return "defer";
    case Action::discard: return "discard";
    case Action::hold: return "hold";
    case Action::redirect: return "redirect";
    case Action::route: return "route";
    case Action::limit: return "limit";
    case Action::add_header: return "add_header";
    case Action::remove_header: return "remove_header";
    case Action::rewrite_sender: return "rewrite_sender";
    case Action::set_priority: return "set_priority";
    case Action::copy: return "copy";
  }
  return {};
}

std::vector<std::string> headers_of(const Rules& rules) {
  std::vector<std::string> names;
  for (const auto& rule : rules) {
    if (!rule.match.header.empty()) names.push_back(rule.match.header);
  }
  return names;
}

}  // namespace relay::policy
