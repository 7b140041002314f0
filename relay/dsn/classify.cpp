#include "relay/dsn/classify.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "relay/base/text.hpp"

namespace relay::dsn {
namespace {

using smtp::Stage;
using enum BounceClass;

struct ClassFacts {
  BounceClass bounce_class;
  std::string_view label;
  std::string_view advice;
};
constexpr std::array kClasses{
  ClassFacts{
    invalid_recipient, "invalid_recipient",
    "The address does not exist there. Check its spelling, or ask the recipient for the right one."
  },
  ClassFacts{
    invalid_domain, "invalid_domain",
    "The part behind the @ names no domain that takes mail. Check its spelling."
  },
  ClassFacts{
    inactive_mailbox, "inactive_mailbox",
    "The mailbox is not in use any more. Reach the recipient in another way."
  },
  ClassFacts{
    mailbox_full, "mailbox_full",
    "The recipient's mailbox is full. Send the message again once there is room in it."
  },
  ClassFacts{
    message_too_large, "message_too_large",
    "The message is larger than the recipient's system takes. Send less, or a link to it."
  },
  ClassFacts{
    content_rejected, "content_rejected",
    "The recipient's system did not like the content, and may have taken it for spam. Change the text, links "
    "or "
    "attachments, or ask the recipient to let it through."
  },
  ClassFacts{
    authentication_failed, "authentication_failed",
    "The recipient's system could not verify that the sender's domain sent this. Have the SPF, DKIM and "
    "DMARC "
    "records of the sender's domain checked."
  },
  ClassFacts{
    blocklisted, "blocklisted",
    "The sending system stands on a list that the recipient's system trusts. Tell whoever runs the sending "
    "system."
  },
  ClassFacts{
    rate_limited, "rate_limited", "Too much mail came in too short a time. Send the message again later."
  },
  ClassFacts{
    greylisted, "greylisted", "The recipient's system wanted the message to come again later. Send it again."
  },
  ClassFacts{
    relaying_denied, "relaying_denied",
    "The next system does not accept mail for this recipient from here. Tell whoever runs the sending system."
  },
  ClassFacts{
    policy, "policy",
    "A rule of the recipient's system forbids this message. Ask the recipient or whoever runs that system."
  },
  ClassFacts{
    protocol_error, "protocol_error",
    "The two mail systems did not understand each other. Tell whoever runs the sending system."
  },
  ClassFacts{tls, "tls", "No secure connection could be made. Tell whoever runs the sending system."},
  ClassFacts{
    dns, "dns",
    "The address of the recipient's system could not be found. Check the spelling of the domain, or try "
    "again later."
  },
  ClassFacts{
    network, "network", "The recipient's system could not be reached. Send the message again later."
  },
  ClassFacts{
    expired, "expired",
    "It was tried again and again without success. Send the message again if it still matters."
  },
  ClassFacts{
    routing_loop, "routing_loop", "The message went in circles. Tell whoever runs the recipient's system."
  },
  ClassFacts{other, "other", "What the other system answered says more."},
};

const ClassFacts& facts(BounceClass bounce_class) {
  return *std::find_if(kClasses.begin(), kClasses.end(), [&](const auto& candidate) {
    return candidate.bounce_class == bounce_class;
  });
}

struct ErrorRule {
  Errc error;
  BounceClass bounce_class;
};
constexpr std::array kErrors{
  ErrorRule{Errc::timed_out, network},
  ErrorRule{Errc::connection_failed, network},
  ErrorRule{Errc::connection_lost, network},
  ErrorRule{Errc::unavailable, network},
  ErrorRule{Errc::name_not_found, dns},
  ErrorRule{Errc::tls_failed, tls},
  ErrorRule{Errc::protocol_error, protocol_error},
};

/// Phrases in lower case. The first that is found counts, so what is more telling stands above.
struct Phrase {
  std::string_view text;
  BounceClass bounce_class;
};
constexpr std::array kPhrases{
  Phrase{"greylist", greylisted},
  Phrase{"graylist", greylisted},
  Phrase{"grey-list", greylisted},
  Phrase{"postgrey", greylisted},
  Phrase{"too many hops", routing_loop},
  Phrase{"mail loop", routing_loop},
  Phrase{"routing loop", routing_loop},
  Phrase{"loops back to myself", routing_loop},
  Phrase{"relay access denied", relaying_denied},
  Phrase{"relaying denied", relaying_denied},
  Phrase{"unable to relay", relaying_denied},
  Phrase{"not permitted to relay", relaying_denied},
  Phrase{"relay not permitted", relaying_denied},
  Phrase{"relaying not allowed", relaying_denied},
  Phrase{"relay denied", relaying_denied},
  Phrase{"dmarc", authentication_failed},
  Phrase{"spf check", authentication_failed},
  Phrase{"spf fail", authentication_failed},
  Phrase{"spf validation", authentication_failed},
  Phrase{"fails spf", authentication_failed},
  Phrase{"sender policy framework", authentication_failed},
  Phrase{"dkim", authentication_failed},
  Phrase{"unauthenticated email", authentication_failed},
  Phrase{"spamhaus", blocklisted},
  Phrase{"spamcop", blocklisted},
  Phrase{"barracudacentral", blocklisted},
  Phrase{"blacklist", blocklisted},
  Phrase{"blocklist", blocklisted},
  Phrase{"black list", blocklisted},
  Phrase{"block list", blocklisted},
  Phrase{"denylist", blocklisted},
  Phrase{"dnsbl", blocklisted},
  Phrase{"blocked using", blocklisted},
  Phrase{"poor reputation", blocklisted},
  Phrase{"rate limit", rate_limited},
  Phrase{"ratelimit", rate_limited},
  Phrase{"rate-limit", rate_limited},
  Phrase{"throttl", rate_limited},
  Phrase{"unusual rate", rate_limited},
  Phrase{"too many connections", rate_limited},
  Phrase{"too many messages", rate_limited},
  Phrase{"too much mail", rate_limited},
  Phrase{"sending limit", rate_limited},
  Phrase{"mailbox full", mailbox_full},
  Phrase{"mailbox is full", mailbox_full},
  Phrase{"over quota", mailbox_full},
  Phrase{"overquota", mailbox_full},
  Phrase{"quota exceeded", mailbox_full},
  Phrase{"exceeded storage", mailbox_full},
  Phrase{"exceeds its quota", mailbox_full},
  Phrase{"out of storage space", mailbox_full},
  Phrase{"message too large", message_too_large},
  Phrase{"message too big", message_too_large},
  Phrase{"message size exceeds", message_too_large},
  Phrase{"exceeds maximum message size", message_too_large},
  Phrase{"size limit", message_too_large},
  Phrase{"account disabled", inactive_mailbox},
  Phrase{"account is disabled", inactive_mailbox},
  Phrase{"mailbox disabled", inactive_mailbox},
  Phrase{"inactive", inactive_mailbox},
  Phrase{"no longer active", inactive_mailbox},
  Phrase{"no longer in use", inactive_mailbox},
  Phrase{"suspended", inactive_mailbox},
  Phrase{"domain not found", invalid_domain},
  Phrase{"domain does not exist", invalid_domain},
  Phrase{"user unknown", invalid_recipient},
  Phrase{"unknown user", invalid_recipient},
  Phrase{"no such user", invalid_recipient},
  Phrase{"no such recipient", invalid_recipient},
  Phrase{"no such mailbox", invalid_recipient},
  Phrase{"does not exist", invalid_recipient},
  Phrase{"doesn't exist", invalid_recipient},
  Phrase{"unknown recipient", invalid_recipient},
  Phrase{"recipient unknown", invalid_recipient},
  Phrase{"unknown mailbox", invalid_recipient},
  Phrase{"recipient not found", invalid_recipient},
  Phrase{"user not found", invalid_recipient},
  Phrase{"mailbox not found", invalid_recipient},
  Phrase{"invalid recipient", invalid_recipient},
  Phrase{"invalid mailbox", invalid_recipient},
  Phrase{"mailbox unavailable", invalid_recipient},
  Phrase{"host unknown", invalid_domain},
  Phrase{"unrouteable address", invalid_domain},
  Phrase{"unroutable", invalid_domain},
  Phrase{"virus", content_rejected},
  Phrase{"malware", content_rejected},
  Phrase{"phish", content_rejected},
  Phrase{"spam", content_rejected},
  Phrase{"unsolicited", content_rejected},
  Phrase{"message content rejected", content_rejected},
  Phrase{"content rejected", content_rejected},
  Phrase{"attachment", content_rejected},
  Phrase{"starttls", tls},
  Phrase{"encryption required", tls},
};

/// Subject and detail of the enhanced status; detail kAny takes all that have no row above.
constexpr std::uint16_t kAny = 0xFFFF;
struct StatusRule {
  std::uint16_t subject;
  std::uint16_t detail;
  BounceClass bounce_class;
};
constexpr std::array kStatuses{
  StatusRule{1, 2, invalid_domain},
  StatusRule{1, 6, inactive_mailbox},
  StatusRule{1, 7, policy},
  StatusRule{1, 8, policy},
  StatusRule{1, 10, invalid_domain},
  StatusRule{1, kAny, invalid_recipient},
  StatusRule{2, 1, inactive_mailbox},
  StatusRule{2, 2, mailbox_full},
  StatusRule{2, 3, message_too_large},
  StatusRule{3, 4, message_too_large},
  StatusRule{4, 1, network},
  StatusRule{4, 2, network},
  StatusRule{4, 3, dns},
  StatusRule{4, 4, dns},
  StatusRule{4, 5, rate_limited},
  StatusRule{4, 6, routing_loop},
  StatusRule{4, 7, expired},
  StatusRule{5, 3, rate_limited},
  StatusRule{5, kAny, protocol_error},
  StatusRule{6, 3, protocol_error},
  StatusRule{6, 7, protocol_error},
  StatusRule{6, kAny, content_rejected},
  StatusRule{7, 10, tls},
  StatusRule{7, 11, tls},
  StatusRule{7, 20, authentication_failed},
  StatusRule{7, 21, authentication_failed},
  StatusRule{7, 22, authentication_failed},
  StatusRule{7, 23, authentication_failed},
  StatusRule{7, 24, authentication_failed},
  StatusRule{7, 26, authentication_failed},
  StatusRule{7, 28, rate_limited},
  StatusRule{7, 30, tls},
  StatusRule{7, kAny, policy},
};

struct CodeRule {
  std::uint16_t code;
  std::optional<Stage> stage;
  BounceClass bounce_class;
};
constexpr std::array kCodes{
  CodeRule{421, std::nullopt, network},
  CodeRule{452, Stage::rcpt, rate_limited},
  CodeRule{454, Stage::starttls, tls},
  CodeRule{500, std::nullopt, protocol_error},
  CodeRule{501, std::nullopt, protocol_error},
  CodeRule{502, std::nullopt, protocol_error},
  CodeRule{503, std::nullopt, protocol_error},
  CodeRule{504, std::nullopt, protocol_error},
  CodeRule{555, std::nullopt, protocol_error},
  CodeRule{550, Stage::rcpt, invalid_recipient},
  CodeRule{551, Stage::rcpt, invalid_recipient},
  CodeRule{553, Stage::rcpt, invalid_recipient},
  CodeRule{552, Stage::rcpt, mailbox_full},
  CodeRule{552, std::nullopt, message_too_large},
  CodeRule{550, Stage::data_end, content_rejected},
  CodeRule{554, Stage::data_end, content_rejected},
  CodeRule{550, std::nullopt, policy},
  CodeRule{554, std::nullopt, policy},
};

/// The class of the first rule that `holds`, or nothing.
template <class Rules, class Predicate>
std::optional<BounceClass> first(const Rules& rules, Predicate holds) {
  const auto rule = std::find_if(rules.begin(), rules.end(), holds);
  if (rule == rules.end()) return std::nullopt;
  return rule->bounce_class;
}

std::optional<BounceClass> by_text(std::string_view reply_text) {
  auto text = lower(reply_text);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return first(kPhrases, [&](const Phrase& phrase) { return text.find(phrase.text) != std::string::npos; });
}

std::optional<BounceClass> by_status(const std::optional<mail::EnhancedStatus>& status) {
  if (!status) return std::nullopt;
  return first(kStatuses, [&](const StatusRule& rule) {
    return rule.subject == status->subject && (rule.detail == status->detail || rule.detail == kAny);
  });
}

}  // namespace

std::string_view to_label(BounceClass bounce_class) { return facts(bounce_class).label; }
std::string_view advice(BounceClass bounce_class) { return facts(bounce_class).advice; }

BounceClass classify(const Failure& failure) {
  const auto& reply = failure.reply;
  if (failure.error) {
    const auto found = first(kErrors, [&](const auto& rule) { return rule.error == *failure.error; });
    if (found) return *found;
  }
  // Our own verdict on a message that grew too old quotes what it was told last: that is not why it ends.
  if (reply.status && reply.status->subject == 4 && reply.status->detail == 7) return expired;
  if (const auto found = by_text(reply.text)) return *found;
  if (const auto found = by_status(reply.status)) return *found;
  return first(
           kCodes, [&](const CodeRule& rule
                   ) { return rule.code == reply.code && (!rule.stage || *rule.stage == failure.stage); }
  ).value_or(other);
}

}  // namespace relay::dsn
