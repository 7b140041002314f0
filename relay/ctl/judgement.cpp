#include "relay/ctl/judgement.hpp"

#include <iomanip>
#include <ostream>

namespace relay::ctl {
namespace {

using policy::Action;
using policy::Answer;

std::string destination_of(
  const Rulebook& book, const policy::Rule* rule, const mail::Address& sender, const mail::Address& recipient
) {
  mail::Envelope envelope;
  envelope.reverse_path = sender;
  envelope.recipients = {recipient};
  if (rule != nullptr && rule->action == Action::redirect) envelope.recipients = {rule->redirect_to};
  if (rule != nullptr && rule->action == Action::route) envelope.smarthosts = {rule->smarthost};
  return book.routes.route(envelope, 0).name;
}

/// What becomes of a recipient's mail, in words.
/// @param goes_on  a rule matches that decides nothing
std::string fate_by_rule(
  const Rulebook& book, const policy::Rule* rule, const mail::Address& sender, const mail::Address& recipient,
  bool goes_on
) {
  const auto way = " by " + destination_of(book, rule, sender, recipient);
  if (rule == nullptr)
    return std::string(goes_on ? "accepted, no rule decides;" : "accepted, no rule matches;") + way;
  const auto by = " (rule " + rule->name + ")";
  switch (rule->action) {
    case Action::accept: return "accepted" + by + ";" + way;
    case Action::reject:
    case Action::defer: return "refused" + by + ": " + rule->reply.to_line();
    case Action::discard: return "thrown away" + by;
    case Action::hold: return "on hold" + by + "; released it goes" + way;
    case Action::redirect: return "redirected to " + rule->redirect_to.to_text() + by + ";" + way;
    case Action::route: return "accepted" + by + ";" + way;
    // They decide nothing.
    case Action::limit:
    case Action::add_header:
    case Action::remove_header:
    case Action::rewrite_sender:
    case Action::set_priority:
    case Action::copy: break;
  }
  return {};
}

/// What a rule does that matches and lets the others go on; empty for one that decides.
std::string deed_of(const policy::Rule& rule) {
  switch (rule.action) {
    case Action::limit: return "depends on the count, above it: " + rule.reply.to_line();
    case Action::add_header: return "adds " + rule.field_name + ": " + rule.field_value;
    case Action::remove_header: return "removes " + rule.field_name;
    case Action::rewrite_sender:
      return "the sender becomes " + rule.new_sender.to_text() + (rule.rewrites_from ? ", From too" : "");
    case Action::set_priority:
      return rule.priority == mail::Priority::bulk ? "others' mail goes first" : "goes before bulk";
    case Action::copy: return "a copy goes to " + rule.copy_to.to_text();
    case Action::accept:
    case Action::reject:
    case Action::defer:
    case Action::discard:
    case Action::hold:
    case Action::redirect:
    case Action::route: break;
  }
  return {};
}

ModeDoes mode_of(const policy::Guard& guard, const policy::Rule* rule, const mail::Address& recipient) {
  if (guard.mode == policy::Mode::deliver) return ModeDoes::nothing;
  const bool is_kept_by_rule =
    rule != nullptr && (rule->action == Action::discard || rule->action == Action::hold);
  if (is_kept_by_rule) return ModeDoes::nothing;
  const bool is_redirected = rule != nullptr && rule->action == Action::redirect;
  if (policy::lets_out(guard, is_redirected ? rule->redirect_to : recipient)) return ModeDoes::let_out;
  return guard.mode == policy::Mode::redirect ? ModeDoes::send_elsewhere : ModeDoes::keep_in;
}

std::string words_of(const policy::Rule& rule, const policy::Finding& finding) {
  switch (finding.answer) {
    case Answer::no: return "no: " + std::string(finding.condition) + " does not match";
    case Answer::unknown:
      return "not known yet: " + std::string(finding.condition) +
             (policy::always_goes_on(rule.action) ? "; rules go on" : "; rules behind it do not speak before"
             );
    case Answer::yes: {
      const auto deed = deed_of(rule);
      return deed.empty() ? "yes" : "yes; " + deed;
    }
  }
  return {};
}

/// What a message of this sender goes by, once a rule has given it another one.
mail::Address sender_after(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, const mail::Address& sender
) {
  auto after = sender;
  for (std::size_t i = 0; i < looked.size() && !sender.is_null(); ++i) {
    if (rules[i].action == Action::rewrite_sender && looked[i].answer == Answer::yes)
      after = rules[i].new_sender;
  }
  return after;
}

/// Whether one matches that decides nothing.
bool go_on(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, const policy::Rule* decided
) {
  for (std::size_t i = 0; i < looked.size(); ++i) {
    if (looked[i].answer == Answer::yes && &rules[i] != decided) return true;
  }
  return false;
}

void write_findings(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, std::ostream& out
) {
  for (std::size_t i = 0; i < looked.size(); ++i) {
    write_rule(rules[i], out);
    out << words_of(rules[i], looked[i]) << "\n";
  }
}

}  // namespace

Judgement judge_recipient(const Rulebook& book, const policy::Facts& facts) {
  Judgement judgement;
  judgement.refused = refusal_of_recipient(book, *facts.recipient);
  if (!judgement.refused.empty()) return judgement;
  judgement.decision = policy::decide(book.rules, facts, &judgement.looked);
  if (!policy::refusal_of(judgement.decision))
    judgement.mode = mode_of(book.guard, judgement.decision.rule, *facts.recipient);
  return judgement;
}

std::string fate_of(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open
) {
  if (!judgement.refused.empty()) return judgement.refused;
  const auto& [rule, is_final] = judgement.decision;
  if (!is_final) return std::string(open);
  const auto sender = sender_after(book.rules, judgement.looked, *facts.sender);
  return fate_by_rule(book, rule, sender, *facts.recipient, go_on(book.rules, judgement.looked, rule));
}

std::string deeds_of(const Rulebook& book, const policy::Facts& facts, const Judgement& judgement) {
  const auto* decided = judgement.decision.rule;
  const bool is_gone = decided != nullptr && decided->action == Action::discard;
  std::string deeds;
  for (std::size_t i = 0; i < judgement.looked.size(); ++i) {
    const auto& rule = book.rules[i];
    if (judgement.looked[i].answer != Answer::yes || !policy::always_goes_on(rule.action)) continue;
    if (is_gone && rule.action != Action::copy) continue;
    if (rule.action == Action::rewrite_sender && facts.sender->is_null()) continue;
    deeds += "; " + rule.name + ": " + deed_of(rule);
  }
  return deeds;
}

std::string words_of(const policy::Guard& guard, ModeDoes does) {
  switch (does) {
    case ModeDoes::nothing: return {};
    case ModeDoes::let_out: return "mode " + std::string(policy::to_text(guard.mode)) + " lets it out";
    case ModeDoes::send_elsewhere:
      return "mode redirect sends it to " + guard.redirect_to.to_text() + " instead";
    case ModeDoes::keep_in: return policy::why_captured(guard);
  }
  return {};
}

void write_rule(const policy::Rule& rule, std::ostream& out) {
  const auto action = policy::to_text(rule.action);
  out << "  " << std::left << std::setw(24) << rule.name << action
      << std::string(action.size() < 10 ? 10 - action.size() : 1, ' ');
}

void write_judgement(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open,
  std::ostream& out
) {
  write_findings(book.rules, judgement.looked, out);
  out << "  => " << fate_of(book, facts, judgement, open) << "\n";
  const auto mode = words_of(book.guard, judgement.mode);
  if (!mode.empty()) out << "  => " << mode << "\n";
}

}  // namespace relay::ctl
