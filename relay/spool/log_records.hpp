#pragma once
/// The files of RocksDB's write-ahead log, read and written without it (its wiki: "Write Ahead Log File Format"). Its list of
/// tables, MANIFEST, is such a file too.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace relay::spool {

/// No part of a record stands in two of these.
inline constexpr std::size_t kLogBlock = 32U << 10U;

/// Calls `visit` with each record that is there as a whole and whose checksums hold, in order. Of what is damaged nothing
/// is given; what stands behind it is, also in the same block. Pure, but for what `visit` does.
void for_each_log_record(std::string_view log, const std::function<void(std::string record)>& visit);

/// A log of those records alone. RocksDB 7.8 can skip damage by itself, but does not begin its sum of a record anew behind one
/// that broke off: when the next one has several fragments too, it takes all of the log for damaged. Pure.
[[nodiscard]] std::string mended_log(std::string_view log);

/// Looks for something damaged, or zeros, before a part that is whole, in a log of any size. What only its end lacks is a log that
/// was not written to the end.
class DamageSearch {
 public:
  /// @param block  of kLogBlock octets, one behind the other; what is left of the log as the last one
  void read(std::string_view block);
  [[nodiscard]] bool has_found() const { return has_found_; }

 private:
  bool is_damaged_ = false;
  bool has_found_ = false;
};
/// The same of a log at once. Pure.
[[nodiscard]] bool has_damage_within(std::string_view log);

}  // namespace relay::spool
