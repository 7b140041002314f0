#include "relay/app/app.hpp"

#include <array>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "relay/app/host_facts.hpp"
#include "relay/app/outgoing.hpp"
#include "relay/app/redaction.hpp"
#include "relay/app/text_file.hpp"
#include "relay/app/trust_anchors.hpp"
#include "relay/app/version.hpp"

namespace relay::app {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kControlInterval{1};
constexpr std::chrono::milliseconds kPoll{50};
/// Behind the drain timeout: how long closed connections may take to notice.
constexpr std::chrono::seconds kCloseTimeout{5};

class SystemClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return steady_clock::now(); }
};

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

/// For the scheduler's thread alone.
class TokenJitter : public Jitter {
 public:
  double fraction() override { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  std::mt19937 random_{std::random_device{}()};
};

/// Reports on their way into the queue.
class EngineMail : public outbound::OwnMail {
 public:
  explicit EngineMail(engine::Engine& engine) : engine_(engine) {}
  void submit(mail::Envelope envelope, std::string content, outbound::Taken taken) override {
    engine_.submit_own(
      std::move(envelope), std::move(content), engine::Way::report,
      [taken = std::move(taken)](const Result<void>& result) { taken(result.has_value()); }
    );
  }

 private:
  engine::Engine& engine_;
};

class App {
 public:
  App(ConfigSource source, const config::Settings& settings)
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
    subject_.loops.push_back(&scheduler_);
    metrics_.set(
      metrics::Gauge::start_time_seconds,
      static_cast<double>(subject_.start.time_since_epoch().count()) / 1000
    );
    metrics_.set(metrics::Gauge::durable, settings_.durability == config::Durability::strict ? 1 : 0);
  }

  int run() {
    std::signal(SIGPIPE, SIG_IGN);
    watch_signals();
    control_.start();
    log_start();
    if (auto begun = begin(); !begun) return fail(begun.error());
    while (!stop_requested_) control();
    return stop();
  }

 private:
  // Each has one writer: the shards, the committer, the control thread, the scheduler's thread.
  metrics::Shard& counters() { return metrics_.shard(shards_.size() + 1); }
  void count_lookup(net::DnsOutcome outcome) {
    using metrics::Counter;
    static constexpr std::array kCounters{Counter::dns_found, Counter::dns_none, Counter::dns_failed};
    metrics_.shard(shards_.size() + 2).add(kCounters[static_cast<std::size_t>(outcome)]);
  }

  // ---- start ----

  void watch_signals() {
    signals_.async_wait([this](net::error_code ec, int) {
      if (ec) return;
      if (stop_requested_.exchange(true)) hurry_ = true;
      watch_signals();
    });
  }

  void log_start() {
    log_.write(log::info("start")
                 .with("version", kVersion)
                 .with("hostname", settings_.hostname)
                 .with("node", settings_.node_name)
                 .with("pod", settings_.pod_name)
                 .with("listen", settings_.listen.front().to_text())
                 .with("smarthosts", smarthost_names())
                 .with("shards", shards_.size())
                 .with("spool", settings_.spool_path));
    if (settings_.durability == config::Durability::relaxed) {
      log_.write(
        log::warning("durability_relaxed")
          .with("message", "a 250 does not mean synced to disk: a power cut may lose the last moments")
      );
    }
    if (settings_.allowed_networks.empty()) {
      log_.write(log::warning("nobody_may_relay")
                   .with("message", "allowed_networks is empty: every recipient is refused with 550 5.7.1"));
    }
  }

  /// `name=host:port` each; none: all mail goes by MX.
  std::vector<std::string> smarthost_names() const {
    std::vector<std::string> names;
    for (const auto& one : config::all_smarthosts(settings_))
      names.push_back(one.name + "=" + one.host + ":" + std::to_string(one.port));
    return names;
  }

  Result<void> begin() {
    net::asio::io_context probe;
    for (const auto* endpoints :
         {&settings_.listen, &settings_.http_listen, &settings_.metrics_listen, &settings_.admin_listen}) {
      if (auto free = net::check_are_free(probe, *endpoints); !free) return free;
    }
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      fronts_.push_back(
        std::make_unique<Front>(Front::Services{*shards_[i], i, live_, subject_, journal_, connections_})
      );
      if (auto opened = fronts_.back()->open_pages(settings_); !opened) return opened;
    }
    if (auto good = check_trust_anchors(settings_.dns_trust_anchors); !good) return good;
    for (auto& shard : shards_) shard->start();
    loops_turn_ = true;
    scheduler_.start();
    auto store = open_spool();
    if (!store) return tl::unexpected(store.error());
    store_ = std::move(*store);
    return begin_mail();
  }

  Result<std::unique_ptr<spool::Store>> open_spool() {
    spool::OpenOptions options;
    options.path = settings_.spool_path;
    options.log = &log_;
    options.metrics = &metrics_;
    options.keep_waiting = [this, said = false]() mutable {
      const auto* words = "waiting for another process to let go of the spool";
      if (!std::exchange(said, true))
        log_.write(log::warning("spool_locked").with("spool", settings_.spool_path).with("message", words));
      state_.set_starting(words);
      return !wait_for_stop(kControlInterval);
    };
    return spool::Store::open(std::move(options));
  }

  Result<void> begin_mail() {
    auto token = make_admin_token(settings_.spool_path);
    if (!token) return tl::unexpected(token.error());
    outgoing_ = std::make_unique<Outgoing>(
      Outgoing::Services{
        scheduler_, resolver_, live_, clock_, log_,
        settings_.node_name.empty() ? settings_.hostname : settings_.node_name
      },
      settings_.spool_path
    );
    engine_ = std::make_unique<engine::Engine>(engine::Parts{
      *store_, clock_, live_, outgoing_->shapes(), outgoing_->ways(), outgoing_->ways(), journal_, metrics_,
      pointers(shards_), scheduler_, settings_.spool_path,
      settings_.durability == config::Durability::strict ? spool::Durable::yes : spool::Durable::no,
      settings_.content_memory, schedule_of(settings_)
    });
    if (auto started = engine_->start(); !started) return started;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      auto opened = net::ask(*shards_[i], [this, i, &token] {
        return fronts_[i]->open_mail(settings_, *engine_, *token);
      });
      if (!opened) return opened;
    }
    subject_.engine = engine_.get();
    follow_annotations();
    state_.set_running();
    log_.write(log::info("ready").with("listen", net::ask(*shards_[0], [this] {
                                         return fronts_[0]->mail_endpoints().front().to_text();
                                       })));
    return {};
  }

  int fail(const Error& error) {
    if (stop_requested_) return end(0);
    log_.write(log::error("start_failed").with("error", error.message()));
    return end(1);
  }

  // ---- control ----

  /// One turn: what a person or Kubernetes changed since the last.
  void control() {
    if (wait_for_stop(kControlInterval)) return;
    engine_->measure();
    EngineMail own_mail(*engine_);
    outgoing_->tick(own_mail);
    reload();
    follow_annotations();
    follow_drain();
  }

  /// True when the process is to stop.
  bool wait_for_stop(milliseconds duration) {
    const auto until = steady_clock::now() + duration;
    while (!stop_requested_ && steady_clock::now() < until) std::this_thread::sleep_for(kPoll);
    return stop_requested_;
  }

  void reload() {
    auto loaded = load_config(source_);
    if (!loaded.faults.empty()) return refuse_reload(loaded.faults);
    auto& settings = loaded.settings;
    if (settings.hostname.empty()) settings.hostname = settings_.hostname;
    if (settings_.passwd_client.empty()) settings.passwd_client.clear();  // see first_files()
    auto files = read_files(settings);
    if (!files) return refuse_reload({{"files", files.error().context}});
    if (auto good = check_trust_anchors(settings.dns_trust_anchors); !good)
      return refuse_reload({{"files", good.error().context}});
    last_faults_.clear();
    const auto changed = config::changed_keys(live_.settings(), settings, config::Reload::live);
    // A file may be in the middle of being written: what counts is what two turns, one after the other, saw alike.
    const bool is_settled = std::exchange(files_seen_, *files) == *files;
    if (changed.empty() && *files == files_) return warn_of_restart(settings);
    if (*files != files_ && !is_settled) return;
    const bool hop_changed = live_.apply(settings, *files);
    files_ = std::move(*files);
    log_.follow(live_.settings(), files_);
    resolver_.use(resolver_files(live_.settings()));
    engine_->reload(schedule_of(live_.settings()));
    if (hop_changed) engine_->hurry_all();
    counters().add(metrics::Counter::config_reloads_applied);
    log_.write(log::info("reload").with("changed", changed).with("next_hop_changed", hop_changed));
    warn_of_restart(settings);
  }

  void refuse_reload(const std::vector<config::Fault>& faults) {
    std::vector<std::string> texts;
    for (const auto& fault : faults) texts.push_back(fault.to_text());
    if (texts == last_faults_) return;
    last_faults_ = texts;
    counters().add(metrics::Counter::config_reloads_refused);
    log_.write(log::error("reload_refused")
                 .with("faults", texts)
                 .with("message", "the last good settings stay in force"));
  }

  void warn_of_restart(const config::Settings& settings) {
    auto keys = config::changed_keys(live_.settings(), settings, config::Reload::restart);
    if (keys == keys_that_wait_) return;
    keys_that_wait_ = std::move(keys);
    if (!keys_that_wait_.empty()) log_.write(log::warning("restart_needed").with("keys", keys_that_wait_));
  }

  void follow_annotations() {
    if (settings_.pod_annotations.empty()) return;
    // What can't be read changes nothing: a drain must not end by accident.
    if (const auto text = read_text(settings_.pod_annotations))
      state_.set_drained_by_annotation(asks_for_drain(*text));
  }

  /// A drain does all that a stop does but exit: refuse probes, wait for the load balancer, finish, turn
  /// away.
  void follow_drain() {
    const bool is_drained = state_.is_drained();
    if (is_drained != drained_since_.has_value()) {
      drained_since_ = is_drained ? std::optional(steady_clock::now()) : std::nullopt;
      log_.write(
        log::info(is_drained ? "drain" : "resume").with("lame_duck", to_text(live_.settings().lame_duck))
      );
      if (!is_drained) state_.set_turning_away(false);
    }
    const bool is_over =
      drained_since_ && steady_clock::now() - *drained_since_ >= live_.settings().lame_duck;
    if (!is_over || state_.is_turning_away()) return;
    turn_away();
    log_.write(log::info("drained").with(
      "message", "new connections get 421 until the drain ends; waiting mail is delivered on"
    ));
  }

  void turn_away() {
    state_.set_turning_away(true);
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      net::asio::post(shards_[i]->context(), [front = fronts_[i].get()] { front->interrupt_sessions(); });
    }
  }

  // ---- stop ----

  int stop() {
    state_.set_stopping();
    const auto lame_duck = live_.settings().lame_duck;
    log_.write(log::info("stopping")
                 .with("lame_duck", to_text(lame_duck))
                 .with("message", "probes get 503, mail is still accepted"));
    wait_until(steady_clock::now() + lame_duck, [this] { return hurry_.load(); });
    turn_away();
    engine_->stop_deliveries();
    const auto deadline = steady_clock::now() + live_.settings().session_drain_timeout;
    const bool has_finished = wait_until(deadline, [this] { return busy() == 0 || hurry_; });
    if (!has_finished)
      log_.write(log::warning("drain_timeout")
                   .with("busy", busy())
                   .with("message", "connections that did not finish are closed"));
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      net::asio::post(shards_[i]->context(), [front = fronts_[i].get()] {
        front->close();
        front->close_sessions();
      });
    }
    engine_->close_deliveries();
    if (!wait_until(steady_clock::now() + kCloseTimeout, [this] { return busy() == 0; })) return abandon();
    log_.write(log::info("stopped").with("waiting", metrics_.read(metrics::Gauge::queue_messages)));
    return end(0);
  }

  /// Sessions and deliveries that are not done.
  std::size_t busy() {
    std::size_t sum = engine_->busy_deliveries();
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      sum += net::ask(*shards_[i], [front = fronts_[i].get()] { return front->sessions(); });
    }
    return sum;
  }

  template <class Condition>
  bool wait_until(steady_clock::time_point deadline, Condition condition) {
    while (!condition()) {
      if (steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(kPoll);
    }
    return true;
  }

  /// Something waits for a disk that does not answer. All that was acknowledged is on it; the rest was not.
  [[noreturn]] void leave(int code) {
    output_.flush();
    std::_Exit(code);
  }
  int abandon() {
    log_.write(
      log::error("stop_abandoned").with("busy", busy()).with("message", "something waits for the disk")
    );
    leave(1);
  }

  /// Their coroutines must end before the loops do: they belong to the fronts, which go first.
  void close_pages() {
    if (!loops_turn_) return;  // then nobody is connected
    const auto left = [this] {
      std::size_t sum = 0;
      for (std::size_t i = 0; i < fronts_.size(); ++i) {
        sum += net::ask(*shards_[i], [front = fronts_[i].get()] {
          front->close();
          return front->pages();
        });
      }
      return sum;
    };
    (void)wait_until(steady_clock::now() + kCloseTimeout, [&left] { return left() == 0; });
  }

  int end(int code) {
    subject_.engine = nullptr;
    control_.stop();
    close_pages();
    scheduler_.stop();
    for (auto& shard : shards_) shard->stop();
    engine_.reset();
    outgoing_.reset();
    store_.reset();
    return code;
  }

  ConfigSource source_;
  config::Settings settings_;
  SystemClock clock_;
  log::StdoutSink output_{clock_};
  RedactingSink log_{output_};
  engine::Journal journal_{log_, clock_};  // what a person asks for by /v1/trace is not redacted
  State state_;
  ConnectionCount connections_{0};
  net::IoThread control_{"control"};
  net::asio::signal_set signals_{control_.context(), SIGTERM, SIGINT};
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> hurry_{false};
  bool loops_turn_ = false;

  net::IoThread scheduler_{"scheduler"};
  std::vector<std::unique_ptr<net::IoThread>> shards_;
  metrics::Registry metrics_;
  Files files_;
  std::optional<Files> files_seen_;  // by the turn before
  TokenJitter jitter_;
  net::Resolver resolver_;
  Live live_;
  Subject subject_;
  std::unique_ptr<spool::Store> store_;
  std::unique_ptr<Outgoing> outgoing_;
  std::unique_ptr<engine::Engine> engine_;
  std::vector<std::unique_ptr<Front>> fronts_;

  std::vector<std::string> last_faults_;
  std::vector<std::string> keys_that_wait_;
  std::optional<steady_clock::time_point> drained_since_;
};

}  // namespace

config::Loaded load_config(const ConfigSource& source) {
  config::Sources sources{std::nullopt, source.file, source.environment};
  if (source.file.empty()) return config::load(sources);
  std::ifstream file(source.file);
  if (!file) {
    auto loaded = config::load(sources);
    loaded.faults.push_back({source.file, std::string("cannot be read: ") + std::strerror(errno)});
    return loaded;
  }
  sources.json = std::string(std::istreambuf_iterator<char>(file), {});
  return config::load(sources);
}

int run(const ConfigSource& source, const config::Settings& settings) {
  App app(source, settings);
  return app.run();
}

}  // namespace relay::app
