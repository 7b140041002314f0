#pragma once
/// What the engine is told, as a test wants it.

#include <map>
#include <mutex>

#include "relay/base/clock.hpp"
#include "relay/engine/context.hpp"

namespace relay::engine::test {

using namespace std::chrono_literals;

class RealClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

inline route::SmarthostRule smarthost(std::string name, std::vector<std::string> recipient_domains = {}) {
  route::SmarthostRule rule;
  rule.name = std::move(name);
  rule.recipient_domains = std::move(recipient_domains);
  return rule;
}

/// Limits, routes and shapes; all mail goes to `smarthost/default` unless the test says otherwise.
class Settings : public LimitsSource, public queue::ShapeSource {
 public:
  Settings() {
    Limits first;
    first.hostname = "node1.example";
    first.spool_max_size = Octets{1U << 30U};
    first.spool_min_free_percent = 0;
    limits_ = std::make_shared<Limits>(first);
    set_routes({smarthost("default")});
    shape_.retry = {300ms, 1s, 120h};
    shape_.max_connections = 2;
  }

  [[nodiscard]] std::shared_ptr<const Limits> limits() const override {
    const std::scoped_lock lock(mutex_);
    return limits_;
  }
  [[nodiscard]] queue::Shape shape(const route::Destination&, const std::string& provider) const override {
    const std::scoped_lock lock(mutex_);
    const auto of_provider = of_providers_.find(provider);
    return of_provider == of_providers_.end() ? shape_ : of_provider->second;
  }
  [[nodiscard]] std::optional<queue::ProviderShape> provider_shape(const std::string&) const override {
    return std::nullopt;
  }

  template <class Change>
  void change(Change change) {
    const std::scoped_lock lock(mutex_);
    auto changed = std::make_shared<Limits>(*limits_);
    change(*changed);
    limits_ = std::move(changed);
  }
  template <class Change>
  void reshape(Change change) {
    const std::scoped_lock lock(mutex_);
    change(shape_);
  }
  void set_shape_of(const std::string& provider, const queue::Shape& shape) {
    const std::scoped_lock lock(mutex_);
    of_providers_[provider] = shape;
  }
  void set_routes(const std::vector<route::SmarthostRule>& smarthosts) {
    change([&](Limits& limits) { limits.routes = std::make_shared<route::RouteTable>(smarthosts); });
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Limits> limits_;
  queue::Shape shape_;
  std::map<std::string, queue::Shape> of_providers_;
};

}  // namespace relay::engine::test
