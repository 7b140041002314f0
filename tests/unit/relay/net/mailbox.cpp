#include "relay/net/mailbox.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace relay::net {
namespace {

TEST(Mailbox, RunsWhatWaitsInOneBunchAndInOrder) {
  asio::io_context loop;
  std::vector<int> done;
  Mailbox mailbox(loop, [&] { done.push_back(-1); });
  for (int i = 1; i <= 3; ++i) mailbox.post([&, i] { done.push_back(i); });
  EXPECT_EQ(loop.run(), 1U) << "the loop has one thing to do";
  EXPECT_THAT(done, ::testing::ElementsAre(1, 2, 3, -1));
}

TEST(Mailbox, TakesWhatAnActionPostsWithTheNextBunch) {
  asio::io_context loop;
  std::vector<int> done;
  Mailbox mailbox(loop, [&] { done.push_back(-1); });
  mailbox.post([&] {
    done.push_back(1);
    mailbox.post([&] { done.push_back(2); });
  });
  loop.run();
  EXPECT_THAT(done, ::testing::ElementsAre(1, -1, 2, -1));
}

TEST(Mailbox, LosesNothingThatSeveralThreadsPost) {
  asio::io_context loop;
  const auto work = asio::make_work_guard(loop);
  int done = 0;
  Mailbox mailbox(loop, [&] {
    if (done == 4000) loop.stop();
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) mailbox.post([&] { ++done; });
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 4000);
}

}  // namespace
}  // namespace relay::net
