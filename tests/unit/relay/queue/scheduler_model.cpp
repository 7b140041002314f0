#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/relay/queue/fixture.hpp"

namespace relay::queue {
namespace {

/// All that is around a scheduler, driven at random: disks, commits, loads that cross them, shards with their
/// connections, a resolver, people. Checks each step against what the limits allow.
class World {
 public:
  explicit World(unsigned seed) : random_(seed), seed_(seed) {
    for (int i = 0; i < kDestinations; ++i) {
      const auto name = (i % 2 == 0 ? "smarthost/" : "mx/") + std::to_string(i);
      auto& shape = shapes_.of[name];
      shape = {
        .max_connections = 1 + random_() % 6,
        .message_rate = {},
        .connection_rate = {},
        .retry = {50ms, 1s, 120h},
        .warn_after = milliseconds{i % 3 == 0 ? 0 : 150 * (i % 3)}
      };
      if (i % 5 == 0) shape.message_rate = Rate{100, 1s};
      if (i % 7 == 0) shape.connection_rate = Rate{50, 1s};
      for (const auto lane : kLanes) disks_[QueueName{{name}, lane}];
    }
    shapes_.of_providers["big"] = {.max_connections = 3, .message_rate = Rate{200, 1s}};
    shapes_.of_providers["small"] = {.max_connections = 2, .message_rate = {}};
  }

  void run(int events) {
    for (int i = 0; i < events; ++i) {
      happen();
      plan();
    }
    settle();
  }

 private:
  static constexpr int kDestinations = 24;
  static constexpr std::uint64_t kMessages = 600;

  struct Flight {
    QueueName queue;
    Item item;
    std::size_t shard;
    bool is_warning = false;
  };
  struct OnShard {
    std::size_t in_flight = 0, ready = 0, cap = 0;
    std::size_t connections() const { return std::max(ready, std::min(in_flight, cap)); }
  };
  struct Reading {
    schedule_step::Load load;
    std::optional<std::pair<std::vector<Item>, std::optional<WallTime>>> result;
  };
  using Writing = std::pair<QueueName, Item>;

  std::size_t draw(std::size_t below) { return random_() % below; }
  template <class Container>
  auto any(Container& container) {
    return std::next(container.begin(), static_cast<std::ptrdiff_t>(draw(container.size())));
  }
  template <class Value>
  Value pull(std::vector<Value>& values) {
    const auto at = any(values);
    auto value = *at;
    values.erase(at);
    return value;
  }

  void advance(milliseconds time) {
    now_.wall += time;
    now_.steady += time;
  }

  // ---- events ----

  void happen() {
    switch (draw(14)) {
      case 0: return advance(milliseconds{draw(15)});
      case 1:
      case 2: return announce();
      case 3: return write();
      case 4: return report();
      case 5: return read();
      case 6: return answer_load();
      case 7:
      case 8: return end_one();
      case 9: return open();
      case 10: return close();
      case 11: return answer_resolve();
      case 12: return fail();
      default: return ask();
    }
  }
  void announce() {
    if (next_ > kMessages) return;
    // The first destination has most of the mail.
    auto queue = draw(2) == 0 ? disks_.begin()->first : any(disks_)->first;
    const Item item{{now_.wall, {1, next_++}}, now_.wall, 0, 10, now_.wall};
    scheduler_.announce(queue, item.key.id);
    announced_.emplace_back(queue, item);
  }
  void write() {
    if (announced_.empty()) return;
    auto writing = pull(announced_);
    if (draw(20) == 0) {
      lost_.insert(writing.second.key.id.number);
      return scheduler_.withdraw(writing.first, writing.second.key.id);
    }
    disks_[writing.first].emplace(writing.second.key, writing.second);
    written_.push_back(writing);
  }
  void report() {
    if (written_.empty()) return;
    const auto [queue, item] = pull(written_);
    scheduler_.admit(queue, item, now_);
  }
  void read() {
    if (loads_.empty()) return;
    auto& reading = *any(loads_);
    if (reading.result) return;
    const auto& [after, until, limit] = reading.load.what;
    const auto& disk = disks_[reading.load.queue];
    std::vector<Item> items;
    auto at = after ? disk.upper_bound(*after) : disk.begin();
    for (; at != disk.end() && items.size() < limit && at->first.due <= until; ++at)
      items.push_back(at->second);
    reading.result.emplace(items, at == disk.end() ? std::nullopt : std::optional(at->first.due));
  }
  void answer_load() {
    if (loads_.empty()) return;
    const auto at = any(loads_);
    if (!at->result) return;
    const auto reading = *at;
    loads_.erase(at);
    scheduler_.loaded(reading.load.queue, reading.result->first, reading.result->second);
  }
  void end_one() {
    if (flights_.empty()) return;
    const auto [number, flight] = *any(flights_);
    land(number, flight, draw(4));
  }
  void land(std::uint64_t number, const Flight& flight, std::size_t how) {
    flights_.erase(number);
    const auto& [queue, item, shard, is_warning] = flight;
    if (is_warning) return land_warning(queue, item, how);
    if (shard != kNoShard) --shards_[{queue.destination, shard}].in_flight;
    if (how == 0 && shard != kNoShard) {
      ++given_back_[queue.destination];
      return scheduler_.put_back(queue, item.key.id, shard);
    }
    disks_[queue].erase(item.key);
    scheduler_.judged(queue.destination);
    if (how != 1) {
      done_.insert(number);
      return scheduler_.finished(queue, item.key.id, shard);
    }
    auto again = item;
    again.key.due = now_.wall + milliseconds{1 + draw(100)};
    again.scheduled = now_.wall;
    disks_[queue].emplace(again.key, again);
    scheduler_.finished(queue, item.key.id, shard);
    scheduler_.admit(queue, again, now_);
  }
  void land_warning(const QueueName& queue, Item item, std::size_t how) {
    if (how == 0) return scheduler_.put_back(queue, item.key.id, kNoShard);  // it could not be recorded
    disks_[queue].erase(item.key);
    item.key.due += 1ms;
    item.sender_was_warned = true;
    disks_[queue].emplace(item.key, item);
    EXPECT_TRUE(warned_.insert(item.key.id.number).second) << "told twice, seed " << seed_;
    scheduler_.moved(queue, item, now_);
  }
  void open() {
    for (auto& [place, shard] : shards_) {
      if (shard.ready >= std::min(shard.in_flight, shard.cap) || draw(2) == 0) continue;
      ++shard.ready;
      return scheduler_.connection_ready(place.first, place.second);
    }
  }
  void close() {
    for (auto& [place, shard] : shards_) {
      if (shard.ready == 0 || draw(3) != 0) continue;
      --shard.ready;
      return scheduler_.connection_closed(place.first, place.second);
    }
  }
  void answer_resolve() {
    if (questions_.empty()) return;
    const auto destination = *any(questions_);
    questions_.erase(destination);
    static constexpr std::array kNames{"big", "small", ""};
    // Once known it stays: a provider that takes over connections may be above its limit for a while.
    const auto known = providers_.emplace(destination, kNames[draw(3)]).first->second;
    scheduler_.resolved(destination, known, now_.steady + milliseconds{draw(200)});
  }
  void fail() {
    if (draw(4) != 0) return;
    scheduler_.hop_failed(any(disks_)->first.destination, "421", now_);
  }
  void ask() {
    const auto queue = any(disks_)->first;
    switch (draw(6)) {
      case 0: return scheduler_.hurry(queue.destination, now_);
      case 1:
        suspended_.insert(queue.destination);
        return scheduler_.suspend(queue.destination, std::nullopt);
      case 2:
      case 3:
        if (suspended_.empty()) return;
        scheduler_.unsuspend(*suspended_.begin());
        suspended_.erase(suspended_.begin());
        return;
      case 4: return hurry_one(queue);
      default: return remove_one(queue);
    }
  }
  /// One that is reported: what is being committed nobody can name yet.
  std::optional<Item> any_known(const QueueName& queue) {
    const auto& disk = disks_[queue];
    if (disk.empty()) return std::nullopt;
    const auto item = any(disk)->second;
    const bool is_reported = std::none_of(written_.begin(), written_.end(), [&](const Writing& one) {
      return one.second.key.id == item.key.id;
    });
    return is_reported ? std::optional(item) : std::nullopt;
  }
  void hurry_one(const QueueName& queue) {
    auto item = any_known(queue);
    if (!item || scheduler_.hurry_one(queue, item->key.id) != Whereabouts::disk) return;
    if (draw(3) != 0) {  // else the rewrite failed
      disks_[queue].erase(item->key);
      item->key.due = now_.wall;
      disks_[queue].emplace(item->key, *item);
    }
    written_.emplace_back(queue, *item);
  }
  void remove_one(const QueueName& queue) {
    const auto item = any_known(queue);
    if (!item || scheduler_.forget(queue, item->key.id)) return;
    disks_[queue].erase(item->key);
    lost_.insert(item->key.id.number);
    scheduler_.withdraw(queue, item->key.id);
  }

  // ---- steps ----

  void plan() {
    for (auto& step : scheduler_.plan(now_)) std::visit([this](auto& one) { take(one); }, step);
    check();
  }
  void take(const schedule_step::Start& start) {
    const auto& destination = start.queue.destination;
    EXPECT_FALSE(suspended_.contains(destination));
    EXPECT_TRUE(destination.name.starts_with("smarthost/") || providers_.contains(destination));
    auto& shard = shards_[{destination, start.shard}];
    shard.cap = start.max_connections;
    for (const auto& item : start.items) {
      fly({start.queue, item, start.shard});
      ++shard.in_flight;
      ++started_[destination];
    }
    const auto& rate = shapes_.of[destination.name].message_rate;
    if (!rate) return;
    const auto passed = std::chrono::duration_cast<milliseconds>(now_.steady - begun_).count();
    EXPECT_LE(
      started_[destination] - given_back_[destination], 100U + static_cast<std::size_t>(passed) / 10 + 1
    );
  }
  void take(const schedule_step::Load& load) {
    for (const auto& other : loads_) EXPECT_NE(other.load.queue, load.queue) << "one at a time";
    loads_.push_back({load, std::nullopt});
  }
  void take(const schedule_step::Expire& expire) {
    for (const auto& item : expire.items) fly({expire.queue, item, kNoShard});
  }
  void take(const schedule_step::Warn& warn) {
    const auto warn_after = shapes_.of[warn.queue.destination.name].warn_after;
    EXPECT_GT(warn_after, 0ms);
    for (const auto& item : warn.items) {
      EXPECT_GE(now_.wall - item.arrival, warn_after);
      fly({warn.queue, item, kNoShard, true});
    }
  }
  void take(const schedule_step::Resolve& resolve) {
    EXPECT_TRUE(questions_.insert(resolve.destination).second) << "one question at a time";
  }
  void fly(const Flight& flight) {
    const auto number = flight.item.key.id.number;
    EXPECT_TRUE(flights_.emplace(number, flight).second) << "twice in flight, seed " << seed_;
    EXPECT_FALSE(done_.contains(number) || lost_.contains(number)) << "after its end, seed " << seed_;
    EXPECT_TRUE(disks_[flight.queue].contains(flight.item.key)) << "another key, seed " << seed_;
  }
  void check() {
    std::map<Destination, std::size_t> connections, in_flight;
    std::map<std::string, std::size_t> of_provider;
    std::size_t all = 0;
    for (const auto& [place, shard] : shards_) {
      connections[place.first] += shard.connections();
      in_flight[place.first] += shard.in_flight;
      all += shard.connections();
      const auto known = providers_.find(place.first);
      if (known != providers_.end()) of_provider[known->second] += shard.connections();
    }
    for (const auto& [destination, count] : connections) {
      const auto most = shapes_.of[destination.name].max_connections;
      ASSERT_LE(count, most) << destination.name << ", seed " << seed_;
      ASSERT_LE(in_flight[destination], 2 * most);
    }
    ASSERT_LE(all, limits_.max_connections_total);
    ASSERT_EQ(all, scheduler_.connections());
    ASSERT_LE(of_provider["big"], 3U);
    ASSERT_LE(of_provider["small"], 2U);
    const auto tried = std::count_if(flights_.begin(), flights_.end(), [](const auto& entry) {
      return entry.second.shard != kNoShard;
    });
    ASSERT_LE(static_cast<std::size_t>(tried), limits_.max_in_flight);
    ASSERT_EQ(flights_.size(), scheduler_.in_flight());
    // What came back from flight or was being committed is held whatever the room; what is given up or warned of counts not
    // to max_in_flight.
    most_untried_ = std::max(most_untried_, flights_.size() - static_cast<std::size_t>(tried));
    ASSERT_LE(
      scheduler_.in_memory(),
      limits_.max_in_memory + disks_.size() + limits_.max_in_flight + most_untried_ + 40
    );
  }

  /// Everybody answers, nobody asks: what is left must come out, each message once, without anything but
  /// wake_at() to go by.
  void settle() {
    while (!suspended_.empty()) {
      scheduler_.unsuspend(*suspended_.begin());
      suspended_.erase(suspended_.begin());
    }
    for (int round = 0; round < 20'000 && !::testing::Test::HasFailure(); ++round) {
      plan();
      const bool is_idle =
        announced_.empty() && written_.empty() && loads_.empty() && flights_.empty() && questions_.empty();
      write();
      report();
      read();
      answer_load();
      answer_resolve();
      if (draw(2) == 0) open();
      if (!flights_.empty()) land(flights_.begin()->first, Flight(flights_.begin()->second), 2);
      if (draw(2) == 0) close();
      if (!is_idle) continue;
      plan();
      const auto wake = scheduler_.wake_at(now_);
      if (!wake) break;
      ASSERT_GT(*wake, now_.steady) << "nothing to do but turn, seed " << seed_;
      advance(std::chrono::ceil<milliseconds>(*wake - now_.steady));
      if (done_.size() + lost_.size() + 1 == next_) break;
    }
    ASSERT_EQ(done_.size() + lost_.size() + 1, next_) << "lost or starved, seed " << seed_;
    for (const auto& [queue, disk] : disks_) ASSERT_TRUE(disk.empty());
    EXPECT_FALSE(warned_.empty()) << "none was late, seed " << seed_;
  }

  std::mt19937 random_;
  unsigned seed_;
  Middle jitter_;
  Shapes shapes_;
  SchedulerLimits limits_{.shards = 2, .max_in_flight = 25, .max_connections_total = 10, .max_in_memory = 60};
  Scheduler scheduler_{limits_, shapes_, jitter_};
  Now now_{kWall, SteadyTime{} + 1h};
  SteadyTime begun_ = now_.steady;
  std::uint64_t next_ = 1;
  std::map<QueueName, std::map<ItemKey, Item>> disks_;
  std::vector<Writing> announced_;  // not yet written
  std::vector<Writing> written_;    // not yet reported
  std::vector<Reading> loads_;
  std::map<std::uint64_t, Flight> flights_;
  std::size_t most_untried_ = 0;  // in flight at once, and on no shard
  std::map<std::pair<Destination, std::size_t>, OnShard> shards_;
  std::set<Destination> questions_;
  std::map<Destination, std::string> providers_;
  std::set<Destination> suspended_;  // by a person
  std::map<Destination, std::size_t> started_, given_back_;
  std::set<std::uint64_t> done_, lost_;  // lost: never committed, or deleted by a person
  std::set<std::uint64_t> warned_;       // whose senders were told that they are late
};

TEST(SchedulerModel, KeepsAllLimitsAndLosesNoMessageOverRandomEvents) {
  for (unsigned seed = 0; seed < 40 && !::testing::Test::HasFailure(); ++seed) World(seed).run(4000);
}

}  // namespace
}  // namespace relay::queue
