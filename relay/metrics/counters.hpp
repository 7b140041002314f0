#pragma once
/// NAME      metrics -- what the relay counts, and how it is exposed
/// USES      base
/// INVARIANT every series exists from the start with value 0, and every label value stands in a table: none
///           comes from outside, so their number is bounded
/// FAILURES  none

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace relay::metrics {

/// One series each; name, labels and help stand in counters.cpp, in the same order, and in docs/metrics.md.
enum class Counter : std::uint8_t {
  connections_accepted,
  connections_refused_too_many,
  connections_refused_of_one_client,
  connections_refused_stopping,
  connections_refused_proxy_header,
  hidden_clients,
  client_tls_1_2,
  client_tls_1_3,
  client_tls_failed,
  client_tls_injection,
  logins_plain,
  logins_login,
  logins_scram,
  logins_plain_failed,
  logins_login_failed,
  logins_scram_failed,
  logins_refused,
  logins_unchecked,
  refusals,
  recipients_refused_not_listed,
  recipients_refused_hidden,
  recipients_refused_literal,
  recipients_refused_rule,
  recipients_refused_mode,
  recipients_discarded,
  recipients_captured,
  recipients_redirected,
  milter_passed,
  milter_changed,
  milter_refused,
  milter_discarded,
  milter_failed,
  milter_skipped,
  messages_received,
  octets_received,
  messages_refused_storage,
  recipients_delivered,
  recipients_deferred,
  recipients_failed,
  messages_delivered,
  messages_failed,
  possible_duplicates_in,
  possible_duplicates_out,
  reports,
  tls_verified,
  tls_dane,
  tls_unverified,
  tls_none,
  tls_failed,
  dns_found,
  dns_none,
  dns_failed,
  signatures,
  connections_reused,
  delivery_connections_ready,
  delivery_connections_failed,
  delivery_connections_tls,
  credentials_refused,
  spool_commits,
  spool_syncs,
  spool_errors_full,
  spool_errors_failed,
  spool_quarantined,
  spool_repairs,
  config_reloads_applied,
  config_reloads_refused,
  count,
};

/// Values that rise and fall.
enum class Gauge : std::uint8_t {
  connections_open,
  delivery_connections_open,
  queue_messages,
  queue_octets,
  failed_messages,
  spool_free_octets,
  ready,
  draining,
  mode_deliver,
  mode_capture,
  mode_redirect,
  mode_allowlist,
  durable,
  credentials_are_refused,
  users,
  log_records_dropped,
  start_time_seconds,
  count,
};

enum class Duration : std::uint8_t {
  spool_commit,  ///< from the commit's submission to its answer
  delivery,      ///< from acceptance to the last recipient's delivery
  delivery_attempt,
  milter,  ///< from connecting to a content filter to its last word
  count,
};

/// Why recipients were refused, as dsn::BounceClass has it and in that order: the values of a label.
inline constexpr std::array<std::string_view, 19> kBounceClasses{
  "invalid_recipient",
  "invalid_domain",
  "inactive_mailbox",
  "mailbox_full",
  "message_too_large",
  "content_rejected",
  "authentication_failed",
  "blocklisted",
  "rate_limited",
  "greylisted",
  "relaying_denied",
  "policy",
  "protocol_error",
  "tls",
  "dns",
  "network",
  "expired",
  "routing_loop",
  "other"
};
enum class Refusal : std::uint8_t { deferred, failed };

/// Upper bounds in seconds; one more bucket takes the rest.
inline constexpr std::array kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,   0.25,  0.5,
                                    1.0,   2.5,    5.0,   10.0, 30.0,  60.0, 300.0, 3600.0};

/// The counters of one thread. That thread alone adds; any thread reads.
class Shard {
 public:
  void add(Counter counter, std::uint64_t amount = 1) {
    bump(counters_[static_cast<std::size_t>(counter)], amount);
  }
  void observe(Duration duration, std::chrono::nanoseconds value);
  /// @param bounce_class  an index into kBounceClasses
  void add(Refusal refusal, std::size_t bounce_class) {
    bump(refusals_[static_cast<std::size_t>(refusal)][bounce_class], 1);
  }

  struct Histogram {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};  ///< not cumulative
    double sum = 0;                                           ///< seconds
  };
  [[nodiscard]] std::uint64_t read(Counter counter) const;
  [[nodiscard]] Histogram read(Duration duration) const;
  [[nodiscard]] std::uint64_t read(Refusal refusal, std::size_t bounce_class) const {
    return refusals_[static_cast<std::size_t>(refusal)][bounce_class].load(std::memory_order_relaxed);
  }

 private:
  using Cell = std::atomic<std::uint64_t>;
  struct Buckets {
    std::array<Cell, kBounds.size() + 1> counts{};
    Cell nanoseconds{};
  };
  // One writer: a plain load and store, no locked instruction.
  static void bump(Cell& cell, std::uint64_t amount) {
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::array<Cell, static_cast<std::size_t>(Counter::count)> counters_{};
  std::array<Buckets, static_cast<std::size_t>(Duration::count)> durations_{};
  std::array<std::array<Cell, kBounceClasses.size()>, 2> refusals_{};
};

/// Values of the label `destination` at a time; the rest stands under `other`.
inline constexpr std::size_t kMaxDestinations = 50;

/// What waits for one destination.
struct Depth {
  std::string destination;
  std::uint64_t messages = 0;
  double oldest_seconds = 0;  ///< age of the oldest that is known
};

/// All shards' counters and the gauges. Lives as long as any thread that counts.
class Registry {
 public:
  explicit Registry(std::size_t shards);
  [[nodiscard]] std::size_t shards() const { return shards_.size(); }
  [[nodiscard]] Shard& shard(std::size_t index) { return *shards_[index]; }
  [[nodiscard]] const Shard& shard(std::size_t index) const { return *shards_[index]; }

  void set(Gauge gauge, double value) {
    gauges_[static_cast<std::size_t>(gauge)].store(value, std::memory_order_relaxed);
  }
  [[nodiscard]] double read(Gauge gauge) const {
    return gauges_[static_cast<std::size_t>(gauge)].load(std::memory_order_relaxed);
  }
  /// Over all shards.
  [[nodiscard]] std::uint64_t total(Counter counter) const;
  [[nodiscard]] Shard::Histogram total(Duration duration) const;
  [[nodiscard]] std::uint64_t total(Refusal refusal, std::size_t bounce_class) const;

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::array<std::atomic<double>, static_cast<std::size_t>(Gauge::count)> gauges_{};
};

}  // namespace relay::metrics
