#pragma once
/// What failures of a reconcile's requests mean for what it does next.

#include "operator/kube/client.hpp"

namespace op::smtp_relay {

/// Only a person can mend it: a right or a rule is in the way.
[[nodiscard]] inline bool is_lasting(const kube::Failure& failure) {
  return failure.kind == kube::Kind::forbidden || failure.kind == kube::Kind::invalid;
}

/// The pod that was written to is not there any more, or another has its name.
[[nodiscard]] inline bool is_gone(const kube::Failure& failure) {
  return failure.kind == kube::Kind::not_found || failure.kind == kube::Kind::conflict;
}

/// The same request about another object would fare no better, and might take as long: the server does not answer, asks
/// to be left alone, or we are to end.
[[nodiscard]] inline bool is_about_the_server(const kube::Failure& failure) {
  return failure.kind == kube::Kind::unreachable || failure.kind == kube::Kind::throttled ||
         failure.kind == kube::Kind::cancelled;
}

/// Whether there is no use in writing to other pods: the server is not to be asked now, or we have no right to. Admission
/// says no to one pod with the same code as a missing right.
[[nodiscard]] inline bool is_about_all_pods(
  kube::Client& client, const std::string& name_space, const kube::Failure& failure,
  const std::stop_token& stop
) {
  if (failure.kind != kube::Kind::forbidden) return is_about_the_server(failure);
  const auto may = client.may_we({name_space, "patch", "", "pods", "", ""}, stop);
  return may && !*may;
}

}  // namespace op::smtp_relay
