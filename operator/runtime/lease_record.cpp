#include "operator/runtime/lease_record.hpp"

#include "operator/kube/resource.hpp"

namespace op::runtime {

using kube::Json;

LeaseRecord parse_lease(const Json& object) {
  return {
    kube::text_at(object, "/spec/holderIdentity"),
    seconds{kube::number_at(object, "/spec/leaseDurationSeconds")},
    kube::text_at(object, "/spec/acquireTime"),
    kube::text_at(object, "/spec/renewTime"),
    kube::number_at(object, "/spec/leaseTransitions"),
    kube::resource_version_of(object),
  };
}

Json to_lease(const LeaseRecord& record, const kube::Key& key) {
  Json object{
    {"apiVersion", kube::kLeases.api_version()},
    {"kind", kube::kLeases.kind},
    {"metadata", {{"namespace", key.name_space}, {"name", key.name}}},
    {"spec",
     {{"holderIdentity", record.holder},
      {"leaseDurationSeconds", record.duration.count()},
      {"acquireTime", record.acquired},
      {"renewTime", record.renewed},
      {"leaseTransitions", record.transitions}}},
  };
  if (!record.resource_version.empty()) object["metadata"]["resourceVersion"] = record.resource_version;
  return object;
}

std::string to_micro_time(WallTime time) {
  auto text = relay::to_rfc3339(time);
  text.insert(text.size() - 1, "000");
  return text;
}

}  // namespace op::runtime
