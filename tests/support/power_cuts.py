"""Power cuts: the processor of a relay and its disk stop at one moment, again and again, while clients send."""

import pathlib
import random
import signal
import time

from disk import Disk
from kill_rounds import LATEST, SHARE_OF_STARTS, torn_relay
from mail_history import REFUSALS, Load, drained
from raw_sink import RawSink
from waiting import wait_until

MEGABYTES = 512
CLIENTS = 8  # so that syncs are shared


def cut_power(relay, disk):
    """What was not synced is gone, and the relay with it; it may start again behind disk.restore_power()."""
    # The processor first: a sync that is under way while Linux stops a file system can return 0 with nothing written
    # (jbd2_complete_transaction finds its transaction gone), which no power cut does. Stopped, the relay acts on no such answer.
    relay.signal(signal.SIGSTOP)
    assert relay.process.poll() is None, f"the relay has ended: {relay.log_file.read_text()[-3000:]}"
    wait_until(lambda: is_stopped(relay.process), 20, "the relay is stopped", every=0.001)
    take_power(relay, disk)


def take_power(relay, disk):
    """The same for a relay that is stopped."""
    disk.cut_power()
    relay.kill()


def is_stopped(process):
    """Whether none of its threads runs any more: each is stopped, or waits in the kernel for a disk, and is stopped behind
    that."""
    states = set()
    try:
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
            states.add((task / "stat").read_text().rpartition(")")[2].split()[0])
    except OSError:  # one of them has ended just now
        return False
    return bool(states & set("Tt")) and states <= set("TtD")


def cut_rounds(folder, file_system, rounds, seed):
    """The history of so many power cuts at random moments, drained; as kill_rounds()."""
    rng = random.Random(seed)
    with Disk(folder, MEGABYTES, file_system=file_system) as disk, RawSink(folder / "sink", specs=REFUSALS) as sink, \
         torn_relay(sink, folder, spool_path=disk.path / "spool") as relay:
        with Load(relay.smtp_port, seed, clients=CLIENTS) as load:
            for _ in range(rounds):
                time.sleep(rng.uniform(0.001, LATEST))
                cut_power(relay, disk)
                disk.restore_power()
                relay.start(wait=rng.random() > SHARE_OF_STARTS)
        return drained(relay, sink, [load], settling=settling(relay))


def settling(relay):
    """Seconds in which a record is on the disk: what the slowest commit took, twice, since that in which a cut came is not
    among them, and what the sink may be late to see."""
    return 2 * max(record["commit_ms"] for record in relay.records("reception")) / 1000 + 0.1
