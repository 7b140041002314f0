#include "relay/mail/received.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

Envelope envelope(const char* helo, const char* client = "10.1.40.70") {
  Envelope envelope;
  envelope.recipients = {*Address::parse("mintgreenbug@gmail.com")};
  envelope.origin = {client, helo, true};
  envelope.arrival = WallTime{milliseconds{1'767'268'800'000}};
  return envelope;
}

TEST(ReceivedLine, SaysFromWhomByWhomAndForWhom) {
  EXPECT_EQ(
    received_line(envelope("app.example.com"), QueueId{}, "node1"),
    "Received: from app.example.com ([10.1.40.70])\r\n"
    "\tby node1 with ESMTP id 00000000000000000000\r\n"
    "\tfor <mintgreenbug@gmail.com>;\r\n"
    "\tThu, 1 Jan 2026 12:00:00 +0000\r\n"
  );
}

TEST(ReceivedLine, NamesTheProtocol) {
  auto message = envelope("a");
  message.smtputf8 = true;
  message.recipients = {*Address::parse("\xc3\xbc@example.com", Charset::utf8)};
  EXPECT_NE(received_line(message, QueueId{}, "n").find(" with UTF8SMTP id "), std::string::npos);
  EXPECT_NE(received_line(message, QueueId{}, "n").find("for <\xc3\xbc@example.com>"), std::string::npos);
  message = envelope("a");
  message.origin.extended = false;
  EXPECT_NE(received_line(message, QueueId{}, "n").find(" with SMTP id "), std::string::npos);
}

TEST(ReceivedLine, SaysWhichTlsProtectedTheMessage) {
  auto message = envelope("app.example.com");
  message.origin.tls = TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"};
  EXPECT_EQ(
    received_line(message, QueueId{}, "node1"),
    "Received: from app.example.com ([10.1.40.70])\r\n"
    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
    "\tby node1 with ESMTPS id 00000000000000000000\r\n"
    "\tfor <mintgreenbug@gmail.com>;\r\n"
    "\tThu, 1 Jan 2026 12:00:00 +0000\r\n"
  );
  message.origin.tls = TlsUse{};
  EXPECT_NE(received_line(message, QueueId{}, "n").find("\t(using TLS)\r\n"), std::string::npos)
    << "a load balancer's";
  message.smtputf8 = true;
  EXPECT_NE(received_line(message, QueueId{}, "n").find(" with UTF8SMTPS id "), std::string::npos);
  message.smtputf8 = message.origin.extended = false;
  EXPECT_NE(received_line(message, QueueId{}, "n").find(" with SMTP id "), std::string::npos)
    << "RFC 3848 names none for HELO";
}

TEST(ReceivedLine, SaysThatTheClientHasLoggedInAndNotWhoItIs) {
  const auto line = [](bool is_secured, bool is_utf8, bool is_extended) {
    auto message = envelope("app.example.com");
    message.origin.user = "office";
    message.origin.extended = is_extended;
    message.smtputf8 = is_utf8;
    if (is_secured) message.origin.tls = TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"};
    return received_line(message, QueueId{}, "node1");
  };
  EXPECT_NE(line(false, false, true).find(" with ESMTPA id "), std::string::npos);
  EXPECT_NE(line(true, false, true).find(" with ESMTPSA id "), std::string::npos);
  EXPECT_NE(line(false, true, true).find(" with UTF8SMTPA id "), std::string::npos);
  EXPECT_NE(line(true, true, true).find(" with UTF8SMTPSA id "), std::string::npos);
  EXPECT_NE(line(false, false, false).find(" with SMTP id "), std::string::npos);
  EXPECT_EQ(line(true, false, true).find("office"), std::string::npos);
}

TEST(ReceivedLine, TellsNoRecipientOfAnother) {
  auto many = envelope("a");
  many.recipients.push_back(*Address::parse("b@example.com"));
  EXPECT_EQ(received_line(many, QueueId{}, "node1").find("for <"), std::string::npos);
}

TEST(ReceivedLine, CannotBeBrokenByTheHeloNameCase094) {
  for (const auto* helo : {"x) by evil (y", "x\r\nBcc: a@b", "a\\", "(((", "\xff\xfe"}) {
    const auto line = received_line(envelope(helo), QueueId{}, "node1");
    EXPECT_EQ(line.find("Received: from [10.1.40.70] (helo="), 0U) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '('), 1) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), ')'), 1) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 4) << line;
  }
  EXPECT_LT(received_line(envelope(std::string(5000, '!').c_str()), QueueId{}, "node1").size(), 400U);
}

TEST(ReceivedLine, WritesIpv6AsALiteral) {
  EXPECT_NE(
    received_line(envelope("a", "2001:db8::1"), QueueId{}, "n").find("([IPv6:2001:db8::1])"),
    std::string::npos
  );
}

TEST(Received, LeavesOutWhereItCameFromWhereThatIsHidden) {
  Envelope envelope;
  envelope.origin = {"10.1.40.70", "pod-10-1-40-70.example", true, TlsUse{"TLSv1.3", "X"}, "app"};
  envelope.recipients = {*Address::parse("a@b")};
  const auto line = received_line(envelope, QueueId{1, 2}, "node1.example", ClientShown::no);
  EXPECT_EQ(
    line.substr(0, line.find(";")),
    "Received: by node1.example with ESMTPSA id " + (QueueId{1, 2}).to_text() + "\r\n\tfor <a@b>"
  );
}

}  // namespace
}  // namespace relay::mail
