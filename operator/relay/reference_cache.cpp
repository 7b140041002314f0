#include "operator/relay/reference_cache.hpp"

#include "operator/relay/digest.hpp"

namespace op::smtp_relay {

using Kind = api::KeyReference::Kind;

/// Passes on what concerns a reference in use.
class ReferenceCache::Feed : public runtime::Sink {
 public:
  Feed(ReferenceCache& cache, Kind kind, std::string name_space)
      : cache_(cache), kind_(kind), name_space_(std::move(name_space)) {}

  void upsert(Json object) override {
    cache_.saw({kind_, kube::key_of(object)}, kube::resource_version_of(object));
  }
  void erase(const Json& object) override { cache_.saw({kind_, kube::key_of(object)}, ""); }
  void keep_only(const std::set<Key>& present) override {
    for (const auto& reference : cache_.in_use(kind_, name_space_))
      if (!present.contains(reference.key)) cache_.saw(reference, "");
  }
  bool wants(const Json& object) const override { return cache_.is_in_use({kind_, kube::key_of(object)}); }

 private:
  ReferenceCache& cache_;
  Kind kind_;
  std::string name_space_;
};

void ReferenceCache::use(const Key& relay, const std::set<Reference>& references) {
  const std::lock_guard lock(mutex_);
  auto& before = used_by_[relay];
  for (const auto& reference : before) {
    if (references.contains(reference)) continue;
    auto& users = entries_[reference].users;
    users.erase(relay);
    if (users.empty()) entries_.erase(reference);
  }
  for (const auto& reference : references) entries_[reference].users.insert(relay);
  before = references;
  if (references.empty()) used_by_.erase(relay);
}

kube::Answer<Referenced> ReferenceCache::read(const Reference& reference, std::stop_token stop) {
  std::uint64_t news = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto& entry = entries_[reference];
    if (entry.known) return *entry.known;
    news = entry.news;
  }
  const auto& resource = reference.kind == Kind::secret ? kube::kSecrets : kube::kConfigMaps;
  const auto answer = client_.get(resource, reference.key, std::move(stop));
  Referenced known;
  if (answer) known = digest(reference.kind, *answer);
  else if (answer.error().kind == kube::Kind::forbidden) known.unreadable = answer.error().error.context;
  else if (answer.error().kind != kube::Kind::not_found) return tl::unexpected(answer.error());
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(reference);
  // No event will say that a right has been granted: what is forbidden is asked again.
  if (entry != entries_.end() && entry->second.news == news && known.unreadable.empty())
    entry->second.known = known;
  return known;
}

std::unique_ptr<runtime::Sink> ReferenceCache::sink(Kind kind, std::string name_space) {
  return std::make_unique<Feed>(*this, kind, std::move(name_space));
}

void ReferenceCache::saw(const Reference& reference, const std::string& resource_version) {
  std::set<Key> users;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(reference);
    if (found == entries_.end()) return;
    auto& entry = found->second;
    ++entry.news;
    if (entry.known && entry.known->resource_version == resource_version) return;
    entry.known.reset();
    users = entry.users;
  }
  for (const auto& user : users) on_change_(user);
}

std::vector<Reference> ReferenceCache::in_use(Kind kind, const std::string& name_space) const {
  const std::lock_guard lock(mutex_);
  std::vector<Reference> found;
  for (const auto& [reference, entry] : entries_) {
    const bool is_there = name_space.empty() || reference.key.name_space == name_space;
    if (reference.kind == kind && is_there) found.push_back(reference);
  }
  return found;
}

bool ReferenceCache::is_in_use(const Reference& reference) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(reference);
}

}  // namespace op::smtp_relay
