#pragma once
/// What a Lease object says.

#include <string>

#include "operator/kube/object.hpp"
#include "operator/runtime/clock.hpp"

namespace op::runtime {

/// The times are text: they are for people. Whether a lease has expired is judged by our own clock alone.
struct LeaseRecord {
  std::string holder;  ///< empty: free
  seconds duration{};
  std::string acquired;
  std::string renewed;
  std::int64_t transitions = 0;
  std::string resource_version;
  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

[[nodiscard]] LeaseRecord parse_lease(const kube::Json& object);
[[nodiscard]] kube::Json to_lease(const LeaseRecord& record, const kube::Key& key);
/// metav1.MicroTime.
[[nodiscard]] std::string to_micro_time(WallTime time);

}  // namespace op::runtime
