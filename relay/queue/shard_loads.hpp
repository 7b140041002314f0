#pragma once
/// What one destination has under way on each shard.

#include <cstdint>
#include <optional>
#include <vector>

namespace relay::queue {

/// Messages in flight and connections, a shard. A slot is leave for one connection: open, being opened, or to be
/// opened anew for a message in flight behind one that ended. So the slots are what the connections can come to.
///
/// Thread: one at a time.
class ShardLoads {
 public:
  struct Load {
    std::uint32_t in_flight = 0;
    std::uint32_t ready = 0;  // connections
    std::uint32_t slots = 0;
    std::uint32_t unopened =
      0;  // of the slots: a connection rate has paid for them, and they are not ready yet
  };

  explicit ShardLoads(std::size_t shards) : shards_(shards) {}

  /// A message starts there, with a slot of its own or not.
  void start(std::size_t shard, bool with_slot);
  /// A message is in flight no more; gives up slots that nothing needs.
  void end(std::size_t shard);
  /// True: nothing has paid for this connection yet.
  bool connection_ready(std::size_t shard);
  void connection_closed(std::size_t shard);

  [[nodiscard]] Load at(std::size_t shard) const { return shard < loads_.size() ? loads_[shard] : Load{}; }
  [[nodiscard]] std::size_t shards() const { return shards_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::size_t slots() const { return slots_; }

 private:
  Load* find(std::size_t shard);
  void trim(Load& load);

  std::size_t shards_;
  std::vector<Load> loads_;  // empty until the first start
  std::size_t in_flight_ = 0;
  std::size_t slots_ = 0;
};

}  // namespace relay::queue
