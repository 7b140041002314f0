#pragma once
/// What an informer has seen, for reconciles to read.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "operator/kube/object.hpp"

namespace op::runtime {

using kube::Json;
using kube::Key;

/// Where an informer puts what it sees; called by its thread alone.
class Sink {
 public:
  virtual ~Sink() = default;
  /// What comes until keep_only() is all that there is. Called again, without a keep_only(), when a list broke off.
  virtual void list_begins() {}
  virtual void upsert(Json object) = 0;
  virtual void erase(const Json& object) = 0;
  /// All that there is in the informer's namespace has come by now: what is not among `present` is gone.
  virtual void keep_only(const std::set<Key>& present) = 0;
  /// False: it makes no difference whether it is there. It need not be handed over, nor be `present` then.
  [[nodiscard]] virtual bool wants(const Json&) const { return true; }
  /// The server forbids to look (`why`), so that what was seen may be outdated; or does so no longer (empty). Told when
  /// that changes.
  virtual void refused(const std::string& /*why*/) {}
};

/// One object before and after; null where it was or is not there. Valid during the call only.
struct Change {
  const Json* before;
  const Json* after;
  [[nodiscard]] const Json& any() const { return after != nullptr ? *after : *before; }
};

/// Holds objects as CBOR, a fifth of the memory of parsed ones. Changes are told after they are in force, each once: an
/// object that comes again with the version it had is no change.
///
/// Informers of several namespaces fill one store, each through a feed of its own. Safe from any thread; `on_change` runs
/// on the informer's, without a lock held.
class Store {
 public:
  struct Options {
    /// Takes away what nobody reads; managedFields are always taken.
    std::function<void(Json&)> trim = [](Json&) {};
    /// Objects with the same one are found together; empty: in no group.
    std::function<std::string(const Json&)> group_of = [](const Json&) { return std::string(); };
    std::function<void(const Change&)> on_change = [](const Change&) {};
  };
  explicit Store(Options options) : options_(std::move(options)) {}

  /// For the informer of this namespace, or of all when it is empty; uses this, which must outlive it.
  [[nodiscard]] std::unique_ptr<Sink> feed(std::string name_space);

  [[nodiscard]] std::optional<Json> get(const Key& key) const;
  /// The objects of a group in one namespace.
  [[nodiscard]] std::vector<Json> in_group(const std::string& name_space, const std::string& group) const;
  [[nodiscard]] std::vector<Key> keys() const;

 private:
  class Feed;
  struct Entry {
    std::string resource_version;
    std::string group;
    std::vector<std::uint8_t> cbor;
  };
  void upsert(Json object);
  void erase(const Json& object);
  void keep_only(const std::string& name_space, const std::set<Key>& present);
  [[nodiscard]] std::vector<Key> keys_in(const std::string& name_space) const;
  std::optional<Json> put(const Key& key, const Json& object);  // the one before
  std::optional<Json> take(const Key& key);
  std::optional<Json> take_locked(const Key& key);

  Options options_;
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::map<Key, std::set<std::string>> groups_;  // namespace and group -> names
};

}  // namespace op::runtime
