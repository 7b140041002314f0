"""What the raw sink wrote down becomes copies in the order in which they were tried, with their doubts."""

import socket

import pytest
from mail_history import arrivals
from raw_sink import RawSink
from waiting import wait_until

MESSAGE = [b"EHLO me", b"MAIL FROM:<m1@a>", b"RCPT TO:<c@d>", b"DATA", b"x\r\n."]


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path) as sink:
        yield sink


def sends(sink, *more, waits=True):
    """A connection with one message and more commands, each behind the answer to the one before; without `waits` it is gone
    before the last answer."""
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as peer:
        for line in (*MESSAGE, *more):
            assert peer.recv(65536)
            peer.sendall(line + b"\r\n")
        if waits:
            assert peer.recv(65536)


def copies(sink, count):
    wait_until(lambda: len(sink.store.sessions()) == count, 10, f"{count} connections have ended")
    return [(copy.id, copy.in_doubt) for copy in arrivals(sink)[0]]


def test_a_copy_is_in_doubt_where_its_connection_broke_off_shortly_behind_it(sink):
    sends(sink, b"QUIT")
    sends(sink)
    assert copies(sink, 2) == [("m1", False), ("m1", True)]


def test_what_was_accepted_when_nobody_waited_for_it_is_in_doubt_and_comes_before_what_was_tried_later(sink):
    sink.faults.add("end:1:delay:1")
    sends(sink, waits=False)
    wait_until(lambda: sink.faults.left() == 0, 5, "the first one waits")
    sends(sink, b"QUIT")
    assert copies(sink, 2) == [("m1", True), ("m1", False)]


def test_who_says_goodbye_before_the_answer_has_not_heard_it(sink):
    sink.faults.add("end:1:delay:0.5")
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as peer:
        peer.sendall(b"\r\n".join(MESSAGE) + b"\r\nQUIT\r\n")
        while peer.recv(65536):
            pass
    assert copies(sink, 1) == [("m1", True)]
