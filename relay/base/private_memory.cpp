#include "relay/base/private_memory.hpp"

#include <cerrno>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <system_error>

namespace relay {

void keep_memory_private() {
  constexpr rlimit kNone{0, 0};
  // The limit alone is not asked where cores are piped to a program (core(5)); not being dumpable holds for both.
  if (setrlimit(RLIMIT_CORE, &kNone) != 0 || prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot keep core dumps off");
}

}  // namespace relay
