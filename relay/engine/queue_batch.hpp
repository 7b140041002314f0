#pragma once
/// The batch of one step of a person's change, and what follows from it in memory.

#include "relay/engine/queue_control.hpp"
#include "relay/engine/settler.hpp"

namespace relay::engine {

/// Thread: a worker builds it, the committer's thread settles it.
class QueueBatch {
 public:
  /// References outlive it.
  QueueBatch(const Context& context, Reports& reports, const Change& change)
      : context_(context), reports_(reports), change_(change) {}

  /// Changes what these places are now; those in `due` are out of the schedule's memory. False: it stays as it is.
  bool add(const QueueId& id, const std::vector<Standing>& taken);
  /// Gives back what was taken out and does not change.
  void leave(const std::vector<Standing>& taken);

  [[nodiscard]] const spool::Operations& operations() const { return operations_; }
  [[nodiscard]] bool is_empty() const { return operations_.empty(); }
  /// Before the batch is submitted.
  void announce(Dispatcher& dispatcher) const;
  /// Behind it.
  void settle(Dispatcher& dispatcher, Admission& admission, bool is_written);

 private:
  bool hold(const Standing& standing);
  bool release(const Standing& standing);
  bool release_dead_letter(const Standing& standing);
  bool retry(const Standing& standing);
  bool remove(const QueueId& id, const std::vector<Standing>& places);
  bool report(const Attempt& attempt);
  [[nodiscard]] Place* released_with(const Place& place);
  [[nodiscard]] Place due_now(const Standing& standing) const;
  [[nodiscard]] bool needs_release() const;
  void note(std::string_view event, const QueueId& id);

  struct Bounce {
    Ended ended;
    Reported reported;
  };
  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    void add(std::uint64_t size) {
      ++messages;
      octets += size;
    }
  };

  Context context_;
  Reports& reports_;
  const Change& change_;
  spool::Operations operations_;
  struct Move {  // out of memory; afterwards gone, or under another key of its queue
    Place before;
    std::optional<Place> after;
  };
  std::vector<Move> moves_;
  std::vector<Place> left_;      // out of memory, unchanged: given back
  std::vector<Place> vanished_;  // out of memory, and not on disk
  std::vector<Place> new_;       // announced before, accepted behind
  std::vector<Bounce> bounces_;
  std::vector<log::Record> records_;
  Counts waiting_less_, waiting_more_, failed_less_;
};

}  // namespace relay::engine
