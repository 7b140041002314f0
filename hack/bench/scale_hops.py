"""Next hops of `make bench-scale`: many destinations, of which some take no mail and one is slow."""

import socket
import socketserver
import threading

from programs import LOCAL


class Destination:
    """A domain with a smarthost of its own, whose mail is a queue of its own."""

    def __init__(self, name, port):
        self.name, self.port = name, port
        self.recipient = f"recipient@{name}.bench.test".encode()

    def route(self):
        return {"name": self.name, "host": LOCAL, "port": self.port, "tls": "none", "auth": "none",
                "recipient_domains": [f"{self.name}.bench.test"]}


class Nobody:
    """with Nobody() as port: ... connections to 127.0.0.1, port are refused, and no other program takes the port."""

    def __enter__(self):
        self._bound = socket.socket()
        self._bound.bind((LOCAL, 0))  # and does not listen
        return self._bound.getsockname()[1]

    def __exit__(self, *_):
        self._bound.close()


class SlowSink:
    """with SlowSink(seconds) as port: ... an SMTP server on 127.0.0.1 takes and forgets all mail, and so many seconds for each
    reply."""

    def __init__(self, delay):
        self._delay = delay
        self._ended = threading.Event()

    def __enter__(self):
        class Session(socketserver.StreamRequestHandler):
            def handle(session):
                self._serve(session.rfile, session.wfile)
        self._server = socketserver.ThreadingTCPServer((LOCAL, 0), Session)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self._server.server_address[1]

    def __exit__(self, *_):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, lines, replies):
        try:
            self._reply(replies, "220 slow.bench.test")
            is_in_content = False
            for line in lines:
                verb = line[:4].upper()
                if is_in_content and line != b".\r\n":
                    continue
                is_in_content = not is_in_content and verb == b"DATA"
                self._reply(replies, "354 go on" if is_in_content else "221 bye" if verb == b"QUIT" else "250 OK")
        except OSError:
            pass  # the relay has left

    def _reply(self, replies, text):
        self._ended.wait(self._delay)
        replies.write(text.encode() + b"\r\n")
