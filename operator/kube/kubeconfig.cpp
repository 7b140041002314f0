#include <yaml-cpp/yaml.h>

#include "operator/kube/credentials.hpp"
#include "relay/base/text.hpp"

namespace op::kube {
namespace {

using relay::Errc;

struct Unusable {
  std::string why;
};

std::string text(const YAML::Node& node, const char* key) {
  const auto value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

/// The `inner` part of the entry of this name in one of the kubeconfig's lists.
YAML::Node entry(const YAML::Node& root, const char* list, const char* inner, const std::string& name) {
  for (const auto& item : root[list]) {
    if (text(item, "name") == name && item[inner] && item[inner].IsMap()) return item[inner];
  }
  throw Unusable{"no entry named '" + relay::printable(name, 100) + "' in " + list};
}

std::string decoded(const YAML::Node& node, const std::string& key) {
  const auto encoded = text(node, key.c_str());
  const auto plain = relay::parse_base64(encoded);
  if (!plain) throw Unusable{key + " is not base64"};
  return *plain;
}

/// `key-data` holds base64, `key` a path.
Material material(const YAML::Node& node, const std::string& key, const std::string& folder) {
  if (node[key + "-data"]) return {decoded(node, key + "-data"), {}};
  const auto file = text(node, key.c_str());
  if (file.empty() || file.starts_with('/')) return {{}, file};
  return {{}, folder + "/" + file};
}

void refuse_unsupported(const YAML::Node& cluster, const YAML::Node& user) {
  if (text(cluster, "insecure-skip-tls-verify") == "true")
    throw Unusable{
      "insecure-skip-tls-verify is refused; give certificate-authority or certificate-authority-data"
    };
  for (const auto* key : {"tls-server-name", "proxy-url"}) {
    if (cluster[key]) throw Unusable{std::string(key) + " is not supported"};
  }
  for (const auto* key : {"exec", "auth-provider", "username", "password", "as"}) {
    if (user[key])
      throw Unusable{std::string(key) + " is not supported; use a token or a client certificate"};
  }
}

Access parse(const std::string& yaml, const std::string& folder) {
  const auto root = YAML::Load(yaml);
  if (!root.IsMap()) throw Unusable{"not a YAML mapping"};
  const auto current = text(root, "current-context");
  if (current.empty()) throw Unusable{"current-context is not set"};
  const auto context = entry(root, "contexts", "context", current);
  const auto cluster = entry(root, "clusters", "cluster", text(context, "cluster"));
  const auto user = entry(root, "users", "user", text(context, "user"));
  refuse_unsupported(cluster, user);

  Access access;
  access.server = text(cluster, "server");
  if (!access.server.starts_with("https://")) throw Unusable{"server is not an https:// address"};
  while (access.server.ends_with('/')) access.server.pop_back();
  access.name_space = text(context, "namespace");
  access.authority = material(cluster, "certificate-authority", folder);
  access.certificate = material(user, "client-certificate", folder);
  access.key = material(user, "client-key", folder);
  if (access.certificate.is_given() != access.key.is_given())
    throw Unusable{"client-certificate and client-key come together"};
  access.token.text = text(user, "token");
  if (const auto file = text(user, "tokenFile"); !file.empty())
    access.token = {{}, file.starts_with('/') ? file : folder + "/" + file};
  return access;
}

}  // namespace

relay::Result<Access> parse_kubeconfig(const std::string& yaml, const std::string& folder) {
  try {
    return parse(yaml, folder);
  } catch (const Unusable& unusable) {
    return relay::permanent(Errc::invalid_argument, unusable.why);
  } catch (const YAML::Exception& error) {
    // What the parser quotes may be a credential: only the place.
    return relay::permanent(Errc::invalid_argument, "not YAML: line " + std::to_string(error.mark.line + 1));
  }
}

}  // namespace op::kube
