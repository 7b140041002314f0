#include "relay/net/listener.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::net {
namespace {

const std::vector<Endpoint> kAnyPort{{"127.0.0.1", 0}};

TEST(Listener, HandsConnectionsOn) {
  test::Loop loop;
  auto listener = std::move(*Listener::open(loop.thread.context(), kAnyPort));
  std::atomic<int> accepted{0};
  ask(loop.thread, [&] { listener->start([&](const Stream&) { ++accepted; }); });
  const auto port = listener->endpoints().front().port;
  auto first = test::Peer::connect(port);
  auto second = test::Peer::connect(port);
  test::eventually([&] { return accepted == 2; });
  ask(loop.thread, [&] { listener->close(); });
}

TEST(Listener, SharesAPortWithOtherShardsOnly) {
  test::Loop loop;
  auto listener = std::move(*Listener::open(loop.thread.context(), kAnyPort));
  const auto taken = listener->endpoints();
  EXPECT_TRUE(Listener::open(loop.thread.context(), taken)) << "another shard of this process";
  const auto other_process = check_are_free(loop.thread.context(), taken);
  ASSERT_FALSE(other_process);
  EXPECT_THAT(other_process.error().message(), ::testing::HasSubstr("listen on 127.0.0.1:"));
  EXPECT_EQ(other_process.error().fate, Fate::terminal);
}

TEST(Listener, WantsAddressesNotNames) {
  test::Loop loop;
  const auto opened = Listener::open(loop.thread.context(), {{"localhost", 0}});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), ::testing::HasSubstr("name an address"));
}

TEST(Listener, OutlivesAShortageOfDescriptors) {
  test::Loop loop;
  auto listener = std::move(*Listener::open(loop.thread.context(), kAnyPort));
  std::atomic<int> accepted{0};
  std::vector<Stream> open;  // kept, so that no descriptor becomes free behind our back
  ask(loop.thread, [&] {
    listener->start([&](Stream stream) {
      open.push_back(std::move(stream));
      ++accepted;
    });
  });
  auto peer = test::Peer::connect(listener->endpoints().front().port);
  test::eventually([&] { return accepted == 1; });
  // accept(2) holds a number while it looks for a connection: the loop has to wait for one before numbers are counted.
  ask(loop.thread, [] {});
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int next = dup(waiting);
  close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};  // no further descriptor can be had
  setrlimit(RLIMIT_NOFILE, &none);
  const auto address = test::Peer::loopback(listener->endpoints().front().port);
  EXPECT_EQ(::connect(waiting, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_LT(dup(waiting), 0) << "there are none";
  setrlimit(RLIMIT_NOFILE, &before);
  test::eventually([&] { return accepted == 2; }, "accepting the connection that waited");
  close(waiting);
  ask(loop.thread, [&] {
    open.clear();
    listener->close();
  });
}

TEST(Listener, OutlivesAConnectionThatCannotBeTakenInCase113) {
  test::Loop loop;
  auto listener = std::move(*Listener::open(loop.thread.context(), kAnyPort));
  std::atomic<int> accepted{0};
  ask(loop.thread, [&] {
    listener->start([&](const Stream&) {
      if (++accepted == 1) throw std::bad_alloc();
    });
  });
  const auto port = listener->endpoints().front().port;
  auto lost = test::Peer::connect(port);
  test::eventually([&] { return accepted == 1; });
  auto served = test::Peer::connect(port);
  test::eventually([&] { return accepted == 2; }, "accepting the next one");
  ask(loop.thread, [&] { listener->close(); });
}

}  // namespace
}  // namespace relay::net
