"""What old applications leave out of messages, put in: each by its setting, and nothing unless it is set."""

import email
import email.policy

import pytest
from raw_sink import RawSink
from relay import Client, Relay, arrived


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def relay_with(tmp_path, sink):
    def make(**settings):
        return Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", smarthost_tls="none", **settings).start()
    return make


ALL = {"mend_unqualified_domain": "corp.test", "mend_date": "on", "mend_message_id": "on", "mend_from": "on"}


def fields(message):
    return email.message_from_bytes(message.content, policy=email.policy.default)


def test_a_message_of_a_cron_job_is_made_whole(relay_with, sink):
    with relay_with(**ALL) as relay, Client(relay.smtp_port, greet="HELO host") as client:
        client.send("root", recipients=("root", "admin@example.net"),
                    content=b"From: root (Cron Daemon)\r\nTo: root, Admin <admin>\r\nSubject: job\r\n\r\nFrom: root\r\n")
        message, = arrived(sink, 1)
        assert message.sender == "root@corp.test"
        assert sorted(message.recipients) == ["admin@example.net", "root@corp.test"]
        seen = fields(message)
        assert seen["From"].addresses[0].addr_spec == "root@corp.test"
        assert [each.addr_spec for each in seen["To"].addresses] == ["root@corp.test", "admin@corp.test"]
        assert seen["Date"].datetime is not None and seen["Message-ID"]
        assert message.content.endswith(b"\r\n\r\nFrom: root\r\n"), "the body is nobody's business"
        record, = relay.records("reception")
        assert record["message_id"] == seen["Message-ID"]


def test_a_message_without_a_header_gets_one(relay_with, sink):
    with relay_with(**ALL) as relay, Client(relay.smtp_port) as client:
        client.send("app@example.com", content=b"just a line\r\n")
        message, = arrived(sink, 1)
        assert fields(message)["From"] == "app@example.com"
        assert message.content.endswith(b"\r\n\r\njust a line\r\n")


def test_nothing_is_mended_unless_it_is_set(relay_with, sink):
    with relay_with() as relay, Client(relay.smtp_port) as client:
        assert client.say("MAIL FROM:<root>").startswith("501")
        client.send("app@example.com", content=b"Subject: x\r\n\r\nbody\r\n")
        message, = arrived(sink, 1)
        assert message.content.endswith(b"\r\nSubject: x\r\n\r\nbody\r\n")
        assert fields(message)["Date"] is None


def test_a_large_message_goes_through_octet_by_octet(relay_with, sink):
    body = b"0123456789abcdef" * 60 + b"\r\n"
    content = b"Subject: large\r\n\r\n" + body * 10_000
    with relay_with(**ALL) as relay, Client(relay.smtp_port) as client:
        client.send("app@example.com", content=content)
        message, = arrived(sink, 1)
        assert message.content.endswith(b"\r\n\r\n" + body * 10_000)
        sizes = relay.records("reception")[0]["size"]
        assert sizes == len(message.content) - message.content.index(b"Subject: large")


def test_where_mail_came_from_can_be_left_out_of_our_received(relay_with, sink):
    with relay_with(received_hides_client="on") as relay, Client(relay.smtp_port, greet="EHLO pod-10-1-2-3") as client:
        client.send("app@example.com")
        message, = arrived(sink, 1)
        received = fields(message)["Received"]
        assert received.startswith("by ") and "127.0.0.1" not in received and "pod-10" not in received
        assert relay.records("reception")[0]["client"] == "127.0.0.1"
