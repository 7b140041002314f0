#include "relay/app/inbound_tls.hpp"

#include <algorithm>
#include <utility>

namespace relay::app {
namespace {

net::TlsServerSettings settings_of(const config::Settings& from) {
  const auto version =
    from.tls_min_version == config::TlsVersion::tls1_3 ? net::TlsVersion::tls1_3 : net::TlsVersion::tls1_2;
  return {from.tls_certificate_file, from.tls_key_file, version};
}

/// All that a TlsServer is made from.
std::string source_of(const config::Settings& from, const Files& files) {
  std::string source = from.tls_min_version == config::TlsVersion::tls1_3 ? "1.3" : "1.2";
  for (const auto* path : {&from.tls_certificate_file, &from.tls_key_file})
    source += "\n" + *path + "\n" + text_of(files, *path);
  return source;
}

std::string_view without_one(const config::Settings& settings) {
  const bool is_implicit =
    std::any_of(settings.listeners.begin(), settings.listeners.end(), [](const auto& listener) {
      return listener.tls == config::ListenerTls::implicit;
    });
  return is_implicit ? "STARTTLS is not offered, and listeners with tls implicit close each connection"
                     : "STARTTLS is not offered";
}

}  // namespace

std::shared_ptr<net::TlsServer> InboundTls::make(const config::Settings& settings, const Files& files) {
  if (!config::wants_client_tls(settings) || settings.tls_certificate_file.empty()) {
    source_.clear();
    in_force_.reset();
    return nullptr;
  }
  auto source = source_of(settings, files);
  if (source == source_) return in_force_;
  source_ = std::move(source);
  auto made = net::TlsServer::make(settings_of(settings), in_force_.get());
  if (made) {
    in_force_ = std::move(*made);
    log_.write(log::info("client_tls").with("certificate", settings.tls_certificate_file));
    return in_force_;
  }
  log_.write(
    log::error("client_tls")
      .with("error", made.error().message())
      .with("message", in_force_ ? "the last good certificate stays in force" : without_one(settings))
  );
  return in_force_;
}

Result<void> InboundTls::check(const config::Settings& settings) const {
  if (settings.tls_mode != config::ClientTls::required || in_force_) return {};
  const auto made = net::TlsServer::make(settings_of(settings));
  if (made) return {};
  return permanent(
    made.error().code,
    "tls_mode is `required`, and there is no certificate to use: " + made.error().context +
      "; put a pair at tls_certificate_file and tls_key_file, or set tls_mode to `opportunistic`"
  );
}

}  // namespace relay::app
