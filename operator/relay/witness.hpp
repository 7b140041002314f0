#pragma once
/// What an older state wants must not be written.

#include "operator/kube/client.hpp"
#include "operator/relay/world.hpp"

namespace op::smtp_relay {

/// Asks the API server whether an SmtpRelay is still as the cache has it: a cache may be far behind, most of all behind a
/// restart, with a list from an API server that lags. Asked before the first write for it, and once in a reconcile: what
/// comes between the question and the write is seen by the next one.
///
/// Thread: one at a time.
class Witness {
 public:
  /// @param client, relay  outlive this
  /// @param controller_id  ours
  Witness(kube::Client& client, const api::SmtpRelay& relay, std::string controller_id)
      : client_(client), relay_(relay), controller_id_(std::move(controller_id)) {}

  /// The server has just taken a status that was made for this very version.
  void has_seen_it() { is_confirmed_ = true; }
  /// Failures: Kind::conflict when the resource is gone, about to be, another, another operator's, or has another spec: its
  /// event is on the way. And those of the request.
  [[nodiscard]] kube::Answer<void> confirm(std::stop_token stop);

 private:
  kube::Client& client_;
  const api::SmtpRelay& relay_;
  std::string controller_id_;
  bool is_confirmed_ = false;
};

}  // namespace op::smtp_relay
