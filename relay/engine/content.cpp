#include "relay/engine/content.hpp"

#include <functional>
#include <utility>

#include "relay/mail/field_filter.hpp"
#include "relay/net/completion.hpp"

namespace relay::engine {
namespace {

using net::Awaitable;

class InMemory : public delivery::ContentSource {
 public:
  InMemory(std::string top, std::shared_ptr<const std::string> content, std::vector<std::string> removed)
      : top_(std::move(top)), filter_(std::move(removed)), content_(std::move(content)) {}

  Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = std::exchange(top_, {});
    const auto content = std::exchange(content_, nullptr);
    if (content) {
      filter_.feed(*content, *piece);
      filter_.finish(*piece);
    }
    co_return piece;
  }

 private:
  std::string top_;
  mail::FieldFilter filter_;
  std::shared_ptr<const std::string> content_;
};

class InSpool : public delivery::ContentSource {
 public:
  InSpool(
    const Context& context, const QueueId& id, std::string top, std::uint32_t chunks,
    std::vector<std::string> removed
  )
      : context_(context), id_(id), top_(std::move(top)), filter_(std::move(removed)), chunks_(chunks) {}

  /// A chunk of which nothing passes is not the end.
  Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = std::exchange(top_, {});
    while (next_chunk_ < chunks_) {
      const auto index = next_chunk_++;
      auto chunk = co_await read(index);
      if (!chunk) co_return chunk;
      filter_.feed(*chunk, *piece);
      if (next_chunk_ == chunks_) filter_.finish(*piece);
      if (!piece->empty()) break;
    }
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
  std::string top_;
  mail::FieldFilter filter_;
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
  std::string top, std::shared_ptr<const std::string> content, std::vector<std::string> removed
) {
  return std::make_unique<InMemory>(std::move(top), std::move(content), std::move(removed));
}

std::unique_ptr<delivery::ContentSource> content_in_spool(
  const Context& context, const QueueId& id, std::string top, std::uint32_t chunks,
  std::vector<std::string> removed
) {
  return std::make_unique<InSpool>(context, id, std::move(top), chunks, std::move(removed));
}

}  // namespace relay::engine
