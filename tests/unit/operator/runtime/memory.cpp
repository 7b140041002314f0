#include "operator/runtime/memory.hpp"

#include <barrier>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace op::runtime {
namespace {

/// KiB of a line of /proc/self/status, such as RssFile.
long status(const std::string& field) {
  std::ifstream file("/proc/self/status");
  std::string name;
  long value = 0;
  while (file >> name) {
    if (name == field + ":" && file >> value) return value;
    file.ignore(4096, '\n');
  }
  return 0;
}

/// Seen with AddressSanitizer: two informers had their first lists at one moment, and the operator ended with SIGSEGV.
TEST(Memory, IsGivenBackByManyThreadsAtOnce) {
  constexpr int kThreads = 16;
  std::barrier together(kThreads);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      together.arrive_and_wait();
      give_back_memory();
    });
  }
}

TEST(Memory, GivesBackPagesOfTheProgramThatWereNeededOnce) {
  const auto before = status("RssFile");
  give_back_memory();
  EXPECT_GT(before, 0);
  EXPECT_LT(status("RssFile"), before) << "what is executed right now is there again";
}

TEST(Memory, TakesNothingAwayThatIsInUse) {
  std::vector<std::unique_ptr<std::string>> kept;
  for (int i = 0; i < 1000; ++i)
    kept.push_back(std::make_unique<std::string>(std::to_string(i) + "-" + std::string(100, 'x')));
  give_back_memory();
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(kept[static_cast<std::size_t>(i)]->starts_with(std::to_string(i) + "-"));
}

}  // namespace
}  // namespace op::runtime
