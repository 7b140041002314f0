"""What a person does with the queue, through relayctl and the admin interface."""

import http.client
import json
import subprocess

import pytest
from raw_sink import RawSink
from ports import free_ports
from relay import BIN, Client, Relay, patiently


@pytest.fixture
def relay(tmp_path):
    """Its next hop is not there."""
    with Relay(tmp_path, smarthost=f"127.0.0.1:{free_ports(1)[0]}") as relay:
        yield relay


def ctl(relay, *arguments, code=0, stdin=None):
    command = [BIN / "relayctl", "--spool", relay.settings["spool_path"], "--admin", f"127.0.0.1:{relay.admin_port}"]
    done = subprocess.run([str(part) for part in [*command, *arguments]], capture_output=True, text=True, timeout=60,
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def send(relay, count=1, **message):
    with Client(relay.smtp_port) as client:
        return [client.send(**message) for _ in range(count)]


def listed(relay, *arguments):
    return json.loads(ctl(relay, "queue", "list", "--json", *arguments).stdout)


def ids(messages):
    return sorted(message["queue_id"] for message in messages)


def settle_down(relay, state, count):
    """Messages may be in flight when they are to be changed: what was asked for comes about when they are not."""
    patiently(lambda: len(listed(relay, "--state", state)) == count, 20, f"{count} messages {state}")


def ask(relay, method, path, body=None, token=None):
    token = token or (relay.settings["spool_path"] / "admin.token").read_text()
    connection = http.client.HTTPConnection("127.0.0.1", relay.admin_port, timeout=20)
    try:
        connection.request(method, path, body=body, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_lists_by_sender_recipient_state_and_id(relay):
    one = send(relay, sender="a@one.test", recipients=["x@default.test"])
    two = send(relay, sender="a@two.test", recipients=["y@default.test", "z@default.test"])
    assert ids(listed(relay)) == sorted(one + two)
    assert ids(listed(relay, "--sender", "one.test")) == one
    assert ids(listed(relay, "--recipient", "Z@default.test")) == two
    assert ids(listed(relay, two[0])) == two
    assert listed(relay, "--state", "failed") == []
    assert one[0] in ctl(relay, "queue").stdout


def test_holds_releases_and_deletes(relay):
    sent = send(relay, 5)
    ctl(relay, "queue", "hold", "--all", "--reason", "a test")
    settle_down(relay, "held", 5)
    ctl(relay, "queue", "release", sent[0])
    settle_down(relay, "held", 4)
    ctl(relay, "queue", "delete", "--state", "held", code=64)  # asks, and nobody answers
    assert len(listed(relay)) == 5
    assert "4 messages deleted" in ctl(relay, "queue", "delete", "--state", "held", "--yes", "--reason", "spam").stdout
    assert ids(listed(relay)) == [sent[0]]
    deletions = relay.records("deletion")
    assert sorted(record["queue_id"] for record in deletions) == sorted(sent[1:])
    assert {record["reason"] for record in deletions} == {"spam"}
    ctl(relay, "queue", "hold", sent[1], code=2)
    ctl(relay, "queue", "hold", code=64)
    assert relay.metric("queue_messages") == 1


def test_a_held_message_outlives_a_restart(relay):
    sent = send(relay)
    ctl(relay, "queue", "hold", sent[0])
    settle_down(relay, "held", 1)
    relay.stop()
    relay.start()
    assert [message["state"] for message in listed(relay)] == ["held"]


def test_retries_and_traces_a_delivery(tmp_path):
    port = free_ports(1)[0]
    with Relay(tmp_path, smarthost=f"127.0.0.1:{port}", retry_initial_delay="1h", retry_max_delay="1h") as relay:
        sent = send(relay, content=b"Message-ID: <trace-me@x.test>\r\n\r\nbody\r\n")
        patiently(lambda: relay.records("hop_failure"), 20, "a failure of the hop")
        with RawSink(tmp_path / "sink", listen=[("127.0.0.1", port)]):
            ctl(relay, "queue", "retry", "--all")
            patiently(lambda: relay.records("delivery"), 20, "the delivery")
            for query in (sent[0], "<trace-me@x.test>", "b@example.net"):
                traced = json.loads(ctl(relay, "trace", query, "--json").stdout)
                assert [message["queue_id"] for message in traced] == sent, query
                assert traced[0]["state"] == "gone"
                events = [event["event"] for event in traced[0]["events"]]
                assert events[0] == "reception" and events[-1] == "delivery"
            assert "delivery" in ctl(relay, "queue", "show", sent[0]).stdout
            ctl(relay, "trace", "nobody@x.test", code=2)


def test_suspends_a_destination(tmp_path):
    with RawSink(tmp_path / "sink") as sink, Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}") as relay:
        ctl(relay, "queue", "suspend", "smarthost/default")
        send(relay, 3)
        table = ctl(relay, "queue", "destinations").stdout
        assert "smarthost/default" in table and "suspended" in table
        assert not relay.records("delivery")
        ctl(relay, "queue", "unsuspend", "smarthost/default")
        patiently(lambda: len(relay.records("delivery")) == 3, 20, "the deliveries")
        ctl(relay, "queue", "suspend", "smarthost/default", "--for", "1s")
        send(relay)
        patiently(lambda: len(relay.records("delivery")) == 4, 20, "the delivery behind a second")


def test_says_that_nothing_waits_for_a_destination_that_was_mistyped(tmp_path):
    with RawSink(tmp_path / "sink") as sink, Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}") as relay:
        ctl(relay, "queue", "suspend", "smarthost/default")
        send(relay)
        assert "0 messages" in ctl(relay, "queue", "retry", "--destination", "smarthost/defualt", code=2).stdout
        assert "due now" in ctl(relay, "queue", "retry", "--destination", "smarthost/default").stdout
        ctl(relay, "queue", "retry", "--destination", "example.net", code=1)


def test_moves_messages_to_another_relay(relay, tmp_path):
    big = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000
    sent = send(relay, 3) + send(relay, content=big, recipients=["x@one.test", "y@two.test"])
    file = tmp_path / "mail.jsonl"
    ctl(relay, "queue", "export", "--all", "--remove", code=1)  # not to a pipe
    ctl(relay, "queue", "hold", "--all")
    settle_down(relay, "held", 4)
    ctl(relay, "queue", "export", "--all", "--remove", "--output", file)
    assert listed(relay) == []
    (tmp_path / "other").mkdir()
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path / "other", smarthost=f"127.0.0.1:{sink.port}") as other:
            assert "4 messages imported" in ctl(other, "queue", "import", file, "--hold").stderr
            assert [message["state"] for message in listed(other)] == ["held"] * 4
            assert {record["from"] for record in other.records("import")} == set(sent)
            assert "0 messages imported" in ctl(other, "queue", "import", file, "--skip", "4", code=2).stderr
            ctl(other, "queue", "release", "--all")
            patiently(lambda: len(other.records("delivery")) == 5, 30, "the deliveries")


def test_says_where_to_go_on_behind_a_damaged_file(relay, tmp_path):
    send(relay, 2)
    file = tmp_path / "mail.jsonl"
    ctl(relay, "queue", "export", "--output", file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-1]) + "\n")
    failed = ctl(relay, "queue", "import", file, code=1)
    assert "--skip 1" in failed.stderr and "ends within a message" in failed.stderr


def test_the_interface_wants_its_token_and_says_what_is_wrong(relay):
    assert ask(relay, "GET", "/v1/queue", token="wrong")[0] == 401
    status, answer = ask(relay, "POST", "/v1/queue/delete", body="{}")
    assert status == 400 and "all" in answer["error"]
    assert ask(relay, "POST", "/v1/queue/hold", body="not json")[0] == 400
    assert ask(relay, "GET", "/v1/queue?id=nonsense")[0] == 400
    assert ask(relay, "GET", "/v1/export?place=w:AAAA")[0] == 404
    assert ask(relay, "POST", "/v1/import?stream=x", body="garbage\n")[0] == 400
    # It ended the relay once.
    nested = "[" * 400_000 + "]" * 400_000
    status, answer = ask(relay, "POST", "/v1/import?stream=y", body='{"message":{"queue_id":"x","state":"due","envelope":%s}}\n' % nested)
    assert (status, answer["error"]) == (400, "a line has too many values in one another")
    status, answer = ask(relay, "GET", "/v1/nothing")
    assert status == 404 and "GET /v1/trace" in answer["error"]
    # An empty page of a long queue still has its cursor.
    send(relay, 3)
    status, page = ask(relay, "GET", "/v1/queue?limit=2")
    assert len(page["messages"]) == 2 and page["next"]
    assert len(ask(relay, "GET", f"/v1/queue?limit=2&after={page['next']}")[1]["messages"]) == 1
