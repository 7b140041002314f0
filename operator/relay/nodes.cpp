#include "operator/relay/nodes.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;

/// Set by the node lifecycle controller and tolerated by every pod of a DaemonSet.
constexpr std::array<std::string_view, 5> kHealthTaints{
  "node.kubernetes.io/not-ready",       "node.kubernetes.io/unreachable",  "node.kubernetes.io/disk-pressure",
  "node.kubernetes.io/memory-pressure", "node.kubernetes.io/pid-pressure",
};

bool is_health(const Taint& taint) {
  return std::find(kHealthTaints.begin(), kHealthTaints.end(), taint.key) != kHealthTaints.end();
}

/// The value at a pointer, or null.
const Json* find(const Json& object, const char* pointer) {
  const Json::json_pointer at(pointer);
  return object.contains(at) ? &object.at(at) : nullptr;
}

std::string name_of(const Json& object) { return text_at(object, "/metadata/name"); }

}  // namespace

Node parse_node(const kube::Json& object) {
  Node node;
  node.name = name_of(object);
  if (const auto* labels = find(object, "/metadata/labels"); labels != nullptr && labels->is_object()) {
    for (const auto& [key, value] : labels->items()) {
      if (value.is_string()) node.labels.emplace(key, value.get<std::string>());
    }
  }
  if (const auto* taints = find(object, "/spec/taints"); taints != nullptr && taints->is_array()) {
    for (const auto& each : *taints) {
      Taint taint{text_at(each, "/key"), text_at(each, "/value"), text_at(each, "/effect")};
      if (!taint.key.empty() && !is_health(taint)) node.taints.push_back(std::move(taint));
    }
  }
  const auto* unschedulable = find(object, "/spec/unschedulable");
  node.is_unschedulable = unschedulable != nullptr && *unschedulable == true;
  node.addresses = parse_node_addresses(object);
  return node;
}

const Node* Nodes::find(const std::string& name) const {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second.get();
}

class NodeCache::Feed : public runtime::Sink {
 public:
  explicit Feed(NodeCache& cache) : cache_(cache) {}

  void list_begins() override { cache_.list_begins(); }
  void upsert(kube::Json object) override { cache_.upsert(object); }
  void erase(const kube::Json& object) override { cache_.erase(name_of(object)); }
  void keep_only(const std::set<kube::Key>& present) override { cache_.keep_only(present); }
  void refused(const std::string& why) override { cache_.refused(why); }

 private:
  NodeCache& cache_;
};

std::unique_ptr<runtime::Sink> NodeCache::feed() { return std::make_unique<Feed>(*this); }

std::shared_ptr<const Nodes> NodeCache::now() const {
  const std::lock_guard lock(mutex_);
  if (shared_) return shared_;
  auto copy = std::make_shared<Nodes>(nodes_);
  copy->hidden_sources = hidden_sources_of(*copy);
  shared_ = std::move(copy);
  return shared_;
}

void NodeCache::list_begins() {
  const std::lock_guard lock(mutex_);
  is_listing_ = true;
}

bool NodeCache::has_changed() {
  shared_.reset();
  is_untold_ = is_listing_;
  return !is_listing_;
}

void NodeCache::upsert(const kube::Json& object) {
  auto node = std::make_shared<const Node>(parse_node(object));
  {
    const std::lock_guard lock(mutex_);
    auto& known = nodes_.by_name[node->name];
    if (known && *known == *node) return;
    known = std::move(node);
    if (!has_changed()) return;
  }
  on_change_();
}

void NodeCache::erase(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (nodes_.by_name.erase(name) == 0 || !has_changed()) return;
  }
  on_change_();
}

void NodeCache::keep_only(const std::set<kube::Key>& present) {
  {
    const std::lock_guard lock(mutex_);
    const auto gone =
      std::erase_if(nodes_.by_name, [&](const auto& entry) { return !present.contains({"", entry.first}); });
    const bool is_first = !std::exchange(nodes_.is_listed, true);
    is_listing_ = false;
    const bool was_changed = std::exchange(is_untold_, false);
    if (!is_first && gone == 0 && !was_changed) return;
    shared_.reset();
  }
  on_change_();
}

void NodeCache::refused(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (nodes_.unreadable == why) return;
    nodes_.unreadable = why;
    shared_.reset();
  }
  on_change_();
}

}  // namespace op::smtp_relay
