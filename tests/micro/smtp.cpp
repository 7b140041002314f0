/// The protocol, both sides, without sockets.

#include "relay/smtp/client_session.hpp"
#include "relay/smtp/command.hpp"
#include "relay/smtp/data_decoder.hpp"
#include "relay/smtp/reply_parser.hpp"
#include "relay/smtp/server_session.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

using namespace smtp;

std::string on_the_wire(std::string_view content) {
  DotStuffer stuffer;
  std::string octets;
  stuffer.feed(content, octets);
  return octets.append(stuffer.terminator());
}

/// The commands of one message.
Operation parse_commands() {
  return [] {
    const auto mail_line =
      parse_command("MAIL FROM:<office@app.example.com> SIZE=4096 BODY=8BITMIME RET=HDRS ENVID=4711");
    const auto rcpt_line = parse_command("RCPT TO:<tenant@example.net> NOTIFY=FAILURE,DELAY");
    const auto mail = parse_mail(mail_line.argument, Grammar::strict);
    const auto rcpt = parse_rcpt(rcpt_line.argument, Grammar::strict, mail::Charset::ascii);
    require(mail && mail->declared_size == 4096U && rcpt, "MAIL and RCPT");
    require(parse_command("DATA").verb == Verb::data, "DATA");
  };
}

Operation decode_data() {
  return [octets = on_the_wire(message_content()), out = std::string()]() mutable {
    out.clear();
    DataDecoder decoder(LineEnding::crlf);
    require(decoder.feed(octets, out) == octets.size() && decoder.is_done(), "the end of data");
  };
}

Operation stuff_dots() {
  return [content = message_content(), out = std::string()]() mutable {
    out.clear();
    DotStuffer stuffer;
    stuffer.feed(content, out);
    require(out.size() > content.size(), "doubled dots");
  };
}

Operation parse_replies() {
  return [parser = ReplyParser()]() mutable {
    parser.feed("250-mx.example.net at your service\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-STARTTLS\r\n"
    );
    parser.feed("250-PIPELINING\r\n250-DSN\r\n250 SMTPUTF8\r\n250 2.1.0 OK\r\n354 Go ahead\r\n");
    for (const auto code : {250, 250, 354}) {
      const auto reply = parser.next();
      require(reply && reply->code == code, "a reply");
    }
  };
}

/// Answers a session's steps as a driver does that has a sink without a disk.
class Receiving {
 public:
  Receiving()
      : session_(kHostname, {*IpAddress::parse("10.1.40.70"), Grammar::lenient}, ServerLimits{}),
        content_(on_the_wire(message_content())) {
    play(server_event::Opened{});
    play(server_event::Received{"EHLO app-7d9f.example.com\r\n"});
  }

  /// One message on the connection that is open, pipelined as far as that goes.
  void receive() {
    play(server_event::Received{
      "MAIL FROM:<office@app.example.com> SIZE=4096\r\nRCPT TO:<tenant@example.net>\r\nDATA\r\n"
    });
    play(server_event::Received{content_});
    require(last_written_.starts_with("250 2.0.0 OK queued as"), "250 to the end of data");
  }

 private:
  void play(ServerEvent event) {
    while (true) {
      auto step = session_.resume(event);
      if (std::holds_alternative<server_step::Read>(step)) return;
      event = answer(step);
    }
  }

  ServerEvent answer(ServerStep& step) {
    if (auto* write = std::get_if<server_step::Write>(&step)) {
      last_written_ = std::move(write->octets);
      return server_event::Written{};
    }
    if (const auto* commit = std::get_if<server_step::Commit>(&step)) {
      require(commit->last_chunk.size() > 4000, "a whole message");
      return server_event::Committed{QueueId{7, ++messages_}};
    }
    require(!std::holds_alternative<server_step::Close>(step), "a session that goes on");
    return server_event::Verdict{};
  }

  ServerSession session_;
  std::string content_;
  std::string last_written_;
  std::uint64_t messages_ = 0;
};

Operation receive_message() {
  return [receiving = std::make_shared<Receiving>()] { receiving->receive(); };
}

/// A next hop that takes everything, and the driver between.
class Sending {
 public:
  Sending() : session_(policy()), content_(message_content()) {
    replies_ = "220 mx.example.net ESMTP\r\n";
    play(client_event::Opened{});
  }

  /// One message on the connection that is open.
  void send() {
    const auto before = delivered_;
    OutgoingMessage message;
    message.reverse_path = envelope_.reverse_path;
    message.recipients = envelope_.recipients;
    message.size = content_.size();
    play(client_event::Message{std::move(message)});
    require(delivered_ == before + 1, "a delivery");
  }

 private:
  static HopPolicy policy() {
    HopPolicy policy;
    policy.helo_name = kHostname;
    policy.tls = TlsMode::none;
    return policy;
  }

  void play(ClientEvent event) {
    while (true) {
      auto step = session_.resume(event);
      if (std::holds_alternative<client_step::AwaitMessage>(step)) return;
      event = answer(step);
    }
  }

  ClientEvent answer(ClientStep& step) {
    if (const auto* write = std::get_if<client_step::Write>(&step)) {
      hear(write->octets);
      return client_event::Written{};
    }
    if (std::holds_alternative<client_step::Read>(step)) {
      last_replies_ = std::exchange(replies_, {});
      return client_event::Received{last_replies_};
    }
    if (std::holds_alternative<client_step::SendContent>(step)) {
      sent_ = on_the_wire(content_);
      return client_event::ContentSent{};
    }
    if (std::holds_alternative<client_step::Listen>(step)) return client_event::Received{{}};
    if (std::holds_alternative<client_step::EndContent>(step)) {
      replies_ += "250 2.0.0 Ok: queued as 4bX7\r\n";
      return client_event::Written{};
    }
    const auto* report = std::get_if<client_step::Report>(&step);
    require(report != nullptr, "a session that goes on");
    for (const auto& recipient : report->outcome.recipients)
      delivered_ += recipient.disposition == Disposition::delivered ? 1U : 0U;
    return client_event::Reported{};
  }

  void hear(std::string_view commands) {
    while (!commands.empty()) {
      const auto line = commands.substr(0, commands.find('\n') + 1);
      commands.remove_prefix(line.size());
      if (line.starts_with("EHLO"))
        replies_ += "250-mx.example.net\r\n250-SIZE 52428800\r\n250 PIPELINING\r\n";
      else if (line.starts_with("DATA")) replies_ += "354 Go ahead\r\n";
      else replies_ += "250 2.1.0 Ok\r\n";
    }
  }

  ClientSession session_;
  mail::Envelope envelope_ = message_envelope();
  std::string content_;
  std::string sent_;
  std::string replies_;
  std::string last_replies_;
  unsigned delivered_ = 0;
};

Operation send_message() {
  return [sending = std::make_shared<Sending>()] { sending->send(); };
}

}  // namespace

std::vector<Path> smtp_paths() {
  return {
    {"smtp/parse_commands", 500, parse_commands},   {"smtp/decode_data", 200, decode_data},
    {"smtp/stuff_dots", 500, stuff_dots},           {"smtp/parse_replies", 500, parse_replies},
    {"smtp/receive_message", 100, receive_message}, {"smtp/send_message", 200, send_message},
  };
}

}  // namespace relay::micro
