"""The raw sink judges others, so it is checked itself: octets as they came, faults where asked for."""

import smtplib
import socket
import ssl
import subprocess

import pytest

from raw_sink import RawSink
from waiting import wait_until


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path, credentials=("user", "pass:word"), auth_offer="always") as started:
        yield started


def dialogue(sink, octets, apart=None, ends=False):
    """Sends all of it, whole or in pieces of a few octets, and returns all replies. `ends`: leaves without QUIT."""
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(octets), apart or len(octets)):
            peer.sendall(octets[start : start + (apart or len(octets))])
        if ends:
            peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(65536), b""))


def envelope(content):
    return b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + content + b"QUIT\r\n"


@pytest.mark.parametrize("apart", [None, 1, 3])
@pytest.mark.parametrize("raw", [b"", b"x\r\n", b"Subject: x\r\n\r\n..dot\r\n...\r\n\x00\xff\n.\nlone\r\n"])
def test_keeps_the_octets_as_they_came(sink, raw, apart):
    replies = dialogue(sink, envelope(raw + b".\r\n"), apart)
    assert replies.endswith(b"221 2.0.0 bye\r\n")
    (message,) = sink.store.messages()
    assert (message.raw, message.sender, message.recipients, message.accepted) == (raw, "a@b", ["c@d"], True)


def test_takes_stuffed_dots_out_of_content(sink):
    dialogue(sink, envelope(b"..one\r\n...two\r\n.\r\n"))
    assert sink.store.messages()[0].content == b".one\r\n..two\r\n"


def test_one_recipient_is_refused_where_told(sink):
    sink.faults.add("rcpt=bad@:*:reply:550 5.1.1 no such user")
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        refused = client.sendmail("a@b", ["good@d", "bad@d"], b"Subject: x\r\n\r\nx\r\n")
    assert refused == {"bad@d": (550, b"5.1.1 no such user")}
    assert sink.store.messages()[0].recipients == ["good@d"]


def test_a_refusal_happens_as_often_as_told_and_is_recorded(sink):
    sink.faults.add("end:2:reply:451 4.3.0 later")
    for _ in range(3):
        dialogue(sink, envelope(b"x\r\n.\r\n"))
    assert [message.accepted for message in sink.store.messages()] == [False, False, True]


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "body", "end"])
@pytest.mark.parametrize("action", ["drop", "reset"])
def test_the_connection_ends_where_told(sink, stage, action):
    sink.faults.add(f"{stage}:1:{action}")
    with pytest.raises((smtplib.SMTPException, OSError)):
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
            client.sendmail("a@b", ["c@d"], b"x\r\n")
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        assert client.sendmail("a@b", ["c@d"], b"x\r\n") == {}


def test_says_250_before_the_dot(sink):
    sink.faults.add("data:1:early")
    replies = dialogue(sink, envelope(b"x\r\n.\r\n"))
    assert b"354 end with a line that holds one dot\r\n250 2.0.0 already\r\n250 2.0.0 kept" in replies


@pytest.mark.parametrize("form, begins, repeats", [
    ("line", b"250 and so on and so on ", b"\n"),
    ("lines", b"250-and so on\r\n250-and so on\r\n", b"250 "),
    ("replies", b"250 and so on\r\n250 and so on\r\n", b"250-"),
])
def test_floods_with_as_many_octets_as_told(sink, form, begins, repeats):
    sink.faults.add(f"ehlo:1:flood:2000000 {form}")
    replies = dialogue(sink, b"EHLO me\r\n", ends=True)
    greeting, _, flood = replies.partition(b"\r\n")
    assert len(flood) == 2_000_000 and flood.startswith(begins) and repeats not in flood
    assert set(flood.split(b"\r\n")[:-1]) <= {begins.partition(b"\r\n")[0]}
    wait_until(lambda: [(each.stage, each.octets) for each in sink.floods] == [("ehlo", 2_000_000)], 5, "the note of it")
    assert sink.faults.left() == 0


def test_a_flood_ends_where_its_peer_closes(sink):
    sink.faults.add("connect:1:flood:1000000000 line")
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as peer:
        assert peer.recv(14) == b"220 and so on "
    wait_until(lambda: sink.floods and 14 <= sink.floods[0].octets < 1_000_000_000, 5, "the note of it")


def test_what_it_accepts_again_and_again_it_has_accepted(sink):
    sink.faults.add("end:1:flood:20000 replies")
    assert dialogue(sink, envelope(b"x\r\n.\r\n")).endswith(b"221 2.0.0 bye\r\n")
    assert [message.accepted for message in sink.store.messages()] == [True]


def test_says_no_in_the_middle_of_content(sink):
    sink.faults.add("body:1:reply:552 5.3.4 too much")
    replies = dialogue(sink, envelope(b"x\r\n"))
    assert replies.endswith(b"354 end with a line that holds one dot\r\n552 5.3.4 too much\r\n")
    assert sink.store.messages() == []


def test_lets_in_who_has_the_password(sink):
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.login("user", "pass:word")
        client.sendmail("a@b", ["c@d"], b"x\r\n")
    with smtplib.SMTP("127.0.0.1", sink.port) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("user", "wrong")
    assert sink.store.messages()[0].entry["user"] == "user"
    sessions = wait_until(lambda: sink.store.sessions()[1:] and sink.store.sessions(), 5, "two sessions")
    assert "AUTH ***" in [command["line"] for command in sessions[0]["commands"]]


def test_starttls_forgets_what_was_said_before_it(tmp_path):
    certificate, key = tmp_path / "crt", tmp_path / "key"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(request.split() + files, check=True, capture_output=True)
    with RawSink(tmp_path / "mail", tls=(certificate, key)) as sink:
        with smtplib.SMTP("localhost", sink.port) as client:
            client.starttls(context=ssl.create_default_context(cafile=certificate))
            assert client.docmd("MAIL FROM:<a@b>")[0] == 503
            client.sendmail("a@b", ["c@d"], b"x\r\n")
        assert sink.store.messages()[0].entry["tls"] == "TLSv1.3"


@pytest.mark.parametrize("spec, why", [
    ("nowhere:1:drop", "is no fault"), ("end:1:flood:much lines", "a flood has"), ("end:1:flood:9 tears", "a flood has"),
])
def test_a_fault_that_makes_no_sense_is_explained(sink, spec, why):
    with pytest.raises(ValueError, match=why):
        sink.faults.add(spec)
