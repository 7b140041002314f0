#include "operator/kube/client.hpp"

#include <algorithm>

namespace op::kube {
namespace {

using relay::Errc;

std::string accept(View view, std::string_view partial_kind) {
  if (view == View::full) return "application/json";
  return "application/json;as=" + std::string(partial_kind) + ";g=meta.k8s.io;v=v1";
}

Failure no(std::string_view what, const Request& request) {
  return {
    Kind::server,
    {Errc::protocol_error, relay::Fate::transient, request.asked() + ": the answer is no " + std::string(what)
    }
  };
}

/// A list that is none must not pass for an empty one: all there was would seem deleted.
Answer<List> parse_list(const Request& request, Json answer) {
  const auto items = answer.find("items");
  if (items == answer.end() || !(items->is_array() || items->is_null()))
    return tl::unexpected(no("list", request));
  List list{{}, text_at(answer, "/metadata/resourceVersion")};
  // An empty list may come as null.
  if (items->is_null()) return list;
  list.items.reserve(items->size());
  for (auto& item : *items) {
    if (!is_named(item)) return tl::unexpected(no("list of objects", request));
    list.items.push_back(std::move(item));
  }
  return list;
}

Answer<Json> parse_answer(const Request& request, const relay::Result<Response>& response) {
  if (!response) return tl::unexpected(failed_exchange(request.asked(), response.error()));
  if (response->status < 200 || response->status > 299)
    return tl::unexpected(refused(request.asked(), response->status, response->body, response->retry_after));
  auto object = Json::parse(response->body, nullptr, false);
  if (object.is_object()) return object;
  return tl::unexpected(no("JSON object", request));
}

Request writing(Method method, std::string target, const Json& body, std::string content_type) {
  Request request;
  request.method = method;
  request.target = std::move(target);
  request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  request.content_type = std::move(content_type);
  return request;
}

Request watching(
  const Selection& what, const std::string& resource_version, seconds timeout, bool with_objects
) {
  Request request;
  request.target = what.resource.collection(what.name_space) +
                   query(
                     {{"watch", "1"},
                      {"allowWatchBookmarks", "true"},
                      {"sendInitialEvents", with_objects ? "true" : ""},
                      {"resourceVersionMatch", with_objects ? "NotOlderThan" : ""},
                      {"resourceVersion", resource_version},
                      {"timeoutSeconds", std::to_string(timeout.count())},
                      {"labelSelector", what.labels},
                      {"fieldSelector", what.fields}}
                   );
  request.accept = accept(what.view, "PartialObjectMetadata");
  return request;
}

struct OpenPermit : WritePermit {
  explicit OpenPermit(milliseconds left) : time(left) {}
  [[nodiscard]] milliseconds time_left() const override { return time; }
  [[nodiscard]] std::stop_token withdrawn() const override { return {}; }
  milliseconds time;
};

}  // namespace

Answer<Json> Client::get(const Resource& resource, const Key& key, std::stop_token stop) {
  Request request;
  request.target = resource.path(key.name_space, key.name);
  request.deadline = deadlines_.read;
  return read(request, std::move(stop));
}

Answer<List> Client::list(const Selection& what, const std::string& resource_version, std::stop_token stop) {
  Request request;
  request.target = what.resource.collection(what.name_space) +
                   query(
                     {{"labelSelector", what.labels},
                      {"fieldSelector", what.fields},
                      {"limit", what.limit == 0 ? "" : std::to_string(what.limit)},
                      {"resourceVersion", resource_version}}
                   );
  request.accept = accept(what.view, "PartialObjectMetadataList");
  request.deadline = deadlines_.list;
  auto answer = read(request, std::move(stop));
  if (!answer) return tl::unexpected(answer.error());
  return parse_list(request, std::move(*answer));
}

Answer<void> Client::watch(
  const Selection& what, const std::string& resource_version, seconds timeout, const OnEvent& on_event,
  std::stop_token stop
) {
  return stream(watching(what, resource_version, timeout, false), on_event, std::move(stop));
}

Answer<void> Client::list_and_watch(
  const Selection& what, const std::string& resource_version, seconds timeout, const OnEvent& on_event,
  std::stop_token stop
) {
  return stream(watching(what, resource_version, timeout, true), on_event, std::move(stop));
}

Answer<std::set<std::string>> Client::kinds_beside(const Resource& resource, std::stop_token stop) {
  Request request;
  request.target = (resource.group.empty() ? "/api/" : "/apis/") + resource.api_version();
  request.deadline = deadlines_.read;
  const auto answer = read(request, std::move(stop));
  if (!answer && answer.error().kind == Kind::not_found) return std::set<std::string>();
  if (!answer) return tl::unexpected(answer.error());
  const auto resources = answer->find("resources");
  if (resources == answer->end() || !(resources->is_array() || resources->is_null()))
    return tl::unexpected(no("list of kinds", request));
  std::set<std::string> plurals;
  for (const auto& each : *resources) plurals.insert(text_at(each, "/name"));
  return plurals;
}

Answer<bool> Client::may_we(const AccessQuestion& question, std::stop_token stop) {
  const Json body{
    {"apiVersion", "authorization.k8s.io/v1"},
    {"kind", "SelfSubjectAccessReview"},
    {"spec",
     {{"resourceAttributes",
       {{"namespace", question.name_space},
        {"verb", question.verb},
        {"group", question.group},
        {"resource", question.resource},
        {"subresource", question.subresource},
        {"name", question.name}}}}},
  };
  auto request =
    writing(Method::post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, "application/json");
  request.deadline = deadlines_.read;
  const auto answer = read(request, std::move(stop));
  if (!answer) return tl::unexpected(answer.error());
  const Json::json_pointer allowed("/status/allowed");
  return answer->contains(allowed) && answer->at(allowed) == true;
}

Answer<void> Client::stream(Request request, const OnEvent& on_event, std::stop_token stop) {
  request.deadline = deadlines_.read;
  WatchDecoder decoder;
  std::optional<Failure> failure;
  const auto on_bytes = [&](std::string_view octets) {
    auto events = decoder.feed(octets);
    if (!events) failure = failed_exchange(request.asked(), events.error());
    if (failure) return false;
    for (auto& event : *events) {
      if (event.type == WatchEvent::Type::error) failure = failure_of(event);
      if (failure || !on_event(event)) return false;
    }
    return true;
  };
  const auto response = transport_.stream(request, on_bytes, std::move(stop));
  if (failure) return tl::unexpected(*failure);
  if (!response) return tl::unexpected(failed_exchange(request.asked(), response.error()));
  if (response->status != 200)
    return tl::unexpected(refused(request.asked(), response->status, response->body, response->retry_after));
  return {};
}

Request Client::applying(const std::string& path, const Json& object) const {
  return writing(
    Method::patch, path + query({{"fieldManager", field_manager_}, {"force", "true"}}), object,
    // YAML is a superset of JSON; API servers before 1.32 know apply by this type only.
    "application/apply-patch+yaml"
  );
}

Answer<Json> Client::apply(const Resource& resource, const Json& object, std::stop_token stop) {
  const auto key = key_of(object);
  return write(applying(resource.path(key.name_space, key.name), object), std::move(stop));
}

Answer<Json> Client::apply_status(const Resource& resource, const Json& object, std::stop_token stop) {
  const auto key = key_of(object);
  return write(applying(resource.path(key.name_space, key.name) + "/status", object), std::move(stop));
}

Answer<Json> Client::replace(
  const Resource& resource, const Json& object, DryRun dry_run, std::stop_token stop
) {
  const auto key = key_of(object);
  const auto target =
    resource.path(key.name_space, key.name) +
    query({{"fieldManager", field_manager_}, {"dryRun", dry_run == DryRun::yes ? "All" : ""}});
  return write(writing(Method::put, target, object, "application/json"), std::move(stop));
}

Answer<Json> Client::create(const Resource& resource, const Json& object, std::stop_token stop) {
  const auto target =
    resource.collection(key_of(object).name_space) + query({{"fieldManager", field_manager_}});
  return write(writing(Method::post, target, object, "application/json"), std::move(stop));
}

Answer<Json> Client::merge_patch(
  const Resource& resource, const Key& key, const Json& patch, std::stop_token stop
) {
  const auto target = resource.path(key.name_space, key.name) + query({{"fieldManager", field_manager_}});
  return write(writing(Method::patch, target, patch, "application/merge-patch+json"), std::move(stop));
}

Answer<Json> Client::remove(const Resource& resource, const Json& object, std::stop_token stop) {
  const auto key = key_of(object);
  const Json options{
    {"apiVersion", "v1"},
    {"kind", "DeleteOptions"},
    {"propagationPolicy", "Background"},
    {"preconditions",
     {{"uid", text_at(object, "/metadata/uid")}, {"resourceVersion", resource_version_of(object)}}},
  };
  const auto target = resource.path(key.name_space, key.name);
  return write(writing(Method::remove, target, options, "application/json"), std::move(stop));
}

Answer<Json> Client::read(const Request& request, std::stop_token stop) {
  return parse_answer(request, transport_.send(request, std::move(stop)));
}

Answer<Json> Client::write(Request request, std::stop_token stop) {
  const auto permit = gate_.admit(stop);
  if (!permit) return tl::unexpected(permit.error());
  request.deadline = std::min(deadlines_.write, (*permit)->time_left());
  // Either the caller or the gate may end it.
  std::stop_source either;
  const auto forward = [&either] { either.request_stop(); };
  const std::stop_callback by_caller(stop, forward);
  const std::stop_callback by_gate((*permit)->withdrawn(), forward);
  return parse_answer(request, transport_.send(request, either.get_token()));
}

Answer<std::unique_ptr<WritePermit>> OpenGate::admit(std::stop_token) {
  return std::make_unique<OpenPermit>(longest_);
}

}  // namespace op::kube
