#pragma once
/// Writing CBOR (RFC 8949) without a tree of values: each message has three records, and trees for them were a tenth of
/// what it costs.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::spool {

/// Appends items in the shortest form (RFC 8949 section 4.2.1). Who uses it counts: a map of n holds n keys with a value
/// each, an array of n holds n items. Thread: one at a time.
class CborWriter {
 public:
  CborWriter& map(std::size_t pairs) { return head(5, pairs); }
  CborWriter& array(std::size_t items) { return head(4, items); }
  /// UTF-8, unchecked.
  CborWriter& text(std::string_view value) {
    head(3, value.size());
    out_ += value;
    return *this;
  }
  CborWriter& number(std::uint64_t value) { return head(0, value); }
  CborWriter& signed_number(std::int64_t value) {
    // -1 - n for negative numbers: all bits inverted.
    return value < 0 ? head(1, ~static_cast<std::uint64_t>(value))
                     : head(0, static_cast<std::uint64_t>(value));
  }
  CborWriter& boolean(bool value) {
    out_ += static_cast<char>(value ? 0xF5 : 0xF4);
    return *this;
  }
  CborWriter& numbers(const std::vector<std::uint32_t>& values) {
    array(values.size());
    for (const auto value : values) number(value);
    return *this;
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  CborWriter& head(unsigned major, std::uint64_t argument);

  std::string out_;
};

}  // namespace relay::spool
