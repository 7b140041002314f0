"""Files of the spool that are cut short, or have a bit turned over, while the relay is down: what verifies flows, nothing else is
sent, and what is missing the log tells of.

Records by themselves are cut and turned over at every length by the unit tests of relay/spool; here are all the files that hold
them, the log, the tables and what says which of them count, at places that a seed draws.
"""

import os
import random
import shutil

import custody
import pytest
from kill_rounds import torn_relay
from mail_history import REFUSALS, Load, arrivals, drained
from raw_sink import RawSink
from relay import RESTART, patiently

SEED = int(os.environ.get("TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
PLACES = int(os.environ.get("TORTURE_FAULTS", "1")) + 2  # of each kind of damage, in each kind of file
MESSAGES = 60
OF_SEVERAL_BLOCKS = 300  # messages whose places in the queue fill more than the block of a table that a start looks at
NOT_NOW = "connect:*:reply:421 4.3.2 not now"
# What is damaged, of which spool; and the share of the recipients that must not be lost by it.
KINDS = {
    "log": ("*.log", "in log", {"cut": 0, "turn_a_bit": 0.7}),  # at most a block of the log, which has a dozen messages or so
    "table": ("*.sst", "in tables", {"cut": 0, "turn_a_bit": 0}),
    "list of tables": ("MANIFEST-*", "in tables", {"cut": 1, "turn_a_bit": 1}),
    "list without tables": ("MANIFEST-*", "in log", {"cut": 1, "turn_a_bit": 1}),
    "pointer to the list": ("CURRENT", "in tables", {"cut": 1, "turn_a_bit": 1}),
}
TELLS = ("spool_damaged", "quarantine", "spool_failed", "spool_recovered")


def cut(path, rng):
    os.truncate(path, rng.randrange(path.stat().st_size))


def turn_a_bit(path, rng):
    octets = bytearray(path.read_bytes())
    octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
    path.write_bytes(octets)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """(what clients sent, {name: a spool with all of it})"""
    folder = tmp_path_factory.mktemp("stored")
    with RawSink(folder / "sink", specs=[NOT_NOW]) as sink:
        relay = torn_relay(sink, folder).start()
        with Load(relay.smtp_port, SEED) as load:
            patiently(lambda: load.acknowledged() >= MESSAGES, 60, f"{MESSAGES} messages")
        relay.kill()
        in_log = shutil.copytree(relay.settings["spool_path"], folder / "log")
        relay.start()  # which writes what it reads of the log into tables
        relay.kill()
        in_tables = shutil.copytree(relay.settings["spool_path"], folder / "tables")
    return load, {"in log": in_log, "in tables": in_tables}


def is_settled(relay):
    """Started again where it has ended, as in a pod: also where it finds its queue damaged while it runs."""
    status = relay.process.poll()
    if status is None and relay.get("/livez")[0] == 200:
        return relay.get("/readyz")[0] == 200 and relay.is_empty()
    assert status is None or status > 0, f"it died: {status}\n{relay.log_file.read_text()[-3000:]}"
    return relay.start(wait=False) and False


@pytest.mark.parametrize("damage", [cut, turn_a_bit], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_of_the_spool_costs_what_it_held_and_is_told_of_Case103(tmp_path, stored, kind, damage):
    load, spools = stored
    files, where, share = KINDS[kind]
    rng = random.Random(f"{SEED}/{kind}/{damage.__name__}")
    for place in range(PLACES):
        folder = tmp_path / str(place)
        folder.mkdir()
        spool = shutil.copytree(spools[where], folder / "spool")
        path = rng.choice(sorted(path for path in spool.glob(files) if path.stat().st_size))
        damage(path, rng)
        with RawSink(folder / "sink", specs=REFUSALS) as sink:
            relay = torn_relay(sink, folder).start(wait=False)
            patiently(lambda: is_settled(relay), 60, "it has delivered what there is")
            assert relay.stop() == 0
            history = custody.History(load.sent, *arrivals(sink))
        account = custody.account(history)
        told = [record for record in relay.records() if record["event"] in TELLS]
        print(f"{path.name}, {len(told)} words: {account}")
        faults = custody.faults(history)
        assert [fault for fault in faults if "is lost for" not in fault and not fault.startswith("the sum is wrong")] == []
        assert account.delivered + account.bounced >= share[damage.__name__] * account.sent
        # A log that ends early looks as one does whose rest was never written.
        assert not faults or told or (kind, damage) == ("log", cut), f"what was lost is told of: {faults[:3]}"


def turn_in_the_queue(spool):
    """A bit of the table that holds the queue, behind the block that a start looks at."""
    queue = b"smarthost/default"
    table = max(spool.glob("*.sst"), key=lambda path: path.read_bytes().count(queue))
    octets = bytearray(table.read_bytes())
    places = [at for at in range(len(octets)) if octets.startswith(queue, at)]
    octets[places[len(places) // 2]] ^= 1
    table.write_bytes(octets)


def test_a_queue_found_damaged_while_the_relay_runs_ends_it_and_the_next_one_loses_nothing_Case103(tmp_path):
    with RawSink(tmp_path / "sink", specs=[NOT_NOW]) as sink:
        relay = torn_relay(sink, tmp_path).start()
        with Load(relay.smtp_port, SEED, pause=0) as load:
            patiently(lambda: load.acknowledged() >= OF_SEVERAL_BLOCKS, 60, f"{OF_SEVERAL_BLOCKS} messages")
        relay.kill()
        relay.start()  # which writes what it reads of the log into tables
        relay.kill()
        turn_in_the_queue(tmp_path / "spool")
        sink.faults.clear()
        for spec in REFUSALS:
            sink.faults.add(spec)
        relay.start(wait=False)
        assert relay.process.wait(60) == RESTART, "it ran, and ended for the next one"
        assert "Corruption" in relay.records("restarts")[0]["reason"]
        with relay:
            history = drained(relay, sink, [load])
            assert relay.records("spool_damaged"), "the next one repaired it"
    print(custody.account(history))
    assert custody.faults(history) == []
