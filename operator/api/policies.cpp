#include "operator/api/policies.hpp"

#include "operator/api/fields.hpp"

namespace op::api {

Policy parse_policy(const Fields& from) {
  Policy policy;
  from.read("name", policy.name);
  const auto match = from.inner("match");
  match.read("clients", policy.match.clients);
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
  return policy;
}

}  // namespace op::api
