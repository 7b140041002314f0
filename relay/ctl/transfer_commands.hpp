#pragma once
/// `relayctl queue export` and `import`.

#include "relay/ctl/queue_commands.hpp"

namespace relay::ctl {

struct ExportOrder {
  Selection selection;
  std::string file;         ///< empty: standard output
  bool is_removed = false;  ///< what was written is deleted here, once it is on disk there
};
/// Writes lines (relay/engine/transfer.hpp) until no selected message is left. With `is_removed`, messages are held
/// first, so that none is sent meanwhile, and deleted in groups behind an fsync of the file.
int export_queue(const AdminInterface& admin, const ExportOrder& order);

struct ImportOrder {
  std::string file;        ///< empty: standard input
  std::uint64_t skip = 0;  ///< messages at the start
  bool is_held = false;
};
int import_queue(const AdminInterface& admin, const ImportOrder& order);

}  // namespace relay::ctl
