"""Processes that a test has started, directly or not."""

import pathlib


def of_session(leader):
    """Commands of those that run in the session of this pid: what it has started and what these started, also once it has
    ended itself. For who was started with start_new_session=True."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # The second field is the name in brackets, which may hold blanks.
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            found.append(command)
    return found
