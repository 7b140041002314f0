#include "operator/resources/policy_settings.hpp"

#include "relay/base/text.hpp"

namespace op::resources {
namespace {

template <class Value>
void put(OrderedJson& object, const char* key, const Value& value) {
  if (!value.empty()) object[key] = value;
}

OrderedJson one(const api::Policy& policy) {
  OrderedJson object{{"name", policy.name}};
  const auto& match = policy.match;
  put(object, "clients", match.clients);
  put(object, "helo", match.helo);
  put(object, "senders", match.senders);
  put(object, "recipients", match.recipients);
  if (match.tls) object["tls"] = *match.tls ? "on" : "off";
  put(object, "larger_than", match.larger_than);
  put(object, "header", match.header);
  put(object, "header_value", match.header_value);
  object["action"] = relay::lower(policy.action);
  put(object, "reply", policy.reply);
  put(object, "redirect_to", policy.redirect_to);
  put(object, "smarthost", policy.smarthost);
  return object;
}

}  // namespace

OrderedJson policies(const api::Spec& spec) {
  OrderedJson list;
  for (const auto& policy : spec.policies) list.push_back(one(policy));
  return list;
}

}  // namespace op::resources
