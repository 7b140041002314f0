#pragma once
/// Keeps a view of one kind of objects current: when to list, when to watch, from which version, how long to wait.

#include <variant>

#include "operator/kube/watch_decoder.hpp"
#include "operator/runtime/clock.hpp"

namespace op::runtime {

/// What the driver does next. Every step is answered by one of the events named behind it.
namespace reflector_step {
struct List {
  std::string resource_version;
};  ///< Listed or ListFailed
struct Watch {
  std::string resource_version;
  seconds timeout;
  bool with_objects = false;  ///< all that there is comes first, instead of a list
};  ///< WatchEnded; saw() for each event before
struct Wait {
  milliseconds delay;
};  ///< Woke
}  // namespace reflector_step
using ReflectorStep = std::variant<reflector_step::List, reflector_step::Watch, reflector_step::Wait>;

namespace reflector_event {
struct Started {};
struct Listed {
  std::string resource_version;
};
struct ListFailed {
  kube::Failure failure;
};
struct WatchEnded {
  std::optional<kube::Failure> failure;
};  ///< none: the server ended it, as it does
struct Woke {};
}  // namespace reflector_event
using ReflectorEvent = std::variant<
  reflector_event::Started, reflector_event::Listed, reflector_event::ListFailed, reflector_event::WatchEnded,
  reflector_event::Woke>;

/// The delays between failures: 0.8 s, doubling to 30 s, each stretched by up to its own length; after two minutes
/// without a failure they begin anew.
class RetryDelay {
 public:
  /// @param fraction  chance, in [0, 1)
  [[nodiscard]] milliseconds next(SteadyTime now, double fraction);

 private:
  milliseconds base_{0};
  SteadyTime last_{};
};

/// Takes what there is once ("0": what the server's cache holds), then watches on from there. A watch that ends or fails
/// goes on from the last version seen, bookmarks included: an API server that restarts costs no list. Only when that
/// version is gone (410) is everything taken anew, at once, from the newest state ("").
///
/// What there is comes as the beginning of a watch (KEP-3157), object by object; versions count from its end on. A
/// server that can't (422) is asked for lists from then on; three such beginnings that failed are followed by a list; one that
/// was forbidden is none of them.
///
/// Thread: one at a time. Semantics of client-go's reflector.
class Reflector {
 public:
  enum class Lists : std::uint8_t { streamed, whole };
  explicit Reflector(Lists lists = Lists::streamed) : lists_(lists) {}

  /// @param fraction  chance, in [0, 1)
  [[nodiscard]] ReflectorStep resume(const ReflectorEvent& event, SteadyTime now, double fraction);
  /// An event of the present watch.
  void saw(const kube::WatchEvent& event);
  /// The present watch has not come to the end of what there is yet.
  [[nodiscard]] bool is_gathering() const { return is_gathering_; }

 private:
  enum class Next : std::uint8_t { list, watch };
  ReflectorStep apply(const reflector_event::Started&);
  ReflectorStep apply(const reflector_event::Listed& listed);
  ReflectorStep apply(const reflector_event::ListFailed& failed);
  ReflectorStep apply(const reflector_event::WatchEnded& ended);
  ReflectorStep apply(const reflector_event::Woke&);
  ReflectorStep begin_failed(const std::optional<kube::Failure>& failure);
  ReflectorStep list(std::string resource_version);
  ReflectorStep watch();
  ReflectorStep list_anew();
  ReflectorStep wait(Next next, std::optional<milliseconds> at_least = {});

  Lists lists_;
  SteadyTime now_{};     // of the event being handled
  double fraction_ = 0;  // likewise
  Next next_ = Next::list;
  std::string list_from_ = "0";
  std::string seen_;  // the last version seen
  SteadyTime watch_began_{};
  bool watch_had_events_ = false;
  bool is_gathering_ = false;
  int failed_streams_ = 0;      // in a row
  bool is_fresh_list_ = false;  // no watch has worked since the last list
  RetryDelay delay_;
};

}  // namespace op::runtime
