"""A kill at every system call of the accept path and of the path that records deliveries, in turn.

hack/torture takes every call of every thread; `make test` those with effects, and of longer journeys the committer's, and
with sanitized programs the committer's writes and syncs of one message.
"""

import os

import custody
import pytest
from crash_points import EFFECTS, JOURNEYS, THREADS, WRITES, CrashPoints
from kill_rounds import torn_relay
from mail_history import REFUSALS, drained
from raw_sink import RawSink

WHICH = os.environ.get("TORTURE_CALLS", "effects")
CALLS = {"all": None, "effects": EFFECTS, "few": WRITES}[WHICH]


def threads_of(name):
    return THREADS if WHICH == "all" or (WHICH == "effects" and name == "small") else ("committer",)


@pytest.mark.parametrize("name", ["small"] if WHICH == "few" else JOURNEYS)
def test_a_kill_at_any_system_call_loses_nothing_and_repeats_only_what_was_in_flight_Case100_Case101(tmp_path, name):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink, torn_relay(sink, tmp_path, shards=1) as relay:
        points = CrashPoints(relay, tmp_path, 1, JOURNEYS[name])
        killed = {thread: points.walk(thread, of=CALLS) for thread in threads_of(name)}
        history = drained(relay, sink, [points])
    print()
    for thread, calls in killed.items():
        print(f"{thread}: {calls.total()} kills, at {', '.join(f'{count} {kind}' for kind, count in sorted(calls.items()))}")
    print(custody.account(history))
    assert custody.faults(history) == []
    # The paths are those that were meant: written and synced before the 250, and again behind the delivery.
    assert killed["committer"]["fdatasync"] >= 2, killed
    assert killed["committer"]["write"] >= 2, killed
