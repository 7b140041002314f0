#pragma once
/// A thread with an event loop of its own: a shard, or the scheduler.

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "relay/net/asio.hpp"

namespace relay::net {

/// Of a thread, where all cores are busy (run_behind_others()).
enum class Precedence : std::uint8_t { usual, behind_others };

/// Runs until stop(). Work may be posted before start(). Lifetime: everything on its loop is gone before it
/// is destroyed.
class IoThread {
 public:
  /// @param name  at most 15 octets, shown by ps and debuggers
  explicit IoThread(std::string name, Precedence precedence = Precedence::usual);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void start();
  /// Ends the loop with what is queued left undone, and joins the thread. Thread: not its own. Idempotent.
  void stop();
  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] asio::io_context::executor_type executor() { return context_.get_executor(); }

 private:
  std::string name_;
  Precedence precedence_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

/// Runs `action` on a loop and waits for its result. Thread: not the loop's own.
template <class Action>
auto ask(IoThread& thread, Action action) {
  auto task = std::make_shared<std::packaged_task<decltype(action())()>>(std::move(action));
  auto answer = task->get_future();
  asio::post(thread.context(), [task] { (*task)(); });
  return answer.get();
}

/// For what blocks and must not do so on a shard: reads from the spool, files. A few threads, started at
/// once.
using WorkerPool = asio::thread_pool;

}  // namespace relay::net
