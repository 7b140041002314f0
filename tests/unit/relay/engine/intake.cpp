#include "relay/engine/intake.hpp"

#include "tests/unit/relay/engine/engine_fixture.hpp"

namespace relay::engine {
namespace {

constexpr std::string_view kHeader = "Subject: changed\r\n\r\n";

class IntakeTest : public EngineTest {
 protected:
  /// A message whose header comes last, and what of its body can be read back before.
  net::Awaitable<Result<QueueId>> stored_behind_its_header(std::vector<std::string> chunks) {
    auto message = engine->sink(0).begin();
    message->expect_header();
    for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
      auto appended = co_await message->append(chunks[i]);
      if (!appended) co_return tl::unexpected(appended.error());
    }
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
      auto chunk = co_await message->appended(i);
      if (!chunk) co_return tl::unexpected(chunk.error());
      read_back += *chunk;
    }
    const auto promised = message->id();
    message->set_header(std::string(kHeader));
    mail::Envelope envelope;
    envelope.reverse_path = relay::test::address("a@b");
    envelope.recipients = {relay::test::address("c@d")};
    auto id = co_await message->commit(std::move(envelope), chunks.back());
    EXPECT_EQ(id, promised);
    co_return id;
  }
  /// The first chunk of a message that goes no further.
  net::Awaitable<QueueId> forgotten() {
    auto message = engine->sink(0).begin();
    message->expect_header();
    const std::string chunk(1000, 'x');
    auto appended = co_await message->append(chunk);
    EXPECT_TRUE(appended);
    const auto id = message->id();
    EXPECT_TRUE(store->chunk(id, 1));
    co_return id;
  }

  std::string read_back;
};

TEST_F(IntakeTest, StoresAHeaderThatComesLastInFrontOfTheBody) {
  const std::string piece = std::string(40'000, 'x') + "\r\n";
  const auto id = loops[0]->run(stored_behind_its_header({piece, piece, "end\r\n"}));
  ASSERT_TRUE(id) << id.error().message();
  EXPECT_EQ(read_back, piece + piece);
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_NE(take(peer).find("\r\n" + std::string(kHeader) + piece + piece + "end\r\n"), std::string::npos);
  expect_count(Counter::messages_delivered, 1);
  for (const auto index : {0U, 1U, 2U, 3U}) EXPECT_FALSE(store->chunk(*id, index)) << index;
}

TEST_F(IntakeTest, StoresASmallMessageAsOneChunk) {
  const auto id = loops[0]->run(stored_behind_its_header({"body\r\n"}));
  ASSERT_TRUE(id) << id.error().message();
  EXPECT_EQ(read_back, "");
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_NE(take(peer).find("\r\n" + std::string(kHeader) + "body\r\n"), std::string::npos);
  expect_count(Counter::messages_delivered, 1);
}

TEST_F(IntakeTest, FindsWhatItStoredBehindARestart) {
  move_host(1);  // nobody is there
  const std::string piece = std::string(40'000, 'x') + "\r\n";
  const auto id = loops[0]->run(stored_behind_its_header({piece, "end\r\n"}));
  ASSERT_TRUE(id) << id.error().message();
  end();
  begin();
  EXPECT_EQ(store->chunk(*id, 0), std::string(kHeader));
  EXPECT_EQ(store->chunk(*id, 1), piece);
  EXPECT_EQ(store->envelope(*id)->chunks, 3U);
}

TEST_F(IntakeTest, ForgetsABodyWhoseHeaderNeverCame) {
  const auto id = loops[0]->run(forgotten());
  relay::test::eventually(
    [&] {
      engine->measure();
      return !store->chunk(id, 1).has_value();
    },
    "the chunk's removal"
  );
}

}  // namespace
}  // namespace relay::engine
