"""A relay among addresses that stand for several clients: it closes for them, live, and says what it saw."""

import contextlib
import json
import socket

import pytest
from raw_sink import RawSink
from relay import patiently, relay_to

NODE, OWN = "127.0.0.2", "127.0.0.3"
HIDDEN = f"550 5.7.1 Relaying denied: the network hides the client behind {NODE} "


@contextlib.contextmanager
def session(relay, source, first=""):
    """Says a line and returns the reply; the client connects from `source`."""
    with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20, source_address=(source, 0)) as connection:
        reader = connection.makefile("rb")
        connection.sendall(first.encode())
        assert reader.readline().startswith(b"220 ")

        def say(line):
            connection.sendall(line.encode() + b"\r\n")
            return reader.readline().decode()
        yield say


def offer(relay, source, first=""):
    """What a client from there hears to its recipient."""
    with session(relay, source, first) as say:
        say("HELO client.test")
        say("MAIL FROM:<a@example.com>")
        answer = say("RCPT TO:<b@example.net>")
        say("QUIT")
        return answer


def sources(relay):
    status, page = relay.get("/sources")
    assert status == 200
    return json.loads(page)


@pytest.fixture
def nodes(tmp_path):
    """Writes the list as kubelet does: all of it at once."""
    def write(*addresses):
        part = tmp_path / "part"
        part.write_text("".join(address + "\n" for address in addresses))
        part.rename(tmp_path / "nodes")
    write()
    return write


@pytest.fixture
def relay(tmp_path, nodes):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, hidden_sources_file=tmp_path / "nodes",
                                                      proxy_trusted="127.0.0.9") as relay:
        yield relay


def test_it_closes_for_a_node_that_joins_and_opens_when_that_one_is_gone_Case071(relay, nodes):
    assert offer(relay, NODE).startswith("250 ")
    with session(relay, NODE) as say:
        say("HELO client.test")
        say("MAIL FROM:<a@example.com>")
        nodes(NODE, "10.140.1.0/31")
        patiently(lambda: offer(relay, NODE).startswith(HIDDEN), 10, "it has closed")
        assert say("RCPT TO:<b@example.net>").startswith(HIDDEN), "for who was there before, too"
    assert offer(relay, OWN).startswith("250 "), "others are not affected"
    nodes("10.140.1.0/31")
    patiently(lambda: offer(relay, NODE).startswith("250 "), 10, "it has opened")
    assert relay.records("rejection")[0]["reply"].startswith(HIDDEN)


def test_a_list_that_is_gone_opens_nothing(relay, nodes, tmp_path):
    nodes(NODE)
    patiently(lambda: offer(relay, NODE).startswith(HIDDEN), 10, "it has closed")
    (tmp_path / "nodes").unlink()
    # Another list shows that the relay has looked since; what it cannot read in there opens nothing either.
    nodes("not an address")
    patiently(lambda: relay.records("hidden_sources"), 10, "it has read the next list")
    assert offer(relay, NODE).startswith(HIDDEN)


def test_who_has_an_address_of_its_own_behind_a_node_is_served_by_proxy_protocol(relay, nodes):
    nodes("127.0.0.9", NODE)
    patiently(lambda: offer(relay, NODE).startswith(HIDDEN), 10, "it has closed")
    assert offer(relay, "127.0.0.9", "PROXY TCP4 127.0.0.70 127.0.0.1 1 25\r\n").startswith("250 ")
    assert offer(relay, "127.0.0.9", f"PROXY TCP4 {NODE} 127.0.0.1 1 25\r\n").startswith(HIDDEN)


def test_it_says_behind_what_clients_came_and_takes_a_probe_for_none(relay, nodes):
    nodes(NODE)
    patiently(lambda: offer(relay, NODE).startswith(HIDDEN), 10, "it has closed")
    refused = patiently(lambda: sources(relay)["hidden"], 10, "the page has it")
    assert [each["address"] for each in refused] == [NODE] and refused[0]["refusals"] >= 1
    assert refused[0]["seconds"] < 60
    assert sources(relay)["own_addresses"] is False, "nobody but loopback came since"
    before = refused[0]["refusals"]
    with session(relay, NODE) as say:
        assert say("EHLO probe.test").startswith("250")
    offer(relay, NODE)
    # The probe had ended before: had it counted, it would be two more.
    seen = patiently(lambda: [each for each in sources(relay)["hidden"] if each["refusals"] > before], 10, "one more")
    # A recipient each: what was refused for another reason counts for nothing.
    assert seen[0]["refusals"] == before + 1 == relay.metric("hidden_clients_total")
    offer(relay, "127.0.0.9", "PROXY TCP4 10.0.0.70 127.0.0.1 1 25\r\n")
    patiently(lambda: sources(relay)["own_addresses"], 10, "a client has come with an address of its own")
