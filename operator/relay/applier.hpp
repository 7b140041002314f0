#pragma once
/// Makes children so, with as few writes as it takes: none when they are.

#include <functional>
#include <mutex>

#include "operator/kube/client.hpp"
#include "operator/relay/plan.hpp"
#include "relay/base/log.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different children at a time.
class Applier {
 public:
  /// Told of each write of a child that succeeded: `applied`, `replaced` or `removed`, and why. Runs on the caller's
  /// thread.
  using OnWrite = std::function<
    void(const kube::Resource&, const Json& object, std::string_view what, std::string_view why)>;

  /// @param client, log  outlive this
  Applier(kube::Client& client, relay::log::Sink& log, OnWrite on_write)
      : client_(client), log_(log), on_write_(std::move(on_write)) {}

  /// Server-side apply by force, when `live` differs from what we want. What others added where only we have a say
  /// survives that, or makes the server refuse it; then the object is replaced. What the server itself adds or writes in
  /// other words (defaults of newer versions, quantities, admission webhooks) is found out by a dry run, once, and is no
  /// difference from then on.
  /// @param live  as last seen; none: it does not exist
  /// @return      the object as it is now
  [[nodiscard]] kube::Answer<Json> converge(
    const Child& child, const std::optional<Json>& live, std::stop_token stop
  );
  /// The child as it is: what our own last write of it returned, where the cache has still what that took the place of.
  /// Without it a reconcile right behind a write would do and tell it again.
  /// @param cached  as the cache has it
  [[nodiscard]] std::optional<Json> latest(const kube::Resource& resource, std::optional<Json> cached);
  /// Whether converge() would write nothing.
  [[nodiscard]] bool is_so(const Child& child, const std::optional<Json>& live) const;
  /// Deletes an object of ours, unless it is gone already.
  [[nodiscard]] kube::Answer<void> remove(const Removal& removal, std::stop_token stop);
  /// The SmtpRelay is gone.
  void forget(const Key& child);

 private:
  struct Settled {
    Json desired;
    Json stored;  // its exclusive part, as the server keeps it
  };
  struct Written {
    std::string before;  // the resourceVersion that it took the place of
    Json now;
  };
  using Id = std::pair<std::string_view, Key>;
  [[nodiscard]] kube::Answer<Json> write(
    const Child& child, const std::optional<Json>& live, std::stop_token stop
  );
  [[nodiscard]] bool is_settled(const Child& child, const Json& live) const;
  void remember(const Child& child, const Json& live);
  kube::Answer<Json> replace_refused(
    const Child& child, const Json& live, kube::Failure refusal, std::stop_token stop
  );
  kube::Answer<Json> replace_if_needed(const Child& child, const Json& live, std::stop_token stop);
  void report(
    std::string_view event, const kube::Resource& resource, const Json& object, std::string_view why
  );

  kube::Client& client_;
  relay::log::Sink& log_;
  OnWrite on_write_;
  mutable std::mutex mutex_;
  std::map<Id, Settled> settled_;  // only where the server's words are not ours; under mutex_
  std::map<Id, Written> written_;  // until the cache has it; under mutex_
};

}  // namespace op::smtp_relay
