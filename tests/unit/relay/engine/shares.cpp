#include "relay/engine/shares.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace relay::engine {
namespace {

TEST(Shares, BeginAtOnceWhenNoOtherOfTheMessageIsBeingSettled) {
  Shares shares;
  int begun = 0;
  shares.enter({1, 1}, [&] { ++begun; });
  shares.enter({1, 2}, [&] { ++begun; });
  EXPECT_EQ(begun, 2);
}

TEST(Shares, OfOneMessageBeginInTheirOrderEachWhenTheOneBeforeHasLeft) {
  Shares shares;
  std::vector<int> begun;
  for (int i = 1; i <= 3; ++i) shares.enter({1, 1}, [&, i] { begun.push_back(i); });
  EXPECT_EQ(begun, std::vector{1});
  shares.leave({1, 1});
  EXPECT_EQ(begun, (std::vector{1, 2}));
  shares.leave({1, 1});
  EXPECT_EQ(begun, (std::vector{1, 2, 3}));
  shares.leave({1, 1});
  shares.enter({1, 1}, [&] { begun.push_back(4); });
  EXPECT_EQ(begun.size(), 4U) << "all have left";
}

TEST(Shares, ThatNobodyEnteredAreLeftWithoutHarm) {
  Shares shares;
  shares.leave({1, 1});
  bool has_begun = false;
  shares.enter({1, 1}, [&] { has_begun = true; });
  EXPECT_TRUE(has_begun);
}

TEST(Shares, AreNeverSettledTwoAtATime) {
  Shares shares;
  std::atomic<int> inside{0};
  std::atomic<int> done{0};
  std::atomic<bool> has_met{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        shares.enter({1, 1}, [&] {
          if (++inside > 1) has_met = true;
          --inside;
          ++done;
          shares.leave({1, 1});
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(has_met);
  EXPECT_EQ(done, 2000);
}

}  // namespace
}  // namespace relay::engine
