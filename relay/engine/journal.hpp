#pragma once
/// What became of messages lately, kept in memory for people who ask for one.

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/base/queue_id.hpp"

namespace relay::engine {

/// How a person names a message: by one of these.
struct TraceQuery {
  std::optional<QueueId> id;
  std::string message_id;  ///< of its header, with or without angle brackets
  std::string recipient;   ///< an address, or a domain

  [[nodiscard]] bool is_empty() const { return !id && message_id.empty() && recipient.empty(); }
};

/// Message-IDs are compared without their brackets.
[[nodiscard]] std::string_view bare_message_id(std::string_view text);

struct JournalLimits {
  std::size_t events = 20'000;
  std::size_t octets =
    10U << 20U;  ///< of their lines; what holds them comes on top, some 100 octets an event
};

/// Hands log records on, and keeps those that name a message (`queue_id`) as lines: the last ones, within the limits.
/// A record of many recipients keeps the first 20. Thread: any.
class Journal : public log::Sink {
 public:
  /// References outlive it.
  Journal(log::Sink& next, const Clock& clock, JournalLimits limits = {})
      : next_(next), clock_(clock), limits_(limits) {}

  void write(const log::Record& record) override;

  struct Story {
    std::string queue_id;
    /// As in the log, oldest first; its reception before all others.
    std::vector<nlohmann::ordered_json> events;
  };
  /// What is known of the messages asked for, oldest first; at most `limit` messages, the latest ones. Searches all
  /// of it: some 20 ms, so on a worker.
  [[nodiscard]] std::vector<Story> find(const TraceQuery& query, std::size_t limit) const;
  [[nodiscard]] std::size_t events() const;
  [[nodiscard]] std::size_t octets() const;

 private:
  struct Event {
    std::string queue_id;
    std::string line;
  };
  [[nodiscard]] std::vector<std::string> ids_of(const TraceQuery& query) const;

  log::Sink& next_;
  const Clock& clock_;
  JournalLimits limits_;
  mutable std::mutex mutex_;
  std::deque<Event> events_;  // under mutex_
  std::size_t octets_ = 0;    // under mutex_
};

}  // namespace relay::engine
