"""Starting, stopping, draining, dying: what was acknowledged stays, and probes tell the truth."""

import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import threading
import time

from black_hole import BlackHole
from raw_sink import RawSink
from relay import PATIENCE, Client, Relay, patiently


def greeted_by(relay):
    with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=10) as client:
        return client.recv(1000).decode()


def test_a_stop_refuses_probes_first_and_connections_later(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", lame_duck="2s").start()
        busy = Client(relay.smtp_port)
        busy.begin("busy@example.com", ["b@example.net"])
        busy.write(b"Subject: half\r\n")
        idle = Client(relay.smtp_port)
        begun = time.monotonic()
        relay.signal(signal.SIGTERM)
        patiently(lambda: relay.get("/health")[0] == 503, 2, "/health is 503")
        assert relay.get("/readyz") == (503, "stopping\n")
        assert relay.get("/livez")[0] == 200
        with Client(relay.smtp_port) as late:
            late.send()  # within the lame-duck time mail is still accepted
        patiently(lambda: relay.records("stopping"), 5, "the record")
        assert idle.reply().startswith("421 4.3.2")
        with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=10) as turned_away:
            assert turned_away.recv(1000).startswith(b"421 4.3.2")
        busy.write(b"\r\nthe rest\r\n.\r\n")
        assert busy.reply().startswith("250 2.0.0")
        assert relay.process.wait(20) == 0
        assert 2 <= time.monotonic() - begun < 8 * PATIENCE


def test_a_stop_does_not_wait_for_clients_that_it_turns_away(tmp_path):
    refused = []

    def come_again_and_again():
        """Each keeps its connection open for as long as the relay lets it."""
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=10)
                refused.append((client, client.recv(1000)))
            except OSError:
                return  # nobody listens any more

    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", lame_duck="0s", session_drain_timeout="10s").start()
        busy = Client(relay.smtp_port)
        busy.begin("busy@example.com", ["b@example.net"])
        busy.write(b"Subject: half\r\n")
        relay.signal(signal.SIGTERM)
        patiently(lambda: greeted_by(relay).startswith("421 4.3.2"), 10, "it turns clients away")
        clients = threading.Thread(target=come_again_and_again)
        clients.start()
        patiently(lambda: len(refused) > 5, 10, "some that are turned away")
        busy.write(b"\r\nthe rest\r\n.\r\n")
        assert busy.reply().startswith("250 2.0.0")
        assert relay.process.wait(20) == 0
        clients.join()
        for client, _ in refused:
            client.close()
        assert not relay.records("drain_timeout")


def test_a_stop_does_not_wait_longer_than_told_for_a_client_that_does_not_finish(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", session_drain_timeout="1s").start()
        stuck = Client(relay.smtp_port)
        stuck.begin("a@example.com", ["b@example.net"])
        begun = time.monotonic()
        assert relay.stop() == 0
        assert time.monotonic() - begun < 5 * PATIENCE
        assert relay.records("drain_timeout")
        assert stuck.reply() == ""


def test_a_stop_does_not_wait_for_a_next_hop_that_swallows_everything(tmp_path):
    with BlackHole() as port:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{port}", session_drain_timeout="1s").start()
        with Client(relay.smtp_port) as client:
            client.send()
        patiently(lambda: json.loads(relay.ctl("status", "--json"))["in_flight"] == 1, 10, "an attempt")
        assert relay.stop() == 0
        assert not relay.records("stop_abandoned")
        with relay:
            assert relay.metric("queue_messages") == 1


def test_a_drain_lasts_until_resume(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", lame_duck="1s") as relay:
            assert "Draining" in relay.ctl("drain")
            assert relay.get("/health") == (503, "drained by relayctl, until relayctl resume\n")
            with Client(relay.smtp_port) as client:
                client.send()

            def turned_away():
                with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=10) as probe:
                    return probe.recv(1000).startswith(b"421 4.3.2")
            patiently(turned_away, 10, "new connections get 421")
            assert relay.process.poll() is None
            assert relay.metric("draining") == 1
            relay.ctl("resume")
            patiently(lambda: relay.get("/health")[0] == 200 and not turned_away(), 10, "it takes mail again")


def test_the_pods_annotation_drains_too(tmp_path):
    annotations = tmp_path / "annotations"
    annotations.write_text('kubernetes.io/config.seen="x"\n')
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", pod_annotations=annotations) as relay:
            annotations.write_text('smtp.buildinglink.com/drain="node1 is cordoned"\n')
            patiently(lambda: relay.get("/health")[0] == 503, 10, "/health is 503")
            assert "annotation" in relay.get("/readyz")[1]
            annotations.write_text("")
            patiently(lambda: relay.get("/health")[0] == 200, 10, "/health is 200")


def test_a_relay_that_retires_takes_nothing_new_and_tries_all_that_waits(tmp_path):
    annotations = tmp_path / "annotations"
    with RawSink(tmp_path / "sink", specs=["end:1:reply:451 4.3.0 later"]) as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", pod_annotations=annotations,
                   retry_initial_delay="1h", retry_max_delay="1h") as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            patiently(lambda: relay.metric('recipients_total{result="deferred"}') == 1, 10, "the message is deferred")
            assert json.loads(relay.get("/node")[1])["waiting"] == 1
            annotations.write_text('smtp.buildinglink.com/retire="true"\n')
            patiently(lambda: len([each for each in sink.store.messages() if each.accepted]) == 1, 10,
                      "it is delivered an hour before its time")

            def facts():
                found = json.loads(relay.get("/node")[1])
                return {key: found[key] for key in ("accepting", "sessions", "waiting", "ready")}
            patiently(lambda: facts() == {"accepting": False, "sessions": 0, "waiting": 0, "ready": False}, 10,
                      "nothing is left and nothing comes")
            assert "retiring" in relay.get("/health")[1]


def test_a_successor_waits_for_the_spool_and_says_so(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        first = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}").start()
        second = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}")
        second.log_file = tmp_path / "second.log"
        second.start(wait=False)
        patiently(lambda: second.records("spool_locked"), 10, "the record")
        patiently(lambda: "waiting for another process" in second.get("/readyz")[1], 5, "the reason")
        assert second.get("/livez")[0] == 200
        with Client(first.smtp_port) as client:
            client.send()
        first.kill()
        patiently(second.is_ready, 20, "the successor is ready")
        patiently(lambda: len(sink.store.messages()) >= 1, 10, "the message")
        assert second.stop() == 0


def test_a_relay_that_waits_for_the_spool_can_be_stopped(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}"):
            second = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}")
            second.log_file = tmp_path / "second.log"
            second.start(wait=False)
            patiently(lambda: second.records("spool_locked"), 10, "the record")
            assert second.stop(10) == 0


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path):
    """Rounds of a killed relay under load: every acknowledged message arrives, whole, most of them once."""
    rounds, seed = 12, random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    acknowledged, in_flight = [], 0
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}")
        lock, stop = threading.Lock(), threading.Event()

        def client(number):
            count = 0
            while not stop.is_set():
                try:
                    with Client(relay.smtp_port) as connection:
                        while not stop.is_set():
                            name = f"c{number}-{count}"
                            count += 1
                            size = chance.choice([100, 100, 100, 50_000, 200_000])
                            body = (b"x" * 76 + b"\r\n") * (size // 78 + 1)
                            connection.send(recipients=(f"{name}@example.net",),
                                            content=f"Subject: {name}\r\n\r\n".encode() + body)
                            with lock:
                                acknowledged.append((name, len(body)))
                except (OSError, AssertionError):
                    stop.wait(0.02)

        relay.start()
        clients = [threading.Thread(target=client, args=(number,)) for number in range(6)]
        for thread in clients:
            thread.start()
        try:
            for _ in range(rounds):
                goal = len(acknowledged) + chance.randrange(5, 40)
                patiently(lambda: len(acknowledged) >= goal, 30, "traffic")
                relay.kill()
                in_flight += 40  # what the relay may have had between a next hop's answer and its record
                relay.start()
        finally:
            stop.set()
            for thread in clients:
                thread.join()
        patiently(lambda: relay.metric("queue_messages") == 0, 60, "the queue is empty")
        assert relay.stop() == 0
        arrived = {}
        for message in sink.store.messages():
            if message.accepted:
                name = message.recipients[0].split("@")[0]
                size = len(message.content.split(b"\r\n\r\n", 1)[1])
                arrived.setdefault(name, []).append(size)
        for name, size in acknowledged:
            assert name in arrived, f"{name} was acknowledged and is lost"
            assert set(arrived[name]) == {size}, f"{name} is not whole"
        copies = sum(len(sizes) for sizes in arrived.values()) - len(arrived)
        assert copies <= in_flight
        print(len(acknowledged), "acknowledged,", copies, "duplicates")


def test_the_log_is_one_json_object_a_line(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}") as relay:
            with Client(relay.smtp_port, greet='EHLO {"event":"forged"}') as client:
                client.send()
            patiently(lambda: relay.records("delivery"), 10, "the delivery")
        for line in relay.log_file.read_text().splitlines():
            record = json.loads(line)
            assert {"time", "level", "event"} <= record.keys()
        reception = relay.records("reception")[0]
        assert reception["client"] == "127.0.0.1"
        assert reception["helo"] == '{"event":"forged"}'
        delivery = relay.records("delivery")[0]
        assert delivery["queue_id"] == reception["queue_id"]
        assert {"host", "address", "reply", "delay", "attempt", "size", "sender", "recipient"} <= delivery.keys()
        assert delivery["destination"] == "smarthost/default"
        assert delivery["connection_use"] == 1
        # Before the queue gave it out, within the relay, connecting, sending; in all about its delay.
        parts = [float(part) for part in delivery["delays"].split("/")]
        assert len(parts) == 4 and all(part >= 0 for part in parts)
        assert abs(sum(parts) - delivery["delay"]) < 0.5
        assert "class" not in delivery


def test_records_tell_how_often_a_connection_was_used(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", shards="1") as relay, Client(relay.smtp_port) as client:
            for number in range(1, 4):
                client.send()
                patiently(lambda: len(relay.records("delivery")) == number, 10, "the delivery")
            assert relay.metric("connections_reused_total") == 2
        assert [record["connection_use"] for record in relay.records("delivery")] == [1, 2, 3]


class StuckThread:
    """Stops one thread of a process, as a debugger does."""

    ATTACH, DETACH = 16, 17

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        tasks = pathlib.Path(f"/proc/{pid}/task")
        self.thread, = [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().strip() == name]

    def __enter__(self):
        assert self.libc.ptrace(self.ATTACH, self.thread, None, None) == 0, os.strerror(ctypes.get_errno())
        os.waitpid(self.thread, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        self.libc.ptrace(self.DETACH, self.thread, None, None)


def test_a_stuck_shard_is_a_matter_of_life(tmp_path):
    """Half of the connections would hang: only a restart helps."""
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", shards="2") as relay:
            with StuckThread(relay.process.pid, "shard-1"):
                # The kernel gives some of the connections to the shard that is stuck: those time out.
                patiently(lambda: relay.get("/livez") == (503, "1 event loops are stuck\n"), 60, "/livez is 503")
            patiently(lambda: relay.get("/livez") == (200, "OK\n"), 20, "/livez is 200 once it turns again")
