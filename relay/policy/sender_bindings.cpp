#include "relay/policy/sender_bindings.hpp"

#include <algorithm>

#include "relay/mail/mailboxes.hpp"
#include "relay/policy/glob.hpp"

namespace relay::policy {
namespace {

bool names_client(const SenderBinding& binding, const Sending& who) {
  if (!who.user.empty() && matches_any_glob(binding.users, who.user)) return true;
  return std::any_of(binding.clients.begin(), binding.clients.end(), [&](const Cidr& network) {
    return network.contains(who.client) && (!who.is_hidden || network.is_single_address());
  });
}

/// @param in_header  only those that cover the header bind there, but all of them allow
bool may_send_as(
  const SenderBindings& bindings, const Sending& who, const mail::Address& sender, bool in_header
) {
  bool is_bound = false;
  for (const auto& binding : bindings) {
    const bool has_client = names_client(binding, who);
    const bool has_sender = matches_any_address(binding.senders, sender);
    if (has_client && has_sender) return true;
    is_bound = is_bound || ((has_client || has_sender) && (!in_header || binding.covers_header));
  }
  return !is_bound;
}

std::string words_for(const Sending& who) {
  return who.user.empty() ? who.client.to_text() + " without a login" : "the user that logged in";
}

/// Whose it is nobody knows, so it may be anybody's.
mail::Reply unreadable(const std::string& why) {
  return {550, mail::EnhancedStatus{5, 7, 1}, "From in the header cannot be read: " + why};
}

constexpr const char* kAdvice = ": use an address of its own, or log in as a user who may";

}  // namespace

std::optional<mail::Reply> refuse_sender(
  const SenderBindings& bindings, const Sending& who, const mail::Address& sender
) {
  if (sender.is_null() || may_send_as(bindings, who, sender, false)) return std::nullopt;
  return mail::Reply{
    553, mail::EnhancedStatus{5, 7, 1}, "This sender is not for " + words_for(who) + kAdvice
  };
}

bool cover_header(const SenderBindings& bindings) {
  return std::any_of(bindings.begin(), bindings.end(), [](const auto& binding) {
    return binding.covers_header;
  });
}

std::optional<mail::Reply> refuse_from(
  const SenderBindings& bindings, const Sending& who, const HeaderFields& from
) {
  const mail::Reply not_for{
    550, mail::EnhancedStatus{5, 7, 1}, "From in the header is not for " + words_for(who) + kAdvice
  };
  if (!cover_header(bindings)) return std::nullopt;
  if (from.is_cut()) return unreadable("it is too long");
  for (const auto& [name, value] : from.all()) {
    const auto mailboxes = mail::mailboxes_of(value);
    if (!mailboxes) return unreadable("it is no list of addresses");
    const bool may = std::all_of(mailboxes->begin(), mailboxes->end(), [&](const mail::Address& mailbox) {
      return may_send_as(bindings, who, mailbox, true);
    });
    if (!may) return not_for;
  }
  return std::nullopt;
}

}  // namespace relay::policy
