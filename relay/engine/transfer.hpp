#pragma once
/// Messages out of one spool and into another, as lines of JSON.
///
/// A message is one line `{"message": {queue_id, state, lane, envelope, results, held}}`, its content as lines
/// `{"chunk": index, "crc32": number, "octets": base64}`, and `{"end": queue_id}`. `envelope` and `results` (by
/// recipient) hold the fields that docs/spool.md names; `held` are recipients that are on hold, as indices into the
/// envelope, and is left out where nobody is. A line `{"abandoned": queue_id}` in place of the end: the
/// message left the queue while it was read; what came of it does not count. Other lines are skipped.

#include <map>
#include <mutex>
#include <string>

#include "relay/engine/dispatcher.hpp"
#include "relay/engine/leftovers.hpp"
#include "relay/engine/queue_walk.hpp"

namespace relay::engine {

struct ExportPage {
  std::string lines;
  std::optional<std::uint32_t> next;  ///< the chunk that the next page begins with; nothing behind the end
};

/// Part of a message: the head when `from` is 0, then up to 24 chunks (some 1 MiB of lines).
/// @param held  the places, as lists name them, whose recipients count as on hold: those that were so before somebody
///              held the rest to export it. Those that are gone or of other messages count for nothing. Nothing: those that
///              are on hold now
/// Reads the spool: on a worker. Errors: not_found (it left the queue, or this place of it), corrupt,
/// storage_failed (transient), invalid_argument.
[[nodiscard]] Result<ExportPage> export_page(
  const spool::Store& store, const std::string& place, std::uint32_t from,
  const std::optional<std::vector<std::string>>& held = {}
);

struct ImportOptions {
  bool is_held = false;  ///< messages wait on hold; otherwise those recipients alone that did there
};

/// Takes such lines in pieces, several streams at a time, and gives each message a new queue id. Recipients that were
/// settled stay so; of dead letters, those that failed untold are tried anew. The `Received:` line is kept, none is
/// added; age counts from the first arrival.
///
/// A piece is one batch: when it is answered its whole messages are durable, and of a message that is not at its end
/// the chunks are in the spool as those of a client that is still sending. A stream that is silent for a minute is
/// forgotten, and such chunks with it.
///
/// Memory: the pieces under way; between pieces an envelope a stream. Thread: any. Lifetime: as QueueControl.
class Imports {
 public:
  /// @return `{"imported": [{"from": id there, "queue_id": id here}], "skipped": messages of which nothing was left
  ///         to do}`
  using Answer = std::function<void(Result<nlohmann::ordered_json>)>;

  Imports(const Context& context, Dispatcher& dispatcher, Admission& admission, Leftovers& leftovers)
      : context_(context), dispatcher_(dispatcher), admission_(admission), leftovers_(leftovers) {}

  /// @param stream  names it; pieces come one after the other
  /// @param piece   whole lines
  /// @param answer  called once, on the committer's thread or a worker
  /// Errors: invalid_argument (what is wrong with which line; nothing of this piece is taken, and the stream is
  /// forgotten), storage_full, storage_failed, conflict (a piece is under way), unavailable (8 streams are).
  void take(const std::string& stream, std::string piece, ImportOptions options, Answer answer);
  /// About once a second.
  void sweep();

 private:
  struct Stream;
  class Piece;
  using Shared = std::shared_ptr<Stream>;

  [[nodiscard]] Result<Shared> claim(const std::string& name);
  void release(const std::string& name, bool is_over);
  void abandon(const Stream& stream);

  Context context_;
  Dispatcher& dispatcher_;
  Admission& admission_;
  Leftovers& leftovers_;
  std::mutex mutex_;
  std::map<std::string, Shared> streams_;  // under mutex_
};

}  // namespace relay::engine
