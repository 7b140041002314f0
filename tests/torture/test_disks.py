"""Disks and descriptors that run out or fail while clients send: nothing is accepted on hope, and all goes on behind it.

tests/fault says what probes, metrics and logs tell of the same faults; here is judged what became of the mail.
"""

import contextlib
import resource
import signal
import socket

import custody
import pytest
from disk import Disk
from gauges import Gauge
from kill_rounds import DELIVERIES_AT_ONCE, torn_relay
from mail_history import OCTETS_OF_LARGE, REFUSALS, Load, drained
from raw_sink import RawSink
from relay import RESTART, patiently
from system_calls import injected, thread_of

# Each connection to the next hop has, at most, one message in delivery and one whose record is under way.
UNRECORDED = 2 * int(DELIVERIES_AT_ONCE)
SOME = 30  # messages, so that what follows meets a relay at work


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink:
        yield sink


def relay_on(disk, sink, folder):
    return torn_relay(sink, folder, spool_path=disk.path / "spool")


def goes_on(load, seconds=60):
    """Until some more has been acknowledged."""
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + SOME, seconds, "mail is taken")


def goes_on_also_behind_a_restart(relay, load):
    """As in a pod, where what ends is started again."""
    before = load.acknowledged()

    def is_taken():
        if relay.process.poll() == RESTART:
            relay.start(wait=False)
        return load.acknowledged() >= before + SOME

    patiently(is_taken, 60, "mail is taken")


def refused(load, code):
    return [sent for sent in list(load.sent) if sent.reply.startswith(code)]


def is_refused(load, *codes, seconds=60):
    before = {code: len(refused(load, code)) for code in codes}
    patiently(lambda: any(len(refused(load, code)) > before[code] for code in codes), seconds, f"a reply of {codes}")


def judged(history):
    count = sum(1 for sent in history.sent if sent.refused)
    print(f"{len(history.sent)} messages, {count} of them refused: {custody.account(history)}")
    assert custody.faults(history) == []


def test_a_disk_without_blocks_refuses_and_goes_on_once_there_are_some_Case095(tmp_path, sink):
    with Disk(tmp_path, 256) as disk, relay_on(disk, sink, tmp_path) as relay:
        with Load(relay.smtp_port, seed=1) as load:
            goes_on(load)
            disk.fill()
            is_refused(load, "452 4.3.1")
            disk.empty()
            goes_on_also_behind_a_restart(relay, load)
        judged(drained(relay, sink, [load], unrecorded=UNRECORDED))


def test_a_disk_without_inodes_refuses_and_goes_on_once_there_are_some_Case096(tmp_path, sink):
    with Disk(tmp_path, 512, inodes=400) as disk, relay_on(disk, sink, tmp_path) as relay:
        with Load(relay.smtp_port, seed=1) as load:
            goes_on(load)
            disk.fill_inodes()
            is_refused(load, "452 4.3.1")
            assert "inodes" in relay.get("/readyz")[1]
            disk.empty_inodes()
            goes_on_also_behind_a_restart(relay, load)
        judged(drained(relay, sink, [load], unrecorded=UNRECORDED))


def is_shut_and_goes_on(tmp_path, sink, fault, thread):
    relay = torn_relay(sink, tmp_path).start()
    with Load(relay.smtp_port, seed=1, octets=OCTETS_OF_LARGE, pause=0) as load:
        goes_on(load)
        with injected(relay.process, fault, thread=thread_of(relay.process, thread)):
            is_refused(load, "452 4.3.1", seconds=120)
            assert relay.process.wait(60) == RESTART
        assert relay.records("restarts"), "it says why"
        with relay:
            goes_on(load)
            load.stop()
            judged(drained(relay, sink, [load], syncs_failed=fault.startswith("fdatasync"), unrecorded=UNRECORDED))


def test_a_process_whose_spool_is_shut_by_a_full_disk_ends_once_there_is_space_Case095_Case096(tmp_path, sink):
    """A file that it can't make is final for RocksDB: here that of the log, once the one before has its size."""
    is_shut_and_goes_on(tmp_path, sink, "openat:error=ENOSPC", "committer")


@pytest.mark.parametrize("fault, thread", [
    ("openat:error=EMFILE", "committer"),  # of a log
    ("openat:error=EMFILE", "rocksdb:high"),  # of a table
    ("openat:error=EMFILE", "rocksdb:low"),  # of one that others become
    ("openat:error=ENFILE", "committer"),
    ("openat:error=EDQUOT", "committer"),
    ("write:error=EDQUOT:when=5+", "committer"),
    ("fdatasync:error=EDQUOT:when=5+", "committer"),
], ids=lambda value: value.replace(":", " "))
def test_a_process_whose_spool_is_shut_by_a_shortage_ends_and_the_next_one_goes_on_Case097_Case110(tmp_path, sink, fault, thread):
    """No descriptor, or no more of a quota: what RocksDB takes for final is so for one process (decision 0107)."""
    is_shut_and_goes_on(tmp_path, sink, fault, thread)


def test_a_spool_that_finds_no_descriptor_under_load_goes_on_behind_a_restart_Case110(tmp_path, sink):
    relay = torn_relay(sink, tmp_path).start()
    with Load(relay.smtp_port, seed=1, octets=OCTETS_OF_LARGE, pause=0) as load:
        goes_on(load)
        used, most = Gauge(relay.process.pid).descriptors(), resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (used, most))  # connections take what another gives back
        assert relay.process.wait(120) == RESTART
        assert "Too many open files" in relay.records("restarts")[0]["reason"]
        with relay:
            goes_on(load)
            load.stop()
            judged(drained(relay, sink, [load], unrecorded=UNRECORDED))


def test_a_disk_that_was_remounted_read_only_refuses_until_a_restart_on_a_mended_one_Case097(tmp_path, sink):
    with Disk(tmp_path, 256, options="errors=remount-ro") as disk:
        with relay_on(disk, sink, tmp_path) as relay, Load(relay.smtp_port, seed=1) as load:
            goes_on(load)
            disk.fail()
            assert disk.is_read_only()
            is_refused(load, "451", "452")
            relay.kill()
        disk.mend()
        with relay, Load(relay.smtp_port, seed=1, name="n") as behind:
            goes_on(behind)
            behind.stop()
            judged(drained(relay, sink, [load, behind], syncs_failed=True, unrecorded=UNRECORDED))


@pytest.mark.parametrize("fault, reply, is_final", [
    ("write:error=EIO:when=5+", "451 4.3.0", True),
    ("fdatasync:error=EIO:when=5+", "451 4.3.0", True),
    ("write:error=EFBIG:when=5+", "451 4.3.0", True),  # no file of the spool is meant to grow so
    ("write:error=ENOSPC:when=5..8", "452 4.3.1", False),
    ("fdatasync:error=ENOSPC:when=5..8", "452 4.3.1", False),
], ids=lambda value: value.replace(":", " ") if isinstance(value, str) else None)
def test_a_failing_call_of_the_committer_refuses_what_it_was_for_Case095_Case097_Case098(tmp_path, sink, fault, reply, is_final):
    relay = torn_relay(sink, tmp_path).start()
    with Load(relay.smtp_port, seed=1) as load:
        with injected(relay.process, fault, thread=thread_of(relay.process, "committer")):
            is_refused(load, reply)
        if is_final:
            is_refused(load, "451")  # the disk works again, and is not believed
        else:
            goes_on_also_behind_a_restart(relay, load)
    relay.kill()
    with relay, Load(relay.smtp_port, seed=1, name="n") as behind:
        goes_on(behind)
        behind.stop()
        judged(drained(relay, sink, [load, behind], syncs_failed=fault.startswith("fdatasync"),
                       unrecorded=UNRECORDED))


def has_aborted(relay):
    """RocksDB has an assertion for whoever syncs a log in the moment in which a flush could not: the process ends as by a kill."""
    if relay.process.poll() is None:
        return False
    assert relay.process.returncode == -signal.SIGABRT
    assert "AssertFalseAndGetStatusForPrevError" in relay.log_file.read_text()
    return True


@pytest.mark.parametrize("thread", ["rocksdb:high", "rocksdb:low"])
@pytest.mark.parametrize("calls", ["write,pwrite64", "fdatasync,fsync"])
def test_a_failing_call_of_a_flush_or_a_compaction_is_final_and_loses_nothing_Case098(tmp_path, sink, calls, thread):
    """Tables are written behind everybody's back: what stands in the log is not given up for them."""
    relay = torn_relay(sink, tmp_path).start()
    with Load(relay.smtp_port, seed=1, octets=OCTETS_OF_LARGE, pause=0) as load:
        goes_on(load)
        with injected(relay.process, f"{calls}:error=EIO", thread=thread_of(relay.process, thread)):
            patiently(lambda: refused(load, "451 4.3.0") or has_aborted(relay), 120, "mail is refused, or RocksDB gives up")
        if not has_aborted(relay):
            assert relay.get("/livez")[0] == 200 and relay.get("/readyz")[0] == 503
            is_refused(load, "451 4.3.0")  # the disk works again, and is not believed
            relay.kill()
    with relay, Load(relay.smtp_port, seed=1, name="n") as behind:
        goes_on(behind)
        behind.stop()
        judged(drained(relay, sink, [load, behind], unrecorded=UNRECORDED))


def test_a_process_without_descriptors_makes_clients_wait_and_turns_not_in_vain_Case110(tmp_path, sink):
    with torn_relay(sink, tmp_path, max_connections_per_client="1000") as relay, contextlib.ExitStack() as idle:
        with Load(relay.smtp_port, seed=1) as load:
            goes_on(load)
        patiently(relay.is_empty, 60, "the queue is empty")
        gauge = Gauge(relay.process.pid)
        limits = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (gauge.descriptors() + 8, limits[1]))
        # Those that come first are greeted, the others wait in the listener's backlog.
        waiting = [idle.enter_context(socket.create_connection(("127.0.0.1", relay.smtp_port))) for _ in range(24)]
        patiently(lambda: relay_has_no_more(gauge, relay), 20, "no descriptor is left")
        before = gauge.cpu()
        for _ in range(4):  # a second and more for each: nobody answers
            assert not greeted(waiting[-1])
        assert gauge.cpu() - before < 1, "it turns in vain"
        idle.close()
        with Load(relay.smtp_port, seed=1, name="n") as behind:
            goes_on(behind)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, limits)
        judged(drained(relay, sink, [load, behind]))


def relay_has_no_more(gauge, relay):
    limit, _ = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    return gauge.descriptors() >= limit


def greeted(connection):
    connection.settimeout(1)
    with contextlib.suppress(TimeoutError):
        return connection.recv(100)
    return b""
