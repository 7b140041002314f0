#include "relay/spool/record.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <xxhash.h>

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

std::string to_cbor(const json& fields) {
  std::string payload;
  json::to_cbor(fields, payload);
  return payload;
}

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

/// Most senders ask for nothing: then nothing is written.
void add_dsn(json& fields, const mail::DsnRequest& dsn) {
  if (dsn.ret != mail::Ret::unset) fields["ret"] = static_cast<int>(dsn.ret);
  if (!dsn.envelope_id.empty()) fields["envid"] = dsn.envelope_id;
  if (dsn.recipients.empty()) return;
  auto& notify = fields["notify"] = json::array();
  auto& originals = fields["orcpt"] = json::array();
  for (const auto& recipient : dsn.recipients) {
    notify.push_back(bits_of(recipient.notify));
    originals.push_back(recipient.original_recipient);
  }
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

std::vector<std::uint32_t> share_of(const json& fields) {
  std::vector<std::uint32_t> share;
  for (const auto& index : fields.value("share", json::array()))
    share.push_back(number_of<std::uint32_t>(index));
  return share;
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
  auto to = json::array();
  for (const auto& recipient : envelope.recipients) to.push_back(recipient.to_text());
  json fields{
    {"from", envelope.reverse_path.to_text()},
    {"to", std::move(to)},
    {"body", static_cast<int>(envelope.body)},
    {"client", envelope.origin.client},
    {"helo", envelope.origin.helo},
    {"esmtp", envelope.origin.extended},
    {"arrival", ms(envelope.arrival)},
    {"size", envelope.size},
    {"chunks", stored.chunks},
    {"received", envelope.received},
  };
  if (envelope.smtputf8) fields["smtputf8"] = true;
  add_dsn(fields, envelope.dsn);
  return to_cbor(fields);
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
    envelope.dsn = dsn_of(fields, envelope.recipients.size());
    return stored;
  });
}

std::string to_payload(const Waiting& waiting) {
  json fields{
    {"arrival", ms(waiting.arrival)},
    {"size", waiting.size},
    {"attempts", waiting.attempts},
    {"last", waiting.last},
    {"at", ms(waiting.at)}
  };
  if (!waiting.share.empty()) fields["share"] = waiting.share;
  if (waiting.sender_was_warned) fields["warned"] = true;
  return to_cbor(fields);
}

Result<Waiting> parse_waiting(std::string_view payload) {
  return parse(payload, "a queue entry", [](const json& fields) {
    return Waiting{
      time_of(fields, "arrival"),
      number_of<std::uint64_t>(fields.at("size")),
      number_of<std::uint32_t>(fields.at("attempts")),
      fields.at("last").get<std::string>(),
      fields.contains("at") ? time_of(fields, "at") : WallTime{},
      share_of(fields),
      fields.value("warned", false)
    };
  });
}

std::string to_payload(const Settled& settled) {
  return to_cbor(
    {{"delivered", settled.is_delivered},
     {"reply", settled.reply},
     {"hop", settled.hop},
     {"at", ms(settled.at)},
     {"closed", settled.is_closed}}
  );
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
  return to_cbor(
    {{"arrival", ms(failed.arrival)},
     {"size", failed.size},
     {"at", ms(failed.at)},
     {"recipients", failed.recipients}}
  );
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
