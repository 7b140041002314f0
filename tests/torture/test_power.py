"""Power cuts on ext4 and XFS, at random moments under load and behind each write and sync of the committer: `hack/torture
power` does two hundred of the first, `make test` twenty."""

import collections
import os
import random

import custody
import pytest
from crash_points import JOURNEYS, WRITES, CrashPoints, PowerCut
from disk import FILE_SYSTEMS, Disk
from kill_rounds import DELIVERIES_AT_ONCE, torn_relay
from mail_history import REFUSALS, drained
from power_cuts import MEGABYTES, cut_rounds
from raw_sink import RawSink

CUTS = -(-int(os.environ.get("TORTURE_CUTS", "20")) // len(FILE_SYSTEMS))  # on each
AT_ONCE = 25  # then the spool is drained and judged
SEED = int(os.environ.get("TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
# The shorter form walks the way of one message, the longer one those of all.
WALKED = JOURNEYS if os.environ.get("TORTURE_CALLS") == "all" else ("small",)


@pytest.mark.parametrize("number", range(-(-CUTS // AT_ONCE)))
@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_a_power_cut_at_any_moment_loses_nothing_Case100_Case101(tmp_path, file_system, number):
    rounds, seed = min(AT_ONCE, CUTS - number * AT_ONCE), SEED + number
    print(f"\nTORTURE_SEED={seed} {rounds} cuts on {file_system}")
    history = cut_rounds(tmp_path, file_system, rounds, seed)
    unknown = sum(1 for sent in history.sent if sent.unknown)
    print(f"{rounds} cuts, {len(history.sent)} messages, {unknown} of them with an unknown reply: {custody.account(history)}")
    assert custody.faults(history) == []
    repeated = sum(count - 1 for count in collections.Counter(copy.id for copy in history.copies).values() if count > 1)
    print(f"{repeated} repeated")
    assert repeated <= rounds * int(DELIVERIES_AT_ONCE)
    assert unknown, "the cuts meet messages on their way in"


@pytest.mark.parametrize("name", WALKED)
@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_a_power_cut_behind_any_write_or_sync_of_the_committer_loses_nothing_Case100_Case101(tmp_path, file_system, name):
    with Disk(tmp_path, MEGABYTES, file_system=file_system) as disk, RawSink(tmp_path / "sink", specs=REFUSALS) as sink, \
         torn_relay(sink, tmp_path, shards=1, spool_path=disk.path / "spool") as relay:
        points = CrashPoints(relay, tmp_path, 1, JOURNEYS[name], PowerCut(disk))
        cuts = points.walk("committer", of=WRITES)
        history = drained(relay, sink, [points])
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(cuts.items()))
    print(f"\n{cuts.total()} cuts on {file_system}, behind {kinds}")
    print(custody.account(history))
    assert custody.faults(history) == []
    assert cuts["fdatasync"] >= 2 and cuts["write"] >= 2, cuts
