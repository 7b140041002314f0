#include "relay/session/policing.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "relay/policy/glob.hpp"

namespace relay::session {
namespace {

using policy::Action;
using policy::Rule;

/// What was decided of each recipient, in the order of the envelope; null: nothing.
using Judged = std::vector<const Rule*>;

bool refuses(const Rule* rule) {
  return rule != nullptr && (rule->action == Action::reject || rule->action == Action::defer);
}

/// The rules that match but for the recipient, in their order. With all other facts known each rule is asked for them once,
/// however many recipients there are: a pattern on a long header field is not looked for a thousand times.
std::vector<const Rule*> in_question(const policy::Rules& rules, const policy::Facts& known) {
  std::vector<const Rule*> found;
  for (const auto& rule : rules) {
    if (policy::look_at(rule.match, known).answer != policy::Answer::no) found.push_back(&rule);
  }
  return found;
}

/// What decides of a recipient; null: nothing.
const Rule* decide(const std::vector<const Rule*>& rules, const mail::Address& recipient) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule* rule) {
    const auto& patterns = rule->match.recipients;
    return patterns.empty() || policy::matches_any_address(patterns, recipient);
  });
  return found == rules.end() ? nullptr : *found;
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

std::vector<Policing::Deed> deeds_of(const Judged& judged, const mail::Envelope& envelope, bool is_refused) {
  std::map<const Rule*, std::vector<std::string>> by_rule;  // rules of one list: in its order
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const auto* rule = judged[i];
    if (rule == nullptr || rule->action == Action::accept || refuses(rule) != is_refused) continue;
    by_rule[rule].push_back(envelope.recipients[i].to_text());
  }
  std::vector<Policing::Deed> deeds;
  for (auto& [rule, recipients] : by_rule) deeds.push_back({rule, std::move(recipients)});
  return deeds;
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

Policing::Policing(std::shared_ptr<const policy::Rules> rules, Client client, mail::Address sender)
    : rules_(std::move(rules)),
      client_(std::move(client)),
      sender_(std::move(sender)),
      reads_header_(!policy::headers_of(*rules_).empty()),
      header_(policy::headers_of(*rules_)) {}

policy::Facts Policing::facts() const {
  policy::Facts facts;
  facts.client = client_.address;
  facts.user = client_.user;
  facts.listener = client_.listener;
  facts.helo = client_.helo;
  facts.tls = client_.has_tls;
  facts.sender = &sender_;
  return facts;
}

policy::Decision Policing::judge_sender() const { return policy::decide(*rules_, facts()); }

policy::Decision Policing::judge_recipient(const mail::Address& recipient) const {
  auto known = facts();
  known.recipient = &recipient;
  return policy::decide(*rules_, known);
}

Policing::Ending Policing::finish(mail::Envelope& envelope) {
  header_.finish();
  auto known = facts();
  known.size = envelope.size;
  known.header = &header_;
  const auto rules = in_question(*rules_, known);
  Judged judged;
  for (const auto& recipient : envelope.recipients) judged.push_back(decide(rules, recipient));
  const auto* refusal = refusing(judged);
  Ending ending{std::nullopt, deeds_of(judged, envelope, refusal != nullptr)};
  if (refusal != nullptr) {
    ending.instead = refusal->reply;
    return ending;
  }
  if (ending.deeds.empty()) return ending;
  Rewriting rewriting(envelope, judged);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    if (judged[i] == nullptr || judged[i]->action != Action::discard) rewriting.keep(i, judged[i]);
  }
  rewriting.end();
  if (envelope.recipients.empty()) ending.instead = mail::Reply{250, mail::EnhancedStatus{2, 0, 0}, "OK"};
  return ending;
}

}  // namespace relay::session
