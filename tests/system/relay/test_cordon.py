"""What a relay does when the operator says, by an annotation of its pod, that its node is cordoned."""

import json
import socket

from raw_sink import RawSink
from relay import Client, Relay, arrived, patiently

CORDONED = 'smtp.buildinglink.com/cordoned="unschedulable"\n'
WORDS = "drained while its node is cordoned (unschedulable)\n"


def is_turned_away(relay):
    with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=10) as probe:
        return probe.recv(1000).startswith(b"421 4.3.2")


def test_a_cordon_drains_and_tries_at_once_what_waits(tmp_path):
    annotations = tmp_path / "annotations"
    annotations.write_text("")
    with RawSink(tmp_path / "sink", specs=["rcpt:2:reply:450 4.2.1 busy"]) as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", pod_annotations=annotations, lame_duck="2s",
                   retry_initial_delay="1h", retry_max_delay="1h") as relay:
            def deferred():
                return relay.metric('recipients_total{result="deferred"}')

            with Client(relay.smtp_port) as client:
                client.send()
            patiently(lambda: deferred() == 1, 20, "a first attempt")
            annotations.write_text(CORDONED)
            patiently(lambda: relay.get("/health") == (503, WORDS), 10, "/health says why it is 503")
            assert relay.get("/readyz") == (503, WORDS) and relay.get("/livez")[0] == 200
            assert json.loads(relay.get("/node")[1])["reason"] + "\n" == WORDS
            with Client(relay.smtp_port) as client:
                client.begin("late@example.com", ["b@example.net"])
            patiently(lambda: deferred() == 2, 10, "a second attempt, an hour before its time")
            patiently(lambda: is_turned_away(relay), 10, "new connections get 421 behind the lame duck")
            assert relay.metric("draining") == 1 and "unschedulable" in relay.ctl("status")
            assert "Still not taking mail: drained while its node is cordoned" in relay.ctl("resume")
            annotations.write_text("")
            patiently(lambda: relay.get("/health")[0] == 200 and not is_turned_away(relay), 10, "it takes mail again")
            assert deferred() == 2 and not sink.store.messages(), "a cordon is one attempt"
            annotations.write_text(CORDONED)
            arrived(sink, 1)
            assert [record["reason"] for record in relay.records("cordon")] == ["unschedulable"] * 2
            assert len(relay.records("uncordon")) == 1
            assert not relay.records("unhealthy"), "it is told once"


def test_a_relay_that_starts_on_a_cordoned_node_drains_from_the_beginning(tmp_path):
    annotations = tmp_path / "annotations"
    annotations.write_text(CORDONED)
    with RawSink(tmp_path / "sink", specs=["rcpt:1:reply:450 4.2.1 busy"]) as sink:
        settings = {"smarthost": f"127.0.0.1:{sink.port}", "retry_initial_delay": "1h", "retry_max_delay": "1h"}
        with Relay(tmp_path, **settings) as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            patiently(lambda: relay.metric('recipients_total{result="deferred"}') == 1, 20, "a first attempt")
        relay = Relay(tmp_path, pod_annotations=annotations, **settings).start(wait=False)
        try:
            patiently(lambda: relay.get("/readyz") == (503, WORDS), 20, "it is up and not ready")
            arrived(sink, 1)
        finally:
            relay.stop()
