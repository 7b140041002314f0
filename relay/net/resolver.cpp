#include "relay/net/resolver.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>
#include <sys/stat.h>
#include <unbound.h>

#include "relay/net/completion.hpp"
#include "relay/net/resolver_config.hpp"

namespace relay::net {
namespace {

constexpr int kTypeA = 1;
constexpr int kTypeAaaa = 28;
constexpr int kClassIn = 1;
constexpr int kNxdomain = 3;

/// Options of the context. The cache forgets bad news within a minute, so that what was mended is seen soon.
constexpr std::array<std::pair<const char*, const char*>, 6> kOptions{{
  {"cache-max-negative-ttl:", "60"},
  {"infra-host-ttl:", "60"},
  {"unblock-lan-zones:", "yes"},
  {"insecure-lan-zones:", "yes"},
  {"do-not-query-localhost:", "no"},
  {"msg-cache-size:", "1m"},
}};
/// Zones that libunbound would deny by itself.
constexpr std::array kUnblockedZones{"test.", "home.arpa.", "local."};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What changes when a file is replaced or rewritten.
std::string fingerprint(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none";
  return std::to_string(status.st_ino) + "/" + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec) + "/" + std::to_string(status.st_size);
}

std::vector<IpAddress> addresses_of(const ub_result& result) {
  std::vector<IpAddress> addresses;
  for (int i = 0; result.data[i] != nullptr; ++i) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(result.data[i]);
    if (result.qtype == kTypeA && result.len[i] == 4)
      addresses.push_back(IpAddress::v4(std::span<const std::uint8_t, 4>(octets, 4)));
    if (result.qtype == kTypeAaaa && result.len[i] == 16) {
      addresses.push_back(IpAddress::v6(std::span<const std::uint8_t, 16>(octets, 16)));
    }
  }
  return addresses;
}

}  // namespace

/// One libunbound context and its descriptor on our loop. Questions that are open keep it alive.
class Resolver::Context : public std::enable_shared_from_this<Context> {
 public:
  /// Nothing when no server gave an answer.
  using Answer = std::function<void(const ub_result*)>;

  Context(asio::io_context& loop, const ResolverFiles& files)
      : fingerprint(fingerprint_of(files)),
        search(parse_search_list(read_file(files.resolv_conf))),
        unbound_(ub_ctx_create(), &ub_ctx_delete),
        descriptor_(loop) {
    if (!unbound_) throw std::runtime_error("libunbound: no memory, or no descriptor left");
    for (const auto& [option, value] : kOptions)
      check(ub_ctx_set_option(unbound_.get(), option, value), option);
    check(ub_ctx_async(unbound_.get(), 1), "threads");  // else it forks, and the child holds our sockets
    // A missing file leaves its defaults: the root servers, no hosts.
    (void)ub_ctx_resolvconf(unbound_.get(), files.resolv_conf.c_str());
    (void)ub_ctx_hosts(unbound_.get(), files.hosts.c_str());
    // Last: it freezes all that was set before.
    for (const auto* zone : kUnblockedZones) check(ub_ctx_zone_remove(unbound_.get(), zone), zone);
    descriptor_.assign(ub_fd(unbound_.get()));
  }
  ~Context() { descriptor_.release(); }  // libunbound closes it
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Null when libunbound has no memory or descriptors for another.
  static std::shared_ptr<Context> make(asio::io_context& loop, const ResolverFiles& files) {
    try {
      return std::make_shared<Context>(loop, files);
    } catch (const std::exception&) {
      return nullptr;
    }
  }

  static std::string fingerprint_of(const ResolverFiles& files) {
    return relay::net::fingerprint(files.resolv_conf) + " " + relay::net::fingerprint(files.hosts);
  }

  /// Calls `answer` on the loop; never within this call. Returns the question's number for forget().
  int ask(const std::string& name, int type, Answer answer) {
    const int question = ++last_question_;
    auto& open = *(open_[question] = std::make_unique<Open>(Open{*this, question, 0, std::move(answer)}));
    if (ub_resolve_async(
          unbound_.get(), name.c_str(), type, kClassIn, &open, &Context::on_answer, &open.id
        ) == 0)
      wait();
    else
      asio::post(descriptor_.get_executor(), [self = shared_from_this(), question] {
        self->answer(question, nullptr);
      });
    return question;
  }
  /// Its answer will not be called.
  void forget(int question) {
    const auto found = open_.find(question);
    if (found == open_.end()) return;
    ub_cancel(unbound_.get(), found->second->id);
    open_.erase(found);
  }

  /// Open questions keep who asked alive, and that keeps this alive: for the end, when nobody waits any more.
  void forget_all() {
    for (const auto& [question, open] : open_) ub_cancel(unbound_.get(), open->id);
    const auto forgotten = std::exchange(open_, {});
  }

  const std::string fingerprint;
  const SearchList search;

 private:
  struct Open {
    Context& context;
    int question;
    int id;
    Answer answer;
  };

  static void check(int failed, const char* what) {
    if (failed != 0)
      throw std::runtime_error(std::string("libunbound: ") + what + ": " + ub_strerror(failed));
  }
  static void on_answer(void* data, int failed, ub_result* result) {
    auto& open = *static_cast<Open*>(data);
    open.context.answer(open.question, failed != 0 ? nullptr : result);
    ub_resolve_free(result);
  }
  void answer(int question, const ub_result* result) {
    const auto found = open_.find(question);
    if (found == open_.end()) return;
    const auto open = std::move(found->second);
    open_.erase(found);
    open->answer(result);
  }
  void wait() {
    if (is_waiting_) return;
    is_waiting_ = true;
    descriptor_.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this()](error_code ec) {
        self->is_waiting_ = false;
        if (ec) return;
        ub_process(self->unbound_.get());
        if (!self->open_.empty()) self->wait();
      }
    );
  }

  std::unique_ptr<ub_ctx, decltype(&ub_ctx_delete)> unbound_;
  asio::posix::stream_descriptor descriptor_;
  std::map<int, std::unique_ptr<Open>> open_;
  int last_question_ = 0;
  bool is_waiting_ = false;
};

/// One call of lookup(): asks A and AAAA of one candidate after the other.
struct Resolver::Lookup {
  Lookup(asio::io_context& loop, std::string name) : host(std::move(name)), deadline(loop) {}

  std::string host;
  asio::steady_timer deadline;
  std::shared_ptr<Context> context;
  std::vector<std::string> candidates;
  std::size_t next_candidate = 0;
  std::vector<int> questions;
  std::size_t unanswered = 0;
  std::vector<IpAddress> addresses;
  bool was_denied = false;  // a zone said that there is no such name or address
  bool had_no_answer = false;
  std::function<void(Result<std::vector<IpAddress>>)> done;
};

Resolver::Resolver(asio::io_context& context, ResolverFiles files)
    : context_(context), files_(std::move(files)) {}
Resolver::~Resolver() {
  if (unbound_) unbound_->forget_all();
}

Awaitable<Result<std::vector<IpAddress>>> Resolver::lookup(std::string host, milliseconds timeout) {
  using Found = Result<std::vector<IpAddress>>;
  if (const auto address = IpAddress::parse(host)) {
    std::vector<IpAddress> single(1, *address);
    co_return single;
  }
  std::function<void(std::function<void(Found)>)> start = [this, host,
                                                           timeout](std::function<void(Found)> done) {
    asio::post(context_, [this, host, timeout, done = std::move(done)]() mutable {
      auto lookup = std::make_shared<Lookup>(context_, host);
      lookup->done = std::move(done);
      lookup->deadline.expires_after(timeout);
      lookup->deadline.async_wait([this, lookup](error_code ec) {
        if (!ec) finish(lookup, transient(Errc::timed_out, "look up " + lookup->host + ": timed out"));
      });
      begin(lookup);
    });
  };
  auto found = co_await answered_by<Found>(std::move(start));
  co_return found;
}

void Resolver::begin(const std::shared_ptr<Lookup>& lookup) {
  lookup->context = current_context();
  if (!lookup->context)
    return finish(
      lookup, transient(Errc::unavailable, "look up " + lookup->host + ": no resolver, descriptors ran out")
    );
  lookup->candidates = candidates(lookup->host, lookup->context->search);
  ask_next(lookup);
}

std::shared_ptr<Resolver::Context> Resolver::current_context() {
  if (unbound_ && unbound_->fingerprint == Context::fingerprint_of(files_)) return unbound_;
  // When none can be made now the last one serves on.
  if (auto made = Context::make(context_, files_)) unbound_ = std::move(made);
  return unbound_;
}

void Resolver::ask_next(const std::shared_ptr<Lookup>& lookup) {
  if (lookup->next_candidate == lookup->candidates.size()) {
    const bool is_denied = lookup->was_denied && !lookup->had_no_answer;
    return finish(
      lookup, is_denied
                ? transient(Errc::name_not_found, "look up " + lookup->host + ": no such name, or no address")
                : transient(Errc::unavailable, "look up " + lookup->host + ": no name server gave an answer")
    );
  }
  const auto& name = lookup->candidates[lookup->next_candidate++];
  lookup->unanswered = 2;
  lookup->questions.clear();
  for (const int type : {kTypeA, kTypeAaaa}) {
    const auto on_answer = [this, lookup](const ub_result* result) {
      if (result != nullptr && result->havedata != 0) {
        const auto found = addresses_of(*result);
        // IPv4 first, whichever answer came first.
        lookup->addresses.insert(
          result->qtype == kTypeA ? lookup->addresses.begin() : lookup->addresses.end(), found.begin(),
          found.end()
        );
      } else if (result != nullptr && (result->rcode == 0 || result->rcode == kNxdomain)) {
        lookup->was_denied = true;
      } else {
        lookup->had_no_answer = true;
      }
      if (--lookup->unanswered > 0) return;
      lookup->addresses.empty() ? ask_next(lookup) : finish(lookup, lookup->addresses);
    };
    lookup->questions.push_back(lookup->context->ask(name, type, on_answer));
  }
}

void Resolver::finish(const std::shared_ptr<Lookup>& lookup, Result<std::vector<IpAddress>> result) {
  if (!lookup->done) return;
  for (const int question : lookup->questions) lookup->context->forget(question);
  lookup->deadline.cancel();
  if (result) {
    static thread_local std::mt19937 random(std::random_device{}());
    const auto v6 =
      std::find_if(result->begin(), result->end(), [](const auto& address) { return !address.is_v4(); });
    std::shuffle(result->begin(), v6, random);
    std::shuffle(v6, result->end(), random);
  }
  std::exchange(lookup->done, nullptr)(std::move(result));
}

}  // namespace relay::net
