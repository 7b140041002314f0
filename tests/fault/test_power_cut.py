"""A power cut under load: ext4 and XFS on a loop device, stopped without a journal flush. No 250 is lost."""

import threading

import pytest
from disk import FILE_SYSTEMS, Disk
from power_cuts import cut_power
from raw_sink import RawSink
from relay import Client, Relay, patiently

CONNECTIONS = 50
MESSAGES = 600  # acknowledged before the cut


class Load:
    """Many clients that send until the relay is gone, and remember what was acknowledged."""

    def __init__(self, relay):
        self.relay = relay
        self.acknowledged = []
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CONNECTIONS)]

    def _send(self, number):
        try:
            with Client(self.relay.smtp_port) as client:
                for count in range(10_000):
                    name = f"c{number}-{count}@example.net"
                    client.send(recipients=(name,), content=f"Subject: {name}\r\n\r\nbody\r\n".encode())
                    self.acknowledged.append(name)
        except (OSError, AssertionError):
            pass

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self._threads:
            thread.join()


def lost_by_a_power_cut(tmp_path, file_system, **settings):
    """Acknowledged messages that did not arrive once power was back, and (messages, syncs) before the cut."""
    with Disk(tmp_path, 256, file_system=file_system) as disk, RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, spool_path=disk.path / "spool", smarthost="127.0.0.1:1",
                      max_connections="1000", max_connections_per_client="1000", retry_initial_delay="10s",
                      retry_max_delay="10s", **settings)
        relay.start()
        with Load(relay) as load:
            patiently(lambda: len(load.acknowledged) >= MESSAGES, 60, f"{MESSAGES} messages")
            counts = relay.metric("messages_received_total"), relay.metric("spool_syncs_total")
            cut_power(relay, disk)
        disk.restore_power()
        relay.settings |= {"smarthost": f"127.0.0.1:{sink.port}", "retry_initial_delay": "200ms",
                           "retry_max_delay": "1s"}
        with relay:
            patiently(lambda: relay.metric("queue_messages") == 0, 120, "the queue is empty")
        arrived = {message.recipients[0] for message in sink.store.messages() if message.accepted}
        for message in sink.store.messages():
            subject = f"Subject: {message.recipients[0]}\r\n\r\nbody\r\n".encode()
            assert message.raw.endswith(subject), "a message is not whole"
        return set(load.acknowledged) - arrived, counts


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_nothing_acknowledged_is_lost(tmp_path, file_system):
    lost, (messages, syncs) = lost_by_a_power_cut(tmp_path, file_system)
    assert lost == set()
    print(f"{messages:.0f} messages, {syncs:.0f} syncs over {CONNECTIONS} connections")
    assert 0 < syncs < messages


@pytest.mark.parametrize("file_system", FILE_SYSTEMS)
def test_the_same_test_sees_a_relay_that_does_not_sync(tmp_path, file_system):
    """Else the test above would prove nothing."""
    lost, (_, syncs) = lost_by_a_power_cut(tmp_path, file_system, durability="relaxed")
    assert syncs == 0
    assert lost


@pytest.mark.parametrize("durability, durable", [("strict", 1), ("relaxed", 0)])
def test_the_relay_says_whether_it_syncs(tmp_path, durability, durable):
    with Relay(tmp_path, smarthost="127.0.0.1:1", durability=durability) as relay:
        assert relay.metric("durable") == durable
        assert bool(relay.records("durability_relaxed")) == (durable == 0)


def test_the_name_of_a_new_spool_is_synced_with_the_folder_that_it_stands_in_Case100(tmp_path):
    """ext4 and XFS do so by themselves with the first file in it, which no standard promises."""
    calls, volume = tmp_path / "calls", tmp_path / "volume"
    volume.mkdir()
    traced = ["strace", "-D", "-f", "-qq", "-y", "-e", "trace=fsync", "-o", str(calls)]
    relay = Relay(tmp_path, prefix=traced, spool_path=volume / "spool", smarthost="127.0.0.1:1").start()
    try:
        patiently(lambda: f"<{volume}>)" in calls.read_text(), 5, "the folder above is synced")
    finally:
        relay.kill()  # at a regular end LeakSanitizer would want to trace it, too
