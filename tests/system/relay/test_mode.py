"""The mode of a relay that is not in production: what leaves, what is kept in, and what a person lets out."""

import json

import pytest
from raw_sink import RawSink
from relay import Client, Relay, arrived, patiently


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def settings(tmp_path):
    """Writes the settings file that the relay reads again."""
    file = tmp_path / "relay.json"

    def write(**fields):
        temporary = tmp_path / "relay.json.new"
        temporary.write_text(json.dumps(fields))
        temporary.rename(file)
        return file
    return write


@pytest.fixture
def relay_to_sink(tmp_path, sink, settings):
    def make(**fields):
        file = settings(**fields)
        return Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", smarthost_tls="none").start(arguments=("--config", file))
    return make


def switch(relay, settings, mode, **fields):
    settings(mode=mode, **fields)
    patiently(lambda: relay.metric(f'mode{{mode="{mode}"}}') == 1, 20, f"mode {mode}")


def captured(relay):
    return [each for each in relay.queue() if each.get("captured")]


def submit(relay, *recipients, subject="x", sender="a@example.com"):
    with Client(relay.smtp_port) as client:
        return client.send(sender, recipients=recipients, content=f"Subject: {subject}\r\n\r\nbody\r\n".encode())


def test_captured_mail_stays_over_a_restart_until_somebody_releases_or_deletes_it(relay_to_sink, sink):
    with relay_to_sink(mode="capture") as relay:
        first = submit(relay, "b@example.net", "c@example.org")
        second = submit(relay, "d@example.net")
        assert {each["queue_id"] for each in captured(relay)} == {first, second}
        assert "mode capture" in relay.ctl("status")
        assert json.loads(relay.get("/node")[1])["mode"] == "capture"
        assert relay.metric("recipients_captured_total") == 3
        relay.stop()
        relay.start(arguments=("--config", relay.folder / "relay.json"))
        assert len(captured(relay)) == 2 and relay.metric("queue_messages") == 2
        relay.ctl("queue", "release", first)
        message, = arrived(sink, 1)
        assert sorted(message.recipients) == ["b@example.net", "c@example.org"]
        relay.ctl("queue", "delete", "--state", "captured", "--yes")
        patiently(relay.is_empty, 20, "the queue is empty")
        assert len(arrived(sink, 1)) == 1
        record = relay.records("reception")[0]
        assert record["mode"] == "capture" and record["captured"] == ["b@example.net", "c@example.org"]


def test_what_waits_does_not_leave_once_the_mode_is_capture(relay_to_sink, sink, settings):
    with relay_to_sink(mode="deliver") as relay:
        relay.ctl("queue", "suspend", "smarthost/default")
        submit(relay, "b@example.net")
        switch(relay, settings, "capture")
        relay.ctl("queue", "unsuspend", "smarthost/default")
        patiently(lambda: len(captured(relay)) == 1, 20, "it is captured")
        switch(relay, settings, "deliver")
        assert len(captured(relay)) == 1, "it does not leave by itself"
        relay.ctl("queue", "release", "--state", "captured")
        arrived(sink, 1, to="b@example.net")
        patiently(relay.is_empty, 20, "the queue is empty")


def test_all_mail_goes_to_one_address(relay_to_sink, sink):
    with relay_to_sink(mode="redirect", mode_redirect_to="test@qa.test") as relay:
        submit(relay, "b@example.net", "c@example.org")
        message, = arrived(sink, 1)
        assert message.recipients == ["test@qa.test"]
        assert b"X-Original-To: <b@example.net>\r\nX-Original-To: <c@example.org>\r\n" in message.content
        assert relay.records("reception")[0]["original_recipients"] == ["b@example.net", "c@example.org"]


def test_only_who_is_allowed_gets_mail(relay_to_sink, sink):
    with relay_to_sink(mode="allowlist", mode_allowed=["*@qa.test", "tester-*@example.net"]) as relay:
        submit(relay, "a@qa.test", "tester-1@example.net", "customer@example.net")
        message, = arrived(sink, 1)
        assert sorted(message.recipients) == ["a@qa.test", "tester-1@example.net"]
        entry, = captured(relay)
        assert [each["address"] for each in entry["recipients"]] == ["customer@example.net"]


def test_others_are_refused_where_the_allowlist_says_so(relay_to_sink, sink):
    with relay_to_sink(mode="allowlist", mode_allowed=["qa.test"], mode_others="reject") as relay, \
            Client(relay.smtp_port) as client:
        client.say("MAIL FROM:<a@example.com>", 250)
        client.say("RCPT TO:<a@qa.test>", 250)
        assert client.say("RCPT TO:<customer@example.net>").startswith("550 5.7.1 This relay is not in production")
        assert relay.metric('recipients_refused_total{reason="mode"}') == 1


def test_a_mode_without_what_it_needs_leaves_the_one_before_in_force(relay_to_sink, settings):
    with relay_to_sink(mode="capture") as relay:
        settings(mode="redirect")
        patiently(lambda: relay.records("reload_refused"), 20, "the refusal")
        assert "set mode_redirect_to" in str(relay.records("reload_refused")[0]["faults"])
        submit(relay, "b@example.net")
        assert len(captured(relay)) == 1
