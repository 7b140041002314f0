#pragma once
/// The settings in force, as immutable snapshots that all threads read and the control thread replaces.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/config/load.hpp"
#include "relay/delivery/ports.hpp"
#include "relay/engine/context.hpp"
#include "relay/session/serve.hpp"

namespace relay::app {

/// What the settings name and the disk holds.
struct Files {
  std::string passwd_client;  ///< the text, empty when the file is missing
  std::string smarthost_ca;   ///< the text, only to notice changes
  friend bool operator==(const Files&, const Files&) = default;
};
/// Blocks for the disk. Missing files are empty. Errors as read_text(): without its credentials a hop would
/// be sent mail that it refuses for good.
[[nodiscard]] Result<Files> read_files(const config::Settings& settings);

/// Thread: the sources' methods any, the rest the control thread.
class Live : public session::RulesSource, public delivery::HopSource, public engine::LimitsSource {
 public:
  /// @param hidden  addresses that hide clients besides those in the settings: gateways
  /// @param log     told what is wrong with files: line numbers of passwd.client, never its words; outlives
  ///                this
  Live(config::Settings settings, const Files& files, Networks hidden, log::Sink& log);

  [[nodiscard]] std::shared_ptr<const session::Rules> rules() const override;
  [[nodiscard]] std::shared_ptr<const delivery::Hop> hop() const override;
  [[nodiscard]] std::shared_ptr<const engine::Limits> limits() const override;
  [[nodiscard]] const config::Settings& settings() const { return settings_; }

  /// Puts changed live settings and files in force. True when the next hop changed, its credentials included:
  /// then its mail is due at once. A CA file that cannot be used leaves the last good one in force.
  bool apply(const config::Settings& settings, const Files& files);

 private:
  [[nodiscard]] std::shared_ptr<const session::Rules> make_rules() const;
  [[nodiscard]] std::shared_ptr<const delivery::Hop> make_hop(const Files& files);
  [[nodiscard]] std::shared_ptr<const engine::Limits> make_limits() const;

  config::Settings settings_;
  Networks hidden_;
  log::Sink& log_;
  std::shared_ptr<net::TlsClient> tls_;
  std::string tls_source_ = "none";  // path and text that tls_ was made from
  std::uint64_t generation_ = 0;

  mutable std::mutex mutex_;
  std::shared_ptr<const session::Rules> rules_;
  std::shared_ptr<const delivery::Hop> hop_;
  std::shared_ptr<const engine::Limits> limits_;
};

}  // namespace relay::app
