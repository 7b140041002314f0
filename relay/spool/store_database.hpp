#pragma once
/// What the parts of Store share: its open database.

#include "relay/spool/database.hpp"
#include "relay/spool/store.hpp"

namespace relay::spool {

struct Store::Database {
  OpenDatabase open;
};

}  // namespace relay::spool
