#include "relay/engine/dispatcher.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <mutex>

#include "tests/support/exchange.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using metrics::Counter;
using spool::Family;

const route::Destination kHop = route::smarthost_destination();

class RealClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

struct Middle : Jitter {
  double fraction() override { return 0.5; }
};

/// Keeps the ids of what it was to ship.
class Shipped : public Shipper {
 public:
  void ship(const route::Destination&, std::vector<Dispatched> attempts, bool) override {
    const std::scoped_lock lock(mutex_);
    for (auto& dispatched : attempts) attempts_.push_back(std::move(dispatched.attempt));
  }
  std::vector<Attempt> attempts() const {
    const std::scoped_lock lock(mutex_);
    return attempts_;
  }
  std::size_t count() const { return attempts().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Attempt> attempts_;
};

class DispatcherTest : public ::testing::Test, public LimitsSource {
 protected:
  void SetUp() override {
    auto limits = std::make_shared<Limits>();
    limits->retry = {300ms, 1s, 120h};
    limits->spool_max_size = Octets{1U << 30U};
    limits->spool_min_free_percent = 0;
    limits_ = limits;
    open();
  }
  void TearDown() override { close(); }

  void open() {
    store = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
    loop = std::make_unique<test::Loop>();
    workers = std::make_unique<net::WorkerPool>(2);
    committer = std::make_unique<spool::Committer>(*store, spool::Durable::no, metrics.shard(1));
    clock = std::make_unique<QueueClock>(real_clock);
    const Context context{*store, *committer, *clock, *this, log, metrics, metrics.shard(1), *workers};
    admission = std::make_unique<Admission>(context, folder.path("spool"));
    dispatcher = std::make_unique<Dispatcher>(
      context, loop->thread, *admission, queue::SchedulerLimits{1, 4, limits_->retry}, jitter
    );
    dispatcher->set_shippers({&shipped});
    admission->start_with(store->usage());
  }
  void close() {
    loop->thread.stop();
    workers->join();
    committer->stop();
    dispatcher.reset();
    admission.reset();
    committer.reset();
    store.reset();
  }
  void start() { dispatcher->start({kHop.name}); }
  std::shared_ptr<const Limits> limits() const override { return limits_; }

  /// On disk, as accepted by an earlier process. `due` may be what no record says.
  QueueId store_message(const std::string& due = "") {
    const auto id = store->next_id();
    const auto now = real_clock.wall();
    spool::StoredEnvelope stored;
    stored.envelope.reverse_path = test::address("a@b");
    stored.envelope.recipients = {test::address("c@d")};
    stored.envelope.size = 1000;
    const auto key = spool::due_key(kHop.name, now, id);
    const auto place = spool::to_payload(spool::Waiting{now, 1000, 0, ""});
    EXPECT_TRUE(store->write(
      {spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(stored)),
       due.empty() ? spool::put_record(Family::due, key, place) : spool::put(Family::due, key, due)},
      spool::Sync::no
    ));
    return id;
  }
  void expect_shipped(std::size_t count) {
    test::eventually([&] { return shipped.count() >= count; }, "the attempts");
    EXPECT_EQ(shipped.count(), count);
  }
  std::size_t quarantined() const { return metrics.total(Counter::spool_quarantined); }

  test::Folder folder;
  test::QuietLog log;
  metrics::Registry metrics{2};
  RealClock real_clock;
  Middle jitter;
  Shipped shipped;
  std::unique_ptr<spool::Store> store;
  std::unique_ptr<test::Loop> loop;
  std::unique_ptr<net::WorkerPool> workers;
  std::unique_ptr<spool::Committer> committer;
  std::unique_ptr<QueueClock> clock;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<Dispatcher> dispatcher;
  std::shared_ptr<const Limits> limits_;
};

TEST_F(DispatcherTest, WakesUpForATimeThatItHadStoppedWaitingFor) {
  store_message();
  start();
  expect_shipped(1);
  dispatcher->put_back(shipped.attempts().front(), 0);
  dispatcher->hop_failed(kHop, "away");  // suspended until a certain time
  dispatcher->pause();                   // now it waits for nothing
  dispatcher->unpause();                 // and now for the same time again
  expect_shipped(2);
}

TEST_F(DispatcherTest, QuarantinesPagesOfDamagedPlacesOnceAndReadsOn) {
  constexpr std::size_t kDamaged = queue::kWindow + 200;
  for (std::size_t i = 0; i < kDamaged; ++i) store_message("garbage");
  const auto good = store_message();
  admission->add_waiting(kDamaged + 1, 0);
  start();
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().item.key.id, good);
  test::eventually([this] { return quarantined() == kDamaged; }, "the quarantine");
  test::eventually([this] { return store->usage().messages == 1; });
  // One that is read again just before its removal shows is named twice; it is counted and set aside once.
  EXPECT_GE(log.records("quarantine").size(), kDamaged);
  EXPECT_EQ(quarantined(), kDamaged);
}

TEST_F(DispatcherTest, QuarantinesOnceTheDiskHasSpaceAgain) {
  const auto damaged = store_message("garbage");
  test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  start();
  test::eventually([this] { return metrics.total(Counter::spool_errors_full) > 0; }, "a full disk");
  EXPECT_EQ(quarantined(), 0U);
  full.mend();
  test::eventually([this] { return quarantined() == 1; }, "the quarantine");
  EXPECT_EQ(store->envelope(damaged).error().code, Errc::not_found);
}

TEST_F(DispatcherTest, ReadsTheQueueAgainThatItCouldNotRead) {
  store_message();
  close();
  open();  // what was in the log stands in tables now
  test::BrokenFiles broken(folder.path("spool"), ".sst");
  start();
  test::eventually([this] { return admission->unready_reason().has_value(); }, "the failure shows");
  EXPECT_EQ(admission->refuse_message()->code, 451);
  broken.mend();
  expect_shipped(1);
  test::eventually([this] { return !admission->unready_reason(); }, "mail is accepted again");
}

TEST_F(DispatcherTest, StopsAcceptingWhenTheQueueIsDamagedAndMendsItAtTheNextStart) {
  for (int i = 0; i < 3; ++i) store_message();
  close();
  open();
  close();
  // A bit of the table that holds the queue: none of it can be read.
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("spool"))) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string octets{std::istreambuf_iterator<char>(file), {}};
    if (octets.find(kHop.name) == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(octets.find(kHop.name)) + 1);
    file.put('?');
  }
  open();
  start();
  test::eventually([this] { return admission->unready_reason().has_value(); }, "the failure shows");
  EXPECT_EQ(admission->refuse_message()->code, 451);
  std::this_thread::sleep_for(6s);
  EXPECT_TRUE(admission->unready_reason()) << "until a restart";
  EXPECT_EQ(shipped.count(), 0U);
  close();
  open();
  EXPECT_EQ(metrics.total(Counter::spool_repairs), 1U);
  start();
  expect_shipped(3);
  EXPECT_FALSE(admission->unready_reason());
}

}  // namespace
}  // namespace relay::engine
