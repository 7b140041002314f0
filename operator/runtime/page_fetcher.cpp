#include "operator/runtime/page_fetcher.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/text.hpp"

namespace op::runtime {
namespace {

using relay::Endpoint;
using relay::Errc;
using relay::Result;
using std::chrono::steady_clock;

using Ended = std::optional<Result<std::string>>;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<Address> address_of(const Endpoint& host) {
  const auto ip = relay::IpAddress::parse(host.host);
  if (!ip) return std::nullopt;
  Address address;
  const auto octets = ip->octets();
  if (ip->is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(host.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    address.length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(host.port);
    std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
    address.length = sizeof v6;
  }
  return address;
}

std::string words(int error) { return std::generic_category().message(error); }

bool must_wait(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

struct PageFetcher::Job {
  std::vector<Endpoint> hosts;
  std::string path;
  Done done;
  steady_clock::time_point deadline;
  Pages pages;
  std::size_t left = 0;

  void settle(std::size_t index, Result<std::string> page) {
    pages[index] = std::move(page);
    if (--left == 0) done(std::move(pages));
  }
};

struct PageFetcher::Turn {
  std::shared_ptr<Job> job;
  std::size_t index = 0;
  [[nodiscard]] const Endpoint& host() const { return job->hosts[index]; }
};

/// One connection, from its begin to the answer's end.
class PageFetcher::Exchange {
 public:
  Exchange(Turn turn, const FetchLimits& limits)
      : turn_(std::move(turn)),
        max_octets_(limits.max_octets),
        deadline_(std::min(turn_.job->deadline, steady_clock::now() + limits.each)),
        request_(
          "GET " + turn_.job->path + " HTTP/1.1\r\nHost: " + turn_.host().to_text() +
          "\r\nConnection: close\r\n\r\n"
        ) {}
  ~Exchange() {
    if (socket_ >= 0) close(socket_);
  }
  Exchange(Exchange&& other) noexcept
      : turn_(std::move(other.turn_)),
        max_octets_(other.max_octets_),
        deadline_(other.deadline_),
        request_(std::move(other.request_)),
        answer_(std::move(other.answer_)),
        socket_(std::exchange(other.socket_, -1)) {}
  Exchange& operator=(Exchange&& other) noexcept {
    std::swap(turn_, other.turn_);
    std::swap(max_octets_, other.max_octets_);
    std::swap(deadline_, other.deadline_);
    std::swap(request_, other.request_);
    std::swap(answer_, other.answer_);
    std::swap(socket_, other.socket_);
    return *this;
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] Ended connect() {
    const auto address = address_of(turn_.host());
    if (!address) return relay::permanent(Errc::invalid_argument, "no address: " + turn_.host().host);
    socket_ = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return failed(Errc::connection_failed, errno);
    const auto* where = reinterpret_cast<const sockaddr*>(&address->storage);
    if (::connect(socket_, where, address->length) != 0 && errno != EINPROGRESS)
      return failed(Errc::connection_failed, errno);
    return std::nullopt;
  }
  [[nodiscard]] pollfd awaited() const {
    return {socket_, static_cast<short>(request_.empty() ? POLLIN : POLLOUT), 0};
  }
  [[nodiscard]] Ended go_on() { return request_.empty() ? receive() : send(); }
  [[nodiscard]] Ended check(steady_clock::time_point now) const {
    if (now < deadline_) return std::nullopt;
    return relay::transient(Errc::timed_out, turn_.host().to_text() + ": no answer in time");
  }
  [[nodiscard]] steady_clock::time_point deadline() const { return deadline_; }
  void end(Result<std::string> page) { turn_.job->settle(turn_.index, std::move(page)); }

 private:
  [[nodiscard]] tl::unexpected<relay::Error> failed(Errc code, int error) const {
    return relay::transient(code, turn_.host().to_text() + ": " + words(error));
  }
  [[nodiscard]] Ended send() {
    const auto count = ::send(socket_, request_.data(), request_.size(), MSG_NOSIGNAL);
    // Also where the connection could not be made.
    if (count < 0) return must_wait(errno) ? Ended() : Ended(failed(Errc::connection_failed, errno));
    request_.erase(0, static_cast<std::size_t>(count));
    return std::nullopt;
  }
  [[nodiscard]] Ended receive() {
    std::array<char, 4096> octets{};
    const auto count = recv(socket_, octets.data(), octets.size(), 0);
    if (count < 0) return must_wait(errno) ? Ended() : Ended(failed(Errc::connection_lost, errno));
    if (count == 0) return page_of(answer_);
    answer_.append(octets.data(), static_cast<std::size_t>(count));
    if (answer_.size() <= max_octets_) return std::nullopt;
    return relay::permanent(Errc::too_large, turn_.host().to_text() + ": the answer is too long");
  }

  Turn turn_;
  std::size_t max_octets_;
  steady_clock::time_point deadline_;
  std::string request_;  // what is not sent yet
  std::string answer_;
  int socket_ = -1;
};

PageFetcher::PageFetcher(FetchLimits limits)
    : limits_(limits), bell_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (bell_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

PageFetcher::~PageFetcher() {
  thread_.request_stop();
  wake();
  thread_ = {};
  close(bell_);
}

void PageFetcher::wake() const {
  const std::uint64_t one = 1;
  // Full means that it rings already.
  [[maybe_unused]] const auto written = write(bell_, &one, sizeof one);
}

void PageFetcher::fetch(std::vector<Endpoint> hosts, std::string path, Done done) {
  auto job = std::make_shared<Job>();
  job->left = hosts.size();
  job->pages.resize(hosts.size());
  job->hosts = std::move(hosts);
  job->path = std::move(path);
  job->done = std::move(done);
  job->deadline = steady_clock::now() + limits_.all;
  const std::lock_guard lock(mutex_);
  new_.push_back(std::move(job));
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  wake();
}

void PageFetcher::run(const std::stop_token& stop) {
  std::deque<Turn> waiting;
  std::vector<Exchange> open;
  while (!stop.stop_requested()) {
    take_new(waiting);
    begin(waiting, open);
    wait(open);
  }
}

void PageFetcher::take_new(std::deque<Turn>& waiting) {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(new_);
  }
  for (const auto& job : jobs) {
    if (job->hosts.empty()) job->done({});
    for (std::size_t i = 0; i < job->hosts.size(); ++i) waiting.push_back({job, i});
  }
}

void PageFetcher::begin(std::deque<Turn>& waiting, std::vector<Exchange>& open) const {
  while (!waiting.empty() && open.size() < limits_.at_once) {
    Exchange exchange(std::move(waiting.front()), limits_);
    waiting.pop_front();
    auto ended = exchange.check(steady_clock::now());
    if (!ended) ended = exchange.connect();
    if (ended) exchange.end(std::move(*ended));
    else open.push_back(std::move(exchange));
  }
}

/// For the next thing that happens to one of them, and deals with all that did.
void PageFetcher::wait(std::vector<Exchange>& open) const {
  std::vector<pollfd> awaited{{bell_, POLLIN, 0}};
  auto until = steady_clock::time_point::max();
  for (const auto& exchange : open) {
    awaited.push_back(exchange.awaited());
    until = std::min(until, exchange.deadline());
  }
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
  const auto limit = open.empty() ? -1 : static_cast<int>(std::max(left, milliseconds{0}).count());
  (void)poll(awaited.data(), awaited.size(), limit);
  std::uint64_t rings = 0;
  [[maybe_unused]] const auto read_count = read(bell_, &rings, sizeof rings);
  const auto now = steady_clock::now();
  std::vector<Exchange> still;
  for (std::size_t i = 0; i < open.size(); ++i) {
    Ended ended;
    if (awaited[i + 1].revents != 0) ended = open[i].go_on();
    if (!ended) ended = open[i].check(now);
    if (ended) open[i].end(std::move(*ended));
    else still.push_back(std::move(open[i]));
  }
  open = std::move(still);
}

Result<std::string> page_of(std::string_view answer) {
  const auto head_end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || head_end == std::string_view::npos)
    return relay::permanent(Errc::protocol_error, "the answer is no HTTP");
  const auto body = answer.substr(head_end + 4);
  auto lines = relay::split(answer.substr(0, head_end), '\n');
  for (auto& line : lines) line = line.substr(0, line.find('\r'));
  const auto words = relay::split(lines.front(), ' ');
  if (words.size() < 2 || words[1] != "200")
    return relay::transient(Errc::unavailable, "the answer is: " + relay::printable(lines.front(), 100));
  for (const auto& line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = line.substr(0, colon);
    if (relay::equals_ignoring_case(name, "transfer-encoding"))
      return relay::permanent(Errc::protocol_error, "the answer is in pieces");
    if (!relay::equals_ignoring_case(name, "content-length")) continue;
    const auto length = relay::parse_number(relay::trimmed(line.substr(colon + 1)));
    if (!length) return relay::permanent(Errc::protocol_error, "the answer has no length");
    if (body.size() < *length) return relay::transient(Errc::connection_lost, "the answer is cut short");
    return std::string(body.substr(0, *length));
  }
  return std::string(body);
}

}  // namespace op::runtime
