#include "operator/relay/happenings.hpp"

#include <algorithm>

#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

namespace condition = api::condition;
using Type = Occurrence::Type;

/// Which changes of a condition are told.
struct Telling {
  std::string_view condition;
  std::string_view status;
  std::string_view reason;  // empty: any
  Type type;
  enum class When : std::uint8_t {
    turned,          // status or reason is another
    turned_or_said,  // or the message: each fault is named in it
    mended,          // the condition was not True for a reason of its own
    regained         // the condition was False
  } when;
};
using When = Telling::When;
constexpr Telling kTellings[] = {
  {condition::kReady, "True", "AllNodesAvailable", Type::normal, When::turned},
  {condition::kReady, "False", "NameConflict", Type::warning, When::turned_or_said},
  {condition::kReady, "False", "Forbidden", Type::warning, When::turned_or_said},
  {condition::kReady, "False", "NoNodes", Type::warning, When::turned},
  {condition::kProgressing, "True", "Draining", Type::normal, When::turned},
  {condition::kProgressing, "False", "RolloutComplete", Type::normal, When::turned},
  {condition::kProgressing, "False", "RolloutStalled", Type::warning, When::turned},
  {condition::kDegraded, "True", "PodsNotAvailable", Type::warning, When::turned},
  {condition::kDegraded, "True", "FailedCreate", Type::warning, When::turned},
  {condition::kConfigValid, "False", "", Type::warning, When::turned_or_said},
  {condition::kConfigValid, "True", "", Type::normal, When::mended},
  {condition::kSecretsResolved, "False", "", Type::warning, When::turned_or_said},
  {condition::kSecretsResolved, "Unknown", "Forbidden", Type::warning, When::turned_or_said},
  {condition::kSecretsResolved, "True", "", Type::normal, When::mended},
  {condition::kCordonAware, "True", "NodesCordoned", Type::normal, When::turned_or_said},
  {condition::kCordonAware, "False", "NotTold", Type::warning, When::turned_or_said},
  {condition::kCordonAware, "Unknown", "Forbidden", Type::warning, When::turned},
  {condition::kMailLeaves, "False", "", Type::warning, When::turned_or_said},
  {condition::kMailLeaves, "True", "Delivered", Type::normal, When::regained},
  {condition::kPodSecurityAllowed, "False", "", Type::warning, When::turned_or_said},
  {condition::kPodSecurityAllowed, "True", "", Type::normal, When::mended},
  {condition::kPortAvailable, "False", "", Type::warning, When::turned},
  {condition::kSourceAddressPreserved, "False", "", Type::warning, When::turned},
  {condition::kSourceAddressPreserved, "True", "", Type::normal, When::regained},
  {condition::kPortAvailable, "True", "", Type::normal, When::regained},
};

bool was_at_fault(const api::Condition* before) {
  return before != nullptr && before->status != "True" && before->reason != "Pending";
}

bool is_news(const Telling& telling, const api::Condition* before, const api::Condition& now) {
  if (telling.condition != now.type || telling.status != now.status) return false;
  if (!telling.reason.empty() && telling.reason != now.reason) return false;
  if (telling.when == When::mended) return was_at_fault(before);
  if (telling.when == When::regained) return before != nullptr && before->status == "False";
  const bool has_turned = before == nullptr || before->status != now.status || before->reason != now.reason;
  return has_turned || (telling.when == When::turned_or_said && before->message != now.message);
}

Occurrence about(const api::SmtpRelay& relay) {
  Occurrence occurrence;
  occurrence.regarding = {
    std::string(api::kGroup) + "/" + std::string(api::kVersion),
    std::string(api::kKind),
    {relay.name_space, relay.name},
    relay.uid
  };
  return occurrence;
}

Occurrence about(const api::SmtpRelay& relay, Type type, std::string reason, std::string note) {
  auto occurrence = about(relay);
  occurrence.type = type;
  occurrence.reason = std::move(reason);
  occurrence.action = "Reconcile";
  occurrence.note = std::move(note);
  return occurrence;
}

/// Where the mail of its nodes lies.
std::string place_of(const api::SmtpRelay& relay, const std::string& spool_root) {
  if (relay.spec.spool_type == "EmptyDir") return "the emptyDir of each pod";
  if (relay.spec.spool_type == "PersistentVolumeClaim")
    return "folder " + relay.name + " of the PersistentVolumeClaim " + relay.spec.spool_claim;
  return spool_root + "/" + relay.name_space + "/" + relay.name;
}

}  // namespace

Occurrence first_seen(const api::SmtpRelay& relay) {
  return about(relay, Type::normal, "Created", "children named " + resources::child_name(relay) + " follow");
}

std::vector<Occurrence> news_of(const api::SmtpRelay& relay, const api::Status& next) {
  std::vector<Occurrence> news;
  for (const auto& now : next.conditions) {
    for (const auto& telling : kTellings) {
      if (!is_news(telling, relay.status.find(now.type), now)) continue;
      news.push_back(about(relay, telling.type, now.reason, now.type + ": " + now.message));
    }
  }
  if (next.image != relay.status.image && floats(next.image)) {
    news.push_back(about(
      relay, Type::warning, "ImageNotPinned",
      "image " + next.image +
        " has no fixed version: nodes may run different ones; name a version or a digest"
    ));
  }
  return news;
}

std::vector<Occurrence> losses_of(const api::SmtpRelay& relay, const Plan& plan) {
  const auto* before = relay.status.find(condition::kProgressing);
  std::vector<Occurrence> losses;
  for (const auto& lost : plan.optional.lost) {
    const bool was_told = before != nullptr && before->message.find(lost) != std::string::npos;
    if (!was_told) losses.push_back(about(relay, Type::warning, "OptionalChildMissing", lost));
  }
  return losses;
}

Occurrence farewell(
  const api::SmtpRelay& relay, const SpoolReports& reports, const std::string& spool_root,
  const std::string& why
) {
  const auto begin = (why.empty() ? "deleted; " : "deleted, not drained: " + why + "; ") + total_of(reports) +
                     " in " + place_of(relay, spool_root) + ", " + nodes_of(reports);
  if (relay.spec.spool_type == "EmptyDir")
    return about(relay, Type::warning, "SpoolLost", begin + "; all of it goes with the pods");
  return about(
    relay, Type::warning, "SpoolRetained",
    begin + ": an SmtpRelay " + relay.name + " in namespace " + relay.name_space +
      " takes it up again and sends it; without one, remove the folders"
  );
}

Occurrence drained(const api::SmtpRelay& relay, const SpoolReports& reports, const std::string& spool_root) {
  const bool has_dead_letters =
    std::any_of(reports.begin(), reports.end(), [](const SpoolReport& report) { return report.failed > 0; });
  return about(
    relay, has_dead_letters ? Type::warning : Type::normal, "Drained",
    "deleted; " + total_of(reports) + " in " + place_of(relay, spool_root) + ", " + nodes_of(reports) +
      "; the folders may be removed"
  );
}

Occurrence written(
  const api::SmtpRelay& relay, const kube::Resource& resource, const Json& object, std::string_view what,
  std::string_view why
) {
  auto occurrence = about(
    relay, Type::normal,
    what == "applied"    ? "Applied"
    : what == "replaced" ? "Replaced"
                         : "Removed",
    std::string(resource.kind) + " " + kube::key_of(object).name + ": " + std::string(why)
  );
  occurrence.action = "Apply";
  return occurrence;
}

bool floats(std::string_view image) {
  if (image.empty() || image.find('@') != std::string_view::npos) return false;
  const auto slash = image.rfind('/');
  const auto name = slash == std::string_view::npos ? image : image.substr(slash + 1);
  const auto colon = name.find(':');
  return colon == std::string_view::npos || name.substr(colon + 1) == "latest";
}

}  // namespace op::smtp_relay
