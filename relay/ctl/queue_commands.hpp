#pragma once
/// `relayctl queue ...` and `relayctl trace`: they talk to people on standard output and error.

#include <iosfwd>

#include "relay/ctl/admin_client.hpp"
#include "relay/ctl/selection.hpp"

namespace relay::ctl {

/// Exit codes of all commands.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;       ///< a sentence on standard error says why
inline constexpr int kNothing = 2;      ///< no message matched, or none could be changed
inline constexpr int kWrongUsage = 64;  ///< EX_USAGE

/// Writes the error as a sentence; kFailed.
int complain(const Error& error);

int list_queue(const AdminInterface& admin, const Selection& selection, std::size_t limit, bool as_json);

/// What is done to messages.
struct Order {
  std::string action;  ///< hold, release, retry or delete
  Selection selection;
  std::string reason;
  bool is_reported = false;   ///< delete: senders are told
  bool is_confirmed = false;  ///< delete: nobody is asked
};
/// In steps, with progress on a terminal. Deleting more than one message asks first.
int change_queue(const AdminInterface& admin, const Order& order);

struct Changed {
  std::uint64_t changed = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t unchanged = 0;
  bool is_hurried = false;  ///< a destination, or all mail: not counted
};
/// The same without asking. @param body  of POST /v1/queue/ACTION
[[nodiscard]] Result<Changed> change_all(
  const AdminInterface& admin, const std::string& action, nlohmann::ordered_json body
);

int show_destinations(const AdminInterface& admin, std::size_t limit, bool as_json);
/// @param action  suspend or unsuspend  @param duration  of suspend: `1h`; empty: until unsuspend
int change_destination(
  const AdminInterface& admin, const std::string& action, const std::string& destination,
  const std::string& duration
);

/// What `relayctl trace` is asked for; one of them.
struct TraceRequest {
  std::string what;  ///< a queue id, a Message-ID in its brackets, or an address
  std::string id;
  std::string message_id;
  std::string recipient;
};
int show_trace(const AdminInterface& admin, TraceRequest request, bool as_json);

/// Shows progress on standard error, when that is a terminal, and clears it at the end.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);

 private:
  bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace relay::ctl
