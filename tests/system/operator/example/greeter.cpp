/// A whole operator on operator/runtime, to be read beside docs/operator-runtime.md: for each ConfigMap with the label
/// `example.com/greets: "yes"` it keeps another, `<name>-greeting`, with a line for the person whom `data.name` names.
///
///   greeter KUBECONFIG NAMESPACE PORT    probes and metrics are on 127.0.0.1:PORT

#include <iostream>

#include "operator/runtime/platform.hpp"
#include "operator/runtime/process.hpp"

namespace {

using namespace op;
using kube::Json;
using kube::Key;
using runtime::Change;
using runtime::Occurrence;
using runtime::Outcome;

constexpr const char* kWishes = "example.com/greets=yes";
constexpr const char* kGreetings = "example.com/greeting=yes";

Key greeting_key(const Key& wish) { return {wish.name_space, wish.name + "-greeting"}; }

/// What should be so. Pure: a test needs no API server for it.
Json greeting_for(const Json& wish) {
  const auto key = kube::key_of(wish);
  const auto name = kube::text_at(wish, "/data/name");
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata",
     {{"namespace", key.name_space},
      {"name", greeting_key(key).name},
      {"labels", {{"example.com/greeting", "yes"}}},
      // The garbage collector takes the greeting when its wish goes; and Caches knows from it whom a greeting concerns.
      {"ownerReferences", Json::array(
                            {{{"apiVersion", "v1"},
                              {"kind", "ConfigMap"},
                              {"name", key.name},
                              {"uid", kube::text_at(wish, "/metadata/uid")},
                              {"controller", true},
                              {"blockOwnerDeletion", true}}}
                          )}}},
    {"data", {{"text", "Hello, " + (name.empty() ? "whoever you are" : name) + "!"}}},
  };
}

/// What was seen last, and whom a change concerns.
struct Caches {
  explicit Caches(const std::function<void(const Key&)>& enqueue)
      : wishes({.on_change = [enqueue](const Change& change) { enqueue(kube::key_of(change.any())); }}),
        greetings({.on_change = [enqueue](const Change& change) {
          enqueue({kube::key_of(change.any()).name_space, kube::controller_of(change.any()).name});
        }}) {}
  runtime::Store wishes;
  runtime::Store greetings;
};

class Greeter : public runtime::Reconciler {
 public:
  Greeter(const Caches& caches, kube::Client& client, runtime::EventSink& events)
      : caches_(caches), client_(client), events_(events) {}

  kube::Answer<Outcome> reconcile(const Key& key, std::stop_token stop) override {
    const auto wish = caches_.wishes.get(key);
    if (!wish || kube::is_being_deleted(*wish)) return Outcome{};
    const auto wanted = greeting_for(*wish);
    const auto live = caches_.greetings.get(greeting_key(key));
    // Nothing is written that is already so.
    if (live && live->value("data", Json()) == wanted.at("data")) return Outcome{};
    const auto applied = client_.apply(kube::kConfigMaps, wanted, std::move(stop));
    // Its kind and fate say whether, and when, it comes again.
    if (!applied) return tl::unexpected(applied.error());
    tell(*wish, live ? "Updated" : "Created");
    return Outcome{};
  }

 private:
  void tell(const Json& wish, const std::string& what) {
    events_.record(
      {{"v1", "ConfigMap", kube::key_of(wish), kube::text_at(wish, "/metadata/uid")},
       Occurrence::Type::normal,
       what,
       "Apply",
       what + " the greeting"}
    );
  }
  const Caches& caches_;
  kube::Client& client_;
  runtime::EventSink& events_;
};

runtime::PlatformOptions options(const std::string& name_space, const std::string& port) {
  runtime::PlatformOptions options;
  options.names = {"greeter", "greeter", "greeter"};
  options.program = "greeter/1.0";
  options.field_manager = "greeter";
  options.event_source = "example.com/greeter";
  options.lease = {name_space, "greeter"};
  options.health_address = relay::Endpoint::parse("127.0.0.1:" + port).value();
  options.metrics_address = options.health_address;
  return options;
}

int run(const std::string& kubeconfig, const std::string& name_space, const std::string& port) {
  auto access = runtime::find_access(kubeconfig);
  if (!access) {
    std::cerr << "greeter: " << access.error().context << "\n";
    return 2;
  }
  runtime::prepare_process(*access);
  const runtime::BootClock clock;
  relay::log::StdoutSink log(clock);
  runtime::Platform platform(options(name_space, port), std::move(*access), clock, log);
  Caches caches([&](const Key& key) { platform.enqueue(key); });
  Greeter greeter(caches, platform.client(), platform.events());

  const auto wishes = caches.wishes.feed(name_space);
  const auto greetings = caches.greetings.feed(name_space);
  std::vector<std::unique_ptr<runtime::Informer>> informers;
  informers.push_back(std::make_unique<runtime::Informer>(
    kube::Selection{kube::kConfigMaps, name_space, kWishes}, *wishes, platform.informers()
  ));
  informers.push_back(std::make_unique<runtime::Informer>(
    kube::Selection{kube::kConfigMaps, name_space, kGreetings}, *greetings, platform.informers()
  ));
  platform.serve(greeter, [&] { return caches.wishes.keys(); });
  const auto ended = runtime::run_until_signal(
    [&](const std::stop_token& stop) { return platform.run(std::move(informers), stop); }, log
  );
  if (ended) return 0;
  std::cerr << "greeter: " << ended.error().context << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: greeter KUBECONFIG NAMESPACE PORT\n";
    return 2;
  }
  return run(argv[1], argv[2], argv[3]);
}
