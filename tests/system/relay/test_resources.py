"""What runs out around a relay, or is read by nobody, stops no mail; and what a message holds is nobody's but its sender's."""

import os
import resource
import socket

import pytest
from raw_sink import RawSink
from relay import PATIENCE, Client, arrived, patiently, relay_to, send_octets


@pytest.fixture
def unread(tmp_path):
    """The reader's end of a log that nobody reads: a pipe of one page."""
    os.mkfifo(tmp_path / "relay.log")
    reader = os.open(tmp_path / "relay.log", os.O_RDONLY | os.O_NONBLOCK)
    yield reader
    os.close(reader)


def test_a_log_that_nobody_reads_stops_no_mail_Case116(tmp_path, unread):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, log_level="debug") as relay:
        with Client(relay.smtp_port) as client:
            client.send("first@example.com")
        for _ in range(200):
            # Each session is a line at this level; what can't be written waits, and what can't wait gives way.
            for _ in range(100):
                assert send_octets(relay.smtp_port, b"QUIT\r\n").startswith("220 ")
            if relay.metric("log_records_dropped_total"):
                break
        assert relay.metric("log_records_dropped_total") > 0
        with Client(relay.smtp_port) as client:
            client.send("last@example.com")
        assert {message.sender for message in arrived(sink, 2)} == {"first@example.com", "last@example.com"}
        assert relay.get("/livez") == (200, "OK\n")
        # Once somebody reads it again, it is written again, to the newest line.
        read = bytearray()

        def reads_the_newest():
            read.extend(os.read(unread, 65536))
            return b"last@example.com" in read
        patiently(reads_the_newest, 30, "the newest lines are there")


def test_metrics_have_no_series_for_an_address_a_client_or_a_message_Case118(tmp_path):
    def series():
        return {line.rsplit(" ", 1)[0] for line in relay.get("/metrics")[1].splitlines() if not line.startswith("#")}

    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.send()
        arrived(sink, 1)
        patiently(relay.is_empty, 20, "it is delivered")
        before = series()
        for number in range(50):
            with Client(relay.smtp_port, f"EHLO client{number}.test", f"127.0.1.{number + 1}") as client:
                client.send(f"sender{number}@domain{number}.example", [f"recipient{number}@other{number}.example"])
                client.say(f"WRONG{number}", 500)
        arrived(sink, 51)
        patiently(relay.is_empty, 20, "all is delivered")
        assert series() == before


def test_descriptors_that_run_out_turn_away_who_comes_and_nobody_else_Case110(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as early:
        before = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{relay.process.pid}/fd"))
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (used + 8, before[1]))
        held = [socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20 * PATIENCE) for _ in range(40)]
        try:
            patiently(lambda: len(os.listdir(f"/proc/{relay.process.pid}/fd")) >= used + 8, 20, "it has no more")
            early.say("NOOP", 250)
        finally:
            for connection in held:
                connection.close()
        # With as few as before: what was held is free again.
        early.send()
        arrived(sink, 1)
        with Client(relay.smtp_port) as late:
            late.send()
        arrived(sink, 2)
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, before)
        assert relay.get("/livez") == (200, "OK\n")


def nested(depth):
    """A multipart in a multipart, so many times, with a long boundary."""
    boundary = "b" * 1000
    return (f"From: a@example.com\r\nContent-Type: multipart/mixed; boundary={boundary}0\r\n\r\n" + "".join(
        f"--{boundary}{level}\r\nContent-Type: multipart/mixed; boundary={boundary}{level + 1}\r\n\r\n" for level in range(depth)))


@pytest.mark.parametrize("content", [
    "From: a@example.com\r\nFrom: b@example.com\r\nTo: c@example.net\r\nTo: d@example.net\r\nBcc: hidden@example.net\r\n"
    "Message-ID: <1@example.com>\r\nMessage-ID: <2@example.com>\r\n\r\nx\r\n",
    "Subject: neither From nor Date nor Message-ID\r\n\r\nx\r\n",
    "Authentication-Results: relay.test; spf=pass smtp.mailfrom=a@example.com\r\nSubject: x\r\n\r\nx\r\n",
    nested(2000),
    'Content-Type: text/plain; name*0*=utf-8\'\'%2e%2e%2f; name*1="\r\n\tx.exe"; name*2\r\nSubject: x\r\n\r\nx\r\n',
], ids=["fields twice", "fields that are not there", "another's results", "nested MIME", "a broken file name"])
def test_header_and_body_are_passed_as_they_are_Case089_Case091_Case093(tmp_path, content):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.send(content=content.encode())
        received = arrived(sink, 1)[0].content
        assert received.startswith(b"Received: ") and received.endswith(b"+0000\r\n" + content.encode())
