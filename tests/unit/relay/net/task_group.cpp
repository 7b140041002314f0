#include "relay/net/task_group.hpp"

#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;

/// A connection that was being opened when all were told to end waited for a greeting, and held up the end of the
/// process.
TEST(TaskGroup, ClosesAStreamThatJoinsBehindTheEnd) {
  test::Loop loop;
  const test::Acceptor acceptor;
  TaskGroup tasks(loop.thread.executor(), [](const std::string& what) { ADD_FAILURE() << what; });
  const auto serve = [&]() -> Awaitable<std::string> {
    auto stream = co_await Stream::connect(*IpAddress::parse("127.0.0.1"), acceptor.port(), 5s);
    tasks.close_all();
    const TaskGroup::Membership membership(tasks, stream->handle());
    const auto octets = co_await stream->receive(20s);
    co_return octets ? "octets" : std::string(name(octets.error().code));
  };
  EXPECT_EQ(loop.run(serve()), "connection_lost");
}

}  // namespace
}  // namespace relay::net
