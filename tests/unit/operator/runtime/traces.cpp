/// A property: whatever a server does to lists and watches, an informer's store ends as the server's objects, and each
/// change is told once. Random traces of changes and faults, against a model.

#include <gtest/gtest.h>
#include <map>
#include <random>

#include "operator/runtime/informer.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

using State = std::map<std::string, int>;  // name to version

struct Happened {
  std::string type;
  std::string name;
  int version;
};

/// Keeps objects and their history as an API server does, and fails in all the ways that are known of one, until it has
/// no more faults to give. Then it tells all that happened, and hangs as a quiet server does.
class ModelServer : public kube::Transport {
 public:
  explicit ModelServer(unsigned seed) : random_(seed), faults_(chance(12)) {
    for (auto i = 0U; i < 5; ++i) change();
  }

  relay::Result<kube::Response> send(const kube::Request& request, std::stop_token) override {
    const auto asked = version_in(request.target);
    if (is_faulty()) {
      switch (chance(4)) {
        case 0: return relay::transient(relay::Errc::connection_failed, "refused");
        case 1: return kube::Response{500, "{}", {}};
        case 2: return kube::Response{429, "{}", 1};
        case 3: return too_large_or_gone(asked);
      }
    }
    // "0": what a cache that lags has; it never goes back behind what it gave before.
    const bool may_lag = request.target.find("resourceVersion=0") != std::string::npos;
    given_ = may_lag ? between(std::max(given_, compacted_), version_) : version_;
    std::string items;
    for (const auto& [name, version] : state_at(given_))
      items += (items.empty() ? "" : ",") + object(name, version);
    return kube::Response{
      200,
      R"({"metadata":{"resourceVersion":")" + std::to_string(given_) + R"("},"items":[)" + items + "]}",
      {}
    };
  }

  relay::Result<kube::Response> stream(
    const kube::Request& request, const kube::OnBytes& on_bytes, std::stop_token stop
  ) override {
    const bool with_objects = request.target.find("sendInitialEvents") != std::string::npos;
    if (with_objects && cannot_stream_) return kube::Response{422, "{}", {}};
    auto from = version_in(request.target);
    if (is_faulty()) {
      switch (chance(5)) {
        case 0: return relay::transient(relay::Errc::connection_failed, "refused");
        case 1: return kube::Response{500, "{}", {}};
        case 2: return kube::Response{429, "{}", 1};
        case 3: return too_large_or_gone(from);
        case 4: return kube::Response{200, "", {}};  // ends at once with nothing in it
      }
    }
    std::string octets;
    if (with_objects) {
      given_ = from = from == 0 && request.target.find("resourceVersion=0") != std::string::npos
                        ? between(std::max(given_, compacted_), version_)
                        : version_;
      for (const auto& [name, version] : state_at(from)) octets += event("ADDED", object(name, version));
      if (is_faulty()) return cut_off(octets, on_bytes);
      octets += event("BOOKMARK", bookmark(from, true));
    } else if (from < compacted_) {
      return gone(on_bytes);
    }
    return watch(from, std::move(octets), on_bytes, stop);
  }

  [[nodiscard]] State objects() const { return state_at(version_); }
  std::atomic<bool> is_quiet{false};

 private:
  relay::Result<kube::Response> watch(
    int from, std::string octets, const kube::OnBytes& on_bytes, const std::stop_token& stop
  ) {
    for (;;) {
      const bool is_last = faults_ == 0;
      if (!is_last) {
        for (auto i = chance(4); i > 0; --i) change();
      }
      for (const auto& happened : history_) {
        if (happened.version <= from) continue;
        octets += event(happened.type, object(happened.name, happened.version));
        from = happened.version;
        if (chance(6) == 0) octets += event("BOOKMARK", bookmark(from, false));
      }
      if (!is_last && chance(3) == 0) return end(octets, on_bytes);
      if (!in_pieces(octets, on_bytes)) return kube::Response{200, "", {}};
      octets.clear();
      if (!is_last) {
        (void)is_faulty();
        continue;
      }
      is_quiet = true;
      while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::microseconds{50});
      return relay::transient(relay::Errc::cancelled, "stopped");
    }
  }

  /// The four ways in which a watch ends.
  relay::Result<kube::Response> end(std::string octets, const kube::OnBytes& on_bytes) {
    (void)is_faulty();
    switch (chance(4)) {
      case 0: (void)in_pieces(octets, on_bytes); return kube::Response{200, "", {}};
      case 1: return cut_off(octets, on_bytes);
      case 2:
        octets += event("ERROR", R"({"code":500,"message":"etcd has no leader"})");
        (void)in_pieces(octets, on_bytes);
        return kube::Response{200, "", {}};
      default:
        // What happens while nobody watches is seen by a list alone.
        (void)in_pieces(octets, on_bytes);
        for (auto i = chance(6); i > 0; --i) change();
        compacted_ = version_;
        return relay::transient(relay::Errc::connection_lost, "reset");
    }
  }

  relay::Result<kube::Response> gone(const kube::OnBytes& on_bytes) {
    if (chance(2) == 0) return kube::Response{410, R"({"message":"too old resource version"})", {}};
    (void)in_pieces(event("ERROR", R"({"code":410,"message":"too old resource version"})"), on_bytes);
    return kube::Response{200, "", {}};
  }
  relay::Result<kube::Response> too_large_or_gone(int asked) {
    if (asked == 0) return kube::Response{503, "{}", {}};
    if (chance(2) == 0)
      return kube::Response{504, R"({"message":"Too large resource version: 9, current: 5"})", {}};
    return kube::Response{410, R"({"message":"too old resource version"})", {}};
  }
  relay::Result<kube::Response> cut_off(std::string octets, const kube::OnBytes& on_bytes) {
    octets.resize(octets.empty() ? 0 : chance(static_cast<unsigned>(octets.size())));
    (void)in_pieces(octets, on_bytes);
    return relay::transient(relay::Errc::connection_lost, "reset");
  }
  bool in_pieces(std::string_view octets, const kube::OnBytes& on_bytes) {
    if (!on_bytes({})) return false;
    while (!octets.empty()) {
      const auto length = std::min<std::size_t>(1 + chance(200), octets.size());
      if (!on_bytes(octets.substr(0, length))) return false;
      octets.remove_prefix(length);
    }
    return true;
  }

  void change() {
    const auto name = "o" + std::to_string(chance(6));
    const auto now = state_at(version_);
    const bool is_there = now.contains(name);
    const auto* type = !is_there ? "ADDED" : chance(3) == 0 ? "DELETED" : "MODIFIED";
    history_.push_back({type, name, ++version_});
  }
  [[nodiscard]] State state_at(int version) const {
    State state;
    for (const auto& happened : history_) {
      if (happened.version > version) break;
      if (happened.type == "DELETED") state.erase(happened.name);
      else state[happened.name] = happened.version;
    }
    return state;
  }
  static std::string object(const std::string& name, int version) {
    return R"({"metadata":{"namespace":"mail","name":")" + name + R"(","resourceVersion":")" +
           std::to_string(version) + R"("}})";
  }
  static std::string bookmark(int version, bool is_end) {
    return R"({"metadata":{"resourceVersion":")" + std::to_string(version) + "\"" +
           (is_end ? R"(,"annotations":{"k8s.io/initial-events-end":"true"}}})" : "}}");
  }
  static std::string event(const std::string& type, const std::string& object) {
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
  }
  static int version_in(const std::string& target) {
    const auto at = target.find("resourceVersion=");
    return at == std::string::npos ? 0 : std::atoi(target.c_str() + at + 16);
  }
  unsigned chance(unsigned below) { return static_cast<unsigned>(random_() % below); }
  int between(int low, int high) {
    return low + static_cast<int>(chance(static_cast<unsigned>(high - low + 1)));
  }
  /// Spends one of the faults that are left, sometimes.
  bool is_faulty() {
    if (faults_ == 0 || chance(3) != 0) return false;
    --faults_;
    return true;
  }

  std::mt19937 random_;
  unsigned faults_;
  bool cannot_stream_ = random_() % 3 == 0;
  std::vector<Happened> history_;
  int version_ = 0;
  int compacted_ = 0;
  int given_ = 0;
};

/// What `on_change` is told, followed from one change to the next.
struct Mirror {
  State state;
  std::vector<std::string> faults;
  void follow(const Change& change) {
    const auto name = kube::key_of(change.any()).name;
    const auto version_of = [](const Json* object) {
      return object == nullptr ? 0 : std::stoi(kube::resource_version_of(*object));
    };
    const auto known = state.find(name);
    if (version_of(change.before) != (known == state.end() ? 0 : known->second))
      faults.push_back(name + ": told of a change of another state than the last");
    if (version_of(change.before) == version_of(change.after)) faults.push_back(name + ": told of no change");
    if (change.after == nullptr) state.erase(name);
    else state[name] = version_of(change.after);
  }
};

void play(unsigned seed) {
  ModelServer server(seed);
  kube::OpenGate gate{seconds{1}};
  kube::Client client(server, gate, "smtp-relay-operator");
  static Metrics metrics{{"c", "lease", "smtp_relay_operator"}, 1, "h"};
  VirtualClock clock;
  FixedJitter jitter;
  relay::test::QuietLog log;
  Mirror mirror;
  Store store(
    {[](Json&) {}, [](const Json&) { return std::string(); },
     [&](const Change& change) { mirror.follow(change); }}
  );
  const auto feed = store.feed("mail");
  const auto wait = [&](milliseconds time, const std::stop_token&) { clock.advance(time); };
  Informer informer(
    {kube::kPods, "mail", "", kube::View::full}, *feed, {client, client, metrics, clock, jitter, log, wait}
  );
  informer.start();
  const auto end = std::chrono::steady_clock::now() + seconds{20};
  while (!server.is_quiet && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::microseconds{50});
  EXPECT_TRUE(server.is_quiet) << log.text();
  informer.stop();
  EXPECT_TRUE(informer.is_synced());
  EXPECT_TRUE(mirror.faults.empty()) << mirror.faults.at(0);
  EXPECT_EQ(mirror.state, server.objects());
  State held;
  for (const auto& key : store.keys()) held[key.name] = std::stoi(kube::resource_version_of(*store.get(key)));
  EXPECT_EQ(held, server.objects());
}

TEST(Traces, EndAsTheServersObjectsWhateverHappensOnTheWay) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr unsigned kTraces = 1'000;
#else
  constexpr unsigned kTraces = 10'000;
#endif
  for (unsigned seed = 1; seed <= kTraces && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    play(seed);
  }
}

}  // namespace
}  // namespace op::runtime
