#include "relay/net/dns_context.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/stat.h>
#include <unbound.h>

namespace relay::net {
namespace {

constexpr int kClassIn = 1;

using Option = std::pair<const char*, const char*>;

/// Options of every context. The cache forgets bad news within a minute, so that what was mended is seen
/// soon.
constexpr std::array kOptions{
  Option{"cache-max-negative-ttl:", "60"}, Option{"infra-host-ttl:", "60"},
  Option{"unblock-lan-zones:", "yes"},     Option{"insecure-lan-zones:", "yes"},
  Option{"do-not-query-localhost:", "no"}, Option{"msg-cache-size:", "1m"},
};
/// Zones that libunbound would deny by itself.
constexpr std::array kUnblockedZones{"test.", "home.arpa.", "local."};

/// Options of one that validates. The servers that are asked cache already: there is nothing to gain from
/// answers made up from proofs of absence, which would hide private zones; and nobody reads the key tags.
constexpr std::array kValidatingOptions{
  Option{"aggressive-nsec:", "no"},
  Option{"trust-anchor-signaling:", "no"},
  Option{"val-bogus-ttl:", "60"},
};
/// The root proves that these do not exist, and they do exist inside (RFC 6761, RFC 6762 appendix G,
/// RFC 8375). A trust anchor for one of them, or below, goes before this. The reference of `dns_trust_anchors` has them.
constexpr std::array kPrivateZones{
  "test.", "local.", "home.arpa.", "internal.",  "intranet.", "private.",
  "corp.", "home.",  "lan.",       "localhost.", "example.",
};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
bool is_readable(const std::string& path) { return std::ifstream(path).is_open(); }

/// What changes when a file is replaced or rewritten.
std::string file_fingerprint(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none";
  return std::to_string(status.st_ino) + "/" + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec) + "/" + std::to_string(status.st_size);
}

void check(int failed, const std::string& what) {
  if (failed != 0) throw std::runtime_error("libunbound: " + what + ": " + ub_strerror(failed));
}

void set(ub_ctx* context, const Option& option) {
  check(ub_ctx_set_option(context, option.first, option.second), option.first);
}

void trust(ub_ctx* context, const ResolverFiles& files) {
  for (const auto& option : kValidatingOptions) set(context, option);
  // Not required: when the keys of an anchor can't be had, because the servers know no DNSSEC, all below it is
  // insecure instead of bogus. Whatever is below keys that were had must still be signed.
  set(context, {"harden-dnssec-stripped:", files.is_dnssec_required ? "yes" : "no"});
  for (const auto* zone : kPrivateZones) set(context, {"domain-insecure:", zone});
  for (const auto& zone : files.unsigned_zones) set(context, {"domain-insecure:", zone.c_str()});
  if (is_readable(files.root_key)) check(ub_ctx_add_ta_file(context, files.root_key.c_str()), files.root_key);
  for (const auto& path : files.trust_anchors) {
    // Without it a zone that was promised to be signed would pass for unsigned.
    if (!is_readable(path)) throw std::runtime_error("the trust anchor " + path + " can't be read");
    check(ub_ctx_add_ta_file(context, path.c_str()), path);
  }
}

}  // namespace

Result<std::shared_ptr<DnsContext>> DnsContext::make(
  asio::io_context& loop, const ResolverFiles& files, DnsUse use
) {
  try {
    return std::make_shared<DnsContext>(loop, files, use);
  } catch (const std::exception& failed) {
    return transient(Errc::unavailable, failed.what());
  }
}

std::string DnsContext::fingerprint_of(const ResolverFiles& files, DnsUse use) {
  std::vector<std::string> paths{files.resolv_conf};
  if (use == DnsUse::smarthosts) {
    paths.push_back(files.hosts);
  } else {
    paths.push_back(files.root_key);
    paths.insert(paths.end(), files.trust_anchors.begin(), files.trust_anchors.end());
  }
  std::string print;
  for (const auto& path : paths) print.append(file_fingerprint(path)).append(" ");
  return print;
}

DnsContext::DnsContext(asio::io_context& loop, const ResolverFiles& files, DnsUse use)
    : fingerprint(fingerprint_of(files, use)),
      search(parse_search_list(read_file(files.resolv_conf))),
      unbound_(ub_ctx_create(), &ub_ctx_delete),
      descriptor_(loop) {
  auto* const unbound = unbound_.get();
  if (unbound == nullptr) throw std::runtime_error("libunbound: no memory, or no descriptor left");
  for (const auto& option : kOptions) set(unbound, option);
  check(ub_ctx_async(unbound, 1), "threads");  // else it forks, and the child holds our sockets
  // A missing file leaves its defaults: the root servers, no hosts.
  (void)ub_ctx_resolvconf(unbound, files.resolv_conf.c_str());
  if (use == DnsUse::smarthosts) (void)ub_ctx_hosts(unbound, files.hosts.c_str());
  if (use == DnsUse::domains) trust(unbound, files);
  // Last: it freezes all that was set before, and reads the trust anchors.
  for (const auto* zone : kUnblockedZones)
    check(ub_ctx_zone_remove(unbound, zone), "its zones and trust anchors");
  descriptor_.assign(ub_fd(unbound));
}

DnsContext::~DnsContext() { descriptor_.release(); }  // libunbound closes it

int DnsContext::ask(const std::string& name, int type, Answer answer) {
  const int question = ++last_question_;
  auto& open = *(open_[question] = std::make_unique<Open>(Open{*this, question, 0, std::move(answer)}));
  if (ub_resolve_async(
        unbound_.get(), name.c_str(), type, kClassIn, &open, &DnsContext::on_answer, &open.id
      ) == 0)
    wait();
  else
    asio::post(descriptor_.get_executor(), [self = shared_from_this(), question] {
      self->answer(question, nullptr);
    });
  return question;
}

void DnsContext::forget(int question) {
  const auto found = open_.find(question);
  if (found == open_.end()) return;
  ub_cancel(unbound_.get(), found->second->id);
  open_.erase(found);
}

void DnsContext::forget_all() {
  for (const auto& [question, open] : open_) ub_cancel(unbound_.get(), open->id);
  const auto forgotten = std::exchange(open_, {});
}

void DnsContext::on_answer(void* data, int failed, ub_result* result) {
  auto& open = *static_cast<Open*>(data);
  open.context.answer(open.question, failed != 0 ? nullptr : result);
  ub_resolve_free(result);
}

void DnsContext::answer(int question, const ub_result* result) {
  const auto found = open_.find(question);
  if (found == open_.end()) return;
  const auto open = std::move(found->second);
  open_.erase(found);
  open->answer(result);
}

void DnsContext::wait() {
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

}  // namespace relay::net
