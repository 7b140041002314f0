#pragma once
/// Asks the API server which of the optional kinds it has, and watches those that there are.

#include <condition_variable>
#include <thread>

#include "operator/relay/caches.hpp"

namespace op::smtp_relay {

/// One thread, which asks every 15 s: a kind may come and go at any time, with its definition. While a kind is there each
/// namespace has a watch of ours of it; when it goes, the watches end and what they saw is forgotten. NetworkPolicies are
/// there always, and watched from when a relay wants one, or there are some of ours. Where the operator may not look for a
/// kind, the caches say so until it may: the right is asked for, at most twice a minute, before anything is.
///
/// Nothing waits for it: a server that does not answer leaves all as it was, and no watch of its counts for readiness.
class OptionalKinds {
 public:
  /// @param namespaces  that are served; one that is empty: all
  /// @param caches      outlives this, as all of `context` does; nobody wants anything of it before
  /// @param on_change   a kind came or went, or a right to it: all relays are to be looked at. Runs on this one's thread
  ///                    and those of its watches
  OptionalKinds(
    std::vector<std::string> namespaces, OptionalCaches& caches, const runtime::InformerContext& context,
    std::function<void()> on_change
  );

  void start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  }
  /// Ends all watches; returns when their threads have ended.
  void stop();

  /// What hangs, if anything does; a server that does not answer is no reason.
  [[nodiscard]] std::optional<std::string_view> stuck() const;

  /// One look. For tests; else its thread's alone.
  void look(const std::stop_token& stop);

 private:
  class Feed;
  struct Watch {
    std::string name_space;
    std::unique_ptr<runtime::Sink> feed;
    std::unique_ptr<runtime::Informer> informer;
  };
  void run(const std::stop_token& stop);
  void look_for_monitoring(const std::stop_token& stop);
  void look_for_network_policies(const std::stop_token& stop);
  [[nodiscard]] bool has_network_policies(const std::stop_token& stop);
  void found(resources::Optional child, bool is_there);
  void begin(resources::Optional child);
  void end(resources::Optional child);

  std::vector<std::string> namespaces_;
  OptionalCaches& caches_;
  runtime::InformerContext context_;
  std::function<void()> on_change_;
  bool has_looked_for_policies_ = false;
  std::string last_failure_;  // reported: the same is not told again and again
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool is_woken_ = false;                                      // under mutex_
  std::map<resources::Optional, std::vector<Watch>> watches_;  // likewise; changed by the thread alone
  std::jthread thread_;                                        // last: ends before what it uses
};

}  // namespace op::smtp_relay
