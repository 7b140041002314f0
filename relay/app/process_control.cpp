/// What a running relay does about once a second: it follows settings, files, annotations and its own health.

#include "relay/app/host_facts.hpp"
#include "relay/app/mode.hpp"
#include "relay/app/process.hpp"
#include "relay/app/text_file.hpp"
#include "relay/app/trust_anchors.hpp"

namespace relay::app {
namespace {

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

}  // namespace

void Process::control() {
  if (wait_for_stop(kControlInterval)) return;
  engine_->measure();
  refusals_.flush(steady_clock::now());
  EngineMail own_mail(*engine_);
  outgoing_->tick(own_mail);
  reload();
  follow_annotations();
  follow_drain();
  follow_retirement();
  follow_credentials();
  follow_health();
  follow_spool();
}

bool Process::wait_for_stop(milliseconds duration) {
  const auto until = steady_clock::now() + duration;
  while (!stop_requested_ && steady_clock::now() < until) std::this_thread::sleep_for(kPoll);
  return stop_requested_;
}

void Process::reload() {
  auto loaded = load_config(source_);
  if (!loaded.faults.empty()) return refuse_reload(loaded.faults);
  auto& settings = loaded.settings;
  if (settings.hostname.empty()) settings.hostname = settings_.hostname;
  if (settings_.passwd_client.empty()) settings.passwd_client.clear();  // see first_files()
  auto files = read_files(settings);
  if (!files) return refuse_reload({{"files", files.error().context}});
  if (auto good = check_trust_anchors(settings.dns_trust_anchors); !good)
    return refuse_reload({{"files", good.error().context}});
  if (auto good = live_.check_tls(settings); !good) return refuse_reload({{"files", good.error().context}});
  last_faults_.clear();
  const auto changed = config::changed_keys(live_.settings(), settings, config::Reload::live);
  // A file may be in the middle of being written: what counts is what two turns, one after the other, saw alike.
  const bool is_settled = std::exchange(files_seen_, *files) == *files;
  if (changed.empty() && *files == files_) return warn_of_restart(settings);
  if (*files != files_ && !is_settled) return;
  const bool hop_changed = live_.apply(settings, *files);
  metrics_.set(metrics::Gauge::users, static_cast<double>(live_.users()));
  publish_mode(metrics_, log_, live_.settings().mode);
  files_ = std::move(*files);
  log_.follow(live_.settings(), files_);
  resolver_.use(resolver_files(live_.settings()));
  engine_->reload(schedule_of(live_.settings()));
  if (hop_changed) engine_->renew_all();
  counters().add(metrics::Counter::config_reloads_applied);
  log_.write(log::info("reload").with("changed", changed).with("next_hop_changed", hop_changed));
  warn_of_restart(settings);
}

void Process::refuse_reload(const std::vector<config::Fault>& faults) {
  std::vector<std::string> texts;
  for (const auto& fault : faults) texts.push_back(fault.to_text());
  if (texts == last_faults_) return;
  last_faults_ = texts;
  counters().add(metrics::Counter::config_reloads_refused);
  log_.write(
    log::error("reload_refused").with("faults", texts).with("message", "the last good settings stay in force")
  );
}

void Process::warn_of_restart(const config::Settings& settings) {
  auto keys = config::changed_keys(live_.settings(), settings, config::Reload::restart);
  if (config::listen_elsewhere(settings_.listeners, settings.listeners)) keys.emplace_back("listeners");
  if (keys == keys_that_wait_) return;
  keys_that_wait_ = std::move(keys);
  if (!keys_that_wait_.empty()) log_.write(log::warning("restart_needed").with("keys", keys_that_wait_));
}

void Process::follow_annotations() {
  if (settings_.pod_annotations.empty()) return;
  // What can't be read changes nothing: a drain must not end by accident.
  const auto text = read_text(settings_.pod_annotations);
  if (!text) return;
  state_.set_drained_by_annotation(asks_for_drain(*text));
  state_.set_retiring(asks_to_retire(*text));
  follow_cordon(cordon_in(*text));
}

void Process::follow_cordon(std::optional<std::string> why) {
  const bool was_cordoned = state_.is_cordoned();
  const bool is_cordoned = why.has_value();
  if (is_cordoned && !was_cordoned) {
    log_.write(
      log::info("cordon").with("reason", *why).with("message", "all mail that waits is tried at once")
    );
  }
  state_.set_cordoned(std::move(why));
  if (is_cordoned && !was_cordoned) engine_->hurry_all();
  if (was_cordoned && !is_cordoned) log_.write(log::info("uncordon"));
}

void Process::follow_drain() {
  const bool is_drained = state_.is_drained();
  if (is_drained != drained_since_.has_value()) {
    drained_since_ = is_drained ? std::optional(steady_clock::now()) : std::nullopt;
    log_.write(
      log::info(is_drained ? "drain" : "resume").with("lame_duck", to_text(live_.settings().lame_duck))
    );
    if (!is_drained) state_.set_turning_away(false);
  }
  const bool is_over = drained_since_ && steady_clock::now() - *drained_since_ >= live_.settings().lame_duck;
  if (!is_over || state_.is_turning_away()) return;
  turn_away();
  log_.write(log::info("drained").with(
    "message", "new connections get 421 until the drain ends; waiting mail is delivered on"
  ));
}

void Process::follow_retirement() {
  if (!flushes_.is_due(state_.is_retiring(), steady_clock::now())) return;
  engine_->hurry_all();
  log_.write(log::info("flush").with("waiting", metrics_.read(metrics::Gauge::queue_messages)));
}

void Process::follow_credentials() {
  refusing_ = outgoing_->ways().refusing_smarthosts(engine_->served_smarthosts());
  metrics_.set(metrics::Gauge::credentials_are_refused, refusing_.empty() ? 0 : 1);
}

void Process::follow_health() {
  std::optional<std::string> fault;
  for (const auto what : live_.settings().health_fail_on) {
    if (!fault) fault = fault_of(what);
  }
  state_.set_fault(fault);
  const auto unready = engine_->unready_reason();
  const auto& reason = unready ? unready : fault;
  const auto complaint = reason ? std::optional(Complaint{*reason, !unready}) : std::nullopt;
  if (const auto record = health_log_.note(complaint, steady_clock::now())) log_.write(*record);
}

std::optional<std::string> Process::fault_of(config::HealthFault what) {
  switch (what) {
    case config::HealthFault::smarthost_down:
      if (const auto name = engine_->failing_smarthost(); !name.empty())
        return "no host for smarthost " + name + " can be used, and mail waits";
      break;
    case config::HealthFault::credentials_refused:
      if (!refusing_.empty()) return "smarthost " + refusing_.front() + " refuses our credentials";
      break;
  }
  return std::nullopt;
}

void Process::follow_spool() {
  const auto reason = engine_->restart_reason();
  if (!reason) return;
  log_.write(log::error("restarts")
               .with("reason", *reason)
               .with(
                 "message",
                 "this process can't mend what a start of the next one does: it ends, and the next one opens "
                 "the spool anew"
               ));
  wants_restart_ = true;
  stop_requested_ = true;
}

void Process::turn_away() {
  state_.set_turning_away(true);
  on_fronts([](Front& front) { front.interrupt_sessions(); });
}

}  // namespace relay::app
