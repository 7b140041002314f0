#pragma once
/// What the microbenchmarks measure: hot paths, each a real use of a module's public functions.

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace relay::micro {

/// One operation of a path; owns what it works on, and may be called again and again. It allocates, locks and reads
/// as the relay does, but waits for no other thread and depends on no time: instructions are counted.
using Operation = std::function<void()>;

struct Path {
  std::string name;  ///< `module/what one operation does`
  /// Operations to count together, so that what happens at some of them only (a container grows) evens out.
  unsigned repeats;
  Operation (*make)();  ///< an operation with everything that it needs; not counted
};

/// Those of each file beside this one.
[[nodiscard]] std::vector<Path> base_paths();
[[nodiscard]] std::vector<Path> mail_paths();
[[nodiscard]] std::vector<Path> dkim_paths();
[[nodiscard]] std::vector<Path> smtp_paths();
[[nodiscard]] std::vector<Path> queue_paths();
[[nodiscard]] std::vector<Path> spool_paths();
[[nodiscard]] std::vector<Path> session_paths();
[[nodiscard]] std::vector<Path> delivery_paths();
[[nodiscard]] std::vector<Path> engine_paths();

/// A path that does not do what it is measured for ends the run.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("a path does not hold what it is measured for: ") + what);
}

}  // namespace relay::micro
