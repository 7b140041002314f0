#pragma once
/// Which rights the operator uses, and which of them it lacks.

#include "operator/kube/client.hpp"

namespace op::smtp_relay {

struct Right {
  kube::AccessQuestion question;
  bool is_required = true;
  std::string_view without;  ///< what is lost without it
};

/// Where the rights are needed.
struct Realm {
  std::vector<std::string> namespaces;  ///< that are served; an empty name: all
  std::string own_namespace;            ///< the Lease's
  std::string lease;                    ///< its name; empty: there is no election
};
/// All of them, in the order of docs/operator.md; the chart grants these and no others.
[[nodiscard]] std::vector<Right> rights_used(const Realm& realm);

struct Verdict {
  Right right;
  bool is_allowed = false;
};
/// Asks the API server for each. Failures: the first question that got no answer.
[[nodiscard]] kube::Answer<std::vector<Verdict>> ask_for(
  kube::Client& client, const std::vector<Right>& rights, const std::stop_token& stop
);

/// `daemonsets.apps`, `smtprelays.smtp.buildinglink.com/status`
[[nodiscard]] std::string resource_of(const kube::AccessQuestion& question);
/// A table for people: what is missing says what that means.
[[nodiscard]] std::string to_table(const std::vector<Verdict>& verdicts);
[[nodiscard]] bool lacks_what_is_required(const std::vector<Verdict>& verdicts);

}  // namespace op::smtp_relay
