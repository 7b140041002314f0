#pragma once
/// What the process holds of the machine's memory without using it.

namespace op::runtime {

/// Gives back the free parts of the heap, which long lists leave behind, and the pages of the program and its libraries:
/// most of them were needed for the start alone. Those that are used again come from their files, as the first time.
///
/// Takes a few milliseconds. Safe from any thread, whatever the others do.
void give_back_memory();

}  // namespace op::runtime
