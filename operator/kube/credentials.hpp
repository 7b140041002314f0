#pragma once
/// Who we are to the API server, and how we know that it is the API server.

#include <map>
#include <mutex>
#include <string>

#include "operator/kube/failure.hpp"
#include "relay/base/clock.hpp"

namespace op::kube {

/// A PEM text or a token: given, or in a file that may be replaced while we run. Neither: there is none.
struct Material {
  std::string text;
  std::string file;
  [[nodiscard]] bool is_given() const { return !text.empty() || !file.empty(); }
};

/// What a kubeconfig or a pod's ServiceAccount says.
struct Access {
  std::string server;      ///< https://host:port
  std::string name_space;  ///< the default one
  Material authority;  ///< PEM of the authorities that may sign the server's certificate; none: the system's
  Material certificate;
  Material key;
  Material token;
};

/// Reads a kubeconfig. Paths in it are relative to `folder`, the one it lies in.
/// Errors: Errc::invalid_argument, permanent; says what is missing or not supported, and never prints a credential.
[[nodiscard]] relay::Result<Access> parse_kubeconfig(const std::string& yaml, const std::string& folder);

/// What Kubernetes gives to every pod.
/// @param environment  KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT
/// @param folder       where the ServiceAccount's token, ca.crt and namespace lie
/// Errors: Errc::not_found, permanent, outside a pod.
[[nodiscard]] relay::Result<Access> in_cluster_access(
  const std::map<std::string, std::string>& environment, const std::string& folder
);
inline constexpr std::string_view kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Hands out the current credentials, reading files again as they rotate. Safe from any thread.
class Credentials {
 public:
  /// @param clock  outlives this
  Credentials(Access access, const relay::Clock& clock) : access_(std::move(access)), clock_(clock) {}

  [[nodiscard]] const Access& access() const { return access_; }
  /// The bearer token, empty where there is none. A file is read at most once a minute: Kubernetes renews tokens
  /// long before they end. While the file can't be read the last one stays.
  [[nodiscard]] std::string token();
  /// The server refused the token: the next one is read from the file whatever its age.
  void forget_token();

  struct Tls {
    std::string authority;
    std::string certificate;
    std::string key;
  };
  /// Read for each new connection. Errors: Errc::not_found, transient, for a file that can't be read.
  [[nodiscard]] relay::Result<Tls> tls() const;

 private:
  Access access_;
  const relay::Clock& clock_;
  std::mutex mutex_;
  std::string token_;
  std::optional<relay::SteadyTime> token_read_;
};

}  // namespace op::kube
