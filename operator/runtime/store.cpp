#include "operator/runtime/store.hpp"

#include <algorithm>

namespace op::runtime {

/// What one namespace's informer sees. A list speaks of its own namespace only: the others' objects stay.
class Store::Feed : public Sink {
 public:
  Feed(Store& store, std::string name_space) : store_(store), name_space_(std::move(name_space)) {}

  void upsert(Json object) override { store_.upsert(std::move(object)); }
  void erase(const Json& object) override { store_.erase(object); }
  void keep_only(const std::set<Key>& present) override { store_.keep_only(name_space_, present); }

 private:
  Store& store_;
  std::string name_space_;
};

std::unique_ptr<Sink> Store::feed(std::string name_space) {
  return std::make_unique<Feed>(*this, std::move(name_space));
}

void Store::upsert(Json object) {
  const auto key = kube::key_of(object);
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second.resource_version == kube::resource_version_of(object))
      return;
  }
  object["metadata"].erase("managedFields");
  options_.trim(object);
  const auto before = put(key, object);
  options_.on_change({before ? &*before : nullptr, &object});
}

void Store::erase(const Json& object) {
  const auto before = take(kube::key_of(object));
  if (before) options_.on_change({&*before, nullptr});
}

void Store::keep_only(const std::string& name_space, const std::set<Key>& present) {
  for (const auto& key : keys_in(name_space)) {
    if (present.contains(key)) continue;
    const auto before = take(key);
    if (before) options_.on_change({&*before, nullptr});
  }
}

std::optional<Json> Store::put(const Key& key, const Json& object) {
  Entry entry{kube::resource_version_of(object), options_.group_of(object), Json::to_cbor(object)};
  // It has grown octet by octet, to twice its size at worst.
  entry.cbor.shrink_to_fit();
  const std::lock_guard lock(mutex_);
  auto before = take_locked(key);
  if (!entry.group.empty()) groups_[{key.name_space, entry.group}].insert(key.name);
  entries_.insert_or_assign(key, std::move(entry));
  return before;
}

std::optional<Json> Store::take(const Key& key) {
  const std::lock_guard lock(mutex_);
  return take_locked(key);
}

std::optional<Json> Store::take_locked(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  const auto entry = std::move(found->second);
  entries_.erase(found);
  const auto group = groups_.find({key.name_space, entry.group});
  if (group != groups_.end()) {
    group->second.erase(key.name);
    if (group->second.empty()) groups_.erase(group);
  }
  return Json::from_cbor(entry.cbor);
}

std::optional<Json> Store::get(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return Json::from_cbor(found->second.cbor);
}

std::vector<Json> Store::in_group(const std::string& name_space, const std::string& group) const {
  const std::lock_guard lock(mutex_);
  std::vector<Json> found;
  const auto names = groups_.find({name_space, group});
  if (names == groups_.end()) return found;
  for (const auto& name : names->second)
    found.push_back(Json::from_cbor(entries_.at({name_space, name}).cbor));
  return found;
}

std::vector<Key> Store::keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<Key> keys;
  keys.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) keys.push_back(key);
  return keys;
}

std::vector<Key> Store::keys_in(const std::string& name_space) const {
  auto found = keys();
  if (name_space.empty()) return found;
  std::erase_if(found, [&](const Key& key) { return key.name_space != name_space; });
  return found;
}

}  // namespace op::runtime
