#pragma once
/// Why relays are not ready, in their own words: of such a pod kubelet says only that a container is not ready.

#include <functional>
#include <memory>

#include "operator/relay/spool_inspector.hpp"
#include "operator/relay/world.hpp"
#include "relay/base/clock.hpp"

namespace op::smtp_relay {

/// Asks pods while they are unready, and only then: a moment after the first is, as one that only begins is too, then twice
/// a minute. A pod on a cordoned node is not asked: why that one is not ready is known.
///
/// Safe from any thread, for different relays at a time.
class UnreadyReasons {
 public:
  /// Of one relay's pods as many are asked, the first by the names of their nodes: they are those that a status shows.
  static constexpr std::size_t kMostPods = 16;
  static constexpr relay::milliseconds kFirstLook = relay::seconds{2};
  static constexpr relay::milliseconds kNextLook = relay::seconds{30};
  /// Between two questions where another pod is unready by now; no answer takes longer.
  static constexpr relay::milliseconds kSoonest = relay::seconds{10};

  /// @param inspector, clock  outlive this
  /// @param enqueue  told of a relay whose pods say something else than before. Runs on any thread; what it uses outlives
  ///                 the inspector, which may answer when this is gone
  UnreadyReasons(
    SpoolInspector& inspector, const relay::Clock& clock, std::function<void(const Key&)> enqueue
  );

  /// Puts what each pod said when it was last asked in the place of kubelet's words, and asks anew if it is time. Never
  /// waits. One that did not answer, or has nothing to say, keeps kubelet's words.
  /// @return  when to look again; nothing: there is no pod to ask
  [[nodiscard]] std::optional<relay::milliseconds> look(World& world);
  void forget(const Key& relay);

 private:
  struct Ledger;
  SpoolInspector& inspector_;
  const relay::Clock& clock_;
  std::shared_ptr<Ledger> ledger_;  // shared with the answers that are still to come
};

}  // namespace op::smtp_relay
