#include "relay/session/policing.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "relay/base/text.hpp"
#include "relay/policy/glob.hpp"

namespace relay::session {
namespace {

using policy::Action;
using policy::Rule;

/// What was decided of each recipient, in the order of the envelope; null: nothing.
using Judged = std::vector<const Rule*>;

bool refuses(const Rule* rule) { return rule != nullptr && policy::refuses(rule->action); }

/// The rules that match but for the recipient, in their order. With all other facts known each rule is asked for them once,
/// however many recipients there are: a pattern on a long header field is not looked for a thousand times.
std::vector<const Rule*> in_question(const policy::Rules& rules, const policy::Facts& known) {
  std::vector<const Rule*> found;
  for (const auto& rule : rules) {
    if (policy::look_at(rule.match, known).answer != policy::Answer::no) found.push_back(&rule);
  }
  return found;
}

constexpr std::string_view kFrom = "From";

/// Where a name stands in a list, whatever its case; its size where it does not.
std::size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& each) {
    return equals_ignoring_case(each, name);
  });
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<std::string> removable_fields(const policy::Rules& rules) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (index_of(names, name) == names.size()) names.emplace_back(name);
  };
  for (const auto& rule : rules) {
    if (rule.action == Action::remove_header) add(rule.field_name);
    if (rule.action == Action::rewrite_sender && rule.rewrites_from) add(kFrom);
  }
  return names;
}

/// All that is said of one recipient.
struct Said {
  const Rule* rule = nullptr;      // what decides; null: nothing
  std::vector<const Rule*> along;  // what goes on, before it
};

Said decide(
  const std::vector<const Rule*>& rules, const mail::Address& recipient, policy::Facts known,
  policy::Meter* meter
) {
  Said said;
  known.recipient = &recipient;
  for (const auto* rule : rules) {
    const auto& patterns = rule->match.recipients;
    if (!patterns.empty() && !policy::matches_any_address(patterns, recipient)) continue;
    if (policy::always_goes_on(rule->action)) {
      said.along.push_back(rule);
      continue;
    }
    const bool is_within = rule->action == Action::limit && (meter == nullptr || meter->take(*rule, known));
    if (is_within) continue;
    said.rule = rule;
    break;
  }
  return said;
}

/// The rules that are applied to the message, in their order: for one recipient at least, who is not thrown away; but for
/// copies, which outlive that.
std::vector<const Rule*> applied_of(const std::vector<const Rule*>& rules, const std::vector<Said>& said) {
  std::set<const Rule*> found;
  for (const auto& one : said) {
    const bool is_gone = one.rule != nullptr && one.rule->action == Action::discard;
    for (const auto* rule : one.along) {
      if (!is_gone || rule->action == Action::copy) found.insert(rule);
    }
  }
  std::vector<const Rule*> applied;
  std::copy_if(rules.begin(), rules.end(), std::back_inserter(applied), [&](const Rule* rule) {
    return found.contains(rule);
  });
  return applied;
}

/// The rule whose reply the whole message gets; null: none refuses.
const Rule* refusing(const Judged& judged) {
  const Rule* found = nullptr;
  for (const auto* rule : judged) {
    if (!refuses(rule)) continue;
    if (rule->action == Action::reject) return rule;
    if (found == nullptr) found = rule;
  }
  return found;
}

std::vector<Policing::Deed> deeds_of(
  const Judged& judged, const std::vector<const Rule*>& applied, const mail::Envelope& envelope,
  bool is_refused
) {
  std::map<const Rule*, std::vector<std::string>> by_rule;  // rules of one list: in its order
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const auto* rule = judged[i];
    if (rule == nullptr || rule->action == Action::accept || refuses(rule) != is_refused) continue;
    by_rule[rule].push_back(envelope.recipients[i].to_text());
  }
  std::vector<Policing::Deed> deeds;
  if (!is_refused) {
    for (const auto* rule : applied) by_rule.try_emplace(rule);
  }
  for (auto& [rule, recipients] : by_rule) deeds.push_back({rule, std::move(recipients)});
  return deeds;
}

/// Whether the envelope may name others afterwards.
bool changes_parties(const Judged& judged, const std::vector<const Rule*>& applied) {
  const auto changes = [](const Rule* rule) {
    if (rule == nullptr) return false;
    const auto action = rule->action;
    return action == Action::redirect || action == Action::discard || action == Action::copy ||
           action == Action::rewrite_sender;
  };
  return std::any_of(judged.begin(), judged.end(), changes) ||
         std::any_of(applied.begin(), applied.end(), changes);
}

/// Builds the recipients of an envelope anew.
class Rewriting {
 public:
  Rewriting(mail::Envelope& envelope, const Judged& judged)
      : envelope_(envelope),
        redirects_(std::any_of(
          judged.begin(), judged.end(),
          [](const Rule* rule) { return rule != nullptr && rule->action == Action::redirect; }
        )),
        before_(std::exchange(envelope.recipients, {})),
        asked_(std::exchange(envelope.dsn.recipients, {})) {}

  /// @param rule  of the recipient, which is kept; null: none
  void keep(std::size_t index, const Rule* rule) {
    const bool is_redirected = rule != nullptr && rule->action == Action::redirect;
    auto address = std::move(before_[index]);
    if (is_redirected) address = rule->redirect_to;
    // Several may be redirected to one, who gets one copy; but what a rule holds is not let go for that, nor the other way.
    const bool is_held = rule != nullptr && rule->action == Action::hold;
    if (redirects_ && !seen_.emplace(address, is_held).second) return;
    auto& kept = envelope_.recipients;
    kept.push_back(std::move(address));
    if (!asked_.empty()) envelope_.dsn.recipients.push_back(std::move(asked_[index]));
    if (rule == nullptr) return;
    if (is_held) envelope_.held.push_back(static_cast<std::uint32_t>(kept.size() - 1));
    if (rule->action == Action::route) {
      envelope_.smarthosts.resize(kept.size());
      envelope_.smarthosts.back() = rule->smarthost;
    }
  }
  /// One more, who is told of nothing (RFC 3461 section 4.1: NEVER).
  void add(const mail::Address& copy) {
    auto& kept = envelope_.recipients;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const bool is_held = std::binary_search(envelope_.held.begin(), envelope_.held.end(), i);
      if (kept[i] == copy && !is_held) return;
    }
    kept.push_back(copy);
    auto& asked = envelope_.dsn.recipients;
    asked.resize(kept.size());
    asked.back().notify.never = true;
  }
  void end() {
    if (!envelope_.smarthosts.empty()) envelope_.smarthosts.resize(envelope_.recipients.size());
  }

 private:
  mail::Envelope& envelope_;
  bool redirects_;
  std::vector<mail::Address> before_;
  std::vector<mail::RecipientDsn> asked_;
  std::set<std::pair<mail::Address, bool>> seen_;  // and whether it is held
};

}  // namespace

Policing::Policing(
  std::shared_ptr<const policy::Rules> rules, Client client, mail::Address sender, policy::Meter* meter
)
    : rules_(std::move(rules)),
      client_(std::move(client)),
      sender_(std::move(sender)),
      reads_header_(!policy::headers_of(*rules_).empty()),
      header_(policy::headers_of(*rules_)),
      meter_(meter),
      removable_(removable_fields(*rules_)),
      measure_(removable_) {}

void Policing::see(std::string_view content) {
  if (reads_header_) header_.feed(content);
  if (measure_.is_over()) return;
  measure_.feed(content, passed_);
  passed_.clear();
}

void Policing::measure_again(std::string_view header) {
  if (removable_.empty()) return;
  measure_ = mail::FieldFilter(removable_);
  measure_.feed(header, passed_);
  passed_.clear();
}

policy::Facts Policing::facts() const {
  policy::Facts facts;
  facts.client = client_.address;
  facts.listener = client_.listener;
  facts.user = client_.user;
  facts.helo = client_.helo;
  facts.tls = client_.has_tls;
  facts.sender = &sender_;
  return facts;
}

policy::Decision Policing::judge_sender() const { return policy::decide(*rules_, facts(), nullptr, meter_); }

policy::Decision Policing::judge_recipient(const mail::Address& recipient) const {
  auto known = facts();
  known.recipient = &recipient;
  return policy::decide(*rules_, known, nullptr, meter_);
}

Policing::Ending Policing::finish(mail::Envelope& envelope) {
  header_.finish();
  auto known = facts();
  known.size = envelope.size;
  known.header = &header_;
  const auto rules = in_question(*rules_, known);
  std::vector<Said> said;
  Judged judged;
  for (const auto& recipient : envelope.recipients) {
    said.push_back(decide(rules, recipient, known, meter_));
    judged.push_back(said.back().rule);
  }
  const auto applied = applied_of(rules, said);
  const auto* refusal = refusing(judged);
  Ending ending{std::nullopt, deeds_of(judged, applied, envelope, refusal != nullptr)};
  if (refusal != nullptr) {
    ending.instead = refusal->reply;
    return ending;
  }
  if (ending.deeds.empty()) return ending;
  if (changes_parties(judged, applied)) ending.named = {envelope.reverse_path, envelope.recipients};
  Rewriting rewriting(envelope, judged);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    if (judged[i] == nullptr || judged[i]->action != Action::discard) rewriting.keep(i, judged[i]);
  }
  for (const auto* rule : applied) {
    if (rule->action == Action::copy) rewriting.add(rule->copy_to);
  }
  rewriting.end();
  edit(envelope, applied);
  if (envelope.recipients.empty()) ending.instead = mail::Reply{250, mail::EnhancedStatus{2, 0, 0}, "OK"};
  return ending;
}

/// Each of the whole message, in the order of the rules: where two say the same thing, the later has the last word.
void Policing::edit(mail::Envelope& envelope, const std::vector<const Rule*>& applied) const {
  auto& edits = envelope.edits;
  std::string from;
  const auto remove = [&](const std::string& name) {
    const auto found = index_of(removable_, name);
    if (index_of(edits.removed, name) < edits.removed.size()) return;
    edits.removed.push_back(name);
    edits.removed_octets += measure_.octets()[found];
  };
  for (const auto* rule : applied) {
    switch (rule->action) {
      case Action::add_header: edits.added += rule->field_name + ": " + rule->field_value + "\r\n"; break;
      case Action::remove_header: remove(rule->field_name); break;
      case Action::rewrite_sender:
        if (envelope.reverse_path.is_null()) break;  // reports must not be answered by reports
        envelope.reverse_path = rule->new_sender;
        if (rule->rewrites_from) from = rule->new_sender.to_text();
        break;
      case Action::set_priority: envelope.priority = rule->priority; break;
      case Action::copy:
      case Action::accept:
      case Action::reject:
      case Action::defer:
      case Action::discard:
      case Action::hold:
      case Action::redirect:
      case Action::route:
      case Action::limit: break;
    }
  }
  if (from.empty()) return;
  remove(std::string(kFrom));
  edits.added += "From: <" + from + ">\r\n";
}

}  // namespace relay::session
