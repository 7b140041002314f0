#pragma once
/// Limits and retry schedules of destinations, from the plan. Pure.

#include "relay/outbound/plan.hpp"

namespace relay::outbound {

/// Thread: any. `plans` outlives it.
class Shapes : public queue::ShapeSource {
 public:
  explicit Shapes(const PlanSource& plans) : plans_(plans) {}
  [[nodiscard]] queue::Shape shape(const route::Destination& destination, const std::string& provider)
    const override;
  [[nodiscard]] std::optional<queue::ProviderShape> provider_shape(const std::string& provider
  ) const override;

 private:
  const PlanSource& plans_;
};

}  // namespace relay::outbound
