#include "relay/milter/conversation.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <map>

namespace relay::milter {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

std::string packet(char command, std::string_view data = {}) {
  return big_endian(static_cast<std::uint32_t>(data.size() + 1)) + command + std::string(data);
}

Message message() {
  Message told;
  told.hostname = "node1.example";
  told.client = *IpAddress::parse("10.1.40.70");
  told.helo = "app";
  told.queue_id = "q1";
  told.sender = "a@a.test";
  told.parameters = {"SIZE=9"};
  told.recipients = {"b@b.test", "c@b.test"};
  told.header = Header::parse("From: a@a.test\r\nSubject: one\r\n two\r\n\r\n").fields();
  return told;
}

/// The filter's end, which answers each command as it was told, `c` where nothing was said.
class Filter {
 public:
  explicit Filter(Options options = {6, action::kOffered, 0}) : options_(options) {}

  Filter& answers(char command, std::string octets) {
    answers_[command].push_back(std::move(octets));
    return *this;
  }
  Filter& pieces(std::vector<std::string> body) {
    body_ = std::move(body);
    return *this;
  }
  /// Runs a conversation to its end. @param cut  octets that a read brings at most
  Filter& run(Message told = message(), std::size_t cut = 1000) {
    Conversation conversation(std::move(told), {7s, 30s});
    Event event = event::Opened{};
    std::string heard;
    std::size_t piece = 0;
    for (int turn = 0; turn < 100'000; ++turn) {
      auto step = conversation.resume(event);
      if (auto* write = std::get_if<step::Write>(&step)) {
        ++writes;
        hear(write->octets);
        event = event::Written{};
      } else if (auto* read = std::get_if<step::Read>(&step)) {
        timeouts.push_back(read->timeout);
        if (said_.empty()) {
          outcome_text = "stuck";
          return *this;
        }
        heard = said_.substr(0, cut);
        said_.erase(0, heard.size());
        event = event::Received{heard};
      } else if (std::holds_alternative<step::ReadBody>(step)) {
        event = event::Body{piece < body_.size() ? body_[piece++] : std::string()};
      } else if (auto* done = std::get_if<step::Done>(&step)) {
        outcome = done->outcome;
        outcome_text = describe(*outcome);
        return *this;
      } else {
        outcome_text = "failed: " + std::get<step::Failed>(step).error.context;
        return *this;
      }
    }
    outcome_text = "endless";
    return *this;
  }

  std::vector<std::string> commands;  ///< without macros, NUL as `|`
  std::vector<std::string> macros;
  std::optional<Outcome> outcome;
  std::string outcome_text;
  std::vector<milliseconds> timeouts;
  int writes = 0;

 private:
  static std::string describe(const Outcome& outcome) {
    if (outcome.kind == Outcome::Kind::refuse) return outcome.reply.to_line();
    if (outcome.kind == Outcome::Kind::discard) return "discard";
    return "accept, " + std::to_string(outcome.edits.size()) + " changes";
  }
  void hear(std::string_view octets) {
    reader_.feed(octets);
    while (auto packet = *reader_.next()) {
      std::string text = packet->command + packet->data;
      std::replace(text.begin(), text.end(), '\0', '|');
      (packet->command == 'D' ? macros : commands).push_back(text.substr(0, 60));
      if (packet->command == 'O') said_ += milter_says('O', to_data(options_));
      else if (packet->command != 'D') answer(packet->command);
    }
  }
  static std::string milter_says(char command, std::string_view data) { return packet(command, data); }
  void answer(char command) {
    auto& queue = answers_[command];
    if (queue.empty()) {
      if (is_answered(command)) said_ += packet('c');
      return;
    }
    said_ += queue.front();
    queue.erase(queue.begin());
  }
  [[nodiscard]] bool is_answered(char command) const {
    static const std::map<char, std::uint32_t> kSilent{
      {'C', option::kSilentConnect},     {'H', option::kSilentHelo}, {'M', option::kSilentMail},
      {'R', option::kSilentRcpt},        {'T', option::kSilentData}, {'L', option::kSilentHeader},
      {'N', option::kSilentEndOfHeader}, {'B', option::kSilentBody}
    };
    const auto found = kSilent.find(command);
    return found == kSilent.end() || !options_.has(found->second);
  }

  Options options_;
  std::map<char, std::vector<std::string>> answers_;
  std::vector<std::string> body_{"body\r\n"};
  PacketReader reader_;
  std::string said_;
};

TEST(Conversation, TellsAMessageFromItsClientToItsEnd) {
  Filter filter;
  filter.run();
  EXPECT_EQ(filter.outcome_text, "accept, 0 changes");
  EXPECT_THAT(
    filter.commands,
    ElementsAre(
      HasSubstr("O"), "C[10.1.40.70]|4||10.1.40.70|", "Happ|", "M<a@a.test>|SIZE=9|", "R<b@b.test>|",
      "R<c@b.test>|", "T", "LFrom|a@a.test|", "LSubject|one\n two|", "N", "Bbody\r\n", "E"
    )
  );
  EXPECT_THAT(
    filter.macros,
    ElementsAre(
      "DCj|node1.example|{daemon_name}|smtp-relay|v|smtp-relay|", "DMi|q1|{mail_addr}|a@a.test|",
      "DR{rcpt_addr}|b@b.test|", "DR{rcpt_addr}|c@b.test|", "DTi|q1|", "DNi|q1|", "DEi|q1|"
    )
  );
  EXPECT_EQ(filter.timeouts.front(), 7s);
  EXPECT_EQ(filter.timeouts.back(), 30s) << "the end has the message's time";
}

TEST(Conversation, IsTheSameHoweverAnswersAreCut) {
  for (std::size_t cut = 1; cut < 20; ++cut) {
    Filter filter;
    filter.answers('E', packet('p') + packet('h', "X\0y\0"s) + packet('c')).run(message(), cut);
    EXPECT_EQ(filter.outcome_text, "accept, 1 changes") << cut;
  }
}

TEST(Conversation, TellsWhoLoggedInAndByWhichTls) {
  auto told = message();
  told.tls_version = "TLSv1.3";
  told.tls_cipher = "AES";
  told.user = "app";
  told.auth_type = "PLAIN";
  told.client = *IpAddress::parse("2001:db8::1");
  told.sender = "";
  Filter filter;
  filter.run(told);
  EXPECT_EQ(filter.commands[1], "C[2001:db8::1]|6||2001:db8::1|");
  EXPECT_EQ(filter.commands[3], "M<>|SIZE=9|");
  EXPECT_EQ(filter.macros[1], "DH{tls_version}|TLSv1.3|{cipher}|AES|");
  EXPECT_EQ(filter.macros[2], "DMi|q1|{auth_type}|PLAIN|{auth_authen}|app|");
}

TEST(Conversation, LeavesOutWhatTheFilterDoesNotWant) {
  Filter filter({6, 0, 0x7F | option::kNoData});
  filter.run();
  EXPECT_THAT(filter.commands, ElementsAre(HasSubstr("O"), "E"));
  EXPECT_EQ(filter.outcome_text, "accept, 0 changes");
}

TEST(Conversation, WaitsForNoAnswerThatDoesNotCome) {
  Filter filter({6, 0, 0xFF080 | option::kLeadingSpace});
  filter.run();
  EXPECT_EQ(filter.outcome_text, "accept, 0 changes");
  EXPECT_EQ(filter.commands.size(), 12U);
  EXPECT_EQ(filter.commands[8], "LSubject| one\n two|");
  EXPECT_EQ(filter.timeouts.size(), 2U);
  EXPECT_EQ(filter.writes, 3) << "the offer, all up to the body, the end";
}

TEST(Conversation, KnowsOldFilters) {
  Filter filter({2, 0x1, 0});
  filter.run();
  EXPECT_EQ(std::count(filter.commands.begin(), filter.commands.end(), "T"), 0) << "version 4 brought it";
  EXPECT_EQ(filter.outcome_text, "accept, 0 changes");
}

TEST(Conversation, CutsTheBody) {
  Filter filter;
  filter.pieces({std::string(150'000, 'x'), "end\r\n"}).run();
  EXPECT_EQ(
    std::count_if(
      filter.commands.begin(), filter.commands.end(), [](const auto& text) { return text[0] == 'B'; }
    ),
    4
  ) << "65535, 65535, 18930, and the end";
}

TEST(Conversation, SkipsTheRestOfTheBody) {
  Filter filter;
  filter.answers('B', packet('s')).pieces({std::string(150'000, 'x'), "end\r\n"}).run();
  EXPECT_EQ(filter.commands.back(), "E");
  EXPECT_EQ(filter.commands[filter.commands.size() - 2].substr(0, 2), "Bx");
  EXPECT_EQ(filter.commands.size(), 12U);
  Filter other;
  other.answers('L', packet('s')).run();
  EXPECT_EQ(other.outcome_text, "failed: skips what is no body");
}

TEST(Conversation, EndsWithTheFirstVerdict) {
  for (const char command : {'C', 'H', 'M', 'R', 'T', 'L', 'N', 'B', 'E'}) {
    for (const auto& [octets, text] : std::vector<std::pair<std::string, std::string>>{
           {packet('a'), "accept, 0 changes"},
           {packet('d'), "discard"},
           {packet('r'), "550 5.7.1 Refused by a content filter"},
           {packet('t'), "451 4.7.1 Refused by a content filter for now, try again later"},
           {packet('p') + packet('y', "554 5.7.1 Spam\0"s), "554 5.7.1 Spam"},
         }) {
      Filter filter;
      filter.answers(command, octets).run();
      EXPECT_EQ(filter.outcome_text, text) << command;
      EXPECT_EQ(filter.commands.back()[0], command);
    }
  }
}

TEST(Conversation, GathersChangesUntilTheEnd) {
  Filter filter({6, action::kOffered, option::kLeadingSpace});
  filter.answers('E', packet('h', "X\0 y\0"s) + packet('+', "<d@d.test>\0"s) + packet('a')).run();
  ASSERT_TRUE(filter.outcome);
  EXPECT_TRUE(filter.outcome->has_leading_space);
  EXPECT_THAT(
    filter.outcome->edits,
    ElementsAre(
      Edit{Edit::Kind::add_header, 0, "X", " y"}, Edit{Edit::Kind::add_recipient, 0, "", "<d@d.test>"}
    )
  );
  Filter refusing;
  refusing.answers('E', packet('h', "X\0y\0"s) + packet('r')).run();
  EXPECT_TRUE(refusing.outcome->edits.empty());
}

TEST(Conversation, FailsWhenTheFilterBreaksTheProtocol) {
  const auto failure = [](char command, std::string octets) {
    Filter filter;
    return filter.answers(command, std::move(octets)).run().outcome_text;
  };
  EXPECT_EQ(failure('L', packet('h', "X\0y\0"s)), "failed: changes the message before its end");
  EXPECT_EQ(failure('E', packet('s')), "failed: skips what is no body");
  EXPECT_EQ(failure('H', packet('c') + packet('c')), "failed: says more than it was asked");
  EXPECT_THAT(failure('C', "HTTP/1.1 400 Bad Request\r\n"), HasSubstr("is it a milter?"));
  EXPECT_THAT(failure('E', packet('b', "new body")), HasSubstr("nobody knows"));
  std::string many;
  for (std::size_t i = 0; i <= kMaxEdits; ++i) many += packet('h', "X\0y\0"s);
  EXPECT_EQ(failure('E', many), "failed: changes without end");
  many.clear();
  for (int i = 0; i < 6; ++i) many += packet('h', "X\0"s + std::string(60'000, 'y') + '\0');
  EXPECT_EQ(failure('E', many), "failed: changes without end");
  Filter demanding({6, 0x2, 0});
  EXPECT_THAT(demanding.run().outcome_text, HasSubstr("not offered"));
}

TEST(Conversation, RefusesAFieldThatNoPacketHolds) {
  auto told = message();
  told.header = Header::parse("X: " + std::string(kMaxPacket, 'x') + "\r\n\r\n").fields();
  Filter filter;
  EXPECT_EQ(filter.run(told).outcome_text, "552 5.3.4 Header field too large");
}

TEST(Conversation, TellsAThousandRecipientsInWritesOfBoundedSize) {
  auto told = message();
  told.recipients.assign(1000, std::string(200, 'x') + "@b.test");
  Filter filter({6, 0, 0xFF080});
  EXPECT_EQ(filter.run(told).outcome_text, "accept, 0 changes");
  EXPECT_EQ(filter.commands.size(), 1010U);
  EXPECT_GT(filter.writes, 5);
}

}  // namespace
}  // namespace relay::milter
