#include "operator/api/smtp_relay.hpp"

#include <stdexcept>
#include <type_traits>

namespace op::api {
namespace {

/// A field of the wrong type; thrown and caught within this file.
struct WrongType : std::runtime_error {
  explicit WrongType(const std::string& path) : std::runtime_error(path + " has the wrong type") {}
};

/// A JSON object together with its path, for messages. Absent objects read as empty ones.
class Fields {
 public:
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object_.is_object()) throw WrongType(path_);
  }
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
  [[nodiscard]] Fields inner(const char* key) const {
    static const Json kEmpty = Json::object();
    return {has(key) ? object_[key] : kEmpty, path(key)};
  }
  /// Leaves `target`, which holds the default, when the field is absent.
  template <class Value>
  void read(const char* key, Value& target) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if constexpr (std::is_same_v<Value, Json>) {
      if (found->type() != target.type()) throw WrongType(path(key));
      target = *found;
    } else {
      try {
        target = found->template get<Value>();
      } catch (const Json::exception&) {
        throw WrongType(path(key));
      }
    }
  }
  template <class Each>
  void each(const char* key, Each read_item) const {
    Json items = Json::array();
    read(key, items);
    for (std::size_t i = 0; i < items.size(); ++i)
      read_item(Fields(items[i], path(key) + "[" + std::to_string(i) + "]"));
  }

 private:
  [[nodiscard]] std::string path(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  const Json& object_;  // the caller's; outlives this
  std::string path_;
};

KeyReference parse_ca(const Fields& from) {
  KeyReference ca{KeyReference::Kind::secret, "", "ca.crt"};
  if (from.has("configMap")) ca.kind = KeyReference::Kind::config_map;
  from.read(from.has("configMap") ? "configMap" : "secret", ca.name);
  from.read("key", ca.key);
  return ca;
}

Smarthost parse_smarthost(const Fields& from) {
  Smarthost smarthost;
  from.read("name", smarthost.name);
  from.read("host", smarthost.host);
  from.read("port", smarthost.port);
  const auto tls = from.inner("tls");
  tls.read("mode", smarthost.tls_mode);
  if (tls.has("caRef")) smarthost.ca = parse_ca(tls.inner("caRef"));
  return smarthost;
}

/// A quantity may be written as a number; the API server keeps text.
void read_quantities(const Fields& from, const char* key, Json& target) {
  from.read(key, target);
  for (auto& quantity : target) {
    if (quantity.is_number()) quantity = quantity.dump();
  }
}

void parse_image(const Fields& from, Spec& spec) {
  from.read("image", spec.image);
  from.read("imagePullPolicy", spec.image_pull_policy);
  from.read("imagePullSecrets", spec.image_pull_secrets);
}

void parse_mail(const Fields& from, Spec& spec) {
  const auto network = from.inner("network");
  network.read("port", spec.port);
  network.inner("proxyProtocol").read("trustedNetworks", spec.proxy_trusted);
  const auto access = from.inner("access");
  access.read("allowedNetworks", spec.allowed_networks);
  access.read("hiddenSources", spec.hidden_sources);
  from.each("smarthosts", [&](const Fields& item) { spec.smarthosts.push_back(parse_smarthost(item)); });
  if (from.has("passwdClientSecretRef")) {
    const auto reference = from.inner("passwdClientSecretRef");
    spec.passwd_client = KeyReference{KeyReference::Kind::secret, "", "passwd.client"};
    reference.read("name", spec.passwd_client->name);
    reference.read("key", spec.passwd_client->key);
  }
  from.each("envFrom", [&](const Fields& item) {
    item.inner("configMapRef").read("name", spec.env_from.emplace_back());
  });
  from.inner("limits").read("maxMessageSize", spec.max_message_size);
  const auto retry = from.inner("retry");
  retry.read("initialDelay", spec.retry_initial_delay);
  retry.read("maxDelay", spec.retry_max_delay);
  retry.read("maxAge", spec.retry_max_age);
}

void parse_operation(const Fields& from, Spec& spec) {
  const auto spool = from.inner("spool");
  spool.read("type", spec.spool_type);
  spool.read("maxSize", spec.spool_max_size);
  spool.read("minFreePercent", spec.spool_min_free_percent);
  from.inner("health").read("hostPort", spec.health_host_port);
  const auto drain = from.inner("drain");
  drain.read("lameDuck", spec.lame_duck);
  drain.read("sessionTimeout", spec.session_timeout);
}

void parse_scheduling(const Fields& from, Spec& spec) {
  from.read("nodeSelector", spec.node_selector);
  from.read("tolerations", spec.tolerations);
  from.read("nodeAffinity", spec.node_affinity);
  from.read("priorityClassName", spec.priority_class_name);
  from.read("runtimeClassName", spec.runtime_class_name);
  const auto resources = from.inner("resources");
  read_quantities(resources, "requests", spec.requests);
  read_quantities(resources, "limits", spec.limits);
}

SmtpRelay parse(const Json& object) {
  const Fields root(object, "");
  SmtpRelay parsed;
  const auto metadata = root.inner("metadata");
  metadata.read("namespace", parsed.name_space);
  metadata.read("name", parsed.name);
  metadata.read("uid", parsed.uid);
  metadata.read("resourceVersion", parsed.resource_version);
  metadata.read("generation", parsed.generation);
  const auto spec = root.inner("spec");
  parse_image(spec, parsed.spec);
  parse_mail(spec, parsed.spec);
  parse_operation(spec, parsed.spec);
  parse_scheduling(spec, parsed.spec);
  parsed.status = parse_status(object.value("status", Json::object()));
  return parsed;
}

}  // namespace

relay::Result<SmtpRelay> parse_smtp_relay(const Json& object) {
  try {
    return parse(object);
  } catch (const WrongType& wrong) {
    return relay::permanent(relay::Errc::invalid_argument, wrong.what());
  }
}

}  // namespace op::api
