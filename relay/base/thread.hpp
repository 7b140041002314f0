#pragma once
/// What Linux is told of the calling thread.

#include <string>

namespace relay {

/// As ps, top and debuggers show it. @param name  what is behind its first 15 octets is left out
void name_thread(const std::string& name);

/// From now on, when it wakes, it does not push aside a thread that runs (SCHED_BATCH; sched(7)): where all cores are
/// busy it finds more to do at once, where one is free nothing changes. For threads that serve the shards. Where that
/// is not allowed all stays as it was.
void run_behind_others();

}  // namespace relay
