#include "operator/resources/policy_settings.hpp"

#include "relay/base/text.hpp"

namespace op::resources {
namespace {

template <class Value>
void put(OrderedJson& object, const char* key, const Value& value) {
  if (!value.empty()) object[key] = value;
}

/// `SenderDomain` as settings have it: `sender_domain`.
std::string word_of(const std::string& name) {
  std::string word;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z' && !word.empty()) word += '_';
    word += relay::ascii_lower(c);
  }
  return word;
}

const char* switch_of(bool is_on) { return is_on ? "on" : "off"; }

OrderedJson one(const api::Policy& policy) {
  OrderedJson object{{"name", policy.name}};
  const auto& match = policy.match;
  put(object, "clients", match.clients);
  put(object, "listeners", match.listeners);
  put(object, "users", match.users);
  if (match.authenticated) object["authenticated"] = switch_of(*match.authenticated);
  put(object, "helo", match.helo);
  put(object, "senders", match.senders);
  put(object, "recipients", match.recipients);
  if (match.tls) object["tls"] = switch_of(*match.tls);
  put(object, "larger_than", match.larger_than);
  put(object, "header", match.header);
  put(object, "header_value", match.header_value);
  object["action"] = word_of(policy.action);
  put(object, "reply", policy.reply);
  put(object, "redirect_to", policy.redirect_to);
  put(object, "smarthost", policy.smarthost);
  put(object, "limit_rate", policy.limit.rate);
  put(object, "limit_key", word_of(policy.limit.key));
  put(object, "limit_unit", word_of(policy.limit.unit));
  put(object, "field_name", policy.field);
  put(object, "field_value", policy.field_value);
  put(object, "new_sender", policy.new_sender);
  if (policy.new_from) object["new_from"] = switch_of(*policy.new_from);
  put(object, "priority", word_of(policy.priority));
  put(object, "copy_to", policy.copy_to);
  return object;
}

}  // namespace

OrderedJson policies(const api::Spec& spec) {
  OrderedJson list;
  for (const auto& policy : spec.policies) list.push_back(one(policy));
  return list;
}

OrderedJson sender_bindings(const api::Spec& spec) {
  OrderedJson list;
  for (const auto& binding : spec.sender_bindings) {
    OrderedJson object{{"name", binding.name}};
    put(object, "users", binding.users);
    put(object, "clients", binding.clients);
    put(object, "senders", binding.senders);
    if (binding.header_from) object["header_from"] = "on";
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace op::resources
