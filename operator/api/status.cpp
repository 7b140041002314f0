#include "operator/api/status.hpp"

#include <algorithm>
#include <cstdio>

namespace op::api {
namespace {

using Json = nlohmann::json;

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

Json array(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : Json::array();
}

}  // namespace

const Condition* Status::find(std::string_view type) const {
  const auto found =
    std::find_if(conditions.begin(), conditions.end(), [&](const auto& c) { return c.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

void Status::set(Condition next, relay::WallTime now) {
  const auto found =
    std::find_if(conditions.begin(), conditions.end(), [&](const auto& c) { return c.type == next.type; });
  const bool is_same_status = found != conditions.end() && found->status == next.status;
  next.last_transition_time = is_same_status ? found->last_transition_time : to_kubernetes_time(now);
  if (found == conditions.end()) conditions.push_back(std::move(next));
  else *found = std::move(next);
}

std::string to_kubernetes_time(relay::WallTime time) {
  const auto with_milliseconds = relay::to_rfc3339(time);
  return with_milliseconds.substr(0, with_milliseconds.find('.')) + "Z";
}

std::optional<relay::WallTime> parse_kubernetes_time(const std::string& text) {
  namespace chrono = std::chrono;
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  int end = 0;
  const int read = std::sscanf(
    text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2uZ%n", &year, &month, &day, &hour, &minute, &second, &end
  );
  const chrono::year_month_day date{chrono::year{year}, chrono::month{month}, chrono::day{day}};
  if (read != 6 || static_cast<std::size_t>(end) != text.size() || !date.ok()) return std::nullopt;
  return chrono::sys_days{date} + chrono::hours{hour} + chrono::minutes{minute} + chrono::seconds{second};
}

Status parse_status(const Json& object) {
  Status status;
  if (!object.is_object()) return status;
  status.observed_generation = number(object, "observedGeneration");
  for (const auto& item : array(object, "conditions")) {
    if (!item.is_object()) continue;
    status.conditions.push_back(
      {text(item, "type"), text(item, "status"), text(item, "reason"), text(item, "message"),
       number(item, "observedGeneration"), text(item, "lastTransitionTime")}
    );
  }
  status.desired_nodes = number(object, "desiredNodes");
  status.updated_nodes = number(object, "updatedNodes");
  status.ready_nodes = number(object, "readyNodes");
  status.available_nodes = number(object, "availableNodes");
  status.misscheduled_nodes = number(object, "misscheduledNodes");
  for (const auto& item : array(object, "degradedNodes"))
    status.degraded_nodes.push_back({text(item, "node"), text(item, "reason")});
  status.selector = text(object, "selector");
  status.image = text(object, "image");
  status.config_hash = text(object, "configHash");
  for (const auto& item : array(object, "observedSecrets"))
    status.observed_secrets.push_back({text(item, "name"), text(item, "resourceVersion")});
  return status;
}

Json to_json(const Status& status) {
  Json conditions = Json::array();
  for (const auto& condition : status.conditions) {
    conditions.push_back(
      {{"type", condition.type},
       {"status", condition.status},
       {"reason", condition.reason},
       {"message", condition.message},
       {"observedGeneration", condition.observed_generation},
       {"lastTransitionTime", condition.last_transition_time}}
    );
  }
  Json secrets = Json::array();
  for (const auto& secret : status.observed_secrets)
    secrets.push_back({{"name", secret.name}, {"resourceVersion", secret.resource_version}});
  Json degraded = Json::array();
  for (const auto& each : status.degraded_nodes)
    degraded.push_back({{"node", each.node}, {"reason", each.reason}});
  Json object{
    {"observedGeneration", status.observed_generation},
    {"conditions", conditions},
    {"desiredNodes", status.desired_nodes},
    {"updatedNodes", status.updated_nodes},
    {"readyNodes", status.ready_nodes},
    {"availableNodes", status.available_nodes},
    {"misscheduledNodes", status.misscheduled_nodes},
    {"degradedNodes", degraded},
    {"observedSecrets", secrets},
  };
  if (!status.selector.empty()) object["selector"] = status.selector;
  if (!status.image.empty()) object["image"] = status.image;
  if (!status.config_hash.empty()) object["configHash"] = status.config_hash;
  return object;
}

}  // namespace op::api
