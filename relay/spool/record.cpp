#include "relay/spool/record.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <xxhash.h>

#include "relay/spool/cbor.hpp"

namespace relay::spool {
namespace {

using nlohmann::json;

constexpr char kFormat = 1;
constexpr std::size_t kHeadOctets = 1 + 4;
constexpr std::size_t kChecksumOctets = 8;

std::uint64_t checksum(Family family, std::string_view key, std::string_view head_and_payload) {
  // Distinct seeds for distinct places: a value that stands under a key it was not written for does not
  // verify.
  const auto place = XXH3_64bits_withSeed(key.data(), key.size(), static_cast<std::uint64_t>(family));
  return XXH3_64bits_withSeed(head_and_payload.data(), head_and_payload.size(), place);
}

tl::unexpected<Error> corrupt(std::string what) { return permanent(Errc::corrupt, std::move(what)); }

std::int64_t ms(WallTime time) { return time.time_since_epoch().count(); }

/// nlohmann::json takes a fraction for a number too, and what does not fit it cuts.
template <class Number>
Number number_of(const json& value) {
  const auto fits = [&] {
    return value.is_number_unsigned() ? std::in_range<Number>(value.get<std::uint64_t>())
                                      : std::in_range<Number>(value.get<std::int64_t>());
  };
  if (!value.is_number_integer() || !fits()) throw json::other_error::create(599, "number", nullptr);
  return value.get<Number>();
}

WallTime time_of(const json& fields, const char* key) {
  return WallTime{milliseconds{number_of<std::int64_t>(fields.at(key))}};
}

/// Runs a reader over the fields; a missing or mistyped field makes the record corrupt.
template <class Reader>
auto parse(std::string_view payload, const char* what, Reader reader) -> Result<decltype(reader(json{}))> {
  try {
    // Throws all the same when an array says that it is longer than any can be.
    const auto fields = json::from_cbor(payload, true, false);
    if (!fields.is_object()) return corrupt(std::string(what) + " is no CBOR map");
    return reader(fields);
  } catch (const json::exception&) {
    return corrupt(std::string(what) + " lacks a field");
  }
}

/// One number for each recipient: what of NOTIFY is set.
constexpr std::array<bool mail::Notify::*, 4> kNotifyBits{
  &mail::Notify::never, &mail::Notify::success, &mail::Notify::failure, &mail::Notify::delay
};

unsigned bits_of(const mail::Notify& notify) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < kNotifyBits.size(); ++i) bits |= notify.*kNotifyBits[i] ? 1U << i : 0U;
  return bits;
}

mail::Notify notify_of(unsigned bits) {
  mail::Notify notify;
  for (std::size_t i = 0; i < kNotifyBits.size(); ++i) notify.*kNotifyBits[i] = (bits >> i & 1U) != 0;
  return notify;
}

std::size_t count(std::initializer_list<bool> fields) {
  return static_cast<std::size_t>(std::count(fields.begin(), fields.end(), true));
}

/// These go into commands to the next hop as they are, and an import brings envelopes that no session has checked.
void check(const mail::DsnRequest& dsn) {
  const bool has_good_id = dsn.envelope_id.empty() || mail::is_envelope_id(dsn.envelope_id);
  const bool are_good =
    std::all_of(dsn.recipients.begin(), dsn.recipients.end(), [](const mail::RecipientDsn& recipient) {
      const auto& original = recipient.original_recipient;
      return original.empty() || mail::is_original_recipient(original, mail::Charset::utf8);
    });
  if (!has_good_id || !are_good || dsn.ret > mail::Ret::headers)
    throw json::other_error::create(599, "RET, ENVID or ORCPT", nullptr);
}

mail::DsnRequest dsn_of(const json& fields, std::size_t recipients) {
  mail::DsnRequest dsn;
  dsn.ret = static_cast<mail::Ret>(number_of<std::uint8_t>(fields.value("ret", json(0))));
  dsn.envelope_id = fields.value("envid", std::string());
  if (fields.contains("notify")) {
    for (std::size_t i = 0; i < recipients; ++i) {
      dsn.recipients.push_back(
        {notify_of(number_of<unsigned>(fields.at("notify").at(i))),
         fields.at("orcpt").at(i).get<std::string>()}
      );
    }
  }
  check(dsn);
  return dsn;
}

std::vector<std::string> smarthosts_of(const json& fields, std::size_t recipients) {
  if (!fields.contains("smarthosts")) return {};
  auto smarthosts = fields.at("smarthosts").get<std::vector<std::string>>();
  if (smarthosts.size() != recipients) throw json::other_error::create(599, "smarthosts", nullptr);
  return smarthosts;
}

/// Nothing that is sent on may end a header, or hide in it.
mail::HeaderEdits edits_of(const json& fields, std::uint64_t size) {
  mail::HeaderEdits edits;
  edits.added = fields.value("add", std::string());
  if (fields.contains("drop")) {
    edits.removed = fields.at("drop").get<std::vector<std::string>>();
    edits.removed_octets = number_of<std::uint64_t>(fields.at("dropped"));
  }
  const bool are_names = std::all_of(edits.removed.begin(), edits.removed.end(), mail::is_field_name);
  if (!are_names || !mail::are_plain_fields(edits.added) || edits.removed_octets > size)
    throw json::other_error::create(599, "header edits", nullptr);
  return edits;
}

mail::Address address_of(const json& value) {
  const auto text = value.get<std::string>();
  if (text.empty()) return {};
  auto address = mail::Address::parse(text, mail::Charset::utf8);
  // Written from an Address, so this cannot be: treat it like any field that does not fit.
  if (!address) throw json::other_error::create(599, "address", nullptr);
  return std::move(*address);
}

}  // namespace

std::string seal(Family family, std::string_view key, std::string_view payload) {
  std::string value;
  value.reserve(kHeadOctets + payload.size() + kChecksumOctets);
  value += kFormat;
  value += big_endian(payload.size(), 4);
  value += payload;
  value += big_endian(checksum(family, key, value), kChecksumOctets);
  return value;
}

Result<std::string_view> open_record(Family family, std::string_view key, std::string_view value) {
  if (value.size() < kHeadOctets + kChecksumOctets) return corrupt("a record is too short");
  const auto body = value.substr(0, value.size() - kChecksumOctets);
  if (parse_big_endian(value.substr(body.size())) != checksum(family, key, body))
    return corrupt("a record's checksum does not hold");
  if (body.front() != kFormat) return corrupt("a record has an unknown format");
  const auto payload = body.substr(kHeadOctets);
  if (parse_big_endian(body.substr(1, 4)) != payload.size())
    return corrupt("a record's length does not hold");
  return payload;
}

std::string to_payload(const StoredEnvelope& stored) {
  const auto& envelope = stored.envelope;
  const auto& dsn = envelope.dsn;
  // Most senders ask for no reports: then nothing of them is written.
  const bool has_id = !dsn.envelope_id.empty(), has_recipients = !dsn.recipients.empty();
  const bool has_ret = dsn.ret != mail::Ret::unset;
  const auto& edits = envelope.edits;
  const bool has_added = !edits.added.empty(), has_removed = !edits.removed.empty();
  CborWriter cbor;
  cbor.map(
    10 + count(
           {has_id, has_recipients, has_recipients, envelope.requires_tls, has_ret,
            !envelope.smarthosts.empty(), envelope.smtputf8, has_added, has_removed, has_removed}
         )
  );
  if (has_added) cbor.text("add").text(edits.added);
  cbor.text("arrival").signed_number(ms(envelope.arrival));
  cbor.text("body").number(static_cast<std::uint64_t>(envelope.body));
  cbor.text("chunks").number(stored.chunks);
  cbor.text("client").text(envelope.origin.client);
  if (has_removed) {
    cbor.text("drop").array(edits.removed.size());
    for (const auto& name : edits.removed) cbor.text(name);
    cbor.text("dropped").number(edits.removed_octets);
  }
  if (has_id) cbor.text("envid").text(dsn.envelope_id);
  cbor.text("esmtp").boolean(envelope.origin.extended);
  cbor.text("from").text(envelope.reverse_path.to_text());
  cbor.text("helo").text(envelope.origin.helo);
  if (has_recipients) {
    cbor.text("notify").array(dsn.recipients.size());
    for (const auto& recipient : dsn.recipients) cbor.number(bits_of(recipient.notify));
    cbor.text("orcpt").array(dsn.recipients.size());
    for (const auto& recipient : dsn.recipients) cbor.text(recipient.original_recipient);
  }
  cbor.text("received").text(envelope.received);
  if (envelope.requires_tls) cbor.text("requiretls").boolean(true);
  if (has_ret) cbor.text("ret").number(static_cast<std::uint64_t>(dsn.ret));
  cbor.text("size").number(envelope.size);
  if (!envelope.smarthosts.empty()) {
    cbor.text("smarthosts").array(envelope.smarthosts.size());
    for (const auto& smarthost : envelope.smarthosts) cbor.text(smarthost);
  }
  if (envelope.smtputf8) cbor.text("smtputf8").boolean(true);
  cbor.text("to").array(envelope.recipients.size());
  for (const auto& recipient : envelope.recipients) cbor.text(recipient.to_text());
  return cbor.take();
}

Result<StoredEnvelope> parse_envelope(std::string_view payload) {
  return parse(payload, "an envelope", [](const json& fields) {
    StoredEnvelope stored;
    auto& envelope = stored.envelope;
    envelope.reverse_path = address_of(fields.at("from"));
    for (const auto& recipient : fields.at("to")) envelope.recipients.push_back(address_of(recipient));
    envelope.body = static_cast<mail::Body>(number_of<std::uint8_t>(fields.at("body")));
    envelope.origin = {
      fields.at("client").get<std::string>(), fields.at("helo").get<std::string>(),
      fields.at("esmtp").get<bool>()
    };
    envelope.arrival = time_of(fields, "arrival");
    envelope.size = number_of<std::uint64_t>(fields.at("size"));
    stored.chunks = number_of<std::uint32_t>(fields.at("chunks"));
    envelope.received = fields.at("received").get<std::string>();
    envelope.smtputf8 = fields.value("smtputf8", false);
    envelope.requires_tls = fields.value("requiretls", false);
    envelope.smarthosts = smarthosts_of(fields, envelope.recipients.size());
    envelope.edits = edits_of(fields, envelope.size);
    envelope.dsn = dsn_of(fields, envelope.recipients.size());
    return stored;
  });
}

std::string to_payload(const Waiting& waiting) {
  CborWriter cbor;
  cbor.map(
    5 + count({!waiting.share.empty(), waiting.sender_was_warned, waiting.is_captured, waiting.is_released})
  );
  cbor.text("arrival").signed_number(ms(waiting.arrival));
  cbor.text("at").signed_number(ms(waiting.at));
  cbor.text("attempts").number(waiting.attempts);
  if (waiting.is_captured) cbor.text("captured").boolean(true);
  cbor.text("last").text(waiting.last);
  if (waiting.is_released) cbor.text("released").boolean(true);
  if (!waiting.share.empty()) cbor.text("share").numbers(waiting.share);
  cbor.text("size").number(waiting.size);
  if (waiting.sender_was_warned) cbor.text("warned").boolean(true);
  return cbor.take();
}

std::string to_payload(const Settled& settled) {
  CborWriter cbor;
  cbor.map(5).text("at").signed_number(ms(settled.at));
  cbor.text("closed").boolean(settled.is_closed).text("delivered").boolean(settled.is_delivered);
  cbor.text("hop").text(settled.hop).text("reply").text(settled.reply);
  return cbor.take();
}

Result<Settled> parse_settled(std::string_view payload) {
  return parse(payload, "a result", [](const json& fields) {
    return Settled{
      fields.at("delivered").get<bool>(), fields.at("reply").get<std::string>(),
      fields.at("hop").get<std::string>(), time_of(fields, "at"), fields.value("closed", false)
    };
  });
}

std::string to_payload(const Failed& failed) {
  CborWriter cbor;
  cbor.map(4).text("arrival").signed_number(ms(failed.arrival)).text("at").signed_number(ms(failed.at));
  cbor.text("recipients").number(failed.recipients).text("size").number(failed.size);
  return cbor.take();
}

Result<Failed> parse_failed(std::string_view payload) {
  return parse(payload, "a failed message", [](const json& fields) {
    return Failed{
      time_of(fields, "arrival"), number_of<std::uint64_t>(fields.at("size")), time_of(fields, "at"),
      number_of<std::uint32_t>(fields.at("recipients"))
    };
  });
}

}  // namespace relay::spool
