#include "operator/kube/credentials.hpp"

#include <fstream>
#include <iterator>

namespace op::kube {
namespace {

using relay::Errc;

constexpr seconds kTokenAge{60};

relay::Result<std::string> read(const Material& material) {
  if (material.file.empty()) return material.text;
  std::ifstream file(material.file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return relay::transient(Errc::not_found, "cannot read " + material.file);
  return text;
}

std::string without_line_end(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace

relay::Result<Access> in_cluster_access(
  const std::map<std::string, std::string>& environment, const std::string& folder
) {
  const auto value = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  auto host = value("KUBERNETES_SERVICE_HOST");
  if (host.empty()) {
    return relay::permanent(
      Errc::not_found,
      "neither in a pod (KUBERNETES_SERVICE_HOST is not set) nor told where the API server is; "
      "give --kubeconfig FILE"
    );
  }
  // cpprestsdk can't connect to an IPv6 literal; the certificate holds this name too.
  if (host.find(':') != std::string::npos) host = "kubernetes.default.svc";
  const auto port = value("KUBERNETES_SERVICE_PORT");
  const auto name_space = read({{}, folder + "/namespace"});
  Access access;
  access.server = "https://" + host + ":" + (port.empty() ? "443" : port);
  access.name_space = name_space ? without_line_end(*name_space) : "";
  access.authority.file = folder + "/ca.crt";
  access.token.file = folder + "/token";
  return access;
}

std::string Credentials::token() {
  if (!access_.token.is_given()) return {};
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  if (!token_read_ || now - *token_read_ >= kTokenAge) {
    token_read_ = now;
    if (auto text = read(access_.token); text && !text->empty()) token_ = without_line_end(std::move(*text));
  }
  return token_;
}

void Credentials::forget_token() {
  const std::lock_guard lock(mutex_);
  token_read_.reset();
}

relay::Result<Credentials::Tls> Credentials::tls() const {
  auto authority = read(access_.authority);
  auto certificate = read(access_.certificate);
  auto key = read(access_.key);
  for (const auto* text : {&authority, &certificate, &key}) {
    if (!*text) return tl::unexpected(text->error());
  }
  return Tls{std::move(*authority), std::move(*certificate), std::move(*key)};
}

}  // namespace op::kube
