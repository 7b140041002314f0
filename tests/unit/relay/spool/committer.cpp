#include "relay/spool/committer.hpp"

#include <future>
#include <gtest/gtest.h>

#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"

namespace relay::spool {
namespace {

class CommitterTest : public ::testing::Test {
 protected:
  test::Folder folder;
  metrics::Registry metrics{1};
  std::unique_ptr<Store> store = std::move(*Store::open({folder.path("spool"), {}, nullptr, nullptr}));

  static Operations some(const QueueId& id) {
    return {put_record(Family::content, indexed_key(id, 0), "content")};
  }
  std::uint64_t count(metrics::Counter counter) { return metrics.total(counter); }
};

TEST_F(CommitterTest, AnswersEveryCommitOnceItIsWritten) {
  Committer committer(*store, Durable::yes, metrics.shard(0));
  std::promise<Result<void>> promise;
  const auto id = store->next_id();
  committer.submit({some(id), Sync::yes, [&](const Result<void>& result) { promise.set_value(result); }});
  EXPECT_TRUE(promise.get_future().get());
  EXPECT_TRUE(store->chunk(id, 0));
}

TEST_F(CommitterTest, SyncsOnceForManyThatWait) {
  constexpr int kCommits = 500;
  std::atomic<int> answered{0};
  {
    Committer committer(*store, Durable::yes, metrics.shard(0));
    std::vector<std::thread> writers;
    for (int t = 0; t < 10; ++t) {
      writers.emplace_back([&] {
        for (int i = 0; i < kCommits / 10; ++i) {
          committer.submit({some(store->next_id()), Sync::yes, [&](const Result<void>& result) {
                              answered += result ? 1 : 0;
                            }});
        }
      });
    }
    for (auto& writer : writers) writer.join();
  }
  EXPECT_EQ(answered, kCommits);
  EXPECT_EQ(count(metrics::Counter::spool_commits), static_cast<std::uint64_t>(kCommits));
  EXPECT_LT(count(metrics::Counter::spool_syncs), static_cast<std::uint64_t>(kCommits));
  EXPECT_GT(count(metrics::Counter::spool_syncs), 0U);
}

TEST_F(CommitterTest, LeavesTheSyncOutWhenTold) {
  {
    Committer committer(*store, Durable::no, metrics.shard(0));
    committer.submit({some(store->next_id()), Sync::yes, [](const Result<void>&) {}});
  }
  EXPECT_EQ(count(metrics::Counter::spool_syncs), 0U);
  EXPECT_EQ(count(metrics::Counter::spool_commits), 1U);
}

TEST_F(CommitterTest, SyncsWithinAMomentWhatIsToBeSyncedSoonAndAnswersBefore) {
  Committer committer(*store, Durable::yes, metrics.shard(0));
  std::promise<std::uint64_t> syncs_before;
  committer.submit({some(store->next_id()), Sync::soon, [&](const Result<void>&) {
                      syncs_before.set_value(count(metrics::Counter::spool_syncs));
                    }});
  EXPECT_EQ(syncs_before.get_future().get(), 0U);
  test::eventually(
    [&] { return count(metrics::Counter::spool_syncs) == 1; }, "a sync without another commit"
  );
}

TEST_F(CommitterTest, SyncsOnceForWhatOthersSyncAnyhow) {
  {
    Committer committer(*store, Durable::yes, metrics.shard(0));
    std::promise<void> both_wait;
    committer.submit(
      {some(store->next_id()), Sync::no,
       [held = both_wait.get_future().share()](const Result<void>&) { held.wait(); }}
    );
    committer.submit({some(store->next_id()), Sync::soon, [](const Result<void>&) {}});
    committer.submit({some(store->next_id()), Sync::yes, [](const Result<void>&) {}});
    both_wait.set_value();
  }
  EXPECT_EQ(count(metrics::Counter::spool_syncs), 1U);
}

TEST_F(CommitterTest, SyncsNothingSoonWhereItIsNotToSync) {
  {
    Committer committer(*store, Durable::no, metrics.shard(0));
    std::promise<void> done;
    committer.submit({some(store->next_id()), Sync::soon, [&](const Result<void>&) { done.set_value(); }});
    done.get_future().get();
  }
  EXPECT_EQ(count(metrics::Counter::spool_syncs), 0U);
}

TEST_F(CommitterTest, WritesWhatWaitsBeforeItEnds) {
  std::vector<QueueId> ids;
  {
    Committer committer(*store, Durable::yes, metrics.shard(0));
    for (int i = 0; i < 100; ++i) {
      ids.push_back(store->next_id());
      committer.submit({some(ids.back()), Sync::no, [](const Result<void>&) {}});
    }
  }
  store.reset();
  store = std::move(*Store::open({folder.path("spool"), {}, nullptr, nullptr}));
  for (const auto& id : ids) EXPECT_TRUE(store->chunk(id, 0));
}

}  // namespace
}  // namespace relay::spool
