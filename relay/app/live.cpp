#include "relay/app/live.hpp"

#include <algorithm>

#include "relay/config/guard.hpp"
#include "relay/config/policy_rules.hpp"
#include "relay/config/sender_bindings.hpp"

namespace relay::app {
namespace {

bool has_same_routes(const config::Settings& a, const config::Settings& b) {
  const auto before = config::all_smarthosts(a);
  const auto after = config::all_smarthosts(b);
  return std::equal(
    before.begin(), before.end(), after.begin(), after.end(),
    [](const auto& x, const auto& y) {
      return x.name == y.name && x.priority == y.priority && x.recipient_domains == y.recipient_domains &&
             x.sender_domains == y.sender_domains;
    }
  );
}

session::OnFailure to_session(config::MilterFailure failure) {
  switch (failure) {
    case config::MilterFailure::defer: return session::OnFailure::defer;
    case config::MilterFailure::accept: return session::OnFailure::accept;
    case config::MilterFailure::reject: return session::OnFailure::reject;
  }
  return session::OnFailure::defer;
}

/// Null where there are none. @param before  whose circuits those keep that are asked as before; may be null
std::shared_ptr<const session::Milters> make_milters(
  const config::Settings& settings, const session::Milters* before
) {
  if (settings.milters.empty()) return nullptr;
  auto milters = std::make_shared<session::Milters>();
  for (const auto& from : settings.milters) {
    session::Milter milter;
    milter.name = from.name;
    milter.address = {from.host, static_cast<std::uint16_t>(from.port)};
    milter.connect_timeout = from.connect_timeout;
    milter.timeouts = {from.command_timeout, from.message_timeout};
    milter.on_failure = to_session(from.on_failure);
    for (std::size_t i = 0; before != nullptr && i < before->size(); ++i)
      if (milter.is_like((*before)[i])) milter.circuit = (*before)[i].circuit;
    milters->push_back(std::move(milter));
  }
  return milters;
}

}  // namespace

/// What one listener's sessions go by.
class Live::ListenerRules : public session::RulesSource {
 public:
  explicit ListenerRules(config::Listener settings) : settings_(std::move(settings)) {}

  [[nodiscard]] std::shared_ptr<const session::Rules> rules() const override {
    const std::scoped_lock lock(mutex_);
    return rules_;
  }

  /// @param main  the main listener's
  /// @param tls   with the certificate; may be null
  void make(
    const session::Rules& main, const std::vector<config::Listener>& listeners,
    const std::shared_ptr<net::TlsServer>& tls
  ) {
    const auto found = std::find_if(listeners.begin(), listeners.end(), [&](const auto& one) {
      return one.name == settings_.name;
    });
    if (found != listeners.end()) settings_ = *found;
    auto made = std::make_shared<session::Rules>(main);
    made->listener = settings_.name;
    made->is_withdrawn = found == listeners.end();
    made->tls = settings_.tls == config::ListenerTls::none ? nullptr : tls;
    made->needs_tls = settings_.tls == config::ListenerTls::required;
    made->tls_first = settings_.tls == config::ListenerTls::implicit;
    made->needs_auth = settings_.auth == config::ListenerAuth::required;
    if (!settings_.allowed_networks.empty()) made->access.allowed = settings_.allowed_networks;
    if (settings_.proxy_protocol == config::Switch::off) made->proxy_trusted.clear();
    const std::scoped_lock lock(mutex_);
    rules_ = std::move(made);
  }

 private:
  config::Listener settings_;  // the last that were known; the control thread's
  mutable std::mutex mutex_;
  std::shared_ptr<const session::Rules> rules_;
};

Live::Live(
  config::Settings settings, const Files& files, Networks hidden, log::Sink& log,
  PlanMaker::MakeToken make_token
)
    : settings_(std::move(settings)),
      hidden_(std::move(hidden)),
      maker_(log, std::move(make_token)),
      tls_(log),
      sources_(log),
      users_(log) {
  for (const auto& listener : settings_.listeners)
    listeners_.push_back(std::make_unique<ListenerRules>(listener));
  rules_ = make_rules(files);
  plan_ = maker_.make(settings_, files);
  limits_ = make_limits(*plan_, files);
}

Live::~Live() = default;

const session::RulesSource& Live::listener(std::size_t index) const { return *listeners_[index]; }

std::shared_ptr<const session::Rules> Live::rules() const {
  const std::scoped_lock lock(mutex_);
  return rules_;
}

std::size_t Live::users() const {
  const auto rules = this->rules();
  return rules->users ? rules->users->count() : 0;
}

std::shared_ptr<const outbound::Plan> Live::plan() const {
  const std::scoped_lock lock(mutex_);
  return plan_;
}

std::shared_ptr<const engine::Limits> Live::limits() const {
  const std::scoped_lock lock(mutex_);
  return limits_;
}

bool Live::apply(const config::Settings& settings, const Files& files) {
  const auto before = std::exchange(settings_, config::with_live_settings(settings_, settings));
  auto rules = make_rules(files);
  auto plan = maker_.make(settings_, files);
  auto limits = make_limits(*plan, files);
  const std::scoped_lock lock(mutex_);
  const bool is_other = has_other_hops(*plan_, *plan) || !has_same_routes(before, settings_);
  rules_ = std::move(rules);
  plan_ = std::move(plan);
  limits_ = std::move(limits);
  return is_other;
}

std::shared_ptr<const session::Rules> Live::make_rules(const Files& files) {
  auto rules = std::make_shared<session::Rules>();
  rules->hostname = settings_.hostname;
  rules->max_connections = settings_.max_connections;
  rules->max_connections_per_client = settings_.max_connections_per_client;
  rules->logs_sessions = settings_.log_level == log::Level::debug;
  rules->limits.max_message_size = settings_.max_message_size;
  rules->bulk_headers = settings_.bulk_headers;
  rules->limits.max_recipients = settings_.max_recipients;
  rules->limits.idle_timeout = settings_.session_idle_timeout;
  rules->limits.bare_line_endings = settings_.bare_line_endings;
  rules->proxy_trusted = settings_.proxy_trusted;
  const auto tls = tls_.make(settings_, files);
  if (settings_.tls_mode != config::ClientTls::none) rules->tls = tls;
  rules->needs_tls = settings_.tls_mode == config::ClientTls::required;
  if (!settings_.policies.empty())
    rules->policies = std::make_shared<const policy::Rules>(config::policy_rules(settings_));
  if (!settings_.sender_bindings.empty())
    rules->sender_bindings =
      std::make_shared<const policy::SenderBindings>(config::sender_bindings(settings_));
  rules->guard = config::guard_of(settings_);
  rules->limits.unqualified_domain = settings_.mend_unqualified_domain;
  rules->mends_date = settings_.mend_date == config::Switch::on;
  rules->mends_message_id = settings_.mend_message_id == config::Switch::on;
  rules->mends_from = settings_.mend_from == config::Switch::on;
  rules->milters = make_milters(settings_, rules_ ? rules_->milters.get() : nullptr);
  rules->users = users_.make(settings_, files);
  rules->wants_users = !settings_.auth_users_file.empty();
  rules->auth_needs_tls = settings_.auth_requires_tls == config::Switch::on;
  rules->max_failed_logins_per_client = settings_.auth_failures_per_client;
  rules->access.allowed = settings_.allowed_networks;
  Networks hidden;
  const auto& listed = sources_.follow(settings_, files);
  for (const Networks* networks : std::initializer_list<const Networks*>{
         &settings_.hidden_sources, &settings_.proxy_trusted, &settings_.host_addresses, &hidden_, &listed
       }) {
    hidden.insert(hidden.end(), networks->begin(), networks->end());
  }
  rules->access.hidden = hidden;
  for (const auto& listener : listeners_) listener->make(*rules, settings_.listeners, tls);
  return rules;
}

std::shared_ptr<const engine::Limits> Live::make_limits(const outbound::Plan& plan, const Files& files) {
  auto limits = std::make_shared<engine::Limits>();
  limits->hostname = settings_.hostname;
  limits->routes = plan.routes;
  limits->signing = maker_.make_rules(settings_, files);
  limits->bulk_senders = settings_.bulk_senders;
  limits->guard = config::guard_of(settings_);
  limits->hides_clients = settings_.received_hides_client == config::Switch::on;
  if (const auto from = mail::Address::parse(settings_.bounce_from)) limits->reports.from = *from;
  limits->reports.max_returned = settings_.bounce_max_size;
  limits->reports.rate = settings_.bounce_rate;
  limits->dead_letter_max_age = settings_.dead_letter_max_age;
  limits->spool_max_size = settings_.spool_max_size;
  limits->spool_min_free_percent = settings_.spool_min_free_percent;
  return limits;
}

queue::SchedulerLimits schedule_of(const config::Settings& settings) {
  queue::SchedulerLimits limits;
  limits.max_in_flight = static_cast<std::size_t>(settings.delivery_messages_total);
  limits.max_connections_total = static_cast<std::size_t>(settings.delivery_connections_total);
  return limits;
}

}  // namespace relay::app
