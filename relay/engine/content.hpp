#pragma once
/// Where an attempt reads a message's content from.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "relay/delivery/ports.hpp"
#include "relay/engine/context.hpp"
#include "relay/engine/places.hpp"

namespace relay::engine {

/// How much content may stay in memory between acceptance and the first attempt.
class ContentMemory {
 public:
  /// Of one message, in octets, with what its strings have allocated in vain; what is larger is read from the spool.
  static constexpr std::size_t kMostOfOne = 256U << 10U;

  class Keeper;
  explicit ContentMemory(Octets budget) : budget_(std::make_shared<Budget>(budget.count)) {}
  [[nodiscard]] Keeper keeper() const;

 private:
  struct Budget {
    explicit Budget(std::uint64_t octets) : left(static_cast<std::int64_t>(octets)) {}
    std::atomic<std::int64_t> left;  // below 0 for the moment of a refusal
  };
  std::shared_ptr<Budget> budget_;  // outlives this object in the hands of kept content
};

/// Keeps one message's content while it comes in. Thread: one at a time; may outlive its ContentMemory.
class ContentMemory::Keeper {
 public:
  /// Behind what came before. What has no room is dropped, with all of the message.
  void append(std::string chunk);
  void put_first(std::string chunk);
  /// All of it, or null when it had no room. It counts until the last owner lets go.
  [[nodiscard]] std::shared_ptr<const Chunks> take();

 private:
  friend class ContentMemory;
  struct Kept {
    explicit Kept(std::shared_ptr<Budget> from) : budget(std::move(from)) {}
    ~Kept() { budget->left.fetch_add(octets, std::memory_order_relaxed); }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    std::shared_ptr<Budget> budget;
    std::int64_t octets = 0;
    Chunks chunks;
  };
  explicit Keeper(std::shared_ptr<Budget> budget) : kept_(std::make_shared<Kept>(std::move(budget))) {}
  [[nodiscard]] bool has_room(std::size_t octets);

  std::shared_ptr<Kept> kept_;  // null: it had no room
};

/// Our header lines, then content that is in memory.
/// @param removed  names of header fields that the content is read without
[[nodiscard]] std::unique_ptr<delivery::ContentSource> content_in_memory(
  std::string top, std::shared_ptr<const Chunks> content, std::vector<std::string> removed
);

/// Our header lines, then `chunks` chunks, each read by a worker when it is its turn.
[[nodiscard]] std::unique_ptr<delivery::ContentSource> content_in_spool(
  const Context& context, const QueueId& id, std::string top, std::uint32_t chunks,
  std::vector<std::string> removed
);

}  // namespace relay::engine
