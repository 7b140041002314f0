/// From nothing to a relay that takes mail.

#include "relay/app/descriptors.hpp"
#include "relay/app/file_system.hpp"
#include "relay/app/process.hpp"
#include "relay/app/trust_anchors.hpp"
#include "relay/app/version.hpp"
#include "relay/net/listener.hpp"

namespace relay::app {

void Process::watch_signals() {
  signals_.async_wait([this](net::error_code ec, int) {
    if (ec) return;
    if (stop_requested_.exchange(true)) hurry_ = true;
    watch_signals();
  });
}

void Process::log_start() {
  auto record = log::info("start")
                  .with("version", kVersion)
                  .with("hostname", settings_.hostname)
                  .with("node", settings_.node_name)
                  .with("pod", settings_.pod_name)
                  .with("listen", settings_.listen.front().to_text())
                  .with("smarthosts", smarthost_names())
                  .with("shards", shards_.size())
                  .with("spool", settings_.spool_path);
  if (!settings_.listeners.empty()) record.with("listeners", listener_names());
  log_.write(record);
  if (settings_.durability == config::Durability::relaxed) {
    log_.write(log::warning("durability_relaxed")
                 .with("message", "a 250 does not mean synced to disk: a power cut may lose the last moments")
    );
  }
  if (const auto warning = warn_of_descriptors(settings_, descriptor_limit())) log_.write(*warning);
  if (settings_.allowed_networks.empty() && settings_.auth_users_file.empty()) {
    log_.write(
      log::warning("nobody_may_relay")
        .with(
          "message",
          "allowed_networks is empty and nobody can log in: every recipient is refused with 550 5.7.1"
        )
    );
  }
}

std::vector<std::string> Process::listener_names() const {
  std::vector<std::string> names;
  for (const auto& one : settings_.listeners) names.push_back(one.name + "=" + one.listen.front().to_text());
  return names;
}

std::vector<std::string> Process::smarthost_names() const {
  std::vector<std::string> names;
  for (const auto& one : config::all_smarthosts(settings_))
    names.push_back(one.name + "=" + one.host + ":" + std::to_string(one.port));
  return names;
}

Result<void> Process::begin() {
  net::asio::io_context probe;
  for (const auto* endpoints :
       {&settings_.listen, &settings_.http_listen, &settings_.metrics_listen, &settings_.admin_listen}) {
    if (auto free = net::check_are_free(probe, *endpoints); !free) return free;
  }
  for (const auto& listener : settings_.listeners) {
    if (auto free = net::check_are_free(probe, listener.listen); !free) return free;
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    fronts_.push_back(std::make_unique<Front>(Front::Services{
      *shards_[i], i, live_, subject_, journal_, connections_, clients_, refusals_, sightings_, passwords_,
      failed_logins_, rate_limits_, resolver_
    }));
    if (auto opened = fronts_.back()->open_pages(settings_); !opened) return opened;
  }
  if (auto good = check_trust_anchors(settings_.dns_trust_anchors); !good) return good;
  if (auto good = live_.check_tls(settings_); !good) return good;
  for (auto& shard : shards_) shard->start();
  loops_turn_ = true;
  scheduler_.start();
  auto store = open_spool();
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  if (const auto warning = warn_of_file_system(settings_.spool_path)) log_.write(*warning);
  return begin_mail();
}

Result<std::unique_ptr<spool::Store>> Process::open_spool() {
  spool::OpenOptions options;
  options.path = settings_.spool_path;
  options.log = &log_;
  options.metrics = &metrics_;
  options.keep_waiting = [this, said = std::optional<Errc>{}](const Error& why) mutable {
    const bool is_full = why.code == Errc::storage_full;
    const auto words = is_full ? why.context : "waiting for another process to let go of the spool";
    if (std::exchange(said, why.code) != why.code) {
      log_.write(log::warning(is_full ? "spool_full" : "spool_locked")
                   .with("spool", settings_.spool_path)
                   .with("message", words));
    }
    state_.set_starting(words);
    return !wait_for_stop(kControlInterval);
  };
  return spool::Store::open(std::move(options));
}

Result<void> Process::begin_mail() {
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
    auto opened =
      net::ask(*shards_[i], [this, i, &token] { return fronts_[i]->open_mail(settings_, *engine_, *token); });
    if (!opened) return opened;
  }
  subject_.engine = engine_.get();
  follow_annotations();
  state_.set_running();
  log_.write(log::info("ready").with("listen", net::ask(*shards_[0], [this] {
                                       return fronts_[0]->mail_endpoints().front().to_text();
                                     })));
  follow_health();
  return {};
}

int Process::fail(const Error& error) {
  if (stop_requested_) return end(0);
  log_.write(log::error("start_failed").with("error", error.message()));
  return end(1);
}

}  // namespace relay::app
