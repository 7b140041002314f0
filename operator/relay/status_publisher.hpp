#pragma once
/// A relay's status: written, logged and told.

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "operator/api/smtp_relay.hpp"
#include "operator/kube/client.hpp"
#include "operator/runtime/event_recorder.hpp"
#include "relay/base/log.hpp"

namespace op::smtp_relay {

/// Safe from any thread.
class StatusPublisher {
 public:
  /// All of these outlive this.
  StatusPublisher(kube::Client& client, runtime::EventSink& events, relay::log::Sink& log)
      : client_(client), events_(events), log_(log) {}

  /// Writes `next` unless it is there already; what it says anew is logged and told.
  /// @return  the relay with that status and the version it then has; nothing when it is gone: its event is on the way.
  /// Failures: those of the request; Kind::conflict for a status that was made from an older state.
  [[nodiscard]] kube::Answer<std::optional<api::SmtpRelay>> publish(
    api::SmtpRelay relay, api::Status next, std::stop_token stop
  );
  /// The relay, read from a cache, with the status that it has since our last write, where the cache does not show that
  /// yet: else a status that goes back to what the cache shows would not be written.
  [[nodiscard]] api::SmtpRelay latest(api::SmtpRelay relay);
  void forget(const kube::Key& relay);

 private:
  /// What we wrote last.
  struct Written {
    std::set<std::string> former;  // versions that it replaced, one on top of the other
    std::string version;
    api::Status status;
  };

  kube::Client& client_;
  runtime::EventSink& events_;
  relay::log::Sink& log_;
  std::mutex mutex_;
  std::map<kube::Key, Written> written_;  // under mutex_; until the cache shows it
};

}  // namespace op::smtp_relay
