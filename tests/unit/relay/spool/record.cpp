#include "relay/spool/record.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace relay::spool {
namespace {

StoredEnvelope envelope() {
  StoredEnvelope stored;
  stored.envelope.reverse_path = *mail::Address::parse("a@example.com");
  stored.envelope.recipients = {*mail::Address::parse("b@example.net"), *mail::Address::parse("Postmaster")};
  stored.envelope.body = mail::Body::eight_bit_mime;
  stored.envelope.origin = {"10.1.40.70", "app \x01\xff with \"odd\" text", true};
  stored.envelope.arrival = WallTime{milliseconds{1'767'268'800'123}};
  stored.envelope.size = 40;
  stored.envelope.received = "Received: from a\r\n\tby b; date\r\n";
  stored.chunks = 3;
  return stored;
}

TEST(Records, RoundTrip) {
  EXPECT_EQ(parse_envelope(to_payload(envelope())), envelope());
  StoredEnvelope null_sender = envelope();
  null_sender.envelope.reverse_path = {};
  EXPECT_EQ(parse_envelope(to_payload(null_sender)), null_sender);
  const Waiting waiting{WallTime{milliseconds{1}}, 2, 3, "451 later", {}, {}, false};
  EXPECT_EQ(parse_waiting(to_payload(waiting)), waiting);
  const Settled settled{true, "250 ok", "smtp.example.net:587", WallTime{milliseconds{4}}, false};
  EXPECT_EQ(parse_settled(to_payload(settled)), settled);
  Waiting shared = waiting;
  shared.share = {0, 7, 4'000'000'000};
  shared.sender_was_warned = true;
  EXPECT_EQ(parse_waiting(to_payload(shared)), shared);
  Settled told = settled;
  told.is_delivered = false;
  told.is_closed = true;
  EXPECT_EQ(parse_settled(to_payload(told)), told);
  const Failed failed{WallTime{milliseconds{1}}, 2, WallTime{milliseconds{3}}, 4};
  EXPECT_EQ(parse_failed(to_payload(failed)), failed);
}

/// An older relay's records were written by the library: what is written now is the same, octet by octet, so that either
/// reads the other's.
TEST(Records, AreTheOctetsThatAnOlderRelayWrote) {
  auto stored = envelope();
  auto& asked = stored.envelope;
  asked.smtputf8 = asked.requires_tls = true;
  asked.dsn = {
    mail::Ret::headers,
    "id-1",
    {{{false, true, true, false}, "rfc822;b@example.net"}, {{true, false, false, false}, ""}}
  };
  Waiting waiting{WallTime{milliseconds{-5}}, 70'000,   3,   "451 later",
                  WallTime{milliseconds{9}},  {0, 300}, true};
  for (const auto& payload :
       {to_payload(envelope()), to_payload(stored), to_payload(waiting), to_payload(Waiting{}),
        to_payload(Settled{true, "250 ok", "hop:25", WallTime{milliseconds{4}}, true}),
        to_payload(Failed{WallTime{milliseconds{1}}, 2, WallTime{milliseconds{3}}, 4})}) {
    std::string again;
    nlohmann::json::to_cbor(nlohmann::json::from_cbor(payload), again);
    EXPECT_EQ(payload, again);
  }
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
  EXPECT_EQ(parse_waiting(to_payload(waiting)), waiting);
}

TEST(Records, KeepThatTheModeKeepsAPlaceInOrAPersonHasLetItOut) {
  for (const bool is_captured : {true, false}) {
    Waiting waiting;
    waiting.is_captured = is_captured;
    waiting.is_released = !is_captured;
    const auto payload = to_payload(waiting);
    EXPECT_EQ(parse_waiting(payload), waiting);
    std::string again;
    nlohmann::json::to_cbor(nlohmann::json::from_cbor(payload), again);
    EXPECT_EQ(payload, again);
  }
}

TEST(Records, KeepWhichSmarthostARuleNamed) {
  auto stored = envelope();
  stored.envelope.smarthosts = {"", "primary"};
  stored.envelope.smtputf8 = true;
  const auto payload = to_payload(stored);
  EXPECT_EQ(parse_envelope(payload), stored);
  std::string again;
  nlohmann::json::to_cbor(nlohmann::json::from_cbor(payload), again);
  EXPECT_EQ(payload, again) << "in the order of the others";
  stored.envelope.smarthosts = {"primary"};
  EXPECT_EQ(parse_envelope(to_payload(stored)).error().code, Errc::corrupt) << "not one for each recipient";
}

TEST(Records, KeepWhatIsChangedInAHeader) {
  auto stored = envelope();
  stored.envelope.size = 50;
  stored.envelope.edits = {"X-Tag: yes\r\nFrom: <a@b.test>\r\n", {"From", "X-Secret"}, 40};
  const auto payload = to_payload(stored);
  EXPECT_EQ(parse_envelope(payload), stored);
  std::string again;
  nlohmann::json::to_cbor(nlohmann::json::from_cbor(payload), again);
  EXPECT_EQ(payload, again) << "in the order of the others";
  stored.envelope.edits = {"X-Tag: yes\r\n", {}, 0};
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
  stored.envelope.edits = {};
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored) << "as an older relay writes it";
}

TEST(Records, WithHeaderEditsThatWouldEndAHeaderAreCorrupt) {
  const std::vector<mail::HeaderEdits> bad{
    {"X: y\r\n\r\nbody\r\n", {}, 0}, {"X: y", {}, 0}, {"", {"a b"}, 0}, {"", {"X"}, 51}
  };
  for (const auto& edits : bad) {
    auto stored = envelope();
    stored.envelope.size = 50;
    stored.envelope.edits = edits;
    const auto read = parse_envelope(to_payload(stored));
    ASSERT_FALSE(read) << edits.added;
    EXPECT_EQ(read.error().code, Errc::corrupt);
  }
}

TEST(Records, OfAnOlderRelayAreForAllRecipientsAndReportedToNobody) {
  const auto waiting = parse_waiting(
    "\xa5garrival\x01"
    "dsize\x02"
    "hattempts\x03"
    "dlast`"
    "bat\x04"
  );
  ASSERT_TRUE(waiting);
  EXPECT_TRUE(waiting->share.empty());
  EXPECT_FALSE(waiting->sender_was_warned);
  const auto settled = parse_settled(
    "\xa4idelivered\xf4"
    "ereply`"
    "chop`"
    "bat\x04"
  );
  ASSERT_TRUE(settled);
  EXPECT_FALSE(settled->is_closed);
}

TEST(Records, WithAShareThatIsNoListOfNumbersAreCorrupt) {
  const std::string head =
    "\xa5garrival\x01"
    "dsize\x02"
    "hattempts\x03"
    "dlast`"
    "eshare";
  EXPECT_TRUE(parse_waiting(head + "\x82\x01\x02"));
  const std::string text = "\x81\x61x";
  for (const std::string& share :
       {std::string("\x81\x20"), text, std::string("\x01"), std::string("\x81\x81\x01")})
    EXPECT_EQ(parse_waiting(head + share).error().code, Errc::corrupt);
}

TEST(Records, OfANewerRelayAreReadWithoutWhatItAdded) {
  const nlohmann::json inner{{"size", 7}, {"last", {1, {{"share", {8}}}}}, {"none", nullptr}};
  nlohmann::json fields{{"arrival", 1}, {"attempts", 3}, {"last", "4.2.1 later"}, {"size", 2}};
  const auto payload = [&] {
    const auto octets = nlohmann::json::to_cbor(fields);
    return std::string(octets.begin(), octets.end());
  };
  const auto before = *parse_waiting(payload());
  for (const auto& added :
       {inner, nlohmann::json(1.5), nlohmann::json("text"), nlohmann::json{1, 2}, nlohmann::json(true)}) {
    fields["beside"] = added;
    EXPECT_EQ(parse_waiting(payload()), before) << added;
  }
}

TEST(Records, OfAPlaceNeedTheirFieldsEachOfItsKind) {
  const nlohmann::json whole{{"arrival", -1}, {"at", 5},         {"attempts", 3}, {"last", ""},
                             {"size", 2},     {"share", {0, 1}}, {"warned", true}};
  const auto parsed = [](const nlohmann::json& fields) {
    const auto octets = nlohmann::json::to_cbor(fields);
    return parse_waiting(std::string(octets.begin(), octets.end()));
  };
  EXPECT_EQ(parsed(whole)->share, (std::vector<std::uint32_t>{0, 1}));
  for (const auto* key : {"arrival", "attempts", "last", "size"}) {
    auto fields = whole;
    fields.erase(key);
    EXPECT_FALSE(parsed(fields)) << key;
  }
  for (const auto& [key, value] : whole.items()) {
    auto fields = whole;
    fields[key] = value.is_string() ? nlohmann::json(1) : nlohmann::json("text");
    EXPECT_FALSE(parsed(fields)) << key;
    fields[key] = nlohmann::json{{"in", value}};
    EXPECT_FALSE(parsed(fields)) << key;
    fields[key] = 1.5;
    EXPECT_FALSE(parsed(fields)) << key;
  }
  EXPECT_FALSE(parsed(nlohmann::json::array({whole})));
}

TEST(Records, KeepWhatTheSenderWantsToHear) {
  auto stored = envelope();
  stored.envelope.dsn = {
    mail::Ret::headers,
    "QQ+2B1",
    {{mail::Notify{.never = true}, ""},
     {mail::Notify{.success = true, .failure = true, .delay = true}, "rfc822;user+2Bx@example.org"}}
  };
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
  stored.envelope.dsn = {mail::Ret::unset, "only-this", {}};
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
}

TEST(Records, HoldNothingThatWouldEndACommandToTheNextHop) {
  const std::string more = "x\r\nRCPT TO:<stranger@example.org>";
  auto stored = envelope();
  stored.envelope.dsn.envelope_id = more;
  EXPECT_EQ(parse_envelope(to_payload(stored)).error().code, Errc::corrupt);
  stored.envelope.dsn.envelope_id = "x y";
  EXPECT_EQ(parse_envelope(to_payload(stored)).error().code, Errc::corrupt);
  stored.envelope.dsn = {mail::Ret::unset, "", {{}, {{}, "rfc822;" + more}}};
  EXPECT_EQ(parse_envelope(to_payload(stored)).error().code, Errc::corrupt);
  stored.envelope.dsn = {static_cast<mail::Ret>(9), "", {}};
  EXPECT_EQ(parse_envelope(to_payload(stored)).error().code, Errc::corrupt);
  stored.envelope.dsn = {mail::Ret::unset, "", {{}, {{}, "utf-8;\xc3\xbc@example.org"}}};
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored) << "what a session takes with SMTPUTF8";
}

TEST(Records, KeepAddressesBeyondAsciiCase051) {
  auto stored = envelope();
  stored.envelope.smtputf8 = true;
  stored.envelope.reverse_path = *mail::Address::parse("\xc3\xbc@example.com", mail::Charset::utf8);
  stored.envelope.recipients = {*mail::Address::parse("b@b\xc3\xbc.example", mail::Charset::utf8)};
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
}

TEST(Records, SayNothingOfReportsThatNobodyAskedFor) {
  const auto payload = to_payload(envelope());
  for (const auto* field : {"ret", "envid", "notify", "orcpt", "smtputf8", "requiretls"})
    EXPECT_EQ(payload.find(field), std::string::npos) << field;
}

TEST(Records, KeepAThousandRecipientsAndLargeFieldsCase045) {
  auto stored = envelope();
  for (int i = 0; i < 1000; ++i)
    stored.envelope.recipients.push_back(*mail::Address::parse("r" + std::to_string(i) + "@example.net"));
  stored.envelope.origin.helo = std::string("line\r\nbreak\0and length ", 23) + std::string(20'000, 'x');
  EXPECT_EQ(parse_envelope(to_payload(stored)), stored);
}

TEST(Records, VerifyOnlyAsTheyWereWritten) {
  const std::string key = "key";
  const auto value = seal(Family::content, key, "payload");
  EXPECT_EQ(open_record(Family::content, key, value), "payload");
  EXPECT_FALSE(open_record(Family::envelope, key, value)) << "another family";
  EXPECT_FALSE(open_record(Family::content, "other", value)) << "another key";
  EXPECT_EQ(open_record(Family::content, key, seal(Family::content, key, "")), "");
}

TEST(Records, NeverVerifyWhenTruncatedFlippedOrExtended) {
  const std::string key = "key";
  const auto value = seal(Family::content, key, "a payload of some length");
  for (std::size_t length = 0; length < value.size(); ++length) {
    const auto opened = open_record(Family::content, key, value.substr(0, length));
    ASSERT_FALSE(opened) << "cut at " << length;
    EXPECT_EQ(opened.error().code, Errc::corrupt);
  }
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    auto flipped = value;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(open_record(Family::content, key, flipped)) << "bit " << bit;
  }
  EXPECT_FALSE(open_record(Family::content, key, value + '\0'));
}

TEST(Records, WithForeignPayloadsAreCorruptNotFatal) {
  for (const std::string payload : {"", "\x01", "not cbor at all", "\xa1\x61x\x01"}) {
    EXPECT_EQ(parse_envelope(payload).error().code, Errc::corrupt);
    EXPECT_EQ(parse_waiting(payload).error().code, Errc::corrupt);
    EXPECT_EQ(parse_settled(payload).error().code, Errc::corrupt);
    EXPECT_EQ(parse_failed(payload).error().code, Errc::corrupt);
  }
}

TEST(Records, WithAnArrayLongerThanAnyAreCorruptNotFatal) {
  const auto read = parse_failed("\xa1\x61\x61\x9b\x0f\xff\xff\xff\xff\xff\xff\xff");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::corrupt);
}

TEST(Records, WithNumbersOutOfRangeAreCorrupt) {
  // {"arrival": 1, "size": ..., "at": 3, "recipients": ...}, as a number, a fraction and more than 32 bits.
  const auto with = [](std::string size, std::string recipients) {
    return parse_failed("\xa4garrival\x01\x64size" + size + "\x62\x61t\x03jrecipients" + recipients);
  };
  EXPECT_TRUE(with("\x02", "\x04"));
  EXPECT_FALSE(with("\x21", "\x04")) << "-2";
  EXPECT_FALSE(with("\xf9\x7e" + std::string(1, '\0'), "\x04")) << "not a number";
  EXPECT_FALSE(with("\x02", "\x1b" + std::string("\0\0\0\1\0\0\0\0", 8)));
}

}  // namespace
}  // namespace relay::spool
