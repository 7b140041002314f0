"""What a relay that stops delivers before it ends, and what it leaves in the spool."""

import time

from raw_sink import RawSink
from ports import free_ports
from relay import PATIENCE, Client, Relay, arrived, patiently

SLOW = "end:*:delay:{}"  # seconds


def slow_relay(folder, sink, **settings):
    """One message at a time."""
    return Relay(folder, smarthost=f"127.0.0.1:{sink.port}", delivery_connections=1, session_drain_timeout="1s", **settings)


def send(relay, count):
    with Client(relay.smtp_port) as client:
        for number in range(count):
            client.send(content=f"Subject: {number}\r\n\r\nbody\r\n".encode())


def test_a_stop_delivers_all_that_is_due(tmp_path):
    with RawSink(tmp_path / "sink", specs=[SLOW.format(0.2)]) as sink:
        relay = slow_relay(tmp_path, sink, flush_timeout="60s").start()
        send(relay, 15)
        assert relay.stop() == 0
        assert len(arrived(sink, 15)) == 15
        assert relay.records("flush")
        assert relay.records("stopped")[0]["waiting"] == 0


def test_a_stop_leaves_what_it_has_no_time_for_in_the_spool(tmp_path):
    with RawSink(tmp_path / "sink", specs=[SLOW.format(0.5)]) as sink:
        relay = slow_relay(tmp_path, sink, flush_timeout="1s").start()
        send(relay, 15)
        assert relay.stop() == 0
        assert relay.records("flush_timeout")
        assert 0 < relay.records("stopped")[0]["waiting"] < 15
        sink.faults.clear()
        with relay:
            assert len(arrived(sink, 15)) == 15, "each of them once"
            patiently(relay.is_empty, 20, "the spool is empty")


def test_a_stop_flushes_nothing_where_that_has_no_time(tmp_path):
    with RawSink(tmp_path / "sink", specs=[SLOW.format(0.5)]) as sink:
        relay = slow_relay(tmp_path, sink, flush_timeout="0s").start()
        send(relay, 15)
        assert relay.stop() == 0
        assert not relay.records("flush")
        assert relay.records("stopped")[0]["waiting"] > 0


def test_a_stop_does_not_wait_for_a_smarthost_that_is_down_nor_for_what_was_deferred(tmp_path):
    port = free_ports(1)[0]
    relay = Relay(tmp_path, smarthost=f"127.0.0.1:{port}", flush_timeout="60s", retry_initial_delay="1h",
                  retry_max_delay="1h").start()
    send(relay, 3)
    patiently(lambda: relay.records("hop_failure"), 10, "the refusal")
    begun = time.monotonic()
    assert relay.stop() == 0
    assert time.monotonic() - begun < 10 * PATIENCE
    assert relay.records("stopped")[0]["waiting"] == 3
    with RawSink(tmp_path / "sink", listen=(("127.0.0.1", port),), specs=["rcpt:*:reply:451 4.2.0 later"]):
        with relay:
            patiently(lambda: relay.records("deferral"), 20, "the deferral")
            begun = time.monotonic()
            assert relay.stop() == 0
            assert time.monotonic() - begun < 10 * PATIENCE


def test_a_second_signal_ends_the_flush(tmp_path):
    with RawSink(tmp_path / "sink", specs=[SLOW.format(1)]) as sink:
        relay = slow_relay(tmp_path, sink, flush_timeout="10m").start()
        send(relay, 30)
        relay.process.terminate()
        patiently(lambda: relay.records("flush"), 10, "the flush")
        relay.process.terminate()
        assert relay.process.wait(20) == 0
        assert relay.records("stopped")[0]["waiting"] > 0
