#pragma once
/// What an informer does with a list.

#include "operator/runtime/store.hpp"

namespace op::runtime {

inline void give_all(Sink& sink, std::vector<Json> items) {
  std::set<Key> present;
  sink.list_begins();
  for (auto& item : items) {
    present.insert(kube::key_of(item));
    sink.upsert(std::move(item));
  }
  sink.keep_only(present);
}

}  // namespace op::runtime
