#include "relay/engine/content.hpp"

#include <gtest/gtest.h>

#include "tests/support/loop.hpp"

namespace relay::engine {
namespace {

std::shared_ptr<const Chunks> kept(const ContentMemory& memory, std::size_t octets) {
  auto keeper = memory.keeper();
  keeper.append(std::string(octets, 'x'));
  return keeper.take();
}

net::Awaitable<std::vector<std::string>> pieces(std::unique_ptr<delivery::ContentSource> source) {
  std::vector<std::string> all;
  while (true) {
    auto piece = co_await source->next();
    if (!piece || piece->empty()) co_return all;
    all.push_back(std::move(*piece));
  }
}

TEST(ContentMemory, KeepsTheChunksOfAMessageInTheirOrder) {
  const ContentMemory memory(Octets{100});
  auto keeper = memory.keeper();
  keeper.append("body\r\n");
  keeper.append("end\r\n");
  keeper.put_first("Subject: s\r\n\r\n");
  EXPECT_EQ(*keeper.take(), (Chunks{"Subject: s\r\n\r\n", "body\r\n", "end\r\n"}));
}

TEST(ContentMemory, DropsAllOfAMessageThatHasNoRoom) {
  const ContentMemory memory(Octets{100});
  auto keeper = memory.keeper();
  keeper.append(std::string(60, 'x'));
  keeper.append(std::string(41, 'x'));
  EXPECT_TRUE(kept(memory, 100)) << "what was dropped makes room at once";
  keeper.append("x");
  EXPECT_FALSE(keeper.take()) << "a part of it would be another message";
  EXPECT_FALSE(kept(memory, 101));
}

TEST(ContentMemory, CountsUntilTheLastOwnerLetsGo) {
  const ContentMemory memory(Octets{100});
  auto first = kept(memory, 100);
  const auto second = std::make_unique<std::shared_ptr<const Chunks>>(first);
  EXPECT_FALSE(kept(memory, 1));
  first.reset();
  EXPECT_FALSE(kept(memory, 1));
  second->reset();
  EXPECT_TRUE(kept(memory, 100));
}

TEST(ContentMemory, GivesBackWhatAMessageTookThatWasNotFinished) {
  const ContentMemory memory(Octets{100});
  memory.keeper().append(std::string(100, 'x'));
  EXPECT_TRUE(kept(memory, 100));
}

TEST(ContentMemory, KeepsNoLargeMessageHoweverMuchRoomThereIs) {
  const ContentMemory memory(Octets{100 * ContentMemory::kMostOfOne});
  EXPECT_TRUE(kept(memory, ContentMemory::kMostOfOne));
  EXPECT_FALSE(kept(memory, ContentMemory::kMostOfOne + 1));
}

TEST(ContentInMemory, ComesBehindOurLinesPieceByPiece) {
  relay::test::Loop loop;
  const auto content =
    std::make_shared<const Chunks>(Chunks{"Bcc: e@f\r\nSubj", "ect: s\r\n", "\r\nbody\r\n"});
  EXPECT_EQ(
    loop.run(pieces(content_in_memory("Received: by b\r\n", content, {}))),
    (Chunks{"Received: by b\r\nBcc: e@f\r\nSubj", "ect: s\r\n", "\r\nbody\r\n"})
  );
  std::string filtered;
  for (const auto& piece : loop.run(pieces(content_in_memory("", content, {"Bcc"})))) filtered += piece;
  EXPECT_EQ(filtered, "Subject: s\r\n\r\nbody\r\n");
}

TEST(ContentInMemory, HasNoEndWhereAChunkIsLeftOutAsAWhole) {
  relay::test::Loop loop;
  const auto content =
    std::make_shared<const Chunks>(Chunks{"Bcc: e@f\r\n", "Subject: s\r\n", "\r\nbody\r\n"});
  std::string filtered;
  for (const auto& piece : loop.run(pieces(content_in_memory("", content, {"Bcc"})))) filtered += piece;
  EXPECT_EQ(filtered, "Subject: s\r\n\r\nbody\r\n");
}

}  // namespace
}  // namespace relay::engine
