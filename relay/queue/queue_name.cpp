#include "relay/queue/queue_name.hpp"

namespace relay::queue {
namespace {

constexpr std::string_view kBulk = ";bulk";

}  // namespace

std::string QueueName::to_key() const {
  return lane == Lane::bulk ? destination.name + std::string(kBulk) : destination.name;
}

Result<QueueName> QueueName::parse(std::string_view key) {
  const auto name = key.substr(0, key.find(';'));
  const auto lane = key.substr(name.size());
  if (name.empty() || (!lane.empty() && lane != kBulk))
    return tl::unexpected(Error{Errc::invalid_argument, Fate::permanent, "queue " + std::string(key)});
  return QueueName{Destination{std::string(name)}, lane.empty() ? Lane::normal : Lane::bulk};
}

}  // namespace relay::queue
