#include "relay/outbound/shapes.hpp"

#include <algorithm>

#include "relay/outbound/a_label.hpp"
#include "relay/route/domain_pattern.hpp"

namespace relay::outbound {
namespace {

queue::Shape smarthost_shape(const Plan& plan, const route::Destination& destination) {
  queue::Shape shape;
  shape.retry = plan.retry;
  shape.warn_after = plan.warn_after;
  const auto members = plan.routes->members(destination);
  if (members.empty()) return shape;
  // Its group shares one queue: what all of its hosts take together.
  std::uint64_t tokens = 0;
  shape.max_connections = 0;
  for (const auto member : members) {
    const auto& smarthost = plan.smarthosts[member];
    shape.max_connections += smarthost.max_connections;
    if (smarthost.message_rate && tokens == 0) shape.message_rate = smarthost.message_rate;
    ++tokens;
  }
  return shape;
}

}  // namespace

const DomainRule* rule_for(const Plan& plan, const std::string& domain, const std::string& provider) {
  const auto found = std::find_if(plan.rules.begin(), plan.rules.end(), [&](const DomainRule& rule) {
    const bool is_domain =
      !rule.domains.empty() && route::match_domain(rule.domains, domain) != route::Match::none;
    const bool is_provider =
      std::find(rule.providers.begin(), rule.providers.end(), provider) != rule.providers.end();
    return is_domain || is_provider;
  });
  return found == plan.rules.end() ? nullptr : &*found;
}

queue::Shape Shapes::shape(const route::Destination& destination, const std::string& provider) const {
  const auto plan = plans_.plan();
  auto domain = route::mx_domain(destination);
  if (domain.empty()) return smarthost_shape(*plan, destination);
  domain = a_label(domain).value_or(domain);  // as rules name it
  queue::Shape shape;
  shape.retry = plan->retry;
  shape.retry.initial = plan->mx_retry_initial;
  shape.warn_after = plan->warn_after;
  shape.max_connections = plan->mx.max_connections;
  const auto* rule = rule_for(*plan, domain, provider);
  if (rule == nullptr) return shape;
  shape.max_connections = static_cast<std::size_t>(rule->max_connections.value_or(shape.max_connections));
  shape.message_rate = rule->message_rate;
  shape.connection_rate = rule->connection_rate;
  shape.retry.initial = rule->retry_initial.value_or(shape.retry.initial);
  shape.retry.max = rule->retry_max.value_or(shape.retry.max);
  shape.retry.max_age = rule->max_age.value_or(shape.retry.max_age);
  shape.warn_after = rule->warn_after.value_or(shape.warn_after);
  return shape;
}

std::optional<queue::ProviderShape> Shapes::provider_shape(const std::string& provider) const {
  const auto plan = plans_.plan();
  for (const auto& rule : plan->providers) {
    if (rule.site.provider == provider) return rule.shape;
  }
  return std::nullopt;
}

}  // namespace relay::outbound
