#include "relay/engine/content.hpp"

#include <functional>
#include <utility>

#include "relay/net/completion.hpp"

namespace relay::engine {
namespace {

using net::Awaitable;

class InMemory : public delivery::ContentSource {
 public:
  InMemory(std::string received, std::shared_ptr<const std::string> content)
      : received_(std::move(received)), content_(std::move(content)) {}

  Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = std::exchange(received_, {});
    const auto content = std::exchange(content_, nullptr);
    if (content) piece->append(*content);
    co_return piece;
  }

 private:
  std::string received_;
  std::shared_ptr<const std::string> content_;
};

class InSpool : public delivery::ContentSource {
 public:
  InSpool(const Context& context, const QueueId& id, std::string received, std::uint32_t chunks)
      : context_(context), id_(id), received_(std::move(received)), chunks_(chunks) {}

  Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = std::exchange(received_, {});
    if (next_chunk_ == chunks_) co_return piece;
    const auto index = next_chunk_++;
    auto chunk = co_await read(index);
    if (!chunk) co_return chunk;
    piece->append(*chunk);
    co_return piece;
  }

 private:
  Awaitable<Result<std::string>> read(std::uint32_t index) {
    using Answer = std::function<void(Result<std::string>)>;
    std::function<void(Answer)> start = [this, index](Answer answer) {
      net::asio::post(context_.workers, [this, index, answer = std::move(answer)] {
        answer(context_.store.chunk(id_, index));
      });
    };
    return net::answered_by<Result<std::string>>(std::move(start));
  }

  Context context_;
  QueueId id_;
  std::string received_;
  std::uint32_t chunks_;
  std::uint32_t next_chunk_ = 0;
};

}  // namespace

std::shared_ptr<const std::string> ContentMemory::keep(std::string content) {
  const auto size = content.size();
  if (used_->fetch_add(size, std::memory_order_relaxed) + size > budget_) {
    used_->fetch_sub(size, std::memory_order_relaxed);
    return nullptr;
  }
  const auto forget = [used = used_, size](const std::string* kept) {
    used->fetch_sub(size, std::memory_order_relaxed);
    delete kept;
  };
  return {new std::string(std::move(content)), forget};
}

std::unique_ptr<delivery::ContentSource> content_in_memory(
  std::string received, std::shared_ptr<const std::string> content
) {
  return std::make_unique<InMemory>(std::move(received), std::move(content));
}

std::unique_ptr<delivery::ContentSource> content_in_spool(
  const Context& context, const QueueId& id, std::string received, std::uint32_t chunks
) {
  return std::make_unique<InSpool>(context, id, std::move(received), chunks);
}

}  // namespace relay::engine
