#include "relay/queue/shard_loads.hpp"

#include <algorithm>

namespace relay::queue {

ShardLoads::Load* ShardLoads::find(std::size_t shard) {
  if (shard >= shards_) return nullptr;
  if (loads_.empty()) loads_.resize(shards_);
  return &loads_[shard];
}

void ShardLoads::start(std::size_t shard, bool with_slot) {
  auto* load = find(shard);
  if (!load) return;
  ++load->in_flight;
  ++in_flight_;
  if (!with_slot) return;
  ++load->slots;
  ++load->unopened;
  ++slots_;
}

void ShardLoads::end(std::size_t shard) {
  auto* load = find(shard);
  if (!load || load->in_flight == 0) return;
  --load->in_flight;
  --in_flight_;
  trim(*load);
}

bool ShardLoads::connection_ready(std::size_t shard) {
  auto* load = find(shard);
  if (!load) return false;
  ++load->ready;
  if (load->ready > load->slots) {
    ++load->slots;
    ++slots_;
  }
  if (load->unopened == 0) return true;
  --load->unopened;
  return false;
}

void ShardLoads::connection_closed(std::size_t shard) {
  auto* load = find(shard);
  if (!load || load->ready == 0) return;
  --load->ready;
  trim(*load);
}

void ShardLoads::trim(Load& load) {
  const auto needed = std::max(load.ready, std::min(load.in_flight, load.slots));
  slots_ -= load.slots - needed;
  load.slots = needed;
  load.unopened = std::min(load.unopened, needed - load.ready);
}

}  // namespace relay::queue
