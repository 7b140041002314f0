#pragma once
/// Keeps what the relays of each SmtpRelay say of their clients' addresses.

#include <functional>
#include <memory>
#include <optional>

#include "operator/relay/source_inspector.hpp"
#include "operator/relay/world.hpp"
#include "relay/base/clock.hpp"

namespace op::smtp_relay {

/// Asks all pods of a relay at the first look and then twice a minute: each is one small page, and nothing else tells. A pod
/// that does not answer keeps what it said before, for as long as it lives.
///
/// Safe from any thread, for different relays at a time.
class SourceWatch {
 public:
  static constexpr relay::milliseconds kInterval = relay::seconds{30};

  /// @param inspector, clock  outlive this
  /// @param enqueue  told of a relay whose pods say something else than before. Runs on any thread; what it uses outlives
  ///                 the inspector, which may answer when this is gone
  SourceWatch(SourceInspector& inspector, const relay::Clock& clock, std::function<void(const Key&)> enqueue);

  /// Puts into `world.source_reports` what each of the DaemonSet's pods said last, and asks anew if it is time. Never waits.
  /// @return  when to look again; nothing: there is no pod to ask
  [[nodiscard]] std::optional<relay::milliseconds> look(World& world);
  void forget(const Key& relay);

 private:
  struct Ledger;
  SourceInspector& inspector_;
  const relay::Clock& clock_;
  std::shared_ptr<Ledger> ledger_;  // shared with the answers that are still to come
};

}  // namespace op::smtp_relay
