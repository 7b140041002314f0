#include "relay/net/resolver.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <unbound.h>

#include "relay/base/text.hpp"
#include "relay/net/completion.hpp"
#include "relay/net/dns_context.hpp"

namespace relay::net {
namespace {

constexpr int kNoError = 0;
constexpr int kNxdomain = 3;
/// RFC 1035 section 2.3.4: 255 octets on the wire are 253 as text.
constexpr std::size_t kMaxNameText = 253;

std::vector<Rdata> rdata_of(const ub_result& result) {
  std::vector<Rdata> records;
  for (int i = 0; result.havedata != 0 && result.data[i] != nullptr; ++i)
    records.push_back({std::string(result.data[i], static_cast<std::size_t>(result.len[i]))});
  return records;
}

std::vector<IpAddress> addresses_of(const ub_result& result) {
  std::vector<IpAddress> addresses;
  const auto parse = result.qtype == kTypeA ? &parse_a : &parse_aaaa;
  for (const auto& rdata : rdata_of(result)) {
    if (const auto address = parse(rdata.octets)) addresses.push_back(*address);
  }
  return addresses;
}

/// Within each family; IPv4 stands first.
void shuffle(std::vector<IpAddress>& addresses) {
  static thread_local std::mt19937 random(std::random_device{}());
  const auto v6 =
    std::find_if(addresses.begin(), addresses.end(), [](const auto& address) { return !address.is_v4(); });
  std::shuffle(addresses.begin(), v6, random);
  std::shuffle(v6, addresses.end(), random);
}

std::string without_final_dot(std::string name) {
  if (name.size() > 1 && name.ends_with('.')) name.pop_back();
  return name;
}

std::string rcode_name(int rcode) {
  static constexpr std::array kNames{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  const auto at = static_cast<std::size_t>(rcode);
  return rcode >= 0 && at < kNames.size() ? kNames[at] : "rcode " + std::to_string(rcode);
}

std::string type_name(int type) {
  static constexpr std::array kNames{
    std::pair{kTypeA, "A"},   std::pair{kTypeAaaa, "AAAA"}, std::pair{kTypeCname, "CNAME"},
    std::pair{kTypeMx, "MX"}, std::pair{kTypeTxt, "TXT"},   std::pair{kTypeTlsa, "TLSA"},
  };
  const auto* found =
    std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.first == type; });
  return found != kNames.end() ? found->second : std::to_string(type);
}

std::string doing(const std::string& name, int type) { return "look up " + type_name(type) + " " + name; }

Result<DnsAnswer> read_answer(const std::string& name, int type, const ub_result* result) {
  const auto what = doing(name, type) + ": ";
  if (result == nullptr) return transient(Errc::unavailable, what + "the resolver does not work");
  if (result->bogus != 0) {
    const std::string why = result->why_bogus != nullptr ? printable(result->why_bogus, 300) : "";
    return transient(Errc::corrupt, what + "DNSSEC: bogus: " + why);
  }
  if (result->rcode != kNoError && result->rcode != kNxdomain)
    return transient(Errc::unavailable, what + rcode_name(result->rcode));
  DnsAnswer answer;
  answer.status = result->havedata != 0   ? DnsStatus::found
                  : result->nxdomain != 0 ? DnsStatus::no_such_domain
                                          : DnsStatus::no_data;
  answer.is_secure = result->secure != 0;
  const auto target = lower(without_final_dot(result->canonname != nullptr ? result->canonname : ""));
  if (target != lower(name)) answer.canonical = target;
  answer.records = rdata_of(*result);
  return answer;
}

/// What one family of addresses has is of use, whatever became of the other.
DnsOutcome outcome_of(const std::vector<Result<DnsAnswer>>& answers) {
  bool was_denied = true;
  for (const auto& answer : answers) {
    if (answer && answer->status == DnsStatus::found) return DnsOutcome::found;
    if (!answer) was_denied = false;
  }
  return was_denied ? DnsOutcome::none : DnsOutcome::failed;
}

}  // namespace

/// One call of lookup(): asks A and AAAA of one candidate after the other.
struct Resolver::Lookup {
  Lookup(asio::io_context& loop, std::string name) : host(std::move(name)), deadline(loop) {}

  std::string host;
  Timer deadline;
  std::shared_ptr<DnsContext> context;
  std::vector<std::string> candidates;
  std::size_t next_candidate = 0;
  std::vector<int> questions;
  std::size_t unanswered = 0;
  std::vector<IpAddress> addresses;
  bool was_denied = false;  // a zone said that there is no such name or address
  bool had_no_answer = false;
  std::function<void(Result<std::vector<IpAddress>>)> done;
};

Resolver::Resolver(asio::io_context& context, ResolverFiles files, DnsObserver observer)
    : context_(context), files_(std::move(files)), observer_(std::move(observer)) {}
Resolver::~Resolver() {
  for (const auto& unbound : {for_smarthosts_, for_domains_}) {
    if (unbound) unbound->forget_all();
  }
}

void Resolver::use(ResolverFiles files) {
  asio::post(context_, [this, files = std::move(files)]() mutable { files_ = std::move(files); });
}

void Resolver::observe(DnsOutcome outcome) const {
  if (observer_) observer_(outcome);
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
  auto context = current_context(DnsUse::smarthosts, for_smarthosts_);
  if (!context) {
    context.error().context = "look up " + lookup->host + ": " + context.error().context;
    return finish(lookup, tl::make_unexpected(context.error()));
  }
  lookup->context = *context;
  lookup->candidates = candidates(lookup->host, lookup->context->search);
  ask_next(lookup);
}

Result<std::shared_ptr<DnsContext>> Resolver::current_context(DnsUse use, std::shared_ptr<DnsContext>& last) {
  if (last && last->fingerprint == DnsContext::fingerprint_of(files_, use)) return last;
  auto made = DnsContext::make(context_, files_, use);
  if (made) last = *made;
  if (last) return last;  // when none can be made now the last one serves on
  return made;
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
  if (result) shuffle(*result);
  if (result) observe(DnsOutcome::found);
  else observe(result.error().code == Errc::name_not_found ? DnsOutcome::none : DnsOutcome::failed);
  std::exchange(lookup->done, nullptr)(std::move(result));
}

/// One validated question: a name and the types that are asked of it at once.
struct Resolver::Inquiry {
  Inquiry(asio::io_context& loop, std::string asked, std::vector<int> asked_types)
      : name(std::move(asked)), types(std::move(asked_types)), answers(types.size()), deadline(loop) {}

  std::string name;
  std::vector<int> types;
  std::vector<std::optional<Result<DnsAnswer>>> answers;
  Timer deadline;
  std::shared_ptr<DnsContext> context;
  std::vector<int> questions;
  std::function<void(Answers)> done;
};

Awaitable<Resolver::Answers> Resolver::ask(std::string name, std::vector<int> types, milliseconds timeout) {
  name = without_final_dot(std::move(name));
  if (!is_host_name(name) || name.size() > kMaxNameText || IpAddress::parse(name)) {
    const Result<DnsAnswer> refused =
      permanent(Errc::invalid_argument, "look up '" + printable(name, 300) + "': not a host name");
    Answers all(types.size(), refused);
    co_return all;
  }
  std::function<void(std::function<void(Answers)>)> start = [this, name, types,
                                                             timeout](std::function<void(Answers)> done) {
    asio::post(context_, [this, name, types, timeout, done = std::move(done)]() mutable {
      auto inquiry = std::make_shared<Inquiry>(context_, name, types);
      inquiry->done = std::move(done);
      inquiry->deadline.expires_after(timeout);
      inquiry->deadline.async_wait([this, inquiry](error_code ec) {
        if (!ec) finish(inquiry);
      });
      begin(inquiry);
    });
  };
  auto answers = co_await answered_by<Answers>(std::move(start));
  co_return answers;
}

void Resolver::begin(const std::shared_ptr<Inquiry>& inquiry) {
  auto context = current_context(DnsUse::domains, for_domains_);
  if (!context) {
    context.error().context = "look up " + inquiry->name + ": " + context.error().context;
    for (auto& answer : inquiry->answers) answer = tl::make_unexpected(context.error());
    return finish(inquiry);
  }
  inquiry->context = *context;
  for (std::size_t i = 0; i < inquiry->types.size(); ++i) {
    const auto on_answer = [this, inquiry, i](const ub_result* result) {
      inquiry->answers[i] = read_answer(inquiry->name, inquiry->types[i], result);
      const auto& all = inquiry->answers;
      if (std::all_of(all.begin(), all.end(), [](const auto& answer) { return answer.has_value(); }))
        finish(inquiry);
    };
    inquiry->questions.push_back(inquiry->context->ask(inquiry->name + ".", inquiry->types[i], on_answer));
  }
}

void Resolver::finish(const std::shared_ptr<Inquiry>& inquiry) {
  if (!inquiry->done) return;
  for (const int question : inquiry->questions) inquiry->context->forget(question);
  inquiry->deadline.cancel();
  Answers answers;
  for (std::size_t i = 0; i < inquiry->types.size(); ++i) {
    auto& answer = inquiry->answers[i];
    if (!answer) answer = transient(Errc::timed_out, doing(inquiry->name, inquiry->types[i]) + ": timed out");
    answers.push_back(std::move(*answer));
  }
  observe(outcome_of(answers));
  std::exchange(inquiry->done, nullptr)(std::move(answers));
}

Awaitable<Result<MxAnswer>> Resolver::mx(std::string domain, milliseconds timeout) {
  std::vector<int> types(1, kTypeMx);
  const auto answers = co_await ask(std::move(domain), std::move(types), timeout);
  auto answer = answers.front().map(&mx_answer);
  co_return answer;
}

Awaitable<Result<AddressAnswer>> Resolver::addresses(std::string host, milliseconds timeout) {
  std::vector<int> types(1, kTypeA);
  types.push_back(kTypeAaaa);
  const auto answers = co_await ask(std::move(host), std::move(types), timeout);
  auto answer = address_answer(answers.front(), answers.back());
  if (answer) shuffle(answer->records);
  co_return answer;
}

Awaitable<Result<TlsaAnswer>> Resolver::tlsa(std::string name, milliseconds timeout) {
  std::vector<int> types(1, kTypeTlsa);
  const auto answers = co_await ask(std::move(name), std::move(types), timeout);
  auto answer = answers.front().map(&tlsa_answer);
  co_return answer;
}

Awaitable<Result<TxtAnswer>> Resolver::txt(std::string name, milliseconds timeout) {
  std::vector<int> types(1, kTypeTxt);
  const auto answers = co_await ask(std::move(name), std::move(types), timeout);
  auto answer = answers.front().map(&txt_answer);
  co_return answer;
}

Awaitable<Result<AliasAnswer>> Resolver::alias(std::string name, milliseconds timeout) {
  std::vector<int> types(1, kTypeCname);
  const auto answers = co_await ask(std::move(name), std::move(types), timeout);
  auto answer = answers.front().map(&alias_answer);
  co_return answer;
}

}  // namespace relay::net
