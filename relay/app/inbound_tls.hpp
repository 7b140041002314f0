#pragma once
/// From settings and files to the TLS that clients may use.

#include <memory>
#include <string>

#include "relay/app/files.hpp"
#include "relay/base/log.hpp"
#include "relay/net/tls_server.hpp"

namespace relay::app {

/// Keeps the certificate that clients see. One that can't be used is logged, once, and the last good one stays in force.
///
/// Thread: the control thread.
class InboundTls {
 public:
  /// @param log  outlives this
  explicit InboundTls(log::Sink& log) : log_(log) {}

  /// Null when there is no TLS: it is switched off everywhere, or there has been no usable certificate yet. The same one as
  /// long as nothing changes. Blocks for the disk.
  [[nodiscard]] std::shared_ptr<net::TlsServer> make(const config::Settings& settings, const Files& files);

  /// Errors, permanent and with what to do: TLS is required, and neither do these settings name a usable certificate nor is
  /// one in force. Blocks for the disk.
  [[nodiscard]] Result<void> check(const config::Settings& settings) const;

 private:
  log::Sink& log_;
  std::string source_;  // what was tried last
  std::shared_ptr<net::TlsServer> in_force_;
};

}  // namespace relay::app
