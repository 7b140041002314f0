/// spool/record and spool/keys. Input: a family's number, a key as a block, then a value; or, when the number is `c`
/// or `j`, the payload of a record as CBOR or as the JSON of its CBOR.

#include <cstdint>
#include <nlohmann/json.hpp>

#include "relay/spool/record.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::spool {
namespace {

using fuzz::require;
using nlohmann::json;

template <class Value>
void check_parsed(const Result<Value>& read, Result<Value> (*parse)(std::string_view payload)) {
  if (!read) {
    require(
      read.error().code == Errc::corrupt && read.error().fate == Fate::permanent, "what is broken is corrupt"
    );
    return;
  }
  const auto again = parse(to_payload(*read));
  require(again && *again == *read, "a payload is read as it is written");
}

void check_payload(std::string_view payload) {
  check_parsed(parse_envelope(payload), &parse_envelope);
  check_parsed(parse_waiting(payload), &parse_waiting);
  check_parsed(parse_settled(payload), &parse_settled);
  check_parsed(parse_failed(payload), &parse_failed);
  const auto envelope = parse_envelope(payload);
  if (!envelope) return;
  const auto& [recipients, dsn] = std::tie(envelope->envelope.recipients, envelope->envelope.dsn);
  require(
    dsn.recipients.empty() || dsn.recipients.size() == recipients.size(),
    "DSN is for all recipients or for none"
  );
}

void check_keys(std::string_view key) {
  if (const auto id = parse_id_key(key)) require(id_key(*id) == key, "an id's key is read as it is written");
  if (const auto indexed = parse_indexed_key(key))
    require(indexed_key(indexed->first, indexed->second) == key, "an index's key is read as it is written");
  if (const auto due = parse_due_key(key))
    require(due_key(due->queue, due->due, due->id) == key, "a due time's key is read as it is written");
}

/// A sealed record opens where it belongs, whole, and nowhere else.
void check_sealed(Family family, std::string_view key, std::string_view payload) {
  auto value = seal(family, key, payload);
  const auto opened = open_record(family, key, value);
  require(opened && *opened == payload, "a record gives back what was sealed");
  require(!open_record(family, std::string(key) + '\0', value), "a record belongs to its key");
  const auto next =
    static_cast<Family>((static_cast<unsigned>(family) + 1) % static_cast<unsigned>(Family::count));
  require(!open_record(next, key, value), "a record belongs to its family");
  require(
    !open_record(family, key, std::string_view(value).substr(1)), "a record does not lose its first octet"
  );
  value.pop_back();
  require(!open_record(family, key, value), "a record does not lose its last octet");
}

void check_value(Family family, std::string_view key, std::string_view value) {
  const auto opened = open_record(family, key, value);
  if (!opened) require(opened.error().code == Errc::corrupt, "what does not verify is corrupt");
  else require(seal(family, key, *opened) == value, "there is one record of a payload");
  check_keys(key);
  check_sealed(family, key, value);
}

}  // namespace
}  // namespace relay::spool

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::spool;
  relay::fuzz::InputView input(data, size);
  const auto kind = input.octet();
  if (kind == 'c') {
    check_payload(input.rest());
  } else if (kind == 'j') {
    const auto document = json::parse(input.rest(), nullptr, false);
    if (document.is_discarded()) return -1;
    std::string payload;
    json::to_cbor(document, payload);
    check_payload(payload);
  } else {
    const auto key = input.block();
    check_value(static_cast<Family>(kind % static_cast<unsigned>(Family::count)), key, input.rest());
  }
  return 0;
}
