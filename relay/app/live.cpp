#include "relay/app/live.hpp"

#include "relay/app/text_file.hpp"

namespace relay::app {
namespace {

/// What makes connections to the hop another thing.
bool is_same_hop(const delivery::Hop& a, const delivery::Hop& b) {
  const auto& x = a.next_hop;
  const auto& y = b.next_hop;
  return x.endpoint == y.endpoint && x.policy.tls == y.policy.tls &&
         x.policy.credentials == y.policy.credentials && x.policy.helo_name == y.policy.helo_name &&
         a.tls == b.tls;
}

}  // namespace

Result<Files> read_files(const config::Settings& settings) {
  auto passwd_client = read_text(settings.passwd_client);
  if (!passwd_client) return tl::unexpected(std::move(passwd_client.error()));
  auto smarthost_ca = read_text(settings.smarthost_ca);
  if (!smarthost_ca) return tl::unexpected(std::move(smarthost_ca.error()));
  return Files{std::move(*passwd_client), std::move(*smarthost_ca)};
}

Live::Live(config::Settings settings, const Files& files, Networks hidden, log::Sink& log)
    : settings_(std::move(settings)), hidden_(std::move(hidden)), log_(log) {
  rules_ = make_rules();
  hop_ = make_hop(files);
  limits_ = make_limits();
}

std::shared_ptr<const session::Rules> Live::rules() const {
  const std::scoped_lock lock(mutex_);
  return rules_;
}

std::shared_ptr<const delivery::Hop> Live::hop() const {
  const std::scoped_lock lock(mutex_);
  return hop_;
}

std::shared_ptr<const engine::Limits> Live::limits() const {
  const std::scoped_lock lock(mutex_);
  return limits_;
}

bool Live::apply(const config::Settings& settings, const Files& files) {
  settings_ = config::with_live_settings(settings_, settings);
  auto rules = make_rules();
  auto hop = make_hop(files);
  auto limits = make_limits();
  const std::scoped_lock lock(mutex_);
  const bool is_same = is_same_hop(*hop_, *hop);
  rules_ = std::move(rules);
  hop_ = std::move(hop);
  limits_ = std::move(limits);
  return !is_same;
}

std::shared_ptr<const session::Rules> Live::make_rules() const {
  auto rules = std::make_shared<session::Rules>();
  rules->hostname = settings_.hostname;
  rules->max_connections = settings_.max_connections;
  rules->limits.max_message_size = settings_.max_message_size;
  rules->limits.max_recipients = settings_.max_recipients;
  rules->limits.idle_timeout = settings_.session_idle_timeout;
  rules->limits.bare_line_endings = settings_.bare_line_endings;
  rules->proxy_trusted = settings_.proxy_trusted;
  rules->access.allowed = settings_.allowed_networks;
  for (const auto* networks :
       {&settings_.hidden_sources, &settings_.proxy_trusted, &settings_.host_addresses, &hidden_}) {
    rules->access.hidden.insert(rules->access.hidden.end(), networks->begin(), networks->end());
  }
  return rules;
}

std::shared_ptr<const delivery::Hop> Live::make_hop(const Files& files) {
  const auto passwords = route::PasswdClient::parse(files.passwd_client);
  for (const auto& complaint : passwords.complaints()) {
    log_.write(log::warning("passwd_client").with("path", settings_.passwd_client).with("error", complaint));
  }
  const auto source = settings_.smarthost_ca + "\n" + files.smarthost_ca;
  if (source != tls_source_) {
    net::TlsClientSettings tls;
    tls.ca_file = settings_.smarthost_ca;
    auto made = net::TlsClient::make(tls);
    if (made) tls_ = std::move(*made);
    else
      log_.write(log::error("smarthost_ca")
                   .with("error", made.error().message())
                   .with(
                     "message", tls_ ? "the last good authorities stay in force"
                                     : "no certificate can be verified: mail waits"
                   ));
    // Without usable authorities none is trusted, and verification fails: better than a relay that does not
    // start.
    if (!tls_) tls_ = net::TlsClient::make_without_authorities();
    tls_source_ = source;
  }
  auto hop = std::make_shared<delivery::Hop>();
  const smtp::ClientTimeouts timeouts{
    settings_.banner_timeout, settings_.command_timeout, settings_.data_init_timeout,
    settings_.data_block_timeout, settings_.data_end_timeout
  };
  hop->next_hop = route::smarthost(
    {settings_.smarthost.front(), settings_.smarthost_tls, settings_.hostname, timeouts}, passwords
  );
  hop->tls = tls_;
  hop->generation = ++generation_;
  hop->connect_timeout = settings_.connect_timeout;
  hop->idle_time = settings_.connection_idle_time;
  hop->messages_per_connection = settings_.messages_per_connection;
  return hop;
}

std::shared_ptr<const engine::Limits> Live::make_limits() const {
  auto limits = std::make_shared<engine::Limits>();
  limits->hostname = settings_.hostname;
  limits->retry = {settings_.retry_initial_delay, settings_.retry_max_delay, settings_.retry_max_age};
  limits->spool_max_size = settings_.spool_max_size;
  limits->spool_min_free_percent = settings_.spool_min_free_percent;
  return limits;
}

}  // namespace relay::app
