#pragma once
/// Asks many hosts for one small page each, at the same time.

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "operator/runtime/clock.hpp"
#include "relay/base/network.hpp"

namespace op::runtime {

struct FetchLimits {
  milliseconds each = seconds{2};  ///< from the connection's begin to the page's end
  milliseconds all = seconds{10};  ///< of one fetch(); hosts whose turn has not come by then are not asked
  std::size_t at_once = 128;       ///< connections, over all fetches
  std::size_t max_octets = 16U << 10U;  ///< of an answer, header included
};

/// HTTP GET in plain text to addresses, a connection for each: pods, which are many and asked seldom. (cpprestsdk keeps a
/// client for each host it ever spoke to.) One thread, which begins with the first fetch and waits for sockets alone.
///
/// Safe from any thread.
class PageFetcher {
 public:
  /// One for each host, in their order. Errors: invalid_argument (no address), connection_failed, connection_lost,
  /// timed_out, too_large, protocol_error (no HTTP), unavailable (another status than 200).
  using Pages = std::vector<relay::Result<std::string>>;
  /// Runs on the fetcher's thread, so without waiting.
  using Done = std::function<void(Pages)>;

  explicit PageFetcher(FetchLimits limits = {});
  /// Ends at once. Who waits for pages hears nothing more.
  ~PageFetcher();
  PageFetcher(const PageFetcher&) = delete;
  PageFetcher& operator=(const PageFetcher&) = delete;

  /// Never waits. @param hosts  IPv4 or IPv6 addresses and ports; @param path  `/node`
  void fetch(std::vector<relay::Endpoint> hosts, std::string path, Done done);

 private:
  struct Job;
  struct Turn;
  class Exchange;
  void run(const std::stop_token& stop);
  void take_new(std::deque<Turn>& waiting);
  void begin(std::deque<Turn>& waiting, std::vector<Exchange>& open) const;
  void wait(std::vector<Exchange>& open) const;
  void wake() const;

  FetchLimits limits_;
  int bell_;  // an eventfd: something new, or the end
  std::mutex mutex_;
  std::vector<std::shared_ptr<Job>> new_;  // under mutex_
  std::jthread thread_;                    // begun under mutex_; last: ends before what it uses
};

/// The body of a whole answer of HTTP/1. Errors: protocol_error, connection_lost (it is cut short), unavailable (another
/// status than 200).
[[nodiscard]] relay::Result<std::string> page_of(std::string_view answer);

}  // namespace op::runtime
