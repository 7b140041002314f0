"""Stands between a client and a relay, or a relay and a next hop, and breaks one promise of the one behind it.

    with LyingProxy(relay.smtp_port, acknowledges_early(0.05)) as port:
        ... clients send to `port` ...

A lie is a function of each line that the client says, and of whether it is content; it tells what becomes of the line,
in a Word. Replies of the server pass, but where the Word holds one.
"""

import dataclasses
import socket
import socketserver
import threading

END = b".\r\n"


@dataclasses.dataclass
class Word:
    """A line of the client: what is passed on of it, when, and who answers."""

    line: bytes | None  # None: the server never hears of it
    reply: bytes | None = None  # this at once, and not the server's
    late: float = 0  # seconds before it is passed on, behind `reply`


def tells_the_truth(line, _is_content):
    return Word(line)


def acknowledges_early(delay):
    """A relay that says 250 to the end of data, and commits `delay` seconds later."""
    def lie(line, is_content):
        if is_content and line == END:
            return Word(line, b"250 2.0.0 OK queued as early\r\n", delay)
        return Word(line)
    return lie


def drops_a_recipient(text):
    """A relay that says 250 to RCPT with this text, and forgets it."""
    def lie(line, is_content):
        if not is_content and line.upper().startswith(b"RCPT") and text in line:
            return Word(None, b"250 2.1.5 OK\r\n")
        return Word(line)
    return lie


def changes_content(old, new):
    """A relay that sends on other octets than came."""
    def lie(line, is_content):
        return Word(line.replace(old, new) if is_content else line)
    return lie


def refuses_what_it_takes(reply):
    """A relay that says so to the end of data, and delivers all the same."""
    def lie(line, is_content):
        return Word(line, reply) if is_content and line == END else Word(line)
    return lie


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as upstream:
                self.replies = upstream.makefile("rb")
                self.answer()
                while line := self.rfile.readline():
                    self.say(upstream, line, False)
        except OSError:
            pass

    def say(self, upstream, line, is_content):
        word = self.server.lie(line, is_content)
        if word.reply:
            self.wfile.write(word.reply)
        if word.late:
            threading.Event().wait(word.late)
        if word.line is None:
            return
        upstream.sendall(word.line)
        if is_content and line != END:
            return
        code = self.answer(silent=bool(word.reply))
        if not is_content and code == b"354":
            self.content(upstream)

    def content(self, upstream):
        while line := self.rfile.readline():
            self.say(upstream, line, True)
            if line == END:
                return

    def answer(self, silent=False):
        """Passes the server's next reply on; returns its code. A server that has gone takes the client with it."""
        while True:
            line = self.replies.readline()
            if not line:
                raise ConnectionError("the server has gone")
            if not silent:
                self.wfile.write(line)
            if line[3:4] != b"-":
                return line[:3]


class LyingProxy(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port, lie):
        super().__init__(("127.0.0.1", 0), _Session)
        self.port, self.lie = port, lie

    def handle_error(self, request, client_address):
        pass  # a side has gone

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self.server_address[1]

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
