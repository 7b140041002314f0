#include "relay/app/process.hpp"

#include <array>
#include <csignal>

#include "relay/app/host_facts.hpp"
#include "relay/app/mode.hpp"

namespace relay::app {
namespace {

std::size_t shard_count(const config::Settings& settings) {
  if (settings.shards > 0) return settings.shards;
  return std::max(1U, std::thread::hardware_concurrency());
}

std::vector<std::unique_ptr<net::IoThread>> make_threads(std::size_t count) {
  std::vector<std::unique_ptr<net::IoThread>> threads;
  for (std::size_t i = 0; i < count; ++i)
    threads.push_back(std::make_unique<net::IoThread>("shard-" + std::to_string(i)));
  return threads;
}

/// A file of credentials that somebody named must be readable. The default one may be another mail server's, which keeps
/// it from us: then there are none.
Files first_files(config::Settings& settings, const ConfigSource& source, log::Sink& log) {
  auto files = read_files(settings);
  const bool is_named = !source.file.empty() || source.environment.contains("SMTP_RELAY_PASSWD_CLIENT");
  if (!files && !is_named) {
    log.write(log::warning("passwd_client")
                .with("error", files.error().context)
                .with("message", "the default file can't be read and was not asked for: no credentials"));
    settings.passwd_client.clear();
    files = read_files(settings);
  }
  if (!files) throw std::runtime_error(files.error().context);
  return std::move(*files);
}

}  // namespace

std::vector<net::IoThread*> pointers(const std::vector<std::unique_ptr<net::IoThread>>& threads) {
  std::vector<net::IoThread*> all;
  for (const auto& thread : threads) all.push_back(thread.get());
  return all;
}

net::ResolverFiles resolver_files(const config::Settings& settings) {
  net::ResolverFiles files;
  files.trust_anchors = settings.dns_trust_anchors;
  return files;
}

Process::Process(ConfigSource source, const config::Settings& settings)
    : source_(std::move(source)),
      settings_(settings),
      shards_(make_threads(shard_count(settings))),
      metrics_(shards_.size() + 3),
      files_(first_files(settings_, source_, log_)),
      resolver_(
        scheduler_.context(), resolver_files(settings_),
        [this](net::DnsOutcome outcome) { count_lookup(outcome); }
      ),
      live_(
        settings_, files_, read_default_gateways(), log_,
        [this](oauth::Account account, std::shared_ptr<net::TlsClient> tls) {
          return std::make_shared<const oauth::TokenSource>(
            oauth::TokenSource::Services{scheduler_.context(), resolver_, clock_, jitter_, log_},
            std::move(tls), std::move(account)
          );
        }
      ),
      subject_{state_, settings_, clock_, clock_.wall(), output_, metrics_, pointers(shards_)} {
  log_.follow(settings_, files_);
  subject_.journal = &journal_;
  subject_.sessions = &connections_;
  subject_.sightings = &sightings_;
  subject_.loops.push_back(&scheduler_);
  metrics_.set(
    metrics::Gauge::start_time_seconds, static_cast<double>(subject_.start.time_since_epoch().count()) / 1000
  );
  metrics_.set(metrics::Gauge::users, static_cast<double>(live_.users()));
  publish_mode(metrics_, log_, live_.settings().mode);
  metrics_.set(metrics::Gauge::durable, settings_.durability == config::Durability::strict ? 1 : 0);
}

int Process::run() {
  std::signal(SIGPIPE, SIG_IGN);
  watch_signals();
  control_.start();
  log_start();
  if (auto begun = begin(); !begun) return fail(begun.error());
  while (!stop_requested_) control();
  return stop();
}

void Process::count_lookup(net::DnsOutcome outcome) {
  using metrics::Counter;
  static constexpr std::array kCounters{Counter::dns_found, Counter::dns_none, Counter::dns_failed};
  metrics_.shard(shards_.size() + 2).add(kCounters[static_cast<std::size_t>(outcome)]);
}

}  // namespace relay::app
