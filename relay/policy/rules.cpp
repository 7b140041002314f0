#include "relay/policy/rules.hpp"

#include <algorithm>
#include <array>

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
  Condition{"users", users},
  Condition{"helo", helo},
  Condition{"tls", tls},
  Condition{"senders", senders},
  Condition{"recipients", recipients},
  Condition{"larger_than", larger_than},
  Condition{"header", header},
};

}  // namespace

Finding look_at(const Match& match, const Facts& facts) {
  Finding finding;
  for (const auto& condition : kConditions) {
    const auto found = condition.holds(match, facts);
    if (found == Answer::no) return {found, condition.name};
    if (found == Answer::unknown && finding.answer == Answer::yes) finding = {found, condition.name};
  }
  return finding;
}

Decision decide(const Rules& rules, const Facts& facts, std::vector<Finding>* looked) {
  for (const auto& rule : rules) {
    const auto finding = look_at(rule.match, facts);
    if (looked != nullptr) looked->push_back(finding);
    switch (finding.answer) {
      case Answer::no: break;
      case Answer::unknown: return {nullptr, false};
      case Answer::yes: return {&rule, true};
    }
  }
  return {};
}

std::optional<mail::Reply> refusal_of(const Decision& decision) {
  if (!decision.is_final || decision.rule == nullptr) return std::nullopt;
  const auto action = decision.rule->action;
  if (action != Action::reject && action != Action::defer) return std::nullopt;
  return decision.rule->reply;
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
