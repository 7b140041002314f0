#include "relay/net/stream.hpp"

#include <array>
#include <optional>

#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;

IpAddress loopback() { return *IpAddress::parse("127.0.0.1"); }

Awaitable<Result<std::string>> receive(Stream& stream, milliseconds timeout) {
  auto octets = co_await stream.receive(timeout);
  if (!octets) co_return tl::unexpected(octets.error());
  co_return std::string(*octets);
}

class StreamTest : public ::testing::Test {
 protected:
  test::Loop loop;
  test::Acceptor acceptor;

  Stream connected() {
    auto stream = loop.run(Stream::connect(loopback(), acceptor.port(), 5s));
    EXPECT_TRUE(stream);
    return std::move(*stream);
  }
  /// Streams belong to their loop, also in their end.
  void destroy(Stream stream) {
    net::ask(loop.thread, [&stream] { const Stream gone(std::move(stream)); });
  }
};

TEST_F(StreamTest, ReadsAndWrites) {
  auto stream = connected();
  auto peer = acceptor.accept();
  EXPECT_TRUE(loop.run(stream.write_all("hello\n", 5s)));
  EXPECT_EQ(peer.line(), "hello");
  peer.send("hi");
  EXPECT_EQ(loop.run(receive(stream, 5s)), "hi");
  EXPECT_EQ(stream.read_available(100), "") << "nothing is there, and nobody waits for it";
  peer.send("more");
  test::eventually([&] { return stream.read_available(100) == "more"; });
  destroy(std::move(stream));
}

TEST_F(StreamTest, ReadsWhatCameBeforeItWroteLast) {
  auto stream = connected();
  auto peer = acceptor.accept();
  peer.send("early");
  EXPECT_TRUE(loop.run(stream.write_all("hello\n", 5s)));
  EXPECT_EQ(loop.run(receive(stream, 5s)), "early");
  EXPECT_EQ(peer.line(), "hello");
  peer.send("late");
  EXPECT_EQ(loop.run(receive(stream, 5s)), "late");
  destroy(std::move(stream));
}

TEST_F(StreamTest, EndsWaitsAtTheirDeadlineAndStaysUsable) {
  auto stream = connected();
  auto peer = acceptor.accept();
  const auto timed_out = loop.run(receive(stream, 50ms));
  ASSERT_FALSE(timed_out);
  EXPECT_EQ(timed_out.error().code, Errc::timed_out);
  EXPECT_TRUE(loop.run(stream.write_all("421 bye\n", 5s)));
  EXPECT_EQ(peer.line(), "421 bye");
  peer.send("late");
  EXPECT_EQ(loop.run(receive(stream, 5s)), "late")
    << "an earlier, shorter deadline does not haunt a later read";
  destroy(std::move(stream));
}

/// Takes all that has come without waiting for more.
std::size_t drain(const test::Peer& peer) {
  static std::array<char, 1 << 16> octets;
  std::size_t total = 0;
  while (true) {
    const auto count = recv(peer.fd(), octets.data(), octets.size(), MSG_DONTWAIT);
    if (count <= 0) return total;
    total += static_cast<std::size_t>(count);
  }
}

TEST(StreamDeadline, EndsAWriteThatMovesJustThenAndNeverAgain) {
  asio::io_context loop;
  test::Acceptor acceptor;
  const std::string octets(32U << 20U, 'x');
  std::optional<Result<void>> written;
  const auto write = [&]() -> Awaitable<void> {
    auto stream = co_await Stream::connect(loopback(), acceptor.port(), 5s);
    written = co_await stream->write_all(octets, 100ms);
  };
  asio::co_spawn(loop, write(), [](const std::exception_ptr&) {});
  loop.run_for(50ms);
  const auto peer = acceptor.accept();
  // The loop stands still until the deadline is over, and the peer takes what there is meanwhile.
  const auto until = std::chrono::steady_clock::now() + 100ms;
  std::size_t drained = 0;
  while (std::chrono::steady_clock::now() < until || drained < (1U << 20U)) drained += drain(peer);
  loop.restart();
  loop.run_for(10s);
  ASSERT_TRUE(written) << "it waits for ever";
  ASSERT_FALSE(written->has_value());
  EXPECT_EQ(written->error().code, Errc::timed_out);
}

TEST_F(StreamTest, TellsAnOrderlyEndAndAReset) {
  auto stream = connected();
  acceptor.accept().close();
  EXPECT_EQ(loop.run(receive(stream, 5s)).error().code, Errc::connection_lost);
  destroy(std::move(stream));
  auto other = connected();
  acceptor.accept().reset();
  EXPECT_EQ(loop.run(receive(other, 5s)).error().code, Errc::connection_lost);
  destroy(std::move(other));
}

TEST_F(StreamTest, GivesWhatCameBeforeAReset) {
  auto stream = connected();
  auto peer = acceptor.accept();
  peer.send("the whole message");
  peer.reset();
  EXPECT_EQ(loop.run(receive(stream, 5s)), "the whole message");
  destroy(std::move(stream));
}

TEST_F(StreamTest, IsInterruptedWhileItWaitsOrBefore) {
  auto stream = connected();
  auto peer = acceptor.accept();
  auto waiting = loop.start(receive(stream, 10s));
  net::ask(loop.thread, [&] { stream.handle().interrupt(); });
  EXPECT_EQ(waiting.get().error().code, Errc::cancelled);
  peer.send("x");
  EXPECT_EQ(loop.run(receive(stream, 5s)), "x") << "once only";
  net::ask(loop.thread, [&] { stream.handle().interrupt(); });
  EXPECT_EQ(loop.run(receive(stream, 5s)).error().code, Errc::cancelled);
  destroy(std::move(stream));
}

TEST_F(StreamTest, CannotConnectWhereNobodyListens) {
  const auto port = acceptor.port();
  acceptor.close();
  const auto stream = loop.run(Stream::connect(loopback(), port, 5s));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, Errc::connection_failed);
}

TEST_F(StreamTest, SaysItsLastWordsAlthoughInputIsUnread) {
  auto stream = connected();
  auto peer = acceptor.accept();
  peer.send(std::string(100'000, 'x'));
  EXPECT_TRUE(loop.run(stream.write_all("550 no\n", 5s)));
  loop.run(stream.close_gently());
  peer.half_close();
  EXPECT_EQ(peer.rest(), "550 no\n");
  destroy(std::move(stream));
}

}  // namespace
}  // namespace relay::net
