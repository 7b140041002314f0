#pragma once
/// What is told about objects as Kubernetes Events: which to write, and when.

#include <list>
#include <map>
#include <optional>
#include <string>

#include "operator/kube/failure.hpp"
#include "operator/kube/object.hpp"
#include "operator/runtime/token_bucket.hpp"

namespace op::runtime {

/// Something that happened to an object and that people should see. Equal ones are one series.
struct Occurrence {
  enum class Type : std::uint8_t { normal, warning };
  struct Object {
    std::string api_version;
    std::string kind;
    kube::Key key;
    std::string uid;
    friend auto operator<=>(const Object&, const Object&) = default;
  };
  Object regarding;
  Type type = Type::normal;
  std::string reason;  ///< CamelCase and stable, at most 128 octets
  std::string action;  ///< what we did or tried, the same
  std::string note;    ///< for people; cut behind 1,024 octets, which is what the API server takes
  friend auto operator<=>(const Occurrence&, const Occurrence&) = default;
};

struct Moment {
  SteadyTime steady;
  WallTime wall;
};

/// The first of its kind becomes an Event (events.k8s.io/v1), what follows within six minutes its `series`: a count
/// that is written at most every thirty seconds. One object gets 25 Events at once and one more each five minutes, so
/// that no fight over it floods the namespace. What can't be written is tried again every ten seconds, twelve times.
/// Semantics of client-go's tools/events, with the note as part of what makes two equal.
///
/// Thread: one at a time.
class EventSeries {
 public:
  /// Longer queues drop what comes.
  static constexpr std::size_t kMaxOpen = 1000;

  /// @param controller  qualified, `example.com/x`
  /// @param instance    of the process, at most 128 octets
  EventSeries(std::string controller, std::string instance)
      : controller_(std::move(controller)), instance_(std::move(instance)) {}

  void add(Occurrence occurrence, const Moment& now);

  struct Write {
    enum class Kind : std::uint8_t { create, patch } kind{};  ///< a patch as RFC 7396
    kube::Key key;
    kube::Json body;
  };
  /// What to send now, answered by settle() before the next; nothing when nothing is due.
  [[nodiscard]] std::optional<Write> next(const Moment& now);
  void settle(const kube::Answer<void>& answer, const Moment& now);
  /// When next() will have something without a further add(); nothing when never.
  [[nodiscard]] std::optional<SteadyTime> wake_at() const;

  [[nodiscard]] std::size_t open() const { return entries_.size(); }

 private:
  struct Entry {
    Occurrence what;
    std::string name;
    WallTime first;
    WallTime last;
    SteadyTime last_seen;  // the same as `last`
    SteadyTime due;
    std::int64_t count = 1;
    std::int64_t written = 0;  // of the count; 0: there is no Event yet
    int failures = 0;
  };
  using Entries = std::list<Entry>;
  [[nodiscard]] bool may_begin(const std::string& uid, SteadyTime now);
  [[nodiscard]] kube::Json whole(const Entry& entry) const;
  void forget(Entries::iterator entry);
  void finish(SteadyTime now);

  std::string controller_;
  std::string instance_;
  Entries entries_;  // in the order in which they began
  std::map<Occurrence, Entries::iterator> by_content_;
  std::optional<Entries::iterator> sending_;
  std::int64_t sending_count_ = 0;
  std::uint64_t names_ = 0;
  struct Allowance {
    TokenBucket bucket;
    SteadyTime used;
  };
  std::map<std::string, Allowance> allowances_;  // by uid
};

}  // namespace op::runtime
