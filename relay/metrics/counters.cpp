#include "relay/metrics/counters.hpp"

#include <algorithm>

namespace relay::metrics {

void Shard::observe(Duration duration, std::chrono::nanoseconds value) {
  auto& buckets = durations_[static_cast<std::size_t>(duration)];
  const double seconds = std::chrono::duration<double>(value).count();
  const auto bucket =
    static_cast<std::size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin());
  bump(buckets.counts[bucket], 1);
  bump(buckets.nanoseconds, static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)));
}

std::uint64_t Shard::read(Counter counter) const {
  return counters_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
}

Shard::Histogram Shard::read(Duration duration) const {
  const auto& buckets = durations_[static_cast<std::size_t>(duration)];
  Histogram histogram;
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    histogram.buckets[i] = buckets.counts[i].load(std::memory_order_relaxed);
  }
  histogram.sum = static_cast<double>(buckets.nanoseconds.load(std::memory_order_relaxed)) / 1e9;
  return histogram;
}

Registry::Registry(std::size_t shards) {
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>());
}

std::uint64_t Registry::total(Counter counter) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->read(counter);
  return sum;
}

std::uint64_t Registry::total(Refusal refusal, std::size_t bounce_class) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->read(refusal, bounce_class);
  return sum;
}

Shard::Histogram Registry::total(Duration duration) const {
  Shard::Histogram sum;
  for (const auto& shard : shards_) {
    const auto histogram = shard->read(duration);
    for (std::size_t i = 0; i < sum.buckets.size(); ++i) sum.buckets[i] += histogram.buckets[i];
    sum.sum += histogram.sum;
  }
  return sum;
}

}  // namespace relay::metrics
