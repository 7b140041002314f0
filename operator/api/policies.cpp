#include "operator/api/policies.hpp"

#include "operator/api/fields.hpp"

namespace op::api {

Policy parse_policy(const Fields& from) {
  Policy policy;
  from.read("name", policy.name);
  const auto match = from.inner("match");
  match.read("clients", policy.match.clients);
  match.read("listeners", policy.match.listeners);
  match.read("users", policy.match.users);
  match.read("authenticated", policy.match.authenticated);
  match.read("helo", policy.match.helo);
  match.read("senders", policy.match.senders);
  match.read("recipients", policy.match.recipients);
  match.read("tls", policy.match.tls);
  match.read("largerThan", policy.match.larger_than);
  const auto header = match.inner("header");
  header.read("name", policy.match.header);
  header.read("value", policy.match.header_value);
  from.read("action", policy.action);
  from.read("reply", policy.reply);
  from.read("redirectTo", policy.redirect_to);
  from.read("smarthost", policy.smarthost);
  const auto limit = from.inner("limit");
  limit.read("rate", policy.limit.rate);
  limit.read("key", policy.limit.key);
  limit.read("unit", policy.limit.unit);
  const auto field = from.inner("field");
  field.read("name", policy.field);
  field.read("value", policy.field_value);
  from.read("newSender", policy.new_sender);
  from.read("newFrom", policy.new_from);
  from.read("priority", policy.priority);
  from.read("copyTo", policy.copy_to);
  return policy;
}

SenderBinding parse_sender_binding(const Fields& from) {
  SenderBinding binding;
  from.read("name", binding.name);
  from.read("users", binding.users);
  from.read("clients", binding.clients);
  from.read("senders", binding.senders);
  from.read("headerFrom", binding.header_from);
  return binding;
}

}  // namespace op::api
