#pragma once
/// Waiting that a stop request ends.

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "operator/runtime/clock.hpp"

namespace op::runtime {

inline void wait_for(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace op::runtime
