#include "relay/milter/wire.hpp"

#include <gmock/gmock.h>

namespace relay::milter {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using Kind = Answer::Kind;

std::string packet(char command, std::string_view data = {}) {
  return big_endian(static_cast<std::uint32_t>(data.size() + 1)) + command + std::string(data);
}
Result<Answer> answer(char command, std::string data = {}, Options options = {}) {
  return parse_answer({command, std::move(data)}, options);
}
std::string error_of(const Result<Answer>& answer) {
  return answer ? "none" : std::string(name(answer.error().code)) + ": " + answer.error().context;
}
std::string reply_to(const std::string& text) {
  const auto found = answer('y', text + '\0');
  return found ? found->reply.to_line() : error_of(found);
}

TEST(PacketReader, FindsPacketsHoweverTheyAreCut) {
  const auto wire = packet('c') + packet('h', "X\0y\0"s) + packet('a');
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    PacketReader reader;
    std::vector<Packet> found;
    for (const auto piece : {std::string_view(wire).substr(0, cut), std::string_view(wire).substr(cut)}) {
      reader.feed(piece);
      while (auto next = *reader.next()) found.push_back(*next);
    }
    EXPECT_EQ(found, (std::vector<Packet>{{'c', ""}, {'h', "X\0y\0"s}, {'a', ""}})) << "cut at " << cut;
    EXPECT_TRUE(reader.is_empty());
  }
}

TEST(PacketReader, RefusesALengthThatNoPacketHas) {
  for (const auto length : {0U, static_cast<unsigned>(kMaxPacket) + 1, 0x48545450U}) {
    PacketReader reader;
    reader.feed(big_endian(length));
    const auto next = reader.next();
    ASSERT_FALSE(next) << length;
    EXPECT_EQ(next.error().code, Errc::protocol_error);
  }
  PacketReader reader;
  reader.feed(packet('c', std::string(kMaxPacket - 1, 'x')));
  EXPECT_TRUE(*reader.next());
}

TEST(MilterWire, WritesTextsWithoutNulsOfTheirOwn) {
  EXPECT_EQ(texts({"a\0b"s, ""}), "ab\0\0"s);
  EXPECT_EQ(to_wire(Command::body, "xy"), "\0\0\0\3Bxy"s);
  EXPECT_EQ(to_data({}), "\0\0\0\6\0\0\0\x7D\0\x1F\xFF\xFF"s);
}

TEST(MilterOptions, AreWhatBothSidesKnow) {
  const auto wants = [](std::uint32_t version, std::uint32_t actions, std::uint32_t options) {
    return parse_options({'O', to_data({version, actions, options}) + "macros\0"s});
  };
  EXPECT_EQ(*wants(6, 0x11, 0x80), (Options{6, 0x11, 0x80}));
  EXPECT_TRUE(wants(2, 0, 0));
  EXPECT_FALSE(wants(1, 0, 0));
  EXPECT_FALSE(wants(7, 0, 0));
  EXPECT_THAT(wants(6, 0x2, 0).error().context, HasSubstr("actions that are not offered: 2"));
  EXPECT_THAT(wants(6, 0, 0x10000000).error().context, HasSubstr("options that are not offered"));
  EXPECT_FALSE(parse_options({'O', "short"}));
  EXPECT_FALSE(parse_options({'c', ""}));
}

TEST(MilterAnswer, IsOneOfThoseThatFiltersGive) {
  EXPECT_EQ(answer('c')->kind, Kind::go_on);
  EXPECT_EQ(answer('a')->kind, Kind::accept);
  EXPECT_EQ(answer('d')->kind, Kind::discard);
  EXPECT_EQ(answer('s')->kind, Kind::skip);
  EXPECT_EQ(answer('p')->kind, Kind::progress);
  EXPECT_EQ(answer('r')->reply.to_line(), "550 5.7.1 Refused by a content filter");
  EXPECT_EQ(answer('t')->reply.to_line(), "451 4.7.1 Refused by a content filter for now, try again later");
  EXPECT_EQ(answer('f')->reply.code, 451);
  EXPECT_EQ(answer('4')->reply.code, 451);
  EXPECT_THAT(error_of(answer('z')), HasSubstr("'z'"));
  EXPECT_THAT(error_of(answer('\n')), HasSubstr("'?'"));
}

TEST(MilterAnswer, HasAReplyOfItsOwn) {
  EXPECT_EQ(reply_to("554 5.7.1 Spam"), "554 5.7.1 Spam");
  EXPECT_EQ(reply_to("550-5.7.1 Not\r\n550 5.7.1 here"), "550 5.7.1 Not here");
  EXPECT_EQ(reply_to("451 Later"), "451 Later");
  EXPECT_EQ(reply_to("421 4.3.2 Go away"), "451 4.3.2 Go away") << "the connection is the client's";
  EXPECT_EQ(reply_to("550 5.7.1 100%% spam"), "550 5.7.1 100% spam");
  EXPECT_EQ(reply_to("550 4.7.1 odd"), "550 odd") << "a status of another class says nothing";
  EXPECT_EQ(reply_to("550 5.7.1 a\x01\xC3"), "550 5.7.1 a??");
  EXPECT_EQ(reply_to("550"), "550 Refused by a content filter");
  EXPECT_EQ(reply_to("550 5.7.1"), "550 5.7.1 Refused by a content filter");
  for (const auto* text : {"", "250 OK", "abc", "55", "650 x", "550x", "550 a\r\n250 b", "550 a\n551 b"})
    EXPECT_THAT(reply_to(text), HasSubstr("protocol_error")) << text;
  EXPECT_THAT(error_of(answer('y', "550 no end")), HasSubstr("protocol_error"));
}

TEST(MilterAnswer, ChangesWhatWasAgreedOn) {
  const auto edit = [](char command, std::string data) { return answer(command, std::move(data))->edit; };
  EXPECT_EQ(edit('h', "X\0y\0"s), (Edit{Edit::Kind::add_header, 0, "X", "y"}));
  EXPECT_EQ(edit('i', "\0\0\0\2X\0y\0"s), (Edit{Edit::Kind::insert_header, 2, "X", "y"}));
  EXPECT_EQ(edit('m', "\0\0\0\1X\0\0"s), (Edit{Edit::Kind::change_header, 1, "X", ""}));
  EXPECT_EQ(edit('+', "<a@b>\0"s), (Edit{Edit::Kind::add_recipient, 0, "", "<a@b>"}));
  EXPECT_EQ(edit('-', "<a@b>\0"s), (Edit{Edit::Kind::remove_recipient, 0, "", "<a@b>"}));
  EXPECT_EQ(edit('e', "<a@b>\0SIZE=1\0"s), (Edit{Edit::Kind::change_sender, 0, "", "<a@b>"}));
  EXPECT_EQ(edit('q', "why\0"s), (Edit{Edit::Kind::quarantine, 0, "", "why"}));
  EXPECT_THAT(error_of(answer('h', "X\0y\0"s, {6, action::kChangeHeaders, 0})), HasSubstr("not agreed on"));
  EXPECT_THAT(error_of(answer('b', "body")), HasSubstr("nobody knows")) << "bodies are not offered";
}

TEST(MilterAnswer, IsRefusedWhenSomethingIsMissing) {
  for (const auto& [command, data] : std::vector<std::pair<char, std::string>>{
         {'h', ""},
         {'h', "X\0"s},
         {'h', "X\0y"s},
         {'h', "X\0y\0z\0"s},
         {'h', "\0y\0"s},
         {'h', "X Y\0y\0"s},
         {'h', "X:\0y\0"s},
         {'h', "X\r\nBcc\0y\0"s},
         {'i', "\0\0\0"s},
         {'m', "\0\0\0\1X\0"s},
         {'+', ""},
         {'-', "a@b"},
         {'e', ""},
         {'q', ""}
       })
    EXPECT_THAT(error_of(answer(command, data)), HasSubstr("protocol_error")) << command << data;
}

}  // namespace
}  // namespace relay::milter
