#include "relay/policy/guard.hpp"

#include <algorithm>
#include <utility>

#include "relay/policy/glob.hpp"

namespace relay::policy {
namespace {

/// `rfc822;alice+2Btest@example.org`, in xtext (RFC 3461 section 4). What is more than ASCII needs another type (RFC 6533),
/// which not each next hop reads: left out.
std::string original_recipient(const mail::Address& recipient) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (!recipient.is_ascii()) return {};
  std::string text = "rfc822;";
  for (const char c : recipient.to_text()) {
    const auto octet = static_cast<unsigned char>(c);
    if (c > ' ' && c <= '~' && c != '+' && c != '=') text += c;
    else ((text += '+') += kDigits[octet >> 4U]) += kDigits[octet & 15U];
  }
  return text;
}

std::vector<mail::Address> redirect(const mail::Address& to, mail::Envelope& envelope) {
  auto& recipients = envelope.recipients;
  const bool is_there =
    std::all_of(recipients.begin(), recipients.end(), [&](const auto& each) { return each == to; });
  if (is_there) return {};
  auto before = std::exchange(recipients, {});
  auto asked = std::exchange(envelope.dsn.recipients, {});
  const auto held = std::exchange(envelope.held, {});
  envelope.smarthosts.clear();  // the one address goes where its own route leads
  // What a rule holds is not let go for the others, nor they held for it.
  if (held.size() < before.size()) recipients.push_back(to);
  if (!held.empty()) {
    envelope.held.push_back(static_cast<std::uint32_t>(recipients.size()));
    recipients.push_back(to);
  }
  if (before.size() == 1) {
    auto wanted = asked.empty() ? mail::RecipientDsn{} : std::move(asked.front());
    if (wanted.original_recipient.empty()) wanted.original_recipient = original_recipient(before.front());
    if (!wanted.is_unset()) envelope.dsn.recipients.push_back(std::move(wanted));
  }
  return before;
}

}  // namespace

bool lets_out(const Guard& guard, const mail::Address& recipient) {
  switch (guard.mode) {
    case Mode::deliver: return true;
    case Mode::capture: return false;
    case Mode::redirect: return recipient == guard.redirect_to;
    case Mode::allowlist: return matches_any_address(guard.allowed, recipient);
  }
  return false;
}

std::optional<mail::Reply> refuse_recipient(const Guard& guard, const mail::Address& recipient) {
  const bool rejects = guard.mode == Mode::allowlist && guard.others == Others::reject;
  if (!rejects || lets_out(guard, recipient)) return std::nullopt;
  return mail::Reply{
    550, mail::EnhancedStatus{5, 7, 1},
    "This relay is not in production and sends to recipients on its allowlist only"
  };
}

std::vector<mail::Address> apply(const Guard& guard, mail::Envelope& envelope) {
  if (guard.mode == Mode::deliver) return {};
  std::vector<mail::Address> redirected;
  if (guard.mode == Mode::redirect) redirected = redirect(guard.redirect_to, envelope);
  envelope.captured.clear();
  for (std::uint32_t index = 0; index < envelope.recipients.size(); ++index) {
    const bool is_held = std::binary_search(envelope.held.begin(), envelope.held.end(), index);
    if (!is_held && !lets_out(guard, envelope.recipients[index])) envelope.captured.push_back(index);
  }
  return redirected;
}

std::string original_to_fields(const std::vector<mail::Address>& recipients) {
  std::string fields;
  const auto count = std::min(recipients.size(), kMaxOriginalTo);
  for (std::size_t i = 0; i < count; ++i) fields += "X-Original-To: <" + recipients[i].to_text() + ">\r\n";
  return fields;
}

std::string why_captured(const Guard& guard) {
  const std::string mode = "captured: mode " + std::string(to_text(guard.mode));
  switch (guard.mode) {
    case Mode::deliver:
    case Mode::capture: return mode + " lets no mail out";
    case Mode::redirect: return mode + " lets mail out to " + guard.redirect_to.to_text() + " only";
    case Mode::allowlist: return mode + " does not name the recipient";
  }
  return mode;
}

std::string_view to_text(Mode mode) {
  switch (mode) {
    case Mode::deliver: return "deliver";
    case Mode::capture: return "capture";
    case Mode::redirect: return "redirect";
    case Mode::allowlist: return "allowlist";
  }
  return {};
}

}  // namespace relay::policy
