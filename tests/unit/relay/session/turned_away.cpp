#include "relay/session/turned_away.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

#include "relay/net/listener.hpp"
#include "relay/smtp/reply.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::session {
namespace {

class TurnedAwayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    net::ask(loop.thread, [this] {
      listener->start([this](net::Stream stream) {
        turned_away.add(std::move(stream), "node1.example", smtp::reply(421, {4, 3, 2}, "Go away"));
      });
    });
  }
  void TearDown() override {
    net::ask(loop.thread, [this] { listener->close(); });
    loop.thread.stop();
  }
  test::Peer client() { return test::Peer::connect(listener->endpoints().front().port); }
  std::size_t lingering() {
    return net::ask(loop.thread, [this] { return turned_away.lingering(); });
  }

  test::Loop loop;
  TurnedAway turned_away{loop.thread.executor(), [](const std::string& what) { ADD_FAILURE() << what; }};
  std::unique_ptr<net::Listener> listener{
    std::move(*net::Listener::open(loop.thread.context(), {{"127.0.0.1", 0}}))
  };
};

TEST_F(TurnedAwayTest, AreToldWhyAndBidFarewell) {
  auto peer = client();
  EXPECT_EQ(peer.rest(), "421 4.3.2 node1.example Go away\r\n");
  peer.close();
  test::eventually([this] { return lingering() == 0; }, "the end of the connection");
}

TEST_F(TurnedAwayTest, CanReadItThoughTheyHaveSentAllAtOnce) {
  auto peer = client();
  peer.send("HELO 1\nMAIL FROM: a@b\nRCPT TO: c@d\nQUIT\n");
  EXPECT_EQ(peer.rest(), "421 4.3.2 node1.example Go away\r\n");
}

TEST_F(TurnedAwayTest, DoNotLingerWhenTheyAreMany) {
  std::vector<test::Peer> peers;
  std::size_t most = 0;
  for (std::size_t i = 0; i < TurnedAway::kMaxLingering + 50; ++i) {
    peers.push_back(client());
    EXPECT_EQ(peers.back().rest(), "421 4.3.2 node1.example Go away\r\n") << i;
    const auto now = lingering();
    EXPECT_LE(now, TurnedAway::kMaxLingering);
    most = std::max(most, now);
  }
  EXPECT_GT(most, 0U);
}

}  // namespace
}  // namespace relay::session
