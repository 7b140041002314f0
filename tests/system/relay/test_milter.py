"""Content filters: what they change, and what becomes of mail when they are down, slow, or lie."""

import json
import threading

import pytest
from ports import free_ports
from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to
from scripted_milter import ScriptedMilter, packet

CONTENT = b"Subject: one\r\nX-Gone: yes\r\n\r\nbody\r\n"


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def milter():
    with ScriptedMilter() as milter:
        yield milter


@pytest.fixture
def relay_with(tmp_path, sink):
    """Makes a relay with filters in its settings file."""
    def make(*milters):
        file = tmp_path / "relay.json"
        file.write_text(json.dumps({"milters": milters}))
        return relay_to(sink, tmp_path).start(arguments=("--config", file))
    return make


def answer_to(client, content=CONTENT, recipients=("b@example.net",)):
    client.begin("a@example.com", recipients)
    client.write(content + b".\r\n")
    return client.reply()


def outcome(relay, name):
    return relay.metric(f'milter_messages_total{{outcome="{name}"}}')


def test_a_filter_changes_header_and_envelope(relay_with, sink, milter):
    milter.answers["E"] = (
        packet("i", b"\0\0\0\0X-Top\0 first\n\tfolded\0") + packet("m", b"\0\0\0\1X-Gone\0\0")
        + packet("h", b"X-End\0last\0") + packet("+", b"<c@example.net>\0") + packet("-", b"<b@example.net>\0")
        + packet("e", b"<new@example.com>\0") + packet("c"))
    with relay_with(milter.settings()) as relay:
        with Client(relay.smtp_port) as client:
            assert answer_to(client).startswith("250 2.0.0 OK queued as ")
        message, = arrived(sink, 1)
        assert message.sender == "new@example.com"
        assert message.recipients == ["c@example.net"]
        header, body = message.content.split(b"\r\n\r\n", 1)
        assert b"\r\nX-Top:  first\r\n\tfolded\r\nSubject: one\r\nX-End: last" in header
        assert b"X-Gone" not in header
        assert body == b"body\r\n"
        told = dict(milter.told[0])
        assert told["C"] == b"[127.0.0.1]\x004\0\x00127.0.0.1\0"
        assert told["M"].startswith(b"<a@example.com>\0SIZE=")
        assert outcome(relay, "changed") == 1
        record, = relay.records("milter")
        assert (record["action"], record["changes"]) == ("change", 6)


def test_a_large_message_is_shown_whole_and_outlives_a_kill(relay_with, sink, milter):
    body = b"".join(b"line %d %s\r\n" % (i, b"x" * 60) for i in range(20_000))
    milter.answers["E"] = packet("h", b"X-End\0last\0") + packet("q", b"odd\0") + packet("c")
    with relay_with(milter.settings()) as relay:
        with Client(relay.smtp_port) as client:
            queue_id = answer_to(client, b"Subject: big\r\n\r\n" + body).rsplit(" ", 1)[1]
        assert milter.body() == body
        relay.kill()
        relay.start(arguments=("--config", relay.folder / "relay.json"))
        assert [entry["state"] for entry in relay.queue()] == ["held"]
        relay.ctl("queue", "release", queue_id)
        message, = arrived(sink, 1)
        assert message.content.endswith(b"\r\nSubject: big\r\nX-End: last\r\n\r\n" + body)


def test_a_filter_refuses_and_throws_away_and_nobody_is_told_by_a_report_Case072(relay_with, sink, milter):
    with relay_with(milter.settings()) as relay, Client(relay.smtp_port) as client:
        milter.answers["R"] = lambda data: packet("r") if b"bad@" in data else packet("c")
        assert answer_to(client, recipients=("b@example.net", "bad@example.net")) == "550 5.7.1 Refused by a content filter"
        milter.answers["E"] = packet("y", b"554 5.7.1 100%% spam\0")
        assert answer_to(client) == "554 5.7.1 100% spam"
        milter.answers["E"] = packet("t")
        assert answer_to(client).startswith("451 4.7.1 ")
        milter.answers["E"] = packet("d")
        assert answer_to(client) == "250 2.0.0 OK"
        assert relay.metric("queue_messages") == relay.metric("reports_total") == 0
        assert [record["action"] for record in relay.records("milter")] == ["refuse", "refuse", "refuse", "discard"]
        assert (outcome(relay, "refused"), outcome(relay, "discarded")) == (3, 1)
    assert sink.store.messages() == []


@pytest.mark.parametrize("says, reply", [("defer", "451 4.7.1 "), ("reject", "550 5.7.1 "), ("accept", "250 2.0.0 ")])
def test_mail_fares_as_is_said_when_the_filter_is_down(relay_with, sink, says, reply):
    port, = free_ports(1)
    with relay_with({"name": "down", "host": "127.0.0.1", "port": port, "on_failure": says}) as relay:
        with Client(relay.smtp_port) as client:
            for _ in range(6):
                assert answer_to(client).startswith(reply)
        assert outcome(relay, "failed") >= 3
        assert outcome(relay, "failed") + outcome(relay, "skipped") == 6
        assert outcome(relay, "skipped") > 0
        if says == "accept":
            arrived(sink, 6)
        else:
            assert relay.metric("queue_messages") == 0
            assert sink.store.messages() == []


def test_a_filter_that_comes_back_is_asked_again(relay_with, sink, milter):
    milter.answers["C"] = None
    def answer(relay):
        with Client(relay.smtp_port) as client:
            return answer_to(client)

    with relay_with(milter.settings()) as relay:
        for _ in range(4):
            assert answer(relay).startswith("451 4.7.1 ")
        del milter.answers["C"]
        patiently(lambda: answer(relay).startswith("250 "), 20, "the filter is asked again")


def test_a_slow_filter_is_given_up_within_its_time(relay_with, milter):
    is_over = threading.Event()

    def slowly(_):
        is_over.wait()  # who waited for it would never answer the client
        return packet("c")

    def forever(_):
        return packet("p") * 10_000
    with relay_with(milter.settings(command_timeout="1s", message_timeout="2s")) as relay, \
            Client(relay.smtp_port) as client:
        for command, answer in (("M", slowly), ("E", forever)):
            milter.answers = {"O": milter.answers["O"], command: answer}
            assert answer_to(client).startswith("451 4.7.1 ")
        assert all("timed" in record["error"] or "time" in record["error"] for record in relay.records("milter_failed"))
    is_over.set()


@pytest.mark.parametrize("command, octets", [
    ("O", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ("O", packet("O", b"\0\0\0\6\0\0\0\x7f\0\0\0\0")),  # wants to change bodies
    ("H", packet("c") * 50),
    ("L", packet("h", b"X\0y\0")),
    ("E", packet("b", b"another body\r\n") + packet("c")),
    ("E", packet("h", b"X") + packet("c")),
    ("E", packet("+", b"<nobody>\0") + packet("c")),
    ("E", b"\0\0\0\0"),
    ("E", b"\xff\xff\xff\xff"),
])
def test_a_filter_that_lies_changes_nothing(relay_with, sink, milter, command, octets):
    milter.answers[command] = octets
    with relay_with(milter.settings(on_failure="accept", command_timeout="2s", message_timeout="3s")) as relay:
        with Client(relay.smtp_port) as client:
            assert answer_to(client).startswith("250 2.0.0 OK queued as ")
        message, = arrived(sink, 1)
        assert message.content.endswith(b"\r\n" + CONTENT)
        assert message.recipients == ["b@example.net"]
        assert outcome(relay, "failed") == 1


def test_filters_change_without_a_restart(relay_with, sink, milter):
    milter.answers["E"] = packet("r")
    with relay_with() as relay, Client(relay.smtp_port) as client:
        assert answer_to(client).startswith("250 ")
        (relay.folder / "relay.json").write_text(json.dumps({"milters": [milter.settings()]}))
        patiently(lambda: answer_to(client).startswith("550 5.7.1 "), 20, "the filter is asked")
        (relay.folder / "relay.json").write_text(json.dumps({"milters": []}))
        patiently(lambda: answer_to(client).startswith("250 "), 20, "no filter is asked")
