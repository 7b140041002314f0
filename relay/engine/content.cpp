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
  InMemory(std::string top, std::shared_ptr<const Chunks> content, std::vector<std::string> removed)
      : top_(std::move(top)), filter_(std::move(removed)), content_(std::move(content)) {}

  /// A chunk of which nothing passes is not the end.
  Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = std::exchange(top_, {});
    while (next_chunk_ < content_->size()) {
      filter_.feed((*content_)[next_chunk_++], *piece);
      if (next_chunk_ == content_->size()) filter_.finish(*piece);
      if (!piece->empty()) break;
    }
    co_return piece;
  }

 private:
  std::string top_;
  mail::FieldFilter filter_;
  std::shared_ptr<const Chunks> content_;
  std::size_t next_chunk_ = 0;
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

ContentMemory::Keeper ContentMemory::keeper() const { return Keeper(budget_); }

bool ContentMemory::Keeper::has_room(std::size_t octets) {
  if (!kept_) return false;
  const auto more = static_cast<std::int64_t>(octets);
  const bool fits = kept_->octets + more <= static_cast<std::int64_t>(kMostOfOne);
  if (fits && kept_->budget->left.fetch_sub(more, std::memory_order_relaxed) >= more) {
    kept_->octets += more;
    return true;
  }
  if (fits) kept_->budget->left.fetch_add(more, std::memory_order_relaxed);
  kept_.reset();
  return false;
}

void ContentMemory::Keeper::append(std::string chunk) {
  if (has_room(chunk.capacity())) kept_->chunks.push_back(std::move(chunk));
}

void ContentMemory::Keeper::put_first(std::string chunk) {
  if (has_room(chunk.capacity())) kept_->chunks.insert(kept_->chunks.begin(), std::move(chunk));
}

std::shared_ptr<const Chunks> ContentMemory::Keeper::take() {
  if (!kept_) return nullptr;
  const auto* chunks = &kept_->chunks;
  return {std::move(kept_), chunks};
}

std::unique_ptr<delivery::ContentSource> content_in_memory(
  std::string top, std::shared_ptr<const Chunks> content, std::vector<std::string> removed
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
