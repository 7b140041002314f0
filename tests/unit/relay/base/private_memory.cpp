#include "relay/base/private_memory.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace relay {
namespace {

/// In a process of its own: what is given up does not come back. @return  0 where nothing can be dumped
[[noreturn]] void exit_by_what_is_left() {
  keep_memory_private();
  rlimit left{};
  const bool is_private = prctl(PR_GET_DUMPABLE) == 0 && getrlimit(RLIMIT_CORE, &left) == 0 &&
                          left.rlim_cur == 0 && left.rlim_max == 0;
  std::_Exit(is_private ? 0 : 1);
}

TEST(PrivateMemory, IsNeverWrittenToACoreFile) {
  EXPECT_EXIT(exit_by_what_is_left(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace relay
