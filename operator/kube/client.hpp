#pragma once
/// Typed requests: paths, bodies, answers.

#include <memory>
#include <set>
#include <utility>

#include "operator/kube/object.hpp"
#include "operator/kube/resource.hpp"
#include "operator/kube/transport.hpp"
#include "operator/kube/watch_decoder.hpp"

namespace op::kube {

/// Leave to send one write, from its holder's birth to its end.
class WritePermit {
 public:
  virtual ~WritePermit() = default;
  /// The write must have ended by then: afterwards somebody else may be writing.
  [[nodiscard]] virtual milliseconds time_left() const = 0;
  /// Requested when the leave is withdrawn.
  [[nodiscard]] virtual std::stop_token withdrawn() const = 0;
};

/// Decides about each write right before it is sent. Safe from any thread; may wait for its turn.
class WriteGate {
 public:
  virtual ~WriteGate() = default;
  /// Errors: Kind::cancelled when writing is not ours to do, or stopped while it waited.
  [[nodiscard]] virtual Answer<std::unique_ptr<WritePermit>> admit(std::stop_token stop) = 0;
};

/// Whole objects, or only their metadata: the server then leaves out the rest (PartialObjectMetadata).
enum class View : std::uint8_t { full, metadata };
enum class DryRun : std::uint8_t { no, yes };

/// Which objects of one kind.
struct Selection {
  Resource resource;
  std::string name_space;  ///< empty: all of them
  std::string labels;      ///< a label selector; empty: all
  View view = View::full;
  std::string fields{};  ///< a field selector; empty: all
  unsigned limit = 0;    ///< of a list: no more than these, the first by name; 0: all
};

struct List {
  std::vector<Json> items;
  std::string resource_version;
};

/// Sees each event of a watch and says whether to go on. Bookmarks too; errors end the watch instead.
using OnEvent = std::function<bool(WatchEvent&)>;

/// One verb on one kind of objects.
struct AccessQuestion {
  std::string name_space;  ///< empty: in all of them
  std::string verb;
  std::string group;
  std::string resource;
  std::string subresource;
  std::string name;  ///< empty: on all objects
};

/// How long a whole exchange may take.
struct Deadlines {
  milliseconds read = seconds{30};
  milliseconds list = seconds{60};
  milliseconds write = seconds{10};
};

/// Safe from any thread.
class Client {
 public:
  /// @param transport, gate  outlive this
  /// @param field_manager    under which the API server remembers whose fields are whose; at most 128 octets
  Client(Transport& transport, WriteGate& gate, std::string field_manager, Deadlines deadlines = {})
      : transport_(transport), gate_(gate), field_manager_(std::move(field_manager)), deadlines_(deadlines) {}

  [[nodiscard]] Answer<Json> get(const Resource& resource, const Key& key, std::stop_token stop);
  /// @param resource_version  "0": whatever the server has at hand; empty: the newest; else at least this one
  [[nodiscard]] Answer<List> list(
    const Selection& what, const std::string& resource_version, std::stop_token stop
  );
  /// Watches from this version on, with bookmarks, until the server has had enough (`timeout`), `on_event` has, or
  /// something fails.
  [[nodiscard]] Answer<void> watch(
    const Selection& what, const std::string& resource_version, seconds timeout, const OnEvent& on_event,
    std::stop_token stop
  );
  /// The same with all that there is first, as `added` events up to the one that ends_initial_events(): a list that is
  /// read object by object. Failures: Kind::invalid where the server can't.
  [[nodiscard]] Answer<void> list_and_watch(
    const Selection& what, const std::string& resource_version, seconds timeout, const OnEvent& on_event,
    std::stop_token stop
  );
  /// Which kinds the server has of this one's group and version, by their plurals; none where it does not know the group.
  [[nodiscard]] Answer<std::set<std::string>> kinds_beside(const Resource& resource, std::stop_token stop);
  /// Whether the server would let us (SelfSubjectAccessReview). Nothing is stored, so no gate holds it.
  [[nodiscard]] Answer<bool> may_we(const AccessQuestion& question, std::stop_token stop);
  /// Server-side apply of all that `object` says, by force. Its metadata may hold a resourceVersion, which must then
  /// be the present one.
  [[nodiscard]] Answer<Json> apply(const Resource& resource, const Json& object, std::stop_token stop);
  [[nodiscard]] Answer<Json> apply_status(const Resource& resource, const Json& object, std::stop_token stop);
  /// Replaces the object by this one. Its resourceVersion must be the present one.
  [[nodiscard]] Answer<Json> replace(
    const Resource& resource, const Json& object, DryRun dry_run, std::stop_token stop
  );
  [[nodiscard]] Answer<Json> create(const Resource& resource, const Json& object, std::stop_token stop);
  /// RFC 7396.
  [[nodiscard]] Answer<Json> merge_patch(
    const Resource& resource, const Key& key, const Json& patch, std::stop_token stop
  );
  /// Deletes the object at this version; when there is another one by now, that is a conflict.
  [[nodiscard]] Answer<Json> remove(const Resource& resource, const Json& object, std::stop_token stop);

 private:
  [[nodiscard]] Request applying(const std::string& path, const Json& object) const;
  Answer<void> stream(Request request, const OnEvent& on_event, std::stop_token stop);
  Answer<Json> read(const Request& request, std::stop_token stop);
  Answer<Json> write(Request request, std::stop_token stop);

  Transport& transport_;
  WriteGate& gate_;
  std::string field_manager_;
  Deadlines deadlines_;
};

/// Lets every write pass: for the Lease itself, and for tools.
class OpenGate : public WriteGate {
 public:
  /// @param longest  what each write may take
  explicit OpenGate(milliseconds longest) : longest_(longest) {}
  Answer<std::unique_ptr<WritePermit>> admit(std::stop_token stop) override;

 private:
  milliseconds longest_;
};

}  // namespace op::kube
