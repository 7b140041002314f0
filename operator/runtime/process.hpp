#pragma once
/// The process around an operator: its signals, its memory, and where the API server is.

#include <functional>
#include <stop_token>
#include <string>

#include "operator/kube/credentials.hpp"
#include "relay/base/log.hpp"

namespace op::runtime {

/// Where the API server is and who we are: what this file says, or, when it is empty, the pod's ServiceAccount. The
/// namespace is POD_NAMESPACE, or what the kubeconfig or ServiceAccount say, or `default`.
/// Errors: Errc::not_found or invalid_argument, permanent.
[[nodiscard]] relay::Result<kube::Access> find_access(const std::string& kubeconfig);

/// What main does first, before there are other threads: signals are held for run_until_signal(), the heap and cpprestsdk
/// are kept small.
void prepare_process(const kube::Access& access);

/// Runs `work` on a thread of its own until SIGTERM or SIGINT, then asks it to stop; a second signal ends the process at
/// once. @return  what `work` returned
[[nodiscard]] relay::Result<void> run_until_signal(
  const std::function<relay::Result<void>(const std::stop_token&)>& work, relay::log::Sink& log
);

}  // namespace op::runtime
