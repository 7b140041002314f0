#pragma once
/// The MTA-STS policies of all domains that mail goes to.

#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "relay/base/log.hpp"
#include "relay/net/io_thread.hpp"
#include "relay/net/task_group.hpp"
#include "relay/tlspolicy/policy_folder.hpp"
#include "relay/tlspolicy/ports.hpp"

namespace relay::tlspolicy {

struct StsOptions {
  std::string folder;  ///< of this cache alone
  milliseconds wait =
    seconds{20};  ///< of a delivery, at most; then it goes by the policy that counts, or none
  std::size_t max_domains = 10'000;             ///< in memory with or without a policy, and files
  std::size_t max_octets = 32UL * 1024 * 1024;  ///< of the policies in memory
  std::size_t max_fetches = 50;                 ///< at a time; more are put off
};

/// All of it outlives the cache; `workers` are joined before `loop` goes.
struct StsPorts {
  net::asio::io_context& loop;
  net::WorkerPool& workers;
  TxtLookup& txt;
  PolicyFetcher& fetcher;
  const Clock& clock;
  log::Sink& log;
  /// Told on the loop of each policy that was announced and could not be had, for reports (RFC 8460). May be empty.
  std::function<void(const std::string& domain, sts::Fault fault)> on_fault;
};

/// Lives on one loop; its public methods may be called, and awaited, from any shard. It is destroyed when the loop
/// no longer runs.
class StsCache {
 public:
  StsCache(StsPorts ports, StsOptions options);
  StsCache(const StsCache&) = delete;
  StsCache& operator=(const StsCache&) = delete;

  /// The policy that counts for mail to this domain; its mode may be none. Nothing when there is none, none can be
  /// had, or `domain` is no host name.
  [[nodiscard]] net::Awaitable<std::optional<sts::Policy>> policy_for(std::string domain);
  /// The policy kept mail from every host: the next policy_for() asks whether there is a newer one before it answers
  /// (RFC 8461 section 5.1).
  void refused(std::string domain);
  /// Fetches the policies anew whose time has come, also of domains without mail at present, so that none runs out
  /// (section 10.2). What was not used for its whole max_age is left to run out, and removed then. For once an hour;
  /// a call while one goes on does nothing.
  void refresh();

 private:
  struct Entry;
  struct Waiter;
  using EntryPtr = std::shared_ptr<Entry>;
  using Answer = std::function<void(std::optional<sts::Policy>)>;

  [[nodiscard]] sts::Now now() const;
  void ask(const std::string& domain, Answer answer);
  void wait(const EntryPtr& entry, Answer answer);
  void settle(const EntryPtr& entry);
  void account(const EntryPtr& entry);
  [[nodiscard]] EntryPtr entry_of(const std::string& domain);
  void evict();

  net::Awaitable<void> load(EntryPtr entry);
  net::Awaitable<void> load_and_discover(EntryPtr entry);
  net::Awaitable<void> discover(EntryPtr entry);
  net::Awaitable<void> fetch(EntryPtr entry);
  net::Awaitable<void> save(EntryPtr entry);
  net::Awaitable<void> refresh_all();
  net::Awaitable<void> refresh_one(std::string domain);
  void report_fault(const Entry& entry, const Error& error);
  void complain(const std::string& domain, const Error& error);

  StsPorts ports_;
  StsOptions options_;
  PolicyFolder folder_;
  net::TaskGroup tasks_;
  std::unordered_map<std::string, EntryPtr> entries_;
  std::list<EntryPtr> by_use_;  // the most recently used first
  std::size_t octets_ = 0;      // of the policies in entries_
  std::size_t fetches_ = 0;
  bool is_refreshing_ = false;
};

}  // namespace relay::tlspolicy
