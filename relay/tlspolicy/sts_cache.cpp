#include "relay/tlspolicy/sts_cache.hpp"

#include "relay/base/text.hpp"
#include "relay/net/completion.hpp"
#include "relay/sts/record.hpp"

namespace relay::tlspolicy {
namespace {

using TxtAnswer = Result<std::vector<std::string>>;

/// Runs what blocks on a worker; the coroutine goes on where it was.
template <class T>
net::Awaitable<T> on_worker(net::WorkerPool& workers, std::function<T()> work) {
  std::function<void(std::function<void(T)>)> start = [&workers, work](std::function<void(T)> answer) {
    net::asio::post(workers, [work, answer = std::move(answer)] { answer(work()); });
  };
  auto result = co_await net::answered_by<T>(std::move(start));
  co_return result;
}

sts::RecordAnswer to_record_answer(const TxtAnswer& records) {
  if (!records) {
    if (records.error().code == Errc::name_not_found) return sts::record::None{};
    return sts::record::Failed{};
  }
  auto id = sts::policy_id(*records);
  if (!id) return sts::record::None{};
  return sts::record::Found{std::move(*id)};
}

std::size_t octets_of(const std::optional<sts::Cached>& cached) {
  if (!cached) return 0;
  std::size_t octets = cached->id.size();
  for (const auto& pattern : cached->policy.mx) octets += sizeof(pattern) + pattern.size();
  return octets;
}

}  // namespace

struct StsCache::Waiter {
  Waiter(net::asio::io_context& loop, Answer to) : answer(std::move(to)), deadline(loop) {}
  Answer answer;
  net::Timer deadline;
};

struct StsCache::Entry {
  explicit Entry(std::string name) : domain(std::move(name)) {}

  [[nodiscard]] bool is_idle() const {
    return !is_loading && !is_saving && waiters.empty() && !state.is_busy();
  }
  [[nodiscard]] std::optional<sts::Policy> policy(WallTime now) const {
    const auto* counts = state.policy(now);
    return counts != nullptr ? std::optional(*counts) : std::nullopt;
  }

  std::string domain;
  sts::PolicyState state;
  bool is_loaded = false;  // what the disk has is in `state`
  bool is_loading = false;
  bool is_saving = false;
  bool has_unsaved = false;
  std::optional<WallTime> used;
  std::size_t octets = 0;
  std::list<std::shared_ptr<Waiter>> waiters;
  std::list<EntryPtr>::iterator place;
};

StsCache::StsCache(StsPorts ports, StsOptions options)
    : ports_(std::move(ports)),
      options_(std::move(options)),
      folder_(options_.folder, options_.max_domains),
      tasks_(ports_.loop.get_executor(), [this](const std::string& what) {
        ports_.log.write(log::error("exception").with("where", "tls policy").with("error", what));
      }) {}

net::Awaitable<std::optional<sts::Policy>> StsCache::policy_for(std::string domain) {
  using Policy = std::optional<sts::Policy>;
  domain = lower(domain);
  if (domain.ends_with('.')) domain.pop_back();
  if (!is_host_name(domain)) co_return std::nullopt;
  std::function<void(Answer)> start = [this, domain](Answer answer) {
    net::asio::post(ports_.loop, [this, domain, answer = std::move(answer)]() mutable {
      ask(domain, std::move(answer));
    });
  };
  auto policy = co_await net::answered_by<Policy>(std::move(start));
  co_return policy;
}

void StsCache::refused(std::string domain) {
  net::asio::post(ports_.loop, [this, domain = lower(domain)]() mutable {
    if (domain.ends_with('.')) domain.pop_back();
    if (const auto known = entries_.find(domain); known != entries_.end()) known->second->state.refused();
  });
}

void StsCache::refresh() {
  net::asio::post(ports_.loop, [this] {
    if (is_refreshing_) return;
    is_refreshing_ = true;
    tasks_.spawn(refresh_all());
  });
}

sts::Now StsCache::now() const { return {ports_.clock.wall(), ports_.clock.steady()}; }

void StsCache::ask(const std::string& domain, Answer answer) {
  const auto entry = entry_of(domain);
  entry->used = ports_.clock.wall();
  if (!entry->is_loaded) {
    wait(entry, std::move(answer));
    if (entry->is_loading) return;
    entry->is_loading = true;
    tasks_.spawn(load_and_discover(entry));
    return;
  }
  const bool must_look_up = entry->state.ask(now());
  const auto wall = ports_.clock.wall();
  if (entry->state.must_wait(wall)) wait(entry, std::move(answer));
  else answer(entry->policy(wall));
  if (must_look_up) tasks_.spawn(discover(entry));
}

void StsCache::wait(const EntryPtr& entry, Answer answer) {
  const auto waiter = std::make_shared<Waiter>(ports_.loop, std::move(answer));
  entry->waiters.push_back(waiter);
  waiter->deadline.expires_after(options_.wait);
  waiter->deadline.async_wait([this, entry, waiter](net::error_code ec) {
    if (ec || entry->waiters.remove(waiter) == 0) return;
    waiter->answer(entry->policy(ports_.clock.wall()));
  });
}

/// Answers who waits, when there is nothing to wait for.
void StsCache::settle(const EntryPtr& entry) {
  const auto wall = ports_.clock.wall();
  if (!entry->is_loaded || entry->state.must_wait(wall)) return;
  const auto waiters = std::move(entry->waiters);
  entry->waiters.clear();
  for (const auto& waiter : waiters) {
    waiter->deadline.cancel();
    waiter->answer(entry->policy(wall));
  }
}

void StsCache::account(const EntryPtr& entry) {
  octets_ -= entry->octets;
  entry->octets = octets_of(entry->state.cached());
  octets_ += entry->octets;
  evict();
}

StsCache::EntryPtr StsCache::entry_of(const std::string& domain) {
  if (const auto known = entries_.find(domain); known != entries_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, known->second->place);
    return known->second;
  }
  auto entry = std::make_shared<Entry>(domain);
  by_use_.push_front(entry);
  entry->place = by_use_.begin();
  entries_.emplace(domain, entry);
  evict();
  return entry;
}

/// Those at work stay, and so does the newest: somebody is about to use it.
void StsCache::evict() {
  auto at = by_use_.end();
  while (at != by_use_.begin() && (entries_.size() > options_.max_domains || octets_ > options_.max_octets)) {
    --at;
    if (at == by_use_.begin() || !(*at)->is_idle()) continue;
    octets_ -= (*at)->octets;
    entries_.erase((*at)->domain);
    at = by_use_.erase(at);
  }
}

net::Awaitable<void> StsCache::load(EntryPtr entry) {
  using Loaded = Result<std::optional<StoredPolicy>>;
  entry->is_loading = true;
  std::function<Loaded()> work = [folder = folder_, domain = entry->domain] { return folder.load(domain); };
  auto loaded = co_await on_worker<Loaded>(ports_.workers, std::move(work));
  entry->is_loading = false;
  entry->is_loaded = true;
  if (!loaded) complain(entry->domain, loaded.error());
  if (loaded && loaded->has_value()) {
    auto& stored = **loaded;
    if (!entry->used) entry->used = stored.used;
    entry->state = sts::PolicyState(std::move(stored.cached));
  }
  account(entry);
}

net::Awaitable<void> StsCache::load_and_discover(EntryPtr entry) {
  co_await load(entry);
  const bool must_look_up = entry->state.ask(now());
  settle(entry);
  if (must_look_up) co_await discover(entry);
}

net::Awaitable<void> StsCache::discover(EntryPtr entry) {
  auto name = sts::record_name(entry->domain);
  const auto records = co_await ports_.txt.txt(std::move(name));
  const bool must_fetch = entry->state.looked_up(to_record_answer(records), now());
  settle(entry);
  if (must_fetch) co_await fetch(entry);
}

net::Awaitable<void> StsCache::fetch(EntryPtr entry) {
  if (fetches_ >= options_.max_fetches) {
    entry->state.put_off();
    settle(entry);
    co_return;
  }
  ++fetches_;
  const auto text = co_await ports_.fetcher.fetch_policy(entry->domain);
  --fetches_;
  auto policy = text ? sts::parse_policy(*text) : Result<sts::Policy>(tl::unexpected<Error>(text.error()));
  if (!policy) report_fault(*entry, policy.error());
  const bool is_new = entry->state.fetched(std::move(policy), now());
  settle(entry);
  account(entry);
  if (is_new) co_await save(entry);
}

net::Awaitable<void> StsCache::save(EntryPtr entry) {
  const auto& cached = *entry->state.cached();
  ports_.log.write(log::info("sts_policy")
                     .with("domain", entry->domain)
                     .with("mode", sts::name(cached.policy.mode))
                     .with("id", cached.id));
  entry->has_unsaved = true;
  if (entry->is_saving) co_return;  // the disk is slow: what goes on there ends with this one, too
  entry->is_saving = true;
  while (entry->has_unsaved) {
    entry->has_unsaved = false;
    const StoredPolicy stored{*entry->state.cached(), entry->used.value_or(entry->state.cached()->fetched)};
    std::function<Result<void>()> work = [folder = folder_, domain = entry->domain, stored] {
      return folder.save(domain, stored);
    };
    const auto saved = co_await on_worker<Result<void>>(ports_.workers, std::move(work));
    if (!saved) complain(entry->domain, saved.error());
  }
  entry->is_saving = false;
}

net::Awaitable<void> StsCache::refresh_all() {
  using Domains = std::vector<std::string>;
  std::function<Domains()> work = [folder = folder_] { return folder.domains(); };
  const auto domains = co_await on_worker<Domains>(ports_.workers, std::move(work));
  for (const auto& domain : domains) {
    co_await refresh_one(domain);
  }
  is_refreshing_ = false;
}

net::Awaitable<void> StsCache::refresh_one(std::string domain) {
  using Loaded = Result<std::optional<StoredPolicy>>;
  // Read apart from the entries, so that a walk over all files drives none of them out.
  std::function<Loaded()> work = [folder = folder_, domain, wall = ports_.clock.wall()] {
    auto loaded = folder.load(domain);
    const bool is_over = loaded && loaded->has_value() && !sts::PolicyState((*loaded)->cached).policy(wall);
    if (is_over) folder.remove(domain);
    return is_over ? Loaded(std::nullopt) : loaded;
  };
  const auto loaded = co_await on_worker<Loaded>(ports_.workers, std::move(work));
  if (!loaded || !loaded->has_value()) co_return;
  const auto known = entries_.find(domain);
  const auto used = known != entries_.end() ? known->second->used.value_or((*loaded)->used) : (*loaded)->used;
  const auto wall = ports_.clock.wall();
  const bool is_in_use = wall - used <= (*loaded)->cached.policy.max_age;
  if (!is_in_use || !sts::PolicyState((*loaded)->cached).is_refresh_due(wall)) co_return;
  const auto entry = entry_of(domain);
  if (entry->is_loading) co_return;  // somebody asks just now
  if (!entry->is_loaded) co_await load(entry);
  // Who came meanwhile waits for load_and_discover(), which this stands for.
  const bool must_look_up = entry->state.ask(now());
  settle(entry);
  if (must_look_up) co_await discover(entry);
}

void StsCache::report_fault(const Entry& entry, const Error& error) {
  const auto fault = sts::fault_of(error);
  const auto& cached = entry.state.cached();
  // Somebody should look, unless the domain has said that it gives its policy up (RFC 8461 section 3.3).
  const bool is_given_up = cached && cached->policy.mode == sts::Mode::none;
  ports_.log.write((is_given_up ? log::info("sts_fault") : log::warning("sts_fault"))
                     .with("domain", entry.domain)
                     .with("fault", sts::name(fault))
                     .with("has_policy", cached.has_value())
                     .with("error", error.message()));
  if (ports_.on_fault) ports_.on_fault(entry.domain, fault);
}

void StsCache::complain(const std::string& domain, const Error& error) {
  ports_.log.write(log::warning("sts_file").with("domain", domain).with("error", error.message()));
}

}  // namespace relay::tlspolicy
