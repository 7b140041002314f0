#pragma once
/// The files of RocksDB's write-ahead log, read and written without it (its wiki: "Write Ahead Log File Format"). Its list of
/// tables, MANIFEST, is such a file too.

#include <functional>
#include <string>
#include <string_view>

namespace relay::spool {

/// Calls `visit` with each record that is there as a whole and whose checksums hold, in order. Of what is damaged nothing
/// is given; what stands behind it is, also in the same block. Pure, but for what `visit` does.
void for_each_log_record(std::string_view log, const std::function<void(std::string record)>& visit);

/// A log of those records alone. RocksDB 7.8 can skip damage by itself, but does not begin its sum of a record anew behind one
/// that broke off: when the next one has several fragments too, it takes all of the log for damaged. Pure.
[[nodiscard]] std::string mended_log(std::string_view log);

/// Whether something damaged stands before a part that is whole. What only its end lacks is a log that was not written to the
/// end. Pure.
[[nodiscard]] bool has_damage_within(std::string_view log);

}  // namespace relay::spool
