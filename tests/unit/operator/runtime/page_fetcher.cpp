#include "operator/runtime/page_fetcher.hpp"

#include <condition_variable>
#include <gmock/gmock.h>
#include <optional>

#include "relay/base/text.hpp"
#include "tests/unit/operator/kube/scripted_peer.hpp"

namespace op::runtime {
namespace {

using kube::Conversation;
using kube::ScriptedPeer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace peer = kube::peer;
using relay::Endpoint;
using relay::Errc;

/// What one fetch() brings, when it does.
class Awaited {
 public:
  PageFetcher::Done take() {
    return [this](PageFetcher::Pages pages) {
      const std::lock_guard lock(mutex_);
      pages_ = std::move(pages);
      there_.notify_all();
    };
  }
  /// No pages: nothing came.
  PageFetcher::Pages get() {
    std::unique_lock lock(mutex_);
    if (!there_.wait_for(lock, seconds{30}, [&] { return pages_.has_value(); })) return {};
    return *pages_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<PageFetcher::Pages> pages_;
};

Endpoint address_of(const ScriptedPeer& peer) { return *Endpoint::parse(peer.url().substr(7)); }

Conversation says(const std::string& octets) { return {peer::TakeRequest{}, peer::Send{octets}}; }

PageFetcher::Pages fetched(const std::vector<Endpoint>& hosts, FetchLimits limits = {}) {
  Awaited awaited;
  PageFetcher fetcher(limits);
  fetcher.fetch(hosts, "/node", awaited.take());
  return awaited.get();
}

TEST(PageFetcher, BringsThePageOfEachHostInTheirOrder) {
  const ScriptedPeer first({says(kube::http_answer(200, "one"))});
  const ScriptedPeer second({says(kube::http_answer(200, "two"))});
  const auto pages = fetched({address_of(first), address_of(second)});
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages[0].value(), "one");
  EXPECT_EQ(pages[1].value(), "two");
  ASSERT_EQ(first.requests().size(), 1U);
  EXPECT_EQ(
    first.requests()[0],
    "GET /node HTTP/1.1\r\nHost: " + address_of(first).to_text() + "\r\nConnection: close\r\n\r\n"
  );
}

TEST(PageFetcher, AsksMoreHostsThanItMayAtOnce) {
  std::vector<Conversation> conversations(20, says(kube::http_answer(200, "page")));
  const ScriptedPeer peer(conversations);
  FetchLimits limits;
  limits.at_once = 3;
  const auto pages = fetched(std::vector<Endpoint>(20, address_of(peer)), limits);
  ASSERT_EQ(pages.size(), 20U);
  for (const auto& page : pages) EXPECT_EQ(page.value(), "page");
}

TEST(PageFetcher, NamesEachHostThatGivesNone) {
  const ScriptedPeer broken({says("HTTP/1.1 503 Not now\r\nContent-Length: 0\r\n\r\n")});
  const ScriptedPeer good({says(kube::http_answer(200, "page"))});
  Endpoint closed;
  {
    const ScriptedPeer gone({});
    closed = address_of(gone);
  }
  const auto pages = fetched({closed, {"node-1", 8025}, address_of(broken), address_of(good)});
  ASSERT_EQ(pages.size(), 4U);
  EXPECT_EQ(pages[0].error().code, Errc::connection_failed);
  EXPECT_THAT(pages[0].error().context, StartsWith(closed.to_text() + ": "));
  EXPECT_EQ(pages[1].error().code, Errc::invalid_argument);
  EXPECT_EQ(pages[2].error().code, Errc::unavailable);
  EXPECT_EQ(pages[3].value(), "page") << "and does not care about its neighbours";
}

TEST(PageFetcher, DoesNotWaitForAHostThatIsSilent) {
  const ScriptedPeer silent({{peer::TakeRequest{}, peer::AwaitClose{}}});
  FetchLimits limits;
  limits.each = milliseconds{50};
  const auto pages = fetched({address_of(silent)}, limits);
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0].error().code, Errc::timed_out);
}

TEST(PageFetcher, DoesNotAskHostsWhoseTurnComesTooLate) {
  const ScriptedPeer silent({{peer::TakeRequest{}, peer::AwaitClose{}}});
  FetchLimits limits;
  limits.all = milliseconds{50};
  limits.at_once = 1;
  const auto pages = fetched(std::vector<Endpoint>(100, address_of(silent)), limits);
  ASSERT_EQ(pages.size(), 100U);
  for (const auto& page : pages) EXPECT_EQ(page.error().code, Errc::timed_out);
  EXPECT_LE(silent.requests().size(), 1U);
}

TEST(PageFetcher, StopsReadingAnAnswerWithoutEnd) {
  const ScriptedPeer endless({says("HTTP/1.1 200 OK\r\n\r\n" + std::string(40'000, 'x'))});
  const auto pages = fetched({address_of(endless)});
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0].error().code, Errc::too_large);
}

TEST(PageFetcher, OfNoHostsBringsNoPages) {
  std::mutex mutex;
  std::condition_variable there;
  bool is_done = false;
  PageFetcher fetcher;
  fetcher.fetch({}, "/node", [&](const PageFetcher::Pages& pages) {
    const std::lock_guard lock(mutex);
    EXPECT_THAT(pages, IsEmpty());
    is_done = true;
    there.notify_all();
  });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(there.wait_for(lock, seconds{30}, [&] { return is_done; }));
}

TEST(PageFetcher, ServesOneFetchWhileAnotherWaits) {
  const ScriptedPeer silent({{peer::TakeRequest{}, peer::AwaitClose{}}});
  const ScriptedPeer good({says(kube::http_answer(200, "page"))});
  Awaited never;
  Awaited soon;
  FetchLimits limits;
  limits.each = limits.all = seconds{600};
  PageFetcher fetcher(limits);
  fetcher.fetch({address_of(silent)}, "/node", never.take());
  fetcher.fetch({address_of(good)}, "/node", soon.take());
  const auto pages = soon.get();
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0].value(), "page");
}

TEST(Page, IsTheBodyOfAnAnswer) {
  EXPECT_EQ(page_of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").value(), "{}");
  EXPECT_EQ(page_of("HTTP/1.0 200 OK\r\n\r\n{}\n").value(), "{}\n");
}

TEST(Page, IsNoneOfAnAnswerThatIsNotWhole) {
  const auto code = [](std::string_view answer) { return page_of(answer).error().code; };
  EXPECT_EQ(code(""), Errc::protocol_error);
  EXPECT_EQ(code("220 relay.test ESMTP\r\n\r\n"), Errc::protocol_error);
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\n"), Errc::protocol_error);
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"), Errc::connection_lost);
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"), Errc::protocol_error);
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Errc::protocol_error);
  EXPECT_EQ(code("HTTP/1.1 404 Not Found\r\n\r\n"), Errc::unavailable);
  EXPECT_EQ(code("HTTP/1.1\r\n\r\n"), Errc::unavailable);
}

}  // namespace
}  // namespace op::runtime
