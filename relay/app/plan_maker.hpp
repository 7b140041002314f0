#pragma once
/// From settings and files to what outgoing mail goes by.

#include <functional>

#include "relay/app/files.hpp"
#include "relay/base/log.hpp"
#include "relay/dkim/rule.hpp"
#include "relay/outbound/plan.hpp"

namespace relay::app {

/// Makes plans, one after the other. What a file holds that can't be used is logged, by name and never with its
/// words, and the last good one stays in force.
///
/// Thread: the control thread.
class PlanMaker {
 public:
  using MakeToken = std::function<
    std::shared_ptr<const oauth::TokenSource>(oauth::Account account, std::shared_ptr<net::TlsClient> tls)>;
  /// @param make_token  outlives the plans, as does what it refers to
  PlanMaker(log::Sink& log, MakeToken make_token) : log_(log), make_token_(std::move(make_token)) {}

  [[nodiscard]] std::shared_ptr<const outbound::Plan> make(
    const config::Settings& settings, const Files& files
  );
  /// Null when nothing is signed.
  [[nodiscard]] std::shared_ptr<const dkim::Rules> make_rules(
    const config::Settings& settings, const Files& files
  );

 private:
  struct Secured {       // a TLS client, and what it was to be made from
    std::string source;  // versions, and paths and words of files
    std::shared_ptr<net::TlsClient> tls;
    bool is_made_from_it = false;  // else it is the last good one, or trusts nobody
  };
  struct Tokens {
    oauth::Account account;
    std::shared_ptr<net::TlsClient> tls;
    std::shared_ptr<const oauth::TokenSource> source;
  };
  struct SignedWith {
    std::string pem;
    std::shared_ptr<const dkim::Key> key;
  };
  [[nodiscard]] outbound::Smarthost make_smarthost(
    const config::Settings& settings, const config::Smarthost& from, const Files& files,
    const route::PasswdClient& passwords
  );
  [[nodiscard]] outbound::MxSettings make_mx(const config::Settings& settings, const Files& files);
  /// Smarthosts with the same terms have one client: the system's authorities take some 30 ms to read and 1.2 MiB to keep.
  [[nodiscard]] const Secured* made_from(const std::string& source) const;
  [[nodiscard]] std::shared_ptr<net::TlsClient> tls_for(
    const std::string& name, const net::TlsClientSettings& from, const Files& files
  );
  [[nodiscard]] std::shared_ptr<const oauth::TokenSource> tokens_for(
    const config::Smarthost& from, const Files& files, const std::shared_ptr<net::TlsClient>& tls
  );
  [[nodiscard]] std::shared_ptr<const dkim::Key> key_for(const config::DkimKey& from, const Files& files);

  log::Sink& log_;
  MakeToken make_token_;
  std::map<std::string, Secured> secured_;  // by smarthost, or `mx/`
  std::map<std::string, Tokens> tokens_;    // by smarthost
  std::map<std::string, SignedWith> keys_;  // by path
  std::shared_ptr<const outbound::Plan> last_;
  std::uint64_t last_generation_ = 0;  // of a smarthost: no two different ones have the same
};

/// Whether connections to the hosts of these plans are another thing: then mail that waits is due at once.
[[nodiscard]] bool has_other_hops(const outbound::Plan& before, const outbound::Plan& after);

}  // namespace relay::app
