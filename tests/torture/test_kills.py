"""kill -9 at random moments under load: hack/torture does a thousand rounds, `make test` a hundred."""

import collections
import os
import random

import custody
import pytest
from kill_rounds import DELIVERIES_AT_ONCE, kill_rounds

ROUNDS = int(os.environ.get("TORTURE_KILLS", "100"))
AT_ONCE = 50  # then the spool is drained and judged, so that a fault is found near its cause
SEED = int(os.environ.get("TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.parametrize("number", range(-(-ROUNDS // AT_ONCE)))
def test_a_kill_at_any_moment_loses_nothing_and_repeats_only_what_was_in_flight_Case102(tmp_path, number):
    rounds, seed = min(AT_ONCE, ROUNDS - number * AT_ONCE), SEED + number
    print(f"\nTORTURE_SEED={seed} TORTURE_KILLS={rounds}")
    history = kill_rounds(tmp_path, rounds, seed)
    unknown = sum(1 for sent in history.sent if sent.unknown)
    print(f"{rounds} kills, {len(history.sent)} messages, {unknown} of them with an unknown reply: {custody.account(history)}")
    assert custody.faults(history) == []
    repeated = sum(count - 1 for count in collections.Counter(copy.id for copy in history.copies).values() if count > 1)
    assert repeated <= rounds * int(DELIVERIES_AT_ONCE)
    # Else nothing was tried: the kills meet messages on their way in, and the sums are of something.
    assert unknown and custody.account(history).bounced
