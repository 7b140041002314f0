#pragma once
/// Whether new mail can be stored.

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "relay/engine/context.hpp"
#include "relay/session/ports.hpp"

namespace relay::engine {

/// Refuses mail before the disk does: deletions need space too.
class Admission : public session::RecipientGate {
 public:
  Admission(const Context& context, std::string spool_path);

  /// 452 4.3.1 when space runs out, 451 4.3.0 when the spool has failed.
  [[nodiscard]] std::optional<mail::Reply> refuse_message() override;
  /// The same in words, for /readyz; nothing while mail can be stored. Thread: any.
  [[nodiscard]] std::optional<std::string> unready_reason() const;

  /// Why this process can't store or deliver mail again and the next one can, where there is space for its start: what was
  /// short is not short any more, or the queue is damaged, which a start repairs; in words. Nothing where a restart mends
  /// nothing. Thread: as measure().
  [[nodiscard]] std::optional<std::string> restart_reason() const;

  /// The spool could not be read: mail is refused for a while, so that nothing is accepted without end which
  /// may never be delivered; until the restart that mends it, when the fate is terminal. Thread: any.
  void note_read_failure(const Error& error);

  /// Measures the file system and wakes a committer that waits for space. Blocks for the disk: on a worker,
  /// about once a second.
  void measure();

  /// Content that waits came or went. Thread: any.
  void add_waiting(std::uint64_t messages, std::uint64_t octets);
  void remove_waiting(std::uint64_t messages, std::uint64_t octets);
  /// Content that is kept because recipients failed.
  void add_failed(std::uint64_t messages, std::uint64_t octets);
  void remove_failed(std::uint64_t messages, std::uint64_t octets);
  void start_with(const spool::Usage& usage);

 private:
  [[nodiscard]] std::optional<Error> obstacle() const;
  [[nodiscard]] std::optional<Error> read_failure() const;
  void look_at_disk();
  [[nodiscard]] bool is_low() const;
  [[nodiscard]] bool should_reclaim() const;
  void publish(metrics::Gauge gauge, std::uint64_t value) {
    context_.metrics.set(gauge, static_cast<double>(value));
  }

  Context context_;
  std::string spool_path_;
  mutable std::mutex mutex_;
  std::optional<Error> read_failure_;  // under mutex_
  SteadyTime read_failure_until_{};    // under mutex_
  std::atomic<std::uint64_t> free_percent_{100};
  std::atomic<bool> lacks_inodes_{false};
  bool has_room_ = true;  // for a start; of measure()
  // Changed and published under mutex_, so that the gauges end with the last value; read without.
  std::atomic<std::uint64_t> waiting_messages_{0};
  std::atomic<std::uint64_t> waiting_octets_{0};
  std::atomic<std::uint64_t> failed_messages_{0};
  std::atomic<std::uint64_t> failed_octets_{0};
  std::atomic<bool> is_reclaiming_{false};
  SteadyTime next_reclaim_{};  // of measure()
};

}  // namespace relay::engine
