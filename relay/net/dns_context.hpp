#pragma once
/// A libunbound context on an event loop.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "relay/net/asio.hpp"
#include "relay/net/resolver_config.hpp"

struct ub_ctx;
struct ub_result;

namespace relay::net {

/// What a context is for.
enum class DnsUse : std::uint8_t {
  smarthosts,  ///< the node's view: the hosts file counts, nothing is validated
  domains,     ///< the world's view: no hosts file, DNSSEC validated from the trust anchors
};

/// One libunbound context and its descriptor on our loop. Both uses ask the servers of resolv.conf and
/// nobody else; private zones (.test, home.arpa, reverse zones of private networks) go there like all others:
/// libunbound would answer some of them itself. Questions that are open keep the context alive.
///
/// Belongs to the loop's thread; libunbound works on a thread of its own from the first question on.
class DnsContext : public std::enable_shared_from_this<DnsContext> {
 public:
  /// Called with nothing when libunbound could not even ask.
  using Answer = std::function<void(const ub_result*)>;

  /// Errors: unavailable, transient; no memory or descriptors, or a trust anchor that can't be read.
  [[nodiscard]] static Result<std::shared_ptr<DnsContext>> make(
    asio::io_context& loop, const ResolverFiles& files, DnsUse use
  );
  /// Changes when one of the files of such a context does: then another context is needed, since libunbound
  /// freezes what it read.
  [[nodiscard]] static std::string fingerprint_of(const ResolverFiles& files, DnsUse use);

  /// For make(); throws std::runtime_error.
  DnsContext(asio::io_context& loop, const ResolverFiles& files, DnsUse use);
  ~DnsContext();
  DnsContext(const DnsContext&) = delete;
  DnsContext& operator=(const DnsContext&) = delete;

  /// Calls `answer` on the loop; never within this call. Returns the question's number for forget().
  int ask(const std::string& name, int type, Answer answer);
  /// Its answer will not be called.
  void forget(int question);
  /// Open questions keep who asked alive, and that keeps this alive: for the end, when nobody waits any more.
  void forget_all();

  const std::string fingerprint;
  const SearchList search;

 private:
  struct Open {
    DnsContext& context;
    int question;
    int id;
    Answer answer;
  };

  static void on_answer(void* data, int failed, ub_result* result);
  void answer(int question, const ub_result* result);
  void wait();

  std::unique_ptr<ub_ctx, void (*)(ub_ctx*)> unbound_;
  asio::posix::stream_descriptor descriptor_;
  std::map<int, std::unique_ptr<Open>> open_;
  int last_question_ = 0;
  bool is_waiting_ = false;
};

}  // namespace relay::net
