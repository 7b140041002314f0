#pragma once
/// What keeps a process's memory, and the secrets in it, to itself.

namespace relay {

/// The kernel writes no core file of this process, whatever core_pattern says (a pipe to a collector included), and lets
/// no process of the same user look into its memory: not by ptrace, nor by /proc/PID/mem, environ or fd. Only who has
/// CAP_SYS_PTRACE still can, as root on the node. For programs that hold secrets, first of all in main; it can't be taken
/// back, and ends with the process.
/// @throws std::system_error  when the kernel refuses, which it does under a seccomp profile without prctl alone: a
///                            program that would spill its secrets does not start
void keep_memory_private();

}  // namespace relay
