"""Disks that fill up, turn read-only or fail: mail is refused and probes say why; nothing acknowledged is lost."""

import base64
import contextlib
import json
import os
import random
import resource
import subprocess

import pytest
from disk import Disk
from raw_sink import RawSink
from relay import Client, Relay, patiently

# 94 KB that the database cannot press into nothing.
BODY = b"Subject: x\r\n\r\n" + base64.encodebytes(random.Random(1).randbytes(57 * 1200)).replace(b"\n", b"\r\n")


def send_until_refused(relay, most=3000, content=BODY):
    """Sends until the relay says no; returns what was acknowledged, and the refusal."""
    acknowledged = []
    with Client(relay.smtp_port) as client:
        for number in range(most):
            name = f"m{number}@example.net"
            try:
                client.send(recipients=(name,), content=content)
            except AssertionError as refusal:
                return acknowledged, str(refusal)
            acknowledged.append(name)
    raise AssertionError(f"not refused within {most} messages")


def arrive(sink, relay, names):
    def recipients():
        return {message.recipients[0] for message in sink.store.messages() if message.accepted}
    patiently(lambda: recipients() >= set(names), 60, "everything acknowledged at the sink")
    patiently(lambda: relay.metric("queue_messages") == 0, 20, "the queue is empty")


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add("connect:*:reply:421 4.3.2 not now")  # until a test lifts it, so that the spool fills
        yield sink


def relay_on(disk, tmp_path, sink, **settings):
    return Relay(tmp_path, spool_path=disk.path / "spool", smarthost=f"127.0.0.1:{sink.port}", **settings)


def test_mail_is_refused_before_the_disk_is_full(tmp_path, sink):
    # Space is measured once a second: the rest must be more than what comes in meanwhile.
    with Disk(tmp_path, 256) as disk, relay_on(disk, tmp_path, sink, spool_min_free_percent="60") as relay:
        acknowledged, refusal = send_until_refused(relay)
        assert "452 4.3.1" in refusal
        patiently(lambda: relay.get("/readyz")[0] == 503, 5, "/readyz is 503")
        status, reason = relay.get("/health")
        assert (status, "below spool_min_free_percent 60" in reason) == (503, True), reason
        assert relay.get("/livez")[0] == 200
        facts = json.loads(relay.get("/node")[1])
        assert (facts["ready"], "below spool_min_free_percent 60" in facts["reason"]) == (False, True), facts
        record, = patiently(lambda: relay.records("unhealthy"), 5, "the log says so too")
        assert "below spool_min_free_percent 60" in record["reason"]
        assert (record["level"], record["ready"]) == ("warning", False)
        sink.faults.clear()
        arrive(sink, relay, acknowledged)
        patiently(lambda: relay.get("/health")[0] == 200, 30, "/health is 200 once space is back")
        with Client(relay.smtp_port) as client:
            client.send()
        assert "reason" not in json.loads(relay.get("/node")[1])
        assert patiently(lambda: relay.records("healthy"), 30, "the log says that it is over")[0]["lasted"]


def test_a_relay_that_starts_on_a_disk_that_is_too_full_says_so_at_once(tmp_path, sink):
    with Disk(tmp_path, 256) as disk:
        disk.fill(percent=50)
        relay = relay_on(disk, tmp_path, sink, spool_min_free_percent="90").start(wait=False)
        try:
            record, = patiently(lambda: relay.records("unhealthy"), 20, "the log says so")
            assert "% free, below spool_min_free_percent 90" in record["reason"], record
            words = json.loads(relay.get("/node")[1])["reason"]
            assert relay.get("/readyz") == (503, words + "\n")
            # Numbers that change are no news, for a minute.
            disk.fill(percent=70)
            patiently(lambda: json.loads(relay.get("/node")[1])["reason"] != words, 10, "other numbers")
            assert len(relay.records("unhealthy")) == 1
            assert relay.stop() == 0
            assert not relay.records("healthy")
        finally:
            relay.stop()


def test_a_drained_relay_tells_of_a_full_disk_and_not_twice_of_its_drain(tmp_path, sink):
    with Disk(tmp_path, 256) as disk, relay_on(disk, tmp_path, sink, spool_min_free_percent="60") as relay:
        relay.ctl("drain")
        patiently(lambda: relay.records("drain"), 10, "it drains")
        disk.fill(percent=50)
        record, = patiently(lambda: relay.records("unhealthy"), 10, "the disk is told of")
        assert "spool_min_free_percent" in record["reason"]


def test_what_is_reserved_for_root_counts_neither_as_free_nor_as_used(tmp_path, sink):
    with Disk(tmp_path, 256, reserved_percent=50) as disk, relay_on(disk, tmp_path, sink, spool_min_free_percent="60") as relay:
        patiently(lambda: relay.metric("spool_free_bytes") > 0, 5, "space has been measured")
        assert relay.get("/health")[0] == 200, relay.get("/health")[1]


def test_a_spool_that_has_reached_its_size_refuses_mail(tmp_path, sink):
    with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", spool_max_size="2Mi") as relay:
        acknowledged, refusal = send_until_refused(relay)
        assert "452 4.3.1" in refusal
        assert 20 <= len(acknowledged) <= 24
        assert "spool_max_size 2Mi" in relay.get("/readyz")[1]
        sink.faults.clear()
        arrive(sink, relay, acknowledged)


def test_a_full_disk_refuses_mail_and_recovers(tmp_path, sink):
    """ENOSPC itself: the admission limit is off, and somebody else takes the space."""
    with Disk(tmp_path) as disk, relay_on(disk, tmp_path, sink) as relay:
        with Client(relay.smtp_port) as client:
            first = [f"first{number}@example.net" for number in range(20)]
            for name in first:
                client.send(recipients=(name,), content=BODY)
        disk.fill()
        acknowledged, refusal = send_until_refused(relay)
        assert "452 4.3.1" in refusal
        patiently(lambda: relay.get("/readyz")[0] == 503, 5, "/readyz is 503")
        assert relay.get("/livez")[0] == 200
        assert relay.metric('spool_errors_total{kind="full"}') >= 1
        disk.empty()
        patiently(lambda: relay.get("/readyz")[0] == 200, 20, "/readyz is 200 once space is back")
        with Client(relay.smtp_port) as client:
            client.send(recipients=("after@example.net",))
        sink.faults.clear()
        arrive(sink, relay, [*first, *acknowledged, "after@example.net"])


def test_a_start_on_a_full_disk_waits_for_space_and_says_so(tmp_path, sink):
    with Disk(tmp_path) as disk, relay_on(disk, tmp_path, sink) as relay:
        with Client(relay.smtp_port) as client:
            client.send(recipients=("before@example.net",), content=BODY)
        relay.stop()
        disk.fill()
        relay.start(wait=False)
        patiently(lambda: "is full: make space" in relay.get("/readyz")[1], 20, "/readyz says what it waits for")
        assert relay.get("/livez")[0] == 200
        assert len(relay.records("spool_full")) == 1
        disk.empty()
        patiently(relay.is_ready, 20, "the relay is ready")
        sink.faults.clear()
        arrive(sink, relay, ["before@example.net"])


def test_a_disk_that_is_full_again_behind_its_recovery_does_not_end_the_relay(tmp_path, sink):
    """The database has just written all of its memory out: nothing was written since when the disk is full again. What is
    refused is small, and leaves nothing to be cleared away."""
    with Disk(tmp_path) as disk, relay_on(disk, tmp_path, sink) as relay:
        acknowledged = []
        for _ in range(2):
            disk.fill()
            taken, refusal = send_until_refused(relay, content=BODY[:31000] + b"\r\n")
            acknowledged += taken
            assert "452 4.3.1" in refusal
            disk.empty()
            patiently(lambda: relay.get("/readyz")[0] == 200, 20, "/readyz is 200 once space is back")
        with Client(relay.smtp_port) as client:
            client.send(recipients=("after@example.net",))
        sink.faults.clear()
        arrive(sink, relay, [*acknowledged, "after@example.net"])


def test_what_was_acknowledged_before_the_disk_filled_survives_a_kill(tmp_path, sink):
    with Disk(tmp_path) as disk:
        relay = relay_on(disk, tmp_path, sink).start()
        acknowledged, _ = send_until_refused(relay)
        relay.kill()
        sink.faults.clear()
        (disk.path / "spool").stat()
        # The successor needs room for its own start; an operator makes some.
        disk.image.open("r+b").truncate(128 << 20)
        disk.unmount()
        os.system(f"e2fsck -fp {disk.image} >/dev/null 2>&1; resize2fs {disk.image} >/dev/null 2>&1")
        disk.mount()
        with relay:
            arrive(sink, relay, acknowledged)


def test_a_read_only_disk_refuses_mail_until_restart(tmp_path, sink):
    with Disk(tmp_path) as disk:
        relay = relay_on(disk, tmp_path, sink).start()
        with Client(relay.smtp_port) as client:
            client.send(recipients=("before@example.net",))
            os.sync()
            disk.cut_power()  # ext4 that has shut down answers EIO, as one that was remounted after an error does
            with pytest.raises(AssertionError, match="45[12] 4.3"):
                client.send()
            with pytest.raises(AssertionError, match="45[12] 4.3"):
                client.send()
        patiently(lambda: relay.get("/readyz")[0] == 503, 5, "/readyz is 503")
        assert "write to the spool" in relay.get("/health")[1]
        relay.kill()
        disk.restore_power()
        sink.faults.clear()
        with relay:
            arrive(sink, relay, ["before@example.net"])


@contextlib.contextmanager
def injected_syncs(relay, folder, what="error=EIO", call="fdatasync"):
    """From now on each fdatasync (or other `call`) of the relay fails with EIO, or what else strace can do to it."""
    trace = subprocess.Popen(["strace", "-f", "-qq", "-o", str(folder / "strace.log"), "-p", str(relay.process.pid),
                              "-e", f"trace={call}", "-e", f"inject={call}:{what}"], stderr=subprocess.PIPE)
    try:
        attached = f"/proc/{relay.process.pid}/status"
        patiently(lambda: f"TracerPid:\t{trace.pid}\n" in open(attached).read(), 10, "strace is attached")
        yield
    finally:
        trace.terminate()
        trace.wait(10)


def test_a_failed_sync_is_final(tmp_path, sink):
    """After an EIO a second fsync would claim success for pages that are gone: no further mail until restart."""
    relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}").start()
    with Client(relay.smtp_port) as client:
        client.send(recipients=("before@example.net",))
        with injected_syncs(relay, tmp_path):
            with pytest.raises(AssertionError, match="451 4.3.0"):
                client.send(recipients=("during@example.net",))
        # The disk works again, and the relay does not believe it.
        with pytest.raises(AssertionError, match="451 4.3.0"):
            client.send(recipients=("behind@example.net",))
    patiently(lambda: relay.get("/readyz")[0] == 503, 5, "/readyz is 503")
    assert relay.get("/livez")[0] == 200
    assert relay.metric('spool_errors_total{kind="failed"}') >= 1
    sink.faults.clear()
    assert relay.stop() == 0
    with relay:
        arrive(sink, relay, ["before@example.net"])
    assert "behind@example.net" not in {message.recipients[0] for message in sink.store.messages()}


def test_what_cannot_be_read_is_neither_quarantined_nor_joined_by_more(tmp_path, sink):
    """EIO of a read says nothing of the record: once the disk reads again, the message is delivered."""
    relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}").start()
    with Client(relay.smtp_port) as client:
        client.send(recipients=("before@example.net",), content=BODY)
    assert relay.stop() == 0
    with relay:  # what was in the log stands in tables now, and is read from there
        with injected_syncs(relay, tmp_path, call="pread64"):
            sink.faults.clear()
            patiently(lambda: relay.records("spool_unreadable"), 20, "a read that fails")
            assert relay.get("/readyz")[0] == 503
            with Client(relay.smtp_port) as client, pytest.raises(AssertionError, match="451 4.3.0"):
                client.send(recipients=("during@example.net",))
            assert relay.get("/livez")[0] == 200
        arrive(sink, relay, ["before@example.net"])
        assert relay.metric("spool_quarantined_total") == 0
        patiently(lambda: relay.get("/readyz")[0] == 200, 10, "/readyz is 200 again")


def test_a_spool_that_is_memory_is_warned_of_and_one_on_a_disk_is_not_Case107(tmp_path, sink):
    with Disk(tmp_path) as disk:
        with relay_on(disk, tmp_path, sink) as relay:
            assert not relay.records("spool_file_system")
        spool = disk.path / "memory"
        spool.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "spool", spool], check=True)
        try:
            with Relay(tmp_path, spool_path=spool / "spool", smarthost=f"127.0.0.1:{sink.port}") as relay:
                record, = relay.records("spool_file_system")
                assert (record["level"], record["file_system"]) == ("warning", "tmpfs"), record
        finally:
            subprocess.run(["umount", spool], check=True)


def test_few_descriptors_are_raised_as_far_as_they_go_and_told_where_that_is_not_enough_Case110(tmp_path, sink):
    for limits, warnings in (("256:8192", 0), ("256:2048", 1)):
        prefix = ["prlimit", f"--nofile={limits}"]
        with Relay(tmp_path, prefix=prefix, smarthost=f"127.0.0.1:{sink.port}") as relay:
            most = int(limits.partition(":")[2])
            assert resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE) == (most, most)
            assert [record["limit"] for record in relay.records("few_descriptors")] == [most] * warnings


def test_a_slow_sync_is_a_matter_of_readiness_and_not_of_life(tmp_path, sink):
    """Restarting the process would make no disk faster; the load balancer had better go elsewhere."""
    with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}") as relay, Client(relay.smtp_port) as client:
        with injected_syncs(relay, tmp_path, "delay_enter=15s:when=1"):
            client.begin("a@example.com", ["slow@example.net"])
            client.write(b"Subject: x\r\n\r\nbody\r\n.\r\n")
            patiently(lambda: relay.get("/readyz")[0] == 503, 14, "/readyz is 503 while the sync lasts")
            assert "spool" in relay.get("/health")[1]
            assert relay.get("/livez") == (200, "OK\n")
            assert client.reply().startswith("250 2.0.0")
        patiently(lambda: relay.get("/readyz")[0] == 200, 10, "/readyz is 200 again")
        sink.faults.clear()
        arrive(sink, relay, ["slow@example.net"])
