"""hack/bench/source, which sends the messages of `make bench` over TLS: whole, and with a failure where one is due."""

import pathlib
import re
import socket
import subprocess

import pytest

from certificates import Authority
from ports import free_port
from raw_sink import RawSink
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCE = ROOT / "build/bench/source"


@pytest.fixture(scope="module", autouse=True)
def program():
    subprocess.run([ROOT / "hack/bench/build", "source"], check=True, timeout=600)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("127.0.0.1")


@pytest.fixture
def sink(tmp_path, certificate):
    with RawSink(tmp_path, tls=certificate) as started:
        yield started


def source(port, *arguments):
    return subprocess.run([SOURCE, "-f", "a@b.test", "-t", "c@d.test", *map(str, arguments), f"127.0.0.1:{port}"],
                          capture_output=True, text=True, timeout=120)


def resumed(done):
    return int(re.fullmatch(r"messages=\d+ resumed=(\d+)\n", done.stdout)[1])


@pytest.mark.parametrize("length", [1, 80, 81, 4096, 102400])
def test_messages_arrive_whole_and_each_is_another(sink, length):
    done = source(sink.port, "-starttls", "-s", 4, "-m", 30, "-l", length)
    assert done.returncode == 0, done.stderr
    messages = sink.store.messages()
    assert len(messages) == 30
    assert {(message.sender, *message.recipients, message.accepted) for message in messages} == {("a@b.test", "c@d.test", True)}
    ids = set()
    for message in messages:
        head, _, body = message.content.partition(b"\r\n\r\n")
        assert [line.partition(b":")[0] for line in head.split(b"\r\n")] == [b"From", b"To", b"Date", b"Message-Id"]
        ids.add(re.search(rb"Message-Id: <(.*)>", head)[1])
        assert len(body) == length + len("\r\n")
        assert re.fullmatch(rb"(?:\dX{77}\r\n)*X{1,80}\r\n", body)
    assert len(ids) == 30


def test_each_message_has_a_connection_that_turns_to_tls_and_says_goodbye(sink):
    assert source(sink.port, "-starttls", "-s", 2, "-m", 6).returncode == 0
    # The sink writes one down when it has closed it, which the source does not wait for.
    wait_until(lambda: len(sink.store.sessions()) == 6, 30, "six sessions have ended")
    hello = "EHLO source.bench.test"
    said = [(False, hello), (False, "STARTTLS"), (True, hello), (True, "MAIL FROM:<a@b.test>"), (True, "RCPT TO:<c@d.test>"),
            (True, "DATA"), (True, "QUIT")]
    for session in sink.store.sessions():
        assert [(command["tls"], command["line"]) for command in session["commands"]] == said


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_all_sessions_but_those_at_the_start_are_resumed(sink, version):
    done = source(sink.port, "-starttls", "-tls-max", version, "-s", 3, "-m", 40)
    assert done.returncode == 0, done.stderr
    assert 40 - 3 <= resumed(done) < 40
    assert {message.entry["tls"] for message in sink.store.messages()} == {f"TLSv{version}"}


def test_without_starttls_it_sends_in_plain_text(sink):
    done = source(sink.port, "-m", 2)
    assert (done.returncode, resumed(done)) == (0, 0)
    assert [message.entry["tls"] for message in sink.store.messages()] == [None, None]


@pytest.mark.parametrize("stage, reply", [
    ("connect", "554 5.3.2 not now"), ("ehlo", "502 5.5.1 no"), ("starttls", "454 4.7.0 no TLS"), ("mail", "550 5.7.1 not you"),
    ("rcpt", "550 5.1.1 nobody"), ("data", "451 4.3.0 later"), ("end", "452 4.3.1 full")])
def test_a_refusal_is_a_failure_that_tells_the_reply(sink, stage, reply):
    sink.faults.add(f"{stage}:1:reply:{reply}")
    done = source(sink.port, "-starttls", "-s", 2, "-m", 10)
    assert (done.returncode, done.stdout) == (1, "")
    assert reply in done.stderr


@pytest.mark.parametrize("stage", ["ehlo", "starttls", "mail", "body", "end"])
def test_a_lost_connection_is_a_failure(sink, stage):
    sink.faults.add(f"{stage}:1:drop")
    done = source(sink.port, "-starttls", "-m", 3)
    assert done.returncode == 1
    assert re.match(r"source: message 1: .*EOF", done.stderr), done.stderr


def test_a_server_without_starttls_is_a_failure(tmp_path):
    with RawSink(tmp_path) as sink:
        done = source(sink.port, "-starttls")
    assert (done.returncode, done.stderr) == (1, "source: message 1: STARTTLS is not offered\n")


def test_a_server_that_speaks_plain_text_behind_starttls_is_a_failure(sink):
    sink.faults.add("starttls:1:early")
    done = source(sink.port, "-starttls")
    assert (done.returncode, done.stderr) == (1, "source: message 1: STARTTLS: more than its reply came in plain text\n")


def test_no_server_is_a_failure():
    done = source(free_port(), "-starttls")
    assert done.returncode == 1
    assert "connection refused" in done.stderr


@pytest.mark.parametrize("arguments, complaint", [
    (["-tls-max", "1.4"], "-tls-max is 1.2 or 1.3, not '1.4'"), (["-m", "0"], "-s, -m and -l are at least 1"),
    (["localhost:1"], "one HOST:PORT is needed, not 2"), (["-x"], "flag provided but not defined: -x")])
def test_options_that_make_no_sense_are_refused(arguments, complaint):
    done = source(1, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
