#pragma once
/// Where an attempt reads a message's content from.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "relay/delivery/ports.hpp"
#include "relay/engine/context.hpp"

namespace relay::engine {

/// How much content may stay in memory between acceptance and the first attempt.
class ContentMemory {
 public:
  explicit ContentMemory(Octets budget) : budget_(budget.count) {}
  /// The content to keep, or null when it would exceed the budget. What is kept counts until the last owner
  /// lets go.
  [[nodiscard]] std::shared_ptr<const std::string> keep(std::string content);

 private:
  std::uint64_t budget_;
  // Outlives this object in the hands of kept content.
  std::shared_ptr<std::atomic<std::uint64_t>> used_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

/// Our header lines, then content that is in memory.
/// @param removed  names of header fields that the content is read without
[[nodiscard]] std::unique_ptr<delivery::ContentSource> content_in_memory(
  std::string top, std::shared_ptr<const std::string> content, std::vector<std::string> removed
);

/// Our header lines, then `chunks` chunks, each read by a worker when it is its turn.
[[nodiscard]] std::unique_ptr<delivery::ContentSource> content_in_spool(
  const Context& context, const QueueId& id, std::string top, std::uint32_t chunks,
  std::vector<std::string> removed
);

}  // namespace relay::engine
