#include "relay/config/policy_rules.hpp"

#include "relay/config/object_tables.hpp"
#include "relay/config/values.hpp"

namespace relay::config {
namespace {

using policy::Action;

/// Longer patterns are for no address (RFC 5321 section 4.5.3.1), nor for what fits into a line of a header.
constexpr std::size_t kMaxPattern = 320;
/// Codes and status come on top, within a line of 512 octets.
constexpr std::size_t kMaxReplyText = 400;

bool is_pattern(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPattern &&
         std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c <= ' ') || c == '\x7F'; });
}

template <auto Member>
Result<void> patterns(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::vector<std::string>& list) {
    return std::all_of(list.begin(), list.end(), [](const auto& pattern) { return is_pattern(pattern); });
  });
}

bool is_field_name(std::string_view name) {
  return name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

bool is_field_pattern(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPattern && trimmed(text) == text &&
         std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; });
}

/// `550 5.7.1 Not here`: a code of RFC 5321 for a refusal, and a status of the same class where there is one.
bool is_refusal(std::string_view text) {
  const auto reply = mail::Reply::parse_line(text);
  if (!reply) return false;
  const auto kind = reply->code / 10;
  const bool is_code = kind == 45 || kind == 55;
  const bool has_fitting_status = !reply->status || reply->status->status_class == reply->code / 100;
  return is_code && has_fitting_status && !reply->text.empty() && reply->text.size() <= kMaxReplyText &&
         std::all_of(reply->text.begin(), reply->text.end(), is_printable);
}

#define FIELD_ACCESS(member, check) check, get<&O::member>
using O = PolicyRule;
constexpr std::string_view kPatterns =
  "patterns without blanks and commas, `*` for anything and `?` for one octet";

const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "", "Its name, in logs."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"clients", Shape::list, "networks such as 10.0.0.0/8, or nothing for all", "",
     "Networks that clients are in; it opens nothing to those outside `allowed_networks`."},
    false,
    FIELD_ACCESS(clients, any<&O::clients>)
  },
  Field<O>{
    {"helo", Shape::list, kPatterns, "", "What the client says in HELO or EHLO."},
    false,
    FIELD_ACCESS(helo, patterns<&O::helo>)
  },
  Field<O>{
    {"senders", Shape::list, kPatterns, "",
     "Of the envelope: with an `@` of the address, without one of the domain; `<>` is the null sender."},
    false,
    FIELD_ACCESS(senders, patterns<&O::senders>)
  },
  Field<O>{
    {"recipients", Shape::list, kPatterns, "", "As `senders`, of the recipient."},
    false,
    FIELD_ACCESS(recipients, patterns<&O::recipients>)
  },
  Field<O>{
    {"tls", Shape::text, "on, off, or nothing for both", "", "Whether the connection is encrypted."},
    false,
    FIELD_ACCESS(tls, any<&O::tls>)
  },
  Field<O>{
    {"larger_than", Shape::text, "a size such as 10Mi, or nothing", "", "Content of more octets."},
    false,
    FIELD_ACCESS(larger_than, any<&O::larger_than>)
  },
  Field<O>{
    {"header", Shape::text, "the name of a header field, or nothing", "",
     "A field that the header has; encoded words in it are not decoded, and the first 16 KiB count."},
    false,
    [](O& object, std::string_view text) { return checked<&O::header>(object, text, is_field_name); },
    get<&O::header>
  },
  Field<O>{
    {"header_value", Shape::text, "a pattern", "*", "Its value."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::header_value>(object, text, is_field_pattern);
    },
    get<&O::header_value>
  },
  Field<O>{
    {"action", Shape::text, "accept, reject, defer, discard, hold, redirect or route", "",
     "What becomes of the mail; rules behind this one don't speak."},
    true,
    FIELD_ACCESS(action, any<&O::action>)
  },
  Field<O>{
    {"reply", Shape::text, "a reply such as 550 5.7.1 Not here, or nothing", "",
     "Of `reject` (55z) and `defer` (45z)."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::reply>(object, text, [](const std::string& reply) {
        return reply.empty() || is_refusal(reply);
      });
    },
    get<&O::reply>
  },
  Field<O>{
    {"redirect_to", Shape::text, "an address, or nothing", "", "Of `redirect`: the recipient instead."},
    false,
    FIELD_ACCESS(redirect_to, address_or_nothing<&O::redirect_to>)
  },
  Field<O>{
    {"smarthost", Shape::text, "the name of a smarthost, or nothing", "",
     "Of `route`: mail goes to it, and to those with the same domains."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::smarthost>(object, text, [](const std::string& name) {
        return name.empty() || is_label(name);
      });
    },
    get<&O::smarthost>
  },
};
#undef FIELD_ACCESS

mail::Reply reply_of(const PolicyRule& rule) {
  if (const auto reply = mail::Reply::parse_line(rule.reply)) return *reply;
  if (rule.action == Action::defer) return {451, mail::EnhancedStatus{4, 7, 1}, "Deferred by policy"};
  return {550, mail::EnhancedStatus{5, 7, 1}, "Refused by policy"};
}

policy::Rule to_rule(const PolicyRule& from) {
  policy::Rule rule;
  rule.name = from.name;
  auto& match = rule.match;
  match.clients = from.clients;
  match.helo = from.helo;
  match.senders = from.senders;
  match.recipients = from.recipients;
  if (from.tls) match.tls = *from.tls == Switch::on;
  match.larger_than = from.larger_than;
  match.header = from.header;
  match.header_value = from.header_value;
  rule.action = from.action;
  rule.reply = reply_of(from);
  if (const auto address = mail::Address::parse(from.redirect_to)) rule.redirect_to = *address;
  rule.smarthost = from.smarthost;
  return rule;
}

}  // namespace

template <>
std::span<const Field<PolicyRule>> fields_of<PolicyRule>() {
  return kFields;
}

std::string wrong_with(const PolicyRule& rule) {
  const bool refuses = rule.action == Action::reject || rule.action == Action::defer;
  const char kind = rule.action == Action::reject ? '5' : '4';
  if (!rule.reply.empty() && !refuses) return "reply is for reject and defer";
  if (!rule.reply.empty() && rule.reply.front() != kind)
    return "reject needs a reply of 55z, defer one of 45z";
  if (rule.redirect_to.empty() == (rule.action == Action::redirect))
    return "redirect needs redirect_to, which is for it alone";
  if (rule.smarthost.empty() == (rule.action == Action::route))
    return "route needs smarthost, which is for it alone";
  if (rule.header.empty() && rule.header_value != "*") return "header_value needs header";
  return {};
}

policy::Rules policy_rules(const Settings& settings) {
  policy::Rules rules;
  for (const auto& rule : settings.policies) rules.push_back(to_rule(rule));
  return rules;
}

}  // namespace relay::config
