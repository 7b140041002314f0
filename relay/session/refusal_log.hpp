#pragma once
/// Records of clients that are refused for having too many connections.

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "relay/base/log.hpp"
#include "relay/base/network.hpp"

namespace relay::session {

/// Of each client (see client_of()) the first refusal is recorded at once, and those that follow in one record a minute:
/// who refuses a client thousands of times a second must not write as many lines. Each refusal stands in exactly one
/// record, by its number `refused`; a process that is killed, or gives up its stop, owes those of the last minute.
///
/// When kMaxClients have been refused within a minute all others share the records of one, so that memory stays bounded.
/// Thread: any.
class RefusalLog {
 public:
  static constexpr std::chrono::minutes kInterval{1};
  static constexpr std::size_t kMaxClients = 1000;

  /// @param log  outlives this
  explicit RefusalLog(log::Sink& log) : log_(log) {}

  /// @param limit  how many connections it may have
  void refused(const IpAddress& client, std::size_t limit, SteadyTime now);
  /// Writes what is a minute old; asked about once a second. SteadyTime::max(), at the end: all that is left.
  void flush(SteadyTime now);

 private:
  struct Refusals {
    IpAddress last;  // who was refused
    std::size_t limit = 0;
    std::uint64_t unrecorded = 0;
    SteadyTime next_record{};
  };
  void write(Refusals& refusals, bool are_of_several, SteadyTime now);

  log::Sink& log_;
  std::mutex mutex_;
  std::map<IpAddress, Refusals> clients_;  // under mutex_; by first address
  Refusals others_;                        // under mutex_; of clients beyond kMaxClients
};

}  // namespace relay::session
