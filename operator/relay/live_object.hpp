#pragma once
/// An object as it is, whether or not a cache has seen it.

#include "operator/kube/client.hpp"
#include "operator/runtime/store.hpp"

namespace op::smtp_relay {

/// A cache holds only what has our labels, and lags: before something is made anew, the server is asked whether there is
/// such an object after all.
/// @return  nothing: there is none. Failures: those of the request. Safe from any thread
[[nodiscard]] kube::Answer<std::optional<kube::Json>> live_object(
  const runtime::Store& cache, kube::Client& client, const kube::Resource& resource, const kube::Key& key,
  std::stop_token stop
);

}  // namespace op::smtp_relay
