#include "operator/relay/optional_kinds.hpp"

#include "operator/relay/optional_children.hpp"

namespace op::smtp_relay {
namespace {

using resources::Optional;
namespace log = relay::log;

/// A kind that comes is noticed by then; a question is small, and the server answers it from memory.
constexpr relay::seconds kLookEvery{15};

constexpr Optional kMonitoring[] = {Optional::pod_monitor, Optional::prometheus_rule};

}  // namespace

/// Fills a store, and tells the caches whether we may look.
class OptionalKinds::Feed : public runtime::Sink {
 public:
  Feed(std::unique_ptr<runtime::Sink> store, std::function<void(const std::string&)> on_refusal)
      : store_(std::move(store)), on_refusal_(std::move(on_refusal)) {}

  void list_begins() override { store_->list_begins(); }
  void upsert(Json object) override { store_->upsert(std::move(object)); }
  void erase(const Json& object) override { store_->erase(object); }
  void keep_only(const std::set<Key>& present) override { store_->keep_only(present); }
  [[nodiscard]] bool wants(const Json& object) const override { return store_->wants(object); }
  void refused(const std::string& why) override { on_refusal_(why); }

 private:
  std::unique_ptr<runtime::Sink> store_;
  std::function<void(const std::string&)> on_refusal_;
};

OptionalKinds::OptionalKinds(
  std::vector<std::string> namespaces, OptionalCaches& caches, const runtime::InformerContext& context,
  std::function<void()> on_change
)
    : namespaces_(std::move(namespaces)),
      caches_(caches),
      context_(context),
      on_change_(std::move(on_change)) {
  caches_.on_want([this] {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    changed_.notify_all();
  });
}

void OptionalKinds::stop() {
  thread_ = {};
  for (const auto child : resources::kOptionals) end(child);
}

std::optional<std::string_view> OptionalKinds::stuck() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [child, watches] : watches_) {
    for (const auto& watch : watches) {
      if (watch.informer->is_stuck()) return watch.informer->kind();
    }
  }
  return std::nullopt;
}

void OptionalKinds::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    look(stop);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, kLookEvery, [this] { return is_woken_; });
    is_woken_ = false;
  }
}

void OptionalKinds::look(const std::stop_token& stop) {
  look_for_monitoring(stop);
  look_for_network_policies(stop);
}

void OptionalKinds::look_for_monitoring(const std::stop_token& stop) {
  const auto there = context_.lists.kinds_beside(kube::kPodMonitors, stop);
  if (!there) {
    const auto failure = there.error().message();
    if (there.error().kind == kube::Kind::cancelled || failure == last_failure_) return;
    last_failure_ = failure;
    context_.log.write(log::warning("discovery_failed").with("error", failure));
    return;
  }
  last_failure_.clear();
  for (const auto child : kMonitoring) found(child, there->contains(std::string(resource_of(child).plural)));
}

void OptionalKinds::look_for_network_policies(const std::stop_token& stop) {
  if (watches_.contains(Optional::network_policy)) return;
  if (!caches_.is_wanted(Optional::network_policy) && !has_network_policies(stop)) return;
  begin(Optional::network_policy);
}

/// Of a relay that wanted one when nobody looked; asked until there is an answer.
bool OptionalKinds::has_network_policies(const std::stop_token& stop) {
  if (has_looked_for_policies_) return false;
  for (const auto& name_space : namespaces_) {
    const auto list = context_.lists.list(
      {kube::kNetworkPolicies, name_space, std::string(resources::kManagedSelector), kube::View::metadata},
      "0", stop
    );
    if (list && !list->items.empty()) return true;
    // Who may not look for them has made none.
    if (!list && list.error().kind != kube::Kind::forbidden) return false;
  }
  has_looked_for_policies_ = true;
  return false;
}

void OptionalKinds::found(Optional child, bool is_there) {
  const auto before = caches_.presence_of(child);
  const auto now = is_there ? Presence::served : Presence::absent;
  if (before == now) return;
  context_.log.write(
    log::info(is_there ? "kind_found" : "kind_absent").with("resource", resource_of(child).plural)
  );
  if (is_there) begin(child);
  caches_.set_presence(child, now);
  if (!is_there) end(child);
  // That there is none is what relays took for granted, unless one insists.
  if (is_there || before == Presence::served || caches_.is_wanted(child)) on_change_();
}

void OptionalKinds::begin(Optional child) {
  if (watches_.contains(child)) return;
  std::vector<Watch> watches;
  for (const auto& name_space : namespaces_) {
    Watch watch;
    watch.name_space = name_space;
    watch.feed = std::make_unique<Feed>(
      caches_.store_of(child)->feed(name_space),
      [this, child, name_space](const std::string& why) {
        caches_.set_refusal(child, name_space, why);
        on_change_();
      }
    );
    watch.informer = std::make_unique<runtime::Informer>(
      kube::Selection{
        resource_of(child), name_space, std::string(resources::kManagedSelector), kube::View::full
      },
      *watch.feed, context_, runtime::Reflector::Lists::streamed, runtime::Informer::Need::optional
    );
    watch.informer->start();
    watches.push_back(std::move(watch));
  }
  const std::lock_guard lock(mutex_);
  watches_[child] = std::move(watches);
}

void OptionalKinds::end(Optional child) {
  std::vector<Watch> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watches_.find(child);
    if (found == watches_.end()) return;
    ended = std::move(found->second);
    watches_.erase(found);
  }
  for (const auto& watch : ended) {
    watch.informer->stop();
    watch.feed->keep_only({});
    caches_.set_refusal(child, watch.name_space, "");
  }
}

}  // namespace op::smtp_relay
