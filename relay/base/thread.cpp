#include "relay/base/thread.hpp"

#include <pthread.h>
#include <sched.h>

namespace relay {

void name_thread(const std::string& name) {
  constexpr std::size_t kLongest = 15;
  (void)pthread_setname_np(pthread_self(), name.substr(0, kLongest).c_str());
}

void run_behind_others() {
  const sched_param priority{};
  (void)sched_setscheduler(0, SCHED_BATCH, &priority);  // 0: the calling thread alone
}

}  // namespace relay
