#include "relay/config/policy_rules.hpp"

#include "relay/config/object_tables.hpp"
#include "relay/config/values.hpp"

namespace relay::config {
namespace {

using policy::Action;

constexpr std::size_t kMaxFieldText = 512;
/// Codes and status come on top, within a line of 512 octets.
constexpr std::size_t kMaxReplyText = 400;

/// What may stand in a header as it is: printable ASCII on one line (RFC 5322 section 2.1.1: 998 octets with the name).
bool is_field_text(std::string_view text) {
  return text.size() <= kMaxFieldText && trimmed(text) == text &&
         std::all_of(text.begin(), text.end(), is_printable);
}

/// Fields that rules may neither add nor take away: by them loops are found, and one that a client wrote is no hop.
bool is_ours(std::string_view name) { return equals_ignoring_case(name, "received"); }

bool is_field_pattern(std::string_view text) {
  return !text.empty() && text.size() <= kMaxGlob && trimmed(text) == text &&
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
    {"listeners", Shape::list, kGlobs, "",
     "Names of listeners that the client connected to; one that has no name of its own is `smtp`."},
    false,
    FIELD_ACCESS(listeners, globs<&O::listeners>)
  },
  Field<O>{
    {"users", Shape::list, kGlobs, "", "Names that clients logged in with; `*` for any of them."},
    false,
    FIELD_ACCESS(users, globs<&O::users>)
  },
  Field<O>{
    {"authenticated", Shape::text, "on, off, or nothing for both", "", "Whether the client has logged in."},
    false,
    FIELD_ACCESS(authenticated, any<&O::authenticated>)
  },
  Field<O>{
    {"helo", Shape::list, kGlobs, "", "What the client says in HELO or EHLO."},
    false,
    FIELD_ACCESS(helo, globs<&O::helo>)
  },
  Field<O>{
    {"senders", Shape::list, kGlobs, "",
     "Of the envelope: with an `@` of the address, without one of the domain; `<>` is the null sender."},
    false,
    FIELD_ACCESS(senders, globs<&O::senders>)
  },
  Field<O>{
    {"recipients", Shape::list, kGlobs, "", "As `senders`, of the recipient."},
    false,
    FIELD_ACCESS(recipients, globs<&O::recipients>)
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
    [](O& object, std::string_view text) { return checked<&O::header>(object, text, [](const std::string& name) {
        return name.empty() || mail::is_field_name(name);
      }); },
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
    {"action", Shape::text,
     "accept, reject, defer, discard, hold, redirect, route, limit, add_header, remove_header, rewrite_sender, "
     "set_priority or copy",
     "",
     "What becomes of the mail. Behind the first seven, and a limit that is exceeded, rules don't speak; the "
     "others are done in their order, and the rules go on. The last five are of the whole message, once they "
     "are for one of its recipients who is not thrown away."},
    true,
    FIELD_ACCESS(action, any<&O::action>)
  },
  Field<O>{
    {"reply", Shape::text, "a reply such as 550 5.7.1 Not here, or nothing", "",
     "Of `reject` (55z), `defer` and `limit` (45z)."},
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
  Field<O>{
    {"limit_rate", Shape::text, "a rate such as 100/1h, or nothing", "",
     "Of `limit`: how many in which time, up to 720h. So many may come at once, and they come back evenly; each "
     "pod counts by itself, and a restart forgets."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::limit_rate>(object, text, [](const std::optional<queue::Rate>& rate) {
        return !rate || rate->per <= milliseconds{720 * kHour};
      });
    },
    get<&O::limit_rate>
  },
  Field<O>{
    {"limit_key", Shape::text, "client, user, sender or sender_domain, or nothing for client", "",
     "Of `limit`: who is counted by himself. `user` leaves those alone who have not logged in."},
    false,
    FIELD_ACCESS(limit_key, any<&O::limit_key>)
  },
  Field<O>{
    {"limit_unit", Shape::text, "messages or recipients, or nothing for messages", "",
     "Of `limit`: what is counted. What is not accepted in the end is not."},
    false,
    FIELD_ACCESS(limit_unit, any<&O::limit_unit>)
  },
  Field<O>{
    {"field_name", Shape::text, "the name of a header field but `Received`, or nothing", "",
     "Of `add_header` and `remove_header`, which takes away all fields of that name that the client sent."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::field_name>(object, text, [](const std::string& name) {
        return name.empty() || (mail::is_field_name(name) && !is_ours(name));
      });
    },
    get<&O::field_name>
  },
  Field<O>{
    {"field_value", Shape::text, "printable ASCII of at most 512 octets, or nothing", "",
     "Of `add_header`: what stands behind the colon."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::field_value>(object, text, is_field_text);
    },
    get<&O::field_value>
  },
  Field<O>{
    {"new_sender", Shape::text, "an address, or nothing", "",
     "Of `rewrite_sender`: the reverse path instead, which hears of failures. The null sender stays."},
    false,
    FIELD_ACCESS(new_sender, address_or_nothing<&O::new_sender>)
  },
  Field<O>{
    {"new_from", Shape::text, "on, off, or nothing for off", "",
     "Of `rewrite_sender`: the header's From becomes new_sender as well."},
    false,
    FIELD_ACCESS(new_from, any<&O::new_from>)
  },
  Field<O>{
    {"priority", Shape::text, "normal or bulk, or nothing", "",
     "Of `set_priority`, which wins over `bulk_senders` and `bulk_headers`."},
    false,
    FIELD_ACCESS(priority, any<&O::priority>)
  },
  Field<O>{
    {"copy_to", Shape::text, "an address, or nothing", "",
     "Of `copy`: one recipient more, of whom nobody is told anything (NOTIFY=NEVER)."},
    false,
    FIELD_ACCESS(copy_to, address_or_nothing<&O::copy_to>)
  },
};
#undef FIELD_ACCESS

policy::Limit limit_of(const PolicyRule& rule) {
  policy::Limit limit;
  if (rule.limit_rate) limit.count = rule.limit_rate->count;
  if (rule.limit_rate) limit.per = rule.limit_rate->per;
  limit.key = rule.limit_key.value_or(policy::LimitKey::client);
  limit.unit = rule.limit_unit.value_or(policy::LimitUnit::messages);
  return limit;
}

std::string_view words_of(policy::LimitKey key) {
  switch (key) {
    case policy::LimitKey::client: return "client";
    case policy::LimitKey::user: return "user";
    case policy::LimitKey::sender: return "sender";
    case policy::LimitKey::sender_domain: return "sender domain";
  }
  return {};
}

mail::Reply limit_reply(const PolicyRule& rule) {
  const auto limit = limit_of(rule);
  return {
    451, mail::EnhancedStatus{4, 7, 1},
    "Limit " + rule.name + " of " + std::to_string(limit.count) + " " + write_value(limit.unit) + " in " +
      to_text(limit.per) + " for each " + std::string(words_of(limit.key)) +
      " is exceeded: keep the mail and try again later"
  };
}

mail::Reply reply_of(const PolicyRule& rule) {
  if (const auto reply = mail::Reply::parse_line(rule.reply)) return *reply;
  if (rule.action == Action::limit) return limit_reply(rule);
  if (rule.action == Action::defer) return {451, mail::EnhancedStatus{4, 7, 1}, "Deferred by policy"};
  return {550, mail::EnhancedStatus{5, 7, 1}, "Refused by policy"};
}

policy::Rule to_rule(const PolicyRule& from) {
  policy::Rule rule;
  rule.name = from.name;
  auto& match = rule.match;
  match.clients = from.clients;
  match.listeners = from.listeners;
  match.users = from.users;
  if (from.authenticated) match.authenticated = *from.authenticated == Switch::on;
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
  rule.limit = limit_of(from);
  rule.field_name = from.field_name;
  rule.field_value = from.field_value;
  if (const auto address = mail::Address::parse(from.new_sender)) rule.new_sender = *address;
  rule.rewrites_from = from.new_from == Switch::on;
  rule.priority = from.priority.value_or(mail::Priority::unset);
  if (const auto address = mail::Address::parse(from.copy_to)) rule.copy_to = *address;
  return rule;
}

}  // namespace

template <>
std::span<const Field<PolicyRule>> fields_of<PolicyRule>() {
  return kFields;
}

std::string wrong_with(const PolicyRule& rule) {
  const bool refuses = policy::refuses(rule.action);
  const char kind = rule.action == Action::reject ? '5' : '4';
  if (!rule.reply.empty() && !refuses) return "reply is for reject, defer and limit";
  if (!rule.reply.empty() && rule.reply.front() != kind)
    return "reject needs a reply of 55z, defer and limit one of 45z";
  if (rule.redirect_to.empty() == (rule.action == Action::redirect))
    return "redirect needs redirect_to, which is for it alone";
  if (rule.smarthost.empty() == (rule.action == Action::route))
    return "route needs smarthost, which is for it alone";
  if (!rule.limit_rate.has_value() == (rule.action == Action::limit))
    return "limit needs limit_rate, which is for it alone";
  if ((rule.limit_key || rule.limit_unit) && rule.action != Action::limit)
    return "limit_key and limit_unit are for limit";
  const bool is_of_field = rule.action == Action::add_header || rule.action == Action::remove_header;
  if (rule.field_name.empty() == is_of_field)
    return "add_header and remove_header need field_name, which is for them alone";
  if (rule.field_value.empty() == (rule.action == Action::add_header))
    return "add_header needs field_value, which is for it alone";
  if (rule.new_sender.empty() == (rule.action == Action::rewrite_sender))
    return "rewrite_sender needs new_sender, which is for it alone";
  if (rule.new_from && rule.action != Action::rewrite_sender) return "new_from is for rewrite_sender";
  if (!rule.priority.has_value() == (rule.action == Action::set_priority))
    return "set_priority needs priority, which is for it alone";
  if (rule.copy_to.empty() == (rule.action == Action::copy))
    return "copy needs copy_to, which is for it alone";
  if (rule.authenticated == Switch::off && !rule.users.empty())
    return "users have logged in: authenticated off leaves none of them";
  if (rule.header.empty() && rule.header_value != "*") return "header_value needs header";
  return {};
}

policy::Rules policy_rules(const Settings& settings) {
  policy::Rules rules;
  for (const auto& rule : settings.policies) rules.push_back(to_rule(rule));
  return rules;
}

}  // namespace relay::config
